"""A text as numbers on disk: mapped, never loaded, so that any size can be trained on."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from helo.data.readers.text import Text
from helo.data.splits import held_out
from helo.data.vocab import Vocab
from helo.errors import wrap

_LET_GO = 1 << 26  # bytes touched after which the mapped pages are handed back


class Symbols:
    """The ids of a text, `len()` of them, in a file that has no name and so leaves no litter.

    `take(starts, length)` copies windows out. Pages that were read count as resident memory until they are given
    back, so that is done every so often; the kernel keeps them cached as long as nobody needs the room.
    """

    def __init__(self, pieces: Iterable[np.ndarray], dtype: np.dtype, folder: Path | None = None):
        """Write pieces of ids `(n,)` to a file in `folder` (the system's for such files if None) and map it.

        Raises HeloError where there is no room for it.
        """
        self.length = 0
        where, mend = (
            folder or tempfile.gettempdir(),
            "free some space, or choose another place (--out; TMPDIR for helo eval)",
        )
        with (
            wrap(OSError, "no disk space for the encoded text:", mend=mend, where=where),
            tempfile.TemporaryFile(dir=folder) as file,
        ):
            for piece in pieces:
                file.write(np.ascontiguousarray(piece, dtype).data)
                self.length += len(piece)
            file.flush()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.length else None
        self.ids = np.frombuffer(self._map, dtype) if self._map else np.zeros(0, dtype)
        self._touched = 0

    def __len__(self) -> int:
        return self.length

    def take(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Windows `[start, start + length)`, `(len(starts), length)` int64; a start may lie anywhere inside."""
        windows = np.stack([self.ids[s : s + length] for s in starts]).astype(np.int64)
        # A page is read whole, and the kernel reads some ahead.
        self._touched += max(windows.shape[0] * length * self.ids.itemsize, windows.shape[0] * mmap.PAGESIZE)
        if self._touched > _LET_GO and self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
        return windows


def encoded(vocab: Vocab, pieces: Iterable[bytes], lenient: bool = False) -> Symbols:
    """The symbols of a text given in pieces."""
    return Symbols((vocab.encode(p, lenient) for p in pieces), vocab.dtype)


def joined(vocab: Vocab, texts: Sequence[Text], folder: Path | None = None) -> tuple[Symbols, int]:
    """The symbols of texts, one after the other, and how many the first has."""
    lengths = []

    def pieces() -> Iterator[np.ndarray]:
        for text in texts:
            lengths.append(0)
            for piece in text.pieces():
                ids = vocab.encode(piece)
                lengths[-1] += len(ids)
                yield ids

    symbols = Symbols(pieces(), vocab.dtype, folder)
    return symbols, lengths[0]


def line_by_line(vocab: Vocab, text: Text, folder: Path | None = None, hold: bool = True) -> tuple[Symbols, int]:
    """The symbols of a text whose lines are examples: those to learn from, in an order drawn by chance but always the same, and
    then, if hold, a tenth of them, held out by chance and in such an order, too; and where the latter begin. Blank lines are none.
    """
    ends = [0]

    def each() -> Iterator[np.ndarray]:
        for line in lines_of(text):
            ids = vocab.encode(line)
            ends.append(ends[-1] + len(ids))
            yield ids

    read = Symbols(each(), vocab.dtype, folder)
    count = len(ends) - 1
    learn, check = held_out(count) if hold and count else (np.arange(count), np.arange(0))
    rng = np.random.default_rng(0)
    order = [*rng.permutation(learn), *rng.permutation(check)]  # so that a part of those held out is like all of them
    split = sum(ends[i + 1] - ends[i] for i in learn)
    return Symbols((read.ids[ends[i] : ends[i + 1]] for i in order), vocab.dtype, folder), split


def lines_of(text: Text) -> Iterator[bytes]:
    """Every line that is not blank, with its end, which the last one gets where it has none."""
    for file in text.files:
        rest = b""
        for piece in replace(text, files=(file,)).pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in lines if line.strip())
        if rest.strip():
            yield rest + b"\n"
