"""Estimators of scikit-learn: helo's models where pipelines, searches and cross-validation already are.

    SequenceClassifier(epochs=50).fit(X, y).predict(X)     a label for each text, series, row or picture
    SequenceRegressor().fit(X, y).predict_quantiles(X)     a number for each
    SequenceTagger().fit(words, labels).predict(words)     a label for each step

They are trained with torch and answer with NumPy alone.
"""

from __future__ import annotations

from helo.errors import wrap

with wrap(ImportError, "helo.sklearn needs scikit-learn", mend="pip install 'helo[sklearn]'"):
    import sklearn  # noqa: F401  # pyright: ignore[reportUnusedImport]

from helo.sklearn.classifier import SequenceClassifier
from helo.sklearn.regressor import SequenceRegressor
from helo.sklearn.tagger import SequenceTagger

__all__ = ["SequenceClassifier", "SequenceRegressor", "SequenceTagger"]
