"""The contract of a form of input, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from helo.cells.base import Cell
from helo.cells.functions import Array
from helo.data.dataset import Dataset
from helo.layers import Noise

EVERY = slice(None)


class Encoded(Protocol):
    """Examples as numbers. lengths `(examples,)`: the steps of each."""

    lengths: np.ndarray

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None = None, mine: Any = EVERY
    ) -> dict[str, np.ndarray]:
        """Arrays of some examples for `forward`, with `lengths (rows,)`. rng: for training, with what makes one
        example look like its neighbours (rare words unknown, pictures shifted); without it, as they are. mine: which
        of the rows are given; the noise is drawn for all, so that it is the same however they are dealt out.
        """
        ...


class Input(ABC):
    """How a sequence's steps become vectors. It is learned from training examples, saved as JSON, and holds no weights."""

    reads: ClassVar[tuple[str, ...]] = ()  # kinds of examples; none: it says itself what it cannot read
    width: int  # numbers a step
    sequence: bool = True  # False: one vector an example, and nothing to recur over

    @abstractmethod
    def encode(self, examples: Dataset) -> Encoded:
        """Examples of the kind that this form reads."""

    def init(self, rng: np.random.Generator, cell: Cell) -> dict[str, np.ndarray]:
        """Fresh parameters; a form that only scales numbers has none."""
        return {}

    @abstractmethod
    def forward(
        self, parameters: Mapping[str, Array], batch: Mapping[str, Array], cell: Cell, noise: Noise | None
    ) -> Array:
        """Vectors `(batch, time, width)`, or `(batch, width)` where there is no sequence."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What `from_json` needs, with the key `form`."""

    @classmethod
    @abstractmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """The form of input that `to_json` wrote. Raises ValueError for anything else."""
