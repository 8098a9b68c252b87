"""What a model says of a number: outputs of a network as the distribution of a target that is scaled to mean 0 and deviation 1.

One class a distribution. `size`: outputs a target. `loss` runs on every engine's arrays, `quantiles` and `mean` on NumPy's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from helo import engines
from helo.cells.functions import Array, namespace, softplus
from helo.layers import quantiles

LEAST = 1e-3  # of a scale: of what is always the same the likelihood has no bound
LEVELS = quantiles.LEVELS


class Distribution(ABC):
    """outputs are `(…, size)`, targets `(…)`. With outputs of 0 it is about the standard normal distribution."""

    size: ClassVar[int]
    #: Which of its outputs is the median.
    median: ClassVar[int] = 0

    @abstractmethod
    def loss(self, outputs: Array, targets: Array) -> Array:
        """What is minimised, `(…)`."""

    @abstractmethod
    def quantiles(self, outputs: np.ndarray) -> np.ndarray:
        """At LEVELS, `(…, levels)`, float64."""

    @abstractmethod
    def mean(self, outputs: np.ndarray) -> np.ndarray:
        """`(…)`, float64."""


class Quantiles(Distribution):
    """Of no form: the deciles, by twice the mean of their pinball losses, which is about the continuous ranked probability score."""

    size = len(LEVELS)
    median = len(LEVELS) // 2
    _start = quantiles.start(LEVELS)
    _levels = np.array(LEVELS, np.float32)

    def loss(self, outputs, targets):
        found = quantiles.increasing(outputs + engines.array(self._start, outputs))
        losses = quantiles.pinball(found, targets, engines.array(self._levels, outputs))
        return 2 * namespace(losses).mean(losses, axis=-1)

    def quantiles(self, outputs):
        return quantiles.increasing(outputs.astype(np.float64) + self._start)

    def mean(self, outputs):
        return quantiles.mean(self.quantiles(outputs), LEVELS)


class Normal(Distribution):
    """Mean and scale, by the negative log-likelihood in nats."""

    size = 2

    def loss(self, outputs, targets):
        scale = _scale(outputs[..., 1])
        far = (targets - outputs[..., 0]) / scale
        return 0.5 * far * far + namespace(scale).log(scale) + 0.5 * math.log(2 * math.pi)

    def quantiles(self, outputs):
        outputs = outputs.astype(np.float64)
        standard = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
        return outputs[..., :1] + _scale(outputs[..., 1])[..., None] * standard

    def mean(self, outputs):
        return outputs[..., 0].astype(np.float64)


class StudentT(Distribution):
    """Location, scale and degrees of freedom, by the negative log-likelihood in nats: what is far off counts less than with
    `Normal`. More than two degrees of freedom, so that there is a variance.
    """

    size = 3

    def loss(self, outputs, targets):
        xp, scale, freedom = namespace(outputs), _scale(outputs[..., 1]), _freedom(outputs[..., 2])
        far = (targets - outputs[..., 0]) / scale
        normed = log_gamma(freedom / 2) - log_gamma((freedom + 1) / 2) + 0.5 * xp.log(freedom * math.pi)
        return normed + xp.log(scale) + (freedom + 1) / 2 * xp.log1p(far * far / freedom)

    def quantiles(self, outputs):
        outputs = outputs.astype(np.float64)
        return outputs[..., :1] + _scale(outputs[..., 1])[..., None] * student_t(_freedom(outputs[..., 2]), LEVELS)

    def mean(self, outputs):
        return outputs[..., 0].astype(np.float64)


DISTRIBUTIONS: dict[str, Distribution] = {"quantiles": Quantiles(), "normal": Normal(), "student-t": StudentT()}


def _scale(x: Array) -> Array:
    """Above 0; 1 at 0."""
    return softplus(x + math.log(math.e - 1)) + LEAST


def _freedom(x: Array) -> Array:
    """Above 2; 8 at 0."""
    return softplus(x + math.log(math.exp(6) - 1)) + 2.0


def log_gamma(x: Array) -> Array:
    """The logarithm of the gamma function above 0, by Stirling's series three steps on; NumPy has none."""
    xp, far = namespace(x), x + 3
    series = (
        (far - 0.5) * xp.log(far) - far + 0.5 * math.log(2 * math.pi) + 1 / (12 * far) - 1 / (360 * far * far * far)
    )
    return series + 1 / (1260 * far * far * far * far * far) - xp.log(x) - xp.log(x + 1) - xp.log(x + 2)


def student_t(freedom: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Quantiles of Student's t `(…, levels)`, freedom `(…)` above 1. With t = √ν tan θ its density is that of cos^(ν-1) θ, which is
    added up on a grid.
    """
    angles = np.linspace(0, math.pi / 2, 2049)
    flat = np.reshape(freedom, -1)
    found = np.zeros((len(flat), len(levels)))
    with np.errstate(divide="ignore"):
        logs = np.log(np.cos(angles))
    for i, v in enumerate(flat):
        density = np.exp((v - 1) * logs)
        share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
        share *= 0.5 / share[-1]  # half of all lies above 0
        over = np.abs(np.array(levels) - 0.5)
        last = int(np.searchsorted(share, 0.5 - 1e-12))
        found[i] = (
            np.sign(np.array(levels) - 0.5) * np.tan(np.interp(over, share[: last + 1], angles[: last + 1])) * v**0.5
        )
    return found.reshape(*np.shape(freedom), len(levels))
