"""Why this answer: what of its input an answer of a trained model rests on.

What is explained is the log-odds of an answer, log p - log(1 - p), in nats: with two labels what speaks for one speaks
against the other by as much, and a model that is sure still shows what of. The pieces are what enters the recurrence: a
word (with all that its letters say), a symbol, a step of numbers, an utterance, a region of a picture; and a carried state,
or the words that were written so far, as a piece of its own.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from helo import engines, progress
from helo.cells.functions import log_softmax, namespace
from helo.data.dataset import Dataset
from helo.data.readers.files import text as file_text
from helo.data.vocab import Vocab
from helo.errors import HeloError, door, place
from helo.inputs.dialogue import Dialogue
from helo.inputs.pictures import Pictures
from helo.inputs.symbols import Symbols
from helo.inputs.vectors import Vectors
from helo.inputs.words import Words, tokens
from helo.inspection import attribution
from helo.inspection.attribution import Question, integrated, log_odds, tree
from helo.layers import part
from helo.runs.run import Run
from helo.runs.stream import Stream
from helo.tasks.caption import Caption
from helo.tasks.classify import Classify
from helo.tasks.lm import LM
from helo.tasks.tag import Tag
from helo.tasks.translate import Translate

WINDOW = 80  # symbols of a text that are pieces of their own; what came before is one piece
SEGMENTS = 8  # stretches of one label that are explained where no step is asked for
APART = 16  # features of a step that are pieces of their own; of more a step is one
MASKED = 64  # windows of a long series, or patches of a picture, that are masked in turn
LABELS = 12  # of a sequence that stand in a heading
LIKELY = 3  # symbols that are named beside the one that stands there
BEFORE = "(before)"  # the piece that is a carried state, or what was written so far
WHOLE = "(the whole picture)"
BASELINES = ("zero", "mean", "unknown")


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


@dataclass
class Explained:
    """An answer and what it rests on: attributions `(targets, pieces)` or None, occlusion `(targets, patches)`."""

    asked: Asked
    found: attribution.Attribution | None
    occlusion: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """The answer as `predict` gives it, and in nats of log-odds: attributions, occlusion, and how far the former are
        from complete; of several targets their sum, and `targets`, each by itself.
        """
        asked, found = self.asked, self.found
        out = dict(asked.answer)
        every = None if found is None else found.values.sum(0)
        out |= self._said(every, self.occlusion.sum(0), None)
        if len(asked.targets) > 1 or "labels" in asked.answer or "score" in asked.answer:
            out["targets"] = []
            for k, name in enumerate(asked.targets):
                values = None if found is None else found.values[k]
                one = {"text": name} | self._said(values, self.occlusion[k], k)
                if asked.attention is not None:
                    one["attention"] = asked.attention[k].round(5).tolist()
                out["targets"].append(one)
        else:
            out["explains"] = asked.targets[0]
        return out

    def _said(self, values: np.ndarray | None, occlusion: np.ndarray, target: int | None) -> dict[str, Any]:
        asked, found = self.asked, self.found
        out: dict[str, Any] = {"attributions": [] if values is None else _named(asked.pieces, values)}
        out["occlusion"] = _named(asked.patches or asked.pieces, occlusion)
        out["completeness_error"] = None if found is None else found.error(target)
        if found is not None:
            each = slice(None) if target is None else target
            out |= {"log_odds": float(found.score[each].sum()), "log_odds_baseline": float(found.baseline[each].sum())}
        return out

    def shown(self, name: str) -> str:
        """The name of a piece on one line."""
        return name if name.strip() and name.isprintable() else repr(name)

    def line(self) -> str:
        """The answer for a terminal, in one line."""
        answer, targets = self.asked.answer, self.asked.targets
        if "at" in answer:
            others = ", ".join(f"{self.shown(x['text'])} {x['probability']:.3f}" for x in answer["likely"])
            return f"{self.shown(answer['text'])} with probability {answer['probability']:.3f}; likeliest: {others}"
        if "probabilities" in answer:
            return ", ".join(f"{t} with probability {answer['probabilities'][t]:.3f}" for t in targets)
        if "text" in answer:
            return answer["text"]
        labels = answer["labels"]
        return " ".join(labels[:LABELS]) + (f" … ({len(labels):,} labels)" if len(labels) > LABELS else "")


def _named(names: Sequence[str], values: np.ndarray) -> list[dict[str, Any]]:
    return [{"text": n, "value": float(v)} for n, v in zip(names, values, strict=True)]


def asked(run: Run, files: Sequence[str], standard_input: Callable[[], str]) -> Any:
    """What a person asks about, out of files or standard input (`-`), as `explain` takes it: examples, a line each where they
    stand in standard input; or for a language model the whole text, without the line ends at its end.
    """
    if not isinstance(run.task, LM):
        return run.lines(standard_input()) if list(files) == ["-"] else run.examples(files)
    if len(files) > 1:
        raise HeloError(f"{len(files)} files", expected="one text", where="FILES")
    text = standard_input() if files[0] == "-" else file_text(Path(files[0]))
    return text.rstrip("\r\n")


def flawed(found: Sequence[Explained]) -> list[str]:
    """What has to be said of explanations, a line each."""
    said = []
    if any(f.found is None for f in found):
        said.append(
            "occlusion alone: for integrated gradients over so much torch is needed (pip install 'helo[train]')"
        )
    if left := max(f.asked.left for f in found):
        said.append(f"of an answer the first words or steps are explained, and up to {left:,} more are not")
    worst = max((f.found.error() for f in found if f.found is not None), default=0.0)
    if worst > 0.01:
        said.append(f"the attributions miss up to {100 * worst:.1f} % of what they should add up to")
    return said


@door
def explain(
    run: Run,
    source: Any,
    label: str | None = None,
    step: int | None = None,
    at: int | None = None,
    window: int | None = None,
    baseline: str = "zero",
    stream: Stream | None = None,
) -> list[Explained]:
    """What each answer rests on. source: as for `Run.predict`; for a language model a text, of which one symbol is
    explained, by default the last.

    label: another answer than the model's own (another symbol than the one that stands there). step: of a tagger, from 1.
    at, window: of a language model: which symbol, from 1, and so many before it as pieces of their own. baseline: what a
    piece is compared with: `zero` (vectors of zeros; of numbers the mean of training), `mean` (of all word vectors),
    `unknown` (the vector of an unknown word). stream: of a language model, where the text goes on from.

    Raises HeloError for what the model does not know, or has no such view of.
    """
    if baseline not in BASELINES:
        raise HeloError(f"{baseline}", expected=f"one of {', '.join(BASELINES)}", where="--baseline")
    task = run.task
    for flag, value, kind in (("step", step, Tag), ("at", at, LM), ("window", window, LM), ("state", stream, LM)):
        if value is not None and not isinstance(task, kind):
            raise HeloError(
                f"a model of the shape {run.about['task']}",
                expected=f"a {'tagger' if kind is Tag else 'language model'}",
                where=f"--{flag}",
            )
    if isinstance(task, LM):
        asked = [_written(run, source, label, at, WINDOW if window is None else window, baseline, stream)]
    elif isinstance(task, Classify | Tag):
        examples = task.given(source)
        asked = [_labelled(run, examples, i, label, step, baseline) for i in range(len(examples))]
    elif isinstance(task, Translate | Caption):
        if label is not None:
            raise HeloError(
                f"a model of the shape {run.about['task']}",
                expected="one that chooses among labels",
                where="--label",
            )
        if baseline != "zero":
            raise HeloError(
                f"{baseline}, of a model of the shape {run.about['task']}", expected="zero", where="--baseline"
            )
        examples = task.given(source)
        ask = _translated if isinstance(task, Translate) else _seen
        asked = [ask(run, examples.take(np.array([i]))) for i in range(len(examples))]
    else:
        raise HeloError(
            f"a {run.about['task']} model", expected="one of another shape: of it there is no such view yet"
        )
    if not asked:
        raise HeloError("nothing to explain", expected="one example or more", where="input")
    attribution.ready(len(asked))
    out = []
    for a in asked:
        out.append(_answered(a))
        if len(asked) > attribution.FEW:
            progress.tell("explained", len(out), len(asked))
    return out


def _answered(asked: Asked) -> Explained:
    size = asked.question.joined()
    if size > 1:
        names = asked.patches or asked.pieces
        several = [names[i : i + size] for i in range(0, len(names), size)]
        asked.patches = [n[0] if len(n) == 1 else f"{n[0]} to {n[-1]}" for n in several]
    return Explained(asked, integrated(asked.question), asked.question.occluded())


# Labels: of a whole, or of its steps.


class _Given:
    """In the place of a form of input: the vectors are given."""

    def __init__(self, form: Any):
        self.sequence = form.sequence

    def forward(self, parameters: Any, batch: Mapping[str, Any], cell: Any, noise: Any) -> Any:
        return batch["given"]


def _labelled(run: Run, examples: Dataset, row: int, label: str | None, step: int | None, baseline: str) -> Asked:
    task, one = run.task, examples.take(np.array([row]))
    where, x = examples.place(row), examples.inputs[row]
    answer = task.predict(run.parameters, one)[0]
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("nothing", expected="a word or more", where=where)
    form = task.form
    given = form.forward(part(run.parameters, "input"), encoded.batch(np.zeros(1, np.int64)), task.model.cell, None)[0]
    tagger = isinstance(task, Tag)
    if label is not None and label not in task.labels:
        shown = ", ".join(task.labels[:12]) + (", …" if len(task.labels) > 12 else "")
        raise HeloError(f"{label!r} is none of the model's labels", expected=f"one of {shown}", where="--label")
    if tagger:
        chosen = _steps(task, one, task.predict_batches(run.parameters, encoded)[2][0], answer, label, step)
    else:
        chosen = _labels(task, answer, label)
    parameters = {n: p for n, p in run.parameters.items() if not n.startswith("input.")}
    steps = len(given) if form.sequence else 1
    every, chosen = len(chosen), chosen[: attribution.most(parameters, steps)]
    inside = copy(task)
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

    asked = _pieces(task, x, given, examples)
    question = Question(
        model, parameters, [given], asked.pop("owners"), [_baseline(run, form, given, baseline)], asked.pop("masks", ()), steps
    )  # fmt: skip
    names = [name for name, _ in chosen]
    return Asked(answer=answer, question=question, targets=names, left=every - len(names), about=where, **asked)


def _labels(task: Classify, answer: Mapping[str, Any], label: str | None) -> list[tuple[str, list[tuple[int, int]]]]:
    if label is not None:
        names = [label]
    elif task.many:
        likely = answer["probabilities"]
        names = answer["labels"] or [max(likely, key=likely.get)]
    else:
        names = [answer["label"]]
    return [(n, [(0, task.labels.index(n))]) for n in names]


def _steps(
    task: Tag, one: Dataset, ids: np.ndarray, answer: Mapping[str, Any], label: str | None, step: int | None
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


def _pieces(task: Any, x: Any, given: np.ndarray, examples: Dataset) -> dict[str, Any]:
    """The pieces of one example, as `Asked` and `Question` have them. given: its vectors, `(time, width)` or `(width,)`."""
    form, n = task.form, len(given)
    if isinstance(form, Words | Symbols):
        if isinstance(form, Words):
            words = tokens(x) if isinstance(x, str) else list(x)
        else:
            words = _spelled(form.vocab, form.encode(Dataset("text", [x], None, examples.place)).ids[0])
        gaps = [" "] * n if not isinstance(x, str) else _gaps(x, words) if isinstance(form, Words) else [""] * n
        return {"kind": "text", "pieces": words, "gaps": gaps, "owners": [np.arange(n)[:, None]]}
    if isinstance(form, Dialogue):
        said = [f"{who}: {text}" if who else text for who, text in x]
        return {"kind": "text", "pieces": said, "gaps": ["\n"] * n, "owners": [np.arange(n)[:, None]]}
    if isinstance(form, Pictures):
        height, width = form.shape[:2]
        pixels = np.arange(height * width)
        down, right = (max(1, -(-side // round(MASKED**0.5))) for side in (height, width))
        rows, columns = pixels // width // down, pixels % width // right
        across = -(-width // right)
        names = [f"row {i // width + 1}, column {i % width + 1}" for i in pixels]
        patches = [
            f"rows {a * down + 1} to {min(height, (a + 1) * down)}, columns {b * right + 1} to {min(width, (b + 1) * right)}"
            for a in range(-(-height // down))
            for b in range(across)
        ]
        channels = given.size // len(pixels)
        owner, mask = (np.repeat(o, channels).reshape(given.shape) for o in (pixels, rows * across + columns))
        return {
            "kind": "picture", "pieces": names, "patches": patches, "owners": [owner], "masks": [mask],
            "shape": (height, width), "shown": np.asarray(_pictured(form, x)),
        }  # fmt: skip
    numbers = form.numbers if isinstance(form, Vectors) else form
    features = len(numbers.mean)
    names = numbers.names or [f"feature {i + 1}" for i in range(features)]
    column = np.arange(given.shape[-1]) % features  # a missing value has a number of its own, behind all others
    if isinstance(form, Vectors):
        return {
            "kind": "numbers",
            "pieces": list(names),
            "owners": [column],
            "shape": (1, features),
            "shown": np.asarray(x)[None],
        }
    if features > APART:
        names, features, column = [""], 1, np.zeros_like(column)
    steps = np.arange(n)[:, None]
    pieces = [
        " ".join(filter(None, (f"step {t + 1}", name if features > 1 else ""))) for t in range(n) for name in names
    ]
    size = -(-n // MASKED)
    masks = [f"step {a + 1}" if size == 1 else f"steps {a + 1} to {min(n, a + size)}" for a in range(0, n, size)]
    return {
        "kind": "series", "pieces": pieces, "patches": masks, "owners": [steps * features + column], "masks": [steps // size],
        "shape": (n, features), "shown": np.asarray(x),
    }  # fmt: skip


def _pictured(form: Pictures, x: Any) -> np.ndarray:
    from helo.data.readers.images import fitted

    x = np.asarray(x)
    return x if x.shape == form.shape else fitted(x, form.shape)


def _gaps(text: str, words: Sequence[str]) -> list[str]:
    """What stands before each word of a text."""
    import unicodedata

    text, at, gaps = unicodedata.normalize("NFC", text), 0, []
    for word in words:
        found = text.index(word, at)
        gaps.append(text[at:found])
        at = found + len(word)
    return gaps


def _spelled(vocab: Vocab, ids: Any) -> list[str]:
    return [vocab.decode([int(i)]).decode(errors="backslashreplace") for i in ids]


def _baseline(run: Run, form: Any, given: np.ndarray, name: str) -> np.ndarray:
    """What the vectors of an example are compared with."""
    table = run.parameters.get("input.embedding")
    if name == "zero":
        return np.zeros(())
    if table is None:
        raise HeloError(
            f"{name}, of what has no word vectors", expected="zero, which is the mean of training", where="--baseline"
        )
    if name == "unknown" and not isinstance(form, Words) and 0 not in form.vocab.silent:
        raise HeloError("unknown, of a model without an unknown symbol", expected="zero or mean", where="--baseline")
    row = table[0] if name == "unknown" else table.mean(0)
    return np.concatenate([row, np.zeros(given.shape[-1] - len(row))])  # of letters that are not there nothing is said


# The next symbol of a text.


def _written(
    run: Run, text: Any, label: str | None, at: int | None, window: int, baseline: str, stream: Stream | None
) -> Asked:
    task: LM = run.task
    if not isinstance(text, str):
        raise TypeError(f"{text!r:.80} is no text")
    ids = task.encode(text).astype(np.int64)
    state: Any = None
    lead = np.zeros(0, np.int64) if stream is None else stream.last[:1]  # it was not read yet
    if stream is not None and stream.state is not None:
        state = tuple(tuple(s[:1] for s in layer) for layer in stream.state)
    first = 1 if len(lead) else 2
    if len(ids) < first:
        raise HeloError(
            f"a text of {len(ids)} {task.options.units.removesuffix('s') if len(ids) == 1 else task.options.units}",
            expected="one or more" if len(lead) else "two or more: the last follows from the others",
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
        raise HeloError("unknown, of a model without an unknown symbol", expected="zero or mean", where="--baseline")
    parameters = {n: p for n, p in run.parameters.items() if n != "embedding"}
    carried = int(state is not None)
    question = Question(
        model, parameters, [vectors, *flat], [np.arange(carried, carried + len(near))[:, None], *(np.zeros((), int) for _ in flat)],
        [base, *(np.asarray(s[0]) for layer in task.model.zero_state(run.parameters, 1) for s in layer)][: 1 + len(flat)], (), len(near),
    )  # fmt: skip
    scores = np.asarray(task.model.forward(run.parameters, near[None], state)[0][0, -1], np.float64)
    logs = log_softmax(scores)
    likely = [int(i) for i in np.argsort(-logs, kind="stable") if i not in task.vocab.silent][:LIKELY]
    name = _spelled(task.vocab, [target])[0]
    answer = {
        "text": name, "at": at, "nats": float(-logs[target]), "probability": float(np.exp(logs[target])),
        "likely": [{"text": _spelled(task.vocab, [i])[0], "probability": float(np.exp(logs[i]))} for i in likely],
    }  # fmt: skip
    pieces = [BEFORE] * carried + _spelled(task.vocab, near)
    return Asked("text", answer, question, pieces, [name], [""] * len(pieces))


def _looked_up(parameters: Mapping[str, Any], xs: Any) -> tuple[dict[str, Any], Any]:
    """Parameters and ids such that the model looks up just these vectors `(n, time, width)`."""
    n, time, width = xs.shape
    ids = np.arange(n * time).reshape(n, time)
    return dict(parameters) | {"embedding": xs.reshape(n * time, width)}, engines.array(ids, xs)


# Texts for texts and for pictures.


def _translated(run: Run, one: Dataset) -> Asked:
    task: Translate = run.task
    encoded = task.encode(one)
    if encoded.lengths[0] == 0:
        raise HeloError("nothing", expected="a text", where=one.place(0))
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
    owners, pieces, gaps = _words(spelled, task.options.units)
    looks = task.attention_weights(run.parameters, memory, encoded.lengths, [symbols])[0]
    return _writing(
        run, one, symbols, [task.text([i]) for i in finished], remember, [vectors], [owners[:, None]], pieces, gaps,
        looks, len(source),
    )  # fmt: skip


def _seen(run: Run, one: Dataset) -> Asked:
    task: Caption = run.task
    if task.model.attention == "none":
        raise HeloError(
            "a model without attention sees the picture as one", expected="one that was trained with --attention soft"
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
        run, one, symbols, _spelled(task.vocab, symbols), remember, [memory[0][0], memory[3][0]],
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
    rows, targets, _ = _words(spelled, task.options.units)
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


def _words(spelled: Sequence[str], units: str) -> tuple[np.ndarray, list[str], list[str]]:
    """Symbols that are parts of words as whole words: which word each belongs to, the words, and what stands before each."""
    owners, words, gaps = [], [], []
    for piece in spelled:
        bare = piece.strip()
        joins = bool(words) and not words[-1]  # what came before was blank
        if units in ("subwords", "words") and not joins and words:
            joins = piece[:1] == bare[:1] and words[-1][-1].isalnum() and bare[:1].isalnum()
        if not joins:
            words.append("")
            gaps.append("")
        if not words[-1]:
            gaps[-1] += piece[: len(piece) - len(piece.lstrip())]
        words[-1] += bare
        owners.append(len(words) - 1)
    return (
        np.array(owners),
        [w or g for w, g in zip(words, gaps, strict=True)],
        [g if w else "" for w, g in zip(words, gaps, strict=True)],
    )
