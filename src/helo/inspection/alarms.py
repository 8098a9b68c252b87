"""When something is unusual enough to be said, and how well that agrees with what a person marked as unusual.

Points are never adjusted: an alarm somewhere in a marked stretch does not make the whole stretch found, which lets chance look
good (Kim et al. 2022).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.readers import files as reading
from helo.errors import HeloError

CUTS = 250  # thresholds at which a curve of ranges is taken, as its authors do
WIDEST = 100  # steps of a margin
LEAST = 1e-9  # a rate of false alarms: nobody has so many usual ones


def check(rate: float) -> None:
    """Raises HeloError for what is no rate of false alarms."""
    if not isinstance(rate, int | float | np.number) or not LEAST <= rate < 1:
        raise HeloError(f"{rate!r:.80}", expected="a share from 1e-9 to below 1, such as 0.01", where="--false-alarms")


def threshold(usual: np.ndarray, rate: float, what: str = "lines") -> float:
    """What a score has to be above so that of usual ones a share `rate` is, if new ones are like `usual` `(n,)`: the order
    statistic that holds for any distribution (conformal prediction, Vovk et al. 2005). Raises HeloError where there are too
    few to say so.
    """
    check(rate)
    place = math.ceil((len(usual) + 1) * (1 - rate))
    if place > len(usual):
        raise HeloError(f"{rate:g} with {len(usual):,} {what} for validation", expected=f"{math.ceil(1 / rate) - 1:,} or more",
                        mend="give usual ones with --valid FILES, or a larger rate", where="--false-alarms")  # fmt: skip
    return float(np.sort(usual)[place - 1])


def marked(path: Path, count: int, name: str) -> np.ndarray:
    """Labels out of a file with 1 (unusual) or 0 a line, `(count,)`."""
    rows = reading.lines(path)
    for number, row in enumerate(rows, 1):
        if row.strip() not in ("0", "1"):
            raise HeloError(f"{row.strip()[:40]!r}", expected="1 (unusual) or 0", where=f"{path}:{number}")
    if len(rows) != count:
        raise HeloError(f"{len(rows):,} labels", expected=f"{count:,}, one for each of the {name}", where=str(path))
    return np.array([int(row) for row in rows])


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """The area under the curve of precision over recall, as scikit-learn's `average_precision_score`: the mean, over what is
    labelled, of the precision where it is found. labels `(n,)`, 1: unusual. Equal scores are found together.
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last = np.append(scores[order][1:] != scores[order][:-1], True)  # of each group of equal scores
    hits, count = hits[last], np.arange(1, len(scores) + 1)[last]
    return float((np.diff(hits, prepend=0) * hits / count).sum() / hits[-1])


def vus_pr(labels: np.ndarray, scores: np.ndarray, width: int) -> float:
    """The volume under the surface of precision, recall and the width of a margin about each labelled stretch, within which an
    alarm is partly right: 0 to `width` steps, half of it on either side (Paparrizos et al. 2022). labels, scores `(n,)`.
    """
    ranked = -np.sort(-scores)
    cuts = ranked[np.linspace(0, len(scores) - 1, CUTS).astype(int)]
    marked, own = labels > 0, stretches(labels)
    found = []
    for margin in range(width + 1):
        soft, around = _softened(marked, own, margin)
        recalls, precisions = [0.0], []
        for cut in cuts:
            alarms = scores >= cut
            right, beside = soft[alarms].sum(), soft[alarms & ~marked].sum()
            hit = np.mean([alarms[a : b + 1].any() for a, b in around])
            recalls.append(min(right / (marked.sum() + beside / 2), 1.0) * hit)
            precisions.append(right / alarms.sum())
        found.append(np.dot(np.diff(recalls), precisions))
    return float(np.mean(found))


def stretches(labels: np.ndarray) -> list[tuple[int, int]]:
    """First and last step of each stretch of what is not 0."""
    edges = np.diff((labels > 0).astype(int), prepend=0, append=0)
    return list(zip(np.flatnonzero(edges > 0).tolist(), (np.flatnonzero(edges < 0) - 1).tolist(), strict=True))


def _softened(marked: np.ndarray, own: list[tuple[int, int]], width: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Labels with a margin on either side of each stretch that falls as a root, and the stretches with their margins, those that
    overlap as one.
    """
    soft, half, n = marked.astype(np.float64), width // 2, len(marked)
    around: list[tuple[int, int]] = []
    for first, last in own:
        after = np.arange(last + 1, min(last + half + 1, n))
        soft[after] += np.sqrt(1 - (after - last) / max(1, width))
        before = np.arange(max(first - half, 0), first)
        soft[before] += np.sqrt(1 - (first - before) / max(1, width))
        a, b = max(first - half, 0), min(last + half, n - 1)
        around = [*around[:-1], (around[-1][0], b)] if around and around[-1][1] >= a else [*around, (a, b)]
    return np.minimum(soft, 1.0), around


def figures(labels: np.ndarray, scores: np.ndarray, limit: float | None, days: float | None = None) -> dict[str, Any]:
    """auc_pr and vus_pr, with a margin as wide as the stretches are in the middle; at a threshold precision, recall and f1 of
    points, and alarms a day where it is known how many days it took. labels `(n,)`, 1: unusual. Raises HeloError where all or
    none are.
    """
    marked = int((labels > 0).sum())
    if not 0 < marked < len(labels):
        raise HeloError(f"{marked:,} of {len(labels):,} are marked", expected="some, and not all", where="--labels")
    margin = min(WIDEST, int(np.median([b - a + 1 for a, b in stretches(labels)])))
    found: dict[str, Any] = {
        "auc_pr": average_precision(labels, scores), "vus_pr": vus_pr(labels, scores, margin), "margin": margin, "marked": marked,
    }  # fmt: skip
    if limit is not None:
        alarms = scores > limit
        hits, raised = int((alarms & (labels > 0)).sum()), int(alarms.sum())
        found |= {
            "precision": hits / raised if raised else 0.0,
            "recall": hits / marked,
            "f1": 2 * hits / (raised + marked),
        }
        found |= {"alarms_a_day": raised / days} if days else {}
    return found
