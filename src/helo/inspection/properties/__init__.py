"""What a unit may know of a text: one property a file, found by its file name; a person's own from `FILE.py:NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import registry
from helo.errors import HeloError, as_helo_error, nearest, place
from helo.inspection.properties.base import Property
from helo.inspection.traces import Reading

__all__ = ["Measured", "Property", "find", "measured", "names"]

LEAST = 10  # steps at which a flag holds, and does not: of fewer nothing can be said
SEVERAL = 12  # of properties that come in several, such as labels: the most frequent


@dataclass
class Measured:
    """A property on a reading. values `(steps,)` float32: flags as 0 and 1; nan where it is not defined."""

    name: str
    about: str
    flag: bool
    values: np.ndarray


def names() -> list[str]:
    """The registered properties."""
    return registry.names("helo.inspection.properties", ("base", "code"))


def find(name: str) -> Property:
    """A property by its file name, with blanks or underscores, or a person's own: `FILE.py:NAME`, a `Property` or a function
    of a text or of a list of words that gives a flag or a number each. Raises HeloError for one that is not known.
    """
    if ".py:" in name:
        return _outside(name)
    module = registry.module("helo.inspection.properties", name.replace(" ", "_"), "property", names())
    kind: Any = registry.offered(module, Property)
    return kind()


def title(prop: Property) -> str:
    """Its name on pages."""
    return str(prop.name or type(prop).__module__.rpartition(".")[2]).replace("_", " ")


def measured(reading: Reading, properties: Sequence[Property]) -> list[Measured]:
    """Those of the properties that occur: of kinds that the reading has, and neither always nor never so. Raises HeloError
    where a person's own gives something else than a value a character or step.
    """
    found = []
    for prop in properties:
        for kind, rows in _rows(reading).items():
            if kind in prop.kinds:
                found += _measured(reading, prop, kind, rows)
    return [m for m in found if _occurs(m)]


def _rows(reading: Reading) -> dict[str, list[Any]]:
    """What properties are read off, by kind, a row each."""
    rows: dict[str, list[Any]] = {}
    if reading.kind == "text":
        rows["text"] = ["".join(reading.pieces)] if reading.joined else ["".join(r) for r in reading.steps]
    elif reading.kind == "tokens":
        rows["tokens"] = list(reading.steps)
    if reading.numbers is not None:
        rows["series"] = reading.numbers
    if reading.labels is not None:
        rows["labels"] = reading.labels
    return rows


def _measured(reading: Reading, prop: Property, kind: str, rows: list[Any]) -> list[Measured]:
    lengths = [len(r) for r in rows]
    several: dict[str, list[np.ndarray]] = {}
    for k, row in enumerate(rows):
        result = _values(prop, row)
        for key, values in (result if isinstance(result, Mapping) else {"": result}).items():
            if key not in several:  # a label that earlier rows lacked
                several[key] = [np.zeros(n, np.float32) for n in lengths]
            several[key][k] = _numbers(values, lengths[k], prop)
    joined = {key: np.concatenate(parts) for key, parts in several.items()}
    if len(joined) > SEVERAL:
        most = sorted(joined, key=lambda key: -float(np.nansum(joined[key])))[:SEVERAL]
        joined = {key: values for key, values in joined.items() if key in most}
    if kind == "text":
        at = _last(reading)
        # -1, no character read yet, takes the NaN at the end; there may be no character at all.
        joined = {key: np.append(values, np.nan)[np.maximum(at, -1)] for key, values in joined.items()}
    about = " ".join(str(getattr(prop, "about", None) or type(prop).__doc__ or "").split())
    name = title(prop)
    return [Measured(f"{name} {key}".strip(), about, _flag(v), v.astype(np.float32)) for key, v in joined.items()]


def _values(prop: Property, row: Any) -> Any:
    """A property's values of a row. Raises HeloError for a person's own that cannot be called with it."""
    try:
        return prop.values(row)
    except TypeError as error:
        own = isinstance(prop, _Function) or registry.home(prop) is not None
        if not own or as_helo_error(error) is not None:
            raise
        raise HeloError(
            f"TypeError: {error}", expected="a function of a text or of a list of steps", where=title(prop)
        ) from error


def _last(reading: Reading) -> np.ndarray:
    """Of each step the place of its last character in the joined rows, `(steps,)`; -1 before the first of a row."""
    counts = np.array([len(p) for p in reading.pieces], np.int64)
    ends = np.cumsum(counts) - 1
    starts = np.repeat(np.cumsum(counts)[np.cumsum(reading.lengths) - 1], reading.lengths)
    rows = np.repeat([sum(map(len, r)) for r in reading.steps], reading.lengths)
    return ends if reading.joined else np.where(ends < starts - rows, -1, ends)


def _numbers(values: Any, length: int, prop: Property) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            found = np.array(values, np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise HeloError(
            f"values that are not numbers ({error})", expected="a flag or number for each step", where=title(prop)
        ) from error
    if len(found) != length:
        raise HeloError(f"{len(found)} values of {length} characters or steps", expected="one each", where=title(prop))
    found[~np.isfinite(found)] = np.nan
    return found


def _flag(values: np.ndarray) -> bool:
    return bool(np.isin(values[~np.isnan(values)], (0, 1)).all())


def _occurs(m: Measured) -> bool:
    there = m.values[np.isfinite(m.values)]
    if m.flag:
        return LEAST <= float(there.sum()) <= len(there) - LEAST
    return len(there) >= 2 * LEAST and bool(there.min() < there.max())


class _Function(Property):
    kinds = ("text", "tokens")

    def __init__(self, name: str, function: Callable[[Any], Any]):
        self.name, self.function = name, function

    @property
    def about(self) -> str | None:
        return self.function.__doc__

    def values(self, row):
        return self.function(row)


def _outside(spec: str) -> Property:
    path, _, name = spec.rpartition(":")
    with place(spec):
        kinds = {k: v for k, v in registry.own(registry.code(path)).items() if callable(v)}
        if name not in kinds:
            raise HeloError(
                f"the file has no property {name!r}", mend=nearest(name, kinds) if kinds else "it defines none"
            )
        found = kinds[name]
        if not isinstance(found, type):
            return _Function(name, found)
        if not issubclass(found, Property):
            raise HeloError(f"{name} is not a property", expected="a class that derives from Property, or a function")
        made: Any = found
        try:
            made = made()
        except TypeError as error:
            raise HeloError(f"{name}: {error}", expected="a class that needs no arguments") from error
        made.name = made.name or name
        return made
