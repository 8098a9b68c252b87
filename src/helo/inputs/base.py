"""The contract of a form of input, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, final

import numpy as np

from helo.cells.base import Cell
from helo.cells.functions import Array
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.errors import HeloError
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


class Plain:
    """Sequences that a batch holds as they are, under a name."""

    def __init__(self, name: str, sequences: Ragged):
        self.name, self.sequences, self.lengths = name, sequences, sequences.lengths

    def batch(self, rows, rng=None, mine=EVERY):
        values, lengths = self.sequences.padded(rows[mine])
        return {self.name: values, "lengths": lengths}


class Input(ABC):
    """How a sequence's steps become vectors. It is learned from training examples, saved as JSON, and holds no weights."""

    #: Kinds of examples, first that of what is given in Python.
    reads: ClassVar[tuple[str, ...]]
    width: int  # numbers a step
    sequence: bool = True  # False: one vector an example, and nothing to recur over

    @final
    def encode(self, examples: Dataset) -> Any:
        """Examples as numbers (`Encoded`). Raises HeloError for a kind that the form does not read."""
        if examples.kind not in self.reads and len(examples):
            expected = f"{' or '.join(self.reads)}, as in training"
            columns = ", ".join(examples.notes.get("columns", ()))
            found = f"columns {columns}" if columns else f"a {examples.kind}"
            raise HeloError(found, expected=expected, where=examples.place(0))
        return self._encode(examples)

    @abstractmethod
    def _encode(self, examples: Dataset) -> Encoded: ...

    def init(self, rng: np.random.Generator, cell: Cell) -> dict[str, np.ndarray]:
        """Fresh parameters; a form that only scales numbers has none."""
        return {}

    def forward(
        self, parameters: Mapping[str, Array], batch: Mapping[str, Array], cell: Cell, noise: Noise | None
    ) -> Array:
        """Vectors `(batch, time, width)`, or `(batch, width)` where there is no sequence."""
        return batch["xs"]

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What `from_json` needs, with the key `form`."""

    @classmethod
    @abstractmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """The form of input that `to_json` wrote. Raises ValueError for anything else."""
