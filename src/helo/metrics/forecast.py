"""Figures of forecasts, each as its source defines it; kind of answer: forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo.metrics.base import Metric
from helo.metrics.quantiles import covered, pinball


@dataclass(frozen=True)
class Forecast(Metric):
    """wql: the weighted quantile loss, of each decile twice the sum of the pinball losses over the sum of |truth|, their mean
    (GluonTS's `mean_wQuantileLoss`). mase: of each window the mean distance of the median over that of a series from itself
    one season before (Hyndman and Koehler 2006), their mean. smape: in percent, 200 |truth - median| / (|truth| + |median|),
    as in the M4 competition. mae: of the median. rmse: of the mean. Beside them coverage_80, the share that lies between the first and the
    last decile, which should be 0.8.

    answers: the mean and the deciles, `(horizon, 10)` a window; references: what came, with `values` `(horizon,)`, NaN where nothing did, and
    `error`, how far the series is from itself one season before on average, NaN where it is not.
    """

    kinds = ("forecast",)
    figures = ("wql", "mase", "smape", "mae", "rmse")
    higher_is_better = False

    def statistics(self, answers: Sequence[np.ndarray], references: Sequence[Any]) -> np.ndarray:
        sums = np.zeros(8)
        for found, truth in zip(answers, references, strict=True):
            there = ~np.isnan(truth.values)
            if not there.any():
                continue
            mean, q, y = found[there, 0], found[there, 1:], truth.values[there]
            median = q[:, 4]
            away, size = np.abs(median - y), np.abs(median) + np.abs(y)
            known = not np.isnan(truth.error)
            sums += [
                2 * pinball(q, y).sum(), np.abs(y).sum(), ((mean - y) ** 2).sum(), (200 * away / np.where(size > 0, size, 1)).sum(), len(y),
                away.mean() / truth.error if known else 0.0, known, away.sum(),
            ]  # fmt: skip
        return sums

    def score(self, sums):
        loss, size, squares, percent, steps, mase, windows, away = map(float, sums)
        steps, nan = max(1.0, steps), float("nan")
        return {
            "wql": loss / size if size else nan, "mase": mase / windows if windows else nan, "smape": percent / steps,
            "mae": away / steps, "rmse": (squares / steps) ** 0.5,
        }  # fmt: skip

    def notes(self, answers, references):
        found, values = np.concatenate(answers), np.concatenate([truth.values for truth in references])
        there = ~np.isnan(values)
        return {"coverage_80": float(covered(found[there, 1:], values[there])) if there.any() else float("nan")}
