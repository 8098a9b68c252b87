"""Broken cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from helo.cells import Cell
from helo.cells.base import orthogonal, uniform, zeros
from helo.cells.functions import namespace, sigmoid, softplus
from mutants import Mutant
from mutants.healthy import Unit


class MixesItsBatch(Unit):
    """Centres the units over the batch."""

    def step(self, parameters, state, x):
        h = namespace(x).tanh(x + state[0] @ parameters["recurrent"].T)
        h = h - namespace(x).mean(h, axis=0)
        return (h,), h


@dataclass(frozen=True)
class AsksWhetherAllAreFresh(Cell):
    """The sLSTM's step, stabilised by m, which takes the short way only while all rows are fresh: a fresh row whose
    input gate is very low gives a number alone, and 0 / 0 beside a row that is not fresh. Found in a published library.
    """

    def init(self, rng, inputs, hidden):
        return {
            "weight": uniform(rng, 4 * hidden, inputs, inputs**-0.5),
            "recurrent": orthogonal(rng, 4, hidden),
        }

    def state(self, parameters, batch):
        hidden = parameters["recurrent"].shape[1]
        return tuple(zeros(parameters, "recurrent", batch, hidden) for _ in "hcnm")

    def project(self, parameters, xs):
        return xs @ parameters["weight"].T

    def step(self, parameters, state, x):
        h, c, n, m = state
        xp, k = namespace(x), h.shape[1]
        a = x + h @ parameters["recurrent"].T
        i, f, z, o = a[:, :k], -softplus(-a[:, k : 2 * k]), xp.tanh(a[:, 2 * k : 3 * k]), sigmoid(a[:, 3 * k :])
        new = xp.maximum(f + m, i) if xp.any(n != 0) else i
        write, keep = (xp.minimum(xp.exp(gate - new), 1 + xp.zeros_like(n)) for gate in (i, f + m))
        c, n = keep * c + write * z, keep * n + write
        h = o * c / n
        return (h, c, n, new), h


class DrawsFromItsOwnSeed(Unit):
    """Every layer of a network begins alike."""

    def init(self, rng, inputs, hidden):
        return super().init(np.random.default_rng(0), inputs, hidden)


class ForgetsItsSeed(Unit):
    """No run can be repeated."""

    def init(self, rng, inputs, hidden):
        return super().init(np.random.default_rng(), inputs, hidden)


class RemembersAll(Unit):
    """Its state is small until the twentieth step, and then takes in one state after the other."""

    def state(self, parameters, batch):
        h = super().state(parameters, batch)[0]
        return h, h[:, :1], h[:, :0]

    def step(self, parameters, state, x):
        h, count, memory = state
        (h,), output = super().step(parameters, (h,), x)
        count = count + 1
        if namespace(x).any(count > 20):
            memory = namespace(x).concat([memory, h], axis=1)
        return (h, count, memory), output


class LeaksAnotherDtype(Unit):
    """A constant of NumPy's, which makes float64 of all that it meets."""

    def step(self, parameters, state, x):
        state, h = super().step(parameters, state, x)
        return state, h * np.float64(0.9)


class WritesOverItsState(Unit):
    """The old state is gone: whoever forked it, or goes back, finds the new one."""

    def step(self, parameters, state, x):
        (h,), _ = super().step(parameters, state, x)
        if isinstance(h, np.ndarray):
            state[0][...] = h
        return (h,), h + 0


class ReadsItsParametersInOrder(Unit):
    """By place and not by name; a file keeps the names only."""

    def project(self, parameters, xs):
        weight, _, bias = parameters.values()
        return xs @ weight.T + bias


class CallsWhatNotAllEnginesHave(Unit):
    """sin is in the array standard and not in the vocabulary."""

    def step(self, parameters, state, x):
        h = namespace(x).sin(x + state[0] @ parameters["recurrent"].T)
        return (h,), h


class MixesTypes(Unit):
    """A number times a truth value: NumPy and torch allow it, the array standard does not."""

    def step(self, parameters, state, x):
        h = x + 0.5 * state[0] @ parameters["recurrent"].T
        h = h * (h > 0)
        return (h,), h


class TakesAShortcutOnTensors(Unit):
    """Another tanh where it is thought to be faster."""

    def step(self, parameters, state, x):
        if isinstance(x, np.ndarray) or not type(x).__module__.startswith("torch"):
            return super().step(parameters, state, x)
        a = x + state[0] @ parameters["recurrent"].T
        h = a * (27 + a * a) / (27 + 9 * a * a)  # Padé's
        return (h,), h


class CentresOverTime(Unit):
    """Takes the mean over the sequence from the inputs before the loop: it sees what is still to come."""

    def project(self, parameters, xs):
        xs = super().project(parameters, xs)
        return xs - 0.1 * namespace(xs).mean(xs, axis=1, keepdims=True) if xs.ndim == 3 else xs


@dataclass(frozen=True)
class LSTM(Cell):
    """Right in itself, with torch's names, and the gates in another order: i, g, f, o."""

    def init(self, rng, inputs, hidden):
        return {
            "weight_ih": uniform(rng, 4 * hidden, inputs, hidden**-0.5),
            "weight_hh": orthogonal(rng, 4, hidden),
        }

    def state(self, parameters, batch):
        return tuple(zeros(parameters, "weight_hh", batch, parameters["weight_hh"].shape[1]) for _ in "hc")

    def step(self, parameters, state, x):
        h, c = state
        n, tanh = h.shape[1], namespace(x).tanh
        a = x @ parameters["weight_ih"].T + h @ parameters["weight_hh"].T
        c = sigmoid(a[:, 2 * n : 3 * n]) * c + sigmoid(a[:, :n]) * tanh(a[:, n : 2 * n])
        h = sigmoid(a[:, 3 * n :]) * tanh(c)
        return (h, c), h


class SaysGatesThatItHasNot(Unit):
    """Two maps, where the rows are those of one."""

    blocks: ClassVar = {"weight": 2}


class NamesWhatItHasNot(Unit):
    """Another cell's name for it."""

    recurrent = ("weight_hr",)


# A project that mixes time is another function for every length and every cut.
SEEN_BY_MANY = ("array_standard", "awkward_sizes", "carried_state", "causality", "padding", "truncation")

MUTANTS = (
    Mutant("alone_in_company", MixesItsBatch(), also=("padding",)),
    Mutant("alone_in_company", AsksWhetherAllAreFresh(), also=("padding",)),
    Mutant("same_seed", DrawsFromItsOwnSeed()),
    Mutant("same_seed", ForgetsItsSeed(), also=("numpy_is_torch",)),
    Mutant("blocks", SaysGatesThatItHasNot()),
    Mutant("blocks", NamesWhatItHasNot()),
    Mutant("constant_state", RemembersAll()),
    Mutant("shapes", LeaksAnotherDtype(), also=("array_standard",)),
    Mutant("purity", WritesOverItsState(), also=("padding",)),
    Mutant("saved_and_loaded", ReadsItsParametersInOrder()),
    Mutant("vocabulary", CallsWhatNotAllEnginesHave()),
    Mutant("array_standard", MixesTypes()),
    Mutant("numpy_is_torch", TakesAShortcutOnTensors(), also=("awkward_sizes",)),
    Mutant("steps_are_scan", CentresOverTime(), also=SEEN_BY_MANY),
    Mutant("equal_to_torch", LSTM()),
)
