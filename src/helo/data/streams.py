"""A text as contiguous streams side by side, cut into chunks: what truncated backpropagation reads.

stream 0   ├ chunk 0 ┼ chunk 1 ┼ chunk 2 ┤        the state that a row has at the end of one chunk
stream 1   ├ chunk 0 ┼ chunk 1 ┼ chunk 2 ┤        is what the same row starts the next chunk with
"""

from __future__ import annotations

import numpy as np

from helo.data.symbols import Symbols
from helo.errors import HeloError


class Streams:
    """Symbols `[start, stop)` as `streams` equal stretches, read in step, without end.

    Every pass over the text starts at another offset, drawn from the seed and the pass, so that neither the chunks'
    borders nor the streams' fall on the same symbols twice. The position is two whole numbers, and the chunk that
    follows depends on them alone. rank and world: this process reads the streams rank, rank + world, ….
    """

    def __init__(
        self,
        symbols: Symbols,
        start: int,
        stop: int,
        streams: int,
        chunk: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ):
        """Raises HeloError for more processes than streams."""
        if world > streams:
            raise HeloError(
                f"{world} processes for {streams} streams", expected="at least one stream for each",
                mend="use fewer processes or more --streams", where="WORLD_SIZE",
            )  # fmt: skip
        self.symbols, self.start, self.stop, self.streams, self.chunk = symbols, start, stop, streams, chunk
        self.seed, self.rank, self.world = seed, rank, world
        self.epoch = self.index = 0
        self.per_epoch = max(1, (stop - start - 1) // streams // chunk)  # whole chunks in a pass

    @property
    def fresh(self) -> bool:
        """Whether the streams start anew in the next chunk, so that no state is carried into it."""
        return self.index == 0

    def next(self) -> dict[str, np.ndarray]:
        """The next chunk of this process's streams: inputs and targets `(streams, chunk)`, int64, each target the
        symbol after its input.
        """
        spare = self.stop - self.start - 1 - self.streams * self.per_epoch * self.chunk
        reach = spare + 1 if self.epoch else 1
        offset = int(np.random.default_rng((self.seed, self.epoch)).integers(reach))
        rows = np.arange(self.rank, self.streams, self.world)
        starts = self.start + offset + (rows * self.per_epoch + self.index) * self.chunk
        window = self.symbols.take(starts, self.chunk + 1)
        chunk = {"inputs": window[:, :-1], "targets": window[:, 1:]}
        self.index += 1
        if self.index == self.per_epoch:
            self.epoch, self.index = self.epoch + 1, 0
        return chunk
