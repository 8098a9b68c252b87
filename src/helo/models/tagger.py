"""A tagger: steps → vectors → recurrent layers, both ways → outputs of each step [→ CRF]

Of frames with several views (`inputs/numbers.py`) convolutions go before the recurrence and beside it, as in a classifier of series.
The vectors of utterances go past the recurrence too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from helo.cells.functions import namespace
from helo.inputs.dialogue import Dialogue
from helo.layers import convolution, crf, part, stack, under, variational_dropout
from helo.models.base import Budget, InputModel, Parameters, head, scores


class Tagger(InputModel):
    """Outputs for each step. options: cell, layers, hidden, bidirectional, crf, dropout."""

    def __init__(self, options: Any, form: Any, outputs: int):
        super().__init__(options, form, outputs)
        self.convolved = getattr(form, "views", None) is not None
        self.beside = self.convolved or getattr(form, "beside", False)

    def init(self, rng):
        o, form, below = self.options, self.form, self.form.width
        width = o.hidden * (2 if o.bidirectional else 1)
        parameters = under("input", form.init(rng, self.cell))
        if self.convolved:
            parameters |= under("convolution", convolution.init(rng, below))
            below = convolution.CHANNELS
        width += below if self.beside else 0
        parameters |= under("recurrent", stack.init(rng, self.cell, o.layers, below, o.hidden, o.bidirectional))
        parameters |= head(self.outputs, width)
        return parameters | (under("crf", crf.init(self.outputs)) if o.crf else {})

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, time, outputs)`."""
        o = self.options
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        given = isinstance(self.form, Dialogue) or self.convolved
        xs = variational_dropout(xs, 0.0 if given else o.dropout, noise)
        if self.convolved:
            xs = convolution.run(part(parameters, "convolution"), xs, batch["lengths"], short=False)[0]
        recurrent, seen = part(parameters, "recurrent"), xs
        xs = stack.read(self.cell, o.layers, recurrent, xs, batch["lengths"], o.bidirectional, noise, o.dropout)
        if self.beside:
            xs = namespace(xs).concat([xs, seen], axis=-1)
        return scores(parameters, variational_dropout(xs, o.dropout, noise))

    def step(self, parameters: Parameters, batch: Any, state: Any = None) -> tuple[Any, Any]:
        """Outputs of a few steps more, `(batch, time, outputs)`, after a carried state; for a model of one direction."""
        seen = self.form.forward(part(parameters, "input"), batch, self.cell, None)
        xs, state = stack.run(self.cell, self.options.layers, part(parameters, "recurrent"), seen, state)
        return scores(parameters, namespace(xs).concat([xs, seen], axis=-1) if self.beside else xs), state


#: Units a direction, of the embedding and of the network that reads letters: what is learned from many words, and from few.
LARGE, SMALL = (192, 128, 64), (64, 64, 32)
LARGE_TALK = (128, 128, 0)  # of a conversation, whose words have no letters
MANY = 20_000  # words
ENOUGH = 10  # passes over the examples; where there are fewer, few units learn more in the time than many
STEP = 5e8  # products that a step costs on a processor beside those of its words, as time: many small operations
CRF_STEP = 4  # times that, where the field's paths are summed up word by word
LETTERS = 5  # of a word, on the whole


def sized(options: Any, kind: str, steps: int, examples: int, budget: Budget | None = None) -> Any:
    """Sizes by a rule: LARGE where there are MANY words, unless the minutes are worth fewer than ENOUGH passes of them. dropout is
    0.5, or in fewer passes than 12, 4 % a pass: what is seen a few times alone is not learned by heart.
    """
    if kind == "frames":
        return _filled(options, layers=1, hidden=64, dropout=0.5, batch=8)
    talk = kind == "dialogue"
    large = steps >= MANY

    def of_size(large: bool) -> tuple[Any, float]:
        hidden, embedding, spelling = (LARGE_TALK if talk else LARGE) if large else SMALL
        o = _filled(options, layers=1, hidden=hidden, embedding=embedding, batch=8 if talk else 16)
        o = o if talk else _filled(o, spelling=spelling)
        return o, _passes(o, steps, examples, budget)

    o, passes = of_size(large)
    if passes < ENOUGH and large:
        o, passes = of_size(False)
    return _filled(o, dropout=min(0.5, round(0.04 * passes, 2)))


def _passes(o: Any, steps: int, examples: int, budget: Budget | None) -> float:
    """How many passes over the examples a person's minutes are worth; infinity where they are not what is given."""
    if budget is None or (budget.macs is None and budget.symbols is None):
        return float("inf")
    if budget.macs is None:  # a wide step takes an accelerator as long as a narrow one
        return (budget.symbols or 0.0) / steps
    ways, letters = 1 + o.bidirectional, o.spelling or 0
    word = ways * 4 * o.hidden * (o.hidden + o.embedding + 2 * letters) * o.layers
    word += LETTERS * 2 * 4 * letters * (letters + 32)
    return budget.macs / (3 * word * steps + STEP * (CRF_STEP if o.crf else 1) * examples / o.batch)


def _filled(options: Any, **sizes: Any) -> Any:
    return replace(options, **{k: v for k, v in sizes.items() if getattr(options, k) is None})
