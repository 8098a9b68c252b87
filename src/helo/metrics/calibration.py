"""How far stated probabilities are from how often they are right.

Statistics: of BINS equal bins over the probability of the answer, `(count, sum of probabilities, right)`. Score: the
expected calibration error (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017).
"""

from __future__ import annotations

import numpy as np

BINS = 15


def statistics(probability: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Probabilities `(examples,)` and whether each answer was right, to `(BINS, 3)`."""
    where = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    return np.stack([np.bincount(where, w, BINS) for w in (np.ones(len(where)), probability, right.astype(float))], 1)


def score(sums: np.ndarray) -> dict[str, float]:
    """calibration_error, from 0 to 1: the mean over examples of |probability - share right| of their bin."""
    return {"calibration_error": float(np.abs(sums[:, 1] - sums[:, 2]).sum() / max(1.0, sums[:, 0].sum()))}
