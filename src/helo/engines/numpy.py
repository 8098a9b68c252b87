"""The reference engine: each step as the cell writes it. Answers need nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array, log_softmax, namespace
from helo.engines import tap as taps
from helo.errors import HeloError


def way(cell: Cell, parameters: Parameters, xs: Array, lengths: Array | None = None) -> tuple[str, str]:
    return "steps", "the reference: step by step, as the cell defines it"


def scan(
    cell: Cell, parameters: Parameters, xs: Array, state: State | None = None, lengths: Array | None = None
) -> tuple[Array, State]:
    state = initial_state(cell, parameters, xs, state)
    if (tap := taps.now()) is not None:
        xs, state = tap.begin(cell, parameters, xs, state)
        cell = taps.shown(cell, tap)
    return steps(cell, parameters, cell.project(parameters, xs), state, lengths)


def initial_state(cell: Cell, parameters: Parameters, xs: Array, state: State | None, dtypes: bool = True) -> State:
    """The state to begin with: a fresh one, or the one that is given, after a look at it: a kernel that is given another
    one than it expects may read beyond it. dtypes: must be the parameters', too. Raises HeloError.
    """
    if xs.shape[1] == 0:
        raise HeloError("a sequence without steps", expected="at least one step")
    fresh = cell.state(parameters, xs.shape[0])
    if state is None:
        return fresh
    if len(state) != len(fresh):
        raise HeloError(f"a state of {len(state)} parts", expected=f"{len(fresh)}, as {type(cell).__name__} has")
    for given, own in zip(state, fresh, strict=True):
        if given.shape != own.shape:
            raise HeloError(f"a state of shape {tuple(given.shape)}", expected=f"{tuple(own.shape)}, batch first")
        if dtypes and given.dtype != own.dtype:
            raise HeloError(f"a state of {given.dtype}", expected=f"{own.dtype}, as the parameters")
        if given.device != own.device:
            raise HeloError(f"a state on {given.device}", expected=f"{own.device}, where the parameters are")
    return state


def each(xs: Array) -> list[Array]:
    """The steps of xs `(batch, time, …)`."""
    return [xs[:, t] for t in range(xs.shape[1])]


def steps(
    cell: Cell,
    parameters: Parameters,
    xs: Array,
    state: State,
    lengths: Array | None = None,
    each: Callable[[Array], Sequence[Array]] = each,
) -> tuple[Array, State]:
    """Each step as the cell writes it, on xs that are projected. each: the way of the library to part the steps."""
    xp = namespace(xs)
    outputs = []
    for t, x in enumerate(each(xs)):
        state, output = step(cell, parameters, state, x, None if lengths is None else t < lengths)
        outputs.append(output)
    return xp.stack(outputs, axis=1), state


def step(
    cell: Cell, parameters: Parameters, state: State, x: Array, inside: Array | None = None
) -> tuple[State, Array]:
    """One step; where a row is not inside its sequence any more, its state stays and its output is 0."""
    new, output = cell.step(parameters, state, x)
    if inside is None:
        return new, output
    xp = namespace(output)
    state = tuple(xp.where(_expanded(inside, n), n, old) for n, old in zip(new, state, strict=True))
    return state, xp.where(_expanded(inside, output), output, xp.zeros_like(output))


def _expanded(inside: Array, x: Array) -> Array:
    """A flag a row, shaped to choose over x `(batch, …)`."""
    return inside[(slice(None), *(None,) * (x.ndim - 1))]


def embedding(table: Array, ids: Array) -> Array:
    return table[ids]


def convolution(xs: Array, weight: Array, bias: Array) -> Array:
    n, height, width, channels = xs.shape
    padded = np.pad(xs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::2, ::2]  # … channels, 3, 3
    flat = windows.transpose(0, 1, 2, 4, 5, 3).reshape(n, -(-height // 2), -(-width // 2), 9 * channels)
    return flat @ weight.T + bias


def convolution_1d(xs: Array, weight: Array) -> Array:
    (n, time, _), (out, channels, width) = xs.shape, weight.shape
    padded = np.pad(xs, ((0, 0), (width // 2, width // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, 1)  # … channels, width
    return (windows.reshape(n * time, channels * width) @ weight.reshape(out, -1).T).reshape(n, time, out)


def exact_product(xs: Array, weight: Array) -> Array:
    return xs @ weight


def cross_entropy(scores: Array, targets: Array, inside: Array | None = None) -> Array:
    if inside is not None:
        scores, targets = scores[inside > 0], targets[inside > 0]
    picked = np.take_along_axis(log_softmax(scores), np.asarray(targets)[..., None].astype(np.int64), axis=-1)
    return -np.sum(picked, dtype=np.float64)


def array(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values


def positions(count: int, like: np.ndarray) -> np.ndarray:
    return np.arange(count)


def constant(x: np.ndarray) -> np.ndarray:
    return x


def recomputed(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
    return function(*arrays)


def host(x: np.ndarray) -> np.ndarray:
    return np.asarray(x)
