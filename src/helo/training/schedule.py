"""How far a training has come, how fast it goes, and what its learning rate is there."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

FLOOR = 0.02  # of the learning rate, at the end
VALIDATIONS = 10
PATIENCE = VALIDATIONS // 2  # validations in a row that are no better, after which a training ends early: half of it


@dataclass
class Progress:
    """The counters. total: steps in all, None until it is settled. loss, count, clipped: since the last report.

    Under --minutes the total is settled again as it goes, and what is recorded of that makes going on exact: over, the
    share of the training that is over, None where steps are given; glance, on how many examples or symbols it is
    validated while it trains; threads; ending, on how many the final figures are, None for all.
    """

    step: int = 0
    total: int | None = None
    seconds: float = 0.0
    best: float = float("inf")
    loss: float = 0.0
    count: int = 0
    steps: int = 0
    clipped: int = 0
    norm: float = 0.0
    reports: int = 0
    over: float | None = None
    glance: int = 0
    threads: int = 0
    passes: float | None = None  # over the data, at most; None: any number
    earlier: int = 0  # reports that a run which goes further than at first has had beyond those of the new total
    ending: int | None = None
    lowest: float = float("inf")  # loss of a validation so far
    idle: int = 0  # validations in a row that were no better, neither by the figure nor by the loss
    early: bool = False  # whether it ended for that
    looked: int = 0  # on how many examples or symbols the last validation was

    @property
    def share(self) -> float:
        """What of the training is over, from 0 to 1; 0 until its end is settled."""
        if self.over is not None:
            return self.over
        return self.step / self.total if self.total else 0.0


def factor(share: float) -> float:
    """The learning rate's factor when a share of the training is over: half a cosine from 1 to FLOOR at the end."""
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def validates(share: float, reports: int) -> bool:
    """Whether to validate when a share of the training is over and so many reports were made: VALIDATIONS times in
    all, evenly.
    """
    return share * VALIDATIONS >= reports + 1 - 1e-9


class Speed:
    """Symbols per second, from the time between steps; the first few, which warm up, are left out."""

    WARM = 10

    def __init__(self):
        self.taken = self.per_step = 0
        self.symbols = 0.0
        self.last = time.monotonic()

    def step(self, count: int) -> float:
        """A step over so many: the seconds that it took."""
        now = time.monotonic()
        spent, self.last = now - self.last, now
        self.taken += 1
        self.per_step = count
        if self.taken > self.WARM:
            rate = count / max(spent, 1e-9)
            self.symbols = rate if not self.symbols else 0.97 * self.symbols + 0.03 * rate
        return spent

    def pause(self) -> None:
        """What was done since the last step was not a step."""
        self.last = time.monotonic()

    def left(self, progress: Progress) -> float | None:
        """Seconds to the end."""
        if progress.total is None or not self.symbols:
            return None
        return (progress.total - progress.step) * self.per_step / self.symbols
