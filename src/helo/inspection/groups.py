"""Runs that differ in their seed alone, as one: the mean of their figures, how sure it is, and how far from the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helo import progress
from helo.errors import HeloError
from helo.inspection import bootstrap
from helo.runs.run import Run

BY_SYMBOL = frozenset({"nats", "perplexity", "loss", "valid"})  # figures of a symbol, whatever a symbol is


def grouped(found: Mapping[str, Any]) -> list[list[int]]:
    """The places of runs that have the same options but for the seed. Of those that have the same seed too each stands alone."""
    groups: dict[str, list[int]] = {}
    for i, run in enumerate(found["runs"]):
        groups.setdefault(repr({k: v for k, v in run["options"].items() if k != "seed"}), []).append(i)
    parts: list[list[int]] = []
    for places in groups.values():
        seeds = {found["runs"][i]["options"].get("seed") for i in places}
        parts += [places] if len(seeds) == len(places) else [[i] for i in places]
    return parts


def named(found: Mapping[str, Any], places: Sequence[int], names: Sequence[str]) -> str:
    """What a group is called: what tells it from the others, or its first run."""
    if len(places) == 1:
        return names[places[0]]
    own = {k: v for k, v in found["runs"][places[0]]["options"].items() if k != "seed"}
    said = [str(v) if k == "cell" else f"{k} {v}" for k, v in own.items() if v is not None]
    return ", ".join(said) or names[places[0]]


def intervals(
    found: dict[str, Any], paths: Sequence[Path], names: Sequence[str], files: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    """For each group of the runs that `helo.compare` found:

    name, runs   what it is called, and the places of its runs
    parameters   as the runs have them
    seconds      of training, their mean
    figures      by figure: mean, low and high, between which it lies in 95 % of the draws of the bootstrap; of `files`, or
                 else of the data that the runs were validated on
    against      by figure: the same of the difference from the group that is best by it; None for that one

    Raises HeloError where the data of a run is not there any more.
    """
    groups = grouped(found)
    found_parts: dict[int, list[bootstrap.Part]] = {}
    for i, path in enumerate(paths):
        progress.tell("evaluating", i, len(paths))
        found_parts[i] = bootstrap.parts(Run(path), files)
    progress.tell("evaluating", len(paths), len(paths))
    drawn = bootstrap.draws([[found_parts[i] for i in places] for places in groups])
    # The same files make figures comparable, but for those of a symbol.
    several = {f for f, parts in found["alike"].items() if len(parts) > 1 and (not files or f in BY_SYMBOL)}
    shown = [f for f in drawn[0] if f not in several and all(f in d and np.isfinite(d[f]).all() for d in drawn)]
    if not shown:
        raise HeloError("no figure of all the runs was taken on the same data", mend="--test FILES")
    best = {f: _best(f, drawn, found["lower_is_better"]) for f in shown}
    return [
        {
            "name": named(found, places, names),
            "runs": places,
            "parameters": found["runs"][places[0]]["parameters"],
            "seconds": float(np.mean([found["runs"][i]["seconds"] for i in places])),
            "figures": {f: bootstrap.interval(drawn[g][f]) for f in shown},
            "against": {f: bootstrap.against(drawn, f, best[f])[g] for f in shown},
        }
        for g, places in enumerate(groups)
    ]


def _best(figure: str, drawn: Sequence[Mapping[str, np.ndarray]], less: Sequence[str]) -> int:
    values = [float(d[figure][0]) for d in drawn]
    return int(np.argmin(values) if figure in less else np.argmax(values))


def rows(groups: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A table, a row a figure and a column a group: the mean with its interval; under it, where it is not the best, how far
    from that, with * where the interval has no zero in it.
    """
    table = [["", *(g["name"] for g in groups)]]
    if any(len(g["runs"]) > 1 for g in groups):
        table.append(["seeds", *(str(len(g["runs"])) for g in groups)])
    table.append(["parameters", *(f"{g['parameters']:,}" for g in groups)])
    table.append(["seconds", *(f"{g['seconds']:,.0f}" for g in groups)])
    for figure in groups[0]["figures"]:
        table.append([figure.replace("_", " "), *(_between(g["figures"][figure]) for g in groups)])
        if len(groups) > 1:
            table.append(["  from the best", *(_away(g["against"][figure]) for g in groups)])
    return table


def _between(v: Mapping[str, float]) -> str:
    return f"{v['mean']:.4g} [{v['low']:.4g}, {v['high']:.4g}]"


def _away(v: Mapping[str, float] | None) -> str:
    if v is None:
        return "best"
    star = "*" if v["low"] > 0 or v["high"] < 0 else ""
    return f"{v['mean']:+.3g} [{v['low']:+.3g}, {v['high']:+.3g}]{star}"


def legend(groups: Sequence[Mapping[str, Any]]) -> str:
    """What the table means, in words."""
    seeds = any(len(g["runs"]) > 1 for g in groups)
    drawn = "examples and seeds" if seeds else "examples (one seed each: how much that matters is not in it)"
    return f"[low, high]: 95 % of {bootstrap.DRAWS:,} draws of {drawn}; * no chance: the interval of the difference has no zero in it"


def tried(found: dict[str, Any], paths: Sequence[Path], names: Sequence[str], files: Sequence[Any] = ()) -> None:
    """Put the groups into what was found, or, where the data is not there, why there are none."""
    try:
        found["groups"] = intervals(found, paths, names, files)
    except HeloError as error:
        if files:
            raise
        found["no_intervals"] = str(error)
