"""Quantiles of a number: outputs of a network as quantiles that never cross, their loss, and what lies between them.

levels: increasing, between 0 and 1, such as 0.1, …, 0.9. quantiles `(…, levels)`: increasing too. Between two levels the
quantile function is linear; beyond the outermost ones it goes on as the tail of an exponential distribution that meets the
outermost two, so that it has a value at any level between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helo.cells.functions import Array, namespace, softplus

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # the deciles, as M5 and GluonTS take them
LEAST = 1e-6  # between two quantiles: equal ones have no density between them


def increasing(outputs: Array) -> Array:
    """Outputs `(…, levels)` of any size to quantiles: the one in the middle is the output itself, each further one is by a
    softplus away from its neighbour (as Gasthaus et al. 2019 make them increase).
    """
    steps, middle = softplus(outputs) + LEAST, outputs.shape[-1] // 2
    gaps = [steps[..., i] for i in range(outputs.shape[-1]) if i != middle]
    return _around(outputs[..., middle], gaps)


def widened(quantiles: Array, factors: Array) -> Array:
    """Quantiles `(…, levels)` whose distances are multiplied by factors `(levels - 1,)`; the one in the middle stays."""
    gaps = (quantiles[..., 1:] - quantiles[..., :-1]) * factors
    return _around(quantiles[..., quantiles.shape[-1] // 2], [gaps[..., i] for i in range(gaps.shape[-1])])


def _around(middle: Array, gaps: Sequence[Array]) -> Array:
    """Quantiles `(…, levels)` of the one in the middle `(…)` and the distances `(…)` of all neighbours, from the lowest up."""
    half, found = (len(gaps) + 1) // 2, [middle]
    for gap in gaps[half:]:
        found.append(found[-1] + gap)
    for gap in reversed(gaps[:half]):
        found.insert(0, found[0] - gap)
    return namespace(middle).stack(found, axis=-1)


def start(levels: Sequence[float]) -> np.ndarray:
    """Outputs `(levels,)` whose quantiles are those of a standard normal variable: where a head starts, its targets scaled."""
    from statistics import NormalDist

    wanted = np.array([NormalDist().inv_cdf(level) for level in levels])
    steps = np.diff(wanted)
    middle = len(levels) // 2
    outputs = np.zeros(len(levels))
    outputs[middle] = wanted[middle]
    outputs[middle + 1 :] = np.log(np.expm1(steps[middle:]))
    outputs[:middle] = np.log(np.expm1(steps[:middle]))
    return outputs.astype(np.float32)


def pinball(quantiles: Array, targets: Array, levels: Array) -> Array:
    """The pinball loss of each quantile `(…, levels)` for targets `(…)`, least where it is the quantile (Koenker and Bassett
    1978). levels: an array of the same library, or of NumPy beside NumPy's.
    """
    xp = namespace(quantiles)
    over = targets[..., None] - quantiles
    return xp.maximum(levels * over, (levels - 1) * over)


def at(quantiles: np.ndarray, levels: Sequence[float], wanted: np.ndarray | float) -> np.ndarray:
    """The quantile function: NumPy's quantiles `(…, levels)` at the levels `wanted`, which broadcasts to `(…)`."""
    known, wanted = np.asarray(levels, np.float64), np.asarray(wanted, np.float64)
    left = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    shape = np.broadcast_shapes(quantiles.shape[:-1], left.shape)
    quantiles, place = np.broadcast_to(quantiles, (*shape, len(known))), np.broadcast_to(left, shape)[..., None]
    low, high = (np.take_along_axis(quantiles, place + i, -1)[..., 0] for i in (0, 1))
    between = low + (high - low) * (wanted - known[left]) / (known[left + 1] - known[left])
    below, above = _tails(quantiles, known)
    with np.errstate(divide="ignore"):
        lowest = quantiles[..., 0] + below * np.log(wanted / known[0])
        highest = quantiles[..., -1] - above * np.log((1 - wanted) / (1 - known[-1]))
    return np.where(wanted < known[0], lowest, np.where(wanted > known[-1], highest, between))


def probability(quantiles: np.ndarray, levels: Sequence[float], values: np.ndarray | float) -> np.ndarray:
    """The distribution function: how likely it is that a number is at most `values`, which broadcasts to `(…)` of NumPy's
    quantiles `(…, levels)`. `at` of it gives the values again.
    """
    known, values = np.asarray(levels, np.float64), np.asarray(values, np.float64)
    shape = np.broadcast_shapes(quantiles.shape[:-1], values.shape)
    quantiles, values = np.broadcast_to(quantiles, (*shape, len(known))), np.broadcast_to(values, shape)
    left = np.clip((quantiles <= values[..., None]).sum(-1) - 1, 0, len(known) - 2)
    low, high = (np.take_along_axis(quantiles, left[..., None] + i, -1)[..., 0] for i in (0, 1))
    share = np.clip((values - low) / np.maximum(high - low, np.finfo(np.float64).tiny), 0, 1)
    between = known[left] + (known[left + 1] - known[left]) * share
    below, above = (np.maximum(t, np.finfo(np.float64).tiny) for t in _tails(quantiles, known))
    lowest = known[0] * np.exp(np.minimum(values - quantiles[..., 0], 0) / below)
    highest = 1 - (1 - known[-1]) * np.exp(np.minimum(quantiles[..., -1] - values, 0) / above)
    return np.where(values < quantiles[..., 0], lowest, np.where(values > quantiles[..., -1], highest, between))


def mean(quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The mean `(…)` of what NumPy's quantiles `(…, levels)` describe: the integral of the quantile function."""
    known = np.asarray(levels, np.float64)
    inside = ((quantiles[..., 1:] + quantiles[..., :-1]) / 2 * np.diff(known)).sum(-1)
    below, above = _tails(quantiles, known)
    low, high = known[0], 1 - known[-1]
    return inside + low * (quantiles[..., 0] - below) + high * (quantiles[..., -1] + above)


def _tails(quantiles: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means `(…)` of the exponential distributions below and above the outermost quantiles."""
    below = (quantiles[..., 1] - quantiles[..., 0]) / np.log(known[1] / known[0])
    above = (quantiles[..., -1] - quantiles[..., -2]) / np.log((1 - known[-2]) / (1 - known[-1]))
    return below, above
