"""A small convolutional network that is learned from scratch with the rest of the model: for pictures unlike photographs.

x_0 = pixels, scaled to [-1, 1];  x_i = relu(W_i * x_{i-1} + b_i), 3 by 3, every other place: 64 pixels a side to 8.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from helo import engines
from helo.cells.functions import namespace, relu
from helo.encoders.base import Learned

WIDTHS = (3, 16, 32, 64)


class Small(Learned):
    """Three convolutions, 24,000 numbers; NumPy runs it too."""

    names = ("small",)
    side, width, rows = 64, WIDTHS[-1], 8

    def init(self, rng):
        parameters = {}
        for i, (a, b) in enumerate(pairwise(WIDTHS)):
            spread = (2 / (9 * a)) ** 0.5  # keeps the size of what a rectifier passes (He et al. 2015)
            parameters[f"{i}.dense"] = (rng.standard_normal((b, 9 * a)) * spread).astype(np.float32)
            parameters[f"{i}.bias"] = np.zeros(b, np.float32)
        return parameters

    def forward(self, parameters, pixels):
        weight = parameters["0.dense"]
        xs = namespace(pixels).astype(pixels, weight.dtype) / 127.5 - 1.0
        for i in range(len(WIDTHS) - 1):
            xs = relu(engines.convolution(xs, parameters[f"{i}.dense"], parameters[f"{i}.bias"]))
        return xs.reshape(xs.shape[0], self.places, self.width)
