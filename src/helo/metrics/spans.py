"""F1 of spans."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric


class Spans(Metric):
    """Statistics `(3,)`: hits, predicted spans, true spans. Score, from 0 to 1, over all types, as conlleval and seqeval's `f1_score`
    (micro): a span is right if its start, end and type are right.
    """

    kinds = ("spans",)
    figures = ("span_f1", "span_precision", "span_recall")

    def statistics(self, answers, references):
        pairs = [(set(a), set(b)) for a, b in zip(answers, references, strict=True)]
        return np.array([sum(map(len, found)) for found in ([a & b for a, b in pairs], *zip(*pairs, strict=True))])

    def score(self, sums):
        hit, said, true = sums
        return {
            "span_f1": float(2 * hit / max(1, said + true)),
            "span_precision": float(hit / max(1, said)),
            "span_recall": float(hit / max(1, true)),
        }
