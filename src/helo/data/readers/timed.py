"""What the readers of series that are to be continued share: the column of the times, and series out of rows with times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from helo.data import times
from helo.data.histories import History, history
from helo.data.readers import columns, numbers, table
from helo.data.times import Clock
from helo.errors import HeloError, fault

USUAL = ("time", "date", "datetime", "timestamp", "ds", "month", "quarter", "week", "day", "year")
#: Options of a task that these readers understand.
OPTIONS = ("time", "time_format", "target", "group", "known", "past", "frequency", "gaps", "repeated")

Covariate = tuple[np.ndarray, Sequence[str] | None]  # of all rows `(rows,)`, and the categories where they are words
Covariates = Sequence[Covariate]


def column(rows: table.Table, options: Any) -> str | None:
    """The column of the times; None where rows only follow each other, which takes a frequency."""
    if options.time is not None:
        return rows.find(options.time, "--time")
    found = rows.first(USUAL) or next((name for name in rows.index if name in rows.columns), None)
    if found is None and options.frequency is None:
        raise HeloError(f"columns {', '.join(list(rows.columns)[:8])}", expected="a column of times",
                        mend="--time chooses it, or --frequency says how far the rows are apart", flag="--time", where=rows.heading)  # fmt: skip
    return found


def whole(rows: table.Table, options: Any) -> table.Table:
    """The table with the index of a DataFrame as columns of it, where the times are there and not in another column."""
    named = rows.first(USUAL) if options.time is None else options.time
    if not rows.index or named in rows.columns:
        return rows
    return replace(rows, columns={n: c for n, c in rows.index.items() if n not in rows.columns} | rows.columns)


class Axis:
    """The times of a table's rows and their frequency, for series that are some of the rows."""

    def __init__(self, rows: table.Table, options: Any, name: str | None):
        self.rows, self.options, self.name, self.style = rows, options, name, times.STEPS
        self.frequency = None if options.frequency is None else times.frequency(options.frequency)
        if name is not None:
            self.times, self.style = times.parse(
                rows.columns[name], rows.places, name, self.frequency, options.time_format
            )

    def settle(self, groups: Sequence[Sequence[int]]) -> None:
        """The frequency, from the group with the most rows, and of these every group's own order of its rows."""
        if self.name is None:
            return
        for members in groups:
            self._ordered(members)
        longest = np.unique(self.times[np.array(max(groups, key=len))])
        found = times.recognised(longest)
        where = self.rows.places[max(groups, key=len)[0]]
        if self.frequency is None and found is None:
            few = f"{len(longest)} time{'s' * (len(longest) != 1)}" if len(longest) < 3 else "times of no frequency"
            raise HeloError(f"{few} in the column {self.name!r}", expected="steps of one length, such as a day or a month",
                            mend="--frequency says it", flag="--frequency", where=where)  # fmt: skip
        self.frequency = self.frequency or found

    def _ordered(self, members: Sequence[int]) -> None:
        assert self.name is not None
        at = self.times[np.array(members)]
        wrong = np.flatnonzero(at[1:] < at[:-1])
        if len(wrong):
            i = members[int(wrong[0]) + 1]
            raise HeloError(f"{self.rows.columns[self.name][i]!r} after a later time in the column {self.name!r}",
                            expected="times in order", mend="--group names the column that says which series a row belongs to; else sort the rows",
                            flag="--group", unflagged="sort the rows",
                            where=self.rows.places[i])  # fmt: skip

    def series(
        self, name: str, members: Sequence[int], values: np.ndarray, known: Covariates = (), past: Covariates = ()
    ) -> History | None:
        """The series of some rows, in their order. values, known, past: of all rows. None where a fault was kept."""
        rows, every = np.array(members), [*known, *past]
        x = np.stack([c[rows] for c in (values, *(c for c, _ in every))], 1)
        words = [w for _, w in every]
        assert self.frequency is not None
        clock = Clock(self.frequency, self.style, None)
        if self.name is not None:
            clock = Clock(self.frequency, self.style, self.times[rows[0]])
            x = self._regular(x, rows, clock, np.array([False, *(w is not None for w in words)]))
            if x is None:
                return None
        return history(name, x[:, 0], clock, x[:, 1 : 1 + len(known)], x[:, 1 + len(known) :], words)

    def _regular(self, x: np.ndarray, rows: np.ndarray, clock: Clock, worded: np.ndarray) -> np.ndarray | None:
        """A row a step, whatever rows there are. worded `(columns,)`: which are categories."""
        at, o = clock.index(self.times[rows]), self.options
        if np.isnan(at).any():
            i = int(rows[int(np.isnan(at).argmax())])
            self._fault(i, f"{self._said(i)} lies between two {self.frequency} steps",
                        f"times of one frequency, counted from {self._said(rows[0])}", "--frequency says another")  # fmt: skip
            return None
        steps = at.astype(np.int64)
        twice = np.flatnonzero(np.diff(steps) == 0)
        if len(twice) and o.repeated is None:
            one, other = (self._said(rows[twice[0] + k]) for k in (0, 1))
            found = f"{one} twice" if one == other else f"{one} and {other}, times that are read as one"
            self._fault(rows[twice[0] + 1], found, f"one row a time in a series{', nothing below a second' * (one != other)}",
                        "--repeated first|last|mean|sum joins them, or --group names the column of the series",
                        "join the rows of one time")  # fmt: skip
            return None
        if len(twice):
            x, steps = _joined(x, steps, o.repeated, worded)
        gap = np.flatnonzero(np.diff(steps) > 1)
        if not len(gap):
            return x
        if o.gaps is None:
            before = int(steps[gap[0]])
            i = rows[int(np.flatnonzero(at == steps[gap[0] + 1])[0])]
            every = "number" if self.frequency == times.STEPS else f"{self.frequency} step"
            self._fault(i, f"no row for {clock.text(before + 1)}", f"a row for every {every}",
                        "--gaps missing|previous|zero fills them", "add the rows, with an empty cell for a value that is missing")  # fmt: skip
            return None
        if steps[-1] > 100 * len(steps) + 1000:
            self._fault(
                rows[-1],
                f"{steps[-1] + 1:,} {self.frequency} steps for {len(steps):,} rows",
                "fewer gaps",
                "--frequency says another",
            )
            return None
        out = np.full((int(steps[-1]) + 1, x.shape[1]), np.nan)
        out[steps] = x
        holes = np.ones(len(out), bool)
        holes[steps] = False
        if o.gaps == "zero":
            out[holes, 0] = 0.0
        before = np.maximum.accumulate(np.where(holes, 0, np.arange(len(out))))
        if o.gaps == "previous":
            out[holes, 0] = out[before[holes], 0]
        out[holes, 1:] = out[before[holes], 1:]
        return out

    def _said(self, row: Any) -> str:
        assert self.name is not None
        return str(self.rows.columns[self.name][row])

    def _fault(self, row: Any, found: str, expected: str, mend: str, unflagged: str = "") -> None:
        fault(
            found, expected=expected, mend=mend, where=self.rows.places[row], flag=mend.split()[0], unflagged=unflagged
        )


def _joined(x: np.ndarray, steps: np.ndarray, how: str, worded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one step as one; categories, which have no mean, as in the last of them."""
    first = np.flatnonzero(np.diff(steps, prepend=steps[0] - 1))
    last = x[np.append(first[1:], len(steps)) - 1]
    if how in ("first", "last"):
        return x[first] if how == "first" else last, steps[first]
    sums = np.add.reduceat(x, first)
    counts = np.diff(np.append(first, len(steps)))[:, None]
    return np.where(worded, last, sums if how == "sum" else sums / counts), steps[first]


def covariates(rows: table.Table, names: Sequence[str]) -> list[Covariate]:
    """Columns as numbers, NaN where one is missing, each with None; or, of words, as places among its categories, which are
    given with it: what is missing is one of them.
    """
    found: list[Covariate] = []
    for name in names:
        cells = rows.columns[name]
        if columns.numbered(cells):
            found += [(x, None) for x in numbers_of(rows, [name])]
            continue
        texts = [columns.category(v, rows.places[i], name) for i, v in enumerate(cells)]
        words, places = np.unique(texts, return_inverse=True)
        found.append((places.astype(np.float64), words.tolist()))
    return found


def numbers_of(rows: table.Table, names: Sequence[str]) -> list[np.ndarray]:
    """Columns as numbers, NaN where one is missing; a word is a fault of its row."""
    return [numbers.column(rows.columns[n], rows.places, n, missing=True) for n in names]
