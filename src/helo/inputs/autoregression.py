"""A linear forecast of each step ahead by the last values: what one series or a few are often forecast by best (Zeng et al. 2023).

It is fitted in closed form before the training (ridge regression), and a network learns what is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PART = 4096  # windows that are made at once
JUDGED = 0.2  # of each series, its end, by which the penalty is chosen
LEAST = 10  # windows before that
NOTHING = 1e-6  # deviations: what is left of a series that repeats itself
ENOUGH = 20  # forecasts that share no value, to judge by
BETTER = 0.99  # of the base's error: less is no reason
SIZES = (4, 16, 64, 256)  # last values that may be enough, beside all of them: few windows know no more
PENALTIES = tuple(10.0**k for k in range(-4, 3))  # of a coefficient's square, beside the mean squared error
FAR = 10.0  # deviations: an outlier is far, not a thousand times as far
HEAVIEST = 10.0  # of a window, beside others of its series


def fit(windows: Any) -> np.ndarray | None:
    """Coefficients `(horizon, recent + 1)` of the last values and of the base, whose sum is what is added to the base; None where the base
    alone is about as good on the last fifth of the values, or that is too little to say. windows: `inputs.windows.Encoded`, in training.
    """
    rows, scales, found = np.arange(len(windows.rows)), [], []
    for part in np.split(rows, range(PART, len(rows), PART)):
        batch = windows.batch(part)
        scales.append(batch["scale"])
        ys = (windows.targets(part) - batch["level"][:, None]) / batch["scale"][:, None]
        found.append((batch["recent"], batch["base"], np.clip(ys, -FAR, FAR) - batch["base"]))
    # Where a series varies more, an error is larger by as much.
    series, scale = windows.rows, np.concatenate(scales)
    usual = np.bincount(series, scale) / np.maximum(1, np.bincount(series))
    weights = np.clip(scale / usual[series], 1 / HEAVIEST, HEAVIEST)[:, None]
    xs, bases, ys = (np.concatenate(arrays).astype(np.float64) * weights for arrays in zip(*found, strict=True))
    whole = ~np.isnan(ys).any(1)
    xs, bases, ys, rows, series = (array[whole] for array in (xs, bases, ys, rows, series))
    cut = windows.sizes[series] * (1 - JUDGED)
    before, after = windows.origins[rows] + windows.horizon <= cut, windows.origins[rows] >= cut
    if before.sum() < LEAST or after.sum() < ENOUGH * ys.shape[1] or (usual := np.abs(ys[after]).mean()) < NOTHING:
        return None
    best, least = None, BETTER * usual
    for size in sorted({*SIZES, xs.shape[1]}):
        if size > xs.shape[1]:
            break
        last = xs[:, -size:]
        for penalty in PENALTIES:
            own = ridge(last[before], bases[before], ys[before], penalty)
            left = np.abs(ys[after] - last[after] @ own[:, :-1].T - bases[after] * own[:, -1]).mean()
            if left < least:
                best, least = (size, penalty), left
    if best is None:
        return None
    size, penalty = best
    out = np.zeros((ys.shape[1], xs.shape[1] + 1), np.float32)
    out[:, -size - 1 :] = ridge(xs[:, -size:], bases, ys, penalty)
    return out


def ridge(xs: np.ndarray, bases: np.ndarray, ys: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients `(horizon, features + 1)` of ys `(rows, horizon)` on xs `(rows, features)` and the base of each step `(rows, horizon)`."""
    rows = len(xs)
    square = xs.T @ xs / rows + penalty * np.eye(xs.shape[1])
    # The base is another column at each step: all steps share one matrix, and the base is eliminated by hand.
    right, beside = xs.T @ ys / rows, xs.T @ bases / rows
    solved = np.linalg.solve(square, np.concatenate([right, beside], 1))
    ours, theirs = solved[:, : ys.shape[1]], solved[:, ys.shape[1] :]
    own = (bases * ys).sum(0) / rows - (beside * ours).sum(0)
    own /= (bases**2).sum(0) / rows + penalty - (beside * theirs).sum(0)
    return np.concatenate([ours - theirs * own, own[None]]).T
