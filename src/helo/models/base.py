"""What every model is: parameters, and how they map a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import cells
from helo.cells.base import Cell
from helo.cells.functions import Array

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


class LabelModel(Model):
    """A model whose outputs are scores of labels, over a form of input."""

    def __init__(self, options: Any, form: Any, labels: int):
        """form: how an example, or a step of it, becomes a vector (`helo.inputs.Input`). labels: how many there are."""
        super().__init__(options)
        self.form, self.labels = form, labels


def head(classes: int, width: int) -> dict[str, np.ndarray]:
    """Parameters of a linear map to scores that starts at zero: no class is likelier than another."""
    return {"head.weight": np.zeros((classes, width), np.float32), "head.bias": np.zeros(classes, np.float32)}


def scores(parameters: Parameters, xs: Any) -> Any:
    """The head's scores `(…, classes)` of vectors `(…, width)`."""
    return xs @ parameters["head.weight"].T + parameters["head.bias"]
