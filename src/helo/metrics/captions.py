"""How well sentences describe: BLEU-1 to 4, ROUGE-L, CIDEr and CIDEr-D over all references of a picture, without Java.

score(answers, references)     all figures of a set of pictures, usable by itself
tokens(text)                   the words that are compared
Captions                       the metric

The definitions are those of the COCO caption evaluation (Chen et al. 2015), so that figures compare with what papers
print: BLEU of the corpus with the closest reference length (Papineni et al. 2002), ROUGE-L with β = 1.2 (Lin 2004),
CIDEr (Vedantam, Zitnick and Parikh 2015) with the document frequencies of the references at hand. What that evaluation
prints as CIDEr is the paper's CIDEr-D, so `cider` and `cider_d` are one number here, and `cider_plain` is the paper's
CIDEr, without clipping and without a penalty for length.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helo.metrics.base import Metric

ORDER = 4  # n-grams of up to so many words
SIGMA = 6.0  # of CIDEr-D's penalty for another length, in words
BETA = 1.2  # ROUGE-L's weight of recall over precision

Words = Sequence[str]
Grams = Counter[tuple[str, ...]]

# Clitics and what stands for not are words of their own, as in the Penn Treebank; abbreviations keep their points.
_CLITIC = re.compile(r"(?<=\w)(n['’]t|['’](?:s|re|ve|d|m|ll))(?![\w'’])")
_WORD = re.compile(
    r"n['’]t(?!\w)|['’](?:s|re|ve|d|m|ll)(?!\w)|o['’]clock"
    r"|(?<![\w.])(?:(?:[a-z]\.){2,}|[a-z]\.(?=\s+\S)|(?:mr|mrs|ms|dr|jr|sr|st|prof|vs)\.|no\.(?=\s*\d))"
    r"|\d+:\d+|@\w+|\w+(?:[-./,]\w+)*|!{2,}|\?{2,}|[^\w\s]"
)
_TWO = {"cannot": ("can", "not"), "gonna": ("gon", "na"), "wanna": ("wan", "na"), "gotta": ("got", "ta")}
_MARKS = frozenset("'`.?!,:-;\"“”‘’…–—")  # what the COCO evaluation takes out after tokenising
# It means to take out brackets too, but looks for them in upper case where the tokeniser has lowered them: they count.
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}


def tokens(text: str) -> list[str]:
    """Words in lower case as the Penn Treebank parts them, without punctuation: what the COCO evaluation compares.

    Of 40,031 captions and oddities that were tried, all but six come out as Stanford's tokeniser has them.
    """
    out: list[str] = []
    for word in _WORD.findall(_CLITIC.sub(r" \1", unicodedata.normalize("NFC", text).lower())):
        if word not in _MARKS:
            out += _TWO.get(word, (BRACKETS.get(word) or word.replace("’", "'"),))
    return out


def signs(text: str) -> list[str]:
    """Every character but blanks and punctuation: for scripts that part no words."""
    kept = (c for c in unicodedata.normalize("NFKC", text).lower() if not c.isspace())
    return [c for c in kept if not unicodedata.category(c).startswith("P")]


def unparted(texts: Iterable[str]) -> bool:
    """Whether most letters of some texts are of a script that parts no words by blanks."""
    letters = [c for text in texts for c in text if c.isalpha()]
    return sum("\u2e80" <= c <= "\u9fff" or "\u3040" <= c <= "\u30ff" for c in letters) * 2 > len(letters)


def grams(words: Words) -> Grams:
    """How often each n-gram stands there, n from 1 to ORDER."""
    found: Grams = Counter()
    for n in range(1, ORDER + 1):
        found.update(zip(*(words[i:] for i in range(n)), strict=False))
    return found


def bleu_statistics(answer: Words, references: Sequence[Words]) -> np.ndarray:
    """Of one picture, `(2 + 2 · ORDER,)`, to be added up: the answer's length, the closest reference length (the shorter
    of two as close), n-grams that match, n-grams there are.
    """
    most: Grams = Counter()
    for reference in references:
        most |= grams(reference)
    match, count = np.zeros(ORDER), np.zeros(ORDER)
    for gram, n in grams(answer).items():
        match[len(gram) - 1] += min(n, most[gram])
    for n in range(ORDER):
        count[n] = max(0, len(answer) - n)
    closest = min((abs(len(r) - len(answer)), len(r)) for r in references)[1]
    return np.array([len(answer), closest, *match, *count])


def bleu(sums: np.ndarray) -> list[float]:
    """BLEU-1 … BLEU-ORDER, from 0 to 100."""
    length, closest = sums[:2]
    match, count = sums[2 : 2 + ORDER], sums[2 + ORDER :]
    penalty = 1.0 if length >= closest else math.exp(1 - closest / length) if length else 0.0
    out, product = [], 1.0
    for n in range(ORDER):
        product *= match[n] / count[n] if count[n] else 0.0
        out.append(float(100 * penalty * product ** (1 / (n + 1))))
    return out


def rouge_l(answer: Words, references: Sequence[Words]) -> float:
    """F of the longest common subsequence, of the best precision and the best recall over the references; 0 to 1."""
    common = [_subsequence(answer, r) for r in references]
    precision = max(c / len(answer) for c in common) if answer else 0.0
    recall = max(c / len(r) if r else 0.0 for c, r in zip(common, references, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _subsequence(a: Words, b: Words) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], before + 1 if word == other else max(row[j], row[j - 1])
    return row[-1]


class Cider:
    """CIDEr and CIDEr-D with the document frequencies of some pictures' references; also a reward to learn from."""

    def __init__(self, references: Sequence[Sequence[Words]]):
        """references: of every picture of the corpus, the words of each of its sentences."""
        self.frequency: Counter[tuple[str, ...]] = Counter()
        for sentences in references:
            self.frequency.update({g for words in sentences for g in grams(words)})
        self.log_pictures = math.log(max(1, len(references)))
        self._known: dict[tuple[str, ...], tuple[list[dict[Any, float]], list[float], int]] = {}

    def vector(self, words: Words) -> tuple[list[dict[Any, float]], list[float], int]:
        """For each n the n-grams' frequencies times their rarity, its norm, and the length in pairs of words."""
        parts: list[dict[Any, float]] = [{} for _ in range(ORDER)]
        for gram, n in grams(words).items():
            rarity = self.log_pictures - math.log(max(1, self.frequency[gram]))
            parts[len(gram) - 1][gram] = n * rarity
        norms = [math.sqrt(sum(v * v for v in part.values())) for part in parts]
        return parts, norms, max(0, len(words) - 1)

    def _reference(self, words: Words) -> tuple[list[dict[Any, float]], list[float], int]:
        key = tuple(words)
        if key not in self._known:
            self._known[key] = self.vector(words)
        return self._known[key]

    def score(self, answer: Words, references: Sequence[Words]) -> tuple[float, float]:
        """(CIDEr-D, plain CIDEr) of one picture, from 0 to 10: the mean over n and over the references."""
        mine, norms, length = self.vector(answer)
        clipped = plain = 0.0
        for reference in references:
            theirs, their_norms, their_length = self._reference(reference)
            near = math.exp(-((length - their_length) ** 2) / (2 * SIGMA**2))
            for n in range(ORDER):
                both = norms[n] * their_norms[n] or 1.0
                shared = [(v, theirs[n][g]) for g, v in mine[n].items() if g in theirs[n]]
                clipped += near * sum(min(a, b) * b for a, b in shared) / both
                plain += sum(a * b for a, b in shared) / both
        share = 10.0 / ORDER / len(references)
        return clipped * share, plain * share


@dataclass(frozen=True)
class Captions(Metric):
    """Statistics: those of BLEU, then the sums of ROUGE-L, CIDEr-D, plain CIDEr, exact matches and the number of answers. Score: bleu_1 to
    bleu_4 and rouge_l from 0 to 100, cider, cider_d and cider_plain from 0 to 10, exact, the share of answers that are equal to one of
    the references, from 0 to 1. cider: the document frequencies of the whole corpus, if it is not given all at once.
    """

    kinds = ("words",)
    figures = (*(f"bleu_{n}" for n in range(1, ORDER + 1)), "rouge_l", "cider", "cider_d", "cider_plain", "exact")

    cider: Cider | None = None

    def statistics(self, answers, references):
        cider, pairs = self.cider or Cider(references), list(zip(answers, references, strict=True))
        sums = sum((bleu_statistics(a, r) for a, r in pairs), np.zeros(2 + 2 * ORDER))
        each = np.array([(rouge_l(a, r), *cider.score(a, r), a in r) for a, r in pairs])
        return np.array([*sums, *(np.sum(column) for column in each.T), len(pairs)])

    def corpus(self, references):
        return replace(self, cider=self.cider or Cider(references))

    def score(self, sums):
        rouge, cider, plain, exact = (float(v) for v in sums[-5:-1] / max(1, sums[-1]))
        found = {f"bleu_{n}": v for n, v in enumerate(bleu(sums[:-5]), 1)}
        return found | {"rouge_l": 100 * rouge, "cider": cider, "cider_d": cider, "cider_plain": plain, "exact": exact}

    def notes(self, answers, references):
        """distinct_1 and distinct_2, the share of n-grams that are different; vocabulary, how many words the answers use."""
        found: dict[str, Any] = {}
        for n in (1, 2):
            seen = [g for words in answers for g in zip(*(words[i:] for i in range(n)), strict=False)]
            found[f"distinct_{n}"] = len(set(seen)) / max(1, len(seen))
        return found | {"vocabulary": len({w for words in answers for w in words})}


def score(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    cut: Callable[[str], list[str]] | None = None,
    named: str = "",
) -> dict[str, Any]:
    """Figures of one sentence per picture, compared with all its references, and how sentences were split.

    bleu_1 to bleu_4 and rouge_l from 0 to 100, cider, cider_d and cider_plain from 0 to 10; exact, the share of answers
    that are equal to a reference, and distinct_1 and distinct_2, the share of different n-grams, from 0 to 1; vocabulary,
    the number of words in the answers. cut: the function that splits a text into words, named `named`; by default `tokens`,
    or `signs` if the references' script has no spaces between words.
    """
    if not answers or len(answers) != len(references) or not all(references):
        raise ValueError(f"{len(answers)} answers and {len(references)} sets of references, each of at least one")
    if cut is None:
        alone = unparted(r for sentences in references for r in sentences)
        cut, named = (signs, "characters without punctuation") if alone else (tokens, NAMED)
    said, truth = [cut(a) for a in answers], [[cut(r) for r in sentences] for sentences in references]
    metric = Captions()
    return metric.score(metric.statistics(said, truth)) | metric.notes(said, truth) | {"tokenisation": named}


NAMED = "lower case, clitics parted as in the Penn Treebank, no punctuation"
