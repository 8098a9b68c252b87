"""A feed-forward network: vector → layers → outputs"""

from __future__ import annotations

from helo.layers import dense, part, under
from helo.models.base import head, scores
from helo.models.folded import Folded


class FeedForward(Folded):
    """Outputs for each vector. options: layers, hidden, dropout, folds; cell, where the form of input has one."""

    def init_one(self, rng):
        o, form = self.options, self.form
        parameters = under("input", form.init(rng, self.cell))
        return (
            parameters | under("dense", dense.init(rng, o.layers, form.width, o.hidden)) | head(self.outputs, o.hidden)
        )

    def forward_one(self, parameters, batch, noise):
        o = self.options
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        return scores(parameters, dense.run(o.layers, part(parameters, "dense"), xs, noise, o.dropout))
