"""A decoder over a memory, whatever made the memory: what is common to every model that writes.

target so far → vectors → lower recurrence → attention to the memory → upper recurrence → scores of the next symbol

The lower recurrence alone asks the attention, so that in training all steps of a layer are computed at once. Without
attention what it would give is the summary of the memory, the same at every step: a fixed vector.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, final

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.layers import attention, dropped, part, under, variational_dropout
from helo.models.base import Model, Parameters, head, scores

Memory = tuple[Any, ...]  # outputs, keys, 1 or 0 a place `(rows, places, …)`, and the summary `(rows, width)`


class EncoderDecoder(Model):
    """An encoder that leaves a memory, and a decoder that looks at it. options: cell, attention, hidden, embedding, dropout."""

    #: Numbers in which attention compares; the decoder's width where none is said.
    attention_size: int | None = None

    def __init__(self, options: Any, symbols: int):
        """symbols: how many the decoder can write."""
        super().__init__(options)
        self.symbols = symbols
        #: How attention scores, a name of `layers.attention`; Show, Attend and Tell calls the additive one soft.
        self.attention = "additive" if options.attention == "soft" else options.attention

    @abstractmethod
    def memory(self, parameters: Parameters, batch: Any, noise: Any = None) -> Memory:
        """What the decoder looks at, a row an example: outputs, keys, 1 or 0 a place, and the summary."""

    @final
    def decoder(self, rng: np.random.Generator, width: int) -> dict[str, np.ndarray]:
        """Fresh parameters of a decoder over a memory of so many numbers a place."""
        o = self.options
        parameters: dict[str, np.ndarray] = {}
        lower = self.cell.init(rng, o.embedding, o.hidden)
        upper = self.cell.init(rng, o.hidden + width, o.hidden)
        for name, fresh in (("lower", lower), ("upper", upper)):
            parameters |= under(f"{name}.recurrent", fresh)
            for k, s in enumerate(self.cell.state(fresh, 1)):
                if s.shape == (1, o.hidden):
                    parameters[f"bridge.dense.{name}.{k}"] = matrix(rng, o.hidden, width)
        parameters |= under("attention", attention.init(rng, self.attention, o.hidden, width, self.attention_size))
        parameters["readout.dense"] = matrix(rng, o.embedding, 2 * o.hidden + width)
        parameters["readout.bias"] = np.zeros(o.embedding, np.float32)
        return parameters | head(self.symbols, o.embedding)

    @final
    def remembered(self, parameters: Parameters, outputs: Any, inside: Any, summary: Any) -> Memory:
        """A memory, with the keys that its attention compares."""
        own = part(parameters, "attention")
        keys = outputs if self.attention == "none" else attention.keys(own, outputs)
        return outputs, keys, inside, summary

    @final
    def fresh(self, parameters: Parameters, memory: Memory) -> tuple[Any, ...]:
        """The decoder's state before the first symbol: of each array a map of the memory's summary."""
        xp, summary = namespace(memory[3]), memory[3]
        states = []
        for name in ("lower", "upper"):
            own = part(parameters, f"{name}.recurrent")
            state = list(self.cell.state(own, summary.shape[0]))
            for k in range(len(state)):
                bridge = parameters.get(f"bridge.dense.{name}.{k}")
                if bridge is not None:
                    state[k] = xp.astype(xp.tanh(summary @ bridge.T), state[k].dtype)
            states.append(tuple(state))
        return tuple(states)

    @final
    def decode(
        self, parameters: Parameters, memory: Memory, before: Any, states: tuple[Any, ...], noise: Any = None
    ) -> tuple[Any, tuple[Any, ...], Any]:
        """before `(batch, time)`, the symbols that stand before those asked for: scores `(batch, time, symbols)`, the
        states after them, and the attention `(batch, time, places)`.
        """
        o = self.options
        outputs, keys, inside, summary = memory
        xs = engines.embedding(parameters["embedding"], before)
        if "glance.dense" in parameters:  # the summary is seen at every step, whatever the attention does
            xs = xs + (summary @ parameters["glance.dense"].T)[:, None]
        xs = variational_dropout(xs, o.dropout / 2, noise)
        low, lower = engines.scan(self.cell, part(parameters, "lower.recurrent"), xs, states[0])
        xp = namespace(low)
        if self.attention == "none":
            context = xp.broadcast_to(summary[:, None], (*low.shape[:2], summary.shape[-1]))
            weights = xp.zeros_like(inside[:, None]) + xp.zeros_like(low[:, :, :1])
        else:
            own = part(parameters, "attention")
            context, weights = attention.look(self.attention, own, low, keys, outputs, inside)
        joined = variational_dropout(xp.concat([low, context], axis=-1), o.dropout / 2, noise)
        high, upper = engines.scan(self.cell, part(parameters, "upper.recurrent"), joined, states[1])
        read = xp.concat([high, joined], axis=-1) @ parameters["readout.dense"].T + parameters["readout.bias"]
        return scores(parameters, dropped(xp.tanh(read), o.dropout, noise)), (lower, upper), weights


def matrix(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix that keeps the size of what it maps."""
    return (rng.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)
