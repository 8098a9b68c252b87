"""The functions that equations are written with: right in value and in gradient wherever they are asked.

Cells use these and a small, listed vocabulary of the array standard (VOCABULARY), so that every engine can promise
the whole of it. Elementwise unless said; arrays of any library that `array_api_compat` knows, of any shape.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any  # an array of any library: NumPy's, torch's, array-api-strict's

VOCABULARY = frozenset((
    "abs", "any", "broadcast_to", "concat", "exp", "expand_dims", "expm1", "flip", "log", "log1p", "matmul", "max", "maximum",
    "mean", "minimum", "sqrt", "stack", "sum", "take", "take_along_axis", "tanh", "where", "zeros", "zeros_like",
))  # fmt: skip


def namespace(x: Array) -> Any:
    """The array namespace of x. NumPy's is NumPy itself, which keeps to the standard since its version 2: no look-up,
    and `array_api_compat`, which takes a tenth of a second to import, only where another library is met. For torch's it
    is not asked either: torch's compiler does not see through how it looks.
    """
    if isinstance(x, np.ndarray):
        return np
    if (torch := sys.modules.get("torch")) is not None and isinstance(x, torch.Tensor):
        import array_api_compat.torch

        return array_api_compat.torch
    from array_api_compat import array_namespace

    return array_namespace(x)


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + exp(-x)), written with tanh: exp overflows, and its gradient is NaN at -100 in float32.

    Good for a gate. Below -15 the digits are lost in float32, so never take the logarithm of it: use `log_sigmoid`.
    torch has one of its own, right on both sides, which is one operation and not four.
    """
    xp = namespace(x)
    # NumPy takes long to say that it has none, and a gate is a few numbers.
    if xp is not np and (own := getattr(xp, "sigmoid", None)) is not None:
        return own(x)
    return 0.5 * (xp.tanh(0.5 * x) + 1.0)


def relu(x: Array) -> Array:
    """max(x, 0); the gradient at 0 is 0 or 1/2, as the library has it."""
    xp = namespace(x)
    return xp.maximum(x, xp.zeros_like(x))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow on either side."""
    xp = namespace(x)
    return relu(x) + xp.log1p(xp.exp(-xp.abs(x)))


def log_sigmoid(x: Array) -> Array:
    """log σ(x), keeping its digits where σ itself is 0."""
    return -softplus(-x)


def log_softmax(x: Array) -> Array:
    """Logarithms of the softmax over the last axis."""
    xp = namespace(x)
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
