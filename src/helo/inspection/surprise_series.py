"""What is unusual in series: values that a forecaster did not expect.

Of a value v and the forecast's distribution function F, tail = min(F(v), 1 - F(v)) is how likely something as far out on its side is
(one-sided). What is as likely as the median is no surprise:

    nats = -log(2 tail)

A value is forecast from each of the origins before it, from one step before up to the horizon, and the mean counts: from one step
before, a new level is soon expected. Of several values in a row the mean counts too, of several channels at one time
the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.histories import History
from helo.errors import HeloError
from helo.inputs.windows import Encoded
from helo.inspection.alarms import marked
from helo.layers import quantiles
from helo.layers.quantiles import LEVELS
from helo.runs.run import Run

LEAST = 1e-300  # a probability that is taken for 0
ORIGINS = 4096  # from which forecasts are made at a time
DAY = 86_400


@dataclass(frozen=True)
class Value:
    """A value, or several in a row: how unusual it is. series: its name; of channels the most unusual one's. time, last: when it
    was, the first and the last. value, expected: of the last one; expected is the median of the forecast one step before. step:
    its number in the series, from 1.
    """

    series: str
    time: str
    last: str
    step: int
    value: float
    expected: float
    nats: float

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return " ".join(filter(None, (self.series, self.time)))

    @property
    def said(self) -> str:
        """What is said of it on a terminal."""
        return f"{self.value:g}\t{self.expected:.4g} expected"

    def to_json(self, task: Any) -> dict[str, Any]:
        """The fields by their names; `last` where there are several values."""
        return {n: v for n, v in vars(self).items() if n != "last" or v != self.time}


class Values:
    """Judges the values of series by a forecaster, each by those before it."""

    name = "values"

    def __init__(self, run: Run, window: int = 1, together: bool = False):
        """window: so many values in a row are one. together: all series are channels of one, whose nats are added up."""
        self.run, self.task, self.window, self.together = run, run.task, window, together
        self.judged: list[np.ndarray] = []  # of each series, which of its values
        self.early, self.longest = 0, 0  # values with too little before them to be judged; of the longest series
        self.days = 0.0

    def read(self, parameters: Any, names: Sequence[Any]) -> Iterator[Value]:
        """The values of the series of files, in order, but those that are missing or have too few before them."""
        yield from self._values(list(self.task.source.unlabelled(self.task, names).inputs))

    def usual(self, parameters: Any, names: Sequence[Any]) -> Iterator[Value]:
        """Values of other series, or of those of the training, of a cross-validation by the network that did not learn from them: what
        was held out there are but the last few.
        """
        if names:
            own = self.task.source.unlabelled(self.task, names)
        else:
            own = self.task.source.recorded(self.task, self.run.about["data"])
        series = {h.name: h for h in own.inputs}
        found = Values(self.run, self.window, self.together)._values(list(series.values()), own.notes.get("parts", 0))
        yield from (x for i, x in enumerate(found) if i % self.window == 0)

    def _values(self, series: list[History], parts: int = 0) -> Iterator[Value]:
        for several in [series] if self.together and series else [[h] for h in series]:
            each, middles = zip(*(self._nats(h, parts) for h in several), strict=True)
            if len({h.clock.text(0) for h in several}) > 1:
                raise HeloError("series of other times", expected="the same times in all of them", where="--together")
            count = max(map(len, each))  # what is missing at the end of one is not a part of it
            self.longest = max(self.longest, count)
            early = [~np.isnan(h.values[: max(self.task.form.bases)]) for h in several]
            self.early += max(int(there.sum()) for there in early)
            nats = np.stack([np.append(x, np.full(count - len(x), np.nan)) for x in each])
            total = np.where(np.isnan(nats).all(0), np.nan, np.nansum(nats, 0))
            worst = np.where(np.isnan(nats), -np.inf, nats).argmax(0)
            steps = np.flatnonzero(~np.isnan(total))
            self.judged.append(~np.isnan(total))
            self.days += _days(several[0], len(steps))
            width = max(1, min(self.window, len(steps)))
            for k in range(width - 1, len(steps)):
                own = steps[k + 1 - width : k + 1]
                a, b = int(own[0]), int(own[-1])
                h, middle = several[worst[b]], middles[worst[b]]
                yield Value(h.name, h.clock.text(a), h.clock.text(b), b + 1, float(h.values[b]), float(middle[b]),
                            float(total[own].mean()))  # fmt: skip

    def _nats(self, series: History, parts: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each value `(time,)` its nats, the mean over all forecasts of it, and the median of the last one; NaN where nothing
        was said of it. parts: of a cross-validation in which the series was learned from.
        """
        form, count = self.task.form, len(series)
        total, times = np.zeros(count), np.zeros(count)
        middle = np.full(count, np.nan)
        origins = np.arange(max(form.bases), count)
        for start in range(0, len(origins), ORIGINS):
            own = origins[start : start + ORIGINS]
            encoded = Encoded(form, [series], np.zeros(len(own), np.int64), own, form.horizon)
            encoded.parts = parts
            found = np.stack(self.task.predict_batches(self.run.parameters, encoded)[2])
            middle[own] = found[:, 0, len(LEVELS) // 2]
            for ahead in range(form.horizon):
                steps = own[own + ahead < count] + ahead
                values = series.values[steps]
                there = ~np.isnan(values)
                below = quantiles.probability(found[: len(steps), ahead][there], LEVELS, values[there])
                tail = np.minimum(below, 1 - below)
                total[steps[there]] -= np.log(np.maximum(2 * tail, LEAST))
                times[steps[there]] += 1
        return np.where(times > 0, total / np.maximum(times, 1), np.nan), middle

    def apart(self, found: list[Value]) -> list[Value]:
        """Of windows, worst first, those that share no value with a worse one."""
        if self.window == 1:
            return found
        kept: list[Value] = []
        taken: set[tuple[str, int]] = set()
        for one in found:
            name = "" if self.together else one.series
            own = {(name, one.step - k) for k in range(self.window)}
            if not own & taken:
                taken |= own
                kept.append(one)
        return kept

    def each(self, scores: np.ndarray) -> np.ndarray:
        """Of each value that was judged, the window that ends with it: an alarm comes when it is known."""
        out, at = [], 0
        for judged in self.judged:
            count = int(judged.sum())
            windows = max(0, count - min(self.window, max(count, 1)) + 1)
            own = scores[at : at + windows]
            out += [np.full(count - windows, own.min() if len(own) else 0.0), own]
            at += windows
        return np.concatenate(out)

    def marks(self, path: Path) -> np.ndarray:
        """Of each value that was judged whether it is marked as unusual, `(values,)`."""
        every = np.concatenate(self.judged)
        return marked(path, len(every), self.name)[every]

    def none(self) -> HeloError:
        """Why nothing was judged."""
        least = max(self.task.form.bases)
        return HeloError(f"{self.longest} values", expected=f"more than {least}: so many come before the first that is judged",
                         mend="add the values before them")  # fmt: skip


def _days(series: History, count: int) -> float:
    """How many days so many values take; 0 where nobody said when they were."""
    ends = series.clock.at(np.array([0, len(series)]))
    if not np.issubdtype(ends.dtype, np.datetime64):
        return 0.0
    whole = float((ends[1] - ends[0]).astype("timedelta64[s]").astype(np.int64)) / DAY
    return whole * count / max(1, len(series))
