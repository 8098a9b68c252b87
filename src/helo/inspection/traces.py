"""What a model's units hold while it reads: the memory of every recurrent layer, step by step, beside what stands there.

A `Reading` is rows of steps: the stretches of one text, read side by side, or one example a row. A `Trace` of it is the
memory of one recurrent layer in one direction. `loaders` makes them. From NumPy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array, log_softmax
from helo.engines import Tap, tapped
from helo.engines.tap import now
from helo.layers import stack


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
    `(rows, time)` float32: nats of what stands at a step, or of the label there; nan where there is none. labels: one a step
    of each row; None where there are none. predicted: what the model holds likeliest in place of each that has a loss.
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
    predicted: list[list[str]] | None = None
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
        return self._rows(lambda values: [values[i] for i in at], self.lengths[at])

    def halved(self) -> Reading:
        """The two halves of a single row as rows, without gates."""
        half = int(self.lengths[0]) // 2
        return self._rows(lambda values: [values[0][:half], values[0][half : 2 * half]], np.array([half, half]))

    def _rows(self, choose: Callable[[Any], list[Any]], lengths: np.ndarray) -> Reading:
        return replace(
            self, steps=choose(self.steps), lengths=lengths, losses=np.stack(choose(self.losses)), joined=False,
            numbers=None if self.numbers is None else choose(self.numbers),
            labels=None if self.labels is None else choose(self.labels), predicted=None, gated=np.zeros(0, np.int64),
            traces=[replace(t, units=np.stack(choose(t.units)), gates={}) for t in self.traces],
        )  # fmt: skip

    @property
    def pieces(self) -> list[str]:
        """The steps of all rows, one behind the other."""
        return [step for row in self.steps for step in row]


def layers(parameters: Parameters) -> dict[int, tuple[str, str]]:
    """Of each array by which a recurrent layer is recognised: the layer's name and the array's own in it."""
    split = {id(p): name.rpartition(".") for name, p in parameters.items() if "recurrent" in name}
    return {i: (layer, own) for i, (layer, _, own) in split.items()}


def layer(known: Mapping[int, tuple[str, str]], own: Parameters) -> str | None:
    """The layer that a scan belongs to; None for one that reads the letters of a word or the words of a turn."""
    name = next((known[id(p)][0] for p in own.values() if id(p) in known), None)
    return None if name is None or name.startswith("input.") else name


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
        self.scans: dict[str, dict[str, Any]] = {}
        self.scan: dict[str, Any] | None = None

    def begin(self, cell, parameters, xs, state):
        if self.first is not None:
            xs, state = self.first.begin(cell, parameters, xs, state)
        self.scan = None
        if (name := layer(self.known, parameters)) is not None:
            self.scan = self.scans[name] = {"cell": cell, "t": 0, "time": xs.shape[1], "units": None, "gates": {}}
        return xs, state

    def step(self, cell, parameters, before, x, after, output):
        if self.first is not None:
            after, output = self.first.step(cell, parameters, before, x, after, output)
        scan = self.scan
        if scan is None:
            return after, output
        t, units = scan["t"], memory(after, output)
        if scan["units"] is None:
            scan["units"], scan["hidden"] = (
                np.empty((len(units), scan["time"], units.shape[1]), np.float32),
                units.shape[1],
            )
            scan["sums"] = [np.zeros(units.shape[1]) if s.shape == units.shape else None for s in (*after, output)]
        scan["units"][:, t] = units
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


class Collector:
    """The traces of all rows, put together out of scans of some of them, or of some of their steps."""

    def __init__(self, lengths: np.ndarray, gated: np.ndarray):
        """lengths: of all rows. gated: the rows of which gates are kept."""
        self.rows, self.time, self.gated = len(lengths), int(lengths.max()), gated
        self.traces: dict[str, Trace] = {}
        self.sums: dict[str, list[Any]] = {}

    @contextmanager
    def recorded(
        self, parameters: Parameters, rows: np.ndarray, lengths: np.ndarray | None = None, t: int = 0
    ) -> Iterator[None]:
        """The scans inside, which are of some rows and begin at step t. lengths: of these, where some are padded."""
        gated = np.flatnonzero(np.isin(rows, self.gated))
        with tapped(Recorder(parameters, gated, lengths)) as recorder:
            yield
        own = None if lengths is None else lengths[gated]
        for name, scan in recorder.scans.items():
            if name not in self.traces:
                self.traces[name] = Trace(
                    name, scan["cell"], np.zeros((self.rows, self.time, scan["hidden"]), np.float32)
                )
                self.sums[name] = [None if s is None else np.zeros_like(s) for s in scan["sums"]]
            trace = self.traces[name]
            self._put(trace, trace.units, rows, t, scan["units"], lengths)
            for letter, gate in scan["gates"].items():
                if letter not in trace.gates:
                    trace.gates[letter] = np.zeros((len(self.gated), self.time, trace.hidden), np.float16)
                self._put(trace, trace.gates[letter], np.searchsorted(self.gated, rows[gated]), t, gate, own)
            for total, s in zip(self.sums[name], scan["sums"], strict=True):
                if total is not None:
                    total += s

    def _put(self, trace, whole, rows, t, values, lengths) -> None:
        """Values of some rows and steps in their place."""
        values = (stack.reverse_sequences(values, lengths) if trace.backward else values)[:, : self.time - t]
        whole[rows, t : t + values.shape[1]] = values

    def finish(self, reading: Reading) -> Reading:
        """The reading with its traces."""
        inside = reading.inside
        for name, trace in self.traces.items():
            trace.units *= inside[..., None]
            if trace.gates:
                kept = trace.cell.kept({n: g.astype(np.float32) for n, g in trace.gates.items()})
                trace.kept = None if kept is None else np.asarray(kept)[inside[reading.gated]].mean(0)
            trace.means = tuple(None if s is None else (s / inside.sum()).astype(np.float32) for s in self.sums[name])
        reading.traces = sorted(self.traces.values(), key=lambda t: t.name)
        return reading


def nll(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p of each target `(…)` under scores `(…, symbols)`."""
    logs = log_softmax(np.asarray(scores, np.float32))
    return -np.take_along_axis(logs, targets[..., None].astype(np.int64), axis=-1)[..., 0]
