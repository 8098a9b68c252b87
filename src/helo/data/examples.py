"""From a person's files to labelled examples, by what the files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.labelled import Labelled
from helo.data.readers import arrays, clips, conll, dialogue, files, images, series, table
from helo.errors import HeloError, fault, nearest

TEXTS = ("text", "sentence", "utterance")
LABELS = ("label", "emotion", "class")


def classified(names: Sequence[str | Path], options: Any, asked: bool = True) -> tuple[Labelled, list[Path]]:
    """Examples with a label each: TSV, CSV, JSONL (text, numbers, or videos), `.ts`, `.npz`, `.mat`, folders of pictures.

    asked: labels are needed; without them an example may have none.
    """
    suffixes = (*table.SUFFIXES[:3], *series.SUFFIXES, ".npz", ".mat", *images.SUFFIXES, *clips.SUFFIXES)
    paths = files.named(names, suffixes)
    kinds = {_family(p) for p in paths}
    if "videos" in kinds and len(kinds) > 1:  # features and tables often lie beside the videos that they are of
        paths = [p for p in paths if _family(p) != "videos"]
        kinds.discard("videos")
    if len(kinds) > 1:
        raise HeloError(
            f"files of several kinds: {', '.join(sorted(kinds))}", expected="one", where=", ".join(map(str, names))
        )
    kind = kinds.pop()
    if kind == "series":
        found = series.read(paths)
    elif kind == "arrays":
        found = arrays.examples(paths)
    elif kind == "images":
        found = images.read(paths)
    elif kind == "videos":
        found = Labelled("clip", [clips.Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))
    elif kind == "table":
        found = _rows(table.joined([table.read(p) for p in paths]), options, asked)
    else:
        raise HeloError(
            f"a file of the kind {files.suffix(paths[0]) or 'without a suffix'!r}",
            expected="TSV, CSV, JSONL, .ts, .npz, .mat, or folders of pictures, a folder a class", where=str(paths[0]),
        )  # fmt: skip
    if asked and found.labels is None:
        raise HeloError("no labels", expected="one an example", where=str(paths[0]))
    return found, paths


def tagged(names: Sequence[str | Path], options: Any, asked: bool = True) -> tuple[Labelled, list[Path]]:
    """Sequences with a label a step: CoNLL and CoNLL-U, one file a video, conversations in a table."""
    paths = files.named(names, (*arrays.SUFFIXES, *conll.SUFFIXES, *clips.SUFFIXES))
    if any(files.suffix(p) not in clips.SUFFIXES for p in paths):
        paths = [p for p in paths if files.suffix(p) not in clips.SUFFIXES]
    paired = [p for p in paths if _partner(p) is not None]
    suffixes = {files.suffix(p) for p in paths}
    if options.group is not None:
        rows = table.joined([table.read(p) for p in paths])
        text, label = _column(rows, options.text, TEXTS, "--text"), _label(rows, options.label, asked)
        assert text is not None
        found = dialogue.read(rows, text, label, options.group, options.order, options.speaker)
    elif suffixes <= {*clips.SUFFIXES}:
        found = Labelled("clip", [clips.Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))
    elif videos := _videos(paths):
        rows, video = videos
        found = clips.segments(rows, video, _label(rows, options.label or options.column, asked))
    elif paired:
        found = _sides(paired)
        paths = paired + [q for p in paired if (q := _partner(p))]
    elif suffixes <= {".csv", ".npz", ".mat"}:
        found = arrays.frames(paths, options.column)
        if found.labels is None and asked:
            raise _no_labels(paths, options)
    else:
        found = conll.read(paths, options.column)
    if asked and found.labels is None and not found.notes.get("segments"):
        raise HeloError("no labels", expected="one a step", mend="--column names them", where=str(paths[0]))
    return found, paths


def _videos(paths: list[Path]) -> tuple[table.Table, str] | None:
    """A table of videos, if that is what the files are."""
    if not {files.suffix(p) for p in paths} <= {".tsv", ".csv", ".jsonl"} or not clips.heads(paths[0]):
        return None
    rows = table.joined([table.read(p) for p in paths])
    video = clips.holds(rows)
    return None if video is None else (rows, video)


def _no_labels(paths: list[Path], options: Any) -> HeloError:
    for path in paths:
        if len(table_columns := _columns(path)) and options.column and options.column not in table_columns:
            return HeloError(
                f"no column {options.column!r}",
                mend=f"--column names it: {nearest(options.column, table_columns)}",
                where=f"{path}:1",
            )
        if arrays.frames([path], options.column).labels is None:
            return HeloError(
                "frames but no labels", expected="y beside x, or --column NAME in a table", where=str(path)
            )
    return HeloError("no labels", where=str(paths[0]))


def _columns(path: Path) -> list[str]:
    return list(table.read(path).columns) if files.suffix(path) in (".csv", ".tsv") else []


def _family(path: Path) -> str:
    suffix = files.suffix(path)
    families = {
        "table": table.SUFFIXES,
        "series": series.SUFFIXES,
        "arrays": (".npz", ".mat"),
        "images": images.SUFFIXES,
        "videos": clips.SUFFIXES,
    }
    return next((name for name, suffixes in families.items() if suffix in suffixes), suffix)


def _rows(rows: table.Table, options: Any, asked: bool) -> Labelled:
    """Text, numbers, or conversations with one label each, out of a table."""
    label = _label(rows, options.label, asked)
    video = clips.holds(rows)
    if video and options.group is None and options.text is None and rows.first(TEXTS) is None:
        labels = None if label is None else [_marks(v, options.several) for v in rows.columns[label]]
        return clips.whole(rows, video, labels)
    if options.group is not None:
        text = _column(rows, options.text, TEXTS, "--text")
        assert text is not None
        return dialogue.read(rows, text, label, options.group, options.order, options.speaker, whole=True)
    text = _column(rows, options.text, TEXTS, "--text", asked=False)
    labels = None if label is None else [_marks(v, options.several) for v in rows.columns[label]]
    if text is not None:
        inputs = [str(v) for v in rows.columns[text]]
        for value, where in zip(inputs, rows.places, strict=True):
            if not value.strip():
                fault(HeloError(f"nothing in {text!r}", expected="a text", where=where))
        return Labelled("text", inputs, labels, lambda i, *step: rows.places[i], {"text": text, "label": label})
    features = table.numbers(rows, (label,) if label else ())
    if not features:
        raise HeloError(
            f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(TEXTS)}, or numbers in all but the label",
            mend="--text names the column to read", where=f"{rows.file}:1",
        )  # fmt: skip
    return Labelled(
        "vector",
        table.matrix(rows, features),
        labels,
        lambda i, *step: rows.places[i],
        {"features": features, "label": label},
    )


def _marks(value: Any, several: str | None) -> Any:
    if isinstance(value, list):
        return [str(v) for v in value]
    if several is not None:
        return [v.strip() for v in str(value).split(several) if v.strip()]
    return str(value).strip()


def _label(rows: table.Table, named: str | None, asked: bool) -> str | None:
    if not asked and named is not None and rows.first([named.lower()]) is None:
        return None
    return _column(rows, named, LABELS, "--label", asked)


def _column(rows: table.Table, named: str | None, usual: Sequence[str], flag: str, asked: bool = True) -> str | None:
    if named is not None:
        return rows.find(named, flag)
    found = rows.first(usual)
    if found is None and asked:
        raise HeloError(
            f"columns {', '.join(rows.columns)}",
            expected=f"one of {', '.join(usual)}",
            mend=f"{flag} names it",
            where=f"{rows.file}:1",
        )
    return found


def _partner(path: Path) -> Path | None:
    """The file of targets beside a file of data points."""
    stem = path.name.removesuffix(".gz")
    if not stem.endswith("_datapoints.txt"):
        return None
    base = stem.removesuffix("_datapoints.txt") + "_targets.txt"
    beside = [path.with_name(base), path.with_name(base + ".gz")]
    return next((p for p in beside if p.exists()), None)


def _sides(paths: list[Path]) -> Labelled:
    """A video's features in one file, parted by blanks under a heading, and a label a line in the other."""
    inputs, labels = [], []
    for path in paths:
        rows = [line.split() for line in files.lines(path) if line.strip()]
        try:
            numbers = np.array(rows[1:], np.float64)
        except ValueError as error:
            raise HeloError(f"not a table of numbers: {error}", where=str(path)) from error
        arrays.finite(numbers, str(path))
        target = _partner(path)
        assert target is not None
        marks = [line.strip() for line in files.lines(target) if line.strip()]
        if len(marks) != len(numbers):
            raise HeloError(
                f"{len(numbers)} frames and {len(marks)} labels", expected="a label a frame", where=str(target)
            )
        stamped = len(numbers) > 1 and bool(np.all(np.diff(numbers[:, 0]) > 0)) and numbers[:, 0].min() > 1e6
        inputs.append(numbers[:, 1 if stamped else 0 :].astype(np.float32))  # the first column is the time
        labels.append(marks)
    return Labelled(
        "frames", inputs, labels, lambda i, *step: f"{paths[i]}" + (f":{step[0] + 2}" if step else ""),
        {"names": [p.name for p in paths]},
    )  # fmt: skip
