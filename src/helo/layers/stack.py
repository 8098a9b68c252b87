"""Recurrent layers on top of each other, each layer's weights the same at every step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo import engines
from helo.cells.base import Cell, State
from helo.cells.functions import Array, namespace
from helo.layers import Noise, dropped, part, variational_dropout

WAYS = ("forward", "backward")


def init(
    rng: np.random.Generator, cell: Cell, layers: int, inputs: int, hidden: int, bidirectional: bool = False
) -> dict[str, np.ndarray]:
    """Parameters `0.…`, `1.…`: the first layer reads `inputs` numbers a step, each other the layer below.

    bidirectional: each layer is two, `0.forward.…` and `0.backward.…`, and the next one reads both side by side.
    """
    parameters = {}
    for i in range(layers):
        width = inputs if i == 0 else hidden * (2 if bidirectional else 1)
        for way in WAYS if bidirectional else ("",):
            fresh = cell.init(rng, width, hidden)
            parameters |= {f"{i}.{way}.{n}" if way else f"{i}.{n}": p for n, p in fresh.items()}
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

    dropout: on what passes from layer to layer, the same mask at all steps. weight_dropout: on the recurrent weights
    (`Cell.recurrent`), one mask for the whole call, so that fused kernels stay in use (DropConnect in recurrences: Merity,
    Keskar and Socher 2017).
    """
    last = []
    for i in range(layers):
        own = _noisy(cell, part(parameters, str(i)), weight_dropout, noise)
        xs = variational_dropout(xs, dropout, noise) if i else xs
        xs, after = engines.scan(cell, own, xs, None if states is None else states[i], lengths)
        last.append(after)
    return xs, tuple(last)


def read(
    cell: Cell,
    layers: int,
    parameters: Mapping[str, Array],
    xs: Array,
    lengths: Array,
    bidirectional: bool = False,
    noise: Noise | None = None,
    dropout: float = 0.0,
    weight_dropout: float = 0.0,
) -> Array:
    """Whole sequences xs `(batch, time, inputs)` of the given lengths `(batch,)`: the top's outputs
    `(batch, time, hidden)`, or `(batch, time, 2 · hidden)` where `bidirectional`, forwards then backwards; 0 in the padding.

    What is padding stands behind a sequence in either direction (a row is turned round within its own length), so it
    reaches no output; that it is run through at all is cheaper than packing, since batches are of like length.
    """
    inside = mask(xs, lengths)
    for i in range(layers):
        xs = variational_dropout(xs, dropout, noise) if i else xs
        if bidirectional:
            ahead, back = (_noisy(cell, part(parameters, f"{i}.{way}"), weight_dropout, noise) for way in WAYS)
            behind = engines.scan(cell, back, reverse_sequences(xs, lengths))[0]
            xs = namespace(xs).concat([engines.scan(cell, ahead, xs)[0], reverse_sequences(behind, lengths)], axis=-1)
        else:
            xs = engines.scan(cell, _noisy(cell, part(parameters, str(i)), weight_dropout, noise), xs)[0]
        xs = xs * inside
    return xs


def _noisy(cell: Cell, own: dict[str, Array], rate: float, noise: Noise | None) -> dict[str, Array]:
    return own | {n: dropped(own[n], rate, noise) for n in cell.recurrent if n in own}


def mask(xs: Array, lengths: Array) -> Array:
    """1 inside each row's length and 0 behind it, `(batch, time, 1)`, of the dtype of xs `(batch, time, …)`."""
    xp = namespace(xs)
    return xp.astype(_times(xs) < lengths[:, None], xs.dtype)[..., None]


def reverse_sequences(xs: Array, lengths: Array) -> Array:
    """Each row of xs `(batch, time, features)` backwards within its own length; the padding stays behind."""
    xp, times = namespace(xs), _times(xs)
    order = xp.where(times < lengths[:, None], lengths[:, None] - 1 - times, times)
    return xp.take_along_axis(xs, xp.broadcast_to(order[..., None], xs.shape), axis=1)


def _times(xs: Array) -> Array:
    return engines.positions(xs.shape[1], xs)[None]
