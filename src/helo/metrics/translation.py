"""BLEU and chrF by sacrebleu (Post 2018; Papineni et al. 2002; Popović 2015), with its signatures, and exact matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helo.errors import HeloError
from helo.metrics.captions import unparted


def score(answers: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """bleu and chrf from 0 to 100, with their signatures; bleu_lower, the same of lower-cased text; exact, the share of
    lines that are the reference to the letter, from 0 to 1. Words are those of sacrebleu's tokeniser for the references'
    language where it parts none by blanks, which the signature names.
    """
    BLEU, CHRF = library()
    cut = _cut(BLEU, references)
    bleu, lower, chrf = BLEU(tokenize=cut), BLEU(tokenize=cut, lowercase=True), CHRF()
    figures: dict[str, Any] = {
        "bleu": bleu.corpus_score(answers, [references]).score,
        "bleu_lower": lower.corpus_score(answers, [references]).score,
        "chrf": chrf.corpus_score(answers, [references]).score,
        "exact": sum(a == r for a, r in zip(answers, references, strict=True)) / max(1, len(answers)),
    }
    signatures = {"signature": bleu, "signature_lower": lower, "signature_chrf": chrf}
    return figures | {name: str(metric.get_signature()) for name, metric in signatures.items()}


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


def library() -> tuple[Any, Any]:
    """sacrebleu's BLEU and CHRF. Raises HeloError where it is missing."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise HeloError("BLEU and chrF are sacrebleu's", mend="pip install 'helo[translate]'") from error
    return BLEU, CHRF
