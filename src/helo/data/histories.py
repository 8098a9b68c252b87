"""Series that are to be continued: their values, when they were, and what else is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.times import Clock
from helo.errors import HeloError, fault

KIND = "history"


ROOM = "leave this series out"  # which is too short


@dataclass(frozen=True, repr=False)
class History:
    """One series. values `(time,)`, float64, NaN where one is missing. known `(time or more, columns)`: covariates that are known
    in advance, beyond the last value too; past `(time, columns)`: those that are known afterwards. origin: after how many values
    the forecast begins; those behind it are the truth. words: of each covariate, first those that are known in advance, the
    categories that its numbers stand for, or None where they are numbers.
    """

    name: str
    values: np.ndarray
    clock: Clock
    origin: int
    known: np.ndarray
    past: np.ndarray
    words: Sequence[Sequence[str] | None] = ()

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """With a digest of all numbers: by it, data that was given in Python is known again."""
        digest = hashlib.sha256(self.name.encode())
        for part in (self.values, self.known, self.past):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(repr([w and list(w) for w in self.words]).encode())
        return f"<History {self.name!r}, {len(self)} values {self.clock.frequency}, {digest.hexdigest()[:16]}>"

    def truth(self, horizon: int) -> np.ndarray:
        """The values after the origin, NaN where there are none, `(horizon,)`."""
        found = np.full(horizon, np.nan)
        there = self.values[self.origin : self.origin + horizon]
        found[: len(there)] = there
        return found


def history(
    name: str,
    values: np.ndarray,
    clock: Clock,
    known: np.ndarray | None = None,
    past: np.ndarray | None = None,
    words: Sequence[Sequence[str] | None] = (),
) -> History:
    """A series whose forecast begins behind its last value: what is missing at its end is to come."""
    there = np.flatnonzero(~np.isnan(values))
    end = int(there[-1]) + 1 if len(there) else 0
    none = np.zeros((len(values), 0))
    known, past = none if known is None else known, none if past is None else past[:end]
    return History(name, values[:end], clock, end, known, past, words)


def rolled(
    examples: Dataset,
    horizon: int,
    origins: int = 1,
    stride: int | None = None,
    least: int = 1,
    mend: str = ROOM,
) -> Dataset:
    """Each series once an origin: the last `horizon` values are to be forecast from those before them, then those that end
    `stride` (or `horizon`) values earlier, and so on. least: values before an origin. Raises HeloError where a series has no
    room for all. mend: what makes room where one origin is too many.
    """
    stride, rows, windows = stride or horizon, [], []
    for i, x in enumerate(examples.inputs):
        first = len(x) - horizon - (origins - 1) * stride
        if first < least:
            need = horizon + (origins - 1) * stride + least
            fault(f"a series of {len(x)} values", expected=f"{need} or more: {least} before the first origin, and {horizon} after the last",
                  mend=mend if origins == 1 else "fewer --origins", where=examples.place(i))  # fmt: skip
            continue
        for k in range(origins):
            rows.append(i)
            windows.append(replace(x, origin=first + k * stride))
    return replace(examples.take(np.array(rows, np.int64)), inputs=windows)


def spread(examples: Dataset, horizon: int, origins: int, least: int = 1, mend: str = ROOM) -> Dataset:
    """Each series once an origin, evenly spaced from its beginning to its end, so many at most that no value is forecast twice, but those
    after which nothing came. least: values before an origin, from the first that there is. Raises HeloError where a series has no room for one.
    """
    ends = rolled(examples, horizon, least=least, mend=mend)
    rows, windows = [], []
    for i, x in enumerate(examples.inputs):
        first = least + int(np.isnan(x.values).argmin())
        room = max(0, len(x) - first) // horizon
        for origin in np.linspace(len(x) - horizon, first, min(origins, room)).round().astype(np.int64)[::-1].tolist():
            if not np.isnan(x.values[origin : origin + horizon]).all():
                rows.append(i)
                windows.append(replace(x, origin=origin))
    if not rows:  # nothing but the ends is there
        return ends
    return replace(examples.take(np.array(rows, np.int64)), inputs=windows)


def dataset(
    found: Sequence[History],
    places: Sequence[str],
    group: str | None,
    notes: dict[str, Any],
    columns: dict[str, list[Any]],
) -> Dataset:
    """Series as examples. group: the column of their names; None where there is one series without a name."""
    if not found:
        raise HeloError("no series", expected="at least one", where=places[0] if places else "")
    named = {} if group is None else {group: [x.name for x in found]}
    frequency = found[0].clock.frequency
    about = [{} if group is None else {group: x.name} for x in found]
    return Dataset(
        KIND, list(found), None, lambda i, *step: str(places[i]), {"frequency": frequency} | notes,
        about=about, columns=named | columns,
    )  # fmt: skip
