"""BLEU and chrF by sacrebleu (Post 2018; Papineni et al. 2002; Popović 2015), with its signatures, and exact matches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from helo.errors import wrap
from helo.metrics.base import Metric
from helo.metrics.captions import unparted

PARTS = (10, 20)  # where the statistics of bleu end, and those of bleu_lower
SIGNATURES = ("signature", "signature_lower", "signature_chrf")


class Translation(Metric):
    """Statistics: sacrebleu's, of bleu, bleu_lower and chrf, one after the other, then exact matches and texts. Score: bleu and
    chrf from 0 to 100; bleu_lower, of lower-cased text; exact, the share of texts that are equal to a reference, from 0
    to 1. If the language of the references has no spaces between words, sacrebleu's tokeniser for it is used, and the
    signatures name it.
    """

    kinds = ("text",)
    figures = ("bleu", "bleu_lower", "chrf", "exact")

    def statistics(self, answers, references):
        aligned = list(zip_longest(*references))  # the first reference of each, the second of each, …
        counts = [np.sum(m._extract_corpus_statistics(answers, aligned), 0) for m in library(references).values()]
        exact = sum(a in known for a, known in zip(answers, references, strict=True))
        return np.concatenate([*counts, [exact, len(answers)]])

    def score(self, sums):
        parts = zip(library().items(), np.split(sums[:-2], PARTS), strict=True)
        found = {name: metric._compute_score_from_stats(part.tolist()).score for (name, metric), part in parts}
        return found | {"exact": float(sums[-2] / max(1, sums[-1]))}

    def notes(self, answers, references):
        several = {len(known) for known in references}
        found = {}
        for name, metric in zip(SIGNATURES, library(references).values(), strict=True):
            metric.num_refs = min(several) if len(several) == 1 else -1
            found[name] = str(metric.get_signature())
        return found


def library(references: Sequence[Sequence[str]] = ()) -> dict[str, Any]:
    """sacrebleu's own, with the tokeniser of the references. Raises HeloError where it is missing."""
    with wrap(ImportError, "BLEU and chrF need sacrebleu", mend="pip install 'helo[translate]'"):
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    cut = _cut(BLEU, [text for known in references for text in known])
    return {"bleu": BLEU(tokenize=cut), "bleu_lower": BLEU(tokenize=cut, lowercase=True), "chrf": CHRF()}


def _cut(BLEU: Any, references: Sequence[str]) -> str:
    """A name of sacrebleu's tokenisers: of Chinese, Japanese, and everything else."""
    if not unparted(references):
        return "13a"
    if not any("\u3040" <= c <= "\u30ff" for text in references for c in text):  # kana
        return "zh"
    try:
        BLEU(tokenize="ja-mecab")
    except RuntimeError:  # it needs more packages
        return "char"
    return "ja-mecab"
