"""Sparse linear probes: what a small set of units, up to eight of them, tells of a property together.

Units are taken one by one, each time the one that explains most of what is left (orthogonal least squares: Chen, Billings
and Luo 1989), on the first half of the steps; the sum is scored on the other half, on the scale of single units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helo.inspection.properties import Measured
from helo.inspection.ranks import ranked, weight
from helo.inspection.traces import Reading

MOST = 8  # units of a set
STEPS = 60_000  # of a reading that are looked at
TURNS = 20  # shifts of the property of which the best is the floor


def probe(reading: Reading, properties: Sequence[Measured], floor: bool = True) -> list[dict[str, Any]]:
    """Of each property {"units": [[layer, unit], …], "score", "floor"}: the floor is the best score of the same probe on
    the property rolled along the text. floor: whether it is computed.
    """
    count = int(reading.lengths.sum())
    every = max(1, -(-count // STEPS))
    columns = [ranked(reading.flat(t.units)[::every])[0] for t in reading.traces]
    units = np.concatenate(columns, 1)
    names = [(t.name, u) for t in reading.traces for u in range(t.hidden)]
    half = len(units) // 2
    gram = units[:half].T @ units[:half]
    turns = np.linspace(0.05, 0.95, TURNS) if floor else np.zeros(0)
    found = []
    for m in properties:
        whole = np.stack([np.roll(m.values[::every], int(turn * len(units))) for turn in (0, *turns)])
        weights = np.stack([weight(v[:half], m.flag) for v in whole], 1)
        tops = units[:half].T @ weights  # (units, 1 + turns)
        chosen, scores = [], []
        for k in range(tops.shape[1]):
            which, weight_of = _fit(gram, tops[:, k])
            chosen.append([list(names[u]) for u in which])
            sums = units[half:][:, which] @ weight_of if len(which) else np.zeros(len(units) - half)
            scores.append(_score(sums, whole[k][half:], m.flag))
        found.append({"units": chosen[0], "score": scores[0], "floor": max(scores[1:], default=0.0)})
    return found


def _fit(gram: np.ndarray, tops: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Units one by one, and what each is multiplied with. gram `(units, units)`, tops `(units,)`: their products with each
    other and with the property.
    """
    left, power = tops.astype(np.float64), np.diag(gram).astype(np.float64)
    least = 1e-3 * power.max(initial=0)
    rows: list[np.ndarray] = []
    chosen: list[int] = []
    for _ in range(min(MOST, len(tops))):
        gain = np.where(power > least, left**2 / np.maximum(power, 1e-12), 0)
        gain[chosen] = 0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        row = (gram[best] - sum(r * r[best] for r in rows)) / np.sqrt(power[best])
        left = left - row * (left[best] / np.sqrt(power[best]))
        power = power - row**2
        rows.append(row)
        chosen.append(best)
    square, top = gram[np.ix_(chosen, chosen)].astype(np.float64), tops[chosen].astype(np.float64)
    return chosen, np.linalg.lstsq(square, top, rcond=None)[0].astype(np.float32)


def _score(sums: np.ndarray, values: np.ndarray, flag: bool) -> float:
    ranks, spread = ranked(sums[:, None].astype(np.float32))
    found = float(weight(values, flag) @ ranks[:, 0])
    return min(1.0, 2 * max(0.0, found) if flag else max(0.0, found / float(spread[0])) ** 2)
