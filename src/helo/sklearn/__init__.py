"""Estimators of scikit-learn: helo's models where pipelines, searches and cross-validation already are.

    SequenceClassifier(epochs=50).fit(X, y).predict(X)     a label for each text, series, row or picture
    SequenceRegressor().fit(X, y).predict_quantiles(X)     a number for each
    SequenceTagger().fit(words, labels).predict(words)     a label for each step
    Forecaster().fit(y, fh=range(1, 13)).predict()         what comes next, a forecaster of sktime

They are trained with torch and answer with NumPy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helo.errors import wrap

with wrap(ImportError, "helo.sklearn needs scikit-learn", mend="pip install 'helo[sklearn]'"):
    import sklearn  # noqa: F401  # pyright: ignore[reportUnusedImport]

from helo.sklearn.classifier import SequenceClassifier
from helo.sklearn.regressor import SequenceRegressor
from helo.sklearn.tagger import SequenceTagger

if TYPE_CHECKING:
    from helo.sklearn.forecaster import Forecaster as Forecaster

__all__ = ["SequenceClassifier", "SequenceRegressor", "SequenceTagger"]


def __getattr__(name: str) -> Any:
    if name == "Forecaster":  # needs a package more
        from helo.sklearn.forecaster import Forecaster

        return Forecaster
    raise AttributeError(f"module 'helo.sklearn' has no attribute {name!r}")
