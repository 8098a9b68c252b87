"""Recurrent layers on top of each other, each layer's weights the same at every step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo import engines
from helo.cells.base import Cell, State
from helo.cells.functions import Array
from helo.layers import Noise, dropped, locked, part


def init(rng: np.random.Generator, cell: Cell, layers: int, inputs: int, hidden: int) -> dict[str, np.ndarray]:
    """Parameters `0.…`, `1.…`: the first layer reads `inputs` numbers a step, each other the layer below."""
    parameters = {}
    for i in range(layers):
        fresh = cell.init(rng, inputs if i == 0 else hidden, hidden)
        parameters |= {f"{i}.{name}": p for name, p in fresh.items()}
    return parameters


def state(cell: Cell, layers: int, parameters: Mapping[str, Array], batch: int) -> tuple[State, ...]:
    """The state before the first symbol, a layer at a time."""
    return tuple(cell.state(part(parameters, str(i)), batch) for i in range(layers))


def run(
    cell: Cell,
    layers: int,
    parameters: Mapping[str, Array],
    xs: Array,
    states: tuple[State, ...] | None = None,
    noise: Noise | None = None,
    dropout: float = 0.0,
    weight_dropout: float = 0.0,
    lengths: Array | None = None,
) -> tuple[Array, tuple[State, ...]]:
    """xs `(batch, time, inputs)` through all layers: the top's outputs `(batch, time, hidden)` and every layer's state.

    dropout: on what passes from layer to layer, locked over time. weight_dropout: on the recurrent weights
    (`weight_hh`), one mask for the whole call, so that fused kernels stay in use (DropConnect in recurrences: Merity,
    Keskar and Socher 2017).
    """
    last = []
    for i in range(layers):
        own = part(parameters, str(i))
        if "weight_hh" in own:
            own["weight_hh"] = dropped(own["weight_hh"], weight_dropout, noise)
        xs = locked(xs, dropout, noise) if i else xs
        xs, after = engines.scan(cell, own, xs, None if states is None else states[i], lengths)
        last.append(after)
    return xs, tuple(last)
