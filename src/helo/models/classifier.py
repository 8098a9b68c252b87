"""A classifier: sequence → vectors → recurrent layers, both ways → pooled over time → outputs

Of a series with several views (`inputs/numbers.py`) convolutions go before the recurrence, and beside it: both are pooled
(Karim et al. 2018 have them side by side).
"""

from __future__ import annotations

from typing import Any

from helo.cells.functions import namespace
from helo.layers import convolution, dropped, part, pooling, stack, under, variational_dropout
from helo.models.base import InputModel, Parameters, head, scores


class Classifier(InputModel):
    """Outputs for each sequence. options: cell, layers, hidden, bidirectional, pool, dropout."""

    def __init__(self, options: Any, form: Any, outputs: int):
        super().__init__(options, form, outputs)
        self.convolved = getattr(form, "views", None) is not None
        self.shorter = convolution.SHORTER if self.convolved else 1

    def init(self, rng):
        o, form, below = self.options, self.form, self.form.width
        width = o.hidden * (2 if o.bidirectional else 1)
        parameters = under("input", form.init(rng, self.cell))
        if self.convolved:
            parameters |= under("convolution", convolution.init(rng, below))
            below = convolution.CHANNELS
            width += below
        parameters |= under("recurrent", stack.init(rng, self.cell, o.layers, below, o.hidden, o.bidirectional))
        parameters |= under("pool", pooling.init(rng, o.pool, width))
        return parameters | head(self.outputs, pooling.width(o.pool, width))

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, outputs)`."""
        o, lengths = self.options, batch["lengths"]
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        learned = any(n.startswith("input.") for n in parameters)
        xs = variational_dropout(xs, o.dropout if learned else 0.0, noise)
        recurrent = part(parameters, "recurrent")
        if self.convolved:
            xs, lengths = convolution.run(part(parameters, "convolution"), xs, lengths)
        found = stack.read(self.cell, o.layers, recurrent, xs, lengths, o.bidirectional, noise, o.dropout)
        if self.convolved:  # between the two ways, so that half of it is what is read forwards
            xs = namespace(xs).concat([found[..., : o.hidden], xs, found[..., o.hidden :]], axis=-1)
        else:
            xs = found
        xs = pooling.pool(o.pool, part(parameters, "pool"), xs, lengths, o.bidirectional)
        return scores(parameters, dropped(xs, o.dropout, noise))
