"""Clips as sequences of numbers: a vector a frame, from the same encoders and the same store as pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from helo import encoders, progress
from helo.data.dataset import Dataset
from helo.data.readers import clips as reader
from helo.encoders.store import clock
from helo.errors import HeloError, place

SLACK = 2.0  # seconds that a part may end after its video: people round
GRID = 2  # a frame's regions are averaged to so many rows and columns: where something is matters as well as what


@dataclass(frozen=True)
class _Frame:
    """A picture that was read already."""

    place: str
    data: np.ndarray

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.data.tobytes() + str(self.data.shape).encode()).digest()

    def pixels(self, side: int, fit: str = "squeeze") -> np.ndarray:
        return self.data


@clock.running()
def framed(examples: Dataset, name: str, rate: float, timed: bool = False) -> Dataset:
    """Clips as frames `(time, numbers)`; other examples as they are. name: of a trained encoder. rate: frames a second.
    timed: an answer says the second of each frame.
    """
    if examples.kind != "clip":
        return examples
    if not rate > 0:
        raise HeloError(f"{rate:g} frames per second", expected="more than 0", where="--fps")
    encoder = encoders.find(name)
    if not isinstance(encoder, encoders.Trained):
        raise HeloError(
            f"--encoder {name}", expected="one that is not trained: efficientnet-lite0, thumbnail, FILE.onnx"
        )
    grid = GRID if encoder.rows % GRID == 0 or encoder.rows > GRID else 1
    if encoder.name == "thumbnail":
        grid = encoder.rows
    inputs: list[Any] = []
    about: list[dict[str, Any]] = []
    segments = examples.notes.get("segments")
    labels = [] if segments and examples.notes.get("label") else examples.labels
    for i, clip in enumerate(examples.inputs):
        with place(examples.place(i)):
            times, frames = [], []
            for t, pixels in clip.frames(encoder.side, rate, encoder.fit):
                times.append(t)
                frames.append(_Frame(f"{clip.file} at {t:.2f} s", pixels))
            if not frames:
                raise HeloError(f"no frames from {clip.start:g} to {clip.end:g} s", expected="at least one")
            for start, end, *label in segments[i] if segments else [(clip.start, clip.end)]:
                _within(times, rate, start, end, *label)
        found = encoders.features(encoder, frames, grid, least=1)
        inputs.append(found.some(np.arange(len(frames))).reshape(len(frames), -1))
        about.append(clip.about | ({"times": [round(t, 3) for t in times]} if timed else {}))
        if segments and isinstance(labels, list):
            labels.append(reader.labels_at(times, segments[i]))
        progress.tell("videos", i + 1, len(examples.inputs))
    return replace(examples, kind="frames", inputs=inputs, labels=labels, about=about)


def _within(times: list[float], rate: float, start: float, end: float, label: str = "") -> None:
    """Raises HeloError where a part of a video goes on after the video's end: it may be told in frames, not in seconds."""
    step = max([1 / rate, *(b - a for a, b in pairwise(times))])
    last = times[-1] + step
    if start >= last or SLACK + last < end < float("inf"):
        of = f" of {label!r}" if label else ""
        raise HeloError(
            f"a part{of} from {start:g} to {end:g} s of a video of {last:.1f} s", expected="seconds within it"
        )
