"""F1 of spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from helo.metrics.base import Metric

Span = tuple[int, int, str]  # start, one behind the end, type


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


def by_type(answers: Sequence[Sequence[Span]], references: Sequence[Sequence[Span]]) -> dict[str, tuple[float, ...]]:
    """(precision, recall, F1, support) of each type, sorted by its name, and of "micro avg", "macro avg" and "weighted avg", as
    seqeval's `classification_report` has them.
    """
    hit, said, true = Counter[str](), Counter[str](), Counter[str]()
    for a, b in zip(answers, references, strict=True):
        for counts, found in ((hit, {*a} & {*b}), (said, a), (true, b)):
            counts.update(kind for *_, kind in found)
    names = sorted(said | true)
    counts = np.array([[c[n] for n in names] for c in (hit, said, true)], np.float64).reshape(3, -1)
    each, micro = _scores(*counts), _scores(*counts.sum(1, keepdims=True))
    table = {name or "(unnamed)": (*map(float, row[:3]), int(row[3])) for name, row in zip(names, each.T, strict=True)}
    total, share = int(counts[2].sum()), counts[2] / max(1, counts[2].sum())
    macro = each[:3].mean(1) if names else np.zeros(3)
    for name, row in (("micro avg", micro[:3, 0]), ("macro avg", macro), ("weighted avg", each[:3] @ share)):
        table[name] = (*map(float, row), total)
    return table


def _scores(hit: np.ndarray, said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Rows precision, recall, F1, support."""
    both = np.maximum(1, said + true)
    return np.stack([hit / np.maximum(1, said), hit / np.maximum(1, true), 2 * hit / both, true])


def most_wrong(
    words: Sequence[Sequence[str]],
    answers: Sequence[Sequence[Span]],
    references: Sequence[Sequence[Span]],
    most: int = 10,
) -> list[tuple[str, str, int]]:
    """The most frequent wrong spans, (true, answered, how often), as "text (type)", either "none" where the other side has nothing
    there: a true span beside the first answer that overlaps it, and answers that overlap no wrong span alone.
    """
    counts = Counter[tuple[str, str]]()
    for sentence, a, b in zip(words, answers, references, strict=True):
        missed, extra = sorted({*b} - {*a}), sorted({*a} - {*b})

        def text(span: Span | None, sentence: Sequence[str] = sentence) -> str:
            return "none" if span is None else f"{' '.join(sentence[span[0] : span[1]])} ({span[2] or 'span'})"

        paired = [(m, next((e for e in extra if e[0] < m[1] and m[0] < e[1]), None)) for m in missed]
        counts.update((text(m), text(e)) for m, e in paired)
        counts.update(("none", text(e)) for e in extra if all(e != other for _, other in paired))
    return [(*pair, n) for pair, n in sorted(counts.items(), key=lambda i: (-i[1], i[0]))[:most]]
