"""Sampled paths of a forecast that is given by its quantiles at every step."""

from __future__ import annotations

import math

import numpy as np

from helo.layers.quantiles import LEVELS, at


def sampled(deciles: np.ndarray, persistence: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Paths `(count, horizon)` whose quantiles at every step are the forecast's, deciles `(horizon, 9)`: where a path stands between
    them is a normal variable that keeps a share `persistence` from step to step (a Gaussian copula).
    """
    normal = rng.standard_normal((count, len(deciles)))
    for t in range(1, len(deciles)):
        normal[:, t] = persistence * normal[:, t - 1] + (1 - persistence**2) ** 0.5 * normal[:, t]
    uniform = np.clip(normal_probability(normal), 1e-9, 1 - 1e-9)
    return at(np.broadcast_to(deciles, (count, *deciles.shape)), LEVELS, uniform)


def normal_probability(x: np.ndarray) -> np.ndarray:
    """The distribution function of the standard normal, which NumPy lacks."""
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def counts(values: np.ndarray) -> bool:
    """Whether all values `(time,)` are whole numbers, none below 0; of such a series a path is one of counts."""
    there = values[~np.isnan(values)]
    return bool(len(there) and (there >= 0).all() and (there == np.rint(there)).all())
