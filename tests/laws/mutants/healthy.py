"""The cell that the mutants are made of, as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from helo.cells import Cell
from helo.cells.base import orthogonal, uniform, zeros
from helo.cells.functions import namespace


@dataclass(frozen=True)
class Unit(Cell):
    """h_t = tanh(W x_t + U h_{t-1} + b)."""

    recurrent = ("recurrent",)

    def init(self, rng, inputs, hidden):
        return {
            "weight": uniform(rng, hidden, inputs, 0.5),
            "recurrent": 0.8 * orthogonal(rng, 1, hidden),
            "bias": uniform(rng, 1, hidden, 0.5)[0],
        }

    def state(self, parameters, batch):
        return (zeros(parameters, "recurrent", batch, parameters["recurrent"].shape[0]),)

    def project(self, parameters, xs):
        return xs @ parameters["weight"].T + parameters["bias"]

    def step(self, parameters, state, x):
        h = namespace(x).tanh(x + state[0] @ parameters["recurrent"].T)
        return (h,), h
