"""The plain recurrent network, Elman's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from helo.cells.base import Cell, orthogonal, uniform, zeros
from helo.cells.functions import namespace, relu


@dataclass(frozen=True)
class RNN(Cell):
    """hₜ = tanh(W xₜ + b + R hₜ₋₁ + b′)        (or relu in place of tanh)

    Source: Elman, Finding structure in time, 1990; with relu, Le, Jaitly and Hinton 2015.
    Also known as: vanilla RNN, simple RNN, Elman network. Not to be confused with Jordan's network, which feeds back
    the output and not the state. State: h, (batch, hidden). Parameters: W weight_ih (hidden, inputs), R weight_hh
    (hidden, hidden), b and b′, as torch.nn.RNN names them. Cost of a step: hidden · (inputs + hidden) multiplications.
    """

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    bias: bool = True

    instances = ({}, {"nonlinearity": "relu"}, {"bias": False})

    def init(self, rng, inputs, hidden):
        parameters = {"weight_ih": uniform(rng, hidden, inputs, hidden**-0.5), "weight_hh": orthogonal(rng, 1, hidden)}
        if self.nonlinearity == "relu":  # tanh holds an orthogonal recurrence in bounds; relu does not
            parameters["weight_hh"] *= 0.5
        if self.bias:
            parameters["bias_ih"] = np.zeros(hidden, np.float32)
            parameters["bias_hh"] = np.zeros(hidden, np.float32)
        return parameters

    def state(self, parameters, batch):
        return (zeros(parameters, "weight_hh", batch, parameters["weight_hh"].shape[1]),)

    def project(self, parameters, xs):
        xs = xs @ parameters["weight_ih"].T
        return xs + (parameters["bias_ih"] + parameters["bias_hh"]) if self.bias else xs

    def step(self, parameters, state, x):
        a = x + state[0] @ parameters["weight_hh"].T
        h = namespace(a).tanh(a) if self.nonlinearity == "tanh" else relu(a)
        return (h,), h
