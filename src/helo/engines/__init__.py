"""How an equation is run. The engine is chosen by the arrays: NumPy's are stepped, torch's are differentiated.

Functions that a layer or a task calls here go to the engine of their arrays; where a library has a native form (a
fused kernel, an embedding look-up, cross entropy) the engine delegates to it, and a law holds it to the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array
from helo.engines.tap import Tap, tapped
from helo.progress import unbroken

__all__ = [
    "Tap", "array", "constant", "convolution", "convolution_1d", "cross_entropy", "embedding", "exact_product",
    "fastest", "host", "hosts", "of", "positions",
    "recomputed", "scan", "tapped", "way",
]  # fmt: skip

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "C:/Windows/System32/nvcuda.dll")


def of(x: Any) -> ModuleType:
    """The engine of an array: `engines.torch` for tensors, `engines.numpy` for everything else."""
    if type(x).__module__.partition(".")[0] == "torch":
        import helo.engines.torch as engine
    else:
        import helo.engines.numpy as engine
    return engine


def scan(
    cell: Cell, parameters: Parameters, xs: Array, state: State | None = None, lengths: Array | None = None
) -> tuple[Array, State]:
    """Run a cell over xs `(batch, time, inputs)`: outputs `(batch, time, hidden)` and the state after the last step.

    lengths `(batch,)`, whole numbers: how much of each row is sequence; the rest is padding. The final state is then
    the state at each row's own length, and outputs in the padding are 0.
    """
    return of(xs).scan(cell, parameters, xs, state, lengths)


def way(cell: Cell, parameters: Parameters, xs: Array, lengths: Array | None = None) -> tuple[str, str]:
    """Which way `scan` takes for these, and why: ("fused", "torch's LSTM kernel"), ("steps", …), ("scan", …)."""
    return of(xs).way(cell, parameters, xs, lengths)


def embedding(table: Array, ids: Array) -> Array:
    """Rows of a table `(symbols, width)` by ids of any shape: `ids.shape + (width,)`."""
    return of(table).embedding(table, ids)


def convolution(xs: Array, weight: Array, bias: Array) -> Array:
    """3 by 3 at every other place, with zeros round the border: xs `(pictures, height, width, channels)` of even height
    and width and weight `(out, 9 · channels)`, rows of the window first, to `(pictures, height/2, width/2, out)`.
    """
    return of(xs).convolution(xs, weight, bias)


def convolution_1d(xs: Array, weight: Array) -> Array:
    """At each step so many round it, with zeros beyond the ends: xs `(batch, time, channels)` and weight
    `(out, channels, width)` of odd width, as torch's `conv1d` has it, to `(batch, time, out)`.
    """
    return of(xs).convolution_1d(xs, weight)


def exact_product(xs: Array, weight: Array) -> Array:
    """xs `(…, inputs)` times weight `(inputs, outputs)` in their own precision, whatever other products are computed in."""
    return of(xs).exact_product(xs, weight)


def cross_entropy(scores: Array, targets: Array, inside: Array | None = None) -> Array:
    """Sum of -log softmax(scores)[target] in nats over scores `(…, symbols)` and targets `(…)`, as a number array.
    inside `(…)`: above 0 where a target counts; all do where it is not given.
    """
    return of(scores).cross_entropy(scores, targets, inside)


def array(values: Any, like: Array) -> Array:
    """A NumPy array as an array of the library and device of `like`, of its own dtype; what is one already stays."""
    return of(like).array(values, like)


def positions(count: int, like: Array) -> Array:
    """0, 1, … count - 1, made where `like` is."""
    return of(like).positions(count, like)


def constant(x: Array) -> Array:
    """The same numbers, through which no gradient passes."""
    return of(x).constant(x)


def recomputed(function: Callable[..., Any], *arrays: Array) -> Any:
    """function(*arrays), of which nothing in between is kept: where a gradient is taken, it is computed once more."""
    return of(arrays[0]).recomputed(function, *arrays)


def host(x: Array) -> Any:
    """The numbers as NumPy's, on this machine's own memory and without their gradient."""
    return of(x).host(x)


def hosts(xs: Sequence[Any]) -> list[Any]:
    """The same of many, all in one wait; what is no array, as it is."""
    engine = next((e for e in map(of, xs) if e.__name__.endswith("torch")), None)
    return list(xs) if engine is None else engine.hosts(xs)


@contextmanager
def fastest(parameters: Mapping[str, Array]) -> Iterator[Mapping[str, Array]]:
    """Parameters where much is computed fastest: on an accelerator where there is one and torch is here, and in the
    precision in which it is trained there; else as they are.
    """
    if not _accelerated():
        yield parameters
        return
    from helo.engines.device import Device

    with Device.here().answering(parameters) as there:
        yield there


def _accelerated() -> bool:
    """Whether there is a device and torch to use it. torch takes a second to import: not where no driver is."""
    if "torch" not in sys.modules and not any(Path(p).exists() for p in DRIVERS):
        return False
    try:
        with unbroken():
            import torch
    except ImportError:
        return False
    return torch.cuda.is_available()
