"""A feed-forward network: vector → layers → outputs"""

from __future__ import annotations

from typing import Any

from helo.layers import dense, part, under
from helo.models.base import InputModel, Parameters, head, scores


class FeedForward(InputModel):
    """Outputs for each vector. options: layers, hidden, dropout; cell, where the form of input has one."""

    def init(self, rng):
        o, form = self.options, self.form
        parameters = under("input", form.init(rng, self.cell))
        return (
            parameters | under("dense", dense.init(rng, o.layers, form.width, o.hidden)) | head(self.outputs, o.hidden)
        )

    def each(self, parameters: Parameters, batch: Any, noise: Any = None) -> list[Any]:
        """The outputs of each network: there is one."""
        return [self.forward(parameters, batch, noise)]

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, outputs)`."""
        o = self.options
        xs = self.form.forward(part(parameters, "input"), batch, self.cell, noise)
        return scores(parameters, dense.run(o.layers, part(parameters, "dense"), xs, noise, o.dropout))
