"""Times with a frequency: read from the ways in which tables write them, recognised, counted on, and what the calendar says.

parse(texts, places, column)     times as `datetime64[s]`, and the style in which they are written
recognised(times)                "hourly", "monthly", "30min" …
Clock(frequency, style, start)   the time of each step of a series, before and after its end
seasons(frequency)               of how many steps the seasons are that a series of the frequency is likely to have
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from helo.data import dates
from helo.errors import HeloError

DAY, WEEK = 86_400, 604_800
MONTHS = {"yearly": 12, "quarterly": 3, "monthly": 1}
SECONDS = {"weekly": WEEK, "daily": DAY, "hourly": 3600, "minutely": 60, "secondly": 1}
NAMED = (*MONTHS, "weekly", "daily", "business", "hourly", "minutely", "secondly", "steps")
STEPS = "steps"  # numbers that only count
EXPECTED = f"one of {', '.join(NAMED)}, or a number of min, h or s such as 15min"
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": DAY, "w": WEEK}
_SHORT = {  # as pandas and the Monash archive spell them
    "y": "yearly", "a": "yearly", "q": "quarterly", "m": "monthly", "w": "weekly", "d": "daily", "b": "business",
    "h": "hourly", "t": "minutely", "min": "minutely", "s": "secondly", "ye": "yearly", "qe": "quarterly", "me": "monthly",
    "ys": "yearly", "qs": "quarterly", "ms": "monthly", "half_hourly": "30min", "annual": "yearly", "bdaily": "business",
}  # fmt: skip
_DATE = re.compile(
    r"(\d{4})(?:([-/.])(\d{1,2})(?:\2(\d{1,2})(?:([ T])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?)?)?"
)
_QUARTER = re.compile(r"(\d{4})([- ]?)[Qq]([1-4])")
_OF_YEAR = re.compile(r"[Qq]([1-4])([-/ ]?)(\d{4})")
EXPECTED_TIME = "a time such as 2024-03, 2024-03-01 or 2024-03-01 12:00"
_FLOAT = re.compile(r"^(\d+)\.0$")  # as a column of whole numbers is read in which one was missing
_COUNT = re.compile(r"[+-]?\d+")
CONSECUTIVE = 0.5  # of the steps between times are of one length at least, or they have no frequency


def frequency(spec: str, where: str = "--frequency") -> str:
    """A frequency by the name that it has here, from any of its usual spellings. Raises HeloError for what is none."""
    word = spec.strip().lower()
    word = _SHORT.get(word, word)
    if word in NAMED:
        return word
    found = re.fullmatch(r"(\d+)[ _]*(seconds?|s|minutes?|mins?|t|hours?|h|days?|d|weeks?|w|months?|m)", word)
    if not found or not 0 < int(found[1]) <= 100_000:
        raise HeloError(f"{spec!r}", expected=EXPECTED, where=where)
    count, unit = int(found[1]), found[2]
    if unit.startswith("m") and unit not in ("min", "mins", "minute", "minutes"):
        return _months(count)
    size = _UNITS["min" if unit[0] in "mt" else unit[0]] * count
    return _seconds(size)


def _months(count: int) -> str:
    return next((n for n, k in MONTHS.items() if k == count), f"{count}months")


def _seconds(size: int) -> str:
    """A step of so many seconds."""
    if (name := next((n for n, k in SECONDS.items() if k == size), None)) is not None:
        return name
    unit = next(u for u in ("d", "h", "min", "s") if size % _UNITS[u] == 0)
    return f"{size // _UNITS[unit]}{unit}"


def step(spec: str) -> tuple[str, int]:
    """What a step of a frequency is: ("months" or "seconds" or "business" or "steps", how many)."""
    if spec in ("business", STEPS):
        return spec, 1
    if spec in MONTHS:
        return "months", MONTHS[spec]
    if spec.endswith("months"):
        return "months", int(spec[:-6])
    if spec in SECONDS:
        return "seconds", SECONDS[spec]
    found = re.fullmatch(r"(\d+)(s|min|h|d|w)", spec)
    if found is None:
        raise HeloError(f"the frequency {spec!r}", expected=EXPECTED)
    return "seconds", int(found[1]) * _UNITS[found[2]]


def season(spec: str) -> int:
    """Of how many steps the season is by which a series is compared with itself, 1 where there is none: 24 of hourly, 12 of
    monthly series. A weekly series has 1, as in the M4 competition and in GluonTS: a year of 52.18 weeks repeats badly.
    """
    unit, size = step(spec)
    if unit == "months":
        return 12 // size if 12 % size == 0 else 1
    if unit == "seconds":
        return DAY // size if size < DAY and DAY % size == 0 else 7 if size == DAY else 1
    return 5 if unit == "business" else 1


def seasons(spec: str) -> tuple[int, ...]:
    """The lags of all seasons, the shortest first: a day and a week of hourly series, a week and a year of daily ones."""
    unit, size = step(spec)
    first = season(spec)
    if unit == "seconds" and size < DAY and first > 1:
        return first, 7 * first
    longer = {DAY: 364, WEEK: 52}.get(size) if unit == "seconds" else 260 if unit == "business" else None
    return (first, longer) if longer else (first,)


# Times out of tables.


def parse(
    values: Sequence[Any],
    places: Sequence[str],
    column: str,
    frequency: str | None = None,
    style: str | None = None,
) -> tuple[np.ndarray, str]:
    """Times `(rows,)`, `datetime64[s]`, or whole numbers where they only count, and the style in which the first is written,
    by which `written` writes others. frequency, style: where they are known, what they say of dates that can be read in several
    ways. Raises HeloError, with its place, for the first that is no time or is of another kind.
    """
    if not len(values):
        return np.zeros(0, "datetime64[s]"), ""
    texts = [_FLOAT.sub(r"\1", str(v).strip()) for v in values]
    if style is not None and (found := dates.read(texts, style)) is not None:
        return found, style
    if _COUNT.fullmatch(texts[0]) and not all(re.fullmatch(r"1[5-9]\d\d|2[01]\d\d", t) for t in texts):
        return _dated(texts, frequency) or (_counted(texts, places, column), STEPS)
    found, zones, style = np.empty(len(texts), "datetime64[s]"), np.zeros(len(texts), np.int64), ""
    for i, (text, where) in enumerate(zip(texts, places, strict=True)):
        try:
            found[i], own, zones[i] = _moment(text)
        except ValueError:
            if i == 0:
                return _styled(texts, places, column, frequency)
            raise _no_time(text, column, where, EXPECTED_TIME) from None
        style = style or own
    local = found + zones.astype("timedelta64[s]")
    if zones.any() and _days(local, frequency):  # a day there is one whatever its offset, which changes with the season
        return local, style.removesuffix("Z")
    return found, style


def _days(local: np.ndarray, frequency: str | None) -> bool:
    """Whether times are those of days, or of what is longer: all at the same time of the day."""
    if frequency is not None and (step(frequency)[0] == "seconds" and step(frequency)[1] < DAY):
        return False
    clocks = np.unique(local - local.astype("datetime64[D]"))
    return len(clocks) == 1 and (len(local) > 1 or frequency is not None)


def _counted(texts: Sequence[str], places: Sequence[str], column: str) -> np.ndarray:
    for text, where in zip(texts, places, strict=True):
        if not _COUNT.fullmatch(text) or abs(int(text)) > 2**53:
            raise _no_time(text, column, where, "a whole number, as in the first row")
    return np.array([int(t) for t in texts], np.int64)


def _dated(texts: Sequence[str], frequency: str | None) -> tuple[np.ndarray, str] | None:
    """Digits that are dates such as 202401 or 20240131, or the time since 1970, and no numbers that count; None where they are not."""
    if frequency == STEPS:
        return None
    if re.fullmatch(r"(19|20)\d{4}(\d{2})?", texts[0]):
        return next(((found, style) for style, found in dates.readings(texts)), None)
    read = dates.since_1970(texts)
    if read is None:
        return None
    style, found = read
    apart = np.diff(np.unique(found)).astype(np.int64)
    if frequency is None and (not len(apart) or apart.min() == 1):  # numbers of rows, say
        return None
    return found, style


def _styled(texts: Sequence[str], places: Sequence[str], column: str, frequency: str | None) -> tuple[np.ndarray, str]:
    """Times that are not written as in ISO 8601. Where a day could be a month they are read so that they are most regular."""
    ways: list[tuple[str, np.ndarray]] = []
    for style, found in dates.readings(texts):
        if not any((found == other).all() for _, other in ways):
            ways.append((style, found))
    if not ways:
        first = [style for style, _ in dates.readings(texts[:1])]
        wrong = next(i for i in range(len(texts)) if not (first := [s for s in first if dates.fits(texts[i], s)]))
        expected = f"a time as {texts[0]!r} in the first row" if wrong else EXPECTED_TIME
        raise _no_time(texts[wrong], column, places[wrong], expected)
    scores = [_regular(np.unique(found), frequency) for _, found in ways]
    best = max(scores)
    if scores.count(best) > 1:
        (a, one), (b, other), *_ = (way for way, score in zip(ways, scores, strict=True) if score == best)
        i = int((one != other).argmax())
        first, second = (x.astype("datetime64[D]")[i] for x in (one, other))
        raise HeloError(
            f"{texts[i]!r} in the column {column!r}, which is {first} or {second}", expected="times that can be read in one way only",
            mend=f"--time-format '{a}' or '{b}' says which", flag="--time-format", unflagged="write them as 2024-03-01", where=places[i],
        )  # fmt: skip
    style, found = ways[scores.index(best)]
    return found, style


def _no_time(text: str, column: str, where: str, expected: str) -> HeloError:
    found = f"{text[:40]!r} in the column {column!r}" if text else f"no time in the column {column!r}"
    return HeloError(found, expected=expected, where=where)


def _moment(text: str) -> tuple[np.datetime64, str, int]:
    """One time, the style in which it is written, and how many seconds it is before local time. Raises ValueError for what is none."""
    if found := _QUARTER.fullmatch(text):
        return np.datetime64(f"{found[1]}-{3 * int(found[3]) - 2:02d}", "s"), f"%Y{found[2]}Q%q", 0
    if found := _OF_YEAR.fullmatch(text):
        return np.datetime64(f"{found[3]}-{3 * int(found[1]) - 2:02d}", "s"), f"Q%q{found[2]}%Y", 0
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, mark, month, day, between, hour, minute, second, zone = found.groups()  # below a second nothing is read
    offset = "Z" if zone in ("Z", "UTC") else zone or ""
    said = f"{year}-{int(month or 1):02d}-{int(day or 1):02d}T{int(hour or 0):02d}:{minute or '00'}:{second or '00'}"
    at = datetime.fromisoformat(said + ("+00:00" if offset == "Z" else offset))
    ahead = at.utcoffset()
    at = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo is not None else at
    style = "%Y" + (f"{mark}%m" if month else "") + (f"{mark}%d" if day else "")
    style += (f"{between}%H:%M" if hour else "") + (":%S" if second else "") + ("Z" if zone else "")
    return np.datetime64(at, "s"), style, int(ahead.total_seconds()) if ahead else 0


def written(time: Any, style: str) -> str:
    """A time as `parse` found it written."""
    if style == STEPS:
        return str(int(time))
    at: Any = np.datetime64(time, "s").item()  # a datetime
    if isinstance(at, int):  # beyond the years that Python's calendar has
        return str(np.datetime64(time, "s"))
    text = style.replace("%Y", f"{at.year:04d}").replace("%q", str((at.month + 2) // 3))
    text = text.replace(dates.SECONDS, str(np.datetime64(time, "s").astype(np.int64)))
    return at.strftime(text) if "%" in text else text


def recognised(times: np.ndarray) -> str | None:
    """The frequency of increasing times, from the length that most steps have; None where they have none, or are too few."""
    if times.dtype.kind == "i":
        return STEPS
    name, share = _steps(times)
    return name if share >= CONSECUTIVE else None


def _steps(times: np.ndarray) -> tuple[str, float]:
    """The most usual step of increasing times, and which share of all steps is one."""
    if len(times) < 2:
        return "", 0.0
    months, rest = _parted(times)
    anchored = len(set(rest.tolist())) == 1 or _month_ends(times)
    if anchored and len(set(months.tolist())) == len(months):
        size, share = _usual(np.diff(months))
        return (_months(size), share) if size > 0 else ("", 0.0)
    size, share = _usual(np.diff(times).astype(np.int64))
    if size <= 0:
        return "", 0.0
    weekday = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    if size == DAY and len(times) > 5 and (weekday < 5).all():
        return "business", share
    return _seconds(size), share


def _regular(times: np.ndarray, frequency: str | None) -> tuple[bool, float]:
    """How well increasing times keep their own frequency, or, before that, whether it is the one that is known."""
    name, share = _steps(times)
    return name == frequency, share


def _usual(steps: np.ndarray) -> tuple[int, float]:
    """The most frequent of some whole numbers, and which share of them it is."""
    found, counts = np.unique(steps, return_counts=True)
    best = int(counts.argmax())
    return int(found[best]), float(counts[best] / len(steps))


def _parted(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Months since 1970, and the seconds that are left of each, `(times,)` both."""
    months = times.astype("datetime64[M]")
    return months.astype(np.int64), (times - months.astype("datetime64[s]")).astype(np.int64)


def _month_ends(times: np.ndarray) -> bool:
    """Whether all are on the last day of their month."""
    days = times.astype("datetime64[D]")
    return bool(((days + 1).astype("datetime64[M]") > days.astype("datetime64[M]")).all())


@dataclass(frozen=True)
class Clock:
    """The times of a series of a frequency: step 0 is at `start`, a `datetime64[s]`, a whole number, or None where nobody said."""

    frequency: str
    style: str = STEPS
    start: Any = None

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The times of some steps, whole numbers `(…)`."""
        steps = np.asarray(steps, np.int64)
        if self.start is None or self.style == STEPS:
            return steps + int(1 if self.start is None else self.start)
        unit, size = step(self.frequency)
        if unit == "business":
            days = np.busday_offset(np.datetime64(self.start, "D"), steps, roll="forward")
            return days.astype("datetime64[s]") + (self.start - self.start.astype("datetime64[D]"))
        if unit != "months":
            return self.start + (steps * size).astype("timedelta64[s]")
        month = self.start.astype("datetime64[M]")
        ends, day = _month_ends(np.array([self.start])), self.start.astype("datetime64[D]")
        months = month + (steps * size).astype("timedelta64[M]")
        last = (months + 1).astype("datetime64[D]") - 1
        ahead = last if ends and day != month.astype("datetime64[D]") else np.minimum(
            last, months.astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
        )  # fmt: skip
        return ahead.astype("datetime64[s]") + (self.start - day.astype("datetime64[s]"))

    def index(self, times: np.ndarray) -> np.ndarray:
        """Which step each time is, `(times,)`: whole where it is one, NaN where it lies between two."""
        if self.style == STEPS or self.start is None:
            return (times - (1 if self.start is None else self.start)).astype(np.float64)
        unit, size = step(self.frequency)
        if unit == "business":
            days = times.astype("datetime64[D]")
            found = np.busday_count(np.datetime64(self.start, "D"), days).astype(np.float64)
        elif unit == "months":
            found = (_parted(times)[0] - _parted(np.array([self.start]))[0]) / size
        else:
            found = (times - self.start).astype(np.int64) / size
        whole = np.round(found).astype(np.int64)
        return np.where(self.at(whole) == times, whole, np.nan)

    def text(self, index: int) -> str:
        """The time of a step as the input writes them."""
        return written(self.at(np.array([index]))[0], self.style)

    def calendar(self, steps: np.ndarray) -> np.ndarray:
        """What the calendar says of steps `(…)`: sines and cosines `(…, calendar_width(frequency))`, float32, of how far the hour
        is into its day, the day into its week and its year; 0 where nobody said when a series begins.
        """
        steps = np.asarray(steps, np.int64)
        out = np.zeros((*steps.shape, calendar_width(self.frequency)), np.float32)
        if self.start is None or self.style == STEPS:
            return out
        times = self.at(steps)
        days = times.astype("datetime64[D]")
        of = {
            "day": (times - days).astype(np.int64) / DAY,
            "week": ((days.astype(np.int64) + 3) % 7) / 7,
            "year": (days - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) / 365.25,
        }
        for k, cycle in enumerate(cycles(self.frequency)):
            angle = 2 * np.pi * of[cycle]
            out[..., 2 * k], out[..., 2 * k + 1] = np.sin(angle), np.cos(angle)
        return out


def cycles(spec: str) -> tuple[str, ...]:
    """Of which of the calendar's cycles a step of the frequency is a part."""
    unit, size = step(spec)
    if unit == "months":
        return ("year",) if size < 12 else ()
    if unit == "seconds":
        return ("day", "week", "year") if size < DAY else ("week", "year") if size < WEEK else ("year",)
    return ("week", "year") if unit == "business" else ()


def calendar_width(spec: str) -> int:
    """How many numbers the calendar says of a step."""
    return 2 * len(cycles(spec))
