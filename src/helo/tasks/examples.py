"""The contract of a task over separate examples, written once: what is common to them all is final here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self, final

import numpy as np

from helo import engines
from helo.cells.functions import Array
from helo.data import splits
from helo.data.buckets import Buckets, in_order
from helo.data.dataset import Dataset
from helo.encoders.store import clock
from helo.errors import HeloError, fault, sound
from helo.inputs.base import EVERY, Encoded
from helo.metrics import Predictions
from helo.models.base import Parameters
from helo.tasks.base import Task, TaskOptions, on
from helo.tasks.reading import Source

BATCH_STEPS = 1 << 18  # of all sequences of a batch together, padding too: 32 of 8,192 steps
# What a run that was begun before there were these options does: they are None in its run.json.
BEFORE = {"folds": 1, "calibrate": False, "cross_validate": False}


@dataclass(frozen=True)
class ExampleOptions(TaskOptions):
    """Of every task over separate examples."""

    reading = MappingProxyType({"reader": None})

    reader: Annotated[str | None, "reader of the files, a name or FILE.py:NAME  [chosen by the files]"] = None
    split: Annotated[
        splits.Split | None,
        "which 10 % is held out without --valid: at random, whole groups, or the last in time",
    ] = None
    split_by: Annotated[str | None, "column with the groups or the times for --split"] = None


class Splits:
    """The data of a task that is trained: examples as numbers with their targets, as `targets` made them."""

    def __init__(self, task: ExampleTask, learn: Dataset, check: Dataset):
        self._encoded = lambda examples: _weighed((task.encode(examples), task.targets(examples)), examples)
        self.train = _weighed(task.training_examples(learn), learn)
        self.valid, self.examples = self._encoded(check), check  # to validate on, and as they were read
        self._some: tuple[int, tuple[Encoded, Any]] = (-1, self.valid)

    def evenly(self, most: int) -> tuple[Encoded, Any]:
        """The validation examples, or so many of them, evenly spaced."""
        if most >= len(self.examples):
            return self.valid
        if self._some[0] != most:
            self._some = most, self._encoded(self.examples.evenly(most))
        return self._some[1]


class _Beside:
    """Examples as numbers, and what each has beside its input, `(examples,)` by its name."""

    def __init__(self, encoded: Encoded, **beside: np.ndarray):
        self.encoded, self.lengths, self.beside = encoded, encoded.lengths, beside

    def batch(self, rows: np.ndarray, rng: np.random.Generator | None = None, mine: slice = EVERY) -> dict[str, Any]:
        return self.encoded.batch(rows, rng, mine) | {name: x[rows[mine]] for name, x in self.beside.items()}


def _weighed(found: tuple[Encoded, Any], examples: Dataset) -> tuple[Encoded, Any]:
    """With the weight of each example in the loss, 1 on average."""
    if examples.weights is None:
        return found
    weights = np.array(examples.weights, np.float32)
    return _Beside(found[0], weights=weights / np.float32(np.mean(weights))), found[1]


class ExampleTask(Task):
    """A task over separate examples, each with its answer. What is common to them is final here: reading, holding out,
    batches of like length, answering many at once.
    """

    #: Where examples come from.
    source: ClassVar[Source] = Source()
    form: Any  # how an example becomes numbers: an Input, where `encode` does nothing else
    splits: Any = None  # Splits, while it trains
    data: dict[str, Any]  # what run.json records of the files

    @classmethod
    @abstractmethod
    def from_dataset(cls, options: Any, examples: Dataset) -> Self:
        """The task with what the training examples say: vocabulary, scales, labels, and the sizes that follow."""

    def training_examples(self, examples: Dataset) -> tuple[Encoded, Any]:
        """The training examples and their targets as they are learned from."""
        return self.encode(examples), self.targets(examples)

    def encode(self, examples: Dataset) -> Encoded:
        """Examples as numbers; of a cross-validation with the part, `fold`, that each is in."""
        encoded = self.form.encode(examples)
        return encoded if examples.folds is None else _Beside(encoded, fold=np.array(examples.folds))

    @abstractmethod
    def targets(self, examples: Dataset) -> Any:
        """What is to be answered, as numbers. Raises HeloError for a label that the model does not know."""

    @abstractmethod
    def target_batch(self, targets: Any, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The targets of some examples, as arrays beside those of the input."""

    @abstractmethod
    def evaluate_batch(
        self, parameters: Parameters, batch: Mapping[str, Array], loss_only: bool = False
    ) -> tuple[Array | float, Array | int, Any]:
        """(loss sum where the batch has targets, over how many, what answers are made of, a row an example). loss_only:
        while training, when answers that cost much may be None.
        """

    def answers(self, parameters: Parameters, found: Any, lengths: np.ndarray) -> list[Any]:
        """An answer a row, as `predictions` reads it, of what `evaluate_batch` found, which lies in this machine's memory now."""
        return list(found)

    @abstractmethod
    def predictions(self, answers: list[Any], targets: Any) -> Predictions:
        """All answers, in the order of the examples, beside what is right, as metrics take them."""

    def answer(self, source: Any, found: Any) -> dict[str, Any]:
        """An answer as people get it. source: the example. found: one of `answers`."""
        return {"answer": found}

    def predict(self, parameters: Parameters, source: Any) -> list[dict[str, Any]]:
        """An answer an example, in order. source: examples, or what stands for them in Python (`Source.given`)."""
        examples = self.source.given(self, list(source) if isinstance(source, Iterator) else source)
        answers = self.predict_batches(parameters, self.encode(examples))[2]
        return examples.known([self.answer(x, y) for x, y in zip(examples.inputs, answers, strict=True)])

    def _shares(self, encoded: Encoded, targets: Any) -> np.ndarray:
        """How much of what a step of training may hold each example fills, however many a step is to take."""
        return encoded.lengths / BATCH_STEPS

    @final
    def predict_batches(
        self, parameters: Parameters, encoded: Encoded, targets: Any = None, loss_only: bool = False
    ) -> tuple[float, int, list[Any]]:
        """(loss sum, over how many, an answer an example) over all examples in their order; without targets no loss."""
        like = next(iter(parameters.values()))
        answers: list[Any] = [None] * len(encoded.lengths)
        losses, counts, several, every = [], [], [], in_order(encoded.lengths)
        for rows in every:
            batch = encoded.batch(rows) | ({} if targets is None else self.target_batch(targets, rows))
            found = self.evaluate_batch(parameters, on(batch, like), loss_only)
            for kept, one in zip((losses, counts, several), found, strict=True):
                kept.append(one)
        # Only here does anything wait for a device.
        losses, counts, several = (engines.hosts(found) for found in (losses, counts, several))
        for rows, found in zip(every, several, strict=True):
            for row, answer in zip(rows, self.answers(parameters, found, encoded.lengths[rows]), strict=True):
                answers[row] = answer
        return float(np.sum(losses, dtype=np.float64)), int(np.sum(counts)), answers

    # The contract of every task.

    @final
    @classmethod
    def read(cls, files, valid, options, folder, saved=None):
        before = clock.seconds
        if saved is not None:
            options = as_before(options)
        learn, check, record = cls.source.split(files, valid, options)
        if not (valid or len(check)):
            cls.from_dataset(options, learn)  # whatever is wrong with the labels themselves is said first
            raise HeloError("no example can be held out, because every label needs training examples",
                            expected="more examples per label, or --valid FILES", where=", ".join(map(str, files)))  # fmt: skip
        options = replace(options, split=None if valid else options.split or cls.source.default_split)
        self = cls.from_dataset(options, learn) if saved is None else cls.load(options, saved, {})
        self.data = record | {"examples": {"train": len(learn), "valid": len(check)}}
        self.splits = Splits(self, learn, check)
        self.recipe = replace(self.recipe, cached_seconds=clock.seconds - before)
        return self

    @final
    @classmethod
    def summary(cls, files, options):
        examples, found = cls.source.summary(files, options)
        try:
            if sound():  # what a training would refuse is refused here, unless it follows from rows left out
                cls.from_dataset(options, examples).targets(examples)
            return found | cls.source.details(examples)
        except HeloError as error:
            fault(error)
            return found

    def infer_defaults(self, budget):
        """Everything was settled from the examples (`from_dataset`); a task may know better by the minutes."""

    @final
    def batches(self, seed, rank=0, world=1):
        encoded, targets = self.splits.train

        def batch(rows: np.ndarray, rng: np.random.Generator, mine: slice) -> dict[str, np.ndarray]:
            return encoded.batch(rows, rng, mine) | self.target_batch(targets, rows[mine])

        shares = self._shares(encoded, targets)
        return Buckets(encoded.lengths, self.options.batch, batch, seed, rank, world, shares)

    @final
    @property
    def validation_size(self):
        return len(self.splits.examples)

    @final
    def validate(self, parameters, most=None, loss_only=False):
        encoded, targets = self.splits.evenly(self.validation_size if most is None else most)
        loss, count, answers = self.predict_batches(parameters, encoded, targets, loss_only)
        return {"loss": loss / max(1, count)} | self._figures(answers, targets)

    @final
    def evaluate(self, parameters, data, files=(), **said):
        return evaluated(self, parameters, data, files, **said)[0]

    def _figures(self, answers: list[Any], targets: Any) -> dict[str, Any]:
        """Of all answers, in the order of the examples; none where `evaluate_batch` was loss_only."""
        if answers and answers[0] is None:
            return {}
        return self.scoring.figures(self.predictions(answers, targets))


def as_before(options: Any) -> Any:
    """The options of a run that is read again, with what it did where it had no such option."""
    return replace(options, **{name: value for name, value in BEFORE.items() if getattr(options, name, value) is None})


def evaluated(
    task: ExampleTask, parameters: Parameters, data: dict[str, Any], files: Any = (), **said: Any
) -> tuple[dict[str, Any], Dataset, list[Any], Any]:
    """(figures, examples, an answer an example, targets) of files, or of the validation data that a run recorded in `data`."""
    examples = task.source.reload(task, data, files, **said)
    encoded, targets = task.encode(examples), task.targets(examples)
    answers = task.predict_batches(parameters, encoded, targets)[2]
    return task.scoring.figures(task.predictions(answers, targets)), examples, answers, targets
