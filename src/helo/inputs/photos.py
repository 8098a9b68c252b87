"""Photos as a captioner reads them: features that an image network computed before, or pixels for one that learns."""

from __future__ import annotations

import numpy as np

from helo.encoders.store import Features
from helo.inputs.base import EVERY
from helo.inputs.pictures import SHIFT, shifted

# What a picture counts for in batches of answers, which hold so many steps: 32 pictures, in step with a beam.
TOGETHER = 256


class Seen:
    """Features of pictures that were computed before."""

    def __init__(self, features: Features):
        self.features, self.lengths = features, np.full(len(features), TOGETHER)

    def batch(self, rows, rng=None, mine=EVERY):
        rows = rows[mine]
        return {"features": self.features.some(rows), "lengths": self.lengths[rows]} | _draw(rng, mine)


class Pixels:
    """Pictures themselves, for a network that learns."""

    def __init__(self, pixels: np.ndarray):
        self.pixels, self.lengths = pixels, np.full(len(pixels), TOGETHER)

    def batch(self, rows, rng=None, mine=EVERY):
        pixels = self.pixels[rows]
        if rng is not None:
            pixels = shifted(pixels, round(SHIFT * pixels.shape[1]), rng)
        return {"pixels": pixels[mine], "lengths": self.lengths[rows[mine]]} | _draw(rng, mine)


def _draw(rng: np.random.Generator | None, mine: slice) -> dict[str, np.ndarray]:
    """What a step draws by, so that it is the same when a training goes on; each process draws otherwise."""
    return {} if rng is None else {"draw": rng.integers(1 << 62, size=1) + (mine.start or 0)}
