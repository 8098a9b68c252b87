"""A linear forecast of each step ahead by the last values: what one series or a few are often forecast by best (Zeng et al. 2023).

It is fitted in closed form before the training (ridge regression), and a network learns what is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

FITTED = 50_000  # windows that it is fitted to at most
JUDGED = 0.2  # of each series, its end, by which the penalty is chosen
LEAST = 10  # windows before that
PENALTIES = tuple(10.0**k for k in range(-4, 3))  # of a coefficient's square, beside the mean squared error
FAR = 10.0  # deviations: an outlier is far, not a thousand times as far
HEAVIEST = 10.0  # of a window, beside others of its series


def fit(windows: Any) -> np.ndarray:
    """Coefficients `(horizon, recent + 1)` of the last values and of the base, whose sum is what is added to the base; all 0 where the base
    alone is as good on the last fifth of the values. windows: `inputs.windows.Encoded`, in training.
    """
    rows = np.arange(len(windows.rows))
    if len(rows) > FITTED:
        rows = np.linspace(0, len(rows) - 1, FITTED).astype(np.int64)
    series, scales, found = windows.rows[rows], [], []
    for part in np.array_split(rows, -(-len(rows) // 4096)):
        batch = windows.batch(part)
        scales.append(batch["scale"])
        ys = (windows.targets(part) - batch["level"][:, None]) / batch["scale"][:, None]
        found.append((batch["recent"], batch["base"], np.clip(ys, -FAR, FAR) - batch["base"]))
    # Where a series varies more, an error is larger by as much.
    scale = np.concatenate(scales)
    usual = np.bincount(series, scale) / np.maximum(1, np.bincount(series))
    weights = np.clip(scale / usual[series], 1 / HEAVIEST, HEAVIEST)[:, None]
    xs, bases, ys = (np.concatenate(arrays).astype(np.float64) * weights for arrays in zip(*found, strict=True))
    cut = windows.sizes[series] * (1 - JUDGED)
    before, after = windows.origins[rows] + windows.horizon <= cut, windows.origins[rows] >= cut
    none = np.zeros((ys.shape[1], xs.shape[1] + 1), np.float32)
    if before.sum() < LEAST or np.isnan(ys[after]).all():
        return none
    best, least = None, np.nanmean(np.abs(ys[after]))
    for penalty in PENALTIES:
        own = ridge(xs[before], bases[before], ys[before], penalty)
        left = np.nanmean(np.abs(ys[after] - xs[after] @ own[:, :-1].T - bases[after] * own[:, -1]))
        if left < least:
            best, least = penalty, left
    return none if best is None else ridge(xs, bases, ys, best).astype(np.float32)


def ridge(xs: np.ndarray, bases: np.ndarray, ys: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients `(horizon, features + 1)` of ys `(rows, horizon)`, NaN where there is none, on xs `(rows, features)` and the base
    of each step `(rows, horizon)`.
    """
    features, there = xs.shape[1], ~np.isnan(ys)
    whole, out = xs.T @ xs, np.zeros((ys.shape[1], features + 1))
    square = np.empty((features + 1, features + 1))
    for h, y in enumerate(np.where(there, ys, 0.0).T):
        inside = there[:, h]
        base = bases[:, h] * inside
        square[:-1, :-1] = whole if inside.all() else xs[inside].T @ xs[inside]
        square[-1, :-1] = square[:-1, -1] = xs.T @ base
        square[-1, -1] = base @ base
        count = max(1, int(inside.sum()))
        right = np.append(xs.T @ y, base @ y) / count
        out[h] = np.linalg.solve(square / count + penalty * np.eye(features + 1), right)
    return out
