"""A forecaster: what came before → recurrent layers → their state → recurrent layers over the steps ahead → quantiles"""

from __future__ import annotations

from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.layers import part, stack, under, variational_dropout
from helo.layers.quantiles import LEVELS, increasing, start, widened
from helo.models.base import InputModel, Parameters
from helo.models.folded import held_out

CALIBRATED = 10.0  # times faster than other parameters the calibration is learned: others go on changing what it is of
MIDDLE = len(LEVELS) // 2
# How far each distance on one side is from the middle: what counts of its innermost factor and of its outermost.
OUTWARDS = np.stack([np.linspace(1, 0, MIDDLE), np.linspace(0, 1, MIDDLE)], 1).astype(np.float32)


class Forecaster(InputModel):
    """Quantiles of each step ahead. options: cell, layers, hidden, dropout, members: networks of different beginnings, each learned
    on its own, whose quantiles are averaged: one alone is off by chance more than it could be. calibrate: whether each network
    leaves a part of the time out, and the quantiles are calibrated by what it says of that part.
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
            none = np.zeros((*[form.parts] * bool(form.parts), form.horizon, form.recent + 1), np.float32)
            parameters["autoregression.weight"] = none if form.coefficients is None else form.coefficients.copy()
        if self.calibrated and form.parts:
            parameters["calibration.spread"] = np.zeros((2, 2), np.float32)
            if form.recent:
                parameters["calibration.slope"] = np.zeros(1, np.float32)
        elif self.calibrated:  # a run of before
            parameters["calibration.weight"] = np.zeros(len(LEVELS) - 1, np.float32)
        return parameters

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of windows to quantiles `(batch, horizon, levels)`, as the windows are scaled: of all networks on average, or, where
        each step has a `part` of the time, of the one that did not learn from it.
        """
        every = zip(*self.each(parameters, batch, noise), strict=True)
        if "part" in batch:
            found, base = (held_out(list(x), batch["part"]) for x in every)
        else:
            found, base = (sum(x[1:], x[0]) / len(x) for x in every)
        return self.calibrate(parameters, found, base) if self.calibrated else found

    def calibrate(self, parameters: Parameters, found: Any, base: Any) -> Any:
        """Quantiles with the calibration: the distances between two neighbours times a factor, and of an autoregression, the base
        `(batch, horizon)`, their distance from it times a slope; 1 at first. The factors' logarithms lie on a line from the middle
        down, and on one from the middle up.
        """
        own, xp = part(parameters, "calibration"), namespace(found)
        if "weight" in own:
            return widened(found, xp.exp(CALIBRATED * own["weight"]))
        if "slope" in own:
            found = found + (CALIBRATED * own["slope"] * (found[..., MIDDLE] - base))[..., None]
        lines = engines.array(OUTWARDS, own["spread"]) @ (CALIBRATED * own["spread"])
        factors = xp.exp(xp.concat([xp.flip(lines[:, 0], axis=0), lines[:, 1]]))
        return widened(found, factors)

    def each(self, parameters: Parameters, batch: Any, noise: Any = None) -> list[tuple[Any, Any]]:
        """Of each member its quantiles, not calibrated, and the base from which they are counted."""
        o, found, bases = self.options, [], self.bases(parameters, batch)
        for k in range(o.members):
            own, head, base = part(parameters, f"recurrent.{k}"), part(parameters, f"head.{k}"), bases[k % len(bases)]
            past, ahead = part(own, "past"), part(own, "ahead")
            _, state = stack.run(self.cell, o.layers, past, batch["xs"], None, noise, o.dropout)
            ys, _ = stack.run(self.cell, o.layers, ahead, batch["ahead"], state, noise, o.dropout)
            ys = variational_dropout(ys, o.dropout, noise)
            found.append((increasing(ys @ head["weight"].T + head["bias"]) + base[..., None], base))
        return found

    def bases(self, parameters: Parameters, batch: Any) -> list[Any]:
        """From what quantiles are counted, `(batch, horizon)`, one for all members or one each: the last seasons, corrected by an
        autoregression.
        """
        base = batch["base"]
        if not self.form.recent:
            return [base]
        weight = parameters["autoregression.weight"]
        each = [weight[k] for k in range(self.form.parts)] if self.form.parts else [weight]
        return [self._corrected(base, batch["recent"], own) for own in each]

    def _corrected(self, base: Any, recent: Any, weight: Any) -> Any:
        xp, found = namespace(base), engines.exact_product(recent, weight[:, :-1].T)
        known, asked, lag = weight.shape[0], base.shape[1], self.form.bases[0]
        # Beyond the trained horizon: as at the same place of the last season that it has, or at its last step.
        at = np.arange(asked)
        if known >= lag:
            at = np.where(at < known, at, known - lag + (at - known) % lag)
        at = np.minimum(at, known - 1)
        at = engines.array(at, base)
        return base + xp.take(found, at, axis=1) + base * xp.take(weight[:, -1], at, axis=0)
