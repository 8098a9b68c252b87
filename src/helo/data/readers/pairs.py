"""Pairs of texts: two aligned files, or a table of two columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helo.data.labelled import Labelled
from helo.data.readers import files, table
from helo.errors import HeloError, fault

SOURCES = ("source", "src", "input", "from")
TARGETS = ("target", "trg", "tgt", "output", "to")


def read(names: Sequence[str | Path], asked: bool = True) -> tuple[Labelled, list[Path]]:
    """Sources as inputs and targets as labels. names: a source and a target file, line by line; or `.tsv`, `.csv`,
    `.jsonl` files of two columns, whose first line is a heading if it names them (source, target). Without `asked`
    any number of files of sources alone.
    """
    paths = files.named(names, (".tsv", ".csv", ".jsonl"))
    if {files.suffix(p) for p in paths} <= {".tsv", ".csv", ".jsonl"}:
        return _tables(paths, asked), paths
    if not asked:
        sides = [files.lines(p) for p in paths]
        places = [f"{p}:{n}" for p, side in zip(paths, sides, strict=True) for n in range(1, len(side) + 1)]
        return Labelled("pair", [s.strip() for side in sides for s in side], None, lambda i, *step: places[i]), paths
    if len(paths) != 2:
        raise HeloError(
            f"{len(paths)} file{'s' * (len(paths) != 1)}", expected="a source and a target file of as many lines, or TSV files",
            mend="--source FILE --target FILE", where=", ".join(map(str, names)),
        )  # fmt: skip
    source, target = (files.lines(p) for p in paths)
    if len(source) != len(target):
        raise HeloError(
            f"{len(source)} lines and {len(target)} in {paths[1]}",
            expected="as many, line by line",
            where=str(paths[0]),
        )
    rows = [n for n, (a, b) in enumerate(zip(source, target, strict=True)) if a.strip() and b.strip()]
    if not rows:
        raise HeloError("no pairs", expected="a text a line", where=str(paths[0]))
    return Labelled(
        "pair", [source[n].strip() for n in rows], [target[n].strip() for n in rows],
        lambda i, *step: f"{paths[0]}:{rows[i] + 1}", {"empty": len(source) - len(rows)},
    ), paths  # fmt: skip


def _tables(paths: list[Path], asked: bool) -> Labelled:
    inputs: list[str] = []
    labels: list[str | None] = []
    places: list[str] = []
    for path in paths:
        if files.suffix(path) == ".tsv":
            rows = [(n, line.split("\t")) for n, line in enumerate(files.lines(path), 1) if line.strip()]
            if rows and {c.strip().lower() for c in rows[0][1]} & {*SOURCES, *TARGETS}:
                head, rows = [c.strip().lower() for c in rows[0][1]], rows[1:]
            else:
                head = ["source", "target"]
            at = [next((i for i, c in enumerate(head) if c in usual), i) for i, usual in enumerate((SOURCES, TARGETS))]
            for n, cells in rows:
                if len(cells) < (max(at) + 1 if asked else at[0] + 1):
                    columns = f"{len(cells)} column{'s' * (len(cells) != 1)}"
                    fault(HeloError(columns, expected="a source, a tab, a target", where=f"{path}:{n}"))
                    continue
                inputs.append(cells[at[0]].strip())
                labels.append(cells[at[1]].strip() if len(cells) > at[1] else None)
                places.append(f"{path}:{n}")
            continue
        rows = table.read(path)
        source, target = rows.first(SOURCES), rows.first(TARGETS)
        if source is None or (asked and target is None):
            raise HeloError(f"columns {', '.join(rows.columns)}", expected="source and target", where=f"{path}:1")
        inputs += [str(v).strip() for v in rows.columns[source]]
        labels += [None] * len(rows) if target is None else [str(v).strip() for v in rows.columns[target]]
        places += rows.places
    for side in (inputs, labels):
        for value, where in zip(side, places, strict=True):
            if value is not None and not value:
                fault(HeloError("an empty text", expected="a source and a target in every row", where=where))
    if not inputs:
        raise HeloError("no pairs", expected="a source, a tab, a target a line", where=str(paths[0]))
    return Labelled("pair", inputs, None if any(y is None for y in labels) else labels, lambda i, *step: places[i])
