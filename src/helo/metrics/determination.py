"""Which share of the variance of numbers is explained."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric


class Determination(Metric):
    """The coefficient of determination. Statistics `(targets, 4)`: examples, sum of squared errors, sum and sum of squares of the
    true numbers. Score: r2, 1 at best, below 0 where the mean of the true numbers would be a better answer; the mean over the
    targets, as scikit-learn's `r2_score`.
    """

    kinds = ("number",)
    figures = ("r2",)

    def statistics(self, answers, references):
        sums = np.ones(references.shape), (answers - references) ** 2, references, references**2
        return np.stack([s.reshape(len(s), -1).sum(0) for s in sums], 1)

    def score(self, sums):
        return {"r2": float(by_target(sums).mean())}


def by_target(sums: np.ndarray) -> np.ndarray:
    """r2 of each target, `(targets,)`; of true numbers that are all the same 1 where all answers are right, else 0."""
    count, squares, total, total_squares = sums.T
    spread = total_squares - total**2 / np.maximum(1, count)
    varied = spread > 1e-12 * total_squares
    return np.where(varied, 1 - squares / np.where(varied, spread, 1), np.where(squares == 0, 1.0, 0.0))
