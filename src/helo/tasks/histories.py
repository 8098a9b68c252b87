"""Where series that are to be continued come from, and which of their values are held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.data import histories, times
from helo.data.dataset import Dataset
from helo.data.histories import History, history, rolled, spread
from helo.data.readers import given, numbers, table
from helo.data.readers.files import parted
from helo.errors import HeloError, warn
from helo.tasks.reading import INPUT, Source, fingerprint

FEW = 20_000  # values: of fewer each network leaves out a part of the time
MEMBERS, OF_MANY = 5, 3  # networks of few values and of many, where nobody says how many
ENOUGH = 50  # forecasts to validate on: of fewer series each is forecast from several origins,
SHARE = 0.1  # as far as no more of the shortest is held out than this
SEVERAL = 20  # series, whose ends say enough; of fewer too much would be held out, and all is validated on,
EACH = 5  # each series in so many forecasts or more


class HistorySource(Source):
    """Series; the last horizon of each is held out, of few series the last horizons."""

    def read(self, files, options, labelled=True):
        files = given.settled(files)
        if files and isinstance(files[0], given.Examples):
            if not (dated := _dated(files[0].inputs)):
                return _arrays(files[0].inputs, options.frequency), []
            files = dated
        return super().read(files, options, labelled=False)

    def given(self, task, source):
        if isinstance(source, list) and source and all(isinstance(x, History) for x in source):
            return histories.dataset(source, [f"input {i + 1}" for i in range(len(source))], "series", {}, {})
        source = _dated(source) or source
        if isinstance(source, Dataset) or table.given(source):
            return super().given(task, source)
        return _arrays(source, task.options.frequency)

    def item(self, task: Any, line: str, number: int = 1) -> float:
        """One value out of a line of text; NaN where it says that there is none."""
        return numbers.number(line.strip(), f"{INPUT}:{number}", missing=True)

    def lines(self, task, text, first=1, **said):
        """Standard input: the values of one series, as many a line as there are."""
        try:
            rows = [
                numbers.row(line.replace(",", " ").split(), f"{INPUT}:{n}", missing=True)
                for n, line in enumerate(parted(text), first)
            ]
        except HeloError as error:
            error.mend = (
                "standard input has the values of one series alone; times and other columns are read from a file"
            )
            raise
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
        if options.cross_validate:
            raise HeloError(
                "with files to validate on",
                expected="one of both",
                mend="leave out --valid, or say --no-cross-validate",
                where="--cross-validate",
            )
        check, paths = self.read(valid, options)
        record["valid"] = [str(p.absolute()) for p in paths]
        record["fingerprint"]["valid"] = fingerprint(check, paths)
        check = _long_enough(check, options.horizon + 1, options)
        return (
            _noted(found, options),
            rolled(check, options.horizon, mend="a smaller --horizon, or --short drop"),
            record,
        )

    def _held_out(self, examples, options):
        """To learn from, each series without its last horizon, and to validate on, all of it from there. Of few values all of both."""
        horizon, season = options.horizon, options.season or times.season(examples.inputs[0].clock.frequency)
        least = horizon + max(2, season)
        examples = _noted(_long_enough(examples, least + horizon, options), options)
        count, shortest = parts(examples, options), min(map(len, examples.inputs), default=0)
        mend = f"a smaller --horizon{' or --season' * (season > 1)}{', or --short drop leaves such series out' * (len(examples) > 1)}"
        if crossed(examples, options):
            origins = max(EACH, -(-ENOUGH // max(1, len(examples))))
            check = spread(examples, horizon, origins, least, mend)
            said = f"{len(check)} forecasts by {count}-fold cross-validation: each value is forecast by the network that did not learn from it"
            return replace(examples, notes=examples.notes | {"crossed": True}), check, said
        room = min(int(SHARE * shortest), shortest - least) // horizon
        origins = max(1, min(room, -(-ENOUGH // max(1, len(examples)))))
        check = rolled(examples, horizon, origins, least=least, mend=mend)
        first = check.take(np.arange(0, len(check), origins))
        learn = [history(h.name, h.values[: h.origin], h.clock, h.known, h.past, h.words) for h in first.inputs]
        several = f", in {origins} forecasts" if origins > 1 else ""
        check = replace(check, notes=check.notes | {"parts": 0})
        return replace(first, inputs=learn), check, f"the last {origins * horizon} values of each series{several}"

    def reload(self, task, data, files, origins=1, stride=None, ets=False, **said):
        files = files if isinstance(files, Dataset) else given.settled(files)
        found = super().reload(task, data, files, **said)
        if files and task.options.cross_validate and _fingerprint(found, files) == data["fingerprint"]["train"]:
            # The training files, named again: every part of them is known to all networks but one.
            found = replace(found, notes=found.notes | {"parts": task.form.parts})
        found = replace(found, notes={**found.notes, "ets": ets})
        if not files and origins == 1 and stride is None and isinstance(data["valid"], str):
            return found  # forecast from the origins that were held out
        found, horizon = _whole(found), task.options.horizon
        found = _long_enough(found, 1 + horizon + (origins - 1) * (stride or horizon), task.options)
        return rolled(found, horizon, origins, stride)


def _long_enough(examples: Dataset, least: int, options: Any) -> Dataset:
    """The series that have so many values, where shorter ones are left out; all where none has, which is a fault."""
    rows = [i for i, x in enumerate(examples.inputs) if len(x) >= least]
    if options.short is None or not rows or len(rows) == len(examples):
        return examples
    warn(f"{len(examples) - len(rows):,} of {len(examples):,} series are left out, with fewer than {least} values")
    return examples.take(np.array(rows, np.int64))


def parts(examples: Dataset, options: Any) -> int:
    """In how many parts the time is, each of which one network leaves out; 0 where none does. What was held out counts as the rest."""
    if "parts" in examples.notes:
        return examples.notes["parts"]
    calibrate, members, few = options.calibrate, options.members, sum(map(len, examples.inputs)) < FEW
    if calibrate is None:
        calibrate = few and members != 1
    if calibrate and members == 1:
        raise HeloError(
            "with one network",
            expected="--members 2 or more, of which each leaves out a part of the time",
            where="--calibrate",
        )
    return (members or (MEMBERS if few else OF_MANY)) if calibrate else 0


def crossed(examples: Dataset, options: Any) -> bool:
    """Whether all is validated on, and not the ends of the series. Raises HeloError where no part of the time is left out."""
    if options.cross_validate and not parts(examples, options):
        expected = "networks that each leave out a part of the time"
        raise HeloError("without --calibrate", expected=expected, mend="add --calibrate", where="--cross-validate")
    if options.cross_validate is not None:
        return options.cross_validate
    return parts(examples, options) > 0 and len(examples) < SEVERAL


def _noted(examples: Dataset, options: Any) -> Dataset:
    """The examples with how many parts their time is in, which is settled before some are held out."""
    return replace(examples, notes=examples.notes | {"parts": parts(examples, options)})


def _fingerprint(found: Dataset, files: Any) -> str:
    """Of files, or of what was given in Python, as a run recorded it."""
    paths = [Path(f) for f in ([] if isinstance(files, Dataset) else files) if isinstance(f, str | Path)]
    return fingerprint(found, [p for p in paths if p.is_file()])


def _whole(examples: Dataset) -> Dataset:
    """Each series once, of how many origins it may be there."""
    first = {id(x.values): i for i, x in reversed(list(enumerate(examples.inputs)))}
    return examples.take(np.array(sorted(first.values()), np.int64))


def _dated(source: Any) -> list[table.Table]:
    """A Series of pandas with times in its index as a table; none for all else."""
    if not hasattr(source, "index") or hasattr(type(source), "columns") or not (times := table.timed_index(source)):
        return []
    name = "value" if getattr(source, "name", None) in (None, *times) else str(source.name)
    return table.given(times | {name: list(source)})


def _arrays(source: Any, frequency: str | None, where: str = "input") -> Dataset:
    """Series out of arrays: one `(time,)`, or several, `(series, time)` or a list; without times."""
    if frequency is None:
        raise HeloError(
            "series without times",
            expected="how far their values are apart",
            mend="say it with frequency=",
            where=where,
        )
    if isinstance(source, str | Path) or (
        isinstance(source, list | tuple) and any(isinstance(x, str | Path) for x in source)
    ):
        raise HeloError(
            f"{source!r:.60}, a text",
            expected="numbers, or a table",
            mend="run.examples(FILE) reads files",
            where=where,
        )
    source = np.asarray(source) if hasattr(source, "__array__") else source
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
