"""The contract of a task, written once. The training loop knows nothing else of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from helo import engines
from helo.cells.functions import Array
from helo.layers import Noise
from helo.metrics import Scoring
from helo.models.base import Budget, Parameters


class Batches(Protocol):
    """Batches without end, `per_epoch` in a pass, each the arrays that `Task.loss` reads by their names; None where nothing
    of a batch is for this process. The position, `epoch` and `index`, decides all that follows, whatever the number of
    processes. fresh: no state is carried into the next one.
    """

    per_epoch: int
    epoch: int
    index: int

    @property
    def fresh(self) -> bool: ...

    def next(self) -> dict[str, np.ndarray] | None: ...


@dataclass(frozen=True)
class TaskOptions:
    """What a person can say of a task: fields, `Annotated[type, "help"]`, which are the flags of the command line. What is
    None is settled from the data and the budget, and recorded.
    """

    #: Whether an example comes out of two aligned files, a source and a target.
    paired: ClassVar[bool] = False
    #: Options that name files, whose contents are what must be the same when a run goes on.
    paths: ClassVar[frozenset[str]] = frozenset()
    #: What verbs after training may be told, by the verb: a frozen dataclass of options, as this one is.
    verbs: ClassVar[Mapping[str, type[Any]]] = MappingProxyType({})
    #: Options of reading that may be others after the training, and what they are then; None: as in the training.
    reading: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def unused(self, task: Any) -> frozenset[str]:
        """Options that have no part in the task's model, whatever they are: they are for other kinds of data."""
        return frozenset()


@dataclass
class Recipe:
    """How a task is trained, beside its batches and its loss: what the loop has to know."""

    #: Options of the training where none is given, other than the language model's.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Under --minutes: more passes over the data than this are not made.
    max_epochs: float = float("inf")
    #: Names below which the rates are multiplied by a number: what others have trained already. 0: they stay as they are.
    lr_scale: Mapping[str, float] = field(default_factory=dict)
    #: While it trains it is validated on so many symbols or examples at most.
    validation_limit: int = 1_000_000
    #: Validations on fewer symbols or examples are chance: by them no weights are chosen, the last are kept, and no training
    #: ends early.
    enough: int = 0
    #: Whether the weights that are kept are those of the last steps on average.
    averaged: bool = False
    #: Seconds that reading took for what is kept for ever after: no part of a person's minutes.
    cached_seconds: float = 0.0

    @property
    def static_graph(self) -> bool:
        """Whether `Task.loss` does the same operations in each step for arrays of one shape, whatever their numbers are."""
        return True

    @property
    def steady(self) -> bool:
        """Whether the same is minimised from the first step to the last."""
        return True

    def on_progress(self, done: float) -> None:
        """Told before each step what share of the training is over, 0 while its end is not settled."""

    def step_cost(self, done: float) -> float:
        """How long a step takes when a share of the training is over, beside one of its first."""
        return 1.0

    def validation_subset(self, size: int, seen: int) -> int:
        """On how many of `size` to validate while a training goes on that sees so many symbols or examples in all."""
        return min(size, self.validation_limit)


class Task(ABC):
    """A shape over sequences with settled options. Arrays come in and go out; a task itself holds no parameters."""

    Options: ClassVar[type[Any]]  # TaskOptions
    options: Any
    model: Any  # a Model
    recipe: Recipe = Recipe()
    #: The metrics that are reported, and by which figure the best weights are known.
    scoring: Scoring

    @property
    @abstractmethod
    def validation_size(self) -> int:
        """How many symbols or examples there are to validate on."""

    @classmethod
    @abstractmethod
    def read(
        cls,
        files: Sequence[str | Path],
        valid: Sequence[str | Path],
        options: Any,
        folder: Path,
        saved: dict[str, Any] | None = None,
    ) -> Self:
        """The task with its data open. folder: where room may be taken while this process lives. saved: the
        vocabulary of the run that goes on.
        """

    @classmethod
    @abstractmethod
    def load(cls, options: Any, saved: dict[str, Any], data: dict[str, Any]) -> Self:
        """The task of a run folder, without its data: from its options, its vocab.json, and `data` of its run.json."""

    @abstractmethod
    def infer_defaults(self, budget: Budget) -> None:
        """Replace every option that is None, by a written rule, from the data's size and the budget."""

    @abstractmethod
    def batches(self, seed: int, rank: int = 0, world: int = 1) -> Batches:
        """The training data, dealt out by rank."""

    @abstractmethod
    def loss(
        self, parameters: Parameters, batch: Mapping[str, Array], state: Any, noise: Noise | None
    ) -> tuple[Array, int | Array, Any]:
        """(sum of the loss over the batch in nats, over how many, the state for the next batch). state: None where
        there is none. What is a number in the arrays stays one: nothing here reads it. Where something else is
        minimised than what validation measures, its number is the latter, and its gradient that of the former.
        """

    @abstractmethod
    def validate(self, parameters: Parameters, most: int | None = None, loss_only: bool = False) -> dict[str, float]:
        """Figures on the validation data, with `loss`, what training minimises; on `most` symbols or examples of it.
        loss_only: while training, when what costs much may be left out.
        """

    @abstractmethod
    def evaluate(
        self, parameters: Parameters, data: dict[str, Any], files: Sequence[str | Path] = ()
    ) -> dict[str, Any]:
        """Figures on files, or on the validation data that a run recorded in `data`."""

    @classmethod
    @abstractmethod
    def summary(cls, files: Sequence[str | Path], options: Any) -> dict[str, Any]:
        """What is understood of a person's files before anything is learned from them: how many, how long, which."""

    @abstractmethod
    def to_json(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a run folder keeps of the data: (`data` of run.json, vocab.json)."""


def on(batch: Mapping[str, np.ndarray], like: Array) -> dict[str, Array]:
    """A batch as arrays of the library and device of the parameters."""
    return {name: engines.array(a, like) for name, a in batch.items()}


def filled(options: Any, **sizes: Any) -> Any:
    """Options with what is not given filled in."""
    return replace(options, **{k: v for k, v in sizes.items() if getattr(options, k) is None})
