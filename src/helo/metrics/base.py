"""The contract of a metric, and how a task is scored by some."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Metric(ABC):
    """Compares answers with the truth. `statistics` can be added up over batches and files of any size; `score` computes figures
    from the sum. A metric's fields are its options, except `labels`, the names of the labels in the order of their numbers.

    Kinds of answer, each as a pair of equal length, (answers, references):

    label          the number of a label for each example: `(examples,)` whole numbers, both
    probabilities  of every label, `(examples, labels)`; references as for `label`
    labels         several labels: `(examples, labels)` boolean, both
    steps          one label per step: a list of `(steps,)` whole numbers, one for each sequence, both
    spans          lists of (start, one after the end, type), one for each sequence, both
    text           texts; references: a list of one or more texts for each
    words          texts as lists of words; references: a list of one or more of them for each
    forecast       the mean and the deciles of each step ahead, `(horizon, 10)`, one for each window; references: objects with `values`
                   `(horizon,)`, NaN where there is none, and `error`, of the series from itself one season before
    surprise       nats of each symbol `(symbols,)`; references `(symbols, 2)`: the characters and bytes that each stands for
    number         numbers `(examples,)` or `(examples, targets)`, both
    quantiles      the deciles of each number, `(examples, targets, 9)`; references `(examples, targets)`

    A task from a user's own file may have other kinds.
    """

    #: Of which of these kinds it can be; of the first that a task gives it is.
    kinds: ClassVar[tuple[str, ...]]
    #: Names of the figures that `score` gives, of which the best weights may be known; by the first where none is named.
    figures: ClassVar[tuple[str, ...]]
    higher_is_better: ClassVar[bool] = True

    labels: tuple[str, ...] = ()

    @abstractmethod
    def statistics(self, answers: Any, references: Any) -> np.ndarray:
        """An array that adds up: that of two sets of answers is the sum of theirs."""

    def corpus(self, references: Any) -> Metric:
        """The metric for parts of these references, where it has to know all of them: their statistics add up."""
        return self

    @abstractmethod
    def score(self, sums: np.ndarray) -> dict[str, float]:
        """The figures, by their names, of statistics that were added up."""

    def notes(self, answers: Any, references: Any) -> dict[str, Any]:
        """What is said beside the figures and does not add up, such as how they were taken."""
        return {}


@dataclass(frozen=True)
class Predictions:
    """All answers of an evaluation as metrics take them: (answers, references) by their kind; labels: their names; notes: what
    is said beside the figures, such as how many.
    """

    kinds: Mapping[str, Sequence[Any]]
    labels: Sequence[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
