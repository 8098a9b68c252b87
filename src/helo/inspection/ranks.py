"""Values by their order alone: what AUC and the rank correlation are sums of."""

from __future__ import annotations

import numpy as np


def ranked(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of each column `(steps, units)` over how many there are, less their mean, ties at their middle; and their
    spread `(units,)`, 1 of a constant.
    """
    out = np.stack([_ranks(np.ascontiguousarray(column)) for column in units.T], axis=1)
    spread = out.std(axis=0)
    return out, np.where(spread > 0, spread, 1)


def _ranks(x: np.ndarray) -> np.ndarray:
    """`(n,)`: from -1/2 to 1/2."""
    n = len(x)
    order = np.argsort(x)
    ordered = x[order]
    place = np.arange(n, dtype=np.float64)
    new = np.r_[True, ordered[1:] != ordered[:-1]]
    if not new.all():
        first = np.flatnonzero(new)
        last = np.r_[first[1:], n] - 1
        place = np.repeat((first + last) / 2, last - first + 1)
    out = np.empty(n, np.float32)
    out[order] = (place - (n - 1) / 2) / n
    return out


def weight(values: np.ndarray, flag: bool) -> np.ndarray:
    """What ranks are multiplied with, `(steps,)`: the sum over the steps is AUC - 1/2 of a flag, and of a number the
    correlation times the spread of the ranks. 0 where the property is not defined.
    """
    out = np.zeros(len(values), np.float32)
    there = np.isfinite(values)
    v = values[there]
    if flag:
        yes = v > 0
        if yes.any() and not yes.all():
            out[there] = np.where(yes, 1 / yes.sum(), -1 / (~yes).sum())
    elif len(v) > 1:
        r = _ranks(v)
        if r.any():  # of the ranks: rounding leaves a constant a spread of its own
            out[there] = r / (len(r) * r.std())
    return out
