"""Several networks as one model, each of which does not learn from one part of the examples (cross-validation), and whose outputs are
averaged (Krogh and Vedelsby 1995 average such networks).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from helo.cells.functions import namespace
from helo.layers import part, under
from helo.models.base import InputModel, Parameters

CALIBRATED = 30.0  # times faster than other parameters the calibration is learned: others go on changing what it is of


class Folded(InputModel):
    """Outputs for each example. options: folds, and those of one network."""

    def __init__(self, options: Any, form: Any, outputs: int, calibrated: bool = False):
        """calibrated: whether the outputs of several networks are calibrated by what each says of the part that it did not learn
        from.
        """
        super().__init__(options, form, outputs)
        self.folds = getattr(options, "folds", None) or 1
        self.calibrated = calibrated and self.folds > 1

    @abstractmethod
    def init_one(self, rng: np.random.Generator) -> dict[str, Any]:
        """Fresh parameters of one network."""

    @abstractmethod
    def forward_one(self, parameters: Parameters, batch: Any, noise: Any) -> Any:
        """The outputs `(batch, outputs)` of one network."""

    def init(self, rng):
        if self.folds == 1:
            return self.init_one(rng)
        parameters = {}
        for k in range(self.folds):
            parameters |= under(f"folds.{k}", self.init_one(rng))
        if self.calibrated:
            zero = np.zeros(self.outputs, np.float32)
            parameters |= {"calibration.weight": zero, "calibration.bias": zero.copy()}
        return parameters

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, outputs)`: of several networks on average, or, of examples of a
        cross-validation, of the one that did not learn from them.
        """
        found = self.each(parameters, batch, noise)
        if len(found) == 1:
            return found[0]
        mean = sum(found[1:], found[0]) / len(found) if "fold" not in batch else held_out(found, batch["fold"])
        return self.calibrate(parameters, mean) if self.calibrated else mean

    def each(self, parameters: Parameters, batch: Any, noise: Any = None) -> list[Any]:
        """The outputs of each network."""
        if self.folds == 1:
            return [self.forward_one(parameters, batch, noise)]
        return [self.forward_one(part(parameters, f"folds.{k}"), batch, noise) for k in range(self.folds)]

    def calibrate(self, parameters: Parameters, found: Any) -> Any:
        """Outputs with the calibration: each on a line, that of slope 1 through 0 at first."""
        own = part(parameters, "calibration")
        return found * (1 + CALIBRATED * own["weight"]) + CALIBRATED * own["bias"]


def held_out(found: list[Any], fold: Any) -> Any:
    """Of the outputs `(batch, …)` of each network those of the one that did not learn from an example; fold `(batch,)`, or
    `(batch, steps)` where each step of an example is in a part of its own.
    """
    xp = namespace(found[0])
    return sum(x * xp.astype(fold == k, x.dtype)[(..., *[None] * (x.ndim - fold.ndim))] for k, x in enumerate(found))


def learning(found: list[Any], batch: Any) -> list[tuple[Any, Any]]:
    """The outputs of each network, and what each example counts in its loss, `(batch,)`, 1 on average, or None where all count
    the same: an example of a network's own part counts nothing.
    """
    weights = batch.get("weights")
    if len(found) == 1:
        return [(found[0], weights)]
    xp, out = namespace(found[0]), []
    for k, x in enumerate(found):
        counts = xp.astype(batch["fold"] != k, xp.float32) / (len(found) - 1)
        out.append((x, counts if weights is None else counts * weights))
    return out
