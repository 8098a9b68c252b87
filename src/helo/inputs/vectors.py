"""One vector of numbers an example, and no sequence: for a feed-forward network."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from helo.errors import HeloError
from helo.inputs.base import EVERY, Input
from helo.inputs.numbers import Numbers
from helo.saved import fields


class Vectors(Input):
    """Numbers scaled as those of a step are."""

    reads = ("vector", "frames", "picture")
    sequence = False

    def __init__(self, numbers: Numbers):
        self.numbers, self.width = numbers, numbers.width

    @classmethod
    def learn(cls, examples):
        """Means and standard deviations of these vectors, by which all are scaled."""
        return cls(Numbers.learn(_stepped(examples)))

    def _encode(self, examples):
        return _Encoded(self.numbers.encode(_stepped(examples)).xs.values)

    def to_json(self):
        return {"form": "vectors", "numbers": self.numbers.to_json()}

    @classmethod
    def from_json(cls, saved):
        return cls(Numbers.from_json(fields(saved, form=Literal["vectors"], numbers=dict)[1]))


class _Encoded:
    def __init__(self, xs: np.ndarray):
        self.xs, self.lengths = xs, np.ones(len(xs), np.int64)

    def batch(self, rows, rng=None, mine=EVERY):
        rows = rows[mine]
        return {"xs": self.xs[rows], "lengths": self.lengths[rows]}


def _stepped(examples):
    """Each vector as a sequence of one step."""
    x = np.asarray(examples.inputs)
    if x.ndim != 2:
        raise HeloError(f"numbers of shape {x.shape}", expected="(examples, features)", where=examples.place(0))
    return replace(examples, inputs=x[:, None, :])
