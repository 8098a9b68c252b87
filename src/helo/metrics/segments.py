"""Edit score and segmental F1 of a label a frame, as the action-segmentation papers define them."""

from __future__ import annotations

import numpy as np

from helo.metrics.base import Metric

OVERLAPS = (0.10, 0.25, 0.50)


def segments(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(label, start, one behind the end) of each segment of labels `(frames,)`."""
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(labels)) + 1, [len(labels)]])
    return labels[cuts[:-1]], cuts[:-1], cuts[1:]


class Segments(Metric):
    """A segment is a stretch of one label. Statistics `(2 + 3 · overlaps,)`: the edit score of each video and 1; and hits,
    false positives and misses at each overlap. Score: edit, f1_10, f1_25, f1_50, from 0 to 100: the mean edit score, and F1 of all videos'
    segments together (Lea et al. 2017; Farha and Gall 2019, whose published script these agree with).
    """

    kinds = ("steps",)
    figures = ("edit", *(f"f1_{round(100 * overlap)}" for overlap in OVERLAPS))

    def statistics(self, answers, references):
        return np.sum([_statistics(a, b) for a, b in zip(answers, references, strict=True)], axis=0)

    def score(self, sums):
        found = {"edit": float(sums[0] / max(1.0, sums[1]))}
        for name, (hit, wrong, missed) in zip(self.figures[1:], sums[2:].reshape(-1, 3), strict=True):
            found[name] = float(200 * hit / max(1.0, 2 * hit + wrong + missed))
        return found


def _statistics(answer: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Of one video, labels as whole numbers `(frames,)` each."""
    said, true = segments(answer), segments(truth)
    distance = _levenshtein(said[0].tolist(), true[0].tolist())
    edit = 100 * (1 - distance / max(len(said[0]), len(true[0])))
    counts = [n for overlap in OVERLAPS for n in _matches(said, true, overlap)]
    return np.array([edit, 1, *counts], np.float64)


def _matches(said, true, overlap: float) -> tuple[int, int, int]:
    """Each segment said is a hit when the one of its label that it overlaps most is not taken, and enough of it."""
    taken = np.zeros(len(true[0]), bool)
    hit = 0
    for label, start, stop in zip(*said, strict=True):
        common = np.minimum(stop, true[2]) - np.maximum(start, true[1])
        union = np.maximum(stop, true[2]) - np.minimum(start, true[1])
        share = common / union * (true[0] == label)
        best = int(share.argmax())
        if share[best] >= overlap and not taken[best]:
            taken[best], hit = True, hit + 1
    return hit, len(said[0]) - hit, len(true[0]) - hit


def _levenshtein(a: list[int], b: list[int]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]
