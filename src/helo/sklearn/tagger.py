"""A label for each step of each sequence."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils import check_consistent_length

from helo.sklearn.base import Estimator, InvalidInput, data, fitting, invalid, one_set, some
from helo.tasks.tagging import marginals


class SequenceTagger(Estimator):
    """A label for each step of each sequence, a word or a frame: `helo train tag` as an estimator.

    X: lists of words, or texts, which blanks part; or arrays `(time, features)`, a list or one array of them. y: a list of labels
    each. Labels that mark spans (B-PER, I-PER, O) are known as such.
    """

    task = "tag"
    classes_: np.ndarray

    @fitting
    def fit(self, X: Any, y: Any, eval_set: Any = None) -> Self:
        """Train. eval_set: (X, y) to validate on; without it a tenth of the sequences is held out for that."""
        X, y = _sequences(X), self._targets(y)
        check_consistent_length(X, y)
        self._own = {}
        for label in (label for row in y for label in row):
            if (other := self._own.setdefault(str(label), label)) != label:
                raise InvalidInput(f"{other!r} and {label!r}", expected="labels that are not written alike", where="y")
        valid = None
        if eval_set is not None:
            there, theirs = one_set(eval_set)
            valid = _sequences(there), _texts(self._targets(theirs))
        self._train(data(X, _texts(y)), valid)
        self.classes_ = np.array([self._own.get(label, label) for label in self.run_.task.labels])
        return self

    @invalid
    def predict(self, X: Any) -> list[list[Any]]:
        """The labels of each sequence, one a step."""
        found = self.run_.predict(_sequences(X))
        return [[self._own.get(label, label) for label in one["labels"]] for one in found]

    @invalid
    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Of each sequence, how probable each label is, `(time, labels)`, in the order of `classes_`; spans in IOB2."""
        run = self.run_
        examples = run.task.source.given(run.task, _sequences(X))
        found: list[Any] = [None] * len(examples)
        with run.computing():
            for row, _, p in marginals(run.task, run.parameters, examples):
                found[row] = p
        return found

    def score(self, X: Any, y: Any) -> float:
        """The share of steps with the right label."""
        found, y = self.predict(X), self._targets(y)
        check_consistent_length(found, y)
        for i, (one, other) in enumerate(zip(found, y, strict=True)):
            if len(one) != len(other):
                raise InvalidInput(f"{len(other)} labels", expected=f"{len(one)}, one a step", where=f"y[{i}]")
        pairs = [(a, b) for one, other in zip(found, y, strict=True) for a, b in zip(one, other, strict=True)]
        return float(np.mean([a == b for a, b in pairs]))

    def _targets(self, y: Any) -> list[list[Any]]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        found = []
        for i, row in enumerate(y):
            if isinstance(row, str) or not hasattr(row, "__iter__"):
                raise InvalidInput(f"{row!r:.40}", expected="a list of labels, one a step", where=f"y[{i}]")
            found.append(np.asarray(row).tolist() if hasattr(row, "__array__") else list(row))
        return found

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string, tags.target_tags.two_d_labels = False, True, True
        return tags


def _texts(y: list[list[Any]]) -> list[list[str]]:
    return [[str(label) for label in row] for row in y]


def _sequences(X: Any) -> Any:
    """Sequences as helo takes them."""
    if isinstance(X, str):
        raise InvalidInput("a text", expected="a list of texts, or of lists of words", where="X")
    some(X)
    if hasattr(X, "__array__") and np.asarray(X).dtype.kind not in "fiub":
        return np.asarray(X).tolist()
    return X if isinstance(X, np.ndarray) else list(X)
