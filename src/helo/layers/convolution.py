"""Convolutions over time, several widths beside each other: Inception blocks (Ismail Fawaz et al. 2020), each at half the
steps of the one below, or, for an answer a step, at all of them. A short pattern is found wherever it stands, and a
recurrence above has fewer steps to remember.

Batch normalisation would tie an example to those beside it and to the processes that train. In its place each example is
normalised by itself, over all its steps and channels (Wu and He 2018, with one group).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo import engines
from helo.cells.functions import Array, namespace, relu
from helo.layers import part, under
from helo.layers.stack import mask

WIDTHS = (39, 19, 9)  # steps that a convolution sees
NARROW = 24  # channels that each reads, and that each gives
CHANNELS = NARROW * len(WIDTHS)
POOLED = (2, 2, 1)  # steps that become one after each block
SHORTER = 4  # times fewer steps in all


def init(rng: np.random.Generator, inputs: int) -> dict[str, np.ndarray]:
    """Parameters of all blocks, `0.narrow.weight` …, and of the path past them, `past.weight`."""
    parameters = {}
    for i in range(len(POOLED)):
        width = inputs if i == 0 else CHANNELS
        own = {"narrow.weight": _normal(rng, NARROW, width)}
        for n in WIDTHS:
            own[f"{n}.weight"] = _normal(rng, NARROW, NARROW, n)
        parameters |= under(str(i), own | _plain())
    return parameters | under("past", {"weight": _normal(rng, CHANNELS, inputs)} | _plain())


def run(parameters: Mapping[str, Array], xs: Array, lengths: Array, short: bool = True) -> tuple[Array, Array]:
    """xs `(batch, time, inputs)` of the given lengths `(batch,)` to `(batch, time / SHORTER, CHANNELS)`, 0 in the padding,
    and the lengths that they have then. short: False keeps every step.
    """
    xp = namespace(xs)
    xs = xs * mask(xs, lengths)
    past = xs
    for i, by in enumerate(POOLED if short else (1,) * len(POOLED)):
        own = part(parameters, str(i))
        narrow = xs @ own["narrow.weight"].T
        found = [engines.convolution_1d(narrow, own[f"{n}.weight"]) for n in WIDTHS]
        xs = relu(normalised(own, xp.concat(found, axis=-1), lengths))
        (xs, after), past = shortened(xs, lengths, by), shortened(past, lengths, by)[0]
        lengths = after
    own = part(parameters, "past")
    return relu(xs + normalised(own, past @ own["weight"].T, lengths)), lengths


def normalised(parameters: Mapping[str, Array], xs: Array, lengths: Array) -> Array:
    """xs `(batch, time, channels)` less each row's mean over its spread, then scaled by channel; 0 in the padding."""
    xp = namespace(xs)
    inside = mask(xs, lengths)
    count = xp.maximum(xp.sum(inside, axis=1, keepdims=True), xp.ones_like(inside[:, :1])) * xs.shape[2]
    xs = (xs - xp.sum(xs * inside, axis=(1, 2), keepdims=True) / count) * inside
    spread = xp.sqrt(xp.sum(xs * xs, axis=(1, 2), keepdims=True) / count + 1e-5)
    return (xs / spread * parameters["scale"] + parameters["bias"]) * inside


def shortened(xs: Array, lengths: Array, by: int) -> tuple[Array, Array]:
    """So many steps of xs `(batch, time, channels)`, 0 in the padding, averaged to one, the last of a row maybe of fewer;
    and the new lengths.
    """
    if by == 1:
        return xs, lengths
    xp = namespace(xs)
    inside = mask(xs, lengths)
    n, time, channels = xs.shape
    if more := -time % by:
        xs, inside = (xp.concat([x, *[xp.zeros_like(x[:, :1])] * more], axis=1) for x in (xs, inside))
    total = xp.sum(xp.reshape(xs, (n, -1, by, channels)), axis=2)
    count = xp.sum(xp.reshape(inside, (n, -1, by, 1)), axis=2)
    return total / xp.maximum(count, xp.ones_like(count)), (lengths + (by - 1)) // by


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights `(outputs, …)` as He et al. 2015 start them for relu."""
    return (rng.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)


def _plain() -> dict[str, np.ndarray]:
    return {"scale": np.ones(CHANNELS, np.float32), "bias": np.zeros(CHANNELS, np.float32)}
