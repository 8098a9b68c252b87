"""A classifier: sequence → vectors → recurrent layers, both ways → pooled over time → outputs

Of a series with several views (`inputs/numbers.py`) convolutions go before the recurrence, and beside it: both are pooled
(Karim et al. 2018 have them side by side). Beside the pooled vector stands how often fixed patterns are in the series
(`layers/proportions.py`), from which much can be learned of few examples. A classifier can be several networks
(`models/folded.py`).
"""

from __future__ import annotations

from typing import Any

from helo.cells.functions import namespace
from helo.layers import convolution, dropped, part, pooling, proportions, stack, under, variational_dropout
from helo.models.base import head, scores
from helo.models.folded import Folded


class Classifier(Folded):
    """Outputs for each sequence. options: cell, layers, hidden, bidirectional, pool, dropout, folds."""

    def __init__(self, options: Any, form: Any, outputs: int, calibrated: bool = False):
        super().__init__(options, form, outputs, calibrated)
        self.convolved = getattr(form, "views", None) is not None
        # Whether the proportions of patterns in a series are read, too.
        self.patterned = self.convolved and form.views.proportions
        self.shorter = convolution.SHORTER if self.convolved else 1

    def init_one(self, rng):
        o, form, below = self.options, self.form, self.form.width
        width = o.hidden * (2 if o.bidirectional else 1)
        parameters = under("input", form.init(rng, self.cell))
        if self.convolved:
            parameters |= under("convolution", convolution.init(rng, below))
            below = convolution.CHANNELS
            width += below
        parameters |= under("recurrent", stack.init(rng, self.cell, o.layers, below, o.hidden, o.bidirectional))
        parameters |= under("pool", pooling.init(rng, o.pool, width))
        width = pooling.width(o.pool, width) + (2 * proportions.WIDTH if self.patterned else 0)
        return parameters | head(self.outputs, width)

    def forward_one(self, parameters, batch, noise):
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
        xs = namespace(xs).concat([xs, batch["proportions"]], axis=-1) if self.patterned else xs
        return scores(parameters, dropped(xs, o.dropout, noise))
