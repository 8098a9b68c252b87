"""Where series that are to be continued come from, and which of their values are held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from helo.data import histories, times
from helo.data.dataset import Dataset
from helo.data.histories import History, history, rolled, spread
from helo.data.readers import given, numbers, table
from helo.data.readers.files import parted
from helo.errors import HeloError
from helo.tasks.reading import INPUT, Source, fingerprint

FEW = 20_000  # values: of fewer each network leaves out a part of the time
MEMBERS = 5  # parts, and networks, where nobody says how many
ENOUGH = 50  # forecasts to validate on: of fewer series each is forecast from several origins,
SHARE = 0.1  # as far as no more of the shortest is held out than this
SEVERAL = (
    20  # series, whose last horizons say enough; of fewer too much would be held out, and all of it is validated on,
)
EACH = 5  # each series in so many forecasts or more


class HistorySource(Source):
    """Series; the last horizon of each is held out, of few series the last horizons."""

    def read(self, files, options, labelled=True):
        files = given.settled(files)
        if files and isinstance(files[0], given.Examples):
            return _arrays(files[0].inputs, options.frequency), []
        return super().read(files, options, labelled=False)

    def as_before(self, options):
        return replace(options, calibrate=bool(options.calibrate))

    def given(self, task, source):
        if isinstance(source, list) and source and all(isinstance(x, History) for x in source):
            return histories.dataset(source, [f"input {i + 1}" for i in range(len(source))], "series", {}, {})
        if isinstance(source, Dataset) or table.given(source):
            return super().given(task, source)
        return _arrays(source, task.options.frequency)

    def item(self, task: Any, line: str, number: int = 1) -> float:
        """One value out of a line of text; NaN where it says that there is none."""
        return numbers.number(line.strip(), f"{INPUT}:{number}", missing=True)

    def lines(self, task, text, first=1, **said):
        """Standard input: the values of one series, as many a line as there are."""
        rows = [
            numbers.row(line.replace(",", " ").split(), f"{INPUT}:{n}", missing=True)
            for n, line in enumerate(parted(text), first)
        ]
        return _arrays([np.concatenate(rows)] if rows else [], task.options.frequency, INPUT)

    def split(self, files, valid, options):
        if options.split_by is not None or options.split not in (None, "chronological"):
            flag = f"--split-by {options.split_by}" if options.split_by is not None else f"--split {options.split}"
            raise HeloError(flag, expected="no such option: the end of each series is held out")
        found, paths = self.read(files, options)
        record = {"train": [str(p.absolute()) for p in paths], "fingerprint": {"train": fingerprint(found, paths)}}
        if not valid:
            learn, check, said = self._held_out(found, options)
            return learn, check, record | {"valid": said}
        check, paths = self.read(valid, options)
        record["valid"] = [str(p.absolute()) for p in paths]
        record["fingerprint"]["valid"] = fingerprint(check, paths)
        return found, rolled(check, options.horizon), record

    def _held_out(self, examples, options):
        """To learn from, each series without its last horizon, and to validate on, all of it from there. Of few values all of both."""
        horizon = options.horizon
        season = options.season or times.season(examples.inputs[0].clock.frequency)
        least, shortest = horizon + max(2, season if season > 1 else 2), min(map(len, examples.inputs), default=0)
        count = parts(examples, options)
        if count and len(examples) < SEVERAL:
            origins = max(EACH, -(-ENOUGH // max(1, len(examples))))
            check = spread(examples, horizon, origins, least)
            said = f"{len(check)} forecasts by {count}-fold cross-validation: each value is forecast by the network that did not learn from it"
            return examples, replace(check, notes=check.notes | {"parts": count}), said
        room = min(int(SHARE * shortest), shortest - least) // horizon
        origins = max(1, min(room, -(-ENOUGH // max(1, len(examples)))))
        check = rolled(examples, horizon, origins, least=least)
        first = check.take(np.arange(0, len(check), origins))
        learn = [history(h.name, h.values[: h.origin], h.clock, h.known, h.past, h.words) for h in first.inputs]
        several = f", in {origins} forecasts" if origins > 1 else ""
        return replace(first, inputs=learn), check, f"the last {origins * horizon} values of each series{several}"

    def _validated(self, task, examples):
        # A run of before left parts of the time out, too, and was validated on the ends of its series.
        options = task.options if task.form.parts else replace(task.options, calibrate=False)
        return self._held_out(examples, options)[1]

    def reload(self, task, data, files, origins=1, stride=None, ets=False, **said):
        found = super().reload(task, data, files, **said)
        found = replace(found, notes={**found.notes, "ets": ets})
        if not files and origins == 1 and stride is None and isinstance(data["valid"], str):
            return found  # forecast from the origins that were held out
        return rolled(_whole(found), task.options.horizon, origins, stride)


def parts(examples: Dataset, options: Any) -> int:
    """In how many parts the time is, each of which one network leaves out; 0 where none does."""
    calibrate, members = options.calibrate, options.members
    if calibrate is None:
        calibrate = sum(map(len, examples.inputs)) < FEW and members != 1
    if calibrate and members == 1:
        raise HeloError(
            "with one network",
            expected="--members 2 or more, of which each leaves out a part of the time",
            where="--calibrate",
        )
    return (members or MEMBERS) if calibrate else 0


def _whole(examples: Dataset) -> Dataset:
    """Each series once, of how many origins it may be there."""
    first = {id(x.values): i for i, x in reversed(list(enumerate(examples.inputs)))}
    return examples.take(np.array(sorted(first.values()), np.int64))


def _arrays(source: Any, frequency: str | None, where: str = "input") -> Dataset:
    """Series out of arrays: one `(time,)`, or several, `(series, time)` or a list; without times."""
    if frequency is None:
        raise HeloError(
            "series without times",
            expected="how far their values are apart",
            mend="say it with frequency=",
            where=where,
        )
    several = hasattr(source, "__len__") and len(source) and np.ndim(source[0]) > 0
    found = [numbers.checked(x, f"{where} {i}", missing=True) for i, x in enumerate(source if several else [source], 1)]
    clock, names = times.Clock(times.frequency(frequency)), len(found) > 1
    for i, x in enumerate(found, 1):
        if x.ndim != 1 or not len(x):
            raise HeloError(f"an array of shape {x.shape}", expected="(time,), one value or more", where=f"{where} {i}")
    every = [history(str(i) if names else "", x.astype(np.float64), clock) for i, x in enumerate(found, 1)]
    return histories.dataset(
        every, [f"{where} {i}" for i in range(1, 1 + len(found))], "series" if names else None, {}, {}
    )
