"""F1 of several labels an example.

Statistics: hits, labels said, labels true, one row a label, and (examples all right, examples). Definitions as
scikit-learn's `f1_score(average="micro" | "macro" | "weighted", zero_division=0)` and `accuracy_score` on a matrix.
"""

from __future__ import annotations

import numpy as np


def statistics(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Boolean `(examples, labels)` each, to `(labels + 1, 3)`."""
    rows = np.stack([(answers & truth).sum(0), answers.sum(0), truth.sum(0)], 1)
    return np.concatenate([rows, [[int((answers == truth).all(1).sum()), len(answers), 0]]])


def score(sums: np.ndarray) -> dict[str, float]:
    """accuracy (all labels of an example right), micro_f1, macro_f1, weighted_f1, from 0 to 1."""
    hit, said, true = sums[:-1].T
    f1 = 2 * hit / np.maximum(1, said + true)
    return {
        "accuracy": float(sums[-1, 0] / max(1, sums[-1, 1])),
        "micro_f1": float(2 * hit.sum() / max(1, (said + true).sum())),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * true).sum() / max(1, true.sum())),
    }
