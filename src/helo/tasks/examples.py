"""The contract of a task over separate examples, written once: what is common to them all is final here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self, final

import numpy as np

from helo import engines
from helo.cells.functions import Array
from helo.data import readers, splits
from helo.data.buckets import Buckets, in_order
from helo.data.dataset import Dataset
from helo.data.readers import table
from helo.encoders.store import clock
from helo.errors import HeloError
from helo.inputs.base import Encoded
from helo.metrics import Predictions
from helo.models.base import Parameters
from helo.tasks import reading
from helo.tasks.base import Task, TaskOptions, on


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


class ExampleTask(Task):
    """A task over separate examples, each with its answer. What is common to them is final here: reading, holding out,
    batches of like length, answering many at once.
    """

    #: How examples are held out to validate on where nothing else is said; None where the data says it.
    default_split: ClassVar[splits.Split | None] = "random"
    batch_steps: ClassVar[int] = 1 << 18  # of all sequences of a batch together, padding too: 32 of 8,192 steps
    train: tuple[Encoded, Any]  # what to learn from, and its targets as `targets` made them
    valid: tuple[Encoded, Any]
    shown: Dataset | None = None  # the validation examples themselves, while it trains
    _some: tuple[int, tuple[Encoded, Any]] | None = None  # some of them: how many, and as numbers
    data: dict[str, Any]

    @classmethod
    @abstractmethod
    def examples(cls, files: Sequence[str | Path], options: Any, labelled: bool = True) -> tuple[Dataset, list[Path]]:
        """Examples out of a person's files. labelled: with their labels."""

    @classmethod
    @abstractmethod
    def from_dataset(cls, options: Any, examples: Dataset) -> Self:
        """The task with what the training examples say: vocabulary, scales, labels, and the sizes that follow."""

    def unlabelled(self, files: Sequence[str | Path], **said: Any) -> Dataset:
        """Examples to be answered, out of files as for training; labels may be missing. said: as for `reading`."""
        with reading.as_trained():
            return type(self).examples(files, self.reading(**said), labelled=False)[0]

    def training_examples(self, examples: Dataset) -> tuple[Encoded, Any]:
        """The training examples and their targets as they are learned from."""
        return self.encode(examples), self.targets(examples)

    @abstractmethod
    def encode(self, examples: Dataset) -> Encoded:
        """Examples as numbers."""

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

    @final
    def figures(self, answers: list[Any], targets: Any) -> dict[str, Any]:
        """Of all answers, in the order of the examples; none where `evaluate_batch` was loss_only."""
        if answers and answers[0] is None:
            return {}
        return self.scoring.figures(self.predictions(answers, targets))

    @final
    def infer_defaults(self, budget):
        """Everything was settled from the examples (`from_dataset`)."""

    @final
    @classmethod
    def read(cls, files, valid, options, folder, saved=None):
        before = clock.seconds
        learn, check, record = cls.split(files, valid, options)
        options = replace(options, split=None if valid else options.split or cls.default_split)
        self = cls.from_dataset(options, learn) if saved is None else cls.load(options, saved, {})
        self.data = record | {"examples": {"train": len(learn), "valid": len(check)}}
        self.shown = check
        self.train, self.valid = self.training_examples(learn), (self.encode(check), self.targets(check))
        self.recipe = replace(self.recipe, cached_seconds=clock.seconds - before)
        return self

    @classmethod
    def split(
        cls, files: Sequence[str | Path], valid: Sequence[str | Path], options: Any
    ) -> tuple[Dataset, Dataset, dict[str, Any]]:
        """What to learn from, what to validate on, and what `run.json` records of where they lie."""
        return reading.split(cls, files, valid, options)

    @classmethod
    def stratify_by(cls, examples: Dataset) -> tuple[Sequence[AbstractSet[str]], int]:
        """The labels of each example, and of how many examples each label has to be learned from where some are held
        out; by default answers are no labels, and any example may be.
        """
        return (), 0

    @final
    @classmethod
    def summary(cls, files, options):
        return reading.summary(cls, files, options)

    @classmethod
    def checked(cls, files: Sequence[str | Path], options: Any) -> tuple[Dataset, list[Path]]:
        """The examples that `helo data check` looks at."""
        return cls.examples(files, options)

    @classmethod
    def more_summary(cls, examples: Dataset) -> dict[str, Any]:
        """What more is understood of the examples."""
        return {}

    @final
    def reading(self, **said: Any) -> Any:
        """The options by which files are read after the training. said: those that are to be others."""
        if said.get("reader") is not None:
            said["reader"] = readers.chosen(said["reader"])
        return replace(self.options, **{**{k: v for k, v in self.Options.reading.items() if v is not None}, **said})

    @final
    def reload(self, data: dict[str, Any], files: Sequence[str | Path], **said: Any) -> Dataset:
        """The examples of files, or the validation examples that a run recorded."""
        if isinstance(files, Dataset):
            return files
        if table.given(files) or files:
            with reading.as_trained():
                return type(self).examples(files, self.reading(**said))[0]
        return self.recorded(data, self.reading(**said)) if self.shown is None else self.shown

    def recorded(self, data: dict[str, Any], options: Any = None) -> Dataset:
        """The validation examples of a run. options: to read by. Raises HeloError where their files are no longer the same."""
        return reading.recorded(self, data, options or self.options)

    @final
    def batches(self, seed, rank=0, world=1):
        encoded, targets = self.train

        def batch(rows: np.ndarray, rng: np.random.Generator, mine: slice) -> dict[str, np.ndarray]:
            return encoded.batch(rows, rng, mine) | self.target_batch(targets, rows[mine])

        shares = self.shares(encoded, targets)
        return Buckets(encoded.lengths, self.options.batch, batch, seed, rank, world, shares)

    def shares(self, encoded: Encoded, targets: Any) -> np.ndarray:
        """How much of what a step of training may hold each example fills, however many a step is to take."""
        return encoded.lengths / self.batch_steps

    @final
    def predict_batches(
        self, parameters: Parameters, encoded: Encoded, targets: Any = None, loss_only: bool = False
    ) -> tuple[float, int, list[Any]]:
        """(loss sum, over how many, an answer an example) over all examples in their order; without targets no loss."""
        like = next(iter(parameters.values()))
        answers: list[Any] = [None] * len(encoded.lengths)
        losses, counts, every, several = [], [], [], []
        for rows in in_order(encoded.lengths):
            batch = encoded.batch(rows) | ({} if targets is None else self.target_batch(targets, rows))
            loss, count, found = self.evaluate_batch(parameters, on(batch, like), loss_only)
            for kept, one in ((every, rows), (losses, loss), (counts, count), (several, found)):
                kept.append(one)
        # Only here does anything wait for a device.
        losses, counts, several = (engines.hosts(found) for found in (losses, counts, several))
        for rows, found in zip(every, several, strict=True):
            for row, answer in zip(rows, self.answers(parameters, found, encoded.lengths[rows]), strict=True):
                answers[row] = answer
        return float(np.sum(losses, dtype=np.float64)), int(np.sum(counts)), answers

    @final
    def validate(self, parameters, most=None, loss_only=False):
        encoded, targets = self._valid(self.validation_size if most is None else most)
        loss, count, answers = self.predict_batches(parameters, encoded, targets, loss_only)
        return {"loss": loss / max(1, count)} | self.figures(answers, targets)

    @final
    def _valid(self, most: int) -> tuple[Encoded, Any]:
        """The validation examples, or so many of them, evenly spaced."""
        if most >= self.validation_size:
            return self.valid
        if self._some is None or self._some[0] != most:
            assert self.shown is not None
            some = self.shown.evenly(most)
            self._some = most, (self.encode(some), self.targets(some))
        return self._some[1]

    @final
    @property
    def validation_size(self):
        return len(self.valid[0].lengths)

    @final
    def evaluate(self, parameters, data, files=(), **said):
        examples = self.reload(data, files, **said)
        encoded, targets = self.encode(examples), self.targets(examples)
        return self.figures(self.predict_batches(parameters, encoded, targets)[2], targets)

    @abstractmethod
    def predict(self, parameters: Parameters, source: Any) -> list[dict[str, Any]]:
        """An answer an example, in order. source: examples, or what stands for them in Python."""

    def lines(self, text: str) -> Dataset:
        """Standard input as examples."""
        raise HeloError("this model does not read lines", mend="give files, as in training", where="standard input")
