"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from helo.cells.base import Cell, orthogonal, uniform, zeros
from helo.cells.functions import namespace, sigmoid


@dataclass(frozen=True)
class GRU(Cell):
    """rₜ = σ(W_r xₜ + b_r + R_r hₜ₋₁ + b′_r)            the reset gate
    zₜ = σ(W_z xₜ + b_z + R_z hₜ₋₁ + b′_z)            the update gate: what is kept
    nₜ = tanh(W_n xₜ + b_n + rₜ ∘ (R_n hₜ₋₁ + b′_n))     the candidate
    hₜ = (1 - zₜ) ∘ nₜ + zₜ ∘ hₜ₋₁

    Source: Cho et al. 2014, in the form of cuDNN and torch, where the reset gate is applied after the recurrent product.
    Not to be confused with the paper's own form, R_n (rₜ ∘ hₜ₋₁), nor with the form in which z and 1 - z are exchanged
    (Keras, Chung et al. 2014). State: h, (batch, hidden). Parameters as torch.nn.GRU names and stacks them, gates in
    the order r, z, n: weight_ih (3·hidden, inputs), weight_hh (3·hidden, hidden), bias_ih and bias_hh, b and b′.
    Cost of a step: 3 · hidden · (inputs + hidden) multiplications.
    """

    bias: bool = True

    instances = ({}, {"bias": False})
    blocks: ClassVar = {"weight_ih": 3, "weight_hh": 3}

    def init(self, rng, inputs, hidden):
        parameters = {
            "weight_ih": uniform(rng, 3 * hidden, inputs, hidden**-0.5),
            "weight_hh": orthogonal(rng, 3, hidden),
        }
        if self.bias:
            parameters["bias_ih"] = np.zeros(3 * hidden, np.float32)
            parameters["bias_hh"] = np.zeros(3 * hidden, np.float32)
            parameters["bias_ih"][hidden : 2 * hidden] = 1.0  # keep at first, as the LSTM's forget bias does
        return parameters

    def state(self, parameters, batch):
        return (zeros(parameters, "weight_hh", batch, parameters["weight_hh"].shape[1]),)

    def project(self, parameters, xs):
        xs = xs @ parameters["weight_ih"].T
        return xs + parameters["bias_ih"] if self.bias else xs

    def step(self, parameters, state, x):
        (h,) = state
        n = h.shape[1]
        recurrent = h @ parameters["weight_hh"].T
        if self.bias:
            recurrent = recurrent + parameters["bias_hh"]
        r, z = sigmoid(x[:, :n] + recurrent[:, :n]), sigmoid(x[:, n : 2 * n] + recurrent[:, n : 2 * n])
        new = namespace(x).tanh(x[:, 2 * n :] + r * recurrent[:, 2 * n :])
        h = (1 - z) * new + z * h
        return (h,), h

    def gates(self, parameters, state, x):
        n = state[0].shape[1]
        a = x[:, : 2 * n] + state[0] @ parameters["weight_hh"][: 2 * n].T
        a = a + parameters["bias_hh"][: 2 * n] if self.bias else a
        return {"r": sigmoid(a[:, :n]), "z": sigmoid(a[:, n:])}

    def kept(self, gates):
        return gates["z"]
