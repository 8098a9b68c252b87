"""A number, or several, for each example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, column_or_1d

from helo.layers.quantiles import LEVELS, at
from helo.sklearn.base import Estimator, InvalidInput, data, fitting, invalid, one_set, weighed


class SequenceRegressor(RegressorMixin, Estimator):
    """A number for each text, series, row, picture: `helo train regress` as an estimator.

    X: as for `SequenceClassifier`. y: a number each, or `(examples, targets)`.
    """

    task = "regress"

    @fitting
    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> Self:
        """Train. sample_weight: of each example in the loss. eval_set: (X, y) to validate on; without it a tenth of the examples
        is held out for that.
        """
        names = self._named(X, y, "target")
        X, y, weights = weighed(sample_weight, self._inputs(X, reset=True), self._targets(y))
        valid = None
        if eval_set is not None:
            there, theirs = one_set(eval_set)
            valid = data(self._inputs(there), self._targets(theirs), names=names)
        return self._train(data(X, y, weights, names), valid, **{"target": names} if names else {})

    def predict(self, X: Any) -> np.ndarray:
        """The mean of what is to be expected `(examples,)`, or `(examples, targets)`."""
        return self._numbers(X, lambda one: one["value"])

    def predict_quantiles(self, X: Any, quantiles: Sequence[float] = LEVELS) -> np.ndarray:
        """Its quantiles at some levels, `(examples, levels)`, or `(examples, targets, levels)`: 0.1 and 0.9 for the bounds between
        which 80 % should lie.
        """
        try:
            levels = np.asarray(quantiles)
        except ValueError:  # lists of several lengths
            levels = np.zeros(0)
        if levels.ndim != 1 or not levels.size or levels.dtype.kind != "f" or not ((levels > 0) & (levels < 1)).all():
            raise InvalidInput(f"{quantiles!r:.80}", expected="a list of numbers between 0 and 1", where="quantiles")
        found = self._numbers(X, lambda one: list(one["quantiles"].values()))
        return np.stack([at(found, LEVELS, level) for level in quantiles], -1)

    @invalid
    def _numbers(self, X: Any, of: Any) -> np.ndarray:
        run = self.run_
        found = run.predict(self._inputs(X))
        return np.array([[of(v) for v in one["targets"].values()] if "targets" in one else of(one) for one in found])

    def _targets(self, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")  # pyright: ignore[reportArgumentType]
        return y if y.ndim == 2 and y.shape[1] > 1 else column_or_1d(y, warn=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
