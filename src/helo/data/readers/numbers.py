"""What counts as a number, in files, on standard input and in Python: -1.5 or 2e-3, within the range of float32.

Python's float() takes more (1_000, nan, digits of other scripts), and 1,5 and 1,000 mean different numbers in
different countries, so all of these are errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from helo.errors import HeloError, fault, wrap

LARGEST = float(np.finfo(np.float32).max)
BEYOND = f"a number up to {LARGEST:.3g}, the largest float32"
_WRITTEN = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_NONE = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
# What people and programs write for numbers that is none here: with a comma, underscores, digits of another script.
_MEANT = re.compile(r"\s*[+\-−]?[\d.][\d.,_'’\s\u00a0\u202f]*(?:[eEdD][+-]?\d+)?\s*")


def is_number(value: Any) -> bool:
    """Whether it is a number, NaN and infinity among them, however large."""
    if isinstance(value, str):
        return bool(_WRITTEN.fullmatch(value) or _NONE.fullmatch(value))
    return isinstance(value, int | float | np.number | np.bool_ | Decimal | Fraction) and not isinstance(value, complex)


def fits(value: Any) -> bool:
    """Whether `number` takes it."""
    try:
        number(value)
    except HeloError:
        return False
    return True


def meant(value: Any) -> bool:
    """Whether it is a number or is likely meant as one."""
    return is_number(value) or (isinstance(value, str) and bool(_MEANT.fullmatch(value)))


def absent(value: Any) -> bool:
    """Whether a cell says that there is nothing: empty or blank, None, NaN; pandas's NA and NaT."""
    if isinstance(value, str):
        return not value.strip()
    return (
        value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    )


# How pandas and others write that there is nothing, and `?` of the archives of UCI.
_NOTHING = frozenset(
    ("", "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
     "NULL", "NaN", "None", "n/a", "nan", "null")
)  # fmt: skip


def nothing(value: Any) -> bool:
    """Whether a cell of a table of numbers and categories is a missing value: what is absent, and how programs write it."""
    return absent(value) or (isinstance(value, str) and value.strip() in _NOTHING)


def number(value: Any, where: str = "", column: str | int = "", missing: bool = False) -> float:
    """A cell as float64. missing: an empty cell, NaN in any spelling, or NA as programs write it, is NaN. Raises HeloError
    for anything else that is not a number, and for numbers beyond float32.
    """
    if missing and (nothing(value) or (isinstance(value, str) and value.strip().lower() == "nan")):
        return math.nan
    try:
        found = float(value) if is_number(value) else math.nan
    except OverflowError:  # whole numbers of Python have no end
        found, value = math.inf, "a whole number with too many digits"
    except ValueError:
        found = math.nan
    if abs(found) <= LARGEST:
        return found
    said = repr(value.item() if isinstance(value, np.generic) else value)
    of = f" in the column {column!r}" if column else ""
    raise HeloError(
        f"{said[:40]}{'…' * (len(said) > 40)}{of}",
        expected=BEYOND
        if math.isinf(found) or abs(found) > LARGEST
        else f"a number, such as -1.5 or 2e-3{', or nothing' * missing}",
        where=where,
    )


def column(values: Sequence[Any], places: Sequence[str], name: str, missing: bool = False) -> np.ndarray:
    """A column of cells as float64 `(cells,)`, as `number` takes each. A cell that is none is a fault of its place."""
    if (found := _plain(values)) is not None:
        return found
    found = np.full(len(values), math.nan)
    for i, value in enumerate(values):
        try:
            found[i] = number(value, places[i], name, missing)
        except HeloError as error:
            fault(error)
    return found


def row(values: Sequence[str], where: str, missing: bool = False) -> np.ndarray:
    """The cells of a line as float64 `(cells,)`; columns are counted from 1."""
    if (found := _plain(values)) is not None:
        return found
    return np.array([number(v, where, i, missing) for i, v in enumerate(values, 1)], np.float64)


def _plain(values: Sequence[Any]) -> np.ndarray | None:
    """Cells that are all numbers as they are written, at once."""
    if not all(isinstance(v, str) and _WRITTEN.fullmatch(v) for v in values):
        return None
    found = np.array([float(v) for v in values])
    return found if (np.abs(found) <= LARGEST).all() else None


def typed(line: str, width: int, where: str, missing: bool = False) -> np.ndarray:
    """A line of `width` numbers as a person types or pipes it, parted by blanks, tabs or commas."""
    fields = line.replace(",", " ").split()
    if len(fields) != width:
        raise HeloError(f"{len(fields)} numbers", expected=f"{width}, as in training", where=where)
    return row(fields, where, missing)


def checked(x: Any, where: str, name: str = "x", missing: bool = False) -> np.ndarray:
    """An array of numbers that float32 holds. missing: NaN may stand in it. Raises HeloError with the place in the array,
    called `name`, of the first that is none.
    """
    with wrap(
        ValueError,
        f"{name} has rows of different lengths or types",
        expected="numbers, rows of one length",
        where=where,
    ):  # rows of unequal lengths
        x = np.asanyarray(x)
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        raise HeloError(f"{name} has masked values", expected="numbers", where=where)
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise HeloError(f"{name} is of type {x.dtype}", expected="numbers", where=where)
    if x.dtype.kind != "f":
        return x
    with np.errstate(invalid="ignore"):
        good = np.abs(x) <= LARGEST if x.dtype.itemsize > 4 else np.isfinite(x)
    if missing:
        good |= np.isnan(x)
    if not good.all():
        at = np.argwhere(~good)[0]
        index = f"[{', '.join(map(str, at))}]" if len(at) else ""
        value = x[tuple(at)]
        expected = BEYOND if abs(float(value)) > LARGEST else "a number"
        raise HeloError(f"{name}{index} is {value}", expected=expected, where=where)
    return x
