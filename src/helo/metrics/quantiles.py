"""How well quantiles describe the true numbers."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric

DECILES = np.arange(1, 10) / 10


class Quantiles(Metric):
    """Statistics `(targets, 2)`: examples, sum of the pinball losses, each the mean over the deciles. Score: pinball, in the unit of
    the target, the mean of scikit-learn's `mean_pinball_loss` over the deciles and over the targets. Beside it coverage_80, the share
    of true numbers between the first and the last decile, from 0 to 1, which should be 0.8.
    """

    kinds = ("quantiles",)
    figures = ("pinball",)
    higher_is_better = False

    def statistics(self, answers, references):
        losses = pinball(answers, references)
        return np.stack([np.ones_like(losses).sum(0), losses.sum(0)], 1)

    def score(self, sums):
        return {"pinball": float(by_target(sums).mean())}

    def notes(self, answers, references):
        return {"coverage_80": float(covered(answers, references).mean())}


def pinball(answers: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The pinball loss of each number `(…)`, the mean over its deciles `(…, 9)`."""
    over = references[..., None] - answers
    return np.maximum(DECILES * over, (DECILES - 1) * over).mean(-1)


def by_target(sums: np.ndarray) -> np.ndarray:
    """The pinball loss of each target, `(targets,)`."""
    return sums[:, 1] / np.maximum(1, sums[:, 0])


def covered(answers: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The share of true numbers between the outer deciles, of each target: `(examples, targets, 9)` to `(targets,)`."""
    return ((answers[..., 0] <= references) & (references <= answers[..., -1])).mean(0)
