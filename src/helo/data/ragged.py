"""Sequences of unequal length, one behind the other: nobody but this file pads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

_few: ContextVar[bool] = ContextVar("few", default=False)


@contextmanager
def few_shapes(on: bool = True) -> Iterator[None]:
    """Sequences are padded inside to one of a few lengths, so that batches have few shapes and each comes again soon."""
    token = _few.set(on)
    try:
        yield
    finally:
        _few.reset(token)


def rounded(count: int) -> int:
    """A length, or where few shapes are wanted the next of 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, …: four
    to eight in each doubling.
    """
    if not _few.get():
        return count
    step = max(8, 1 << max(0, (count - 1).bit_length() - 3))
    return -(-count // step) * step


def filled_up(rows: np.ndarray) -> np.ndarray:
    """Rows `(n, …)`, and where few shapes are wanted so many of the first again that there are `rounded(n)`."""
    return np.concatenate([rows, np.repeat(rows[:1], rounded(len(rows)) - len(rows), axis=0)])


class Ragged:
    """values `(total, …)`, all sequences joined; sequence i is the `lengths[i]` values from `starts[i]` on."""

    def __init__(
        self, values: np.ndarray, lengths: Sequence[int] | np.ndarray, starts: Sequence[int] | np.ndarray | None = None
    ):
        """Without starts the sequences lie one behind the other."""
        self.values = values
        self.lengths = np.asarray(lengths, np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths if starts is None else np.asarray(starts, np.int64)

    @classmethod
    def of(cls, sequences: Iterable[np.ndarray | Sequence[Any]], dtype: type = np.int64, shape: tuple[int, ...] = ()):
        """From sequences `(length, *shape)`; there may be none, and each may be empty."""
        arrays = [np.asarray(s, dtype).reshape(-1, *shape) for s in sequences]
        joined = np.concatenate(arrays) if arrays else np.zeros((0, *shape), dtype)
        return cls(joined, [len(a) for a in arrays])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.values[self.starts[i] : self.starts[i] + self.lengths[i]]

    def windows(self, size: int) -> Ragged:
        """The same values in sequences of at most so many, which overlap by half."""
        half = size // 2
        counts = np.maximum(1, -(-(self.lengths - half) // half))
        row = np.repeat(np.arange(len(self)), counts)
        behind = half * (np.arange(len(row)) - (np.cumsum(counts) - counts)[row])
        return Ragged(self.values, np.minimum(size, self.lengths[row] - behind), self.starts[row] + behind)

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Some sequences side by side, `(rows, longest, …)` with 0 behind each, and their lengths `(rows,)`."""
        lengths = self.lengths[rows]
        times = np.arange(rounded(max(1, int(lengths.max(initial=0)))))
        inside = times < lengths[:, None]
        if not len(self.values):
            return np.zeros((len(rows), len(times), *self.values.shape[1:]), self.values.dtype), lengths
        at = np.minimum(self.starts[rows][:, None] + times, len(self.values) - 1)
        out = self.values[at]
        out[~inside] = 0
        return out, lengths

    def flat(self, rows: np.ndarray) -> np.ndarray:
        """Some sequences one behind the other, `(their total, …)`."""
        return np.concatenate([self[i] for i in rows]) if len(rows) else self.values[:0]
