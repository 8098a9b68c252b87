"""How far numbers are from the true ones."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric


class Regression(Metric):
    """Statistics `(targets, 3)`: examples, sum of squared errors, sum of absolute errors. Score: rmse and mae, each the mean over the
    targets, in their unit, as scikit-learn's `root_mean_squared_error` and `mean_absolute_error`.
    """

    kinds = ("number",)
    figures = ("rmse", "mae")
    higher_is_better = False

    def statistics(self, answers, references):
        errors = np.reshape(answers - references, (len(answers), -1))
        return np.stack([np.ones_like(errors).sum(0), (errors**2).sum(0), np.abs(errors).sum(0)], 1)

    def score(self, sums):
        rmse, mae = by_target(sums).mean(1)
        return {"rmse": float(rmse), "mae": float(mae)}


def by_target(sums: np.ndarray) -> np.ndarray:
    """rmse and mae of each target, `(2, targets)`."""
    count = np.maximum(1, sums[:, 0])
    return np.stack([np.sqrt(sums[:, 1] / count), sums[:, 2] / count])
