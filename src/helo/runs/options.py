"""Options held to their types and bounds, wherever they come from."""

from __future__ import annotations

import numbers
import operator
import types
import typing
from dataclasses import fields
from os import PathLike
from typing import Any

from helo.errors import HeloError

SHARES = {"dropout", "weight_dropout", "scheduled", "self_critical"}  # from 0 to 1
FROM_ZERO = {"spelling", "weight_decay", "seed"}  # may be 0; everything else is more
MOST = {"seed": 2**63 - 1, "steps": 2**53, "minutes": 1e7, "clip": 1e30, "fps": 1e4}  # other numbers: up to a million
MANY = 2**31 - 1  # other whole numbers


def checked(options: Any) -> Any:
    """The options, of a task or of the training, with every value of its field's own type. Raises HeloError for a value of
    another type, a size below 1, a share that is none, a rate that is not above 0 or beyond all use.
    """
    hints = typing.get_type_hints(type(options))
    for field in fields(options):
        name, where = field.name, "--" + field.name.replace("_", "-")
        value, kinds = getattr(options, name), _kinds(hints[name])
        if value is None and type(None) in kinds:
            continue
        kind = next(k for k in kinds if k is not type(None))
        try:
            right = _of(kind, value)
        except (TypeError, ValueError, OverflowError):
            raise HeloError(f"{value!r:.80}", expected=_called(kind), where=where) from None
        if right is not value:
            object.__setattr__(options, name, right)
        if kind in (int, float):
            _bounded(name, right, kind, where)
    return options


def _bounded(name: str, value: float, kind: type, where: str) -> None:
    if name in SHARES:
        right, expected = 0 <= value <= 1, "a number between 0 and 1"
    else:
        most = MOST.get(name, MANY if kind is int else 1e6)
        expected = "0 or more" if name in FROM_ZERO else "1 or more" if kind is int else "more than 0"
        right = (value >= 0 if name in FROM_ZERO else value > 0) and value <= most
        if value > most:
            expected += f", at most {most:,}" if kind is int else f", at most {most:g}"
    if not right:
        raise HeloError(f"{value}", expected=expected, where=where)


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def _of(kind: Any, value: Any) -> Any:
    """The value as one of a kind: NumPy's numbers as Python's, paths as text, one text as a tuple of one."""
    if typing.get_origin(kind) is typing.Literal:
        if value in typing.get_args(kind):
            return value
    elif typing.get_origin(kind) is tuple:
        items = (value,) if isinstance(value, str | PathLike) else tuple(value)
        right = tuple(_of(str, item) for item in items)
        return value if right == value else right
    elif kind is bool:
        if isinstance(value, bool):
            return value
    elif isinstance(value, bool):
        pass
    elif kind is int:
        return value if type(value) is int else operator.index(value)
    elif kind is float:
        if isinstance(value, numbers.Real):
            return value if isinstance(value, int | float) else float(value)
    elif kind is str and isinstance(value, str | PathLike):
        return value if isinstance(value, str) else str(value)
    raise TypeError


def _called(kind: Any) -> str:
    """A kind of value, in words."""
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        return "texts"
    return {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}[kind]
