"""Pairs of texts: two aligned files, or tables with one column of sources and one of targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import files, table
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault

SUFFIXES = (".tsv", ".csv", ".jsonl")
SOURCES = ("source", "src", "input", "from")
TARGETS = ("target", "trg", "tgt", "output", "to")


class Pairs(Reader):
    """A source and a target file, line by line, or tables with a column for each."""

    SUFFIXES = SUFFIXES
    labels = ("text",)
    kinds = ("pair",)
    columns = ("source_column", "target_column")
    tables = True

    def sniff(self, path):
        return super().sniff(path) or "one text per line"

    def parts(self, path, options):
        yield from _tables(path, table.ROWS, options.source_column or options.target_column)

    def read(self, paths, options):
        return read(paths, options.labelled, options.source_column, options.target_column)


def read(paths: Sequence[Any], labelled: bool = True, source: str | None = None, target: str | None = None) -> Dataset:
    """Sources as inputs and targets as labels. paths: a source and a target file, line by line; or tables, as files
    (`.tsv`, `.csv`, `.jsonl`) or DataFrames. source, target: their columns, by default the first of SOURCES and of TARGETS; a
    `.tsv` without such names in its first line has a pair on every line: a source, a tab, a target. Unless `labelled`, any
    number of files of sources only. Lines that are blank on both sides are left out.
    """
    if not labelled:
        whole = [p if isinstance(p, table.Table) else next(_tables(p, None, source or target)) for p in paths]
        return _unlabelled(table.joined(whole), source, target)
    if all(isinstance(p, table.Table) or files.suffix(p) in SUFFIXES for p in paths):
        found = [_table(p, source, target) for p in paths]
    elif len(paths) == 2:
        found = [_aligned(*paths)]
    else:
        raise HeloError(
            f"{len(paths)} file{'s' * (len(paths) != 1)}", expected="a source and a target file with the same number of lines, or TSV files",
            mend="--source FILE --target FILE", flag="--source", where=", ".join(map(str, paths)),
        )  # fmt: skip
    rows = [row for rows in found for row in rows if _whole(*row)]
    if not rows and isinstance(paths[0], Path):
        raise HeloError("no pairs", expected="a source and a target in every row", where=paths[0])
    return _pairs(rows)


def _unlabelled(rows: table.Table, source: str | None, target: str | None) -> Dataset:
    """Sources to be answered, with all that their table says of them. A blank line of a plain text has its answer too."""
    found = _columns(rows, False, source, target)
    kept = [i for i, row in enumerate(found) if list(rows.columns) == ["source"] or _whole(*row)]
    if not kept:
        raise HeloError("no sources", expected="one in every row", where=rows.file)
    columns = {name: [values[i] for i in kept] for name, values in rows.columns.items()}
    return replace(_pairs([found[i] for i in kept]), columns=columns)


def _tables(path: Path, size: int | None, headed: object) -> Iterator[table.Table]:
    """A file of sources as tables of so many rows. headed: a column was named, so the first line names the columns."""
    if files.suffix(path) not in SUFFIXES:
        yield from table.lines(path, size, "source")
    elif headed or files.suffix(path) != ".tsv" or _heading([_first(path)]):
        yield from table.pieces(path, size)
    else:
        for rows in table.pieces(path, size, headed=False):
            names = ["source", "target", *list(rows.columns)[2:]][: len(rows.columns)]
            yield replace(rows, columns=dict(zip(names, rows.columns.values(), strict=True)))


def _first(path: Path) -> str:
    """The first line that is not blank."""
    lines = (line for text in files.streamed(path) for line in files.parted(text))
    return next((line for line in lines if line.strip()), "")


Row = tuple[str, str, str | None]  # where it stands, the source, and the target if there is one


def _pairs(rows: list[Row]) -> Dataset:
    places, inputs, labels = ([row[i] for row in rows] for i in range(3))
    return Dataset("pair", inputs, None if None in labels else labels, lambda i, *step: str(places[i]))


def _whole(where: str, source: str, target: str | None) -> bool:
    """Whether a pair has both its sides; where it has not, that is a fault of its place."""
    empty = "source" if not source else "target" if target == "" else None
    if empty:
        fault(f"an empty {empty}", expected="a source and a target in every row", where=where)
    return empty is None


def _aligned(source: Any, target: Any) -> list[Row]:
    sides = [[t.strip() for t in files.lines(p)] for p in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise HeloError(
            f"{len(sides[0])} lines but {len(sides[1])} in {target}",
            expected="the same number, line by line",
            where=source,
        )
    rows = enumerate(zip(*sides, strict=True), 1)
    return [(f"{target if a and not b else source}:{n}", a, b) for n, (a, b) in rows if a or b]


def _table(path: Path | table.Table, source: str | None, target: str | None) -> list[Row]:
    if isinstance(path, table.Table):
        return _columns(path, True, source, target)
    if files.suffix(path) == ".tsv" and not (source or target or _heading(lines := files.lines(path))):
        return _bare(path, lines)
    return _columns(table.read(path), True, source, target)


def _columns(rows: table.Table, labelled: bool, source: str | None, target: str | None) -> list[Row]:
    a = rows.first(SOURCES) if source is None else rows.find(source, "--source-column")
    b = rows.first(TARGETS) if target is None else rows.find(target, "--target-column") if labelled else None
    if a is None or (labelled and b is None):
        raise HeloError(
            f"columns {', '.join(rows.columns)}", expected="source and target",
            mend="choose them with --source-column and --target-column", where=rows.heading, flag="--source-column",
        )  # fmt: skip
    sides = [None if c is None else [table.text(v, c, w).strip() for v, w in zip(rows.columns[c], rows.places, strict=True)]
             for c in (a, b)]  # fmt: skip
    sources, targets = sides[0], sides[1] or [None] * len(rows)
    assert sources is not None
    return list(zip(rows.places, sources, targets, strict=True))


def _heading(lines: list[str]) -> bool:
    """Whether the first line names both columns, as no pair does; or the only one."""
    first = {c.strip().lower() for c in next((line for line in lines if line.strip()), "").split("\t")}
    return bool(first & set(SOURCES) and first & set(TARGETS)) or first in ({"source"}, {"src"})


def _bare(path: Path, lines: list[str]) -> list[Row]:
    found: list[Row] = []
    width = 0  # of the first row: what stands behind a target is no part of a pair, where it stands in all of them
    for n, line in enumerate(lines, 1):
        cells = [c.strip() for c in line.split("\t")]
        if not any(cells):
            continue
        width = width or max(len(cells), 2)
        if len(cells) != width:
            said = f"{len(cells)} column{'s' * (len(cells) != 1)}"
            expected = "a source, a tab, a target" + ("" if width == 2 else f": {width} columns, as in the first line")
            fault(said, expected=expected, where=f"{path}:{n}")
        else:
            found.append((f"{path}:{n}", cells[0], cells[1]))
    return found
