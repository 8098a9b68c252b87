"""A classifier: sequence → vectors → recurrent layers, both ways → pooled over time → outputs"""

from __future__ import annotations

from typing import Any

from helo.layers import dropped, part, pooling, stack, under, variational_dropout
from helo.models.base import InputModel, Parameters, head, scores


class Classifier(InputModel):
    """Outputs for each sequence. options: cell, layers, hidden, bidirectional, pool, dropout."""

    def init(self, rng):
        o, form = self.options, self.form
        width = o.hidden * (2 if o.bidirectional else 1)
        parameters = under("input", form.init(rng, self.cell))
        parameters |= under("recurrent", stack.init(rng, self.cell, o.layers, form.width, o.hidden, o.bidirectional))
        return parameters | under("pool", pooling.init(rng, o.pool, width)) | head(self.outputs, width)

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, outputs)`."""
        o, lengths = self.options, batch["lengths"]
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        learned = any(n.startswith("input.") for n in parameters)
        xs = variational_dropout(xs, o.dropout if learned else 0.0, noise)
        recurrent = part(parameters, "recurrent")
        xs = stack.read(self.cell, o.layers, recurrent, xs, lengths, o.bidirectional, noise, o.dropout)
        xs = pooling.pool(o.pool, part(parameters, "pool"), xs, lengths, o.bidirectional)
        return scores(parameters, dropped(xs, o.dropout, noise))
