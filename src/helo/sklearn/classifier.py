"""A label, or several, for each example."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from helo.data.readers import arrays
from helo.sklearn.base import Estimator, InvalidInput, chosen, data, fitting, invalid, one_set, weighed
from helo.tasks.labels import LEAST


class SequenceClassifier(ClassifierMixin, Estimator):
    """A label for each text, series, row, picture: `helo train classify` as an estimator.

    X: texts; arrays `(examples, time, channels)`, or a list of arrays `(time, channels)`, are series; an array `(examples,
    features)` or a DataFrame has a row an example; `(examples, height, width, colours)` are pictures. y: a label each, or, where
    one example has several, `(examples, labels)` of zeros and ones.
    """

    task = "classify"
    classes_: np.ndarray

    @fitting
    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> Self:
        """Train. sample_weight: of each example in the loss. eval_set: (X, y) to validate on; without it a tenth of the examples
        is held out for that.
        """
        names = self._named(X, y, "label")
        names = names if len(names) == 1 else []
        X, y, weights = weighed(sample_weight, self._inputs(X, reset=True), self._targets(y))
        self.classes_ = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
        self._several = y.ndim == 2
        if len(self.classes_) < 2:
            raise InvalidInput(f"only one class, {self.classes_[0]!r}", expected="two or more", where="y")
        valid = None
        if eval_set is not None:
            there, theirs = one_set(eval_set)
            valid = data(self._inputs(there), self._called(self._targets(theirs)), names=names)
        elif not self._several:
            counts = np.unique(y, return_counts=True)[1]
            if counts.min() < LEAST:  # seen twice, as helo learns no label from one example
                rows = np.concatenate([np.arange(len(y)), np.flatnonzero(np.isin(y, self.classes_[counts < LEAST]))])
                X, y, weights = chosen(rows, X, y, weights)
            if counts.max() <= LEAST:  # so few that none can be spared
                valid = data(X, self._called(y), names=names)
        return self._train(data(X, self._called(y), weights, names), valid, **{"label": names[0]} if names else {})

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class `(examples, classes)`, in the order of `classes_`."""
        found = self._answers(self.run_, X)
        p = np.array([[one["probabilities"].get(name, 0.0) for name in self._names()] for one in found])
        return p if self._several else p / p.sum(1, keepdims=True)  # to the last digit of float64, as log_loss wants it

    def predict(self, X: Any) -> np.ndarray:
        """The class of each example; where one may have several, `(examples, classes)` of zeros and ones."""
        p = self.predict_proba(X)
        return (p >= 0.5).astype(int) if self._several else self.classes_[p.argmax(1)]

    @invalid
    def _answers(self, run: Any, X: Any) -> Any:
        return run.predict(self._inputs(X))

    def _targets(self, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")  # pyright: ignore[reportArgumentType]
        check_classification_targets(y)
        return y if type_of_target(y) == "multilabel-indicator" else column_or_1d(y, warn=True)

    def _called(self, y: np.ndarray) -> list[Any]:
        """The names of labels in the run."""
        names = self._names()
        if self._several:
            return [[n for n, marked in zip(names, row, strict=True) if marked] for row in y]
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise InvalidInput(f"the class {unknown[0]!r}", expected="one of those of y", where="eval_set")
        return [names[i] for i in np.searchsorted(self.classes_, y)]

    def _names(self) -> list[str]:
        """What the classes are called in the run: as in a file; where two would be called alike, by their number."""
        names = arrays.words(self.classes_)
        return names if len({*names, ""}) > len(names) else list(map(str, range(len(names))))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = tags.input_tags.string = True
        return tags
