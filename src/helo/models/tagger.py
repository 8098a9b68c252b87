"""A tagger: steps → vectors → recurrent layers, both ways → outputs of each step [→ CRF]"""

from __future__ import annotations

from typing import Any

from helo.inputs.dialogue import Dialogue
from helo.layers import crf, part, stack, under, variational_dropout
from helo.models.base import InputModel, Parameters, head, scores


class Tagger(InputModel):
    """Outputs for each step. options: cell, layers, hidden, bidirectional, crf, dropout."""

    def init(self, rng):
        o, form = self.options, self.form
        parameters = under("input", form.init(rng, self.cell))
        parameters |= under("recurrent", stack.init(rng, self.cell, o.layers, form.width, o.hidden, o.bidirectional))
        parameters |= head(self.outputs, o.hidden * (2 if o.bidirectional else 1))
        return parameters | (under("crf", crf.init(self.outputs)) if o.crf else {})

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, time, outputs)`."""
        o = self.options
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        xs = variational_dropout(xs, o.dropout if not isinstance(self.form, Dialogue) else 0.0, noise)
        recurrent = part(parameters, "recurrent")
        xs = stack.read(self.cell, o.layers, recurrent, xs, batch["lengths"], o.bidirectional, noise, o.dropout)
        return scores(parameters, variational_dropout(xs, o.dropout, noise))

    def step(self, parameters: Parameters, batch: Any, state: Any = None) -> tuple[Any, Any]:
        """Outputs of a few steps more, `(batch, time, outputs)`, after a carried state; for a model of one direction."""
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, None)
        xs, state = stack.run(self.cell, self.options.layers, part(parameters, "recurrent"), xs, state)
        return scores(parameters, xs), state
