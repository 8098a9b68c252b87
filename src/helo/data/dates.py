"""Dates in the ways in which people and their programs write them, beside those of ISO 8601: 31.01.2024, 1/31/24 1:00 PM, Jan 2024,
20240131, 2024-W05, seconds since 1970.

readings(texts)     every way in which all of them can be read
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

# Each as `strftime` takes it, which writes the times that follow.
_DAYS = (
    "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y",
    "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%Y%m%d",
    "%Y-%m-%d", "%Y/%m/%d",  # with AM or PM
    "%y/%m/%d", "%y.%m.%d", "%y-%m-%d",
)  # fmt: skip
_MONTHS = ("%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%b-%y", "%Y %b", "%Y-%b", "%m/%Y", "%m.%Y", "%m-%Y", "%YM%m", "%Y%m")
_WEEKS = ("%G-W%V", "%GW%V", "%G W%V")
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
_TIMED = re.compile(r"(.+?)(,? |T)(\d{1,2}:\d{2}.*)")
SECONDS, MILLISECONDS = "%s", "%s000"  # since 1970


def readings(texts: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """The styles in which all of some texts, one or more, are times, each with the times, `datetime64[s]`. Of months the first day,
    of weeks the Monday.
    """
    parted = [found.groups() if (found := _TIMED.fullmatch(text)) else (text, "", "") for text in texts]
    days, marks, clocks = zip(*parted, strict=True)
    if len(set(marks)) > 1:
        return
    for day, at in _read(days, _DAYS if marks[0] else (*_DAYS, *_MONTHS, *_WEEKS)):
        for clock, since in _read(clocks, _CLOCKS if marks[0] else ("",)):
            yield day + marks[0] + clock, at + (since - np.datetime64("1900-01-01", "s"))


def read(texts: Sequence[str], style: str) -> np.ndarray | None:
    """Texts as times of one style, any of `strptime`; None where some are not."""
    return next((found for _, found in _read(texts, [style])), None)


def fits(text: str, style: str) -> bool:
    """Whether a text is a time in this style."""
    return any(own == style for own, _ in readings([text]))


def _read(texts: Sequence[str], styles: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    words, at = np.unique(np.array(texts, str), return_inverse=True)
    for style in styles:
        try:
            found = np.array([_one(word, style) for word in words.tolist()], "datetime64[s]")
        except ValueError:
            continue
        yield style, found[at]


def _one(text: str, style: str) -> datetime:
    if "%V" in style:
        found = datetime.strptime(f"{text} 1", f"{style} %u")
        if found.strftime(style) != text:  # a week 53 of a year that has 52
            raise ValueError(text)
        return found
    if len(text) != {"%Y%m%d": 8, "%Y%m": 6}.get(style, len(text)):  # strptime takes 2024111 for one
        raise ValueError(text)
    return datetime.strptime(text, style)


def since_1970(texts: Sequence[str]) -> tuple[str, np.ndarray] | None:
    """Whole seconds or milliseconds since 1970, from 2001 on; None where some texts are neither."""
    style, unit = {10: (SECONDS, 1), 13: (MILLISECONDS, 1000)}.get(len(texts[0]), ("", 0))
    if not unit or not all(len(t) == len(texts[0]) and t.isascii() and t.isdigit() for t in texts):
        return None
    return style, (np.array([int(t) for t in texts]) // unit).astype("datetime64[s]")
