"""Long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from helo.cells.base import Cell, orthogonal, uniform, zeros
from helo.cells.functions import namespace, sigmoid


@dataclass(frozen=True)
class LSTM(Cell):
    """iₜ = σ(W_i xₜ + R_i hₜ₋₁ + b_i)        the input gate: what is written
    fₜ = σ(W_f xₜ + R_f hₜ₋₁ + b_f)        the forget gate: what is kept
    gₜ = tanh(W_g xₜ + R_g hₜ₋₁ + b_g)     the candidate
    oₜ = σ(W_o xₜ + R_o hₜ₋₁ + b_o)        the output gate: what is shown
    cₜ = fₜ ∘ cₜ₋₁ + iₜ ∘ gₜ
    hₜ = oₜ ∘ tanh(cₜ)

    Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000, started at 1
    (Jozefowicz, Zaremba and Sutskever 2015). Not to be confused with the peephole LSTM, whose gates see c too.
    State: h and c, (batch, hidden) each. Parameters as torch.nn.LSTM names and stacks them, gates in the order
    i, f, g, o: weight_ih (4·hidden, inputs), weight_hh (4·hidden, hidden), bias_ih and bias_hh, whose sum is b.
    Cost of a step: 4 · hidden · (inputs + hidden) multiplications.
    """

    forget_bias: float = 1.0
    bias: bool = True

    instances = ({}, {"bias": False})
    blocks: ClassVar = {"weight_ih": 4, "weight_hh": 4}

    def init(self, rng, inputs, hidden):
        parameters = {
            "weight_ih": uniform(rng, 4 * hidden, inputs, hidden**-0.5),
            "weight_hh": orthogonal(rng, 4, hidden),
        }
        if self.bias:
            parameters["bias_ih"] = np.zeros(4 * hidden, np.float32)
            parameters["bias_hh"] = np.zeros(4 * hidden, np.float32)
            parameters["bias_ih"][hidden : 2 * hidden] = self.forget_bias
        return parameters

    def state(self, parameters, batch):
        hidden = parameters["weight_hh"].shape[1]
        return tuple(zeros(parameters, "weight_hh", batch, hidden) for _ in "hc")

    def project(self, parameters, xs):
        xs = xs @ parameters["weight_ih"].T
        return xs + (parameters["bias_ih"] + parameters["bias_hh"]) if self.bias else xs

    def step(self, parameters, state, x):
        h, c = state
        n = h.shape[1]
        a = x + h @ parameters["weight_hh"].T
        tanh, both = namespace(a).tanh, sigmoid(a[:, : 2 * n])
        i, f, g, o = both[:, :n], both[:, n:], tanh(a[:, 2 * n : 3 * n]), sigmoid(a[:, 3 * n :])
        c = f * c + i * g
        h = o * tanh(c)
        return (h, c), h

    def gates(self, parameters, state, x):
        n = state[0].shape[1]
        a = x + state[0] @ parameters["weight_hh"].T
        return {"i": sigmoid(a[:, :n]), "f": sigmoid(a[:, n : 2 * n]), "o": sigmoid(a[:, 3 * n :])}

    def kept(self, gates):
        return gates["f"]
