"""A forecaster: what came before → recurrent layers → their state → recurrent layers over the steps ahead → quantiles"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.layers import part, stack, under, variational_dropout
from helo.layers.quantiles import LEVELS, increasing, start, widened
from helo.models.base import InputModel, Parameters

CALIBRATED = 10.0  # times faster than other parameters the calibration is learned: others go on changing what it is of


class Forecaster(InputModel):
    """Quantiles of each step ahead. options: cell, layers, hidden, dropout, members: networks of different beginnings, each learned
    on its own, whose quantiles are averaged: one alone is off by chance more than it could be. calibrate: whether the quantiles
    are calibrated by what each network says of the part of the time that it does not learn from.
    """

    def __init__(self, options: Any, form: Any, outputs: int):
        super().__init__(options, form, outputs)
        self.calibrated = bool(options.calibrate)

    def init(self, rng):
        o, form, parameters = self.options, self.form, {}
        bias = start(LEVELS)  # a spread of one deviation on either side of what was there a season ago
        for k in range(o.members):
            own = under("past", stack.init(rng, self.cell, o.layers, form.width, o.hidden))
            own |= under("ahead", stack.init(rng, self.cell, o.layers, form.ahead, o.hidden))
            parameters |= under(f"recurrent.{k}", own)
            parameters |= {
                f"head.{k}.weight": np.zeros((len(LEVELS), o.hidden), np.float32),
                f"head.{k}.bias": bias.copy(),
            }
        if form.recent:
            # A model that is loaded, or that goes on, has its own.
            none = np.zeros((form.horizon, form.recent + 1), np.float32)
            parameters["autoregression.weight"] = none if form.coefficients is None else form.coefficients.copy()
        if self.calibrated:
            parameters["calibration.weight"] = np.zeros(len(LEVELS) - 1, np.float32)
        return parameters

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of windows to quantiles `(batch, horizon, levels)`, as the windows are scaled."""
        found = self.each(parameters, batch, noise)
        mean = sum(found[1:], found[0]) / len(found)
        return self.calibrate(parameters, mean) if self.calibrated else mean

    def calibrate(self, parameters: Parameters, found: Any) -> Any:
        """Quantiles with the calibration: each distance between two times a factor, 1 at first."""
        return widened(found, namespace(found).exp(CALIBRATED * parameters["calibration.weight"]))

    def each(self, parameters: Parameters, batch: Any, noise: Any = None) -> list[Any]:
        """The same of each member."""
        o, found, base = self.options, [], self.base(parameters, batch)
        for k in range(o.members):
            own, head = part(parameters, f"recurrent.{k}"), part(parameters, f"head.{k}")
            past, ahead = part(own, "past"), part(own, "ahead")
            _, state = stack.run(self.cell, o.layers, past, batch["xs"], None, noise, o.dropout)
            ys, _ = stack.run(self.cell, o.layers, ahead, batch["ahead"], state, noise, o.dropout)
            ys = variational_dropout(ys, o.dropout, noise)
            found.append(increasing(ys @ head["weight"].T + head["bias"]) + base[..., None])
        return found

    def base(self, parameters: Parameters, batch: Any) -> Any:
        """From what the quantiles are counted, `(batch, horizon)`: the last seasons, corrected by an autoregression."""
        base = batch["base"]
        if not self.form.recent:
            return base
        xp, weight = namespace(base), parameters["autoregression.weight"]
        found = engines.exact_product(batch["recent"], weight[:, :-1].T)
        known, asked, lag = weight.shape[0], base.shape[1], self.form.bases[0]
        # Beyond the trained horizon: as at the same place of the last season that it has, or at its last step.
        at = np.arange(asked)
        if known >= lag:
            at = np.where(at < known, at, known - lag + (at - known) % lag)
        at = np.minimum(at, known - 1)
        at = engines.array(at, base)
        return base + xp.take(found, at, axis=1) + base * xp.take(weight[:, -1], at, axis=0)
