"""Pictures, brought to one size: whole, for a feed-forward network; or as a sequence, row by row or pixel by pixel."""

from __future__ import annotations

from typing import Literal

import numpy as np

from helo.data.readers import images
from helo.errors import HeloError
from helo.inputs.base import EVERY, Input
from helo.inputs.numbers import LARGEST, varied
from helo.saved import fields

SHIFT = 0.07  # of the smaller side: how far a picture is shifted in training, in any direction
SIDE = 32  # training pictures of unequal sizes are brought to so many pixels a side
FAR = 1e4  # spreads from the mean; what is farther, in arrays that are hardly pictures, would overflow in products


class Pictures(Input):
    """Brightness less its mean over its spread, both over all pixels of the training pictures."""

    reads = ("picture", "frames", "vector")

    def __init__(self, shape, view: str, mean: float, spread: float):
        self.shape, self.view, self.mean, self.std = tuple(shape), view, mean, spread
        height, width, *channels = self.shape
        channels = int(np.prod(channels or [1]))
        self.sequence = view != "whole"
        self.steps = {"whole": 1, "rows": height, "pixels": height * width}[view]
        self.width = height * width * channels // self.steps

    @classmethod
    def learn(cls, examples, view: str):
        """Mean and standard deviation of these pictures, by which all are scaled."""
        x = _alike(examples, _shape(examples.inputs))
        if x.ndim < 3:
            size = "pictures (examples, height, width)"
            raise HeloError(f"--view {view} with vectors", expected=size, where=examples.place(0))
        mean = float(x.mean(dtype=np.float64))  # squares of what float32 holds are beyond it
        return cls(x.shape[1:], view, mean, float(varied(x.std(dtype=np.float64), mean)))

    def _encode(self, examples):
        return _Encoded(self, _alike(examples, self.shape))

    def to_json(self):
        return {"form": "pictures", "shape": list(self.shape), "view": self.view, "mean": self.mean, "spread": self.std}

    @classmethod
    def from_json(cls, saved):
        views = Literal["whole", "rows", "pixels"]
        _, shape, view, mean, spread = fields(
            saved, form=Literal["pictures"], shape=list[int], view=views, mean=float, spread=float
        )
        if len(shape) not in (2, 3) or min(shape) < 1 or max(shape) > 1 << 20:
            raise ValueError(f"pictures of shape {shape}")
        if not (abs(mean) < LARGEST and 1 / LARGEST < spread < LARGEST):
            raise ValueError(f"a mean of {mean}, a spread of {spread}")
        return cls(shape, view, mean, spread)


class _Encoded:
    def __init__(self, form: Pictures, x: np.ndarray):
        self.form, self.x = form, x
        self.lengths = np.full(len(x), form.steps, np.int64)

    def batch(self, rows, rng=None, mine=EVERY):
        x = self.x[rows]
        reach = round(SHIFT * min(self.form.shape[:2]))
        if rng is not None and reach:
            x = shifted(x, reach, rng)
        x, rows = x[mine], rows[mine]
        x = (x.astype(np.float32 if x.dtype == np.uint8 else np.float64) - self.form.mean) / self.form.std
        x = np.clip(x, -FAR, FAR).astype(np.float32)
        x = x.reshape(len(x), -1) if self.form.view == "whole" else x.reshape(len(x), self.form.steps, -1)
        return {"xs": x, "lengths": self.lengths[rows]}


def _shape(pictures) -> tuple[int, ...]:
    """What pictures are brought to: their size if they all have one, else SIDE; colours if one has them."""
    if isinstance(pictures, np.ndarray):
        return pictures.shape[1:]
    sizes = {x.shape[:2] for x in pictures}
    return (*(sizes.pop() if len(sizes) == 1 else (SIDE, SIDE)), *([3] if any(x.ndim == 3 for x in pictures) else []))


def _alike(examples, shape: tuple[int, ...]) -> np.ndarray:
    """Pictures `(examples, *shape)`: those of files are brought to the shape, those of an array have to have it."""
    found = examples.inputs
    if not isinstance(found, np.ndarray):
        found = [
            x if x.shape == shape or x.dtype != np.uint8 else images.fitted(x, shape) for x in map(np.asarray, found)
        ]
    for i, x in enumerate(found):
        if x.shape != shape:
            expected = f"{shape}, as in training"
            raise HeloError(f"a picture of shape {x.shape}", expected=expected, where=examples.place(i))
    return np.asarray(found)


def shifted(x: np.ndarray, reach: int, rng: np.random.Generator) -> np.ndarray:
    """Each picture moved by up to `reach` pixels; what comes in at the border is what stood nearest."""
    height, width = x.shape[1:3]
    down, right = rng.integers(-reach, reach + 1, (2, len(x)))
    rows = np.clip(np.arange(height) + down[:, None], 0, height - 1)
    columns = np.clip(np.arange(width) + right[:, None], 0, width - 1)
    return x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]
