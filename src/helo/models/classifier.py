"""A classifier: sequence → vectors → recurrent layers, both ways → pooled over time → outputs

Of a series with several views (`inputs/numbers.py`) convolutions go before the recurrence, and beside it: both are pooled
(Karim et al. 2018 have them side by side). Beside the pooled vector stands how often fixed patterns are in the series
(`layers/proportions.py`), from which much can be learned of few examples. A classifier can be several networks, whose outputs
are averaged, each of which does not learn from one part of the examples (cross-validation; Krogh and Vedelsby 1995 average such
networks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo.cells.functions import namespace
from helo.layers import convolution, dropped, part, pooling, proportions, stack, under, variational_dropout
from helo.models.base import InputModel, Parameters, head, scores

CALIBRATED = 30.0  # times faster than other parameters the calibration is learned: others go on changing what it is of


class Classifier(InputModel):
    """Outputs for each sequence. options: cell, layers, hidden, bidirectional, pool, dropout, folds."""

    def __init__(self, options: Any, form: Any, outputs: int, calibrated: bool = False):
        """calibrated: whether the outputs of several networks are calibrated by what each says of the part that it did not learn
        from.
        """
        super().__init__(options, form, outputs)
        self.convolved = getattr(form, "views", None) is not None
        # Whether the proportions of patterns in a series are read, too.
        self.patterned = self.convolved and form.views.proportions
        self.shorter = convolution.SHORTER if self.convolved else 1
        self.folds = getattr(options, "folds", None) or 1
        self.calibrated = calibrated and self.folds > 1

    def init(self, rng):
        if self.folds == 1:
            return self._init(rng)
        parameters = {}
        for k in range(self.folds):
            parameters |= under(f"folds.{k}", self._init(rng))
        if self.calibrated:
            zero = np.zeros(self.outputs, np.float32)
            parameters |= {"calibration.weight": zero, "calibration.bias": zero.copy()}
        return parameters

    def _init(self, rng: Any) -> dict[str, Any]:
        """Of one network."""
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

    def forward(self, parameters: Parameters, batch: Any, noise: Any = None) -> Any:
        """A batch of the form of input to outputs `(batch, outputs)`: of several networks on average, or, of examples of a
        cross-validation, of the one that did not learn from them.
        """
        found = self.each(parameters, batch, noise)
        if len(found) == 1:
            return found[0]
        mean = sum(found[1:], found[0]) / len(found) if "fold" not in batch else held_out(found, batch["fold"])
        return self.calibrate(parameters, mean) if self.calibrated else mean

    def each(self, parameters: Parameters, batch: Any, noise: Any = None) -> list[Any]:
        """The outputs of each network."""
        beside = [batch["proportions"]] if self.patterned else []
        if self.folds == 1:
            return [self._forward(parameters, batch, noise, beside)]
        return [self._forward(part(parameters, f"folds.{k}"), batch, noise, beside) for k in range(self.folds)]

    def calibrate(self, parameters: Parameters, found: Any) -> Any:
        """Outputs with the calibration: each on a line, that of slope 1 through 0 at first."""
        own = part(parameters, "calibration")
        return found * (1 + CALIBRATED * own["weight"]) + CALIBRATED * own["bias"]

    def _forward(self, parameters: Parameters, batch: Any, noise: Any, beside: Sequence[Any]) -> Any:
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
        xs = namespace(xs).concat([xs, *beside], axis=-1) if beside else xs
        return scores(parameters, dropped(xs, o.dropout, noise))


def held_out(found: list[Any], fold: Any) -> Any:
    """Of the outputs `(batch, outputs)` of each network those of the one that did not learn from an example; fold `(batch,)`."""
    xp = namespace(found[0])
    return sum(x * xp.astype(fold == k, x.dtype)[:, None] for k, x in enumerate(found))


def learning(found: list[Any], batch: Any) -> list[tuple[Any, Any]]:
    """The outputs of each network, and what each example counts in its loss, `(batch,)`, 1 on average, or None where all count
    the same: an example of a network's own part counts nothing.
    """
    weights = batch.get("weights")
    if len(found) == 1:
        return [(found[0], weights)]
    xp, out = namespace(found[0]), []
    for k, x in enumerate(found):
        counts = xp.astype(batch["fold"] != k, xp.float32) / (len(found) - 1)
        out.append((x, counts if weights is None else counts * weights))
    return out
