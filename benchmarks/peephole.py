"""A cell as a person writes one: an LSTM whose gates see c too (Gers and Schmidhuber 2000). torch has no kernel for it.

helo train lm text.txt --cell benchmarks/peephole.py:Peephole
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helo.cells.base import Cell, orthogonal, uniform, zeros
from helo.cells.functions import namespace, sigmoid


@dataclass(frozen=True)
class Peephole(Cell):
    """iₜ = σ(W_i xₜ + R_i hₜ₋₁ + p_i ∘ cₜ₋₁ + b_i), fₜ likewise, gₜ = tanh(W_g xₜ + R_g hₜ₋₁ + b_g)
    cₜ = fₜ ∘ cₜ₋₁ + iₜ ∘ gₜ, oₜ = σ(W_o xₜ + R_o hₜ₋₁ + p_o ∘ cₜ + b_o), hₜ = oₜ ∘ tanh(cₜ)
    """

    def init(self, rng, inputs, hidden):
        bias = np.zeros(4 * hidden, np.float32)
        bias[hidden : 2 * hidden] = 1.0
        return {
            "weight_ih": uniform(rng, 4 * hidden, inputs, hidden**-0.5),
            "weight_hh": orthogonal(rng, 4, hidden),
            "bias": bias,
            "peepholes": np.zeros((3, hidden), np.float32),
        }

    def state(self, parameters, batch):
        return tuple(zeros(parameters, "weight_hh", batch, parameters["weight_hh"].shape[1]) for _ in "hc")

    def project(self, parameters, xs):
        return xs @ parameters["weight_ih"].T + parameters["bias"]

    def step(self, parameters, state, x):
        h, c = state
        n, p = h.shape[1], parameters["peepholes"]
        a = x + h @ parameters["weight_hh"].T
        tanh = namespace(a).tanh
        i, f = sigmoid(a[:, :n] + p[0] * c), sigmoid(a[:, n : 2 * n] + p[1] * c)
        c = f * c + i * tanh(a[:, 2 * n : 3 * n])
        h = sigmoid(a[:, 3 * n :] + p[2] * c) * tanh(c)
        return (h, c), h
