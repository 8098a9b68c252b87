"""How well each unit tells each property, and how well units would by chance.

A flag is scored by |2·AUC - 1|: 0 where the unit is as high with it as without, 1 where one threshold parts the two (AUC:
the chance that the unit is higher at a step with the flag than at one without). A number is scored by R², the square of the
rank correlation of Spearman: 0 to 1 too. Both see only the order of the values, so that no squashing of a unit counts.

By chance: the property is rolled along the text, by every two-hundredth of it but for those near 0, and each time the best
score of any unit at any lag is taken: the 99th percentile of these maxima is the floor, which so pays for the number of
tries (Westfall and Young 1993) and for how slowly both change (Harris, Nonsense correlations in neuroscience, 2020). All
shifts at once are cross-correlations, by the fast Fourier transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from helo.inspection.loaders import Loader
from helo.inspection.probes import probe
from helo.inspection.properties import Measured
from helo.inspection.ranks import ranked, weight
from helo.inspection.traces import Reading

SHIFTS, NEAR = 200, 10  # of the text's circle; so many on either side of 0 are no chance
LEVEL = 0.99
LAGS = (0, 1, 2, 4)  # steps after which a unit may know what a step was
FEW = 16  # a lag is at most so small a part of a row
BLOCK = 64  # units at once
ENOUGH = 32_000  # steps on which an untrained network is scored
CLEARLY = 0.1  # of what untrained networks and chance leave to tell, a unit that is found tells so much at least


@dataclass
class Scores:
    """Of all units of a reading, one layer behind the other, U of them, and P properties.

    all `(P, lags · U)`. best `(P, U)`: the score at the unit's best lag; lag `(P, U)`; high `(P, U)`: whether the unit is high where it holds.
    chance `(P,)`: the floor of the shifts. layers: of each unit its layer's name and its number there.
    """

    all: np.ndarray
    best: np.ndarray
    lag: np.ndarray
    high: np.ndarray
    chance: np.ndarray
    layers: list[tuple[str, int]]


def scores(reading: Reading, properties: Sequence[Measured], shifted: bool = True) -> Scores:
    """Every unit of every trace with every property. shifted: whether the floor is computed; needs SHIFTS steps."""
    columns, maxima = [], np.zeros((len(properties), SHIFTS))
    flags = np.array([m.flag for m in properties])
    forms: dict[bool, tuple[np.ndarray, np.ndarray]] = {}
    for trace in reading.traces:
        if trace.backward not in forms:
            weights = _weights(reading, properties, -1 if trace.backward else 1)
            forms[trace.backward] = weights, _spectrum(weights).conj().transpose(0, 2, 1) if shifted else weights
        weights, spectrum = forms[trace.backward]
        units = reading.flat(trace.units)
        for start in range(0, trace.hidden, BLOCK):
            ranks, spread = ranked(units[:, start : start + BLOCK])
            found = _correlated(ranks, weights, spectrum if shifted else None)
            found = found.reshape(len(found), len(LAGS), len(properties), -1)  # shifts, lags, properties, units
            size = _sized(found, flags, spread)
            top = size[0].argmax(0)
            every = size[0].transpose(1, 0, 2).reshape(len(properties), -1)
            best, sums = (np.take_along_axis(x[0], top[None], 0)[0] for x in (size, found))
            columns.append((every, best, np.array(LAGS)[top], sums > 0))
            if shifted:
                np.maximum(maxima, size.max((1, 3)).T, out=maxima)
    chance = np.quantile(maxima[:, NEAR : SHIFTS - NEAR + 1], LEVEL, axis=1) if shifted else np.zeros(len(properties))
    layers = [(t.name, u) for t in reading.traces for u in range(t.hidden)]
    every, best, lag, high = (np.concatenate(parts, 1) for parts in zip(*columns, strict=True))
    return Scores(every, best, lag, high, chance, layers)


def _weights(reading: Reading, properties: Sequence[Measured], way: int) -> np.ndarray:
    """What ranks are multiplied with, `(steps, lags · properties)`: for a flag the sum over the steps is AUC - 1/2, for a
    number it is the correlation times the spread of the ranks. Each property is moved on by each lag within its row.
    """
    inside, shape = reading.inside, reading.losses.shape
    out = np.zeros((int(reading.lengths.sum()), len(LAGS), len(properties)), np.float32)
    for k, m in enumerate(properties):
        laid = np.full(shape, np.nan, np.float32)
        laid[inside] = m.values
        for i, lag in enumerate(LAGS):
            moved = np.full(shape, np.nan, np.float32)
            if lag <= reading.lengths.mean() / FEW:  # in short rows too little would be left
                late, early = slice(lag, None), slice(shape[1] - lag)
                to, since = (late, early) if way > 0 else (early, late)
                moved[:, to] = laid[:, since]
            out[:, i, k] = weight(moved[inside], m.flag)
    return out.reshape(len(out), -1)


def _correlated(ranks: np.ndarray, weights: np.ndarray, spectrum: np.ndarray | None) -> np.ndarray:
    """Sums over the steps of ranks times weights, `(shifts, weights, units)`, the first without a shift. spectrum: of the
    weights; without it that is all.
    """
    plain = weights.T @ ranks
    if spectrum is None:
        return plain[None]
    found = np.fft.irfft(spectrum @ _spectrum(ranks), SHIFTS, axis=0)
    found[0] = plain  # of all steps
    return found


def _spectrum(x: np.ndarray) -> np.ndarray:
    """Of values `(steps, …)` laid in SHIFTS turns, over the turns; what is left over at the end is not rolled."""
    m = len(x) // SHIFTS
    return np.fft.rfft(x[: m * SHIFTS].reshape(SHIFTS, m, -1), axis=0)


def _sized(found: np.ndarray, flags: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Scores out of sums `(shifts, lags, properties, units)`."""
    return np.minimum(1, np.where(flags[:, None], 2 * np.abs(found), (found / spread) ** 2))


def untrained(
    loader: Loader, reading: Reading, properties: Sequence[Measured], seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """What networks that never learned tell of each property, `(P,)`: the best unit, and the best set of units. It is the
    second floor: what the input alone makes of any units. Of some of the steps; the unit is chosen on one half of them and
    scored on the other, both ways. Of several networks the best counts.
    """
    rows, most = _some(reading)
    laid = np.full((len(properties), *reading.losses.shape), np.nan, np.float32)
    for k, m in enumerate(properties):
        laid[k][reading.inside] = m.values
    one, several = (np.zeros((len(seeds), len(properties))) for _ in range(2))
    for i, seed in enumerate(seeds):
        fresh = loader.run.task.model.init(np.random.default_rng(seed))
        found = next(r for r in loader.read(fresh, rows, gates=False, time=most) if r.name == reading.name)
        own = laid[:, rows][:, :, : found.losses.shape[1]]
        if len(rows) == 1:  # its halves
            found, time = found.halved(), found.losses.shape[1] // 2
            own = own[:, :, : 2 * time].reshape(len(own), 2, time)
        count = np.arange(len(found.lengths))
        halves = []
        for half in (count % 2 == 0, count % 2 == 1):
            part = found.take(half)
            known = [replace(m, values=own[k][half][part.inside]) for k, m in enumerate(properties)]
            halves.append(scores(part, known, shifted=False).all)  # (P, lags · U)
        for a, b in (halves, halves[::-1]):
            one[i] += np.take_along_axis(b, a.argmax(1)[:, None], 1)[:, 0] / 2
        known = [replace(m, values=own[k][found.inside]) for k, m in enumerate(properties)]
        several[i] = [s["score"] for s in probe(found, known, floor=False)]
    return one.max(0), several.max(0)


def _some(reading: Reading) -> tuple[np.ndarray, int | None]:
    """Which rows of a reading, and how much of each, are enough for `untrained`: all rows, since what is rare is rare."""
    if reading.joined:
        return np.arange(len(reading.lengths)), max(1, ENOUGH // len(reading.lengths))
    count = max(2, min(len(reading.lengths), int(ENOUGH // max(1, reading.lengths.mean()))))
    return np.unique(np.linspace(0, len(reading.lengths) - 1, count).round().astype(np.int64)), None
