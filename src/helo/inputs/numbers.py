"""Numbers at every step: a time series, the features of a video's frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from helo.data.ragged import Ragged
from helo.data.readers.columns import as_numbers, by_name
from helo.errors import HeloError
from helo.inputs.base import EVERY, Input
from helo.layers import proportions
from helo.saved import fields

# In training, in units of a feature's spread: noise on every number, and how far a feature of an example is stretched.
# On four small archives of series both together raised the accuracy of held-out series by one to ten points.
JITTER, SCALED = np.float32(0.1), np.float32(0.1)
LARGEST = 3.4e38  # of a float32
LONGEST = 512  # steps of a series: of longer ones several neighbours are averaged to one
FINEST = 4096  # of one that is searched for patterns
SEARCHED = 64  # features; each pattern sees a random mix of some, which of more of them (frames of videos) says little
KEPT = 20_000  # series, of which what was found is kept (27 kB each)
BEFORE = 8  # steps of training's mean that go before an example's own, when its mean is taken: few steps tell little


@dataclass(frozen=True)
class Views:
    """What a series is seen as beside its scaled values: scaled by its own mean and spread, and the differences of that from
    step to step. Where `by` steps are averaged to one, also how they differ among each other. changes, spreads
    `(features,)`: by which the last two are divided. proportions: whether a classifier also reads how often patterns stand
    in them (`layers/proportions.py`), as those of before do not.
    """

    by: int
    changes: np.ndarray
    spreads: np.ndarray
    proportions: bool = True

    @classmethod
    def learn(cls, inputs: Sequence[np.ndarray], longest: int | None = LONGEST) -> Views:
        """From series `(time, features)`, NaN where a value is missing. longest: of more steps several become one; None where each step
        is answered: then there is nothing to count patterns in.
        """
        one = np.ones(inputs[0].shape[1])
        views = cls(1 if longest is None else -(-max(map(len, inputs)) // longest), one, one)
        made = [views.of(x) for x in inputs]
        usual = [np.sqrt((np.concatenate([m[i] for m in made]) ** 2).mean(0)) for i in (1, 2)]
        changes, spreads = (np.where(u > 1e-6, u, 1.0) for u in usual)  # beside 1, less than that is rounding
        return cls(views.by, changes, spreads, longest is not None and len(one) <= SEARCHED)

    def of(self, x: np.ndarray) -> list[np.ndarray]:
        """The views of a series, each `(steps, features)`, 0 where a value is missing; the last only where `by` is above 1."""
        own = _own(x)
        short, there = self.averaged(own, ~np.isnan(x))
        known = there[1:] * there[:-1] > 0
        changes = np.concatenate([short[:1] * 0, np.where(known, np.diff(short, axis=0), 0)]) / self.changes
        spread = np.sqrt(np.maximum(0, self.averaged(own**2, ~np.isnan(x))[0] - short**2)) / self.spreads
        return [short, changes, spread]

    def fine(self, x: np.ndarray) -> np.ndarray:
        """In what a series `(time, features)` is searched for patterns, `(steps, 2 · features)`: scaled by itself, and the differences of
        that. Every step is one, up to FINEST: what is short would be lost in an average.
        """
        views = replace(self, by=max(1, -(-len(x) // FINEST)))
        own, there = views.averaged(_own(x), ~np.isnan(x))
        changes = np.concatenate([own[:1] * 0, np.where(there[1:] * there[:-1] > 0, np.diff(own, axis=0), 0)])
        usual = np.sqrt((changes**2).sum() / max(1, changes.size))
        return np.concatenate([own, changes / max(1e-6, usual)], 1, dtype=np.float32)

    def averaged(self, x: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of each `by` steps, of those values that are there, and the share of them."""
        at = np.arange(0, len(x), self.by)
        count = np.add.reduceat(there, at, axis=0, dtype=np.float64) if len(x) else there * 1.0
        total = np.add.reduceat(np.where(there, x, 0), at, axis=0) if len(x) else x
        return total / np.maximum(1, count), count / np.minimum(self.by, len(x) - at)[:, None]


class Numbers(Input):
    """Each feature less its mean over its spread, as in training; a missing value is the mean, and then a second number
    a feature says what is missing. Features that have names are taken by them. level: whether what an example is on the
    whole counts; where it does not, what its own mean differs from that of training is taken off first. noisy: whether
    in training features are stretched and get noise. views: of series, what they are seen as beside that; they are then
    shorter, too, and convolutions go before the recurrence.
    """

    reads = ("frames", "vector", "picture")

    def __init__(self, mean, spread, missing: bool, names=None, level: bool = True, noisy: bool = True,
                 views: Views | None = None):  # fmt: skip
        self.mean, self.std, self.missing = np.asarray(mean, np.float64), np.asarray(spread, np.float64), missing
        self.names, self.level, self.noisy, self.views = names, level, noisy, views
        several = 0 if views is None else 2 + (views.by > 1)
        self.width = len(self.mean) * (1 + several + missing)

    @classmethod
    def learn(
        cls, examples, level: bool = True, noisy: bool = True, views: bool = False, longest: int | None = LONGEST
    ):
        """Means and standard deviations of these series, by which all are scaled. views: whether they are seen as `Views`, too;
        longest: then, of more steps several become one.
        """
        inputs = [np.asarray(x, np.float64).reshape(len(x), -1) for x in examples.inputs]
        whole = np.concatenate(inputs)
        holes = np.isnan(whole)
        count = np.maximum(1, (~holes).sum(0))
        mean = np.where(holes, 0, whole).sum(0) / count
        if not level:
            whole = np.concatenate([x - _level(x, mean) for x in inputs])
        spread = np.sqrt(np.where(holes, 0, (whole - mean) ** 2).sum(0) / count)
        seen = Views.learn(inputs, longest) if views else None
        return cls(mean, varied(spread, mean), bool(holes.any()), examples.notes.get("features"), level, noisy, seen)

    def _encode(self, examples):
        inputs, given = examples.inputs, examples.notes.get("features")
        if self.names is not None and given is not None and given != self.names:
            inputs = [by_name(x, given, self.names, examples.place(0)) for x in inputs]
        scaled, fine = [], []
        for i, x in enumerate(inputs):
            if x.ndim != 2 or x.shape[1] != len(self.mean):
                expected = f"(time, {len(self.mean)}), as in training"
                raise HeloError(f"numbers of shape {x.shape}", expected=expected, where=examples.place(i))
            if x.dtype == object:  # of a table in which some cells are texts
                x = as_numbers(x, self.names or given or (), self.names or given or (), partial(examples.place, i))
            x = np.asarray(x, np.float64)  # as far as here: of what is large, float32 loses what sets it apart
            z = (x - self.mean if self.level else x - _level(x, self.mean) - self.mean) / self.std
            holes = np.isnan(z)
            # An outlier is far, not a thousand times as far.
            z, parts = np.where(holes, 0, np.clip(z, -10, 10)), []
            if self.views is not None:
                z, there = self.views.averaged(z, ~holes)
                holes, parts = 1 - there, self.views.of(x)[: self.width // len(self.mean) - 1 - self.missing]
                parts = [np.clip(p, -10, 10) for p in parts]
                if self.views.proportions:
                    fine.append(self.views.fine(x))
            parts += [holes] if self.missing else []
            scaled.append(np.concatenate([z, *parts], 1, dtype=np.float32))
        found = Ragged.of(fine, np.float32, (2 * len(self.mean),)) if self.views and self.views.proportions else None
        return _Encoded(Ragged.of(scaled, np.float32, (self.width,)), self.noisy, found)

    def to_json(self):
        return {
            "form": "numbers", "mean": self.mean.tolist(), "spread": self.std.tolist(), "missing": self.missing,
            "names": self.names, "level": self.level,
        } | ({} if self.noisy else {"noisy": False}) | ({} if self.views is None else {"views": {
            "by": self.views.by, "changes": self.views.changes.tolist(), "spreads": self.views.spreads.tolist(),
            "proportions": self.views.proportions,
        }})  # fmt: skip

    @classmethod
    def from_json(cls, saved):
        _, mean, spread, missing, names, level, noisy, seen = fields(
            {"names": None, "level": True, "noisy": True, "views": None, **saved}, form=Literal["numbers"], mean=list[float],
            spread=list[float], missing=bool, names=list[str] | None, level=bool, noisy=bool, views=dict | None,
        )  # fmt: skip
        if not mean or len(spread) != len(mean) or (names is not None and len(names) != len(mean)):
            raise ValueError(f"{len(mean)} means, {len(spread)} spreads, {len(names or mean)} names")
        if not (all(abs(m) < LARGEST for m in mean) and all(0 < s < LARGEST for s in spread)):
            raise ValueError("a mean or a spread beyond what it may be")
        if seen is not None:
            by, changes, spreads, proportions = fields(
                {"proportions": False, **seen}, by=int, changes=list[float], spreads=list[float], proportions=bool
            )
            if by < 1 or any(len(v) != len(mean) or not all(0 < s < LARGEST for s in v) for v in (changes, spreads)):
                raise ValueError(f"{len(mean)} means, {len(changes)} changes, {len(spreads)} spreads, every {by} steps")
            seen = Views(by, np.asarray(changes, np.float64), np.asarray(spreads, np.float64), proportions)
        return cls(mean, spread, missing, names, level, noisy, seen)


def varied(spread: Any, mean: Any) -> Any:
    """Spreads by which numbers are divided: 1 for what is constant but for rounding in float64."""
    return np.where(spread > 1e-12 * abs(mean), spread, 1.0)


def _level(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """How far numbers `(time, features)` lie from a mean as a whole, `(features,)`, shrunk by BEFORE."""
    there = ~np.isnan(x)
    far = np.where(there, x - mean, 0).sum(0, dtype=np.float64)
    return (far / (there.sum(0) + BEFORE)).astype(x.dtype)


def _own(x: np.ndarray) -> np.ndarray:
    """Numbers `(time, features)` less their mean over their spread, 0 where one is missing."""
    there = ~np.isnan(x)
    count = np.maximum(1, there.sum(0))
    mean = np.where(there, x, 0).sum(0) / count
    own = np.where(there, x - mean, 0)
    return np.clip(own / varied(np.sqrt((own**2).sum(0) / count), mean), -10, 10)


class _Encoded:
    """xs: what the layers read. fine: of series in which patterns are searched for, `Views.fine` of them."""

    def __init__(self, xs: Ragged, noisy: bool, fine: Ragged | None = None):
        self.xs, self.lengths, self.noisy, self.fine = xs, xs.lengths, noisy, fine
        self.known: dict[int, np.ndarray] = {}

    def windows(self, size: int) -> _Encoded:
        return _Encoded(self.xs.windows(size), self.noisy)

    def batch(self, rows, rng=None, mine=EVERY):
        xs, lengths = self.xs.padded(rows)
        if rng is not None and self.noisy:
            xs = xs * np.exp(SCALED * rng.standard_normal((len(rows), 1, xs.shape[2]), np.float32))
            inside = np.arange(xs.shape[1]) < lengths[:, None]
            xs = xs + JITTER * rng.standard_normal(xs.shape, np.float32) * inside[..., None]
        xs, lengths = xs[mine], lengths[mine]
        batch = {"xs": xs[:, : max(1, lengths.max(initial=0))], "lengths": lengths}
        return batch if self.fine is None else batch | {"proportions": self.proportions(rows[mine], self.fine)}

    def proportions(self, rows: np.ndarray, fine: Ragged) -> np.ndarray:
        """How often patterns stand in some examples, `(rows, numbers)`: without noise, since noise would be patterns too, and so only
        computed once.
        """
        found = np.zeros((len(rows), proportions.WIDTH * 2), np.float32)
        for k, i in enumerate(rows.tolist()):
            if (own := self.known.get(i)) is None:
                own = proportions.of(fine[i][None], fine.lengths[i : i + 1])[0]
                if len(self.known) < KEPT:
                    self.known[i] = own
            found[k] = own
        return found


# Of what there is to know of a label, the share that its video may tell before what the video is on the whole counts:
# people and places differ more than what they do, and a model that sees the difference learns who it is.
TELLING = 0.1


def differ(labels: Sequence[Sequence[str]]) -> bool:
    """Whether sequences differ in which labels they have: who knows the sequence then knows more than TELLING of what
    there is to know of a label (mutual information over entropy; it comes out too large for short sequences).
    """
    inside = sum(_surprise(Counter(sequence)) for sequence in labels)
    return 1 - inside / _surprise(Counter(y for sequence in labels for y in sequence)) > TELLING


def _surprise(counts: Counter[str]) -> float:
    """Entropy of the labels, in nats, times how many there are."""
    n = np.array(list(counts.values()), float)
    return float(-(n * np.log(n / n.sum())).sum())
