"""How long units remember, and how far their gates are open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo.engines import Tap, tapped
from helo.engines import numpy as reference
from helo.inspection.loaders import Loader
from helo.inspection.traces import Reading, layer, layers, memory

PLACES, WARM, REACH = 3, 64, 64  # where units are pushed, steps before it, and steps after it
CLOSED, OPEN = 0.1, 0.9  # of Karpathy, Johnson and Li 2015
ROWS = 512  # side by side


def gates(reading: Reading) -> dict[str, dict[str, dict[str, list[float]]]]:
    """{layer: {letter: {"closed", "open"}}}: of each unit the share of steps at which the gate is below CLOSED, and above
    OPEN (Karpathy, Johnson and Li, Visualizing and understanding recurrent networks, 2015). Empty for cells without gates.
    """
    inside = reading.inside[reading.gated]
    return {
        trace.name: {
            letter: {"closed": _rounded((g[inside] < CLOSED).mean(0)), "open": _rounded((g[inside] > OPEN).mean(0))}
            for letter, g in trace.gates.items()
        }
        for trace in reading.traces
    }


def memory_lengths(loader: Loader, reading: Reading) -> dict[str, dict[str, list[float | None] | int]]:
    """{layer: {"gate", "half", "reach"}}: how many steps each unit's memory lasts. gate: 1 / (1 - k), where k is the share
    that the cell keeps a step, on the average; None for a cell without such a gate. half: after how many steps half is left
    of a push: the memory of the unit alone is moved by one standard deviation, at a few places of the text, and the layer
    reads on what it read; `reach` stands for as long or longer.
    """
    longest = np.argsort(-reading.lengths, kind="stable")
    rows = np.sort(longest[np.linspace(0, max(0, len(longest) // 4), PLACES).round().astype(int)])
    with tapped(_Inputs(loader.run.parameters)) as inputs:
        loader.read(rows=np.unique(rows), gates=False, time=WARM + REACH)
    found = {}
    for trace in reading.traces:
        gate = None if trace.kept is None else _rounded(1 / np.maximum(1e-4, 1 - trace.kept))
        half, reach = _half_lives(inputs.scans[trace.name], reading.flat(trace.units).std(0))
        found[trace.name] = {"gate": gate, "half": half, "reach": reach}
    return found


class _Inputs(Tap):
    """Keeps the last scan of each layer."""

    steps = False

    def __init__(self, parameters: Any):
        self.known = layers(parameters)
        self.scans: dict[str, Any] = {}

    def begin(self, cell, parameters, xs, state):
        if (name := layer(self.known, parameters)) is not None:
            self.scans[name] = cell, parameters, xs, state
        return xs, state


class _Memory(Tap):
    """Keeps the memory of all units, or of each row's own."""

    def __init__(self, units: np.ndarray | None = None):
        self.units, self.values = units, []

    def step(self, cell, parameters, before, x, after, output):
        values = memory(after, output)
        self.values.append(values if self.units is None else values[np.arange(len(values)), self.units])
        return after, output


def _half_lives(scan: tuple[Any, ...], std: np.ndarray) -> tuple[list[float | None], int]:
    """After how many steps half of a push of each unit is left, and how many steps were looked at."""
    cell, parameters, xs, state = scan
    time, hidden = xs.shape[1], len(std)
    warm = min(WARM, time // 2)
    reach = min(REACH, time - warm)
    if reach < 2:
        return [None] * hidden, 0
    if warm:
        _, state = reference.scan(cell, parameters, xs[:, :warm], state)
    after, places = xs[:, warm : warm + reach], len(xs)
    with tapped(_Memory()) as plain:
        reference.scan(cell, parameters, after, state)
    still = np.stack(plain.values, 1)  # (places, reach, hidden)
    part = next((k for k in reversed(range(len(state))) if state[k].shape == (places, hidden)), None)
    if part is None:
        return [None] * hidden, 0
    push = np.maximum(std, 1e-3)
    half: list[float | None] = []
    each = max(1, ROWS // places)
    for units in np.split(np.arange(hidden), range(each, hidden, each)):
        moved: list[Any] = [np.tile(s, (len(units), *[1] * (s.ndim - 1))) for s in state]
        own = np.repeat(units, places)
        moved[part][np.arange(len(own)), own] += push[own]
        with tapped(_Memory(own)) as pushed:
            reference.scan(cell, parameters, np.tile(after, (len(units), 1, 1)), tuple(moved))
        gone = np.stack(pushed.values, 1) - np.concatenate([still[:, :, u] for u in units])
        left = np.abs(gone).reshape(len(units), places, reach).mean(1) / push[units, None]
        half += [_half(row) for row in left]
    return half, reach


def _half(left: np.ndarray) -> float:
    """After how many steps less than half is left for the first time; between two steps in proportion."""
    below = np.flatnonzero(left < 0.5)
    if not len(below):
        return float(len(left))
    t = int(below[0])
    before = 1.0 if t == 0 else float(left[t - 1])
    return round(t + (before - 0.5) / max(1e-9, before - float(left[t])), 2)


def _rounded(values: np.ndarray | Sequence[float]) -> list[Any]:
    return [round(float(v), 4) for v in values]
