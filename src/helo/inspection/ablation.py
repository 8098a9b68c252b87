"""What silencing a unit costs: it is held at its mean, in the state and in the output, while the model reads on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo.engines import Tap, tapped
from helo.inspection.loaders import Loader, TextLoader
from helo.inspection.properties import Measured
from helo.inspection.traces import Reading, Trace, layer, layers, nll

WINDOWS, WINDOW, WARM = 12, 192, 64  # of a text: how many, symbols of each that count, and symbols before
EXAMPLES = 48  # of which a unit is silenced
BATCH = 384  # rows at once


class Ablation(Tap):
    """Holds units at their means, in each row of the batch other ones."""

    def __init__(self, parameters: Any, traces: Sequence[Trace], units: Sequence[Sequence[tuple[str, int]]]):
        """units: of each row, or of all rows if it is one, units by their layer's name and their number in it."""
        self.known = layers(parameters)
        self.means = {t.name: t.means for t in traces}
        self.masks: dict[str, np.ndarray] = {}
        for trace in traces:
            mask = np.zeros((len(units), trace.hidden), bool)
            for row, several in enumerate(units):
                mask[row, [unit for name, unit in several if name == trace.name]] = True
            if mask.any():
                self.masks[trace.name] = mask
        self.now: str | None = None

    def begin(self, cell, parameters, xs, state):
        self.now = layer(self.known, parameters)
        return xs, state

    def step(self, cell, parameters, before, x, after, output):
        mask = self.masks.get(self.now or "")
        if mask is None:
            return after, output
        *means, mean = self.means[self.now or ""]
        after = tuple(s if m is None else np.where(mask, m, s) for s, m in zip(after, means, strict=True))
        return after, np.where(mask, mean, output)


def costs(
    loader: Loader, reading: Reading, properties: Sequence[Measured], units: Sequence[Sequence[tuple[str, int]]]
) -> list[dict[str, float] | None]:
    """Of each property what silencing its unit, or units, costs in nats per step: {"holds", "elsewhere"}. Where a flag holds,
    or a number is above its median; the loss is that of the symbol that comes next, or of the label at the step. None where
    there is no loss step by step, or the property is never met.
    """
    if isinstance(loader, TextLoader):
        return _text(loader, reading, properties, units)
    if reading.name == "source" or not np.isfinite(reading.losses).any():
        return [None] * len(properties)
    return _examples(loader, reading, properties, units)


def _laid(reading: Reading, m: Measured) -> np.ndarray:
    """A property over rows and time: 1 where it holds, 0 where it does not, nan where neither is said."""
    laid = np.full(reading.losses.shape, np.nan, np.float32)
    there = np.isfinite(m.values)
    high = m.values > (0 if m.flag else np.median(m.values[there]))
    laid[reading.inside] = np.where(there, high, np.nan)
    return laid


def _means(worse: np.ndarray, holds: np.ndarray) -> dict[str, float] | None:
    parts = {name: worse[np.isfinite(worse) & (holds == yes)] for name, yes in (("holds", 1), ("elsewhere", 0))}
    return {name: float(p.mean()) for name, p in parts.items()} if all(map(len, parts.values())) else None


def _text(loader: TextLoader, reading: Reading, properties: Sequence[Measured], units: Sequence[Any]) -> list[Any]:
    ids, count = loader.ids, int(reading.lengths.sum())
    window = min(WINDOW, count // 4)
    warm = min(WARM, count // 4)
    found: list[Any] = []
    each = max(1, BATCH // (2 * WINDOWS))
    for start in range(0, len(properties), each):
        some = list(zip(properties, units, strict=True))[start : start + each]
        starts = [_windows(_laid(reading, m).reshape(-1)[:count], window, warm) for m, _ in some]
        rows = np.concatenate([np.tile(s, 2) for s in starts])
        who = [u for (_, unit), s in zip(some, starts, strict=True) for u in [()] * len(s) + [unit] * len(s)]
        taken = np.stack([ids[s - warm : s + window + 1] for s in rows])
        with tapped(Ablation(loader.run.parameters, reading.traces, who)):
            scores, _ = loader.run.task.model.forward(loader.run.parameters, taken[:, :-1])
        nats = nll(scores[:, warm:], taken[:, warm + 1 :])
        at = 0
        for (m, _), s in zip(some, starts, strict=True):
            n = len(s)
            worse = nats[at + n : at + 2 * n] - nats[at : at + n]
            at += 2 * n
            holds = _laid(reading, m).reshape(-1)
            found.append(_means(worse, np.stack([holds[i : i + window] for i in s])))
    return found


def _windows(holds: np.ndarray, window: int, warm: int) -> np.ndarray:
    """Where windows begin in which a property both holds and does not, as far as there are such."""
    starts = np.arange(warm, len(holds) - window - 1, max(1, window // 2))
    share = np.array([np.nanmean(np.nan_to_num(holds[s : s + window])) for s in starts])
    mixed = np.argsort(np.abs(share - 0.5), kind="stable")[: max(WINDOWS, len(starts) // 4)]
    chosen = mixed[np.linspace(0, len(mixed) - 1, min(WINDOWS, len(mixed))).round().astype(int)]
    return starts[np.sort(chosen)]


def _examples(loader: Loader, reading: Reading, properties: Sequence[Measured], units: Sequence[Any]) -> list[Any]:
    chosen = np.unique(np.linspace(0, loader.rows - 1, min(EXAMPLES, loader.rows)).round().astype(np.int64))
    found = []
    for m, unit in zip(properties, units, strict=True):
        with tapped(Ablation(loader.run.parameters, reading.traces, [unit])):
            silent = next(r for r in loader.read(rows=chosen, gates=False) if r.name == reading.name)
        time = silent.losses.shape[1]
        worse, holds = silent.losses - reading.losses[chosen, :time], _laid(reading, m)[chosen, :time]
        if reading.name == "target":  # what a state foretells is the next symbol
            worse, holds = worse[:, 1:], holds[:, :-1]
        found.append(_means(worse, holds))
    return found
