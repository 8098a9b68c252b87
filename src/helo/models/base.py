"""What every model is: parameters, and how they map a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import cells
from helo.cells.base import Cell
from helo.cells.functions import Array, namespace

Parameters = Mapping[str, Array]


@dataclass(frozen=True)
class Budget:
    """What a training may cost: products (multiplications of the model, forward and backward), or, on an accelerator, which
    takes as long for a narrow model as for a wide one, symbols; or steps, or epochs. One of them is known.
    """

    macs: float | None = None
    symbols: float | None = None
    steps: int | None = None
    epochs: float | None = None


class Model(ABC):
    """Plain functions of parameters; a model itself holds none. options: `cell`, and the sizes that the model has."""

    options: Any
    cell: Cell

    def __init__(self, options: Any):
        self.options, self.cell = options, cells.find(options.cell)

    @abstractmethod
    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Fresh parameters, float32, flat with dotted names."""


class InputModel(Model):
    """A model over a form of input: outputs of an example, or of each of its steps, by a linear head."""

    shorter: int = 1  # steps of the input that are one of the recurrence
    folds: int = 1  # networks, whose outputs are averaged
    calibrated: bool = False  # whether these are calibrated

    def __init__(self, options: Any, form: Any, outputs: int):
        """form: how an example, or a step of it, becomes a vector (`helo.inputs.Input`). outputs: how many, such as the
        scores of the labels.
        """
        super().__init__(options)
        self.form, self.outputs = form, outputs


def head(outputs: int, width: int) -> dict[str, np.ndarray]:
    """Parameters of a linear map to outputs that starts at zero: no label is likelier than another."""
    return {"head.weight": np.zeros((outputs, width), np.float32), "head.bias": np.zeros(outputs, np.float32)}


def exact(parameters: Parameters, found: Any) -> Any:
    """What a model gave, in the precision of its parameters."""
    return namespace(found).astype(found, next(iter(parameters.values())).dtype)


def scores(parameters: Parameters, xs: Any) -> Any:
    """The head's outputs `(…, outputs)` of vectors `(…, width)`."""
    return xs @ parameters["head.weight"].T + parameters["head.bias"]
