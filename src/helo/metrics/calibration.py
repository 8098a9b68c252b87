"""How far stated probabilities are from how often they are right."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric

BINS = 15


class Calibration(Metric):
    """Statistics for BINS equal bins of the answer's probability, `(BINS, 3)`: count, sum of probabilities, number right.
    Score: calibration_error, from 0 to 1, the mean over examples of |probability - share right| of their bin: the expected
    calibration error (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017).
    """

    kinds = ("probabilities",)
    figures = ("calibration_error",)
    higher_is_better = False

    def statistics(self, answers, references):
        p, right = answers.max(1), (answers.argmax(1) == references).astype(float)
        bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
        return np.stack([np.bincount(bins, weights, BINS) for weights in (np.ones(len(p)), p, right)], 1)

    def score(self, sums):
        error = np.abs(sums[:, 1] - sums[:, 2]).sum() / max(1.0, sums[:, 0].sum())
        return {"calibration_error": float(error)}
