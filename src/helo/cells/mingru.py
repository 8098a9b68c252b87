"""The minimal gated recurrent unit: gates of the input alone, so that the whole sequence is one scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from helo.cells.base import LinearCell, uniform, zeros
from helo.cells.functions import namespace, sigmoid


@dataclass(frozen=True)
class MinGRU(LinearCell):
    """zₜ = σ(W_z xₜ + b_z)
    nₜ = g(W_n xₜ + b_n)          g(x) = x + 1/2 where x ≥ 0, σ(x) elsewhere: positive, so that h is
    hₜ = (1 - zₜ) ∘ hₜ₋₁ + zₜ ∘ nₜ

    Source: Feng et al., Were RNNs all we needed?, 2024, with the positive candidate of its log-space form, but computed
    here without logarithms, because a long scan in logarithms loses digits. Not to be confused with the minimal gated
    unit (MGU, Zhou et al. 2016), whose gate sees h. State: h, (batch, hidden). Parameters: weight (2·hidden, inputs),
    rows z then n, and bias. Cost of a step: 2 · hidden · inputs multiplications. The gate does not see the state:
    one layer counts and averages, and only several layers together can react to what came before.
    """

    bias: bool = True

    instances = ({}, {"bias": False})
    blocks: ClassVar = {"weight": 2}
    recurrent = ()

    def init(self, rng, inputs, hidden):
        parameters = {"weight": uniform(rng, 2 * hidden, inputs, inputs**-0.5)}
        if self.bias:
            parameters["bias"] = np.zeros(2 * hidden, np.float32)
            # Time constants from one step to about fifty: short and long memory are there from the start.
            parameters["bias"][:hidden] = -rng.uniform(0, 4, hidden)
        return parameters

    def state(self, parameters, batch):
        return (zeros(parameters, "weight", batch, parameters["weight"].shape[0] // 2),)

    def project(self, parameters, xs):
        xs = xs @ parameters["weight"].T
        return xs + parameters["bias"] if self.bias else xs

    def coefficients(self, parameters, x):
        n = x.shape[-1] // 2
        z, candidate = sigmoid(x[..., :n]), x[..., n:]
        candidate = namespace(x).where(candidate >= 0, candidate + 0.5, sigmoid(candidate))
        return 1 - z, z * candidate

    def gates(self, parameters, state, x):
        return {"z": sigmoid(x[..., : x.shape[-1] // 2])}

    def kept(self, gates):
        return 1 - gates["z"]
