"""Videos and folders of frames, whole or in part, and tables of their labels.

A table has a column `video` (or `clip`) and a label; with `start` and `end`, in seconds, a row is a part of its video.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import arrays, files, numbers, photos, table
from helo.data.readers.base import Reader
from helo.data.readers.photos import pictured, pixels, squared
from helo.errors import HeloError, fault, place, wrap

SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ogv")
VIDEOS = ("video", "clip")
STARTS, ENDS = ("start", "begin", "from"), ("end", "stop", "to")
NOTHING = "none"  # the label of frames that no segment covers


@dataclass(frozen=True)
class Clip:
    """A video file or a folder of frames, from `start` to `end` in seconds."""

    file: Path
    start: float = 0.0
    end: float = float("inf")

    @property
    def about(self) -> dict[str, Any]:
        """What an answer says of it: its name, and from when to when if it is a part."""
        part = {"start": self.start} if self.start else {}
        part |= {"end": self.end} if self.end < float("inf") else {}
        return {"video": self.file.name} | part

    def frames(self, side: int, rate: float, fit: str = "squeeze") -> Iterator[tuple[float, np.ndarray]]:
        """(seconds, pixels `(side, side, 3)`) of about `rate` frames a second. A folder's frames are taken to be sampled
        so already. Raises HeloError for what is no video, or stops before its end.
        """
        with place(self.file):
            if self.file.is_dir():
                names = _frames(self.file)
                if not names:
                    raise HeloError("no frames in the folder", expected=f"files {', '.join(photos.SUFFIXES)}")
                for i, name in enumerate(names):
                    if self.start <= i / rate < self.end:
                        yield i / rate, pixels(name.read_bytes(), str(name), side, fit)
                return
            yield from self._decoded(side, rate, fit)

    def _decoded(self, side: int, rate: float, fit: str) -> Iterator[tuple[float, np.ndarray]]:
        """By PyAV, which is FFmpeg's libraries and comes with them: it reads what people have."""
        with wrap(ImportError, "reading videos needs PyAV", mend="pip install 'helo[video]'"):
            import av
            from av.error import FFmpegError
        if not self.file.exists():
            raise HeloError("no such file", expected="a video or a folder of frames")
        with (
            wrap(FFmpegError, "not a complete video:", expected="one that FFmpeg reads"),
            av.open(str(self.file)) as container,
        ):
            if not container.streams.video:
                raise HeloError("no pictures in it", expected="a video")
            stream = container.streams.video[0]
            length = (container.duration or 0) / av.time_base
            if stream.duration and stream.time_base:
                length = float(stream.duration * stream.time_base)
            if self.start > 5:  # to the key frame before it
                container.seek(int((self.start - 1) * av.time_base))
            due, last, step = self.start, 0.0, 0.0
            for frame in container.decode(stream):
                now = float(frame.time or 0.0)
                last, step = now, max(step, now - last)
                if now >= self.end:
                    return
                if now + 1e-6 >= due:
                    turned = getattr(frame, "rotation", 0)  # as telephones write it; an old PyAV does not know
                    picture = frame.to_image()
                    yield now, squared(picture.rotate(turned, expand=True) if turned else picture, side, fit)
                    due = max(due + 1 / rate, now)
        if length and last + 2 * step + 0.5 < min(length, self.end):
            raise HeloError(
                f"stops at {last:.1f} s of {min(length, self.end):.1f} s", mend="replace it by an undamaged copy"
            )


class Clips(Reader):
    """Videos without labels, to be answered."""

    SUFFIXES = SUFFIXES
    labels = ("example", "step")
    called = "videos"
    kinds = ("clip",)
    beside = SUFFIXES

    def read(self, paths, options):
        return Dataset("clip", [Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))


def paths(source: Any) -> list[str | Path]:
    """What is asked about, if it is paths: one, or several."""
    several = [source] if isinstance(source, str | Path) else arrays.listed(source)
    return list(several) if len(several) and all(isinstance(x, str | Path) for x in several) else []


def named(names: Sequence[str | Path]) -> Dataset | None:
    """Video files and folders of frames that are named themselves; None where any name is of something else."""
    paths = [Path(os.path.expanduser(n)) for n in names]
    if not paths or not all(p.suffix.lower() in SUFFIXES or (p.is_dir() and _frames(p)) for p in paths):
        return None
    return Dataset("clip", [Clip(p) for p in paths], None, lambda i, *step: str(paths[i]))


def _frames(folder: Path) -> list[Path]:
    """Its pictures, in order."""
    return sorted(p for p in folder.iterdir() if pictured(p))


def holds(rows: table.Table) -> str | None:
    """The column of videos, if the table has one."""
    return rows.first(VIDEOS)


def heads(path: Path) -> bool:
    """Whether it is a table whose first line names such a column."""
    if files.suffix(path) not in (".tsv", ".csv", ".jsonl"):
        return False
    first = next(iter(files.lines(path)), "").lower()
    if files.suffix(path) == ".jsonl":
        return any(f'"{name}"' in first for name in VIDEOS)
    return bool({*VIDEOS} & {c.strip(" \"'") for c in re.split(r"[\t,;]", first)})


def whole(rows: table.Table, video: str, labels: Sequence[Any] | None) -> Dataset:
    """One clip per row, with its label."""
    found = [(clip, i) for i, clip in enumerate(_clips(rows, video)) if clip is not None]
    clips, at = [clip for clip, _ in found], [i for _, i in found]
    return Dataset(
        "clip",
        clips,
        None if labels is None else [labels[i] for i in at],
        lambda i, *step: rows.places[at[i]],
        {"video": video},
    )


def segments(rows: table.Table, video: str, label: str | None) -> Dataset:
    """One video per example, in order; `notes["segments"]` has the (start, end, label) of each."""
    parts: dict[Path, list[tuple[float, float, str]]] = {}
    places: dict[Path, str] = {}
    values = [""] * len(rows) if label is None else rows.columns[label]
    for clip, value, where in zip(_clips(rows, video), values, rows.places, strict=True):
        if clip is None:
            continue
        parts.setdefault(clip.file, []).append((clip.start, clip.end, str(value).strip()))
        places.setdefault(clip.file, where)
    order = list(parts)
    return Dataset(
        "clip", [Clip(f) for f in order], None, lambda i, *step: places[order[i]],
        {"video": video, "label": label, "segments": [sorted(parts[f]) for f in order], "names": [f.name for f in order]},
    )  # fmt: skip


def labels_at(times: Sequence[float], parts: Sequence[tuple[float, float, str]]) -> list[str]:
    """The label of each moment: that of the segment which covers it, the later one where two do."""
    out = [NOTHING] * len(times)
    for start, end, label in parts:
        for i, t in enumerate(times):
            if start <= t < end:
                out[i] = label
    return out


def _clips(rows: table.Table, video: str) -> list[Clip | None]:
    """A clip a row; None where a fault was kept."""
    out: list[Clip | None] = []
    start, end = rows.first(STARTS), rows.first(ENDS)
    for i, (name, where) in enumerate(zip(rows.columns[video], rows.places, strict=True)):
        path = Path(os.path.expanduser(str(name).strip()))
        path = path if path.is_absolute() else Path(where.rpartition(":")[0]).parent / path
        if not path.exists():
            fault(f"no video {name}", expected="a path relative to the table's folder", where=where)
            out.append(None)
            continue
        a, b = (_seconds(rows, c, i, d) for c, d in ((start, 0.0), (end, float("inf"))))
        if b <= a:
            fault(f"from {a:g} to {b:g} seconds", expected="an end after the start", where=where)
        out.append(Clip(path, a, b))
    return out


def _seconds(rows: table.Table, column: str | None, i: int, default: float) -> Any:
    if column is None or numbers.absent(rows.columns[column][i]):
        return default
    value = rows.columns[column][i]
    found = numbers.number(value, rows.places[i], column) if numbers.fits(value) else -1.0
    if found >= 0:
        return found
    fault(f"{rows.columns[column][i]!r} in {column!r}", expected="seconds", where=rows.places[i])
    return default
