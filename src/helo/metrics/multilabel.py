"""Accuracy and F1 of several labels an example."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric


class Multilabel(Metric):
    """Statistics `(labels + 1, 3)`: hits, predicted labels, true labels, one row per label, and last (examples all right, examples, 0).
    Score, from 0 to 1: accuracy, the share of examples with all labels right, and F1 as scikit-learn's
    `f1_score(average="micro" | "macro" | "weighted", zero_division=0)` and `accuracy_score` on a matrix.
    """

    kinds = ("labels",)
    figures = ("accuracy", "micro_f1", "macro_f1", "weighted_f1")

    def statistics(self, answers, references):
        rows = np.stack([(answers & references).sum(0), answers.sum(0), references.sum(0)], 1)
        return np.concatenate([rows, [[int((answers == references).all(1).sum()), len(answers), 0]]])

    def score(self, sums):
        hit, said, true = sums[:-1].T
        f1 = 2 * hit / np.maximum(1, said + true)
        return {
            "accuracy": float(sums[-1, 0] / max(1, sums[-1, 1])),
            "micro_f1": float(2 * hit.sum() / max(1, (said + true).sum())),
            "macro_f1": float(f1.mean()),
            "weighted_f1": float((f1 * true).sum() / max(1, true.sum())),
        }
