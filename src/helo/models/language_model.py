"""A language model: ids → embedding → recurrent layers → scores over the vocabulary"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo import engines
from helo.layers import Noise, part, stack, variational_dropout
from helo.models.base import Model, Parameters, scores

State = tuple[tuple[Any, ...], ...]


class LanguageModel(Model):
    """Scores of the next symbol. options: cell, layers, hidden, embedding, dropout, weight_dropout."""

    def __init__(self, options: Any, vocabulary: int):
        """vocabulary: how many symbols there are."""
        super().__init__(options)
        self.vocabulary = vocabulary

    def init(self, rng):
        o, v = self.options, self.vocabulary
        return {
            "embedding": rng.standard_normal((v, o.embedding)).astype(np.float32),
            **{f"recurrent.{n}": p for n, p in stack.init(rng, self.cell, o.layers, o.embedding, o.hidden).items()},
            "head.weight": (rng.standard_normal((v, o.hidden)) * o.hidden**-0.5).astype(np.float32),
            "head.bias": np.zeros(v, np.float32),
        }

    def forward(
        self, parameters: Parameters, ids: Any, state: State | None = None, noise: Noise | None = None
    ) -> tuple[Any, State]:
        """ids `(batch, time)` to scores `(batch, time, vocabulary)`, and the state after them."""
        o = self.options
        rates = (o.dropout or 0.0, o.weight_dropout)
        xs = variational_dropout(engines.embedding(parameters["embedding"], ids), rates[0] / 4, noise)
        xs, state = stack.run(self.cell, o.layers, part(parameters, "recurrent"), xs, state, noise, *rates)
        return scores(parameters, variational_dropout(xs, rates[0], noise)), state

    def zero_state(self, parameters: Parameters, rows: int) -> State:
        """The state before the first symbol."""
        return stack.state(self.cell, self.options.layers, part(parameters, "recurrent"), rows)
