"""In what proportion of its steps a series looks like each of 84 short patterns.

They are the fixed kernels of MiniRocket (Dempster, Schmidt and Webb 2021): nine values, of which three are 2 and six are -1, over
every step, every second one … every 128th one. A pattern is there where the kernel's output is above a threshold; the proportion
of such steps is one number. Nothing of a kernel is learned, so a few examples are enough.

Theirs are hard thresholds at quantiles of the training data. Here they are soft, so that an explanation has a gradient, and in units of
the outputs' own spread, so that nothing has to be kept of the data. Where a pattern at a dilation is longer than the series, its number
is 0. They are numbers of an example, computed once: `inputs/numbers.py` holds them.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from helo import engines
from helo.cells.functions import Array, namespace, sigmoid
from helo.layers.stack import mask

TAPS, RAISED = 9, 3  # values of a kernel, and those that are 2
KERNELS = 84  # ways to choose these
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128)
# Over the spread of a dilation's outputs; and the usual proportion of steps above it.
THRESHOLDS = ((-1.5, 0.93), (-0.5, 0.7), (0.0, 0.5), (0.5, 0.3), (1.5, 0.07))
SHARP = 10.0  # how steep a soft threshold is
FLAT = 1e-5  # mean square of outputs, below which there is no pattern: of a flat series all numbers are 0, the usual
LARGER = 4.0  # times, so that these numbers are about as large as those of other layers
WIDTH = KERNELS * len(DILATIONS) * len(THRESHOLDS)


@cache
def kernels(features: int) -> np.ndarray:
    """`(TAPS · features, KERNELS)`: of several features each kernel sees a few, added or taken off, always the same ones."""
    taps = np.full((TAPS, KERNELS), -1.0)
    for k, places in enumerate(combinations(range(TAPS), RAISED)):
        taps[list(places), k] = 2.0
    mix = np.ones((features, KERNELS))
    if features > 1:
        rng = np.random.default_rng(0)
        mix = np.sign(rng.standard_normal(mix.shape)) * (rng.random(mix.shape) < max(0.2, 2 / features))
    return (taps[:, None] * mix).reshape(-1, KERNELS).astype(np.float32)


def run(xs: Array, lengths: Array) -> Array:
    """xs `(batch, time, features)` of the given lengths `(batch,)` to `(batch, WIDTH)`."""
    xp, inside, found = namespace(xs), mask(xs, lengths), []
    xs = xs * inside
    n, time, features = xs.shape
    weight = engines.array(kernels(features), xs)
    count = xp.maximum(xp.sum(inside, axis=1), xp.ones_like(inside[:, 0]))
    for by in DILATIONS:
        if by * (TAPS - 1) >= time:
            found += [xp.zeros_like(count * weight[0])] * len(THRESHOLDS)
            continue
        edge = xp.broadcast_to(xp.zeros_like(xs[:, :1]), (n, by * (TAPS // 2), features))
        wide = xp.concat([edge, xs, edge], axis=1)
        taps = xp.concat([wide[:, j * by : j * by + time] for j in range(TAPS)], axis=2)
        ys = engines.exact_product(taps, weight) * inside
        square = xp.sum(ys * ys, axis=(1, 2), keepdims=True) / (count[:, None] * KERNELS)
        spread = xp.sqrt(square + FLAT)
        fits = xp.astype(lengths > by * (TAPS - 1), xs.dtype)[:, None] * (square / (square + FLAT))[:, 0]
        for threshold, usual in THRESHOLDS:
            above = sigmoid(SHARP * (ys / spread - threshold)) * inside
            found.append(fits * LARGER * (xp.sum(above, axis=1) / count - usual))
    return xp.concat(found, axis=-1)


def of(fine: Array, lengths: Array) -> Array:
    """Both views of series, one behind the other, `(batch, time, 2 · features)`, to `(batch, 2 · WIDTH)`."""
    n = fine.shape[2] // 2
    return namespace(fine).concat([run(fine[..., :n], lengths), run(fine[..., n:], lengths)], axis=-1)


def cost(time: int, features: int) -> tuple[int, int]:
    """About how many products `of` takes for a series, a soft threshold being worth 40, and how many numbers it makes."""
    outputs = 2 * time * KERNELS * len(DILATIONS)
    return outputs * (TAPS * features + 40 * len(THRESHOLDS)), outputs * (2 + 3 * len(THRESHOLDS))
