"""Videos as numbers, one file each: one row and one label per frame, the labels in the file itself or in one beside it.

V.npz, V.mat           x `(frames, features)` and y `(frames,)`
V.csv, V.tsv           one column per feature, and one for the label
V_datapoints.txt       features separated by spaces
V.txt, V_labels.txt, V_labels.csv, V_labels.tsv; of V_datapoints.txt V_targets.txt: the labels, one per line

A column named timestamp, time or frame is the time of a frame and not a feature; nor is a first column that counts like a
clock, in seconds since 1970 or finer. It may run backwards: the frames are in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import arrays, clips, columns, files, numbers, table
from helo.data.readers.base import Reader
from helo.errors import HeloError, nearest

SUFFIXES = (".npz", ".mat", ".csv", ".tsv")
POINTS = "_datapoints.txt"
LABELS = ("label", "phase", "class", "y", "target")
SIDES = ("_labels.csv", "_labels.tsv", "_labels.csv.gz", "_labels.tsv.gz")
TIMES = ("timestamp", "time", "frame")
CLOCK = 1e9


class Frames(Reader):
    """One file per video, with its labels in it or beside it."""

    SUFFIXES = SUFFIXES
    labels = ("step",)
    kinds = ("frames",)
    columns = ("column",)
    tables = True

    def sniff(self, path):
        if clips.heads(path):
            return None
        if _name(path).endswith(SIDES) and any(beside(p) == path for p in path.parent.iterdir() if holds(p)):
            return "labels of the frames in a file beside it"
        return "numbers, one row per frame" if holds(path) else None

    def read(self, paths, options):
        sides = {p: q for p in paths if isinstance(p, Path) and (q := beside(p))}
        featured = [p for p in paths if not isinstance(p, Path) or p not in sides.values()]
        found = read(featured, options.column, options.labelled)
        found.files = [*featured, *(q for p, q in sides.items() if p not in sides.values())]
        return found


@dataclass
class _Video:
    x: np.ndarray
    names: list[str] | None  # of the features, where a heading gives them
    labels: list[str] | None
    place: Callable[[int], str]
    columns: dict[str, list[Any]] | None = None  # of a table, as they stand in it


def holds(path: Path) -> bool:
    """Whether a file is of frames. A `.tsv` is if under a heading all of its columns but one are numbers."""
    if files.suffix(path) != ".tsv":
        return files.suffix(path) in SUFFIXES or _name(path).endswith(POINTS)
    rows = [line.split("\t") for line in files.lines(path)[:50]]
    columns = [[numbers.is_number(v) for v in column] for column in zip(*rows[1:], strict=False)]
    alike = len({len(row) for row in rows}) == 1 and len(rows) > 1
    return alike and sum(not all(c) for c in columns) <= 1 < len(columns) and not any(map(numbers.is_number, rows[0]))


def beside(path: Path) -> Path | None:
    """The file of labels beside a file of frames."""
    name = _name(path)
    if name.endswith(POINTS):
        usual = [name.removesuffix(POINTS) + "_targets.txt"]
    else:
        usual = [Path(name).stem + ending for ending in (".txt", "_labels.txt", "_labels.csv", "_labels.tsv")]
    found = (path.with_name(name + packed) for name in usual for packed in ("", ".gz"))
    return next((p for p in found if p.exists()), None)


def read(paths: Sequence[Path | table.Table], column: str | None, labelled: bool = True) -> Dataset:
    """Frames `(time, features)`, one example per file. column: of the label. labelled: every file must have labels.

    Named features are put in the order of the first file. Raises HeloError for files without frames, with
    other features than the files before, or with more or fewer labels than frames.
    """
    videos: list[_Video] = []
    for path in paths:
        video = _one(path, column) if isinstance(path, Path) else _rows(path, column)
        path = path if isinstance(path, Path) else path.file
        if len(video.x) == 0:
            raise HeloError("no frames", where=path)
        if labelled and video.labels is None:
            raise _unlabelled(path, column)
        if videos:
            _follow(video, videos[0], path)
        if labelled:
            video.columns = None  # nothing is answered: they go nowhere
        videos.append(video)
    called = [p if isinstance(p, Path) else p.file for p in paths]
    notes = {"names": [p.name for p in called], "features": videos[0].names}
    labels = [v.labels for v in videos if v.labels is not None]
    carried = None
    if any(v.columns for v in videos):
        own = [{"file": [str(c)] * len(v.x)} | (v.columns or {}) for c, v in zip(called, videos, strict=True)]
        carried = {name: [o.get(name, [None] * len(o["file"])) for o in own] for name in {n: 0 for o in own for n in o}}
    return Dataset(
        "frames", [v.x for v in videos], labels if len(labels) == len(videos) else None,
        lambda i, *step: videos[i].place(step[0]) if step else str(called[i]), notes, columns=carried,
    )  # fmt: skip


def _one(path: Path, column: str | None) -> _Video:
    if files.suffix(path) in (".npz", ".mat"):
        video = _arrays(path, column)
    elif _name(path).endswith(POINTS):
        video = _points(path)
    else:
        video = _rows(table.read(path, headed=not table.bare(path)), column)
    side = beside(path)
    if video.labels is None and side is not None:
        video.labels = _labels(side, column, len(video.x))
    return video


def _arrays(path: Path, column: str | None) -> _Video:
    found = arrays.load(path)
    x = arrays.named(found, "x", ("X", "features", "data"))
    y = arrays.named(found, column or "y", ("y", "Y", "labels", "label", "targets"))
    if x is None or x.ndim != 2 or not x.shape[1]:
        shape = "none" if x is None else str(x.shape)
        raise HeloError(f"x: {shape}", expected="x (frames, features) and y (frames,)", where=path)
    x = numbers.checked(x, str(path))
    labels = None if y is None else _as_many(arrays.words(y, str(path)), len(x), path)
    return _Video(x, None, labels, lambda i: f"{path} frame {i}")


def _rows(rows: table.Table, column: str | None) -> _Video:
    label = rows.first([column.lower()] if column is not None else LABELS)
    names = [c for c in rows.columns if c != label and c.lower() not in TIMES]
    if not names:
        raise HeloError(f"columns {', '.join(rows.columns)}", expected="numbers besides the label", where=rows.heading)
    x, names = _features(columns.matrix(rows, names), names, rows.headed)
    labels = None if label is None else ["" if numbers.absent(v) else str(v).strip() for v in rows.columns[label]]
    return _Video(x, names, labels, lambda i: rows.places[i], rows.columns)


def _points(path: Path) -> _Video:
    lines = [(n, line.split()) for n, line in enumerate(files.lines(path), 1) if line.strip()]
    headed = bool(lines) and not all(map(numbers.is_number, lines[0][1]))
    names = lines.pop(0)[1] if headed else [str(i) for i in range(1, len(lines[0][1]) + 1 if lines else 1)]
    x = np.empty((len(lines), len(names)))
    for row, (n, values) in zip(x, lines, strict=True):
        where = f"{path}:{n}"
        if len(values) != len(names):
            raise HeloError(f"{len(values)} columns", expected=f"{len(names)}, as in the first line", where=where)
        row[:] = numbers.row(values, where)
    x, found = _features(x, names, headed)
    return _Video(x, found, None, lambda i: f"{path}:{lines[i][0]}")


def _features(x: np.ndarray, names: list[str], headed: bool) -> tuple[np.ndarray, list[str] | None]:
    """Columns without that of the time. x: float64, since a clock's numbers are large."""
    kept = [i for i, name in enumerate(names) if name.lower() not in TIMES]
    if kept[:1] == [0] and len(x) and x[:, 0].min() >= CLOCK:
        kept = kept[1:]
    return x[:, kept], [names[i] for i in kept] if headed else None


def _labels(path: Path, column: str | None, frames: int) -> list[str]:
    """A label a line, under a heading or not; or the column of a table."""
    lines = [line.strip() for line in files.lines(path) if line.strip()]
    if files.suffix(path) != ".txt" and lines and any(mark in lines[0] for mark in ",;\t"):
        rows = table.read(path)
        label = rows.find(column, "--column") if column is not None else rows.first(LABELS)
        if label is None:
            raise HeloError(
                f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(LABELS)}", mend="choose it with --column", flag="--column",
                where=f"{path}:1",
            )  # fmt: skip
        return _as_many([str(v).strip() for v in rows.columns[label]], frames, path)
    if lines and lines[0].lower() in (*LABELS, "labels") and lines[0] not in lines[1:]:
        del lines[0]  # a heading
    return _as_many(lines, frames, path)


def _as_many(labels: list[str], frames: int, path: Path) -> list[str]:
    if len(labels) != frames:
        raise HeloError(f"{frames} frames but {len(labels)} labels", expected="one label per frame", where=path)
    return labels


def _follow(video: _Video, first: _Video, path: Path) -> None:
    """Features as the first file has them, by name where both have names."""
    if video.names is not None and first.names is not None:
        video.x, video.names = columns.by_name(video.x, video.names, first.names, str(path)), first.names
    elif video.x.shape[1] != first.x.shape[1]:
        raise HeloError(f"{video.x.shape[1]} features per frame", expected=f"{first.x.shape[1]}, as before", where=path)


def _unlabelled(path: Path, column: str | None) -> HeloError:
    if files.suffix(path) in (".csv", ".tsv") and column is not None:
        mend = nearest(column, table.read(path).columns)
        return HeloError(
            f"no column {column!r}", mend=f"choose it with --column: {mend}", where=f"{path}:1", flag="--column"
        )
    name = _name(path)
    other = name.removesuffix(POINTS) + "_targets.txt" if name.endswith(POINTS) else Path(name).stem + ".txt"
    return HeloError("frames but no labels", expected=f"an array y, --column NAME in a table, or {other}", where=path)


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz")
