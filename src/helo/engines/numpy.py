"""The reference engine: each step as the cell writes it. Answers need nothing else."""

from __future__ import annotations

import numpy as np

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array, log_softmax, namespace


def way(cell: Cell, parameters: Parameters, xs: Array, lengths: Array | None = None) -> tuple[str, str]:
    return "steps", "the reference: each step as the cell writes it"


def scan(
    cell: Cell, parameters: Parameters, xs: Array, state: State | None = None, lengths: Array | None = None
) -> tuple[Array, State]:
    xp = namespace(xs)
    state = cell.state(parameters, xs.shape[0]) if state is None else state
    projected = cell.project(parameters, xs)
    outputs = []
    for t in range(xs.shape[1]):
        new, output = cell.step(parameters, state, projected[:, t])
        if lengths is None:
            state = new
        else:
            inside = t < lengths
            state = tuple(xp.where(_over(inside, n), n, old) for n, old in zip(new, state, strict=True))
            output = xp.where(_over(inside, output), output, xp.zeros_like(output))
        outputs.append(output)
    return xp.stack(outputs, axis=1), state


def _over(inside: Array, x: Array) -> Array:
    """A flag a row, shaped to choose over x `(batch, …)`."""
    return inside[(slice(None), *(None,) * (x.ndim - 1))]


def embedding(table: Array, ids: Array) -> Array:
    return table[ids]


def cross_entropy(scores: Array, targets: Array) -> Array:
    picked = np.take_along_axis(log_softmax(scores), np.asarray(targets)[..., None].astype(np.int64), axis=-1)
    return -np.sum(picked, dtype=np.float64)


def array(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values
