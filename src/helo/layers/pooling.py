"""From one vector a step to one vector a sequence. xs `(batch, time, features)`, 0 in the padding; lengths `(batch,)`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo.cells.functions import Array, namespace
from helo.layers.stack import mask

WAYS = ("last", "mean", "max", "attention", "mean+max")


def width(way: str, features: int) -> int:
    """Numbers of a pooled sequence."""
    return features * (2 if way == "mean+max" else 1)


def init(rng: np.random.Generator, way: str, features: int) -> dict[str, np.ndarray]:
    """Parameters: only attention has some."""
    if way != "attention":
        return {}
    return {
        "weight": (rng.standard_normal((features, features)) * features**-0.5).astype(np.float32),
        "query": (rng.standard_normal((1, features)) * features**-0.5).astype(np.float32),
    }


def pool(way: str, parameters: Mapping[str, Array], xs: Array, lengths: Array, bidirectional: bool = False) -> Array:
    """`(batch, features)`: last (with `both`, where each direction ends), mean, max, or attention: a weighted mean
    with weights softmax(q tanh(W x)) (Yang et al. 2016); mean+max `(batch, 2 · features)` is both, side by side. An empty
    sequence gives zeros.
    """
    xp = namespace(xs)
    if way == "mean+max":
        return xp.concat([pool(w, parameters, xs, lengths) for w in ("mean", "max")], axis=-1)
    inside = mask(xs, lengths)
    if way == "last":
        ends = xp.where(lengths > 0, lengths - 1, lengths)[:, None, None]
        last = xp.take_along_axis(xs, xp.broadcast_to(ends, (xs.shape[0], 1, xs.shape[2])), axis=1)[:, 0]
        half = xs.shape[2] // 2
        return xp.concat([last[:, :half], xs[:, 0, half:]], axis=-1) if bidirectional else last
    if way == "mean":
        return xp.sum(xs, axis=1) / xp.maximum(xp.sum(inside, axis=1), xp.ones_like(inside[:, 0]))
    if way == "max":
        top = xp.max(xs + (inside - 1) * 1e4, axis=1)
        return xp.where(lengths[:, None] > 0, top, xp.zeros_like(top))
    scores = (xp.tanh(xs @ parameters["weight"].T) @ parameters["query"].T) + (inside - 1) * 1e4
    weights = xp.exp(scores - xp.max(scores, axis=1, keepdims=True)) * inside
    total = xp.sum(weights, axis=1)
    return xp.sum(xs * weights, axis=1) / xp.where(total > 0, total, xp.ones_like(total))
