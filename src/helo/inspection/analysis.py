"""What lies beyond single units, of one reading: features, state space, and the errors that remain.

analyse(reading, properties)    everything, as numbers for JSON
sections(found)                 as HTML for a page
lines(found)                    the most of it in a few lines for a terminal

found = analyse(reading, measured(reading, properties)), of a `Reading` of `traces`; several readings stand on one page with
keys of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helo import pages
from helo.inspection import dictionary, errors, projection
from helo.inspection.loaders import CHUNK, WARM, Loader, TextLoader
from helo.inspection.properties import Measured
from helo.inspection.ranks import ranked, weight
from helo.inspection.traces import Reading, nll

TRACES = 3  # that are looked at, the last ones
FRESH, LONG = 64, 1023  # stretches that are read from nothing, symbols of each at most
EXCERPT = 60  # characters before a step that has a label


def analyse(reading: Reading, properties: Sequence[Measured], source: Loader | None = None) -> dict[str, Any]:
    """`features` and `space` by layer; `errors`, None where nothing has a loss. source: what was read; of a text some
    stretches are then read from a state of zeros, to show whether the loss falls with context.
    """
    values = {m.name: m.values for m in properties}
    starts = [0] if reading.joined else (np.cumsum(reading.lengths) - reading.lengths).tolist()
    gap = "" if reading.kind == "text" else " "
    layers = {t.name: reading.flat(t.units) for t in reading.traces[-TRACES:]}
    return {
        "features": {
            n: dictionary.compute(x, reading.pieces, values, score, starts, gap=gap) for n, x in layers.items()
        },
        "space": {n: projection.compute(x, reading.pieces, values, starts, gap=gap) for n, x in layers.items()},
        "errors": _errors(reading, properties, starts, source, gap),
    }


def score(activations: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How well each column of activations `(steps, any)` tells a property `(steps,)`: as units are scored, now."""
    flag = bool(np.isin(values, (0, 1)).all())
    ranks, spread = ranked(activations)
    sums = weight(values, flag) @ ranks
    return 2 * np.abs(sums) if flag else (sums / spread) ** 2


def _fresh(source: TextLoader) -> np.ndarray:
    """The loss of each symbol of stretches of a text `(stretches, time)`, read from a state of zeros."""
    ids, parameters = source.ids, source.run.parameters
    time = min(LONG, len(ids) // 2)
    starts = np.linspace(0, len(ids) - time - 1, FRESH).astype(np.int64)
    window = np.stack([ids[s : s + time + 1] for s in starts])
    state, nats = None, np.empty((FRESH, time), np.float32)
    for t in range(0, time, CHUNK // FRESH):
        part = window[:, t : t + CHUNK // FRESH + 1]
        scores, state = source.run.task.model.forward(parameters, part[:, :-1], state)
        nats[:, t : t + part.shape[1] - 1] = nll(scores, part[:, 1:])
    return nats


def _errors(
    reading: Reading, properties: Sequence[Measured], starts: Sequence[int], source: Loader | None, gap: str
) -> dict[str, Any] | None:
    nats = reading.flat(reading.losses)
    scored = np.flatnonzero(np.isfinite(nats))
    if not len(scored):
        return None
    place = reading.flat(np.broadcast_to(np.arange(reading.losses.shape[1]), reading.losses.shape))
    if reading.predicted is not None and reading.labels is not None:
        both = [[row[t] for row in rows for t in range(len(row))] for rows in (reading.labels, reading.predicted)]
        names = sorted({labels[t] for labels in both for t in scored})
        number = {name: i for i, name in enumerate(names)}
        truth, predicted = (np.array([number[labels[t]] for t in scored]) for labels in both)
        text = errors.Snippets(reading.pieces, starts, gap)
        around = [text.at(int(t), EXCERPT, 0) for t in scored]
        lengths = np.repeat(reading.lengths, reading.lengths)[scored]
        return errors.labelled(
            truth, predicted, nats[scored], names, lengths, [a["before"] + a["symbol"] for a in around]
        )
    if reading.kind != "text":
        return None
    # A stretch of a text is read after some of what stands before it.
    warm = np.where(np.arange(len(reading.lengths)) > 0, min(WARM, reading.losses.shape[1]), 0)
    read = place + (np.repeat(warm, reading.lengths) if reading.joined else 0)
    flags = {m.name: np.nan_to_num(m.values) for m in properties if m.flag}
    before = source.before if source is not None and reading.joined else ()
    fresh = _fresh(source) if isinstance(source, TextLoader) else None
    return errors.compute(reading.pieces, nats, starts, before, flags, read, fresh)


def sections(found: Mapping[str, Any], key: str = "feature") -> str:
    """What `analyse` gives, as HTML. key: what links to features are called, another for each of several on one page."""
    parts = []
    for i, (name, features) in enumerate(found["features"].items()):
        of = f" of {pages.text(name)}" if len(found["features"]) > 1 else ""
        parts += [f"<h2>Features beyond units{of}</h2>", dictionary.section(features, f"{key}-{i}" if i else key)]
        parts += [f"<h2>State space{of}</h2>", projection.section(found["space"][name], key=f"{key}-space-{i}")]
    if found["errors"] is not None:
        parts += ["<h2>The remaining errors</h2>", errors.section(found["errors"])]
    return "\n".join(parts)


def lines(found: Mapping[str, Any]) -> list[str]:
    """How much features explain beyond units, and where the loss is, for a terminal."""
    lines = []
    for name, features in found["features"].items():
        if "missing" in features:
            continue
        share, means = features["variance"]["features"], features["means"]
        line = f"{name}: {features['active']} of {features['directions']} features per step explain {share:.0%} of the units' variance"
        if means:
            line += f"; mean score on properties: best feature {means['feature']:.2f}, best unit {means['unit']:.2f}"
            line += f", random direction {means['random']:.2f}"
        lines.append(line)
    if (errors := found["errors"]) is None:
        return lines
    if "kinds" in errors:
        kind = max(errors["kinds"], key=lambda k: k["share"])
        return [
            *lines,
            f"loss: {kind['share']:.0%} comes from {kind['share_of_symbols']:.0%} of the symbols: {kind['kind']}",
        ]
    most = "".join(
        f"; {c['share']:.0%} of the loss: {c['truth']} mistaken for {c['said']}" for c in errors["confusions"][:1]
    )
    return [*lines, f"{errors['accuracy']:.1%} right{most}"]
