"""The contract of a task, written once. The training loop knows nothing else of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from helo.cells.functions import Array
from helo.layers import Noise

Parameters = Mapping[str, Array]


class Batch(Protocol):
    """One step's examples. fresh: no state is carried into it."""

    @property
    def fresh(self) -> bool: ...
    @property
    def inputs(self) -> np.ndarray: ...
    @property
    def targets(self) -> np.ndarray: ...


class Batches(Protocol):
    """Batches without end, `per_epoch` in a pass. The position, `epoch` and `index`, decides all that follows."""

    per_epoch: int
    epoch: int
    index: int

    def next(self) -> Batch: ...


@dataclass(frozen=True)
class Budget:
    """What a training may cost: products (multiplications of the model, forward and backward), or symbols, or epochs;
    one of them is known.
    """

    products: float | None = None
    steps: int | None = None
    epochs: float | None = None


class Task(ABC):
    """A shape over sequences with settled options. Arrays come in and go out; a task itself holds no parameters."""

    #: A frozen dataclass whose fields, `Annotated[type, "help"]`, are the flags of the command line. What is None is
    #: settled from the data and the budget, and recorded.
    Options: ClassVar[type[Any]]
    options: Any

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

    @abstractmethod
    def settle(self, budget: Budget) -> None:
        """Replace every option that is None, by a written rule, from the data's size and the budget."""

    @abstractmethod
    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Fresh parameters, float32, flat with dotted names."""

    @abstractmethod
    def batches(self, seed: int, rank: int = 0, world: int = 1) -> Batches:
        """The training data, dealt out by rank."""

    @abstractmethod
    def loss(self, parameters: Parameters, batch: Batch, state: Any, noise: Noise | None) -> tuple[Array, int, Any]:
        """(sum of the loss over the batch in nats, over how many, the state for the next batch)."""

    @abstractmethod
    def validate(self, parameters: Parameters, most: int | None = None) -> dict[str, float]:
        """Figures on the validation data, with `loss`, what training minimises; on its first `most` symbols or so."""

    @abstractmethod
    def evaluate(
        self, parameters: Parameters, data: dict[str, Any], files: Sequence[str | Path] = ()
    ) -> dict[str, Any]:
        """Figures on files, or on the validation data that a run recorded in `data`."""

    @abstractmethod
    def show(self, parameters: Parameters, rng: np.random.Generator) -> str:
        """A line that lets a person see what the model can do by now."""

    @abstractmethod
    def to_json(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a run folder keeps of the data: (`data` of run.json, vocab.json)."""
