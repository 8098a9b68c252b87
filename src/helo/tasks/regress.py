"""Predict a number, or several, of each example, with how sure. An example is a text, series, picture, conversation or row.

sequence → vectors → recurrent layers, both ways → pooled over time → a distribution of each number
vector → feed-forward layers → a distribution of each number
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import engines, inputs
from helo.cells.functions import namespace
from helo.data.dataset import Dataset
from helo.data.splits import Split
from helo.errors import HeloError
from helo.inputs.numbers import varied
from helo.layers.distributions import DISTRIBUTIONS
from helo.layers.quantiles import LEVELS
from helo.metrics import Predictions, Scoring
from helo.models.base import exact
from helo.models.classifier import Classifier
from helo.models.feed_forward import FeedForward
from helo.models.folded import held_out, learning
from helo.saved import distinct, fields, settled
from helo.tasks import forms
from helo.tasks.base import Recipe
from helo.tasks.examples import ExampleTask
from helo.tasks.labels import there

KEYS = tuple(f"{level:g}" for level in LEVELS)  # of the quantiles of an answer


@dataclass(frozen=True)
class Options(forms.Options):
    """Of a regression. Sizes that are not given are settled as those of a classifier."""

    reading = MappingProxyType(dict.fromkeys(("reader", "text", "ignore", "group", "order", "speaker")))

    target: Annotated[
        tuple[str, ...], "column of a number to predict; may be given several times (the first of label, target, y)"
    ] = ()
    distribution: Annotated[
        Literal["quantiles", "normal", "student-t"], "what an answer says of a number: its quantiles, or a distribution"
    ] = "quantiles"


@dataclass(frozen=True)
class NumberSource(forms.WholeSource):
    """Examples with numbers."""

    default_split: Split | None = "random"
    numeric: bool = True
    tiny: int = 200  # cross-validation calibrates the intervals, too,
    table: int = 1_000  # and of a table it costs little

    def stratify_by(self, examples):
        return (), 0


class Regress(ExampleTask):
    """A number, or several, for each example. names: what the targets are called. mean, std: of each, by which it is scaled inside."""

    Options = Options
    source = NumberSource()
    recipe = Recipe({"adam_rate": 3e-3, "rate": 0.02, "weight_decay": 0.3}, max_epochs=100)
    scoring = Scoring(("regression", "determination", "quantiles"), ("number", "quantiles"))

    def __init__(
        self, options: Options, form: inputs.Input, names: Sequence[str], mean: Sequence[float], std: Sequence[float]
    ):
        self.options, self.form, self.names = options, form, list(names)
        self.mean, self.std = np.array(mean, np.float64), np.array(std, np.float64)
        self.distribution, self.recipe = DISTRIBUTIONS[options.distribution], forms.recipe(self.recipe, form)
        outputs = len(self.names) * self.distribution.size
        self.model = (Classifier if form.sequence else FeedForward)(options, form, outputs, calibrated=True)

    @classmethod
    def load(cls, options, saved, data):
        form, names, mean, std = fields(saved, input=dict, targets=list[str], mean=list[float], std=list[float])
        if not distinct(names, "targets") or not len(names) == len(mean) == len(std):
            raise ValueError(f"{len(names)} targets, {len(mean)} means, {len(std)} deviations")
        if not all(abs(m) < 1e39 for m in mean) or not all(0 < s < 1e39 for s in std):
            raise ValueError("a mean or a deviation beyond what it may be")
        settled(options, "layers", "hidden", "dropout")
        self = cls(replace(options, folds=options.folds or 1), inputs.from_json(form), names, mean, std)
        if self.form.sequence:
            settled(options, "pool")
        return self

    @classmethod
    def from_dataset(cls, options, examples):
        there(options.ignore, examples)
        columns = examples.notes.get("targets", [])
        if options.target and not columns:
            mend = "leave out --target, the files have no named columns"
            raise HeloError(f"no column {options.target[0]!r}", mend=mend, where="--target")
        y = _numbers(examples)
        some = [f"target {i + 1}" for i in range(y.shape[1])] if y.shape[1] > 1 else ["target"]
        names = list(columns) if len(columns) == y.shape[1] else some
        mean, std = y.mean(0), y.std(0)
        for name, m, s in zip(names, mean, std, strict=True):
            if varied(s, m) != s:
                found = f"{name!r} is {y[0, names.index(name)]:g} in all training examples"
                raise HeloError(found, expected="numbers that differ", where=examples.place(0))
        options, form = forms.sized(replace(options, target=options.target or tuple(columns)), examples)
        return cls(options, form, names, mean.tolist(), std.tolist())

    def targets(self, examples):
        columns, own = examples.notes.get("targets", []), self.names
        other = [c.lower() for c in columns] != [name.lower() for name in own]
        if self.options.target and len(columns) == len(own) and other:
            found, expected = ", ".join(map(repr, columns)), " ".join(f"--target {name}" for name in own)
            mend = "a run that is begun from another one predicts what that one does"
            raise HeloError(found, expected=expected, mend=mend, where="--target")
        return _numbers(examples, len(self.names))

    def target_batch(self, targets, rows):
        return {"targets": ((targets[rows] - self.mean) / self.std).astype(np.float32)}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        found, targets = self.model.each(parameters, batch, noise), batch["targets"]
        loss = sum(self._loss(self._parted(exact(parameters, x)), targets, each) for x, each in learning(found, batch))
        if self.model.calibrated:  # its gradient alone counts, and only for the calibration
            apart = self.model.calibrate(parameters, engines.constant(held_out(found, batch["fold"])))
            apart = self._loss(self._parted(exact(parameters, apart)), targets, batch.get("weights"))
            loss = loss + apart - engines.constant(apart)
        return loss, len(targets), None

    def _parted(self, found: Any) -> Any:
        """Outputs of the model as `(examples, targets, numbers that the distribution has)`."""
        return found.reshape(len(found), len(self.names), self.distribution.size)

    def _loss(self, outputs: Any, targets: Any, each: Any = None) -> Any:
        """each: the weight of each example, 1 on average."""
        losses = self.distribution.loss(outputs, targets)
        return namespace(outputs).sum(losses if each is None else losses * each[:, None]) / len(self.names)

    # What it answers.

    def evaluate_batch(self, parameters, batch, loss_only=False):
        outputs = self._parted(exact(parameters, self.model.forward(parameters, batch)))
        loss = self._loss(outputs, batch["targets"], batch.get("weights")) if "targets" in batch else 0.0
        return loss, len(outputs), outputs

    def answers(self, parameters, found, lengths):
        """The mean, and then the quantiles, `(targets, 1 + levels)`, in the unit of the targets."""
        d = self.distribution
        scaled = np.concatenate([d.mean(found)[..., None], d.quantiles(found)], -1)
        return list(scaled * self.std[:, None] + self.mean[:, None])

    def predictions(self, answers, targets):
        found = np.stack(answers)
        kinds = {"number": (found[..., 0], targets), "quantiles": (found[..., 1:], targets)}
        return Predictions(kinds, notes={"examples": len(found)})

    def answer(self, source, found):
        """The mean, the quantiles, and the outermost of them: 80 % of all numbers should lie between. Of several targets each its
        own.
        """
        every = {name: _answer(row) for name, row in zip(self.names, found, strict=True)}
        return {"targets": every} if len(every) > 1 else every[self.names[0]]

    def to_json(self):
        scales = {"mean": self.mean.tolist(), "std": self.std.tolist()}
        return self.data, {"input": self.form.to_json(), "targets": self.names} | scales


def _answer(row: np.ndarray) -> dict[str, Any]:
    quantiles = dict(zip(KEYS, row[1:].tolist(), strict=True))
    return {"value": float(row[0]), "low": quantiles[KEYS[0]], "high": quantiles[KEYS[-1]], "quantiles": quantiles}


def _numbers(examples: Dataset, count: int | None = None) -> np.ndarray:
    """The targets, `(examples, targets)`. Raises HeloError for an example with another number of them."""
    rows = [y if isinstance(y, list) else [y] for y in examples.labels]
    count = len(rows[0]) if count is None else count
    for i, row in enumerate(rows):
        if len(row) != count or not count:
            found = f"{len(row)} number{'s' * (len(row) != 1)} to predict"
            raise HeloError(found, expected=f"{count or 'one or more'}, as in the others", where=examples.place(i))
    return np.array(rows, np.float64)
