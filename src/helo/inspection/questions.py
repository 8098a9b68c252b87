"""The question that an answer of a model is asked with: a function of what enters its recurrence, a kind of model each.

labelled(run, examples, …)     a label, of a whole or of its steps
written(run, text, …)          the next symbol of a text
translated, captioned          each word of a text that is written for another, or for a picture
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data.dataset import Dataset
from helo.errors import HeloError, place
from helo.inputs.words import Words
from helo.inspection import attribution
from helo.inspection.attribution import Question, log_odds, tree
from helo.inspection.pieces import baseline_of, pieces_of, texts_of, words_of
from helo.layers import part
from helo.models.tagger import Tagger
from helo.runs.run import Run
from helo.runs.stream import Stream

SEGMENTS = 8  # stretches of one label that are explained where no step is asked for
LIKELY = 3  # symbols that are named beside the one that stands there
BEFORE = "(before)"  # the piece that is a carried state, or what was written so far
WHOLE = "(the whole picture)"


@dataclass
class Asked:
    """An answer with the question what it rests on. kind: text, series, numbers, picture, or regions of one.

    pieces, patches: their names (of `Question.owners` and `Question.patches`); gaps: what stands before each piece in
    running text; targets: what is explained, each by itself; attention `(targets, pieces)`, where the model has some.
    """

    kind: str
    answer: dict[str, Any]
    question: Question
    pieces: list[str]
    targets: list[str]
    gaps: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    attention: np.ndarray | None = None
    shape: tuple[int, ...] = ()  # of the pieces, where they lie in rows: (steps, features), (height, width)
    shown: Any = None  # what a person sees: numbers `(steps, features)`, pixels, a photo
    left: int = 0  # targets that are not explained, since there are so many
    crop: bool = False  # of a photo its middle square alone was seen
    about: str = ""


# Labels: of a whole, or of its steps.


class _Given:
    """In the place of a form of input: the vectors are given."""

    def __init__(self, form: Any):
        self.sequence = form.sequence

    def forward(self, parameters: Any, batch: Mapping[str, Any], cell: Any, noise: Any) -> Any:
        return batch["given"]


def labelled(run: Run, examples: Dataset, row: int, label: str | None, step: int | None, baseline: str) -> Asked:
    task, one = run.task, examples.take(np.array([row]))
    where, x = examples.place(row), examples.inputs[row]
    answer = task.predict(run.parameters, one)[0]
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("an empty input", expected="at least one word", where=where)
    form = task.form
    given = form.forward(part(run.parameters, "input"), encoded.batch(np.zeros(1, np.int64)), task.model.cell, None)[0]
    tagger = isinstance(task.model, Tagger)
    if label is not None and label not in task.labels:
        shown = ", ".join(task.labels[:12]) + (", …" if len(task.labels) > 12 else "")
        raise HeloError(f"unknown label {label!r}", expected=f"one of {shown}", where="--label")
    if tagger:
        chosen = _steps(task, one, task.predict_batches(run.parameters, encoded)[2][0], answer, label, step)
    else:
        chosen = _labels(task, answer, label)
    parameters = {n: p for n, p in run.parameters.items() if not n.startswith("input.")}
    steps = len(given) if form.sequence else 1
    every, chosen = len(chosen), chosen[: attribution.most(parameters, steps)]
    inside = copy(task.model)
    inside.form = _Given(form)

    def model(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs = inputs[0]
        lengths = engines.array(np.full(len(xs), len(given) if form.sequence else 1), xs)
        scores = inside.forward(parameters, {"given": xs, "lengths": lengths})
        found = []
        for _, several in chosen:
            odds = 0.0
            for t, y in several:
                own = scores[:, t] if tagger else scores
                odds = odds + (own[:, y] if not tagger and task.many else log_odds(own, y))
            found.append(odds)
        return namespace(xs).stack(found, axis=1)

    asked = pieces_of(task, x, given, examples)
    question = Question(
        model, parameters, [given], asked.pop("owners"), [baseline_of(run, form, given, baseline)], asked.pop("masks", ()), steps
    )  # fmt: skip
    names = [name for name, _ in chosen]
    return Asked(answer=answer, question=question, targets=names, left=every - len(names), about=where, **asked)


def _labels(task: Any, answer: Mapping[str, Any], label: str | None) -> list[tuple[str, list[tuple[int, int]]]]:
    if label is not None:
        names = [label]
    elif task.many:
        likely = answer["probabilities"]
        names = answer["labels"] or [max(likely, key=likely.get)]
    else:
        names = [answer["label"]]
    return [(n, [(0, task.labels.index(n))]) for n in names]


def _steps(
    task: Any, one: Dataset, ids: np.ndarray, answer: Mapping[str, Any], label: str | None, step: int | None
) -> list[tuple[str, list[tuple[int, int]]]]:
    """What is explained of a sequence, (name, [(step, label), …]): a step that is asked for; else each span; else each word;
    of other steps the middle one of each of the longest stretches of one label. ids: the answered labels.
    """
    if label is not None:
        ids = np.full(len(ids), task.labels.index(label))

    def single(t: int) -> tuple[str, list[tuple[int, int]]]:
        of = f"{t + 1}: {one.inputs[0][t]}" if isinstance(task.form, Words) else f"step {t + 1}"
        return f"{of} {label or answer['labels'][t]}", [(t, int(ids[t]))]

    if step is not None:
        if not 1 <= operator.index(step) <= len(ids):
            raise HeloError(f"{step}", expected=f"a step from 1 to {len(ids)}", where="--step")
        return [single(step - 1)]
    if spans := answer.get("spans"):
        return [
            (f"{s['text']} {label or s['type']}", [(t, int(ids[t])) for t in range(s["start"], s["end"])])
            for s in spans
        ]
    if isinstance(task.form, Words):
        return [single(t) for t in range(len(ids))]
    stretches, start = [], 0
    for _, same in groupby(ids.tolist()):
        length = len(list(same))
        stretches.append((length, start + length // 2))
        start += length
    return [single(t) for t in sorted(t for _, t in sorted(stretches, reverse=True)[:SEGMENTS])]


# The next symbol of a text.


def written(
    run: Run, text: Any, label: str | None, at: int | None, window: int, baseline: str, stream: Stream | None
) -> Asked:
    task: Any = run.task
    if not isinstance(text, str):
        raise TypeError(f"{text!r:.80} is not a text")
    ids = task.encode(text).astype(np.int64)
    state: Any = None
    lead = np.zeros(0, np.int64) if stream is None else stream.last[:1]  # it was not read yet
    if stream is not None and stream.state is not None:
        state = tuple(tuple(s[:1] for s in layer) for layer in stream.state)
    first = 1 if len(lead) else 2
    if len(ids) < first:
        raise HeloError(
            f"a text of {len(ids)} {task.options.units.removesuffix('s') if len(ids) == 1 else task.options.units}",
            expected="one or more" if len(lead) else "two or more: the last is predicted from the others",
        )
    at = len(ids) if at is None else operator.index(at)
    if not first <= at <= len(ids):
        raise HeloError(f"{at}", expected=f"a symbol from {first} to {len(ids)}", where="--at")
    if operator.index(window) < 1:
        raise HeloError(f"{window}", expected="1 or more", where="--window")
    target = int(ids[at - 1])
    if label is not None:
        with place("--label"):
            wanted = task.encode(label)
        if len(wanted) != 1:
            raise HeloError(f"{label!r} is {len(wanted)} {task.options.units}", expected="one", where="--label")
        target = int(wanted[0])
    read = np.concatenate([lead, ids[: at - 1]])
    earlier, near = read[:-window], read[-window:]
    for t in range(0, len(earlier), 1024):
        state = task.model.forward(run.parameters, earlier[None, t : t + 1024], state)[1]
    flat = [np.asarray(s[0]) for layer in state or () for s in layer]
    table = run.parameters["embedding"]
    vectors = table[near]

    def model(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs, states = inputs[0], None if state is None else tree(inputs[1:], state)
        # The scores of the last symbol alone are asked for: for all before it the head has no rows.
        headless = dict(parameters) | {n: parameters[n][:0] for n in ("head.weight", "head.bias")}
        if len(near) > 1:
            states = task.model.forward(*_looked_up(headless, xs[:, :-1]), states)[1]
        scores = task.model.forward(*_looked_up(parameters, xs[:, -1:]), states)[0][:, 0]
        return log_odds(scores, target)[:, None]

    base = {"zero": np.zeros(table.shape[1]), "mean": table.mean(0), "unknown": table[0]}[baseline]
    if baseline == "unknown" and 0 not in task.vocab.silent:
        raise HeloError("unknown, with a model that has no unknown symbol", expected="zero or mean", where="--baseline")
    parameters = {n: p for n, p in run.parameters.items() if n != "embedding"}
    carried = int(state is not None)
    question = Question(
        model, parameters, [vectors, *flat], [np.arange(carried, carried + len(near))[:, None], *(np.zeros((), int) for _ in flat)],
        [base, *(np.asarray(s[0]) for layer in task.model.zero_state(run.parameters, 1) for s in layer)][: 1 + len(flat)], (), len(near),
    )  # fmt: skip
    scores = np.asarray(task.model.forward(run.parameters, near[None], state)[0][0, -1], np.float64)
    logs = log_softmax(scores)
    likely = [int(i) for i in np.argsort(-logs, kind="stable") if i not in task.vocab.silent][:LIKELY]
    name = texts_of(task.vocab, [target])[0]
    answer = {
        "text": name, "at": at, "nats": float(-logs[target]), "probability": float(np.exp(logs[target])),
        "likely": [{"text": texts_of(task.vocab, [i])[0], "probability": float(np.exp(logs[i]))} for i in likely],
    }  # fmt: skip
    pieces = [BEFORE] * carried + texts_of(task.vocab, near)
    return Asked("text", answer, question, pieces, [name], [""] * len(pieces))


def _looked_up(parameters: Mapping[str, Any], xs: Any) -> tuple[dict[str, Any], Any]:
    """Parameters and ids such that the model looks up just these vectors `(n, time, width)`."""
    n, time, width = xs.shape
    ids = np.arange(n * time).reshape(n, time)
    return dict(parameters) | {"embedding": xs.reshape(n * time, width)}, engines.array(ids, xs)


# Texts for texts and for pictures.


def translated(run: Run, one: Dataset) -> Asked:
    task: Any = run.task
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("an empty input", expected="a text", where=one.place(0))
    batch = encoded.batch(np.zeros(1, np.int64))
    memory = task.model.memory(run.parameters, batch)
    found = task.search(run.parameters, memory, task.most(batch), 5)
    symbols = found[0][0].symbols
    finished = task.finished(run.parameters, memory, batch, found)[0][0].symbols
    source = encoded.ids[0]
    strangers = encoded.strangers[0]
    vectors = run.parameters["embedding"][source]

    def remember(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs = inputs[0]
        own, ids = _looked_up(parameters, xs)
        return task.model.memory(own, {"ids": ids, "lengths": engines.array(np.full(len(xs), len(source)), xs)})

    spelled = [task.text([i]) for i in np.where(strangers > 0, task.model.symbols + strangers, source)]
    owners, pieces, gaps = words_of(spelled, task.options.units)
    looks = task.attention_weights(run.parameters, memory, encoded.lengths, [symbols])[0]
    return _writing(
        run, one, symbols, [task.text([i]) for i in finished], remember, [vectors], [owners[:, None]], pieces, gaps,
        looks, len(source),
    )  # fmt: skip


def captioned(run: Run, one: Dataset) -> Asked:
    task: Any = run.task
    if task.model.attention == "none":
        raise HeloError(
            "a model without attention, which has no regions to explain", expected="one trained with --attention soft"
        )
    batch = task.encode(one).batch(np.zeros(1, np.int64))
    memory = task.model.memory(run.parameters, batch)
    symbols = task.search(run.parameters, memory, task.most(batch), 5)[0][0].symbols
    places = memory[0].shape[1]
    side = round(places**0.5)

    def remember(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        outputs, summary = inputs[:2]
        return task.model.remembered(parameters, outputs, namespace(outputs).ones_like(outputs[..., 0]), summary)

    pieces = [f"row {i // side + 1}, column {i % side + 1}" for i in range(places)] + [WHOLE]
    looks = task.attention_weights(run.parameters, memory, [places], [symbols])[0]
    asked = _writing(
        run, one, symbols, texts_of(task.vocab, symbols), remember, [memory[0][0], memory[3][0]],
        [np.arange(places)[:, None], np.full(1, places)], pieces, [""] * len(pieces), looks, 1,
    )  # fmt: skip
    asked.kind, asked.shape, asked.shown = "regions", (side, side), one.inputs[0]
    asked.crop = getattr(task.model.encoder, "fit", "") == "crop"
    return asked


def _writing(
    run: Run,
    one: Dataset,
    symbols: list[int],
    spelled: list[str],
    remember: Callable[[Mapping[str, Any], Sequence[Any]], Any],
    inputs: list[np.ndarray],
    owners: list[np.ndarray],
    pieces: list[str],
    gaps: list[str],
    looks: np.ndarray,
    steps: int,
) -> Asked:
    """Of each word that was written: what of a memory's inputs, and of what was written before it, it rests on."""
    task = run.task
    ids = symbols or [task.end]
    spelled = spelled or ["(end)"]
    before = np.array([task.begin, *ids[:-1]])
    parameters = {n: p for n, p in run.parameters.items() if not n.startswith("encoder.")}
    rows, targets, _ = words_of(spelled, task.options.units)
    every, targets = len(targets), targets[: attribution.most(parameters, steps + len(ids))]
    ids = [i for i, r in zip(ids, rows, strict=True) if r < len(targets)]
    rows, before = rows[: len(ids)], before[: len(ids)]

    def model(parameters: Mapping[str, Any], given: Sequence[Any]) -> Any:
        memory = remember(parameters, given)
        own, at = _looked_up(parameters, given[-1])
        scores = task.model.decode(own, memory, at, task.model.fresh(own, memory))[0]
        odds = [log_odds(scores[:, j], int(i)) for j, i in enumerate(ids)]
        sums = [sum(o for o, r in zip(odds[1:], rows[1:], strict=True) if r == k) for k in range(len(targets))]
        sums[0] = sums[0] + odds[0]
        return namespace(scores).stack(sums, axis=1)

    vectors = run.parameters["embedding"][before]
    question = Question(
        model, parameters, [*inputs, vectors], [*owners, np.full(1, len(pieces))], steps=steps + len(ids)
    )
    attention = None
    if looks[: len(ids)].any():
        places = owners[0].reshape(-1)
        attention = np.zeros((len(targets), len(pieces) + 1))
        np.add.at(attention, (rows[:, None], places[None]), looks[: len(ids)])
        attention /= np.bincount(rows)[:, None]
    answer = task.predict(run.parameters, one)[0]
    return Asked(
        "text", answer, question, [*pieces, BEFORE], targets, [*gaps, ""], attention=attention, left=every - len(targets),
        about=one.place(0),
    )  # fmt: skip


#: How each kind of example that a text is written for is asked about.
WRITING = {"pair": translated, "photo": captioned}
