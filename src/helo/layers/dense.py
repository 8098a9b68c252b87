"""Feed-forward layers: relu(W x + b) on top of each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo.cells.functions import Array, relu
from helo.layers import Noise, dropped


def init(rng: np.random.Generator, layers: int, inputs: int, hidden: int) -> dict[str, np.ndarray]:
    """Parameters `0.weight`, `0.bias`, …; weights as He et al. 2015 start them for relu."""
    parameters = {}
    for i in range(layers):
        width = inputs if i == 0 else hidden
        parameters[f"{i}.weight"] = (rng.standard_normal((hidden, width)) * (2 / width) ** 0.5).astype(np.float32)
        parameters[f"{i}.bias"] = np.zeros(hidden, np.float32)
    return parameters


def run(
    layers: int, parameters: Mapping[str, Array], xs: Array, noise: Noise | None = None, dropout: float = 0.0
) -> Array:
    """xs `(…, inputs)` to `(…, hidden)`; dropout on what each layer gives."""
    for i in range(layers):
        xs = dropped(relu(xs @ parameters[f"{i}.weight"].T + parameters[f"{i}.bias"]), dropout, noise)
    return xs
