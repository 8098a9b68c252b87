"""A language model: ids → embedding → recurrent layers → scores over the vocabulary"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from helo import cells, engines
from helo.errors import HeloError
from helo.layers import Noise, part, stack, under, variational_dropout
from helo.models.base import Budget, Model, Parameters, scores

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
            **under("recurrent", stack.init(rng, self.cell, o.layers, o.embedding, o.hidden)),
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


CHUNK = 64  # steps of truncated backpropagation, where the text has as many for each stream
#: Units a layer, and up to how many products of training they serve best; measured on one LSTM layer.
HIDDEN = ((128, 6e11), (256, 1.5e13), (384, 1e14), (512, math.inf))
WIDE = 512  # units on an accelerator: a step of them takes hardly longer than one of fewer
ENOUGH = 40  # passes over the text on an accelerator, where minutes are worth more than a text has to teach


def _macs(hidden: int, embedding: int, vocabulary: int) -> int:
    """Multiplications a symbol costs in an LSTM layer and the head, forward and twice that backward."""
    return 3 * hidden * (4 * (hidden + embedding) + vocabulary)


def needs_recurrent(options: Any) -> None:
    """Raises HeloError where the cell has nothing that `--weight-dropout` could be of."""
    cell = cells.find(options.cell)
    if not set(cell.recurrent) & set(cell.init(np.random.default_rng(0), 8, options.hidden or 64)):
        raise HeloError(
            f"{options.weight_dropout}", where="--weight-dropout", mend="omit it, or name the matrix there",
            expected=f"0: {options.cell} has no matrix that multiplies its state, or none that `recurrent` of its class names",
        )  # fmt: skip


def sized(options: Any, symbols: int, vocabulary: int, budget: Budget) -> tuple[Any, float]:
    """Sizes by a rule over three numbers: the symbols of the text, the products that the budget is worth, and how
    often the text is seen in it.

    hidden grows with the budget: HIDDEN, and is WIDE on an accelerator. embedding grows with the vocabulary. dropout grows with the passes over
    the text and the size of the model: 2 % a pass for 384 units, less as the square of fewer, at most 35 %, or on an
    accelerator, which makes more passes, at most 50 % at ENOUGH of them, more than which it does not make.
    streams are 32, fewer where the text is so short that a stream would not hold four chunks.
    """
    o, v, most = options, vocabulary, float("inf")
    chunk = o.chunk or min(CHUNK, max(1, (symbols - 1) // (o.streams or 1)))
    if budget.macs is not None:
        macs = budget.macs
    else:
        seen = budget.symbols or (
            budget.epochs * symbols if budget.epochs is not None else (budget.steps or 1) * (o.streams or 32) * chunk
        )
        macs = seen * _macs(256, 64, v)
    hidden = o.hidden or (WIDE if budget.symbols is not None else next(h for h, most in HIDDEN if macs <= most))
    embedding = o.embedding or min(hidden, 64 if v <= 256 else 128 if v <= 4096 else 256)
    streams = o.streams or max(1, min(32, symbols // (4 * chunk)))
    if budget.macs is not None:
        passes = budget.macs / _macs(hidden, embedding, v) / symbols
    elif budget.symbols is not None:
        most = ENOUGH
        passes = min(ENOUGH, budget.symbols / symbols)
    else:
        passes = budget.epochs or (budget.steps or 1) * streams * chunk / symbols
    # Measured at 512 units on an H100: 13 passes with 0.3, 25 with 0.45 and 41 with 0.5 are as good; 72 with 0.4 overfit.
    top = 0.35 if budget.symbols is None else max(0.35, 0.5 * (passes / ENOUGH) ** 0.35)
    dropout = min(round(top, 2), round(0.02 * passes * (hidden / 384) ** 2, 2)) if o.dropout is None else o.dropout
    sizes = {"chunk": chunk, "streams": streams, "hidden": hidden, "embedding": embedding, "dropout": dropout}
    return replace(o, **sizes), most
