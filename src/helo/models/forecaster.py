"""A forecaster: what came before → recurrent layers → their state → recurrent layers over the steps ahead → quantiles"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.layers import part, stack, under, variational_dropout
from helo.layers.quantiles import LEVELS, increasing, start
from helo.models.base import InputModel, Parameters, scores


class Forecaster(InputModel):
    """Quantiles of each step ahead. options: cell, layers, hidden, dropout."""

    def init(self, rng):
        o, form = self.options, self.form
        parameters = under("recurrent.past", stack.init(rng, self.cell, o.layers, form.width, o.hidden))
        parameters |= under("recurrent.ahead", stack.init(rng, self.cell, o.layers, form.ahead, o.hidden))
        bias = start(LEVELS)  # a spread of one deviation on either side of what was there a season ago
        return parameters | {"head.weight": np.zeros((len(LEVELS), o.hidden), np.float32), "head.bias": bias}

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of windows to quantiles `(batch, horizon, levels)`, as the windows are scaled."""
        o = self.options
        _, state = stack.run(
            self.cell, o.layers, part(parameters, "recurrent.past"), batch["xs"], None, noise, o.dropout
        )
        ys, _ = stack.run(
            self.cell, o.layers, part(parameters, "recurrent.ahead"), batch["ahead"], state, noise, o.dropout
        )
        ys = variational_dropout(ys, o.dropout, noise)
        return increasing(scores(parameters, ys)) + batch["base"][..., None]
