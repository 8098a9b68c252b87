"""What a model's units hold while it reads: the memory of every recurrent layer, step by step, beside what stands there.

A `Reading` is rows of steps: the stretches of one text, read side by side, or one example a row. A `Trace` of it is the
memory of one recurrent layer in one direction. From NumPy alone.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array, log_softmax
from helo.data.buckets import in_order
from helo.engines import Tap, tapped
from helo.engines.tap import now
from helo.errors import HeloError
from helo.inputs.words import Words, tokens
from helo.layers import stack
from helo.runs.run import Run
from helo.tasks.base import ExampleTask
from helo.tasks.lm import LM
from helo.tasks.writing import WritingTask

MOST = 200_000  # steps that are looked at where nothing else is said
ROOM = 60_000_000  # numbers of all traces together: fewer steps of a wider model
ROWS, ROW = 64, 500  # stretches of a text side by side at most, and symbols of each at least
BEFORE = 300_000  # symbols of what was learned, from which on n-grams and words are counted
WARM = 256  # symbols that are read before a stretch and not counted
LONGEST = 2_000  # steps of an example that are looked at
GATED = 20_000  # steps of which gates are kept
CHUNK = 8_192  # symbols of all rows whose scores are held at once


@dataclass
class Trace:
    """Of one recurrent layer in one direction.

    name: as its parameters are called, `recurrent.0`, `recurrent.0.backward`, `lower.recurrent`. units
    `(rows, time, hidden)` float32: the memory that each unit carries, after it has read the step: of a state of several parts
    the last of shape (batch, hidden), which is c of an LSTM and h of others; the output where a cell has none. 0 behind a
    row's end. A backward layer stands as the text does. gates, by the letters of the equations,
    `(len(reading.gated), time, hidden)` float16: of the rows `reading.gated`; empty where the cell has none. kept: the share
    of each unit's memory that a step keeps, on the average over these, `(hidden,)`, or None. means: of each part of the
    state that has a number a unit, and then of the output, `(hidden,)` each; None for a part of another shape.
    """

    name: str
    cell: Cell
    units: np.ndarray
    gates: dict[str, np.ndarray] = field(default_factory=dict)
    kept: np.ndarray | None = None
    means: tuple[np.ndarray | None, ...] = ()

    @property
    def hidden(self) -> int:
        return self.units.shape[2]

    @property
    def backward(self) -> bool:
        """Whether it reads from the end."""
        return self.name.endswith(".backward")


@dataclass
class Reading:
    """What was read, and what the units held while it was.

    name: text, examples, source or target. kind: what a step is: "text", a symbol; "tokens", a word or a turn; "series",
    numbers. steps: each row's steps as text, whose own texts joined are the row's. joined: the rows are one text, each going
    on where the one before ended. numbers: of a series each row's numbers `(time, features)`. lengths `(rows,)`. losses
    `(rows, time)` float32: nats of what stands at a step, or of the label there; nan where none is told. labels: one a step
    of each row; None where there are none. said: what the model holds likeliest in place of each, where its loss is told.
    gated: the rows of which gates are kept.
    """

    name: str
    kind: str
    unit: str
    steps: list[list[str]]
    lengths: np.ndarray
    losses: np.ndarray
    joined: bool = False
    numbers: list[np.ndarray] | None = None
    labels: list[list[str]] | None = None
    said: list[list[str]] | None = None
    gated: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    traces: list[Trace] = field(default_factory=list)

    @property
    def inside(self) -> np.ndarray:
        """Which steps are within their row's length, `(rows, time)`."""
        return np.arange(self.losses.shape[1]) < self.lengths[:, None]

    def flat(self, values: np.ndarray) -> np.ndarray:
        """Values `(rows, time, …)` as the steps come, `(steps, …)`, without what is padding."""
        if (self.lengths == values.shape[1]).all():
            return values.reshape(-1, *values.shape[2:])
        return values[self.inside]

    def take(self, rows: np.ndarray) -> Reading:
        """Some of the rows, `(rows,)` flags, without gates."""
        at = np.flatnonzero(rows)
        own = [replace(t, units=t.units[at], gates={}) for t in self.traces]
        return replace(
            self, steps=[self.steps[i] for i in at], lengths=self.lengths[at], losses=self.losses[at], joined=False,
            numbers=None if self.numbers is None else [self.numbers[i] for i in at],
            labels=None if self.labels is None else [self.labels[i] for i in at],
            said=None, gated=np.zeros(0, np.int64), traces=own,
        )  # fmt: skip

    def halved(self) -> Reading:
        """The two halves of a single row as rows, without gates."""
        half = int(self.lengths[0]) // 2

        def parted(row: Any) -> list[Any]:
            return [row[0][:half], row[0][half : 2 * half]]

        own = [replace(t, units=np.stack(parted(t.units)), gates={}) for t in self.traces]
        return replace(
            self, steps=parted(self.steps), lengths=np.array([half, half]), losses=np.stack(parted(self.losses)), joined=False,
            numbers=None if self.numbers is None else parted(self.numbers),
            labels=None if self.labels is None else parted(self.labels), said=None, gated=np.zeros(0, np.int64), traces=own,
        )  # fmt: skip

    @property
    def pieces(self) -> list[str]:
        """The steps of all rows, one behind the other."""
        return [step for row in self.steps for step in row]


def traced(
    run: Run,
    files: Sequence[str | Path] = (),
    most: int = MOST,
    parameters: Parameters | None = None,
    gates: bool = True,
) -> list[Reading]:
    """Let a run read files, or its own validation data, and keep what its units hold: one `Reading`, or two of a
    translator, of the source and of the target. most: steps at the most. parameters: others of the same shapes, such as
    untrained ones. gates: whether they are kept.

    Raises HeloError for a model without a recurrence, and for files that it cannot read.
    """
    return opened(run, files, most).read(parameters, gates=gates)


def opened(run: Run, files: Sequence[str | Path] = (), most: int = MOST) -> Source:
    """What `traced` reads, so that it can be read more than once."""
    task = run.task
    if not (hasattr(task, "cell") and getattr(getattr(task, "form", None), "sequence", True)):
        raise HeloError(
            "a feed-forward model: it has no recurrence to look into",
            expected="a model with a recurrent layer", mend="helo explain says what an answer rests on", where=str(run.path),
        )  # fmt: skip
    run.parameters  # noqa: B018  a run without weights is told of before anything is read
    most = max(1, min(most, ROOM // max(1, _width(run))))
    return Source(run, list(files), most)


class Source:
    """What a run reads: a text in stretches, or examples. before: symbols of a text that stand before what is read."""

    before: Sequence[str] = ()

    def __init__(self, run: Run, files: Sequence[str | Path], most: int):
        self.run, self.where = run, ", ".join(map(str, files)) or str(run.path)
        task = run.task
        if isinstance(task, LM):
            self.ids, self.pieces, self.before = _symbols(run, files, most)
            self.rows, self.steps = min(ROWS, max(1, len(self.ids) // ROW)), len(self.ids)
            return
        assert isinstance(task, ExampleTask)
        examples = task.reload(run._recorded(files), files)
        if not len(examples):
            raise HeloError("no examples", expected="one or more", where=self.where)
        lengths = np.minimum(task.encode(examples).lengths, LONGEST)
        count = min(len(examples), int(most // max(1, lengths.mean())), most // max(1, int(lengths.max())))
        chosen = np.linspace(0, len(examples) - 1, max(1, count)).round().astype(np.int64)
        self.examples, self.rows, self.steps = examples.take(chosen), len(chosen), int(lengths[chosen].sum())

    def read(
        self,
        parameters: Parameters | None = None,
        rows: np.ndarray | None = None,
        gates: bool = True,
        time: int | None = None,
    ) -> list[Reading]:
        """As `traced`. rows: of these stretches or examples alone. time: of a text so many symbols of each stretch."""
        parameters = self.run.parameters if parameters is None else parameters
        rows = np.arange(self.rows) if rows is None else rows
        if isinstance(self.run.task, LM):
            return [_text(self.run, parameters, self.ids, self.pieces, self.rows, rows, gates, time)]
        examples = self.examples.take(rows)
        return (_written if isinstance(self.run.task, WritingTask) else _read)(self.run, parameters, examples, gates)


def layers(parameters: Parameters) -> dict[int, tuple[str, str]]:
    """Of each array by which a recurrent layer is recognised: the layer's name and the array's own in it."""
    split = {id(p): name.rpartition(".") for name, p in parameters.items() if "recurrent" in name}
    return {i: (layer, own) for i, (layer, _, own) in split.items()}


def layer(known: Mapping[int, tuple[str, str]], own: Parameters) -> str | None:
    """The layer that a scan belongs to; None for one that reads the letters of a word or the words of a turn."""
    found = next((known[id(p)][0] for p in own.values() if id(p) in known), None)
    return None if found is None or found.startswith("input.") else found


def memory(state: State, output: Array) -> Array:
    """The memory of a state `(batch, hidden)`, as `Trace.units` has it."""
    return next((s for s in reversed(state) if s.shape == output.shape), output)


class Recorder(Tap):
    """Keeps, of each scan of a layer, the memory, and of some rows the gates. A tap that holds already comes first."""

    def __init__(self, parameters: Parameters, gated: np.ndarray | None = None, lengths: np.ndarray | None = None):
        """gated: rows of the batch whose gates are kept; none where it is not given. lengths: of its rows, where some are
        padded.
        """
        self.known = layers(parameters)
        self.gated, self.lengths, self.first = gated, lengths, now()
        self.found: dict[str, dict[str, Any]] = {}
        self.scan: dict[str, Any] | None = None

    def begin(self, cell, parameters, xs, state):
        if self.first is not None:
            xs, state = self.first.begin(cell, parameters, xs, state)
        name = layer(self.known, parameters)
        if name is None:
            self.scan = None
            return xs, state
        self.scan = self.found[name] = {"cell": cell, "t": 0, "time": xs.shape[1], "units": None, "gates": {}}
        return xs, state

    def step(self, cell, parameters, before, x, after, output):
        if self.first is not None:
            after, output = self.first.step(cell, parameters, before, x, after, output)
        scan = self.scan
        if scan is None:
            return after, output
        t, held = scan["t"], memory(after, output)
        if scan["units"] is None:
            scan["units"] = np.empty((held.shape[0], scan["time"], held.shape[1]), np.float32)
            scan["sums"] = [np.zeros(held.shape[1]) if s.shape == held.shape else None for s in (*after, output)]
        scan["units"][:, t] = held
        counts = slice(None) if self.lengths is None else t < self.lengths
        for total, s in zip(scan["sums"], (*after, output), strict=True):
            if total is not None:
                total += s[counts].sum(0)
        if self.gated is not None and len(self.gated):
            own = tuple(s[self.gated] for s in before)
            for letter, gate in cell.gates(parameters, own, x[self.gated]).items():
                if letter not in scan["gates"]:
                    scan["gates"][letter] = np.zeros((len(self.gated), scan["time"], gate.shape[1]), np.float16)
                scan["gates"][letter][:, t] = gate
        scan["t"] = t + 1
        return after, output


@contextmanager
def recorded(
    parameters: Parameters, gated: np.ndarray | None = None, lengths: np.ndarray | None = None
) -> Iterator[Recorder]:
    """The scans inside, kept."""
    with tapped(Recorder(parameters, gated, lengths)) as recorder:
        assert isinstance(recorder, Recorder)
        yield recorder


def _width(run: Run) -> int:
    """Numbers a step of all traces together."""
    o = run.task.options
    return (getattr(o, "layers", None) or 2) * o.hidden * (2 if getattr(o, "bidirectional", False) else 1)


# A text.


def _symbols(run: Run, files: Sequence[str | Path], most: int) -> tuple[np.ndarray, list[str], list[str]]:
    """The symbols that are looked at, each as text, and those before them, up to BEFORE, where the run learned from them."""
    task = run.task
    symbols, start = task.text(run._recorded(files), files)
    ids = np.array(symbols.ids[start : start + most], np.int64)
    unknown = np.isin(ids, task.vocab.silent).mean() if len(ids) and task.vocab.silent else 0.0
    if unknown > 0.5:
        raise HeloError(
            f"{unknown:.0%} of its {task.options.units} are none that the model knows", expected="a text of the kind it learned",
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
        raise HeloError(f"a text of {len(ids)} symbols", expected="two or more", where=str(run.path))
    rows, time = len(chosen), len(ids) // count
    starts = chosen * time
    time = time if most is None else min(time, most)
    gated = np.unique(np.linspace(0, rows - 1, max(1, min(rows, GATED // time))).round().astype(np.int64))
    losses = np.full((rows, time), np.nan, np.float32)
    state = run.task.model.zero_state(parameters, rows)
    later, warm = np.flatnonzero(starts > 0), min(WARM, time)
    if len(later):
        before = np.stack([ids[s - warm : s] for s in starts[later]])
        scores, after = run.task.model.forward(parameters, before)
        losses[later, 0] = _nats(scores[:, -1], ids[starts[later]])
        state = tuple(
            tuple(_with(s, later, a) for s, a in zip(own, new, strict=True))
            for own, new in zip(state, after, strict=True)
        )
    whole: dict[str, Trace] = {}
    window = np.stack([ids[s : s + time] for s in starts])
    step, sums = max(1, CHUNK // rows), {}
    for t in range(0, time, step):
        with recorded(parameters, gated if gates else None) as recorder:
            scores, state = run.task.model.forward(parameters, window[:, t : t + step], state)
        ahead = window[:, t + 1 : t + 1 + step]
        losses[:, t + 1 : t + 1 + step] = _nats(scores[:, : ahead.shape[1]], ahead)
        for name, found in recorder.found.items():
            _put(whole, sums, name, found, np.arange(rows), np.arange(len(gated)), (rows, len(gated), time), t)
    reading = Reading(
        "text", "text", run.task.options.units, [pieces[s : s + time] for s in starts], np.full(rows, time), losses,
        joined=rows == count and most is None, gated=gated,
    )  # fmt: skip
    return _closed(reading, whole, sums)


def _with(whole: np.ndarray, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    whole = np.array(whole)
    whole[rows] = values
    return whole


def _nats(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p of each target `(…)` under scores `(…, symbols)`."""
    logs = log_softmax(np.asarray(scores, np.float32))
    return -np.take_along_axis(logs, targets[..., None].astype(np.int64), axis=-1)[..., 0]


def _put(
    whole: dict[str, Trace], sums: dict[str, list[Any]], name: str, found: dict[str, Any], rows: np.ndarray,
    gated: np.ndarray, shape: tuple[int, int, int], t: int = 0,
) -> None:  # fmt: skip
    """What one scan showed, in its place in the whole. rows: where its rows stand; gated: where those with gates do; shape:
    rows, rows with gates, time.
    """
    units = found["units"]
    if name not in whole:
        whole[name] = Trace(name, found["cell"], np.zeros((shape[0], shape[2], units.shape[2]), np.float32))
        sums[name] = [None if s is None else np.zeros_like(s) for s in found["sums"]]
        for letter in found["gates"]:
            whole[name].gates[letter] = np.zeros((shape[1], shape[2], units.shape[2]), np.float16)
    trace = whole[name]
    reach = slice(t, t + units.shape[1])
    trace.units[rows, reach] = units
    for letter, gate in found["gates"].items():
        if letter not in trace.gates:  # the first batch had no row with gates
            trace.gates[letter] = np.zeros((shape[1], shape[2], units.shape[2]), np.float16)
        trace.gates[letter][gated, reach] = gate
    for total, s in zip(sums[name], found["sums"], strict=True):
        if total is not None:
            total += s


def _closed(reading: Reading, whole: dict[str, Trace], sums: dict[str, list[Any]]) -> Reading:
    inside = reading.inside
    for name, trace in whole.items():
        trace.units *= inside[..., None]
        if trace.gates:
            kept = trace.cell.kept({n: g.astype(np.float32) for n, g in trace.gates.items()})
            trace.kept = None if kept is None else np.asarray(kept)[inside[reading.gated]].mean(0)
        trace.means = tuple(None if s is None else (s / inside.sum()).astype(np.float32) for s in sums[name])
    reading.traces = sorted(whole.values(), key=lambda t: t.name)
    return reading


# Examples.


def _gated(lengths: np.ndarray, gates: bool) -> np.ndarray:
    """The first rows, so many that their steps are few enough."""
    return np.arange(max(1, int((np.cumsum(lengths) <= GATED).sum()))) if gates else np.zeros(0, np.int64)


def _read(run: Run, parameters: Parameters, examples: Any, gates: bool) -> list[Reading]:
    """A classifier or a tagger over its examples."""
    task = run.task
    encoded = task.encode(examples)
    lengths = np.minimum(encoded.lengths, LONGEST)
    time, rows = int(lengths.max()), len(lengths)
    gated = _gated(lengths, gates)
    whole, sums = {}, {}
    losses = np.full((rows, time), np.nan, np.float32)
    numbers: list[Any] = [None] * rows
    labels = _labels(examples, lengths)
    said = None if labels is None else [[""] * len(row) for row in labels]
    for batch_rows in in_order(encoded.lengths):
        batch = encoded.batch(batch_rows)
        mine = np.flatnonzero(np.isin(batch_rows, gated))
        with recorded(parameters, mine, np.asarray(batch["lengths"])) as recorder:
            scores = task.model.forward(parameters, batch)
        own = np.asarray(batch["lengths"])
        for name, found in recorder.found.items():
            if name.endswith(".backward"):
                found["units"] = stack.reverse_sequences(found["units"], own)
                found["gates"] = {n: stack.reverse_sequences(g, own[mine]) for n, g in found["gates"].items()}
            found["units"] = found["units"][:, :time]
            found["gates"] = {n: g[:, :time] for n, g in found["gates"].items()}
            _put(
                whole, sums, name, found, batch_rows, np.searchsorted(gated, batch_rows[mine]), (rows, len(gated), time)
            )
        if "xs" in batch:
            for i, row in enumerate(batch_rows):
                numbers[row] = np.asarray(batch["xs"][i, : lengths[row]])
        if labels is not None:
            _told(task, scores, batch_rows, labels, lengths, losses, said)
    steps, kind, unit = _steps(task, examples, lengths, numbers)
    reading = Reading(
        "examples", kind, unit, steps, lengths, losses, numbers=numbers if kind == "series" else None,
        labels=None if labels is None else [list(y) for y in labels], said=said, gated=gated,
    )  # fmt: skip
    return [_closed(reading, whole, sums)]


def _labels(examples: Any, lengths: np.ndarray) -> list[list[str]] | None:
    """A label a step of each example; that of a whole example at all of its steps."""
    if examples.labels is None:
        return None
    steps = examples.kind not in ("text", "pair", "photo") and any(
        not isinstance(y, str) and len(y) == len(x) for x, y in zip(examples.inputs, examples.labels, strict=True)
    )
    found = []
    for y, n in zip(examples.labels, lengths, strict=True):
        if steps:
            found.append([str(v) for v in list(y)[:n]])
        else:
            found.append([", ".join(y) if isinstance(y, list | tuple) else str(y)] * int(n))
    return found


def _told(
    task: Any, scores: Any, rows: np.ndarray, labels: Any, lengths: np.ndarray, losses: np.ndarray, said: Any
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
                said[row][t] = task.labels[int(logs[i, t].argmax())]
        elif known and known[0] >= 0 and not getattr(task, "many", False):
            losses[row, lengths[row] - 1] = -logs[i, known[0]]
            said[row][-1] = task.labels[int(logs[i].argmax())]


def _steps(task: Any, examples: Any, lengths: np.ndarray, numbers: list[Any]) -> tuple[list[list[str]], str, str]:
    """Each row's steps as text; the kind of reading; what a step is called."""
    form = task.form
    if isinstance(form, Words):
        rows = [tokens(x) if isinstance(x, str) else list(x) for x in examples.inputs]
        return [list(map(str, r[:n])) for r, n in zip(rows, lengths, strict=True)], "tokens", "words"
    if examples.kind == "dialogue":
        rows = [[f"{who}: {said}" for who, said in turns] for turns in examples.inputs]
        return [r[:n] for r, n in zip(rows, lengths, strict=True)], "tokens", "turns"
    if (vocab := getattr(form, "vocab", None)) is not None:
        ids = form.encode(examples).ids
        return [_spelled(vocab.spelling, ids[i][:n]) for i, n in enumerate(lengths)], "text", task.options.units
    return [[str(t + 1) for t in range(n)] for n in lengths], "series", "steps"


# Texts for texts.


def _written(run: Run, parameters: Parameters, examples: Any, gates: bool) -> list[Reading]:
    """A translator's encoder over its sources, and the decoder of one that writes over the true targets."""
    task = run.task
    if isinstance(examples.labels[0] if examples.labels else "", list):  # a picture's captions: the first of each
        examples = type(examples)(
            examples.kind,
            examples.inputs,
            [y[:1] for y in examples.labels],
            examples.place,
            examples.notes,
            examples.about,
        )
    encoded, targets = task.encode(examples), task.targets(examples) if examples.labels is not None else None
    if targets is None:
        raise HeloError("no targets", expected="examples with their answers", where=str(run.path))
    ids = targets.ids
    kinds = {"source": np.minimum(encoded.lengths, LONGEST), "target": np.minimum(ids.lengths + 1, LONGEST)}
    rows = len(ids)
    gated = {side: _gated(n, gates) for side, n in kinds.items()}
    whole: dict[str, dict[str, Trace]] = {side: {} for side in kinds}
    sums: dict[str, dict[str, Any]] = {side: {} for side in kinds}
    losses = {side: np.full((rows, int(n.max())), np.nan, np.float32) for side, n in kinds.items()}
    seen: Any = ()
    for batch_rows in in_order(np.maximum(encoded.lengths, ids.lengths), 4096, 64):
        batch = encoded.batch(batch_rows)
        lengths = np.asarray(batch["lengths"])
        for side in kinds:
            mine = np.flatnonzero(np.isin(batch_rows, gated[side]))
            own = lengths if side == "source" else ids.lengths[batch_rows] + 1
            with recorded(parameters, mine, own) as recorder:
                if side == "source":
                    seen = task.model.memory(parameters, batch)
                else:
                    told = task.before_and_after(ids, batch_rows)
                    scores = task.model.decode(parameters, seen, told["before"], task.model.fresh(parameters, seen))[0]
                    nats = _nats(scores, told["targets"])
                    for i, row in enumerate(batch_rows):
                        n = int(kinds["target"][row])
                        losses["target"][row, 1:n] = nats[i, : n - 1]
            time = losses[side].shape[1]
            for name, found in recorder.found.items():
                if name.endswith(".backward"):
                    found["units"] = stack.reverse_sequences(found["units"], lengths)
                    found["gates"] = {n: stack.reverse_sequences(g, lengths[mine]) for n, g in found["gates"].items()}
                found["units"] = found["units"][:, :time]
                found["gates"] = {n: g[:, :time] for n, g in found["gates"].items()}
                place = np.searchsorted(gated[side], batch_rows[mine])
                _put(whole[side], sums[side], name, found, batch_rows, place, (rows, len(gated[side]), time))
    readings = []
    for side, lengths in kinds.items():
        if not whole[side]:
            continue
        if side == "target":
            steps = [["", *_spelled_by(task.text, ids[i][: n - 1])] for i, n in enumerate(lengths)]
        else:
            steps = [_spelled_by(task.text, encoded.ids[i][:n]) for i, n in enumerate(lengths)]
        reading = Reading(side, "text", task.options.units, steps, lengths, losses[side], gated=gated[side])
        readings.append(_closed(reading, whole[side], sums[side]))
    return readings


def _spelled_by(text: Callable[[Any], str], ids: np.ndarray) -> list[str]:
    return [text([int(i)]) for i in ids]
