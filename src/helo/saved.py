"""What was read from a file, held against types. Files come from strangers: nothing in them is what it should be until it
was looked at.

typed(value, hint, name)       the value, if a type hint allows it; a list serves for a tuple, a whole number for a float
fields(value, name=hint, …)    the values of an object that has these names and no others
distinct(values, name)         values of which no two are alike

Each raises ValueError with what was found and what was expected; whoever knows the file makes a line of it.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T", bound=Sequence[Any])

NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    dict: "an object",
}


def strict_json(value: Any, ascii: bool = False) -> str:
    """A value as JSON that every reader takes: it has no NaN and no infinity, which are null. ascii: all else escaped."""
    try:
        return json.dumps(value, ensure_ascii=ascii, allow_nan=False)
    except ValueError:
        return json.dumps(json.loads(json.dumps(value), parse_constant=lambda word: None), ensure_ascii=ascii)


def typed(value: Any, hint: Any, name: str) -> Any:
    """The value as a hint has it: int, float (finite), str, bool, None, dict, Any, Literal,
    unions, `list[X]`, `tuple[X, ...]`, `dict[str, X]`.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        for one in inner:
            try:
                return typed(value, one, name)
            except ValueError:
                continue
    elif origin is typing.Literal:
        if any(value == one and type(value) is type(one) for one in inner):
            return value
    elif origin in (list, tuple):
        if isinstance(value, list):
            return origin(typed(v, inner[0], f"{name}[{i}]") for i, v in enumerate(value))
    elif origin is dict:
        if isinstance(value, dict):
            return {k: typed(v, inner[1], f"{name}.{k}") for k, v in value.items()}
    elif hint is float:
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) < 1e300
            and math.isfinite(value)
        ):
            return value
    elif hint is str:
        if isinstance(value, str):
            return value
    elif type(value) is (type(None) if hint is None else hint):
        return value
    raise ValueError(f"{name} is {_short(value)}, not {_told(hint)}")


def fields(value: Any, /, **hints: Any) -> list[Any]:
    """The values of an object, in the order of their hints, as `known` gives them. Raises ValueError for halves of
    characters anywhere, too.
    """
    json.dumps(value, ensure_ascii=False).encode()
    return known(value, **hints)


def known(value: Any, /, **hints: Any) -> list[Any]:
    """The values of an object, in the order of their hints. Raises ValueError for a name that lacks or is too many."""
    if not isinstance(value, dict):
        raise ValueError(f"{_short(value)}, not an object")
    for name in hints:
        if name not in value:
            raise ValueError(f"no {name!r}")
    for name in value:
        if name not in hints:
            raise ValueError(f"{_short(name)}, which is none of {', '.join(hints)}")
    return [typed(value[name], hint, name) for name, hint in hints.items()]


def distinct(values: T, name: str) -> T:
    """The values, of which no two may be alike."""
    if len(set(values)) != len(values):
        twice = next(v for i, v in enumerate(values) if v in values[:i])
        raise ValueError(f"{name} has {_short(twice)} twice")
    return values


def settled(options: Any, *names: str) -> None:
    """Raises ValueError where an option was left open that every run has settled."""
    for name in names:
        if getattr(options, name) is None:
            raise ValueError(f"options.{name} of run.json is null")


def least(number: int, bound: int, name: str) -> int:
    """The number, which may not be below a bound."""
    if number < bound:
        raise ValueError(f"{name} is {_short(number)}, not {bound} or more")
    return number


def _short(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    try:
        shown = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of many digits"
    return shown if len(shown) <= 40 else f"{shown[:37]}…"


def _told(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(map(_told, inner))
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin in (list, tuple):
        return f"a list of {_told(inner[0]).removeprefix('a ')}s"
    return "an object" if origin is dict else NAMES.get(hint, str(hint))


def as_figure(value: Any) -> str:
    """A figure for people: four digits behind the point, or, of one in a unit in which it is very large or small, five in all."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if value == 0 or 0.001 <= abs(value) < 1e5 else f"{value:.5g}"


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with those of something else, which stand in a dict of their own, behind its name: `seasonal_naive mase`."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        found |= {f"{name} {n}": v for n, v in value.items()} if isinstance(value, dict) else {name: value}
    return found
