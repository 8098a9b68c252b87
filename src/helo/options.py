"""Options are the fields of frozen dataclasses, `Annotated[type, "help", Bounds(…)]`: flags of the command line, keyword
arguments in Python, and what run.json keeps. All three are held to the same types and bounds, here.

Bounds, SIZE, POSITIVE, SHARE    what a number may be; choices are a `Literal`, and whole numbers an int
Formerly                         the name that an option had before
described(kind)                  each option of a dataclass, as `Option`
build(kind, values)              the dataclass of a person's values, checked
recorded(kind, values)           a person's values out of a run.json
OTHERS                           other tools' names for ours
"""

from __future__ import annotations

import functools
import numbers
import operator
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, NamedTuple

from helo import saved
from helo.errors import HeloError

MANY = 2**31 - 1
SAID = 1e6  # a most from here on is said only to who goes beyond it

#: What PyTorch, Keras, scikit-learn, Hugging Face, flair, char-rnn, sktime and GluonTS call what our flags say, without dashes in front.
OTHERS: dict[str, tuple[str, ...]] = {
    other: ours
    for others, ours in (
        ("learning-rate lr eta learning-rate-init", ("--rate", "--adam-rate")),
        ("batch-size bs mini-batch-size minibatch per-device-train-batch-size", ("--streams", "--batch")),
        ("hidden-size hidden-dim hidden-units units-per-layer num-units rnn-size nhid d-model size", ("--hidden",)),
        ("num-layers n-layers nlayers rnn-layers depth", ("--layers",)),
        ("embedding-size embedding-dim embed-dim emb-size emsize", ("--embedding",)),
        ("seq-length seq-len sequence-length bptt block-size max-length window", ("--chunk",)),
        ("num-epochs n-epochs max-epochs num-train-epochs epoch passes", ("--epochs",)),
        ("max-steps num-steps iterations iters max-iters n-iter", ("--steps",)),
        ("time max-time timeout", ("--minutes",)),
        ("optimizer optimiser optim solver", ("--rate", "--adam-rate", "--weight-decay")),
        ("l2 alpha wd", ("--weight-decay",)),
        ("grad-clip gradient-clip clip-norm max-grad-norm max-norm clip-grad", ("--clip",)),
        ("drop dropout-rate dropout-prob p-dropout", ("--dropout",)),
        ("model rnn-type rnn cell-type architecture model-type", ("--cell",)),
        ("bidir bi", ("--bidirectional",)),
        (
            "dev dev-file validation validation-file eval-file valid-file val val-file validation-data test",
            ("--valid",),
        ),
        ("file data data-file dataset train train-file train-data input input-file corpus path", ("--files",)),
        ("output output-dir out-dir base-path save save-dir checkpoint-dir model-dir", ("--out",)),
        ("init-from pretrained checkpoint from-pretrained model-name-or-path load", ("--start",)),
        ("resume-from-checkpoint continue", ("--resume",)),
        ("force overwrite-output-dir", ("--overwrite",)),
        ("random-state random-seed", ("--seed",)),
        ("gpu cuda use-cuda no-cuda accelerator", ("--device",)),
        ("fp16 bf16 amp dtype mixed-precision", ("--precision",)),
        ("monitor metric-for-best-model scoring", ("--metric",)),
        ("class-weight class-weights sample-weight", ("--balance",)),
        ("temp", ("--temperature",)),
        ("num-beams beam-size beam-width", ("--beam",)),
        ("max-new-tokens num-tokens", ("--length",)),
        ("num-samples n-samples num-return-sequences", ("--streams", "--n-best")),
        ("patience early-stopping early-stopping-patience", ("--early-stop",)),
        ("use-crf", ("--crf",)),
        ("embeddings pretrained-embeddings glove", ("--vectors",)),
        ("target-column label-column y", ("--label", "--target")),
        ("label", ("--target",)),
        ("target", ("--label",)),
        ("text-column x", ("--text",)),
        ("distr-output likelihood", ("--distribution",)),
        ("prediction-length forecast-horizon fh steps-ahead", ("--horizon",)),
        ("freq", ("--frequency",)),
        ("sp seasonality season-length seasonal-periods period", ("--season",)),
        ("unique-id item-id series-id id-column", ("--group",)),
        ("timestamp timestamp-column time-column ds", ("--time",)),
        ("quantile-levels levels", ("--quantiles",)),
        ("exog known-covariates known-covariates-names feat-dynamic-real", ("--known",)),
        ("past-covariates past-feat-dynamic-real", ("--past",)),
    )
    for other in others.split()
}


@dataclass(frozen=True)
class Bounds:
    """What a number may be: from least to most. above, below: not the least, or the most, itself."""

    least: float = 1
    most: float = MANY
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most and not (
            (self.above and value == self.least) or (self.below and value == self.most)
        )

    def __str__(self) -> str:
        least = f"more than {self.least:g}" if self.above else f"{self.least:g} or more"
        if self.most >= SAID:
            return least
        if not self.above and not self.below:
            return f"between {self.least:g} and {self.most:g}"
        return f"{least}, {'below' if self.below else 'at most'} {self.most:,g}"


SIZE = Bounds(1)
POSITIVE = Bounds(0, 1e6, above=True)
SHARE = Bounds(0, 1)


@dataclass(frozen=True)
class Formerly:
    """The name that an option had before: on the command line, in Python and in a run.json it goes on working."""

    name: str


class Option(NamedTuple):
    """What a dataclass says of one option. kind: its type, without None."""

    name: str
    kind: Any
    optional: bool
    default: Any
    help: str
    bounds: Bounds | None
    formerly: str | None

    @property
    def flag(self) -> str:
        return flag(self.name)


def flag(name: str) -> str:
    """An option's name as it is typed."""
    return "--" + name.replace("_", "-")


@functools.cache
def described(kind: type[Any]) -> tuple[Option, ...]:
    """The options of a dataclass, in order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        hint = hints[field.name]
        annotated, *about = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        union = typing.get_origin(annotated) in (types.UnionType, typing.Union)
        kinds = typing.get_args(annotated) if union else (annotated,)
        one = next(k for k in kinds if k is not type(None))
        text = next((a for a in about if isinstance(a, str)), "")
        bounds = next((a for a in about if isinstance(a, Bounds)), None)
        formerly = next((a.name for a in about if isinstance(a, Formerly)), None)
        found.append(Option(field.name, one, type(None) in kinds, field.default, text, bounds, formerly))
    return tuple(found)


def build(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """The dataclass of a person's values, by whatever names they have, checked."""
    return checked(kind(**renamed(kind, values)))


def renamed(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that their options have now. Raises HeloError for one under both its names."""
    now = {o.formerly: o.name for o in described(kind) if o.formerly is not None}
    for old, new in now.items():
        if old in values and new in values:
            raise HeloError(f"{flag(old)} and {flag(new)}, which are the same", mend=f"omit {flag(old)}")
    return {now.get(name, name): value for name, value in values.items()}


def recorded(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values out of a run.json by the names that their options have now. Raises ValueError for one of another type; those
    of no option are left as they are.
    """
    hints = {o.name: o.kind | None if o.optional else o.kind for o in described(kind)}
    values = renamed(kind, values)
    return {name: saved.typed(v, hints[name], name) if name in hints else v for name, v in values.items()}


def checked(options: Any) -> Any:
    """The options, with every value of its field's own type and within its bounds. Raises HeloError, by its flag, for one
    that is not.
    """
    for option in described(type(options)):
        value = getattr(options, option.name)
        if value is None and option.optional:
            continue
        try:
            right = _converted(option.kind, value)
        except (TypeError, ValueError, OverflowError):
            raise HeloError(f"{value!r:.80}", expected=_called(option.kind), where=option.flag) from None
        if right is not value:
            object.__setattr__(options, option.name, right)
        if (bounds := option.bounds) is not None and right not in bounds:
            most = f"{bounds.most:,}" if isinstance(bounds.most, int) else f"{bounds.most:g}"
            most = f", at most {most}" if right > bounds.most >= SAID else ""
            raise HeloError(f"{right}", expected=f"{bounds}{most}", where=option.flag)
    return options


def _converted(kind: Any, value: Any) -> Any:
    """The value as one of a kind: NumPy's numbers as Python's, paths as text, one text as a tuple of one, a number in a tuple as text."""
    if typing.get_origin(kind) is typing.Literal:
        if value in typing.get_args(kind):
            return value
    elif typing.get_origin(kind) is tuple:
        items = (value,) if isinstance(value, str | PathLike | numbers.Real) else tuple(value)
        plain = [isinstance(i, numbers.Real) and not isinstance(i, bool) for i in items]
        right = tuple(str(i) if number else _converted(str, i) for i, number in zip(items, plain, strict=True))
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
    elif kind is str and isinstance(value, str | PathLike) and "\0" not in str(value):  # no file has a NUL in its name
        return value if isinstance(value, str) else str(value)
    raise TypeError


def _called(kind: Any) -> str:
    """A kind of value, in words."""
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        return "texts"
    return {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}[kind]


def spelled(value: Any) -> str:
    """A value of an option for people: several, joined by commas."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
