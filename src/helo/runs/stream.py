"""State is a thing: it can be fed, saved, loaded, forked, and it goes on exactly where it was."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np

from helo import saved
from helo.decoding.sampling import Choice, generator, write
from helo.errors import HeloError, place, wrap
from helo.runs.arrays import checked_state, state_arrays, write_arrays
from helo.runs.trained import TrainedModel

MOST = 1 << 20  # rows


class Stream:
    """One or several texts that a language model is reading or writing.

    The state of a row is what the model remembers of all symbols but the newest, and the newest symbol itself, which is
    read when the next one is needed. So a stream can stop after any symbol without changing what follows.
    """

    def __init__(self, run: TrainedModel, rows: int = 1):
        if not 1 <= (rows := operator.index(rows)) <= MOST:
            raise HeloError(f"{rows}", expected=f"a whole number from 1 to {MOST:,}", where="--streams")
        self.run = run
        self.state: Any = None
        self.last = np.full(rows, run.task.start, np.int64)
        self._bytes = [b""] * rows  # of a character that is not whole yet

    @property
    def rows(self) -> int:
        """The number of parallel texts."""
        return len(self.last)

    def feed(self, text: str) -> None:
        """Let every row read a text. Raises HeloError for a character that the model does not know."""
        ids = self.run.task.encode(text).astype(np.int64)
        if len(ids) == 0:
            return
        rows = np.repeat(ids[None], self.rows, 0)
        # At the very beginning nothing was read yet, and the text itself is the beginning.
        before = rows[:, :-1] if self.state is None else np.concatenate([self.last[:, None], rows[:, :-1]], 1)
        for t in range(0, before.shape[1], 1024):
            self.state = self._forward(before[:, t : t + 1024])[1]
        if self.state is None:  # one symbol, and nothing before it
            self.state = self.run.task.model.zero_state(self.run.parameters, self.rows)
        self.last = rows[:, -1]
        self._bytes = [b""] * self.rows  # a character that was not whole is given up

    def scores(self) -> np.ndarray:
        """Log-probabilities of the next symbol up to a constant, `(rows, vocabulary)`. The stream stays where it is."""
        return self._forward(self.last[:, None])[0][:, 0]

    def _forward(self, ids: np.ndarray) -> tuple[np.ndarray, Any]:
        parameters = self.run.parameters
        with self.run.computing():
            scores, state = self.run.task.model.forward(parameters, ids, self.state)
            if not np.isfinite(scores).all():
                raise FloatingPointError("infinite scores")
            return scores, state

    def write(self, length: int = 500, choice: Choice | None = None, seed: int | None = None) -> Iterator[list[str]]:
        """Write `length` symbols. Each item is what a symbol adds to every row's text (nothing, while a character of several
        bytes is incomplete). The stream is after the last item taken from the iterator.
        """
        for symbols in write(self._step, self.last, length, choice or Choice(), generator(seed)):
            self.last = symbols
            yield [self._text(row, int(i)) for row, i in enumerate(symbols)]

    def _step(self, last: np.ndarray) -> np.ndarray:
        scores, self.state = self._forward(last[:, None])
        scores = scores[:, 0]
        scores[:, list(self.run.task.vocab.silent)] = -np.inf
        return scores

    def _text(self, row: int, symbol: int) -> str:
        self._bytes[row] += self.run.task.vocab.spelling[symbol]
        text, self._bytes[row] = _whole(self._bytes[row])
        return text

    def fork(self) -> Self:
        """A copy of the stream at the same place."""
        other = copy(self)
        other._bytes = list(self._bytes)
        return other

    def save(self, path: str | Path) -> None:
        """Save the state's arrays and the identity of the model, a few kilobytes."""
        arrays = state_arrays(self.state)
        about = {"model": self.run.identity, "bytes": [b.hex() for b in self._bytes]}
        write_arrays(Path(path), arrays | {"last": self.last}, about, named=True)

    @classmethod
    def load(cls, run: TrainedModel, path: str | Path) -> Self:
        """A stream from a state that `save` wrote. Raises HeloError for the state of another model."""
        path = Path(path)
        one, like = run.task.model.zero_state(run.parameters, 1), run.task.vocab
        arrays, about = run.read_state(path, "last")
        with place(path):
            last = arrays.pop("last")
            known = last.dtype == np.int64 and last.ndim == 1 and len(last) and ((last >= 0) & (last < len(like))).all()
            if not known:
                raise HeloError("damaged: its symbols are not the model's", mend="give another --state file")
            state = checked_state(arrays, one, len(last)) if arrays else None
            with wrap(ValueError, "damaged:", mend="give another --state file"):
                (cut,) = saved.fields({"bytes": about.get("bytes")}, bytes=list[str])
                pieces = [bytes.fromhex(b) for b in cut]
                if len(pieces) != len(last) or any(len(p) > 3 for p in pieces):
                    raise ValueError(f"{len(pieces)} characters that are not whole, of {len(last)} rows")
        stream = cls(run, len(last))
        stream.last, stream._bytes, stream.state = last, pieces, state
        return stream


def _whole(data: bytes) -> tuple[str, bytes]:
    """The whole characters at the start of some bytes, and what is left of one that may still become whole."""
    cut = len(data)
    for back in range(1, min(4, cut + 1)):
        byte = data[-back]
        if byte & 0xC0 != 0x80:  # the first byte of a character: does it lack any?
            need = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            cut -= back if need > back else 0
            break
    return data[:cut].decode(errors="replace"), data[cut:]
