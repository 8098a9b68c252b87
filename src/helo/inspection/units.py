"""What the units of a run know of what it reads, found and not hand-picked; silenced, timed, and reported in one place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.readers.files import listed
from helo.errors import HeloError, door
from helo.inspection import properties as known
from helo.inspection.ablation import costs
from helo.inspection.analysis import analyse
from helo.inspection.loaders import MOST, Loader, loader
from helo.inspection.memory import gates, memory_lengths
from helo.inspection.probes import probe
from helo.inspection.properties import Measured
from helo.inspection.scores import CLEARLY, LAGS, LEVEL, SHIFTS, Scores, scores, untrained
from helo.inspection.traces import Reading
from helo.progress import tell
from helo.runs.folder import write_text
from helo.runs.run import Run

BEST = 8  # units of each property that are named
SEEDS = 3  # untrained networks
PARTS = 7  # of an inspection, for whoever waits: read, score, untrained networks, sets, silence, memory, features


@dataclass
class Result:
    """Of one reading."""

    reading: Reading
    properties: list[Measured]
    scores: Scores
    untrained: np.ndarray  # `(properties,)`: what the best unit of networks that never learned tells
    probes: list[dict[str, Any]]
    costs: list[dict[str, float] | None]
    gates: dict[str, Any]
    memory: dict[str, Any]
    analysis: dict[str, Any]  # beyond single units: features, state space, errors

    def needed(self, k: int) -> float:
        """The score above which a unit is found to tell property k: `needed`."""
        return needed(float(self.scores.chance[k]), float(self.untrained[k]))

    def units(self, k: int) -> list[dict[str, Any]]:
        """The best units of property k, best first."""
        s, m = self.scores, self.properties[k]
        found = []
        for u in np.argsort(-s.best[k], kind="stable")[:BEST]:
            layer, unit = s.layers[u]
            cost = self.costs[k] if not found else None
            found.append({
                "layer": layer, "unit": unit, "score": round(float(s.best[k, u]), 4), "lag": int(s.lag[k, u]),
                "high": bool(s.high[k, u]), "found": bool(s.best[k, u] > self.needed(k)),
            } | _cost(cost))  # fmt: skip
            if m.flag:
                found[-1]["auc"] = round(0.5 + found[-1]["score"] / 2, 4)
        return found


class Inspection:
    """What `inspect` gives. numbers: everything, as JSON has it; `page()`: for people."""

    def __init__(self, run: Run, files: Sequence[str | Path], results: list[Result]):
        self.run, self.files, self.results = run, files, results
        self.numbers = self._numbers()

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        """{name: {"floor", "untrained", "needed", "units": [{"unit", "score", "found", "cost", …}, best first], …}}"""
        return self.numbers["properties"]

    def _numbers(self) -> dict[str, Any]:
        about = self.run.about
        found: dict[str, Any] = {
            "run": str(self.run.path), "files": [str(f) for f in self.files], "task": about["task"], "cell": about["cell"],
            "steps": {r.reading.name: int(r.reading.lengths.sum()) for r in self.results},
            "method": {"lags": list(LAGS), "shifts": SHIFTS, "level": LEVEL, "untrained": SEEDS, "clearly": CLEARLY},
            "properties": {}, "layers": {}, "beyond": {r.reading.name: r.analysis for r in self.results},
        }  # fmt: skip
        for result in self.results:
            before = f"{result.reading.name}: " if len(self.results) > 1 else ""
            for k, m in enumerate(result.properties):
                there = np.isfinite(m.values)
                found["properties"][before + m.name] = {
                    "about": m.about, "score": "|2 AUC - 1|" if m.flag else "rank correlation squared",
                    "share" if m.flag else "mean": round(float(m.values[there].mean()), 5),
                    "floor": round(float(result.scores.chance[k]), 4), "untrained": round(float(result.untrained[k]), 4),
                    "needed": round(result.needed(k), 4), "units": result.units(k), "set": result.probes[k],
                }  # fmt: skip
            for trace in result.reading.traces:
                found["layers"][before + trace.name] = {
                    "units": trace.hidden, "gates": result.gates[trace.name], "memory": result.memory[trace.name]
                }  # fmt: skip
        return found

    def page(self) -> str:
        """One file of HTML."""
        from helo.inspection.page import page

        return page(self)

    def save(self, path: str | Path) -> Path | None:
        """The page, and the numbers beside it, under the page's name with .json. Gives the path of the numbers; None where the
        page went to what is no file, beside which nothing is written.
        """
        path = Path(path)
        beside = numbers_beside(path)
        write_text(path, self.page())
        if not path.is_file():
            return None
        write_text(beside, json.dumps(self.numbers, ensure_ascii=False, indent=1))
        return beside


def _cost(cost: dict[str, float] | None) -> dict[str, float | None]:
    keys = {"cost": "holds", "cost_elsewhere": "elsewhere"}
    return {key: None if cost is None else round(cost[where], 5) for key, where in keys.items()}


def numbers_beside(page: Path) -> Path:
    """Where the numbers of a page go. Raises HeloError, before anything is computed, where the page cannot."""
    if page.suffix == ".json":
        raise HeloError("a page is HTML", expected="PAGE.html; its numbers go to PAGE.json", where=str(page))
    home = next(p for p in page.absolute().parents if p.exists())
    if page.is_dir() or not home.is_dir():
        raise HeloError(
            f"{page if page.is_dir() else home} is {'a folder' if page.is_dir() else 'no folder'}",
            expected="a file to write to", where=str(page),
        )  # fmt: skip
    return page.with_suffix(".json")


def needed(floor: float, untrained: float) -> float:
    """The score above which something is found. Of what units that never learned leave to tell, chance may add its share to the
    best of many, and of what is left then a share of CLEARLY more is needed.
    """
    return 1 - (1 - untrained) * (1 - floor) * (1 - CLEARLY)


@door
def inspect(
    run: Run, files: str | Path | Sequence[str | Path] = (), properties: Sequence[str] = (), most: int = MOST
) -> Inspection:
    """What the units of a run know of files, or of its own validation data: see `Inspection`.

    properties: more of them than the registered ones, each `FILE.py:NAME`, or the names of registered ones, which then are
    all that are scored. most: steps at the most. Raises HeloError for a model without a recurrence, for a text of which most is unknown to the
    model, and for one that is too short for its shifts.
    """
    names = listed(files)
    own = [p for p in dict.fromkeys(properties) if ".py:" in p]
    named = [p for p in dict.fromkeys(properties) if ".py:" not in p]
    chosen = [known.find(p) for p in [*(named or known.names()), *own]]
    titles = [known.title(p) for p in chosen]
    if twice := [name for i, name in enumerate(titles) if name in titles[:i]]:
        raise HeloError(f"two properties are called {twice[0]!r}", expected="different names", where="--property")
    source = loader(run, names, most)
    _check_length(source, source.steps, names)
    readings = source.read()
    for reading in readings:  # of a caption, say, the words are fewer than the regions of its picture
        _check_length(source, int(reading.lengths.sum()), names)
    found = [known.measured(reading, chosen) for reading in readings]
    if not any(found):
        raise HeloError(
            "none of the known properties occurs in it", expected="a longer text, or one of your own: --property FILE.py:NAME",
            where=source.where,
        )  # fmt: skip
    tell("inspected", 0, PARTS)
    results = [_result(source, reading, own) for reading, own in zip(readings, found, strict=True) if own]
    tell("inspected", PARTS, PARTS)
    return Inspection(run, names, results)


def _check_length(source: Loader, steps: int, files: Sequence[str | Path]) -> None:
    if steps < SHIFTS:
        raise HeloError(
            f"{steps} step{'s' * (steps != 1)}", expected=f"{SHIFTS} or more, so that chance can be measured by shifting",
            mend="give more text" if files else "give FILES", where=source.where,
        )  # fmt: skip


def _result(source: Loader, reading: Reading, found: list[Measured]) -> Result:
    tell("inspected", 1, PARTS)
    scored = scores(reading, found)
    tell("inspected", 2, PARTS)
    seed = source.run.about["training"].get("seed")
    seed = seed if isinstance(seed, int) and seed >= 0 else 0  # a folder may say anything
    fresh, freshes = untrained(source, reading, found, [seed + i for i in range(SEEDS)])
    tell("inspected", 3, PARTS)
    probes = probe(reading, found)
    for one, theirs in zip(probes, freshes.tolist(), strict=True):
        least = needed(one["floor"], theirs)
        one |= {"untrained": theirs, "needed": least, "found": one["score"] > least}
        one |= {name: round(one[name], 4) for name in ("score", "floor", "untrained", "needed")}
    best = [scored.layers[u] for u in scored.best.argmax(1)] if found else []
    tell("inspected", 4, PARTS)
    silenced = [*([unit] for unit in best), *([(layer, unit) for layer, unit in p["units"]] for p in probes)]
    worse = costs(source, reading, [*found, *found], silenced)
    for one, cost in zip(probes, worse[len(found) :], strict=True):
        one |= _cost(cost)
    tell("inspected", 5, PARTS)
    lengths = memory_lengths(source, reading)
    tell("inspected", 6, PARTS)
    analysis = analyse(reading, found, source)
    return Result(reading, found, scored, fresh, probes, worse, gates(reading), lengths, analysis)
