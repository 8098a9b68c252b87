"""Windows of series that are to be continued: what came before an origin, and what is known of the steps after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from helo.data import times
from helo.data.histories import KIND, History
from helo.data.readers.columns import category
from helo.errors import HeloError, warn
from helo.inputs import autoregression
from helo.inputs.base import EVERY, Input
from helo.saved import distinct, fields

FAR = 10.0  # deviations: an outlier is far, not a thousand times as far
LEAST = 1e-4  # of the level: the deviation of what hardly varies
STEPS = 64  # of a window at most; a longer one is read several values a step
LONGEST = 1024  # values of a window
CUT = 0.1  # of the windows in training lose what is further back than a random place: series begin with a few values
MOST = 50  # categories of a covariate
FEWEST = 5  # values that say themselves how far they spread
MOST_USUAL = 1e3  # times the level: that of series around 0 says nothing
SMALL = 0.1  # a value as small as this share of all that are not 0, where that is below 1, is what a series of zeros may be off by
LOOKED = 4096  # windows by which it is known how far values usually spread
WINDOWS = 1 << 20  # that are learned from at most; of more, the same share of every series


class Windows(Input):
    """The values before an origin, each less the level and over the deviation of those of the last season, beside those one
    season before; of the steps after it what came one season before them, how far ahead they are, the calendar, and what is
    known in advance. No scale is left in it, so that series of any size are one kind of example.

    lags: of the seasons. bases: those of them from which a forecast is counted. context: values that are read before the
    origin. known: covariates that are known in advance, the first of all. means, spreads: of the covariates over the training
    data. words: of each that is words the categories, one-hot; None of one of numbers. recent: values that an autoregression reads;
    0: there is none. usual: deviation over level, where there are too few values to know a deviation by. parts: in which time is parted,
    each of which has an autoregression that knows nothing of it; 0: it is not. unit: what stands for a deviation where all values are 0.
    """

    reads = (KIND,)

    def __init__(
        self, frequency: str, lags: Sequence[int], bases: Sequence[int], context: int, horizon: int,
        known: int = 0, means: Any = (), spreads: Any = (), words: Sequence[Sequence[str] | None] | None = None,
        recent: int = 0, usual: float = 0.0, parts: int = 0, unit: float = 1.0,
    ):  # fmt: skip
        self.frequency, self.lags, self.bases = frequency, list(lags), list(bases)
        self.context, self.horizon, self.known = context, horizon, known
        self.means, self.spreads = np.asarray(means, np.float64), np.asarray(spreads, np.float64)
        self.patch = -(-context // STEPS)
        self.context = self.patch * -(-context // self.patch)
        self.calendar = times.calendar_width(frequency)
        self.words = list(words or [None] * len(self.means))
        self.usual, self.parts, self.unit = usual, parts, unit
        self.recent, self.coefficients = recent, None  # with which the autoregression begins, where one was fitted
        widths = [1 if w is None else len(w) for w in self.words]
        self.covariates, self.advance = (
            sum(widths),
            sum(widths[:known]),
        )  # numbers of all, and of those known in advance
        self.width = self.patch * (2 + len(self.lags) + self.covariates) + self.calendar
        self.ahead = len(self.lags) + 2 + self.calendar + 2 * self.advance + len(self.bases) + 1

    @classmethod
    def learn(
        cls, histories: Sequence[History], horizon: int, season: int | None = None, few: bool = False, parts: int = 0
    ) -> Windows:
        """Which seasons, how far back, by a rule of the frequency, the horizon and how long the series are; the covariates'
        scale. few: whether there are so few values that an autoregression is fitted to them. parts: in which time is parted.
        """
        frequency = histories[0].clock.frequency
        usual = int(np.median([len(h) for h in histories]))
        own = times.season(frequency) if season is None else season
        every = times.seasons(frequency) if season is None else (season,)
        lags = [n for n in every if n == own or usual >= 2 * n + horizon]
        bases = [n for n in lags if n <= 7 * own] if own > 1 else [1]
        context = max(2 * max(lags), 2 * min(horizon, 256), 12)
        context = min(context, LONGEST, max(12, usual - horizon))
        tables = [np.concatenate([h.known[: len(h)], h.past], 1) for h in histories]
        whole = np.concatenate(tables) if tables else np.zeros((0, 0))
        means, spreads = np.zeros(whole.shape[1]), np.ones(whole.shape[1])
        for k, column in enumerate(whole.T):
            there = column[~np.isnan(column)]
            if len(there):
                means[k], spreads[k] = there.mean(), there.std() or 1.0
        words = [w and _frequent(w, whole[:, k]) for k, w in enumerate(histories[0].words)]
        known = histories[0].known.shape[1]
        self = cls(frequency, lags, bases, context, horizon, known, means, spreads, words, context if few else 0,
                   parts=parts)  # fmt: skip
        sizes = np.abs(np.concatenate([h.values for h in histories]))
        sizes = sizes[sizes > 0]  # NaN is not
        self.unit = float(min(1.0, np.quantile(sizes, SMALL))) if len(sizes) else 1.0
        windows = self.training(histories)
        some = np.unique(np.linspace(0, len(windows.rows) - 1, min(LOOKED, len(windows.rows))).astype(np.int64))
        batch = windows.batch(some)
        level = np.abs(batch["level"])
        self.usual = min(MOST_USUAL, float(np.median(batch["scale"] / np.where(level > 0, level, np.inf))))
        if few:
            self.coefficients = autoregression.fit(windows)
            self.recent = 0 if self.coefficients is None else context
        return self

    def _encode(self, examples):
        return self.of(examples, self.horizon)

    def of(self, examples: Any, horizon: int) -> Encoded:
        """The window before each series' origin, and so many steps after it. Raises HeloError where what is known in advance
        ends before.
        """
        histories: list[History] = list(examples.inputs)
        for i, h in enumerate(histories):
            if np.isnan(h.values[: h.origin]).all():
                raise HeloError("a series without values", expected="one value or more", where=examples.place(i))
            if h.known.shape[1] != self.known or h.known.shape[1] + h.past.shape[1] != len(self.means):
                expected = (
                    f"{self.known} known in advance and {len(self.means) - self.known} of the past, as in training"
                )
                raise HeloError(
                    f"{h.known.shape[1]} and {h.past.shape[1]} covariates", expected=expected, where=examples.place(i)
                )
            if any(w is not None and mine is None for w, mine in zip(h.words, self.words, strict=False)):
                expected = "numbers, as in training"
                raise HeloError("words in a covariate", expected=expected, where=examples.place(i))
            ahead = h.known[h.origin : h.origin + horizon]
            if self.known and (len(ahead) < horizon or np.isnan(ahead).any()):
                step = h.origin + (int(np.isnan(ahead).any(1).argmax()) if np.isnan(ahead).any() else len(ahead))
                of = f"{h.name} {h.clock.text(step)}".strip()
                raise HeloError(f"no --known covariates for {of}", expected=f"those of all {horizon} steps to forecast",
                                mend="add rows with them and no value", where=examples.place(i))  # fmt: skip
        rows = np.arange(len(histories))
        return Encoded(self, histories, rows, np.array([h.origin for h in histories], np.int64), horizon)

    def training(self, histories: Sequence[History]) -> Encoded:
        """A window before each value, as far as the horizon after it has values too, with the parts that its time is in."""
        least = min(max(self.bases), min(len(h) for h in histories) - self.horizon)
        counts = [max(0, len(h) - self.horizon - least + 1) for h in histories]
        rows = np.repeat(np.arange(len(histories)), counts)
        origins = np.concatenate([np.arange(n) + least for n in counts])
        if len(rows) > WINDOWS:
            some = np.linspace(0, len(rows) - 1, WINDOWS).astype(np.int64)
            rows, origins = rows[some], origins[some]
        encoded = Encoded(self, list(histories), rows, origins, self.horizon)
        encoded.parts = self.parts
        return encoded

    def to_json(self):
        return {
            "form": "windows", "frequency": self.frequency, "lags": self.lags, "bases": self.bases, "context": self.context,
            "horizon": self.horizon, "known": self.known, "means": self.means.tolist(), "spreads": self.spreads.tolist(),
        } | ({"words": self.words} if any(w is not None for w in self.words) else {}) | (
            {"recent": self.recent} if self.recent else {}) | {"usual": self.usual, "parts": self.parts} | (
            {"unit": self.unit} if self.unit < 1 else {})  # fmt: skip

    @classmethod
    def from_json(cls, saved):
        _, frequency, lags, bases, context, horizon, known, means, spreads, words, recent, usual, parts, unit = fields(
            {"words": None, "recent": 0, "usual": 0.0, "parts": 0, "unit": 1.0} | saved,
            form=Literal["windows"], frequency=str, lags=list[int], bases=list[int], context=int,
            horizon=int, known=int, means=list[float], spreads=list[float], words=list[list[str] | None] | None,
            recent=int, usual=float, parts=int, unit=float,
        )  # fmt: skip
        if not lags or not bases or not all(0 < n <= 1 << 20 for n in (*lags, *bases, context, horizon)):
            raise ValueError("lags, bases, context or a horizon that are none")
        if len(means) != len(spreads) or not 0 <= known <= len(means) or not all(s > 0 for s in spreads):
            raise ValueError(f"{len(means)} means, {len(spreads)} spreads, {known} known in advance")
        if words is not None and len(words) != len(means):
            raise ValueError(f"{len(means)} means, categories of {len(words)} covariates")
        for i, w in enumerate(words or ()):
            if w is not None and len(distinct(w, f"words of covariate {i + 1}")) > MOST:
                raise ValueError(f"{len(w)} categories of a covariate")
        times.step(frequency)
        if not 0 <= recent <= context:
            raise ValueError(f"an autoregression of {recent} values, of {context} that are read")
        if not 0 <= usual < math.inf:
            raise ValueError(f"a usual deviation of {usual}")
        if not 0 < unit <= 1:
            raise ValueError(f"a unit of {unit}")
        return cls(frequency, lags, bases, context, horizon, known, means, spreads, words, recent, usual, parts, unit)

    def numbers(self, h: History, first: int, last: int) -> np.ndarray:
        """A series' covariates from `first` steps before its beginning to `last` behind it, `(first + last, covariates)`, scaled
        as in training; 0 where one is missing or a category is unknown.
        """
        found = []
        for k, column in enumerate((*h.known.T, *h.past.T)):
            whole = np.full(first + last, np.nan)
            whole[first : first + len(column)] = column[:last]
            words = self.words[k]
            if words is None:
                scaled = (whole - self.means[k]) / self.spreads[k]
                found.append(np.nan_to_num(np.clip(scaled, -FAR, FAR))[:, None])
                continue
            values, own = np.unique(column[~np.isnan(column)]).tolist(), h.words[k] if h.words else None
            names = [category(v, "", "") if own is None else own[int(v)] for v in values]
            places = np.array([words.index(n) if n in words else len(words) for n in names], np.int64)
            there = ~np.isnan(whole)
            hot = np.zeros((first + last, len(words) + 1))
            hot[there, places[np.searchsorted(values, whole[there])]] = 1.0
            found.append(hot[:, :-1])
        return np.concatenate(found, 1) if found else np.zeros((first + last, 0))


@dataclass
class Truth:
    """What came after an origin `(horizon,)`, NaN where nothing did; the last season repeated; how far, on average, the values
    before the origin are from those one season before, NaN where that is nothing.
    """

    values: np.ndarray
    naive: np.ndarray
    error: float


class Encoded:
    """Windows as numbers. rows: the series of each. origins: after how many of its values."""

    def __init__(self, form: Windows, histories: list[History], rows: np.ndarray, origins: np.ndarray, horizon: int):
        self.form, self.histories, self.rows, self.origins, self.horizon = form, histories, rows, origins, horizon
        self.lengths = np.full(len(rows), form.context // form.patch + horizon)
        sizes = np.array([len(h) for h in histories], np.int64)
        # All series one behind the other, so that a batch is one look-up; in front of them what stands for no value.
        self.values = np.concatenate([[np.nan], *(h.values for h in histories)])
        self.starts, self.sizes = 1 + np.cumsum(sizes) - sizes, sizes
        self.back = max(form.lags)
        self.tables: dict[int, np.ndarray] = {}
        self.parts = 0  # in which the time is parted, where each is answered by the network that left it out
        self.ets = False  # whether AutoETS is asked for beside

    def _values(self, rows: np.ndarray, steps: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        """The values `(rows, steps)` at steps of some windows' series, `(rows, steps)`, NaN where there is none. before
        `(rows,)`: beyond which nothing is known.
        """
        series = self.rows[rows][:, None]
        inside = (steps >= 0) & (steps < self.sizes[series])
        if before is not None:
            inside &= steps < before[:, None]
        return self.values[np.where(inside, self.starts[series] + steps, 0)]

    def batch(self, rows, rng=None, mine=EVERY):
        form, horizon = self.form, self.horizon
        cuts = np.full(len(rows), 1 << 40)
        if rng is not None:
            drawn = rng.random(len(rows)), rng.random(len(rows))
            cuts = np.where(drawn[0] < CUT, 1 + (form.context * drawn[1] ** 2).astype(np.int64), cuts)
        rows, cuts = rows[mine], cuts[mine]
        origins = self.origins[rows]
        length = self.back + form.context
        steps = origins[:, None] - length + np.arange(length)
        values = self._values(rows, steps, origins)
        values[length - np.arange(length) > cuts[:, None]] = np.nan
        level, scale = scaled(values, max(max(form.lags), 12), form.usual, form.unit)
        z = np.clip((values - level[:, None]) / scale[:, None], -FAR, FAR)
        z = np.where(np.isnan(values), 0.0, z)
        there = ~np.isnan(values)
        context = slice(self.back, None)
        features = [z[:, context], there[:, context], *(z[:, self.back - n : -n] for n in form.lags)]
        covariates = self._covariates(rows, steps[:, context])
        read = (
            np.stack(features, -1)
            if not covariates.shape[2]
            else np.concatenate([np.stack(features, -1), covariates], -1)
        )
        count, patch = len(rows), form.patch
        xs = read.reshape(count, form.context // patch, -1)
        if form.calendar:
            every = self._calendar(rows, steps[:, self.back + patch - 1 :: patch])
            xs = np.concatenate([xs, every], -1)
        after = np.arange(horizon)  # steps after the origin
        # How far the series was from each base: how good a base it is, and how sure one may be.
        errors = [_mean(np.abs(values[:, n:] - values[:, :-n])) for n in form.bases]
        seasonal = [self._repeated(values, n, after) for n in form.lags]
        known = [
            np.where(np.isnan(s), 0.0, np.clip((s - level[:, None]) / scale[:, None], -FAR, FAR)) for s in seasonal
        ]
        base = self._base(values, errors, level, after)
        place = np.broadcast_to((after + 1) / form.horizon, (count, horizon))
        ahead = [*known, place, np.log1p(place)]
        with np.errstate(divide="ignore"):
            sure = [np.where(np.isnan(e), 0.0, np.log(np.clip(e / scale, 1e-3, 1e3))) for e in errors]
            spread = np.log(scale / (np.abs(level) + scale))
        ahead += [np.broadcast_to(e[:, None], (count, horizon)) for e in (*sure, 0.3 * np.clip(spread, -10, 0))]
        future = origins[:, None] + after
        parts = [np.stack(ahead, -1), self._calendar(rows, future)]
        # What was known of the steps whose values stand beside them: a week after a holiday is none.
        lag = form.bases[0]
        for at in (future, future - (after // lag + 1) * lag):
            parts.append(self._covariates(rows, at)[..., : form.advance])
        return {
            "xs": xs.astype(np.float32),
            "ahead": np.concatenate(parts, -1).astype(np.float32),
            "base": ((base - level[:, None]) / scale[:, None]).astype(np.float32),
            **({"recent": z[:, -form.recent :].astype(np.float32)} if form.recent else {}),
            **({"part": self.part(rows), "whole": cuts >= length} if self.parts else {}),
            "level": level,
            "scale": scale,
            "least": np.where(np.where(there, values, 0.0).min(1) >= 0, 0.0, -np.inf),
        }

    def part(self, rows: np.ndarray) -> np.ndarray:
        """The part of their series' time that the steps after the origins are in, `(rows, horizon)`, from 0 on. Before the first season
        nothing is forecast, and the parts are of what comes after it.
        """
        size, steps = self.sizes[self.rows[rows]][:, None], self.origins[rows][:, None] + np.arange(self.horizon)
        first = np.minimum(max(self.form.bases), size - self.form.horizon)
        return np.clip((steps - first) * self.parts // (size - first), 0, self.parts - 1)

    @staticmethod
    def _repeated(values: np.ndarray, lag: int, after: np.ndarray) -> np.ndarray:
        """The last season of each row again and again; of a value that is missing, the one a season earlier."""
        at = values.shape[1] + after - (after // lag + 1) * lag
        found = values[:, at]
        while np.isnan(found).any() and (at := at - lag).max() >= 0:
            earlier = np.where(at >= 0, values[:, np.maximum(at, 0)], np.nan)
            found = np.where(np.isnan(found), earlier, found)
        return found

    def _base(self, values: np.ndarray, errors: list[np.ndarray], level: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The last seasons repeated, the better of them the more: each by its inverse squared error. On M4's hourly series that
        alone is a sixth better than their plain mean. Where they have no value, the last value that there is.
        """
        seasons = np.stack([self._repeated(values, n, after) for n in self.form.bases], -1)
        far = np.stack(errors, -1)
        far = np.where(np.isnan(far), np.nanmax(far, initial=1.0), far) ** 2 + 1e-30
        weights = np.where(np.isnan(seasons), 0.0, (far.min(-1, keepdims=True) / far)[:, None])
        total = weights.sum(-1)
        base = (weights * np.nan_to_num(seasons)).sum(-1) / np.where(total > 0, total, np.nan)
        there = ~np.isnan(values)
        last = values[np.arange(len(values)), values.shape[1] - 1 - there[:, ::-1].argmax(1)]
        last = np.where(np.isnan(last), level, last)
        return np.where(np.isnan(base), last[:, None], base)

    def _calendar(self, rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """What the calendar says `(rows, steps, calendar)`; 0 for series without times."""
        return self._beside(rows, steps, slice(0, self.form.calendar))

    def _covariates(self, rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Covariates `(rows, steps, columns)` scaled as in training; 0, their mean, where one is missing."""
        return self._beside(rows, steps, slice(self.form.calendar, None))

    def _beside(self, rows: np.ndarray, steps: np.ndarray, columns: slice) -> np.ndarray:
        width = len(range(*columns.indices(self.form.calendar + self.form.covariates)))
        out = np.zeros((*steps.shape, width), np.float32)
        for i, series in enumerate(self.rows[rows] if width else ()):
            out[i] = self._table(int(series))[steps[i] + self.back + self.form.context, columns]
        return out

    def _table(self, series: int) -> np.ndarray:
        """Calendar and covariates of a series, from as far before its beginning as a window may begin to the horizon after its end;
        computed once.
        """
        if series not in self.tables:
            form, h = self.form, self.histories[series]
            first, last = self.back + form.context, len(h) + self.horizon
            found = [h.clock.calendar(np.arange(-first, last)), form.numbers(h, first, last)]
            self.tables[series] = np.concatenate(found, 1).astype(np.float32)
        return self.tables[series]

    def least(self, row: int) -> float:
        """0 for a window in which nothing is below it: nothing will be; else -inf."""
        values = self.before(row)[-self.back - self.form.context :]
        return 0.0 if np.where(np.isnan(values), 0.0, values).min(initial=0.0) >= 0 else -np.inf

    def persistence(self, row: int) -> float:
        """How much of its distance from the season before a series keeps from one step to the next, from 0 to below 1."""
        before = self.before(row)
        lag = self.form.bases[0]
        away = before[lag:] - before[:-lag] if lag < len(before) else np.zeros(0)
        pairs = np.stack([away[:-1], away[1:]]) if len(away) > 2 else np.zeros((2, 0))
        pairs = pairs[:, ~np.isnan(pairs).any(0)]
        power = (pairs**2).sum() / 2
        return float(np.clip((pairs[0] * pairs[1]).sum() / power, 0, 0.99)) if power > 0 else 0.0

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """What came after the origins, `(rows, horizon)`, NaN where nothing did."""
        return self._values(rows, self.origins[rows][:, None] + np.arange(self.horizon))

    def before(self, row: int) -> np.ndarray:
        """All values before the origin of a window, `(time,)`."""
        return self.histories[self.rows[row]].values[: self.origins[row]]

    def truth(self, row: int, season: int) -> Truth:
        """What an answer to a window is compared with."""
        before = self.before(row)
        away = np.abs(before[season:] - before[:-season]) if len(before) > season else np.zeros(0)
        away = away[~np.isnan(away)]
        error = float(away.mean()) if len(away) else float("nan")
        return Truth(
            self.targets(np.array([row]))[0],
            seasonal_naive(before, season, self.horizon),
            error if error > 0 else float("nan"),
        )


def _frequent(words: Sequence[str], column: np.ndarray) -> list[str]:
    """Those categories that a covariate has, the most frequent first, MOST at most. column: places among `words`."""
    counts = np.bincount(column[~np.isnan(column)].astype(np.int64), minlength=len(words))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    if len(order) > MOST:
        warn(f"a covariate has {len(order)} categories; the {MOST} most frequent ones are learned")
    return [words[i] for i in order[:MOST]]


def seasonal_naive(before: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """The last season repeated; of a value that is missing, the one a season earlier; of a series that is shorter, the last."""
    there = np.flatnonzero(~np.isnan(before))
    out = np.full(horizon, before[there[-1]] if len(there) else 0.0)
    for k in range(min(season, horizon) if len(before) >= season else 0):
        own = before[len(before) - season + k :: -season]
        own = own[~np.isnan(own)]
        if len(own):
            out[k::season] = own[0]
    return out


def scaled(values: np.ndarray, last: int, usual: float = 0.0, unit: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Level and deviation `(rows,)` of the last values of each row: their mean, and their mean distance from it. last: how many, as far
    as there are. usual: deviation over level of other rows, at least that of a row of one value, and less of it the more values
    there are. unit: the deviation where there is nothing but 0.
    """
    there = ~np.isnan(values)
    latest = np.where(there[:, ::-1].cumsum(1)[:, ::-1] <= last, values, np.nan)
    level = _mean(latest)
    level = np.where(np.isnan(level), 0.0, level)
    spread = _mean(np.abs(latest - level[:, None]))
    wide = _mean(np.abs(values - level[:, None]))
    spread = np.where(spread > LEAST * np.abs(level), spread, wide)
    spread = np.where(np.isnan(spread), 0.0, spread)
    unsure = np.clip((FEWEST - there.sum(1)) / (FEWEST - 1), 0, 1)
    spread = np.maximum(spread, unsure * usual * np.abs(level))
    least = LEAST * np.abs(level)
    return level, np.where(spread > least, spread, np.where(least > 0, np.maximum(spread, least), unit))


def _mean(values: np.ndarray) -> np.ndarray:
    """The mean of what there is in each row, NaN where there is nothing."""
    there = ~np.isnan(values)
    count = there.sum(1)
    total = np.where(there, values, 0.0).sum(1)
    return np.where(count > 0, total / np.maximum(1, count), np.nan)
