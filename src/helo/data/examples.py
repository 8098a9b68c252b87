"""From a person's files to labelled examples, by what the files are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import arrays, clips, conll, dialogue, files, frames, images, numbers, series, table
from helo.errors import HeloError, fault

TEXTS = ("text", "sentence", "utterance")
LABELS = ("label", "emotion", "class")


def classified(names: Sequence[str | Path], options: Any, asked: bool = True) -> tuple[Dataset, list[Path]]:
    """Examples with a label each: TSV, CSV, JSONL (text, numbers, or videos), `.ts`, `.npz`, `.mat`, folders of pictures.

    asked: labels are needed; without them an example may have none. names: or DataFrames.
    """
    if told := table.given(names):
        return _understood(_rows(table.joined(told), options, asked), options, asked, "DataFrame"), []
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
        found = arrays.examples(paths, options.multilabel)
    elif kind == "images":
        found = images.read(paths)
    elif kind == "videos":
        found = Dataset("clip", [clips.Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))
    elif kind == "table" and all(map(series.plain, paths)):
        found = series.rows(paths)
    elif kind == "table":
        found = _rows(table.joined([table.read(p) for p in paths]), options, asked)
    else:
        raise HeloError(
            f"a file of the kind {files.suffix(paths[0]) or 'without a suffix'!r}",
            expected="TSV, CSV, JSONL, .ts, .npz, .mat, or folders of pictures, a folder a class", where=str(paths[0]),
        )  # fmt: skip
    return _understood(found, options, asked, str(paths[0])), paths


def _understood(found: Dataset, options: Any, asked: bool, where: str) -> Dataset:
    """Examples with their labels, as the options have them."""
    if asked and found.labels is None:
        raise HeloError("no labels", expected="one an example", where=where)
    if options.multilabel is not None and found.labels is not None:
        found.labels = [_marks(y, options.multilabel) for y in found.labels]
    if asked:
        _complete(found)
    return found


def tagged(names: Sequence[str | Path], options: Any, asked: bool = True) -> tuple[Dataset, list[Path]]:
    """Sequences with a label a step: CoNLL and CoNLL-U, one file a video, conversations in a table. names: or DataFrames, of
    frames one a video.
    """
    if told := table.given(names):
        if options.group is None:
            found = frames.read(told, options.column, asked)
        else:
            found = _talk(table.joined(told), options, asked)
        if asked:
            _complete(found)
        return found, []
    paths = files.named(names, (*frames.SUFFIXES, *conll.SUFFIXES, *clips.SUFFIXES))
    if any(files.suffix(p) not in clips.SUFFIXES for p in paths):
        paths = [p for p in paths if files.suffix(p) not in clips.SUFFIXES]
    suffixes = {files.suffix(p) for p in paths}
    if options.group is not None:
        found = _talk(table.joined([table.read(p) for p in paths]), options, asked)
    elif suffixes <= {*clips.SUFFIXES}:
        found = Dataset("clip", [clips.Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))
    elif videos := _videos(paths):
        rows, video = videos
        rows, label = _labelled(rows, options.label or options.column, asked)
        found = clips.segments(rows, video, label)
    elif featured := [p for p in paths if frames.holds(p)]:
        sides = {p: q for p in featured if (q := frames.beside(p))}
        featured = [p for p in featured if p not in sides.values()]
        apart = {files.suffix(p) for p in paths} - {"", ".txt", *map(files.suffix, (*featured, *sides.values()))}
        if apart:
            raise HeloError(f"files of several kinds: frames, {', '.join(sorted(apart))}", expected="one",
                            where=", ".join(map(str, names)))  # fmt: skip
        found = frames.read(featured, options.column, asked)
        paths = featured + [q for p in featured if (q := sides.get(p))]
    else:
        found = conll.read(paths, options.column, asked)
    if asked and found.labels is None and not found.notes.get("segments"):
        raise HeloError("no labels", expected="one a step", mend="--column names them", where=str(paths[0]))
    if asked:
        _complete(found)
    return found, paths


def _talk(rows: table.Table, options: Any, asked: bool) -> Dataset:
    """Conversations with a label an utterance."""
    text = _column(rows, options.text, TEXTS, "--text")
    assert text is not None
    rows, label = _labelled(_told(rows, text), options.label, asked)
    return dialogue.read(rows, text, label, options.group, options.order, options.speaker)


def _complete(found: Dataset) -> None:
    """Faults of labels that are missing."""
    for i, labels in enumerate(found.labels or ()):
        for step, label in enumerate([labels] if isinstance(labels, str) else labels):
            if not label:
                fault(
                    HeloError("no label", expected="one", mend="fill it in, or take it out", where=found.place(i, step))
                )
    segments: list[Any] = found.notes.get("segments", []) if found.notes.get("label") else []
    for i, parts in enumerate(segments):
        for start, _, label in parts:
            if not label:
                fault(HeloError(f"no label from {start:g} s on", expected="one a segment", where=found.place(i)))


def _videos(paths: list[Path]) -> tuple[table.Table, str] | None:
    """A table of videos, if that is what the files are."""
    if not {files.suffix(p) for p in paths} <= {".tsv", ".csv", ".jsonl"} or not clips.heads(paths[0]):
        return None
    rows = table.joined([table.read(p) for p in paths])
    video = clips.holds(rows)
    return None if video is None else (rows, video)


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


def _rows(rows: table.Table, options: Any, asked: bool) -> Dataset:
    """Text, numbers, series, or conversations with one label each, out of a table."""
    rows, label = _labelled(rows, options.label, asked)
    text = _column(rows, options.text, TEXTS, "--text", asked=False)
    if text is not None:
        rows = _told(rows, text, options.group is None)
    video = clips.holds(rows)
    if video and options.group is None and text is None:
        return clips.whole(rows, video, None if label is None else rows.columns[label])
    if options.group is not None and text is not None:
        return dialogue.read(rows, text, label, options.group, options.order, options.speaker, whole=True)
    labels = None if label is None else rows.columns[label]
    if text is not None:
        return Dataset(
            "text", rows.columns[text], labels, lambda i, *step: rows.places[i], {"text": text, "label": label}
        )
    known = [label, *(rows.find(c, f"--{n}") for n in ("group", "order", "speaker") if (c := getattr(options, n)))]
    features = table.numeric(rows, [c for c in known if c is not None])
    if not features:
        raise HeloError(
            f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(TEXTS)}, or numbers in all but the label",
            mend="--text names the column to read", where=rows.heading,
        )  # fmt: skip
    if options.group is not None:
        return series.grouped(rows, features, label, options.group, options.order)
    return Dataset(
        "vector",
        table.matrix(rows, features),
        labels,
        lambda i, *step: rows.places[i],
        {"features": features, "label": label},
    )


def _marks(value: Any, several: str) -> list[str]:
    """The labels of an example that has several."""
    return value if isinstance(value, list) else [v.strip() for v in value.split(several) if v.strip()]


def _told(rows: table.Table, text: str, all_say: bool = False) -> table.Table:
    """The table with texts in their column; all_say: none of which is blank."""
    said = []
    for value, where in zip(rows.columns[text], rows.places, strict=True):
        said.append(table.text(value, text, where))
        if not isinstance(value, list | dict) and (
            not (said[-1] or isinstance(value, str)) or (all_say and not said[-1].strip())
        ):
            fault(HeloError(f"nothing in {text!r}", expected="a text", where=where))
    return replace(rows, columns=rows.columns | {text: said})


def _labelled(rows: table.Table, named: str | None, asked: bool) -> tuple[table.Table, str | None]:
    """The table with labels in their column, "" where one is missing, and the column's name. Where one row has a list of
    labels, all have.
    """
    if not asked and named is not None and rows.first([named.lower()]) is None:
        return rows, None
    label = _column(rows, named, LABELS, "--label", asked)
    if label is None:
        return rows, None
    values = rows.columns[label]
    several = any(isinstance(v, list) for v in values)
    marks = []
    for value, where in zip(values, rows.places, strict=True):
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(v, list | dict) for v in parts):
            fault(
                HeloError(
                    f"an object or a list of lists in {label!r}", expected="a label, or a list of labels", where=where
                )
            )
            parts = []
        told = ["" if numbers.absent(v) else str(v).strip() for v in parts]
        marks.append(told if isinstance(value, list) else told[0] if told else "")
    if several:
        marks = [v if isinstance(v, list) else [v] if v else [] for v in marks]
    return replace(rows, columns=rows.columns | {label: marks}), label


def _column(rows: table.Table, named: str | None, usual: Sequence[str], flag: str, asked: bool = True) -> str | None:
    if named is not None:
        return rows.find(named, flag)
    found = rows.first(usual)
    if found is None and asked:
        raise HeloError(
            f"columns {', '.join(rows.columns)}",
            expected=f"one of {', '.join(usual)}",
            mend=f"{flag} names it",
            where=rows.heading,
        )
    return found
