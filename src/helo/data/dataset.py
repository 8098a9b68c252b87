"""Examples with their labels, whatever file they came from, and how each kind of file is found."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.errors import HeloError


@dataclass
class Dataset:
    """inputs, one an example, all of one kind:

    text       a string                              tokens      a list of words
    vector     numbers `(features,)`                 frames      numbers `(time, features)`
    picture    numbers `(height, width[, channels])` dialogue    a list of (speaker, text)
    photo      where a picture lies                  clip        where a video lies, and from when to when
    pair       a text, whose label is another

    labels: one an example, or a list of one a step, or a list of several for the whole, texts or numbers; None where there
    are none.
    place(i, step): `file:line` of an example, for errors. about: what an answer to each example says of it beside the
    answer itself, such as its name.
    """

    kind: str
    inputs: Any
    labels: Any  # a sequence, or None
    place: Callable[..., str]
    notes: dict[str, Any] = field(default_factory=dict)  # what was understood of the files, for people
    about: Sequence[dict[str, Any]] | None = None
    files: Sequence[Path] = ()  # that it was read from, where these are others than were named
    # What the input says of each example beside what is read, by the name of the column; where each step gets an answer, a
    # list of values, one a step. None: nothing but the place.
    columns: Mapping[str, Sequence[Any]] | None = None
    split_by: Sequence[Sequence[Any]] | None = None  # of each example the values of the column that `--split-by` names
    weights: Sequence[float] | None = None  # of each example in the loss
    folds: Sequence[int] | None = None  # of each example the part of a cross-validation that it is in

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: np.ndarray) -> Dataset:
        """Some of the examples."""
        rows = np.asarray(rows)
        inputs = self.inputs[rows] if isinstance(self.inputs, np.ndarray) else [self.inputs[i] for i in rows]
        every = self.labels, self.about, self.split_by, self.weights, self.folds
        labels, about, by, weights, folds = (x if x is None else [x[i] for i in rows] for x in every)
        place, columns = self.place, self.columns
        columns = columns if columns is None else {name: [x[i] for i in rows] for name, x in columns.items()}
        return replace(self, inputs=inputs, labels=labels, place=lambda i, *step: place(int(rows[i]), *step), about=about,
                       columns=columns, split_by=by, weights=weights, folds=folds)  # fmt: skip

    def evenly(self, most: int) -> Dataset:
        """So many of the examples, evenly spaced; all of them where there are no more."""
        n = len(self)
        return self if most >= n else self.take(np.linspace(0, n - 1, most).round().astype(np.int64))

    def row(self, i: int) -> dict[str, Any]:
        """What the input says of an example: its columns, or its file and line."""
        if self.columns is not None:
            return {name: x[i] for name, x in self.columns.items()}
        file, _, line = (where := self.place(i)).rpartition(":")
        return {"file": file, "line": int(line)} if file and line.isdigit() else {"file": where}

    def known(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers, one an example, with what they say of it."""
        about = self.about or [{}] * len(answers)
        return [a | answer for a, answer in zip(about, answers, strict=True)]


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 of the bytes of all files, in order; in 16 hex digits."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def unchanged(found: Any, recorded: Any, files: Sequence[str | Path], what: str = "files have") -> None:
    """Raises HeloError where a fingerprint is another than a run recorded."""
    if found != recorded:
        raise HeloError(f"the {what} changed since the run was trained", mend="name the files to evaluate on",
                        where=", ".join(map(str, files)))  # fmt: skip


def counted(labels: Sequence[str]) -> list[str]:
    """The distinct labels in a fixed order: numbers by value, everything else by spelling."""
    found = list(Counter(labels))
    try:
        return sorted(found, key=lambda s: (float(s), s))
    except ValueError:
        return sorted(found)


def span(lengths: Sequence[int]) -> str:
    """Lengths, of which there are some, in half a line for people."""
    return f"{min(lengths):,} to {max(lengths):,}, median {int(np.median(lengths)):,}"


def numbering(labels: Sequence[str], known: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """Labels as places in `known`. Raises HeloError, with the place, for one that is not there."""
    ids = {label: i for i, label in enumerate(known)}
    out = np.zeros(len(labels), np.int64)
    for i, label in enumerate(labels):
        if label not in ids:
            shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            raise HeloError(f"unknown label {label!r}", expected=f"one of {shown}", where=place(i))
        out[i] = ids[label]
    return out
