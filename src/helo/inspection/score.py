"""How likely a text is, symbol by symbol, and what was likelier: by the same stream with carried state as `helo eval`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helo import engines, reports
from helo.cells.functions import log_softmax
from helo.data.readers import given
from helo.data.readers.files import parted
from helo.data.symbols import Symbols
from helo.errors import HeloError, door
from helo.metrics import LOSS
from helo.models.language_model import LanguageModel
from helo.runs.run import Run
from helo.tasks.base import on
from helo.tasks.examples import ExampleTask
from helo.tasks.score import CODE_POINTS, Score, protocol

OTHERS = 3  # likelier symbols that are named beside one
WORST = 10  # most surprising symbols of a text that are kept
CONTEXT = 30  # symbols before one that are shown with it
ROOM = 1 << 24  # scores side by side, in numbers
BLOCK = 1024  # lines among which those of like length are sought


@dataclass(frozen=True)
class Stretch:
    """Symbols of a text one after the other: ids, nats, how many nats the model expected there (its entropy), rank among all
    symbols (1: the likeliest), each `(n,)`; others and likely `(n, OTHERS)`: which other symbols were likeliest, and how likely.
    The first symbol of a stream has nats NaN, rank 0 and nothing else: nothing came before it.
    """

    ids: np.ndarray
    nats: np.ndarray
    expected: np.ndarray
    rank: np.ndarray
    others: np.ndarray
    likely: np.ndarray


@dataclass
class TextScore:
    """What is kept of a text, however long it is. worst: (nats, at, symbol, what came before, others)."""

    name: str
    score: Score = field(default_factory=Score)
    worst: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self, how: str) -> dict[str, Any]:
        """nats in all, symbols, the figures of `helo eval` with nats per symbol as `nats_per_symbol`, and what surprised most."""
        figures = self.score.figures(how)
        each = figures.pop("nats")
        worst = {"surprising": self.worst} if self.worst else {}
        return {"text": self.name, "nats": self.score.total, "nats_per_symbol": each} | figures | worst


Callback = Callable[[int, Stretch], None]


@door
def score(run: Run, files: Any, lines: bool = False, on_stretch: Callback | None = None) -> list[dict[str, Any]]:
    """How likely texts are, one object each: nats (in all), symbols, nats_per_symbol, and for a language model the other
    figures of `evaluate`. files: one text each, from a fresh state (`-`: standard input); a folder is one text. lines: each
    line is a text, which begins behind a line end and ends with one. on_stretch: called with (which text, stretch) as they
    come, so that a text of any length can be written down. Texts that are given as data, {"text": texts} or a DataFrame, are as
    lines are.

    Of a model that answers, the files are as for training and a text is an example: how likely its own label or text is.
    """
    names = given.settled(files)
    if not names:
        raise HeloError("no files were given", expected="texts, or - for standard input")
    if (unit := reports.of(run.task).loss_unit) != "nats":
        raise HeloError(f"a model whose loss is {unit or 'a number without unit'}", expected="a loss in nats",
                        mend="helo eval", where=str(run.path))  # fmt: skip
    if not isinstance(run.task.model, LanguageModel):
        with run.computing():
            return _answers(run, names, lines)
    with engines.fastest(run.parameters) as parameters, run.computing():
        if lines or given.anything(names):
            return list(_lines(run, parameters, names, on_stretch))
        return list(_texts(run, parameters, names, on_stretch))


def _texts(run: Run, parameters: Any, names: Sequence[Any], on_stretch: Callback | None) -> Iterator[dict[str, Any]]:
    task: Any = run.task
    for number, name in enumerate(names):
        symbols = task.text(run.about["data"], [name])[0]
        title = "standard input" if str(name) == "-" else str(name)
        _check(task, symbols, title)
        found, before, at = TextScore(title), np.zeros(0, np.int64), 0
        for stretch in stream(task, parameters, symbols):
            _add(task, found, stretch, at, before)
            before = np.concatenate([before, stretch.ids])[-CONTEXT:]
            at += len(stretch.ids)
            if on_stretch is not None:
                on_stretch(number, stretch)
        yield found.to_json(protocol())


def _check(task: Any, symbols: Symbols, name: str) -> None:
    if len(symbols) < 2:
        units = task.options.units.removesuffix("s") if len(symbols) == 1 else task.options.units
        raise HeloError(f"a text of {len(symbols)} {units}", where=name,
                        expected="two or more: the second is predicted from the first")  # fmt: skip
    unknown = np.isin(symbols.ids, task.vocab.silent)
    # Every text ends with a line end, whatever it is written in.
    blanks = [i for i, s in enumerate(task.vocab.spelling) if s and not s.strip()]
    if unknown.any() and (unknown | np.isin(symbols.ids, blanks)).all():
        raise HeloError("no character of it is in the model's vocabulary", mend="give text like the training text",
                        where=name)  # fmt: skip


def stream(task: Any, parameters: Any, symbols: Symbols) -> Iterator[Stretch]:
    """A text as stretches, the first of one symbol, each from all before it with carried state."""
    n, none, unknown = len(symbols), np.zeros((1, 0)), np.full(1, np.nan)
    yield Stretch(symbols.take(np.zeros(1, np.int64), 1)[0], unknown, unknown, np.zeros(1, int), none.astype(int), none)
    state, step = None, max(16, min(4096, ROOM // len(task.vocab)))
    for t in range(0, n - 1, step):
        window = symbols.take(np.array([t]), min(step, n - 1 - t) + 1)
        scores, state = task.model.forward(parameters, engines.array(window[:, :-1], parameters["embedding"]), state)
        yield stretch_of(task, scores[0], window[0, 1:])


def stretch_of(task: Any, scores: Any, targets: np.ndarray) -> Stretch:
    """scores `(n, vocabulary)` of targets `(n,)`."""
    logs = engines.host(log_softmax(scores))
    each = np.arange(len(targets))
    own = logs[each, targets]
    nats = -own.astype(np.float64)
    if task.vocab.silent:  # which of all characters an unknown one is costs too
        nats = nats + np.isin(targets, task.vocab.silent) * math.log(CODE_POINTS - len(task.vocab))
    expected = -(np.exp(logs) * logs).sum(1, dtype=np.float64)
    rank = 1 + (logs > own[:, None]).sum(1)
    rest = logs.copy()
    rest[each, targets] = -np.inf
    rest[:, list(task.vocab.silent)] = -np.inf
    count = min(OTHERS, rest.shape[1] - 1)
    some = np.argpartition(-rest, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(rest, some, 1), axis=1, kind="stable")
    others = np.take_along_axis(some, order, 1)
    return Stretch(
        targets, nats, expected, rank, others, np.exp(np.take_along_axis(rest, others, 1).astype(np.float64))
    )


def _add(task: Any, found: TextScore, stretch: Stretch, at: int, before: np.ndarray, most: int = WORST) -> None:
    """Add a stretch to what is kept. at: symbols before it."""
    scored = ~np.isnan(stretch.nats)
    ids = stretch.ids[scored]
    width, characters = task.vocab.widths[ids].sum(0)
    unknown = int(np.isin(ids, task.vocab.silent).sum()) if task.vocab.silent else 0
    found.score += Score(float(stretch.nats[scored].sum()), len(ids), int(characters), int(width), unknown)
    joined = np.concatenate([before, stretch.ids])
    for i in np.argsort(-np.nan_to_num(stretch.nats), kind="stable")[:most]:
        if not scored[i]:
            continue
        end = len(before) + int(i)
        found.worst.append({
            "at": at + int(i) + 1, "text": spelled(task, int(stretch.ids[i])), "nats": float(stretch.nats[i]),
            "rank": int(stretch.rank[i]), "before": task.vocab.decode(joined[max(0, end - CONTEXT) : end]).decode(errors="ignore"),
            "likely": likely(task, stretch, int(i)),
        })  # fmt: skip
    found.worst = heapq.nsmallest(most, found.worst, key=lambda w: (-w["nats"], w["at"]))


def likely(task: Any, stretch: Stretch, i: int) -> list[dict[str, Any]]:
    """What else was likely in place of one symbol."""
    return [
        {"text": spelled(task, int(k)), "probability": float(p)}
        for k, p in zip(stretch.others[i], stretch.likely[i], strict=True)
        if p > 0
    ]


def spelled(task: Any, symbol: int) -> str:
    """A symbol as text; bytes that are no whole character as Python writes them."""
    return task.vocab.decode([symbol]).decode(errors="backslashreplace")


def _lines(run: Run, parameters: Any, names: Sequence[Any], on_stretch: Callback | None) -> Iterator[dict[str, Any]]:
    """Each line behind a line end, and with one; those of like length are read side by side."""
    task: Any = run.task
    start = task.start
    end = task.vocab.encode(b"\n", lenient=True).astype(np.int64)
    end = end if len(end) == 1 and end[0] == start else end[:0]  # a model that never saw a line end does not say one
    texts: list[str] = given.running(names) if given.anything(names) else []
    for name in () if texts else names:
        symbols = task.text(run.about["data"], [name])[0]
        _check(task, symbols, str(name))
        texts += parted(task.vocab.decode(symbols.ids).decode(errors="replace"))
    for first in range(0, len(texts), BLOCK):
        block = texts[first : first + BLOCK]
        ids = [np.concatenate([task.vocab.encode(t.encode(), lenient=True).astype(np.int64), end]) for t in block]
        stretches = apart(task, parameters, ids)
        for i, text in enumerate(block):
            found, at = TextScore(text), 0
            for stretch in stretches[i]:
                _add(task, found, stretch, at, ids[i][:at][-CONTEXT:], OTHERS)
                at += len(stretch.ids)
                if on_stretch is not None:
                    on_stretch(first + i, stretch)
            if found.score.symbols:
                yield {"line": first + i + 1} | found.to_json("each line from a state of zeros")


def apart(task: Any, parameters: Any, ids: Sequence[np.ndarray]) -> list[list[Stretch]]:
    """The stretches of lines, ids `(symbols,)` each, every line by itself; those of like length are read side by side."""
    stretches: list[list[Stretch]] = [[] for _ in ids]
    order = sorted((i for i in range(len(ids)) if len(ids[i])), key=lambda i: len(ids[i]))
    while order:
        rows = max(1, min(256, ROOM // (len(task.vocab) * len(ids[order[0]]))))
        _beside(task, parameters, {i: ids[i] for i in order[:rows]}, stretches)
        order = order[rows:]
    return stretches


def _beside(task: Any, parameters: Any, ids: dict[int, np.ndarray], stretches: list[list[Stretch]]) -> None:
    """Lines side by side, each behind the symbol that a text begins with; what is padding stands behind a line and reaches nothing
    of it.
    """
    longest = max(map(len, ids.values()))
    window = np.full((len(ids), longest + 1), task.start, np.int64)
    for row, own in enumerate(ids.values()):
        window[row, 1 : 1 + len(own)] = own
    state, step = None, max(1, ROOM // (len(task.vocab) * len(ids)))
    for t in range(0, longest, step):
        before = np.ascontiguousarray(window[:, t : min(longest, t + step)])
        scores, state = task.model.forward(parameters, engines.array(before, parameters["embedding"]), state)
        for row, (i, own) in enumerate(ids.items()):
            if len(some := own[t : t + step]):
                stretches[i].append(stretch_of(task, scores[row, : len(some)], some))


def _answers(run: Run, names: Sequence[Any], lines: bool) -> list[dict[str, Any]]:
    """How likely the labels or texts of examples are."""
    if lines or not isinstance(run.task, ExampleTask):
        raise HeloError(f"--lines with a model of the task {run.about['task']}", expected="a language model")
    task: Any = copy(run.task)
    examples = task.source.reload(task, run.about["data"], names)
    if hasattr(task, "weights"):
        task.weights = None  # they made training balanced, and are no part of a probability
    task.scoring = task.scoring.choose(LOSS)  # nothing is searched for
    encoded, targets = task.encode(examples), task.targets(examples)
    found = []
    for i in range(len(examples)):
        row = np.array([i])
        batch = on(encoded.batch(row) | task.target_batch(targets, row), next(iter(run.parameters.values())))
        loss, count = task.evaluate_batch(run.parameters, batch, True)[:2]
        nats, count = float(np.asarray(loss)), int(np.asarray(count))
        each = nats / max(1, count)
        found.append({"text": examples.place(i), "nats": nats, "symbols": count, "nats_per_symbol": each})
    return found
