"""Estimators of scikit-learn: helo's models where pipelines, searches and cross-validation already are.

SequenceClassifier(epochs=50).fit(X, y).predict(X)     a label for each text, series, row or picture
SequenceTagger().fit(words, labels)                    a label for each step
"""

from __future__ import annotations

from helo.errors import wrap

with wrap(ImportError, "helo.sklearn needs scikit-learn", mend="pip install 'helo[sklearn]'"):
    import sklearn  # noqa: F401  # pyright: ignore[reportUnusedImport]

from helo.sklearn.classifier import SequenceClassifier

__all__ = ["SequenceClassifier"]
