"""A space of options: which of them vary, and between what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from helo.errors import HeloError, nearest
from helo.inspection.compare_cells import split_cells
from helo.options import Option, described, flag, renamed
from helo.tasks.base import Task
from helo.training import Options
from helo.training.request import BUDGETS

WIDE = 10.0  # times the lower end, from which a range is drawn in logarithms
FIXED = BUDGETS | {
    "metric",
    "split",
    "split_by",
    "reader",
    "start",
    "seed",
    "tensorboard",
    "save_seconds",
    "device",
    "samples",
    "horizon",
    "target",
}
SHARE = 0.6  # of dropout, at most, where nothing is said

Range = tuple[float, float]  # both ends belong to it
Space = dict[str, Range | list[Any]]


def usual(kind: type[Task]) -> Space:
    """What varies where nothing is said: both learning rates, a fifth to five times the task's own, and its dropout."""
    own = {o.name: o.default for o in described(Options)} | dict(kind.recipe.options)
    space: Space = {name: (own[name] / 5, own[name] * 5) for name in ("rate", "adam_rate")}
    return space | ({"dropout": (0.0, SHARE)} if any(o.name == "dropout" for o in described(kind.Options)) else {})


def space(kind: type[Task], vary: Mapping[str, Any] | Sequence[str]) -> Space:
    """Options as `NAME=LOW..HIGH` or `NAME=A,B,C`, or by their names: (low, high), a list of values, or such a text. Raises
    HeloError for an option that there is not or that all trials share, and for values that it cannot have.
    """
    if isinstance(vary, Mapping):
        pairs = list(vary.items())
    else:
        pairs = [text.partition("=")[::2] for text in ([vary] if isinstance(vary, str) else vary)]
    known = {o.name: o for k in (kind.Options, Options) for o in described(k)}
    found: Space = {}
    for name, values in pairs:
        name = next(iter(renamed(kind.Options, {str(name).strip().removeprefix("--").replace("-", "_"): 0})))
        where = f"--vary {name}"
        if name not in known:
            raise HeloError("there is no such option", mend=nearest(name, sorted(known.keys() - FIXED)), where=where)
        if name in FIXED or name in kind.Options.paths:
            raise HeloError(
                "it is the same in all trials, or they could not be compared",
                mend=f"give {flag(name)} itself",
                where=where,
            )
        if name in found:
            raise HeloError("given twice", expected="once", where=where)
        found[name] = _values(known[name], values, where)
    return found


def _values(option: Option, values: Any, where: str) -> Range | list[Any]:
    expected = "LOW..HIGH, or several values A,B,C" if option.kind in (int, float) else "several values A,B,C"
    if isinstance(values, str) and ".." in values and option.kind in (int, float):
        values = tuple(values.split("..", 1))
    elif isinstance(values, str):
        values = split_cells(values) if option.kind is str else [v.strip() for v in values.split(",")]
    if not isinstance(values, list | tuple) or len(values) < 2:
        raise HeloError(f"{values!r:.80}", expected=expected, where=where)
    right = [_value(option, v, where) for v in values]
    if isinstance(values, list):
        if len({repr(v) for v in right}) < len(right):
            raise HeloError("a value twice", expected="different values", where=where)
        return right
    low, high = right if len(right) == 2 else (0, 0)
    if not low < high:
        raise HeloError(f"{'..'.join(map(str, values))}", expected="the lower end first", where=where)
    return low, high


def _value(option: Option, value: Any, where: str) -> Any:
    """One value of the option's kind. Raises HeloError for what it cannot be."""
    kind, choices = option.kind, get_args(option.kind) if get_origin(option.kind) is not None else ()
    try:
        if kind is bool:
            right = {"true": True, "false": False}[str(value).lower()]
        elif choices:
            right = {str(c): c for c in choices}[str(value)]
        else:
            right = kind(value)
            if kind is int and float(value) != right:
                raise ValueError
    except (KeyError, ValueError, TypeError, OverflowError):
        named = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind) or "one of " + ", ".join(
            map(str, choices)
        )
        raise HeloError(f"{value!r:.80}", expected=named, where=where) from None
    if option.bounds is not None and right not in option.bounds:
        raise HeloError(f"{value}", expected=str(option.bounds), where=where)
    return right
