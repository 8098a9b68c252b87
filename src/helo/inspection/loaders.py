"""What a run reads while it is looked into: a text in stretches, or examples.

loader(run, files)     to be read more than once: `read()` gives `Reading`s of `traces`, with what the units hold
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from helo import reports
from helo.cells.base import Parameters
from helo.cells.functions import log_softmax
from helo.data.buckets import in_order
from helo.errors import HeloError
from helo.inputs.words import Words, tokens
from helo.inspection.traces import Collector, Reading, nll
from helo.layers.convolution import shortened
from helo.models.base import InputModel
from helo.models.encoder_decoder import EncoderDecoder
from helo.models.feed_forward import FeedForward
from helo.models.forecaster import Forecaster
from helo.models.language_model import LanguageModel
from helo.runs.run import Run

MOST = 200_000  # steps that are looked at where nothing else is said
ROOM = 60_000_000  # numbers of all traces together: fewer steps of a wider model
ROWS, ROW = 64, 500  # stretches of a text side by side at most, and symbols of each at least
BEFORE = 300_000  # symbols of what was learned, from which on n-grams and words are counted
WARM = 256  # symbols that are read before a stretch and not counted
LONGEST = 2_000  # steps of an example that are looked at
GATED = 20_000  # steps of which gates are kept
CHUNK = 8_192  # symbols of all rows whose scores are held at once


def loader(run: Run, files: Sequence[str | Path] = (), most: int = MOST) -> Loader:
    """Of files, or of the run's own validation data. most: steps at the most.

    Raises HeloError for a model without a recurrence, for a forecaster, and for files that it cannot read.
    """
    task = run.task
    if isinstance(task.model, Forecaster):
        raise HeloError(f"a model of the task {run.about['task']}", expected="a language model, a model of labels or numbers, or one that writes",
                        where=str(run.path))  # fmt: skip
    if isinstance(task.model, FeedForward):
        raise HeloError(
            "a feed-forward model, which has no recurrent layer to inspect",
            expected="a model with a recurrent layer", mend=explained(task), where=str(run.path),
        )  # fmt: skip
    run.parameters  # noqa: B018  a run without weights is refused before anything is read
    o = task.options
    width = (getattr(o, "layers", None) or 2) * o.hidden * (2 if getattr(o, "bidirectional", False) else 1)
    most = max(1, min(most, ROOM // max(1, width)))  # width: numbers a step of all traces together
    return (TextLoader if isinstance(task.model, LanguageModel) else ExampleLoader)(run, list(files), most)


def explained(task: Any) -> str:
    """What shows something of a model's answers that has no other view; nothing where `helo explain` does not take it."""
    known = hasattr(task, "labels") or isinstance(task.model, EncoderDecoder)
    return "helo explain shows what its answers depend on" if known else ""


class Loader(ABC):
    """What a run reads, in so many rows and steps. before: symbols of a text that stand before what is read."""

    rows: int
    steps: int
    before: Sequence[str] = ()

    def __init__(self, run: Run, files: Sequence[str | Path]):
        self.run, self.where = run, ", ".join(map(str, files)) or str(run.path)

    def read(
        self,
        parameters: Parameters | None = None,
        rows: np.ndarray | None = None,
        gates: bool = True,
        time: int | None = None,
    ) -> list[Reading]:
        """One `Reading`, or two of a translator, of the source and of the target. parameters: others of the same shapes, such
        as untrained ones. rows: of these stretches or examples alone. gates: whether they are kept. time: of a text so many
        symbols of each stretch.
        """
        parameters = self.run.parameters if parameters is None else parameters
        with self.run.computing():
            return self._read(parameters, np.arange(self.rows) if rows is None else rows, gates, time)

    @abstractmethod
    def _read(self, parameters: Parameters, rows: np.ndarray, gates: bool, time: int | None) -> list[Reading]: ...


class TextLoader(Loader):
    """A text in stretches. ids: its symbols."""

    def __init__(self, run: Run, files: Sequence[str | Path], most: int):
        super().__init__(run, files)
        self.ids, self.pieces, self.before = _symbols(run, files, most)
        self.rows, self.steps = min(ROWS, max(1, len(self.ids) // ROW)), len(self.ids)

    def _read(self, parameters, rows, gates, time):
        return [_text(self.run, parameters, self.ids, self.pieces, self.rows, rows, gates, time)]


class ExampleLoader(Loader):
    """Examples, evenly spaced."""

    def __init__(self, run: Run, files: Sequence[str | Path], most: int):
        super().__init__(run, files)
        examples = run.task.source.reload(run.task, run.recorded(files), files)
        if not len(examples):
            raise HeloError("no examples", expected="one or more", where=self.where)
        lengths = np.minimum(-(-run.task.encode(examples).lengths // _shorter(run.task)), LONGEST)
        count = min(len(examples), int(most // max(1, lengths.mean())), most // max(1, int(lengths.max())))
        chosen = np.linspace(0, len(examples) - 1, max(1, count)).round().astype(np.int64)
        self.examples, self.rows, self.steps = examples.take(chosen), len(chosen), int(lengths[chosen].sum())

    def _read(self, parameters, rows, gates, time):
        read = _encoder_decoder if isinstance(self.run.task.model, EncoderDecoder) else _examples
        return read(self.run, parameters, self.examples.take(rows), gates)


# A text.


def _symbols(run: Run, files: Sequence[str | Path], most: int) -> tuple[np.ndarray, list[str], list[str]]:
    """The symbols that are looked at, each as text, and those before them, up to BEFORE, where the run learned from them."""
    task = run.task
    symbols, start = task.text(run.recorded(files), files)
    ids = np.array(symbols.ids[start : start + most], np.int64)
    unknown = np.isin(ids, task.vocab.silent).mean() if len(ids) and task.vocab.silent else 0.0
    if unknown > 0.5:
        raise HeloError(
            f"{unknown:.0%} of its {task.options.units} are unknown to the model", expected="a text like its training text",
            where=", ".join(map(str, files)) or str(run.path),
        )  # fmt: skip
    before = np.array(symbols.ids[max(0, start - BEFORE) : start], np.int64)
    return ids, _spelled(task.vocab.spelling, ids), _spelled(task.vocab.spelling, before)


def _spelled(spelling: Sequence[bytes], ids: np.ndarray) -> list[str]:
    """Each symbol as text; a character of several symbols stands at the last of them."""
    try:
        table = [s.decode() for s in spelling]
    except UnicodeDecodeError:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return [decoder.decode(spelling[i]) for i in ids.tolist()]
    return [table[i] for i in ids.tolist()]


def _text(
    run: Run, parameters: Parameters, ids: np.ndarray, pieces: list[str], count: int, chosen: np.ndarray, gates: bool,
    most: int | None = None,
) -> Reading:  # fmt: skip
    """The chosen ones of so many stretches of a text, side by side, or so many symbols of each."""
    if len(ids) < 2:
        raise HeloError(
            f"a text of {len(ids)} symbol{'s' * (len(ids) != 1)}", expected="two or more", where=str(run.path)
        )
    rows, time = len(chosen), len(ids) // count
    starts = chosen * time
    time = time if most is None else min(time, most)
    gated = np.unique(np.linspace(0, rows - 1, max(1, min(rows, GATED // time))).round().astype(np.int64))
    collector = Collector(np.full(rows, time), gated if gates else gated[:0])
    losses = np.full((rows, time), np.nan, np.float32)
    state = run.task.model.zero_state(parameters, rows)
    later, warm = np.flatnonzero(starts > 0), min(WARM, time)
    if len(later):
        before = np.stack([ids[s - warm : s] for s in starts[later]])
        scores, after = run.task.model.forward(parameters, before)
        losses[later, 0] = nll(scores[:, -1], ids[starts[later]])
        state = tuple(tuple(np.array(s) for s in own) for own in state)
        for own, new in zip(state, after, strict=True):
            for s, a in zip(own, new, strict=True):
                s[later] = a
    window = np.stack([ids[s : s + time] for s in starts])
    step = max(1, CHUNK // rows)
    for t in range(0, time, step):
        with collector.recorded(parameters, np.arange(rows), t=t):
            scores, state = run.task.model.forward(parameters, window[:, t : t + step], state)
        ahead = window[:, t + 1 : t + 1 + step]
        losses[:, t + 1 : t + 1 + step] = nll(scores[:, : ahead.shape[1]], ahead)
    reading = Reading(
        "text", "text", run.task.options.units, [pieces[s : s + time] for s in starts], np.full(rows, time), losses,
        joined=rows == count and most is None, gated=collector.gated,
    )  # fmt: skip
    return collector.finish(reading)


# Examples.


def _gated(lengths: np.ndarray, gates: bool) -> np.ndarray:
    """The first rows, so many that their steps are few enough."""
    return np.arange(max(1, int((np.cumsum(lengths) <= GATED).sum()))) if gates else np.zeros(0, np.int64)


def _examples(run: Run, parameters: Parameters, examples: Any, gates: bool) -> list[Reading]:
    """A classifier or a tagger over its examples."""
    task = run.task
    encoded = task.encode(examples)
    whole = -(-encoded.lengths // _shorter(task))
    lengths = np.minimum(whole, LONGEST)
    time, rows = int(lengths.max()), len(lengths)
    collector = Collector(lengths, _gated(lengths, gates))
    losses = np.full((rows, time), np.nan, np.float32)
    numbers: list[Any] = [None] * rows
    labels = _labels(examples, lengths)
    likelihood = labels is not None and hasattr(task, "labels") and reports.of(task).loss_unit == "nats"
    predicted = [[""] * len(row) for row in labels or ()] if likelihood else None
    for batch_rows in in_order(encoded.lengths):
        batch = encoded.batch(batch_rows)
        with collector.recorded(parameters, batch_rows, whole[batch_rows]):
            scores = task.model.forward(parameters, batch)
        if "xs" in batch:
            xs = np.asarray(shortened(batch["xs"], batch["lengths"], _shorter(task))[0])
            for i, row in enumerate(batch_rows):
                numbers[row] = xs[i, : lengths[row]]
        if likelihood:  # of a task with another loss than a cross entropy nothing is shown in nats
            _label_losses(task, scores, batch_rows, labels, lengths, losses, predicted)
    steps, kind, unit = _steps(task, examples, lengths, numbers)
    reading = Reading(
        "examples", kind, unit, steps, lengths, losses, numbers=numbers if kind == "series" else None,
        labels=labels, predicted=predicted, gated=collector.gated,
    )  # fmt: skip
    return [collector.finish(reading)]


def _shorter(task: Any) -> int:
    """How many steps of the input are one of the recurrence."""
    return task.model.shorter if isinstance(task.model, InputModel) else 1


def _labels(examples: Any, lengths: np.ndarray) -> list[list[str]] | None:
    """A label a step of each example; that of a whole example at all of its steps."""
    if examples.labels is None:
        return None
    steps = examples.kind not in ("text", "pair", "photo") and any(
        isinstance(y, list) and len(y) == len(x) for x, y in zip(examples.inputs, examples.labels, strict=True)
    )
    pairs = zip(examples.labels, lengths, strict=True)
    if steps:
        return [[str(v) for v in list(y)[:n]] for y, n in pairs]
    return [[", ".join(y) if isinstance(y, list | tuple) else str(y)] * int(n) for y, n in pairs]


def _label_losses(
    task: Any, scores: Any, rows: np.ndarray, labels: Any, lengths: np.ndarray, losses: np.ndarray, predicted: Any
) -> None:
    """The nats of each step's label, or of an example's at its last step, where the model knows the label, and which it holds
    likeliest.
    """
    ids = {y: k for k, y in enumerate(task.labels)}
    logs = log_softmax(np.asarray(scores, np.float32))
    for i, row in enumerate(rows):
        known = [ids.get(y, -1) for y in labels[row]]
        if logs.ndim == 3:
            for t, k in enumerate(known):
                losses[row, t] = np.nan if k < 0 else -logs[i, t, k]
                predicted[row][t] = task.labels[int(logs[i, t].argmax())]
        elif known and known[0] >= 0 and not getattr(task, "many", False):
            losses[row, lengths[row] - 1] = -logs[i, known[0]]
            predicted[row][-1] = task.labels[int(logs[i].argmax())]


def _steps(task: Any, examples: Any, lengths: np.ndarray, numbers: list[Any]) -> tuple[list[list[str]], str, str]:
    """Each row's steps as text; the kind of reading; what a step is called."""
    form = task.form
    if isinstance(form, Words):
        rows = [tokens(x) if isinstance(x, str) else list(x) for x in examples.inputs]
        return [list(map(str, r[:n])) for r, n in zip(rows, lengths, strict=True)], "tokens", "words"
    if examples.kind == "dialogue":
        rows = [[f"{who}: {text}" for who, text in turns] for turns in examples.inputs]
        return [r[:n] for r, n in zip(rows, lengths, strict=True)], "tokens", "turns"
    if (vocab := getattr(form, "vocab", None)) is not None:
        ids = form.encode(examples).sequences
        return [_spelled(vocab.spelling, ids[i][:n]) for i, n in enumerate(lengths)], "text", task.options.units
    return [[str(t + 1) for t in range(n)] for n in lengths], "series", "steps"


# Texts for texts.


def _encoder_decoder(run: Run, parameters: Parameters, examples: Any, gates: bool) -> list[Reading]:
    """A translator's encoder over its sources, and the decoder of one that writes over the true targets."""
    task = run.task
    if isinstance(examples.labels[0] if examples.labels else "", list):  # a picture's captions: the first of each
        examples = replace(examples, labels=[y[:1] for y in examples.labels])
    encoded, targets = task.encode(examples), task.targets(examples) if examples.labels is not None else None
    if targets is None:
        raise HeloError("no targets", expected="examples with their answers", where=str(run.path))
    ids = targets.ids
    kinds = {"source": np.minimum(encoded.lengths, LONGEST), "target": np.minimum(ids.lengths + 1, LONGEST)}
    collectors = {side: Collector(n, _gated(n, gates)) for side, n in kinds.items()}
    losses = {side: np.full((len(ids), int(n.max())), np.nan, np.float32) for side, n in kinds.items()}
    for batch_rows in in_order(np.maximum(encoded.lengths, ids.lengths), 4096, 64):
        batch = encoded.batch(batch_rows)
        with collectors["source"].recorded(parameters, batch_rows, np.asarray(batch["lengths"])):
            memory = task.model.memory(parameters, batch)
        pair = task.before_and_after(ids, batch_rows)
        with collectors["target"].recorded(parameters, batch_rows, ids.lengths[batch_rows] + 1):
            scores = task.model.decode(parameters, memory, pair["before"], task.model.fresh(parameters, memory))[0]
        nats = nll(scores, pair["targets"])
        for i, row in enumerate(batch_rows):
            n = int(kinds["target"][row])
            losses["target"][row, 1:n] = nats[i, : n - 1]
    readings = []
    for side, lengths in kinds.items():
        if not collectors[side].traces:
            continue
        if side == "target":
            steps = [["", *(task.text([int(k)]) for k in ids[i][: n - 1])] for i, n in enumerate(lengths)]
        else:
            steps = [[task.text([int(k)]) for k in encoded.ids[i][:n]] for i, n in enumerate(lengths)]
        reading = Reading(side, "text", task.options.units, steps, lengths, losses[side], gated=collectors[side].gated)
        readings.append(collectors[side].finish(reading))
    return readings
