"""The contract of a task, written once. The training loop knows nothing else of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Protocol, Self, final

import numpy as np

from helo import engines
from helo.cells.functions import Array
from helo.data import dataset, readers, splits
from helo.data.buckets import Buckets, in_order
from helo.data.dataset import Dataset
from helo.data.readers import table
from helo.encoders.store import clock
from helo.errors import HeloError, fault, sound
from helo.inputs.base import Encoded
from helo.layers import Noise
from helo.metrics import Predictions, Scoring
from helo.models.base import Parameters


class Batches(Protocol):
    """Batches without end, `per_epoch` in a pass, each the arrays that `Task.loss` reads by their names; None where nothing
    of a batch is for this process. The position, `epoch` and `index`, decides all that follows, whatever the number of
    processes. fresh: no state is carried into the next one.
    """

    per_epoch: int
    epoch: int
    index: int

    @property
    def fresh(self) -> bool: ...

    def next(self) -> dict[str, np.ndarray] | None: ...


@dataclass(frozen=True)
class Budget:
    """What a training may cost: products (multiplications of the model, forward and backward), or, on an accelerator, which
    takes as long for a narrow model as for a wide one, symbols; or steps, or epochs. One of them is known.
    """

    macs: float | None = None
    symbols: float | None = None
    steps: int | None = None
    epochs: float | None = None


@dataclass(frozen=True)
class TaskOptions:
    """What a person can say of a task: fields, `Annotated[type, "help"]`, which are the flags of the command line. What is
    None is settled from the data and the budget, and recorded.
    """

    #: Whether an example comes out of two aligned files, a source and a target.
    paired: ClassVar[bool] = False
    #: Options that name files, whose contents are what must be the same when a run goes on.
    paths: ClassVar[frozenset[str]] = frozenset()
    #: What verbs after training may be told, by the verb: a frozen dataclass of options, as this one is.
    verbs: ClassVar[Mapping[str, type[Any]]] = MappingProxyType({})
    #: Options of reading that may be others after the training, and what they are then; None: as in the training.
    reading: ClassVar[Mapping[str, Any]] = MappingProxyType({})


@dataclass
class Recipe:
    """How a task is trained, beside its batches and its loss: what the loop has to know."""

    #: Options of the training where none is given, other than the language model's.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Under --minutes: more passes over the data than this are not made.
    max_epochs: float = float("inf")
    #: Names below which the rates are multiplied by a number: what others have trained already.
    lr_scale: Mapping[str, float] = field(default_factory=dict)
    #: While it trains it is validated on so many symbols or examples at most.
    validation_limit: int = 1_000_000
    #: Seconds that reading took for what is kept for ever after: no part of a person's minutes.
    cached_seconds: float = 0.0

    @property
    def static_graph(self) -> bool:
        """Whether `Task.loss` does the same operations in each step for arrays of one shape, whatever their numbers are."""
        return True

    def on_progress(self, done: float) -> None:
        """Told before each step what share of the training is over, 0 while its end is not settled."""

    def step_cost(self, done: float) -> float:
        """How long a step takes when a share of the training is over, beside one of its first."""
        return 1.0

    def validation_subset(self, size: int, seen: int) -> int:
        """On how many of `size` to validate while a training goes on that sees so many symbols or examples in all."""
        return min(size, self.validation_limit)


class Task(ABC):
    """A shape over sequences with settled options. Arrays come in and go out; a task itself holds no parameters."""

    Options: ClassVar[type[Any]]  # TaskOptions
    options: Any
    model: Any  # a Model
    recipe: Recipe = Recipe()
    #: The metrics that are reported, and by which figure the best weights are known.
    scoring: Scoring

    @property
    @abstractmethod
    def validation_size(self) -> int:
        """How many symbols or examples there are to validate on."""

    @classmethod
    @abstractmethod
    def read(
        cls,
        files: Sequence[str | Path],
        valid: Sequence[str | Path],
        options: Any,
        folder: Path,
        saved: dict[str, Any] | None = None,
    ) -> Self:
        """The task with its data open. folder: where room may be taken while this process lives. saved: the
        vocabulary of the run that goes on.
        """

    @classmethod
    @abstractmethod
    def load(cls, options: Any, saved: dict[str, Any], data: dict[str, Any]) -> Self:
        """The task of a run folder, without its data: from its options, its vocab.json, and `data` of its run.json."""

    @abstractmethod
    def infer_defaults(self, budget: Budget) -> None:
        """Replace every option that is None, by a written rule, from the data's size and the budget."""

    @abstractmethod
    def batches(self, seed: int, rank: int = 0, world: int = 1) -> Batches:
        """The training data, dealt out by rank."""

    @abstractmethod
    def loss(
        self, parameters: Parameters, batch: Mapping[str, Array], state: Any, noise: Noise | None
    ) -> tuple[Array, int | Array, Any]:
        """(sum of the loss over the batch in nats, over how many, the state for the next batch). state: None where
        there is none. What is a number in the arrays stays one: nothing here reads it. Where something else is
        minimised than what validation measures, its number is the latter, and its gradient that of the former.
        """

    @abstractmethod
    def validate(self, parameters: Parameters, most: int | None = None, loss_only: bool = False) -> dict[str, float]:
        """Figures on the validation data, with `loss`, what training minimises; on `most` symbols or examples of it.
        loss_only: while training, when what costs much may be left out.
        """

    @abstractmethod
    def evaluate(
        self, parameters: Parameters, data: dict[str, Any], files: Sequence[str | Path] = ()
    ) -> dict[str, Any]:
        """Figures on files, or on the validation data that a run recorded in `data`."""

    @classmethod
    @abstractmethod
    def summary(cls, files: Sequence[str | Path], options: Any) -> dict[str, Any]:
        """What is understood of a person's files before anything is learned from them: how many, how long, which."""

    @abstractmethod
    def to_json(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a run folder keeps of the data: (`data` of run.json, vocab.json)."""


@dataclass(frozen=True)
class ExampleOptions(TaskOptions):
    """Of every task over separate examples."""

    reading = MappingProxyType({"reader": None})

    reader: Annotated[str | None, "of the files: a registered one or FILE.py:NAME (by what the files are)"] = None
    split: Annotated[
        splits.Split | None,
        "where no --valid files are given, a tenth to validate on: by chance, by groups, the last in time",
    ] = None
    split_by: Annotated[str | None, "column of the groups, or of the times, by which is split"] = None


class ExampleTask(Task):
    """A task over separate examples, each with its answer. What is common to them is final here: reading, holding out,
    batches of like length, answering many at once.
    """

    #: How examples are held out to validate on where nothing else is said; None where the data says it.
    default_split: ClassVar[splits.Split | None] = "random"
    train: tuple[Encoded, Any]  # what to learn from, and its targets as `targets` made them
    valid: tuple[Encoded, Any]
    shown: Dataset | None = None  # the validation examples themselves, while it trains
    _some: tuple[int, tuple[Encoded, Any]] | None = None  # some of them: how many, and as numbers
    data: dict[str, Any]

    @classmethod
    @abstractmethod
    def examples(cls, files: Sequence[str | Path], options: Any, asked: bool = True) -> tuple[Dataset, list[Path]]:
        """Examples out of a person's files. asked: with their labels."""

    @classmethod
    @abstractmethod
    def from_dataset(cls, options: Any, examples: Dataset) -> Self:
        """The task with what the training examples say: vocabulary, scales, labels, and the sizes that follow."""

    def asked(self, files: Sequence[str | Path], **said: Any) -> Dataset:
        """What a person asks about, out of files as for training; labels may be missing. said: as for `reading`."""
        return type(self).examples(files, self.reading(**said), asked=False)[0]

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
        learn, paths = cls.examples(files, options)
        record: dict[str, Any] = {
            "train": [str(p.absolute()) for p in paths], "fingerprint": {"train": dataset.fingerprint(paths)}
        }  # fmt: skip
        if valid:
            check, paths = cls.examples(valid, options)
            if check.kind != learn.kind:
                raise HeloError(f"{check.kind}", expected=f"{learn.kind}, as in the training files", where="--valid")
            record["valid"] = [str(p.absolute()) for p in paths]
            record["fingerprint"]["valid"] = dataset.fingerprint(paths)
        else:
            if len(learn) < 2:
                raise HeloError("one example", expected="more, or --valid FILES", where=", ".join(map(str, files)))
            how = options.split or cls.default_split or "random"
            rows = splits.split(learn, how, options.split_by, *cls.stratify_by(learn))
            if not len(rows[1]):
                cls.from_dataset(options, learn)  # whatever is wrong with the labels themselves is said first
                raise HeloError("no example can be held out: each is needed to learn its label from",
                                expected="more of a label, or --valid FILES", where=", ".join(map(str, files)))  # fmt: skip
            learn, check = learn.take(rows[0]), learn.take(rows[1])
            record["valid"] = splits.SAID[how]
        return learn, check, record

    @classmethod
    def stratify_by(cls, examples: Dataset) -> tuple[Sequence[AbstractSet[str]], int]:
        """The labels of each example, and of how many examples each label has to be learned from where some are held
        out; by default answers are no labels, and any example may be.
        """
        return (), 0

    @final
    @classmethod
    def summary(cls, files, options):
        examples, paths = cls.checked(files, options)
        found: dict[str, Any] = {"files": len(paths), "kind": examples.kind, "examples": len(examples)}
        found |= {name: value for name, value in examples.notes.items() if name not in UNSAID and value}
        try:
            unit = "characters" if isinstance(examples.inputs[0], str) else "steps"
            found[unit] = dataset.span([len(x) for x in examples.inputs])
        except (TypeError, ValueError):
            pass
        if examples.labels is not None and examples.kind not in ("pair", "photo"):
            flat = [y for label in examples.labels for y in ([label] if isinstance(label, str) else label)]
            counts = Counter(flat).most_common()
            found["labels"] = len(counts)
            found["most frequent"] = ", ".join(f"{y} {n:,}" for y, n in counts[:12])
        try:
            if sound():  # what a training would refuse is refused here, unless it follows from rows left out
                cls.from_dataset(options, examples).targets(examples)
            return found | cls.more_summary(examples)
        except HeloError as error:
            fault(error)
            return found

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
            return type(self).examples(files, self.reading(**said))[0]
        return self.recorded(data, self.reading(**said)) if self.shown is None else self.shown

    def recorded(self, data: dict[str, Any], options: Any = None) -> Dataset:
        """The validation examples of a run. options: to read by. Raises HeloError where their files are no longer the same."""
        tail = isinstance(data["valid"], str)
        found, paths = type(self).examples(data["train"] if tail else data["valid"], options or self.options)
        if dataset.fingerprint(paths) != data["fingerprint"]["train" if tail else "valid"]:
            raise HeloError(
                "the files are no longer those that the run was trained with",
                mend="give the files to evaluate on",
                where=", ".join(map(str, paths)),
            )
        o = self.options
        how = o.split or self.default_split or "random"
        return found.take(splits.split(found, how, o.split_by, *self.stratify_by(found))[1]) if tail else found

    @final
    def batches(self, seed, rank=0, world=1):
        encoded, targets = self.train

        def batch(rows: np.ndarray, rng: np.random.Generator, mine: slice) -> dict[str, np.ndarray]:
            return encoded.batch(rows, rng, mine) | self.target_batch(targets, rows[mine])

        shares = self.shares(encoded, targets)
        return Buckets(encoded.lengths, self.options.batch, batch, seed, rank, world, shares)

    def shares(self, encoded: Encoded, targets: Any) -> np.ndarray:
        """How much of what a step of training may hold each example fills, however many a step is to take."""
        return encoded.lengths / STEPS

    @final
    def predict_batches(
        self,
        parameters: Parameters,
        encoded: Encoded,
        targets: Any = None,
        loss_only: bool = False,
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

    @abstractmethod
    def lines(self, text: str) -> Dataset:
        """Standard input as examples."""


STEPS = 1 << 18  # of all sequences of a batch together, padding too: 32 of 8,192 steps
UNSAID = frozenset(
    {"rows", "names", "segments", "images", "split"}
)  # notes about examples that are no news to a person


def on(batch: Mapping[str, np.ndarray], like: Array) -> dict[str, Array]:
    """A batch as arrays of the library and device of the parameters."""
    return {name: engines.array(a, like) for name, a in batch.items()}


def filled(options: Any, **sizes: Any) -> Any:
    """Options with what is not given filled in."""
    return replace(options, **{k: v for k, v in sizes.items() if getattr(options, k) is None})
