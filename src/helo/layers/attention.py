"""Where in a memory to look: weights over its places for every query, and the weighted mean that they give.

additive         score(q, m) = v · tanh(W q + U m)        (Bahdanau, Cho and Bengio 2015)
multiplicative   score(q, m) = q · W m                    (Luong, Pham and Manning 2015)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helo import engines
from helo.cells.functions import Array, namespace

WAYS = ("additive", "multiplicative", "none")
AT_ONCE = 1 << 27  # numbers that are compared at once: half a gigabyte


def init(rng: np.random.Generator, way: str, query: int, memory: int, size: int | None = None) -> dict[str, np.ndarray]:
    """Parameters for queries `(…, query)` and a memory `(…, memory)`. size: numbers in which the additive way compares
    them, `query` if None.
    """

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)

    if way == "additive":
        n = query if size is None else min(size, query)
        return {"dense.query": matrix(n, query), "dense.memory": matrix(n, memory), "score": matrix(1, n)}
    return {"dense.memory": matrix(query, memory)} if way == "multiplicative" else {}


def keys(parameters: Mapping[str, Array], memory: Array) -> Array:
    """What of the memory `(batch, places, memory)` is compared with queries: computed once."""
    return memory @ parameters["dense.memory"].T


def look(
    way: str, parameters: Mapping[str, Array], queries: Array, keys: Array, memory: Array, inside: Array
) -> tuple[Array, Array]:
    """queries `(batch, time, query)`, inside `(batch, places)` 1 or 0: contexts `(batch, time, memory)` and weights
    `(batch, time, places)`, which sum to one over the places inside. Where there is much to compare, some queries at a
    time: what is compared additively is `(batch, time, places, query)`.
    """
    batch, places, size = keys.shape
    at_once = max(1, AT_ONCE // (batch * places * (size if way == "additive" else 1)))

    def some(queries: Array, keys: Array, memory: Array) -> tuple[Array, Array]:
        return _look(way, parameters, queries, keys, memory, inside)

    if queries.shape[1] <= at_once:
        return some(queries, keys, memory)
    starts = range(0, queries.shape[1], at_once)
    pieces = [engines.recomputed(some, queries[:, i : i + at_once], keys, memory) for i in starts]
    contexts, weights = zip(*pieces, strict=True)
    xp = namespace(queries)
    return xp.concat(list(contexts), axis=1), xp.concat(list(weights), axis=1)


def _look(
    way: str, parameters: Mapping[str, Array], queries: Array, keys: Array, memory: Array, inside: Array
) -> tuple[Array, Array]:
    xp = namespace(queries)
    if way == "additive":
        mixed = xp.tanh((queries @ parameters["dense.query"].T)[:, :, None] + keys[:, None])
        scores = (mixed @ parameters["score"].T)[..., 0]
    else:
        scores = queries @ xp.permute_dims(keys, (0, 2, 1))
    scores = scores + (inside[:, None] - 1) * 1e4
    weights = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True)) * inside[:, None]
    weights = weights / xp.sum(weights, axis=-1, keepdims=True)
    return weights @ memory, weights
