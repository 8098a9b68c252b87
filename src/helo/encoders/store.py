"""Features of pictures, computed once: kept under the SHA-256 of a picture's bytes, in half precision, mapped and not
loaded. What a stop cuts short goes on where it was.

FOLDER/keys      the 32 bytes of each picture's digest, one behind the other
FOLDER/values    the features of each, in the same order, float16
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from helo import progress
from helo.data.corpora import cache
from helo.encoders.base import Trained
from helo.errors import HeloError, wrap

BATCH = 32  # pictures at once
LARGEST = 65504.0  # of a float16
DIGEST = 32  # bytes


class Features:
    """Features `(pictures, places, width)`, some of them mapped. `some(rows)` gives float32."""

    def __init__(self, kept: np.ndarray, own: np.ndarray, rows: np.ndarray):
        """rows `(pictures,)`: which row of `kept` a picture's features are; below 0, of `own`: -1 its first, -2 …"""
        self.kept, self.own, self.rows = kept, own, rows

    def __len__(self) -> int:
        return len(self.rows)

    def some(self, rows: np.ndarray) -> np.ndarray:
        """`(rows, places, width)` float32 of some pictures."""
        at = self.rows[rows]
        out = np.empty((len(at), *self.own.shape[1:]), np.float32)
        old = at >= 0
        out[old], out[~old] = self.kept[at[old]], self.own[-1 - at[~old]]
        return out


class Clock:
    """Seconds that were spent on what is kept, however deep the call."""

    def __init__(self):
        self.seconds, self._depth = 0.0, 0

    @contextmanager
    def running(self) -> Iterator[None]:
        started, self._depth = time.monotonic(), self._depth + 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.seconds += time.monotonic() - started


clock = Clock()


class Picture(Protocol):
    """What has features: a photograph that lies somewhere, or a frame of a video."""

    @property
    def digest(self) -> bytes: ...
    def pixels(self, side: int, fit: str = "squeeze") -> np.ndarray: ...


@clock.running()
def features(encoder: Trained, photos: Sequence[Picture], grid: int, least: int = BATCH) -> Features:
    """Features of pictures, the mean over the places in each of `grid` by `grid` parts. least: fewer new ones than this
    are not kept.

    Raises HeloError, with the place, for a picture that cannot be read.
    """
    shape = (grid * grid, encoder.width)
    digests = []
    for i, photo in enumerate(photos, 1):
        digests.append(photo.digest)
        if i % 500 == 0:
            progress.tell("computing features", i, len(photos))

    def encoded(some: Sequence[Picture]) -> np.ndarray:
        found = _averaged(
            encoder.encode(np.stack([p.pixels(encoder.side, encoder.fit) for p in some])), encoder.rows, grid
        )
        return np.clip(found, -LARGEST, LARGEST).astype(np.float16)

    store = _Store(cache() / "features" / f"{encoder.identity}-{grid}", shape)
    with store.held(len(photos) >= least):
        new = {d: p for d, p in zip(digests, photos, strict=True) if d not in store.known}
        todo, own = list(new.items()), np.zeros((0, *shape), np.float16)
        if len(todo) >= least:
            for start in range(0, len(todo), BATCH):
                digests_, some = zip(*todo[start : start + BATCH], strict=True)
                store.append(digests_, encoded(some))
                if len(todo) > BATCH:
                    progress.tell(f"features by {encoder.name}", min(start + BATCH, len(todo)), len(todo))
        elif todo:
            own = encoded([p for _, p in todo])
        at = store.known | {d: -1 - i for i, (d, _) in enumerate(todo) if d not in store.known}
        return Features(store.mapped(), own, np.array([at[d] for d in digests], np.int64))


def _averaged(found: np.ndarray, rows: int, grid: int) -> np.ndarray:
    """A map `(pictures, rows · rows, width)` as the means of `grid` by `grid` parts of it, nearly alike in size."""
    if grid == rows:
        return found
    maps = found.reshape(len(found), rows, rows, -1)
    cuts = [(i * rows // grid, -(-(i + 1) * rows // grid)) for i in range(grid)]
    return np.stack([maps[:, a:b, c:d].mean((1, 2)) for a, b in cuts for c, d in cuts], 1)


class _Store:
    """The two files of an encoder. A row is there when both hold it whole: the values are written first."""

    def __init__(self, folder: Path, shape: tuple[int, int]):
        self.folder, self.shape = folder, shape
        self.known: dict[bytes, int] = {}

    @contextmanager
    def held(self, adding: bool) -> Iterator[None]:
        """While one process adds to it the others wait, and then find what it added. Who only reads needs no leave."""
        if not adding:
            self._read()
            yield
            return
        with self._kept():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a")
        with lock:
            _lock(lock)
            self._read()
            yield

    def _kept(self) -> AbstractContextManager[None]:
        mend = "free some space, or choose another folder with HELO_DATA"
        return wrap(OSError, "features cannot be saved:", mend=mend, where=self.folder)

    def _read(self) -> None:
        keys, values = self.folder / "keys", self.folder / "values"
        found = keys.read_bytes() if keys.exists() else b""
        size = values.stat().st_size if values.exists() else 0
        count = min(len(found) // DIGEST, size // self._row)
        self.known = {found[i * DIGEST : (i + 1) * DIGEST]: i for i in range(count)}
        if len(self.known) < count:  # not one that this wrote
            raise HeloError("damaged", mend="delete the folder; it will be made again", where=self.folder)

    @property
    def _row(self) -> int:
        return 2 * self.shape[0] * self.shape[1]

    def append(self, digests: Sequence[bytes], values: np.ndarray) -> None:
        """Rows more."""
        count = len(self.known)
        for name, data, width in (("values", values.tobytes(), self._row), ("keys", b"".join(digests), DIGEST)):
            with self._kept(), (self.folder / name).open("ab") as file:
                file.truncate(count * width)  # what a stop left half
                file.write(data)
        self.known |= {d: count + i for i, d in enumerate(digests)}

    def mapped(self) -> np.ndarray:
        """All rows, `(kept, places, width)`."""
        if not self.known:
            return np.zeros((0, *self.shape), np.float16)
        return np.memmap(self.folder / "values", np.float16, "r", shape=(len(self.known), *self.shape))


def _lock(file: Any) -> None:
    """Held until the file is closed; where the system has no such locks there is none."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):
        return
