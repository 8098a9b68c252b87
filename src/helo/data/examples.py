"""From a person's files to labelled examples, by what the files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helo.data.labelled import Labelled
from helo.data.readers import arrays, clips, conll, dialogue, files, frames, images, series, table
from helo.errors import HeloError, fault

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
    paths = files.named(names, (*frames.SUFFIXES, *conll.SUFFIXES, *clips.SUFFIXES))
    if any(files.suffix(p) not in clips.SUFFIXES for p in paths):
        paths = [p for p in paths if files.suffix(p) not in clips.SUFFIXES]
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
