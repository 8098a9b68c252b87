"""Examples in batches of like length, so that little is padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helo.errors import HeloError

POOL = 50  # batches that are sorted by length together: the shuffling stays wide, the padding small


class Buckets:
    """Batches of examples without end: every pass takes each example once, in an order drawn from the seed and the
    pass. The position, `epoch` and `index`, decides all that follows, however many processes there are. rank and
    world: of each batch this process takes the examples rank, rank + world, …. A batch that would be too large is
    parted: `per_epoch` is then that of the first pass, and others have about as many.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch: int,
        make: Callable[[np.ndarray, np.random.Generator, slice], Any],
        seed: int,
        rank: int = 0,
        world: int = 1,
        shares: np.ndarray | None = None,
    ):
        """make: from the examples of a batch, `(rows,)` whole numbers, what draws the noise of them all, and which rows
        of them this process takes, to its part. shares: how much of a batch each example fills, all others as large
        beside it. Raises HeloError for more processes than examples in a batch.
        """
        if world > batch:
            raise HeloError(
                f"{world} processes for batches of {batch} examples", expected="at least one example for each",
                mend="use fewer processes or a larger --batch", where="WORLD_SIZE",
            )  # fmt: skip
        self.lengths, self.make, self.seed, self.rank, self.world = np.asarray(lengths), make, seed, rank, world
        self.shares = np.zeros(len(self.lengths)) if shares is None else shares
        self._whole = max(1, -(-len(self.lengths) // batch))  # batches of nearly one size
        self.epoch = self.index = 0
        self._order: tuple[int, list[np.ndarray]] = (0, self._pass())
        self.per_epoch = len(self._order[1])

    fresh = True  # no state is carried from batch to batch

    def next(self) -> Any:
        """This process's part of the next batch; None where the batch has fewer examples than there are processes and
        nothing is left for this one.
        """
        if self._order[0] != self.epoch:
            self._order = (self.epoch, self._pass())
        rows = self._order[1][self.index]
        rng = np.random.default_rng((self.seed, self.epoch, self.index))
        self.index += 1
        if self.index == len(self._order[1]):
            self.epoch, self.index = self.epoch + 1, 0
        if self.rank >= len(rows):
            return None
        return self.make(rows, rng, slice(self.rank, None, self.world))

    def _pass(self) -> list[np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(len(self.lengths))
        size = -(-len(order) // self._whole) * POOL
        for start in range(0, len(order), size):
            pool = order[start : start + size]
            order[start : start + size] = pool[np.argsort(self.lengths[pool], kind="stable")]
        batches = [part for rows in np.array_split(order, self._whole) for part in self._parted(rows)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _parted(self, rows: np.ndarray) -> list[np.ndarray]:
        if len(rows) < 2 or len(rows) * self.shares[rows].max() <= 1:
            return [rows]
        half = len(rows) // 2
        return self._parted(rows[:half]) + self._parted(rows[half:])


def in_order(lengths: np.ndarray, most: int = 8192, rows: int = 256) -> list[np.ndarray]:
    """All examples, each once, from short to long, in batches of at most `rows` examples and about `most` steps."""
    order, batches, start = np.argsort(lengths, kind="stable"), [], 0
    while start < len(order):
        stop = min(start + rows, len(order))
        while stop - start > 1 and (stop - start) * max(1, lengths[order[stop - 1]]) > most:
            stop = start + max(1, (stop - start) // 2)
        batches.append(order[start:stop])
        start = stop
    return batches
