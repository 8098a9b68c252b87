"""Accuracy and F1 of one label an example or step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helo.metrics.base import Metric


class Classification(Metric):
    """Statistics: the confusion matrix `(labels, labels)`, rows true labels, columns answers. Score: accuracy, macro_f1,
    weighted_f1, from 0 to 1, as scikit-learn's `f1_score(average="macro" | "weighted", zero_division=0)` over the labels that
    occur among the true labels or the answers.
    """

    kinds = ("label",)
    figures = ("accuracy", "macro_f1", "weighted_f1")

    def statistics(self, answers, references):
        n = len(self.labels)
        return np.bincount(references * n + answers, minlength=n * n).reshape(n, n)

    def score(self, sums):
        _, _, f1, support, present = by_label(sums)
        total = max(1, int(sums.sum()))
        return {
            "accuracy": float(np.trace(sums)) / total,
            "macro_f1": float(f1[present].mean()) if present.any() else 0.0,
            "weighted_f1": float((f1 * support).sum()) / total,
        }


def by_label(confusion: np.ndarray) -> tuple[np.ndarray, ...]:
    """precision, recall, F1, support of each label, and which labels occur."""
    hit, support, said = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision, recall = hit / np.maximum(1, said), hit / np.maximum(1, support)
    f1 = 2 * hit / np.maximum(1, support + said)
    return precision, recall, f1, support, (support + said) > 0


def table(confusion: np.ndarray, labels: Sequence[str]) -> str:
    """The confusion matrix and each label's figures as Markdown; the label most often taken for it where there are many."""
    precision, recall, f1, support, present = by_label(confusion)
    few = len(labels) <= 12
    names = [label.replace("|", "/") for label in labels]
    head = ["true label", "examples", "precision", "recall", "F1", *(names if few else ["most often taken for"])]
    rows = [head, ["---"] * len(head)]
    for i in np.flatnonzero(present):
        others = np.where(np.arange(len(labels)) == i, -1, confusion[i])
        taken = f"{names[int(others.argmax())]} ({others.max()})" if others.max() > 0 else ""
        cells = [f"{v:,}" for v in confusion[i]] if few else [taken]
        rows.append([names[i], f"{support[i]:,}", f"{precision[i]:.3f}", f"{recall[i]:.3f}", f"{f1[i]:.3f}", *cells])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
