"""Runs of a classifier of two labels, each broken on purpose."""

from __future__ import annotations

import json

import numpy as np

from helo.models.classifier import Classifier
from helo.runs import load


class OnNumPyAlone(Classifier):
    """Its scores are others where torch is not."""

    def forward(self, parameters, batch, noise=None):
        scores = super().forward(parameters, batch, noise)
        return scores if hasattr(scores, "requires_grad") else scores + np.array([0.1, 0], np.float32)


class CountsItsCompany(Classifier):
    """An example's scores depend on how many are asked about beside it."""

    def forward(self, parameters, batch, noise=None):
        scores = super().forward(parameters, batch, noise)
        scores[:, 0] += 0.1 * len(scores)
        return scores


def _of(kind, path):
    run = load(path)
    run.task.model.__class__ = kind
    return run


def _saves_its_labels_in_another_order(path):
    """What was learned as the first label is called by the name of the second."""
    file = path / "vocab.json"
    vocab = json.loads(file.read_text())
    vocab["labels"].reverse()
    file.write_text(json.dumps(vocab))
    return load(path)


def _answers_with_labels_in_another_order(path):
    """As if a training named the labels in another order than it saves."""
    run = load(path)
    run.task.labels = run.task.labels[::-1]
    return run


def _tells_other_figures(path):
    file = path / "run.json"
    about = json.loads(file.read_text())
    about["figures"]["accuracy"] /= 2
    file.write_text(json.dumps(about))
    return load(path)


def _differs_from_its_folder(path):
    run = load(path)
    run.parameters["head.bias"][:] += [0.01, 0]
    return run


#: The law that a fault is planted for, what makes the run, and the laws that cannot hold either.
MUTANTS = (
    ("numpy_is_torch", lambda path: _of(OnNumPyAlone, path), {"leaves_home"}),
    ("one_is_many", lambda path: _of(CountsItsCompany, path), {"leaves_home"}),
    ("evaluates_again", _tells_other_figures, set()),
    ("evaluates_again", _saves_its_labels_in_another_order, set()),
    ("leaves_home", _differs_from_its_folder, set()),
    ("leaves_home", _answers_with_labels_in_another_order, set()),
)
