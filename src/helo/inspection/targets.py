"""What is explained of an answer, as a function of what enters the recurrence of a model, a kind of model each.

answer_request(run, examples, …)         a label, of a whole or of its steps; or a number
symbol_request(run, text, …)             the next symbol of a text
translation_request, caption_request     each word of a text that is written for another, or for a picture
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data.dataset import Dataset
from helo.errors import HeloError, place
from helo.inputs.words import Words
from helo.inspection import attribution
from helo.inspection.attribution import Forward, log_odds, tree
from helo.inspection.features import baseline_of, features_of, texts_of, words_of
from helo.layers import part, proportions
from helo.models.tagger import Tagger
from helo.runs.run import Run
from helo.runs.stream import Stream

SEGMENTS = 8  # stretches of one label that are explained where no step is given
LIKELY = 3  # symbols that are named beside the one that stands there
BEFORE = "(before)"  # the feature that is a carried state, or what was written so far
WHOLE = "(the whole picture)"


@dataclass
class Request:
    """An answer, and the function whose attributions explain it. kind: text, series, numbers, picture, or regions of one.

    features, patches: their names (of `Forward.feature_mask` and `patch_mask`); gaps: what stands before each feature in
    running text; targets: what is explained, each by itself; attention `(targets, features)`, where the model has some.
    """

    kind: str
    answer: dict[str, Any]
    forward: Forward
    features: list[str]
    targets: list[str]
    gaps: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    attention: np.ndarray | None = None
    shape: tuple[int, ...] = ()  # of the features, where they lie in rows: (steps, numbers), (height, width)
    display: Any = None  # what a person sees: numbers `(steps, numbers of each)`, pixels, a photo
    omitted: int = 0  # targets that are not explained, since there are so many
    crop: bool = False  # of a photo its middle square alone was read
    place: str = ""  # of the example, for a person
    measure: str = "log-odds"  # what is explained, and its unit
    unit: str = "nats"


# Labels, of a whole or of its steps, and numbers.


def answer_request(
    run: Run, examples: Dataset, row: int, label: str | None, step: int | None, baseline: str
) -> Request:
    """Of an example's label, or of those of its steps; or of the median of each of its numbers, in their own unit."""
    task, one = run.task, replace(examples.take(np.array([row])), folds=None)  # the answer of all networks
    where, x = examples.place(row), examples.inputs[row]
    answer = task.predict(run.parameters, one)[0]
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("an empty input", expected="at least one word", where=where)
    form, fine = task.form, None if (found := getattr(encoded, "fine", None)) is None else found[0]
    vectors = form.forward(part(run.parameters, "input"), encoded.batch(np.zeros(1, np.int64)), task.model.cell, None)[
        0
    ]
    tagger = isinstance(task.model, Tagger)
    numeric = not hasattr(task, "labels")
    if label is not None and not numeric and label not in task.labels:
        known = ", ".join(task.labels[:12]) + (", …" if len(task.labels) > 12 else "")
        raise HeloError(f"unknown label {label!r}", expected=f"one of {known}", where="--label")
    if numeric:
        chosen = [(name, [(0, k)]) for k, name in enumerate(task.names)]
    elif tagger:
        chosen = _step_targets(task, one, task.predict_batches(run.parameters, encoded)[2][0], answer, label, step)
    else:
        chosen = _label_targets(task, answer, label)
    parameters = {n: p for n, p in run.parameters.items() if not n.startswith("input.")}
    steps = len(vectors) if form.sequence else 1
    count, chosen = len(chosen), chosen[: attribution.max_targets(parameters, steps)]
    inside = copy(task.model)
    # In the place of the form of input: the vectors are there already.
    inside.form = SimpleNamespace(sequence=form.sequence, forward=lambda parameters, batch, cell, noise: batch["xs"])

    def model(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs = inputs[0]
        batch = {"xs": xs, "lengths": engines.array(np.full(len(xs), steps), xs)}
        if fine is not None:
            whole = inputs[1]
            batch["proportions"] = proportions.of(whole, engines.array(np.full(len(xs), whole.shape[1]), whole))
        scores = inside.forward(parameters, batch)

        def odds(t: int, y: int) -> Any:
            if numeric:
                return scores[:, y * task.distribution.size + task.distribution.median] * float(task.std[y]) + float(
                    task.mean[y]
                )
            own = scores[:, t] if tagger else scores
            return own[:, y] if not tagger and task.many else log_odds(own, y)

        return namespace(xs).stack([sum(odds(t, y) for t, y in several) for _, several in chosen], axis=1)

    request = features_of(task, x, vectors, examples)
    base, masks = [baseline_of(run, form, vectors, baseline)], request.pop("feature_mask")
    patches, read, beside = request.pop("patch_mask", ()), [vectors], (0, 0)
    if fine is not None:  # the same steps once more, as those see them that search for patterns
        read, base, beside = [vectors, fine], [*base, np.zeros(())], proportions.cost(len(fine), fine.shape[1] // 2)
        at = np.arange(len(fine)) * steps // len(fine)
        masks, patches = ([m, np.broadcast_to(m, vectors.shape)[at][:, : fine.shape[1]]] for (m,) in (masks, patches))
    forward = Forward(model, parameters, read, masks, base, patches, steps, beside)
    names = [name for name, _ in chosen]
    found = Request(answer=answer, forward=forward, targets=names, omitted=count - len(names), place=where, **request)
    return replace(found, measure="median", unit="") if numeric else found


def _label_targets(task: Any, answer: Mapping[str, Any], label: str | None) -> list[tuple[str, list[tuple[int, int]]]]:
    if label is not None:
        names = [label]
    elif task.many:
        likely = answer["probabilities"]
        names = answer["labels"] or [max(likely, key=likely.get)]
    else:
        names = [answer["label"]]
    return [(n, [(0, task.labels.index(n))]) for n in names]


def _step_targets(
    task: Any, one: Dataset, ids: np.ndarray, answer: Mapping[str, Any], label: str | None, step: int | None
) -> list[tuple[str, list[tuple[int, int]]]]:
    """What is explained of a sequence, (name, [(step, label), …]): the step that is given; else each span; else each word;
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


def symbol_request(
    run: Run, text: Any, label: str | None, at: int | None, window: int, baseline: str, stream: Stream | None
) -> Request:
    """Of a symbol of a text: the at-th, or another in its place."""
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
            symbols = task.encode(label)
        if len(symbols) != 1:
            raise HeloError(f"{label!r} is {len(symbols)} {task.options.units}", expected="one", where="--label")
        target = int(symbols[0])
    read = np.concatenate([lead, ids[: at - 1]])
    earlier, near = read[:-window], read[-window:]
    for t in range(0, len(earlier), 1024):
        state = task.model.forward(run.parameters, earlier[None, t : t + 1024], state)[1]
    flat = [np.asarray(s[0]) for layer in state or () for s in layer]
    table = run.parameters["embedding"]
    vectors = table[near]

    def model(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs, states = inputs[0], None if state is None else tree(inputs[1:], state)
        # The scores of the last symbol alone are needed: for all before it the head has no rows.
        headless = dict(parameters) | {n: parameters[n][:0] for n in ("head.weight", "head.bias")}
        if len(near) > 1:
            states = task.model.forward(*_embedded(headless, xs[:, :-1]), states)[1]
        scores = task.model.forward(*_embedded(parameters, xs[:, -1:]), states)[0][:, 0]
        return log_odds(scores, target)[:, None]

    base = {"zero": np.zeros(table.shape[1]), "mean": table.mean(0), "unknown": table[0]}[baseline]
    if baseline == "unknown" and 0 not in task.vocab.silent:
        raise HeloError("unknown, with a model that has no unknown symbol", expected="zero or mean", where="--baseline")
    parameters = {n: p for n, p in run.parameters.items() if n != "embedding"}
    carried = int(state is not None)
    forward = Forward(
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
    features = [BEFORE] * carried + texts_of(task.vocab, near)
    return Request("text", answer, forward, features, [name], [""] * len(features))


def _embedded(parameters: Mapping[str, Any], xs: Any) -> tuple[dict[str, Any], Any]:
    """Parameters and ids such that the model looks up just these vectors `(n, time, width)`."""
    n, time, width = xs.shape
    ids = np.arange(n * time).reshape(n, time)
    return dict(parameters) | {"embedding": xs.reshape(n * time, width)}, engines.array(ids, xs)


# Texts for texts and for pictures.


def translation_request(run: Run, one: Dataset) -> Request:
    """Of each word of a translation."""
    task: Any = run.task
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("an empty input", expected="a text", where=one.place(0))
    batch = encoded.batch(np.zeros(1, np.int64))
    memory = task.model.memory(run.parameters, batch)
    beam = task.search(run.parameters, memory, task.most(batch), 5)
    symbols = beam[0][0].symbols
    finished = task.finished(run.parameters, memory, batch, beam)[0][0].symbols
    source = encoded.ids[0]
    strangers = encoded.strangers[0]
    vectors = run.parameters["embedding"][source]

    def remember(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        xs = inputs[0]
        own, ids = _embedded(parameters, xs)
        return task.model.memory(own, {"ids": ids, "lengths": engines.array(np.full(len(xs), len(source)), xs)})

    spelled = [task.text([i]) for i in np.where(strangers > 0, task.model.symbols + strangers, source)]
    words, names, gaps = words_of(spelled, task.options.units)
    weights = task.attention_weights(run.parameters, memory, [symbols])[0]
    finished = [task.text([i]) for i in finished]
    return _text_request(
        run, one, symbols, finished, remember, [vectors], [words[:, None]], names, gaps, weights, len(source)
    )


def caption_request(run: Run, one: Dataset) -> Request:
    """Of each word of a picture's caption."""
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

    names = [f"row {i // side + 1}, column {i % side + 1}" for i in range(places)] + [WHOLE]
    weights = task.attention_weights(run.parameters, memory, [symbols])[0]
    request = _text_request(
        run, one, symbols, texts_of(task.vocab, symbols), remember, [memory[0][0], memory[3][0]],
        [np.arange(places)[:, None], np.full(1, places)], names, [""] * len(names), weights, 1,
    )  # fmt: skip
    request.kind, request.shape, request.display = "regions", (side, side), one.inputs[0]
    request.crop = getattr(task.model.encoder, "fit", "") == "crop"
    return request


def _text_request(
    run: Run,
    one: Dataset,
    symbols: list[int],
    spelled: list[str],
    remember: Callable[[Mapping[str, Any], Sequence[Any]], Any],
    inputs: list[np.ndarray],
    feature_mask: list[np.ndarray],
    features: list[str],
    gaps: list[str],
    weights: np.ndarray,
    steps: int,
) -> Request:
    """Of each word that was written: what of a memory's inputs, and of what was written before it, it rests on."""
    task = run.task
    ids = symbols or [task.end]
    spelled = spelled or ["(end)"]
    before = np.array([task.begin, *ids[:-1]])
    parameters = {n: p for n, p in run.parameters.items() if not n.startswith("encoder.")}
    rows, targets, _ = words_of(spelled, task.options.units)
    count, targets = len(targets), targets[: attribution.max_targets(parameters, steps + len(ids))]
    ids = [i for i, r in zip(ids, rows, strict=True) if r < len(targets)]
    rows, before = rows[: len(ids)], before[: len(ids)]

    def model(parameters: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
        memory = remember(parameters, inputs)
        own, at = _embedded(parameters, inputs[-1])
        scores = task.model.decode(own, memory, at, task.model.fresh(own, memory))[0]
        odds = [log_odds(scores[:, j], int(i)) for j, i in enumerate(ids)]
        sums = [sum(o for o, r in zip(odds[1:], rows[1:], strict=True) if r == k) for k in range(len(targets))]
        sums[0] = sums[0] + odds[0]
        return namespace(scores).stack(sums, axis=1)

    vectors = run.parameters["embedding"][before]
    mask = [*feature_mask, np.full(1, len(features))]
    forward = Forward(model, parameters, [*inputs, vectors], mask, steps=steps + len(ids))
    attention = None
    if weights[: len(ids)].any():
        attention = np.zeros((len(targets), len(features) + 1))
        np.add.at(attention, (rows[:, None], feature_mask[0].reshape(1, -1)), weights[: len(ids)])
        attention /= np.bincount(rows)[:, None]
    answer = task.predict(run.parameters, one)[0]
    return Request(
        "text", answer, forward, [*features, BEFORE], targets, [*gaps, ""], attention=attention,
        omitted=count - len(targets), place=one.place(0),
    )  # fmt: skip


#: What is explained of a text that is written for each kind of example.
GENERATION = {"pair": translation_request, "photo": caption_request}
