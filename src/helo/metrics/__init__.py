"""One file a metric: statistics(answers, references) → an array that adds up; score(sum) → figures.

metrics.names()                   what there is
metrics.find("classification")    a metric; "file.py:Name" from outside, either with ",option=value"
metrics.captions                  a metric's file, loaded when it is first used
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from helo import registry
from helo.errors import HeloError, nearest, place
from helo.metrics.base import Metric, Predictions

__all__ = ["Metric", "Predictions", "Scoring", "find", "names"]

ROOM = registry.Room("helo.metrics", "metric", Metric, ("base",))
LOSS = "loss"
#: What a report of the training has beside the figure by which the best weights are known.
REPORTED = frozenset(
    "step epoch seconds loss valid rate norm clipped symbols_per_second norms sample".split()  # noqa: SIM905
)


def __getattr__(name: str) -> ModuleType:
    if name in registry.names("helo.metrics"):
        return importlib.import_module(f"helo.metrics.{name}")
    raise AttributeError(f"module 'helo.metrics' has no attribute {name!r}")


def names() -> list[str]:
    """The registered metrics: the files of this room, and what other packages register as entry points `helo.metrics`."""
    return ROOM.names()


def find(spec: str | type[Metric], labels: tuple[str, ...] = ()) -> Metric:
    """The metric of a specification: `name`, `path/to/file.py:Name`, either followed by `,option=value`; or of a class, which
    a task from outside may have beside it.

    Raises HeloError, naming the nearest, for an unknown metric, option or value.
    """
    return ROOM.make(spec, labels=labels) if isinstance(spec, str) else spec(labels=labels)


def lower_is_better(chosen: Iterable[str] = ()) -> frozenset[str]:
    """Figures of which less is better, of the registered metrics and of those that runs name, but for files that nobody named."""
    known = [*registry.names("helo.metrics", ROOM.not_these)]
    known += [m.split(",")[0] for m in chosen if not registry.outside(m) or registry.remembered(m)]
    found = frozenset[str]()
    for name in known:
        with suppress(HeloError):
            found |= set() if (kind := ROOM.find(name)).higher_is_better else set(kind.figures)
    return found


@dataclass(frozen=True)
class Scoring:
    """How a task is scored. metrics: specifications, or classes, of those that it reports. kinds: of answer that it gives. default: the
    figure by which the best weights are known, the loss or one of these metrics'. chosen: what a person says instead
    (`--metric`): another of these figures, or another metric, which is reported too.
    """

    metrics: tuple[str | type[Metric], ...]
    kinds: tuple[str, ...]
    default: str = LOSS
    chosen: str | None = None

    def choose(self, spec: str | None) -> Scoring:
        """The same with what a person says; None: as the task has it. Raises HeloError for what it cannot be."""
        scoring = replace(self, chosen=spec)
        _ = scoring.own
        return scoring

    @cached_property
    def _reported(self) -> dict[str, Metric]:
        """The task's metrics by the figures that they give."""
        return {f: metric for metric in map(find, self.metrics) for f in metric.figures}

    @cached_property
    def own(self) -> Metric | None:
        """The metric that a person chose, where it is none of the task's."""
        if self.chosen is None or self.chosen in (LOSS, *self._reported, *self.metrics):
            return None
        name = self.chosen.split(",")[0]
        if not registry.outside(name) and name not in names():
            mend = f"{nearest(name, [LOSS, *self._reported])}, another metric's name, or FILE.py:NAME"
            raise HeloError(f"there is no figure or metric {name!r}", mend=mend, where="--metric")
        metric = find(self.chosen)
        with place(f"--metric {self.chosen}"):
            kinds, figures = (getattr(metric, name, None) for name in ("kinds", "figures"))
            if not isinstance(kinds, tuple) or not set(kinds) & set(self.kinds):
                own = ", ".join(self.kinds) or "none"
                raise HeloError(f"its kinds are {kinds!r}", expected=f"a tuple with a kind of the task: {own}")
            if not isinstance(figures, tuple) or not figures:
                raise HeloError(f"figures is {figures!r}", expected="a tuple of the names that `score` returns")
            if taken := [f for f in figures if f in REPORTED or f in self._reported]:
                raise HeloError(f"a figure named {taken[0]!r}", expected="another name: that one is taken")
        return metric

    @cached_property
    def monitor(self) -> str:
        """The figure by which the best weights are known."""
        name = self.chosen or self.default
        if name in (LOSS, *self._reported):
            return name
        return (self.own or find(name)).figures[0]

    def cost(self, figures: Mapping[str, Any]) -> float:
        """Of a validation's figures what is less the better the weights are; infinity where it is no number."""
        value = figures[self.monitor]
        if not isinstance(value, int | float) or not math.isfinite(value):
            return math.inf
        metric = self._reported.get(self.monitor) or self.own
        return -value if metric is not None and metric.higher_is_better else value

    def figures(self, predictions: Predictions) -> dict[str, Any]:
        """All figures of an evaluation."""
        found: dict[str, Any] = {}
        labels = tuple(predictions.labels)
        for metric in (find(spec, labels) for spec in self.metrics):
            found |= _figures(metric, predictions)
        if self.own is not None and self.chosen is not None:
            with place(self.chosen):
                own = _figures(find(self.chosen, labels), predictions)
                if lacks := [f for f in self.own.figures if f not in own]:
                    raise HeloError(f"`score` returns no {lacks[0]!r}", expected="all that `figures` names")
                found |= {f: _plain(f, v, f in self.own.figures) for f, v in own.items() if f not in found}
        return found | dict(predictions.notes)


def _figures(metric: Metric, predictions: Predictions) -> dict[str, Any]:
    given = predictions.kinds[next(k for k in metric.kinds if k in predictions.kinds)]
    found = metric.score(metric.statistics(*given)), metric.notes(*given)
    if wrong := [part for part in found if not isinstance(part, dict)]:
        raise HeloError(f"figures are {wrong[0]!r:.80}", expected="a dict from names to numbers")
    return found[0] | found[1]


def _plain(name: str, value: Any, figure: bool) -> float | str | None:
    """A figure or note of a person's own metric as JSON has it; None for NaN and infinity."""
    if isinstance(value, np.generic | np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, int | float | None) and (figure or not isinstance(value, str)):
        raise HeloError(f"{name} is {value!r:.80}", expected="a number")
    return None if isinstance(value, float) and not math.isfinite(value) else value
