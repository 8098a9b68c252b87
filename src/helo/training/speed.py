"""How fast it trains."""

from __future__ import annotations

import time

from helo.training.checkpoint import Progress


class Speed:
    """Steps and symbols per second, from the time between steps; the first few, which warm up, are left out."""

    WARM = 10

    def __init__(self):
        self.taken = self.measured = 0
        self.measuring = self.symbols = 0.0
        self.per_step = 0
        self.last = time.monotonic()

    def step(self, count: int) -> float:
        """A step over so many: the seconds that it took."""
        now = time.monotonic()
        spent, self.last = now - self.last, now
        self.taken += 1
        self.per_step = count
        if self.taken > self.WARM:
            self.measured, self.measuring = self.measured + 1, self.measuring + spent
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
