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
SHARPNESS = 100.0  # with a hundredth more error a fit counts a third as much,
LIGHTEST = 0.01  # and one that counts less than this nothing
FAR = 10.0  # deviations: an outlier is far, not a thousand times as far
HEAVIEST = 10.0  # of a window, beside others of its series


def fit(windows: Any) -> np.ndarray | None:
    """Coefficients `(horizon, recent + 1)` of the last values and of the base, whose sum is what is added to the base; None where the base
    alone is about as good on the last fifth of the values, or that is too little to say. Where the time of the windows is in parts,
    `(parts, horizon, recent + 1)`: for each part those that know nothing of it. windows: `inputs.windows.Encoded`, in training.

    How many last values and which penalty is best is known by chance: each counts by how well it did on the last fifth.
    """
    rows, scales, found = np.arange(len(windows.rows)), [], []
    for some in np.split(rows, range(PART, len(rows), PART)):
        batch = windows.batch(some)
        scales.append(batch["scale"])
        ys = (windows.targets(some) - batch["level"][:, None]) / batch["scale"][:, None]
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
    tried = [(n, p) for n in sorted({*SIZES, xs.shape[1]}) if n <= xs.shape[1] for p in PENALTIES]
    judged, left = Moments(xs[before], bases[before], ys[before]), []
    for own in (judged.ridge(*one) for one in tried):
        left.append(np.abs(ys[after] - xs[after] @ own[:, :-1].T - bases[after] * own[:, -1]).mean())
    if min(left) >= BETTER * usual:
        return None
    shares = (min(left) / np.array(left)) ** SHARPNESS
    shares = np.where(shares < LIGHTEST, 0.0, shares)
    shares /= shares.sum()

    def mean(some: Any) -> np.ndarray:
        known = Moments(xs[some], bases[some], ys[some])
        found = sum(share * known.ridge(*one) for one, share in zip(tried, shares, strict=True) if share)
        return np.asarray(found, np.float32)

    if not windows.parts:
        return mean(slice(None))
    part = windows.part(rows)
    return np.stack([mean(~(part == k).any(1)) for k in range(windows.parts)])


class Moments:
    """What a ridge regression needs to know of xs `(rows, features)`, the base of each step and ys, both `(rows, horizon)`, whatever its
    penalty and however many of the features it takes.
    """

    def __init__(self, xs: np.ndarray, bases: np.ndarray, ys: np.ndarray):
        rows = max(1, len(xs))
        self.square, self.right, self.beside = xs.T @ xs / rows, xs.T @ ys / rows, xs.T @ bases / rows
        self.power, self.product = (bases**2).sum(0) / rows, (bases * ys).sum(0) / rows

    def ridge(self, size: int, penalty: float) -> np.ndarray:
        """Coefficients `(horizon, features + 1)` of the features and of the base; 0 of all but the last `size` features."""
        square = self.square[-size:, -size:] + penalty * np.eye(size)
        right, beside = self.right[-size:], self.beside[-size:]
        # The base is another column at each step: all steps share one matrix, and the base is eliminated by hand.
        solved = np.linalg.solve(square, np.concatenate([right, beside], 1))
        ours, theirs = solved[:, : right.shape[1]], solved[:, right.shape[1] :]
        own = self.product - (beside * ours).sum(0)
        own /= self.power + penalty - (beside * theirs).sum(0)
        found = np.zeros((right.shape[1], len(self.square) + 1))
        found[:, -size - 1 :] = np.concatenate([ours - theirs * own, own[None]]).T
        return found
