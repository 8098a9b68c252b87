"""What is unusual: the lines of a text that a language model did not expect, the examples whose label a classifier doubts, and the
values of series that a forecaster did not expect (`surprise_series.py`).

A symbol costs -log p nats. What one at its place usually costs the model knows itself, its entropy H: a digit of a number drawn by
chance costs 2.3 nats and surprises nobody. What counts is the excess, max(0, -log p - H), and of a line

    nats = sqrt(sum of excess² / (symbols + SHORT))

so that one word that cannot be there shows in a long line too, and a short line needs more than a symbol or two.
"""

from __future__ import annotations

import heapq
import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo import engines
from helo.data.readers import files as reading
from helo.data.readers.text import Text, find
from helo.errors import HeloError, door
from helo.inspection import alarms
from helo.inspection.score import BLOCK, ROOM, Stretch, apart, spelled, stretch_of
from helo.inspection.several import reusable
from helo.inspection.surprise_series import Values
from helo.models.forecaster import Forecaster
from helo.models.language_model import LanguageModel
from helo.runs.run import Run
from helo.tasks.examples import ExampleTask

SHORT = 16  # symbols without surprise by which a line is taken to be longer
SYMBOLS = 1 << 16  # of lines that are read at a time
MOST = 200_000  # symbols of the run's validation text that a threshold is taken from
WORST = 3  # symbols of a line that are named
LEAST = 1e-30  # a probability that is taken for 0


@dataclass(frozen=True)
class Line:
    """A line of a text, or several in a row: how unusual it is. line, last: the number in its file, of the first and of the last
    line. ids, excess `(symbols,)`: of each symbol.
    """

    file: str
    line: int
    last: int
    text: str
    nats: float
    ids: np.ndarray = field(repr=False)
    excess: np.ndarray = field(repr=False)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.file}:{self.line}"

    @property
    def said(self) -> str:
        """What is said of it on a terminal."""
        return self.text

    def pieces(self, task: Any) -> list[str]:
        """What each symbol stands for; a character that the model does not know as it is written."""
        found, at, text = [], 0, self.text + "\n"
        for symbol in self.ids.tolist():
            piece = spelled(task, symbol)
            found.append(text[at : at + 1] if symbol in task.vocab.silent else piece)
            at += len(piece)
        return found

    def to_json(self, task: Any) -> dict[str, Any]:
        """line, nats, text, file, symbols, what surprised most, and the last line where there are several."""
        pieces = self.pieces(task)
        worst = [
            {"at": int(i) + 1, "text": pieces[i], "nats": float(self.excess[i])}
            for i in np.argsort(-self.excess, kind="stable")[:WORST]
            if self.excess[i] > 0
        ]
        several = {"last": self.last} if self.last > self.line else {}
        said = {"line": self.line, **several, "nats": self.nats, "text": self.text, "file": self.file}
        return said | {"symbols": len(self.ids), "surprising": worst}


@dataclass(frozen=True)
class Example:
    """An example: how much its own label surprises the model. nats: -log p of the label less the entropy, below 0 where the
    model would give it. label_probability: of its own label; answer: what the model says, and how likely that is.
    """

    place: str
    label: str
    nats: float
    label_probability: float
    answer: str
    probability: float
    text: str | None = None

    @property
    def said(self) -> str:
        """What is said of it on a terminal."""
        return f"{self.label}\t{self.answer} {self.probability:.2f}\t{self.text or ''}".rstrip()

    def to_json(self, task: Any) -> dict[str, Any]:
        """The fields by their names."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Surprise:
    """What was found, worst first. name: what is found, `lines`, `examples` or `values`; count: how many there are in all. threshold: above
    which one is an alarm, and how many are. figures: against labels.
    """

    name: str
    found: list[Any]
    count: int
    threshold: float | None = None
    alarms: int | None = None
    figures: dict[str, Any] | None = None
    early: int = 0  # values of series with too little before them to be judged

    def to_json(self, task: Any) -> dict[str, Any]:
        """The object of `helo surprise --json`."""
        limit = self.threshold
        said = [x.to_json(task) | ({} if limit is None else {"alarm": x.nats > limit}) for x in self.found]
        beside = {"threshold": limit, "alarms": self.alarms, "figures": self.figures, "not_judged": self.early or None}
        return {self.name: said, "count": self.count} | {n: v for n, v in beside.items() if v is not None}


@door
def surprise(
    run: Run,
    files: str | Path | Sequence[str | Path],
    *,
    lines: bool = False,
    window: int = 1,
    together: bool = False,
    false_alarms: float | None = None,
    valid: str | Path | Sequence[str | Path] = (),
    labels: str | Path | None = None,
    top: int | None = None,
) -> Surprise:
    """What is unusual in files, worst first: lines of texts by a language model, values of series by a forecaster,
    examples whose label a classifier doubts. files: of a classifier also none, which are those that it was validated on.

    lines: each line by itself; otherwise each after all before it. window: so many lines or values in a row are one. together: series are
    channels of one, whose nats are added up. false_alarms: the share
    of usual ones that may be above the threshold, which is taken from `valid`, or from the run's own validation data. labels: a
    file with a 1 (unusual) or a 0 for each line, example or value, to compare with. top: only so many are kept. Raises HeloError for a
    model that cannot say.
    """
    names = reading.listed(files)
    for name, value in (("lines", lines), ("together", together)):
        if not isinstance(value, bool | np.bool_):
            raise HeloError(f"{value!r:.80}", expected="True or False", where=f"--{name}")
    for name, value in (("window", window), ("top", 1 if top is None else top)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise HeloError(f"{value!r:.80}", expected="a whole number, 1 or more", where=f"--{name}")
    judge = judging(run, lines, window, together)
    if not names and not isinstance(judge, Labels):
        also = ", or - for standard input" if isinstance(judge, Lines) else ""
        raise HeloError("no files were given", expected=f"FILES like those of training{also}")
    if not isinstance(judge, Lines):
        reusable(names)
    with engines.fastest(run.parameters) as parameters, run.computing():
        limit = threshold(judge, parameters, false_alarms, valid)
        kept, every = [], []
        for number, one in enumerate(judge.read(parameters, names)):
            every.append(one.nats)
            item = (one.nats, -number, one)
            # Of windows that share a line only the worst one is shown, which is known at the end.
            if top is None or window > 1 or len(kept) < top:
                heapq.heappush(kept, item)
            else:
                heapq.heappushpop(kept, item)
    if not every:
        error = HeloError(f"no {judge.name}", expected="one or more") if not isinstance(judge, Values) else judge.none()
        error.where = ", ".join(map(str, names))
        raise error
    scores = np.array(every)
    found = judge.apart([x for *_, x in sorted(kept, reverse=True)])[:top]
    raised = None if limit is None else int((scores > limit).sum())
    figures = (
        None if labels is None else alarms.figures(judge.marks(Path(labels)), judge.each(scores), limit, judge.days)
    )
    early = judge.early if isinstance(judge, Values) else 0
    return Surprise(judge.name, found, len(every), limit, raised, figures, early)


def judging(run: Run, lines: bool = False, window: int = 1, together: bool = False) -> Lines | Labels | Values:
    """What judges by a run. Raises HeloError for a model that does not say how likely its input or its labels are."""
    task: Any = run.task
    if window < 1:
        raise HeloError(f"{window}", expected="1 or more", where="--window")
    if together and not isinstance(task.model, Forecaster):
        raise HeloError(f"--together with a model of the task {run.about['task']}", expected="a forecaster")
    if isinstance(task.model, LanguageModel):
        return Lines(run, lines or getattr(task.options, "lines", False), window)
    if isinstance(task.model, Forecaster):
        if lines:
            raise HeloError(f"--lines with a model of the task {run.about['task']}", expected="a language model")
        return Values(run, window, together)
    kinds = task.scoring.kinds if isinstance(task, ExampleTask) and task.source.labels == "example" else ()
    if not {"probabilities", "labels"} & set(kinds):
        raise HeloError(f"a model of the task {run.about['task']}", where=str(run.path),
                        expected="a language model, a forecaster, or a model that gives each example a label")  # fmt: skip
    if lines or window != 1:
        flag = "--lines" if lines else "--window"
        others = "" if lines else " or a forecaster"
        raise HeloError(f"{flag} with a model of the task {run.about['task']}", expected=f"a language model{others}")
    return Labels(run)


def threshold(
    judge: Lines | Labels | Values, parameters: Any, false_alarms: float | None, valid: Any = ()
) -> float | None:
    """Above which something is an alarm; None where nobody asked for one. Raises HeloError where too few are usual."""
    names = reading.listed(valid)
    if false_alarms is None:
        if names:
            raise HeloError("--valid without --false-alarms", expected="both: a threshold is taken from usual ones")
        return None
    alarms.check(false_alarms)
    try:
        usual = np.array([x.nats for x in judge.usual(parameters, names)])
    except HeloError as error:
        if not names:  # the run's own data are gone, or are others now
            error.mend = "give usual ones with --valid FILES"
        raise
    return alarms.threshold(usual, false_alarms, judge.name)


Cost = tuple[int, bytes, np.ndarray, np.ndarray]  # a line's number, its text, its ids, and the excess of each


class Lines:
    """Judges the lines of texts by a language model. Blank ones are read and not judged."""

    name = "lines"
    days = 0.0  # how long it took: nobody says

    def __init__(self, run: Run, alone: bool, window: int = 1):
        """alone: each line by itself, from a state of zeros. window: so many in a row are one."""
        self.run, self.task, self.alone, self.window = run, run.task, alone, window
        known = self._encoded(b"\n")
        self.end = (
            b"\n" if len(known) == 1 and known[0] == self.task.start else b""
        )  # a model without line ends says none
        self.returns = not np.isin(self._encoded(b"\r"), self.task.vocab.silent).any()
        self.numbers: list[list[int]] = []  # of the lines of each file that was read; 0: a blank one

    def _encoded(self, line: bytes) -> np.ndarray:
        return self.task.vocab.encode(line, lenient=True).astype(np.int64)

    # Where lines come from.

    def read(self, parameters: Any, names: Sequence[Any]) -> Iterator[Line]:
        """The lines of files, in order, each file from a fresh state; or so many in a row, from each line on."""
        for name in names:
            text = self._text([name])
            for file in text.files:
                title = "standard input" if str(name) == "-" else str(file)
                self.numbers.append([])
                yield from self._windows(title, self._costs(parameters, self._noted(text, file), SYMBOLS))

    def follow(self, parameters: Any, lines: Iterable[bytes]) -> Iterator[Line]:
        """Lines as they come, each judged before the next is waited for; what is no UTF-8 is a character never seen."""
        form, raw = self.task.options.normal_form, self.task.options.units == "bytes"

        def cleaned() -> Iterator[tuple[int, bytes]]:
            for number, line in enumerate(lines, 1):
                line = line.removesuffix(b"\n")
                text = "" if raw else line.decode(errors="replace")
                yield number, line if raw else (text if form == "none" else unicodedata.normalize(form, text)).encode()

        yield from self._windows("standard input", self._costs(parameters, cleaned(), 1))

    def usual(self, parameters: Any, names: Sequence[Any]) -> Iterator[Line]:
        """Lines of other files, or of the run's validation text; windows that share no line."""
        if names:
            lines = numbered(self._text(names))
        else:
            symbols, start = self.task.text(self.run.about["data"])
            text = self.task.vocab.decode(symbols.ids[start : start + MOST])
            whole = text.split(b"\n")
            # The first may have begun before, and the last may go on.
            lines = enumerate(whole if self.alone or start == 0 else whole[1:-1], 1)
        found = self._windows("", self._costs(parameters, lines, SYMBOLS))
        yield from (x for i, x in enumerate(found) if i % self.window == 0)

    def _noted(self, text: Text, file: Path) -> Iterator[tuple[int, bytes]]:
        """The lines of a file, with a note of which there are."""
        for number, line in numbered(replace(text, files=(file,))):
            self.numbers[-1].append(number if line.strip(b"\r") else 0)
            yield number, line

    def _text(self, names: Sequence[Any]) -> Text:
        raw = self.task.options.units == "bytes"
        return find(names, "none" if raw else self.task.options.normal_form, raw)

    # What they cost.

    def _costs(self, parameters: Any, lines: Iterable[tuple[int, bytes]], most: int) -> Iterator[Cost]:
        """Each line that is not blank with the excess of its symbols. most: symbols that are read at a time."""
        group, size = [], 0
        judge = self._alone if self.alone else Carried(self.task).read
        for number, line in lines:
            if not self.returns:
                line = line.removesuffix(b"\r")
            group.append((number, line, self._encoded(line + self.end)))
            size += len(group[-1][2])
            if size >= most or len(group) == BLOCK:
                yield from _joined(group, judge([ids for *_, ids in group], parameters))
                group, size = [], 0
        if group:
            yield from _joined(group, judge([ids for *_, ids in group], parameters))

    def _alone(self, ids: list[np.ndarray], parameters: Any) -> list[np.ndarray]:
        """The excess of each symbol of some lines, `(symbols,)` each, every line by itself."""
        found = apart(self.task, parameters, ids)
        return [np.concatenate([excess(s) for s in several] or [np.zeros(0)]) for several in found]

    def _windows(self, file: str, costs: Iterable[Cost]) -> Iterator[Line]:
        """Lines, or so many in a row; all lines of a file that has fewer."""
        row: list[Cost] = []
        whole = False
        for cost in costs:
            row = [*row[max(0, len(row) + 1 - self.window) :], cost]
            if whole := len(row) == self.window:
                yield self._line(file, row)
        if row and not whole:
            yield self._line(file, row)

    def _line(self, file: str, row: Sequence[Cost]) -> Line:
        ids, over = np.concatenate([r[2] for r in row]), np.concatenate([r[3] for r in row])
        nats = math.sqrt(float((over**2).sum()) / (len(over) + SHORT))
        text = b"\n".join(r[1] for r in row).decode(errors="replace")
        kept = ids.astype(self.task.vocab.dtype), over.astype(np.float32)
        return Line(file, row[0][0], row[-1][0], text, nats, *kept)

    # What is made of them.

    def apart(self, found: list[Line]) -> list[Line]:
        """Of windows, worst first, those that share no line with a worse one."""
        if self.window == 1:
            return found
        taken: set[tuple[str, int]] = set()
        kept: list[Line] = []
        for one in found:
            own = {(one.file, n) for n in range(one.line, one.last + 1)}
            if not own & taken:
                taken |= own
                kept.append(one)
        return kept

    def each(self, scores: np.ndarray) -> np.ndarray:
        """Of each line that was judged, the worst of the windows that have it."""
        count = sum(n > 0 for n in self.numbers[0])
        found = np.full(count, -np.inf)
        for k in range(count - len(scores) + 1):
            part = found[k : k + len(scores)]
            np.maximum(part, scores, out=part)
        return found

    def marks(self, path: Path) -> np.ndarray:
        """Of each line that was judged whether it is marked as unusual, `(lines,)`."""
        if len(self.numbers) > 1:
            raise HeloError(f"--labels with {len(self.numbers)} files", expected="one file")
        rows = alarms.marked(path, len(self.numbers[0]), self.name)
        return rows[np.array(self.numbers[0]) > 0]


def numbered(text: Text) -> Iterator[tuple[int, bytes]]:
    """The lines of a text without their ends, from 1."""
    number, rest = 0, b""
    for piece in text.pieces():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            number += 1
            yield number, line
    if rest:
        yield number + 1, rest


def excess(stretch: Stretch) -> np.ndarray:
    """What each symbol of a stretch costs beyond what the model expected there, 0 where it is less."""
    return np.maximum(stretch.nats - stretch.expected, 0)


def _joined(group: Sequence[tuple[int, bytes, np.ndarray]], over: Sequence[np.ndarray]) -> Iterator[Cost]:
    """Lines with what their symbols cost, without the blank ones."""
    for (number, line, ids), own in zip(group, over, strict=True):
        if line:
            yield number, line, ids, own


class Carried:
    """A text that is read line by line with carried state."""

    def __init__(self, task: Any):
        self.task, self.state, self.last = task, None, np.array([task.start], np.int64)

    def read(self, ids: Sequence[np.ndarray], parameters: Any) -> list[np.ndarray]:
        """The excess of each symbol of some lines, `(symbols,)` each."""
        joined = np.concatenate([self.last, *ids])
        before, after = joined[:-1], joined[1:]
        found, step = [np.zeros(0)], max(16, min(4096, ROOM // len(self.task.vocab)))
        for t in range(0, len(before), step):
            window = engines.array(before[None, t : t + step], parameters["embedding"])
            scores, self.state = self.task.model.forward(parameters, window, self.state)
            found.append(excess(stretch_of(self.task, scores[0], after[t : t + step])))
        self.last = joined[-1:]
        return np.split(np.concatenate(found), np.cumsum([len(i) for i in ids])[:-1])


class Labels:
    """Judges the labels of examples by a model that gives each one, or several."""

    name = "examples"
    days = 0.0

    def __init__(self, run: Run):
        self.run, self.task, self.count = run, copy(run.task), 0

    def read(self, parameters: Any, names: Sequence[Any]) -> Iterator[Example]:
        """The examples of files, in order; none: those on which the run was validated."""
        task: Any = self.task
        examples = task.source.reload(task, self.run.recorded(names), names)
        targets = task.targets(examples)
        answers = task.predict_batches(self.run.parameters, task.encode(examples))[2]
        given = task.predictions(answers, targets)
        p = np.clip(np.stack(answers).astype(np.float64), LEAST, 1 - 1e-12)
        one = "probabilities" in given.kinds
        right = np.asarray(given.kinds["probabilities" if one else "labels"][1])
        if one:
            own, expected = p[np.arange(len(p)), right], -(p * np.log(p)).sum(1)
            said = [[int(k)] for k in p.argmax(1)]
            sure = p.max(1)
        else:
            whether = np.where(right, p, 1 - p)
            own, expected = whether.prod(1), -(p * np.log(p) + (1 - p) * np.log1p(-p)).sum(1)
            said = [np.flatnonzero(row >= 0.5).tolist() for row in p]
            sure = np.maximum(p, 1 - p).prod(1)
        names_of = given.labels
        self.count += len(p)
        for i in range(len(p)):
            label = names_of[right[i]] if one else ", ".join(names_of[k] for k in np.flatnonzero(right[i]))
            answer = ", ".join(names_of[k] for k in said[i])
            nats = float(-np.log(max(own[i], LEAST)) - expected[i])
            text = x if isinstance(x := examples.inputs[i], str) else None
            yield Example(examples.place(i), label, nats, float(own[i]), answer, float(sure[i]), text)

    def usual(self, parameters: Any, names: Sequence[Any]) -> Iterator[Example]:
        """Other examples, or those on which the run was validated."""
        return Labels(self.run).read(parameters, names)

    def apart(self, found: list[Example]) -> list[Example]:
        """All of them."""
        return found

    def each(self, scores: np.ndarray) -> np.ndarray:
        """Of each example."""
        return scores

    def marks(self, path: Path) -> np.ndarray:
        """Of each example whether it is marked as unusual, `(examples,)`."""
        return alarms.marked(path, self.count, self.name)
