"""Give each example a label. An example is a text, series, picture, conversation or row. (Many to one, one to one.)

sequence → vectors → recurrent layers, both ways → pooled over time → scores of the labels
vector → feed-forward layers → scores of the labels
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np

from helo import engines, inputs
from helo.cells.functions import log_softmax, namespace, sigmoid, softplus
from helo.data import dataset
from helo.data.readers import numbers
from helo.errors import HeloError
from helo.metrics import Predictions, Scoring
from helo.models.base import exact
from helo.models.classifier import Classifier
from helo.models.feed_forward import FeedForward
from helo.models.folded import learning
from helo.options import Formerly
from helo.saved import distinct, fields, settled
from helo.tasks import forms
from helo.tasks.base import Recipe
from helo.tasks.examples import ExampleTask
from helo.tasks.labels import LEAST, there

# Series are mostly few, and soon all known: a share of each target is dealt out evenly to all labels (Szegedy et al. 2016).
SMOOTHED = 0.1


@dataclass(frozen=True)
class Options(forms.Options):
    """Of a classifier. Sizes that are not given are settled from the examples (`Classify.from_dataset`)."""

    reading = MappingProxyType(
        dict.fromkeys(("reader", "text", "label", "multilabel", "ignore", "group", "order", "speaker"))
    )

    label: Annotated[str | None, "column of the label (the first of label, emotion, class)"] = None
    multilabel: Annotated[str | None, "an example has several labels, separated by this", Formerly("several")] = None
    balance: Annotated[
        bool,
        "weight the loss so that rare labels count as much as frequent ones, and select the best weights by macro F1",
    ] = False


class Classify(ExampleTask):
    """A label, or several, for each example."""

    Options = Options
    source = forms.WholeSource()
    recipe = Recipe({"adam_rate": 3e-3, "rate": 0.02}, max_epochs=300)

    def __init__(
        self,
        options: Options,
        form: inputs.Input,
        labels: Sequence[str],
        weights: Sequence[float] | None = None,
        selects: str = "accuracy",
    ):
        """weights: of the labels in the loss. selects: the figure by which the best weights are known."""
        self.options, self.form, self.labels, self.weights = options, form, list(labels), weights
        self.model = (Classifier if form.sequence else FeedForward)(options, form, len(labels))
        self.many, self.recipe = options.multilabel is not None, forms.recipe(self.recipe, form)
        self.smoothed = SMOOTHED if getattr(form, "views", None) is not None and not self.many else 0.0
        if self.many:
            self.scoring = Scoring(("multilabel",), ("labels",), selects)
        else:
            self.scoring = Scoring(("classification", "calibration"), ("label", "probabilities"), selects)

    @classmethod
    def load(cls, options, saved, data):
        selects = Literal["accuracy", "macro_f1"]
        form, labels, weights, selects = fields({"weights": None, "selects": "accuracy", **saved},
                                                input=dict, labels=list[str], weights=list[float] | None, selects=selects)  # fmt: skip
        if len(distinct(labels, "labels")) < 2:
            raise ValueError(f"{len(labels)} labels, not two or more")
        if weights is not None and (len(weights) != len(labels) or not all(0 < w < 1e30 for w in weights)):
            raise ValueError(f"{len(weights)} weights of {len(labels)} labels, or one that is none")
        settled(options, "layers", "hidden", "dropout")
        self = cls(replace(options, folds=options.folds or 1), inputs.from_json(form), labels, weights, selects)
        if self.form.sequence:
            settled(options, "pool")
        return self

    @classmethod
    def from_dataset(cls, options, examples):
        if options.multilabel is None and any(isinstance(y, list) for y in examples.labels):
            options = replace(options, multilabel=",")
        there(options.ignore, examples)
        flat = [y for label in examples.labels for y in (label if options.multilabel is not None else [label])]
        counts = Counter(flat)
        known = dataset.counted(flat)
        if len(known) < 2:
            raise HeloError(f"only one label, {known[0]!r}, in all examples" if known else "no label in any example",
                            expected="two or more", where=examples.place(0))  # fmt: skip
        if options.multilabel is None and (single := [y for y in known if counts[y] < LEAST]):
            at = next(i for i, y in enumerate(examples.labels) if y == single[0])
            if len(single) > len(flat) / 2 and all(map(numbers.is_number, known)):
                raise HeloError(f"the labels are numbers, {len(known):,} different ones in {len(flat):,} examples",
                                expected="a few labels, each of several examples",
                                mend="numbers as answers are what helo train regress learns", where=examples.place(at))  # fmt: skip
            raise HeloError(f"only one example of the label {single[0]!r}", expected="two or more of every label",
                            mend="add examples, or remove it", where=examples.place(at))  # fmt: skip
        options, form = forms.sized(options, examples)
        weights = [len(flat) / len(known) / counts[y] for y in known] if options.balance else None
        return cls(options, form, known, weights, "macro_f1" if options.balance else "accuracy")

    def targets(self, examples):
        if not self.many:
            for i, label in enumerate(examples.labels):
                if isinstance(label, list):
                    several = f"labels {', '.join(label)}"
                    raise HeloError(several, expected="one label, as in training", where=examples.place(i))
            return dataset.numbering(examples.labels, self.labels, examples.place)
        out = np.zeros((len(examples), len(self.labels)), bool)
        for i, label in enumerate(examples.labels):
            marks = label if isinstance(label, list) else [label]
            out[i, dataset.numbering(marks, self.labels, lambda _, i=i: examples.place(i))] = True
        return out

    def target_batch(self, targets, rows):
        return {"targets": targets[rows].astype(np.float32) if self.many else targets[rows]}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        found = learning(self.model.each(parameters, batch, noise), batch)
        loss = sum(self._minimised(exact(parameters, scores), batch["targets"], each) for scores, each in found)
        return loss, len(batch["targets"]), None

    def _minimised(self, scores: Any, targets: Any, each: Any) -> Any:
        """The loss of one network."""
        loss = self._loss(scores, targets, each)
        if self.smoothed:  # its gradient alone counts
            xp = namespace(scores)
            even = -xp.mean(log_softmax(scores), axis=-1)
            even = self.smoothed * (xp.sum(even if each is None else even * each) - loss)
            loss = loss + even - engines.constant(even)
        return loss

    def _loss(self, scores: Any, targets: Any, each: Any = None) -> Any:
        """each: the weight of each example, 1 on average."""
        xp = namespace(scores)
        weights = None if self.weights is None else engines.array(np.array(self.weights, np.float32), scores)
        if self.many:
            losses = softplus(scores) - scores * targets
            # A label's presence weighs, its absence does not: what is rare is seldom there.
            losses = losses if weights is None else losses * (1 + targets * (weights - 1))
            return xp.sum(losses if each is None else losses * each[:, None])
        if weights is None and each is None:
            return engines.cross_entropy(scores, targets)
        picked = xp.take_along_axis(log_softmax(scores), targets[:, None], axis=1)[:, 0]
        picked = picked if weights is None else picked * weights[targets]
        return -xp.sum(picked if each is None else picked * each)

    # What it answers.

    def evaluate_batch(self, parameters, batch, loss_only=False):
        scores = exact(parameters, self.model.forward(parameters, batch))
        loss = self._loss(scores, batch["targets"], batch.get("weights")) if "targets" in batch else 0.0
        return loss, len(scores), sigmoid(scores) if self.many else namespace(scores).exp(log_softmax(scores))

    def answers(self, parameters, found, lengths):
        return list(found.astype(np.float64))

    def predictions(self, answers, targets):
        p = np.stack(answers)
        if np.isnan(p).any():
            at = int(np.isnan(p).any(1).argmax()) + 1
            raise HeloError(
                f"the answer to example {at} is not a number", mend="look for values far from all others in the data"
            )
        one = {"label": (p.argmax(1), targets), "probabilities": (p, targets)}
        return Predictions({"labels": (p >= 0.5, targets)} if self.many else one, self.labels, {"examples": len(p)})

    def answer(self, source, found):
        """The label and its probability, and the probability of every label; or, where an example has several, those
        above a half.
        """
        probabilities = {label: float(v) for label, v in zip(self.labels, found, strict=True)}
        if self.many:
            return {"labels": [y for y, v in probabilities.items() if v >= 0.5], "probabilities": probabilities}
        best = int(found.argmax())
        return {"label": self.labels[best], "probability": float(found[best]), "probabilities": probabilities}

    def to_json(self):
        saved = {"input": self.form.to_json(), "labels": self.labels}
        saved |= {"weights": list(self.weights)} if self.weights else {}
        return self.data, saved | ({"selects": s} if (s := self.scoring.default) != "accuracy" else {})
