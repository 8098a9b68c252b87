"""Runs side by side: what differs between them, their figures, their curves, and which of these may be compared at all.

Runs of one task alone are compared. A figure of one is set against that of another where both were taken on the same data
in the same way; nats and perplexity, which are by symbol, only where the symbols are the same too. Bits per byte compare over
units.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from helo import metrics, registry, reports
from helo.data.readers import given
from helo.errors import HeloError, door
from helo.inspection import groups
from helo.inspection.curves import drawn
from helo.inspection.groups import BY_SYMBOL
from helo.runs import folder
from helo.runs.run import Run
from helo.tasks.base import Task

WANTED = {"coverage_80": 0.8}  # figures of which neither more nor less is better
MOST = 64  # runs


@door
def compare(paths: Sequence[str | Path], test: Any = (), intervals: bool = True) -> dict[str, Any]:
    """Runs by their folders, two or more of one task. test: files or data to take the intervals on, in place of what the runs were
    validated on. intervals: False leaves them out; for them each run is evaluated.

    runs       for each: run, task, cell, parameters, steps, seconds, finished, options (those that differ), figures
    differ     names of the options that differ
    held_out   what part of the files was held out to validate on, in words; None where all were given files for it
    alike      by figure, and "valid" and "loss" of the curves, the groups of runs (their places) within which it compares
    best       by figure, the place of the best of each such group of two or more
    curves     for each run: step, seconds, loss, valid, the figure by which its best weights are known, bits_per_byte
    loss_unit  of loss and valid, as the task declares it; "" where it has none
    lower_is_better  the figures of which less is better
    groups     runs that differ in their seed alone, with means and intervals (`helo.inspection.groups`); none where the data
               that they were validated on is not there any more, and then no_intervals says why

    Raises HeloError for fewer than two, for runs of several tasks, and where one is none or has no report yet.
    """
    if not 2 <= len(paths) <= MOST:
        raise HeloError(f"{len(paths)} runs" if len(paths) != 1 else "one run", expected=f"2 to {MOST} to compare",
                        mend="name each, such as runs/*" if len(paths) == 1 else "")  # fmt: skip
    places = [Path(p) for p in paths]
    abouts = [folder.describe(p) for p in places]
    tasks = list(dict.fromkeys(a["task"] for a in abouts))
    if len(tasks) > 1:
        raise HeloError(f"runs of {' and '.join(tasks)}", expected="runs of one task, whose figures can be compared")
    histories = [folder.metrics(folder.inside(p, "metrics.jsonl")) for p in places]
    for path, found in zip(places, histories, strict=True):
        if not found:
            raise HeloError("no report yet", mend="let it train a little longer (--resume)", where=str(path))
    options = [a["options"] | a["training"] | {"cell": a["cell"]} for a in abouts]
    every = list(dict.fromkeys(n for o in options for n in o))
    differ = [n for n in every if len({repr(o.get(n)) for o in options}) > 1]
    figures = list(dict.fromkeys(f for a in abouts for f, v in a["figures"].items() if isinstance(v, float)))
    task = _task(tasks[0], places)
    less = _lower_is_better(task, abouts)
    pairs = list(zip(places, abouts, strict=True))
    alike = {f: _alike([_condition(p, a, f) for p, a in pairs]) for f in [*figures, "valid", "loss"]}
    found = {
        "runs": [
            {
                "run": str(p), "task": a["task"], "cell": a["cell"], "parameters": a["parameters"],
                "steps": a.get("steps", 0), "seconds": a.get("seconds", 0.0), "finished": a.get("finished", False),
                "options": {n: o.get(n) for n in differ}, "figures": a["figures"],
            }
            for p, a, o in zip(places, abouts, options, strict=True)
        ],
        "differ": differ,
        "held_out": next((a["data"]["valid"] for a in abouts if isinstance(a["data"]["valid"], str)), None),
        "alike": alike,
        "best": {f: best for f in figures if (best := _best(f, alike[f], [a["figures"] for a in abouts], less))},
        "curves": [_curve(r, a["figures"]) for r, a in zip(histories, abouts, strict=True)],
        "loss_unit": _loss_unit(tasks[0], task),
        "lower_is_better": sorted(less),
    }  # fmt: skip
    found |= {"groups": [], "no_intervals": ""}
    if intervals:
        groups.tried(found, places, names(found), given.settled(test))
    return found


def names(found: dict[str, Any]) -> list[str]:
    """What the runs are called: the last part of their paths where that tells them apart."""
    short = [Path(r["run"]).name or r["run"] for r in found["runs"]]
    return short if len(set(short)) == len(short) else [r["run"] for r in found["runs"]]


def _task(name: str, places: Sequence[Path]) -> Task | None:
    """The task of the runs where it is code in a file that a person has vouched for: its metrics may stand beside it."""
    if registry.outside(name) and registry.remembered(name):
        with suppress(HeloError):
            return Run(places[0]).task
    return None


def _loss_unit(name: str, task: Task | None) -> str:
    return reports.of(task).loss_unit if task else "" if registry.outside(name) else reports.find(name).loss_unit


def _lower_is_better(task: Task | None, abouts: Sequence[dict[str, Any]]) -> frozenset[str]:
    """The figures of which less is better, as their metrics say."""
    chosen = {m for a in abouts if (m := a["training"].get("metric"))}
    own = [m for m in map(metrics.find, task.scoring.metrics if task else ()) if not m.higher_is_better]
    return metrics.lower_is_better(chosen).union(*(m.figures for m in own))


def _condition(path: Path, about: dict[str, Any], figure: str) -> tuple[Any, ...] | None:
    """What must be the same for a figure to compare; None where the run has no such figure."""
    data, figures = about["data"], about["figures"]
    curve = figure in ("valid", "loss")
    if not curve and not isinstance(figures.get(figure), float):
        return None
    part = isinstance(data["valid"], str)  # of the files to learn from
    what: list[Any] = [data["valid"] if part else "", about["options"].get("normal_form")]
    what.append(data["fingerprint"].get("train" if part or figure == "loss" else "valid"))
    if not curve:
        what += [figures.get("protocol"), figures.get("signature")]
    if figure in BY_SYMBOL:
        what.append(folder.content(folder.inside(path, "vocab.json")))
    return tuple(what)


def _alike(keys: Sequence[Any]) -> list[list[int]]:
    """The places of equal keys, together."""
    groups: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        if key is not None:
            groups.setdefault(key, []).append(i)
    return list(groups.values())


def _best(figure: str, groups: list[list[int]], figures: Sequence[dict[str, Any]], less: frozenset[str]) -> list[int]:
    """less: figures of which less is better."""

    def cost(i: int) -> float:
        value = figures[i][figure]
        return abs(value - WANTED[figure]) if figure in WANTED else value if figure in less else -value

    return [min(group, key=cost) for group in groups if len(group) > 1]


def _curve(reports: list[dict[str, Any]], figures: dict[str, Any]) -> dict[str, Any]:
    """Of a language model bits per byte too: the nats of each validation by what a symbol is worth on the whole."""
    known = {"epoch", "rate", "norm", "clipped", "symbols_per_second"}
    keys = [k for k, v in reports[-1].items() if isinstance(v, int | float) and k not in known]
    curve: dict[str, list[Any]] = {k: [r.get(k) for r in reports] for k in keys}
    nats, bits = figures.get("nats"), figures.get("bits_per_byte")
    if isinstance(nats, float) and isinstance(bits, float) and nats > 0:
        curve["bits_per_byte"] = [v * bits / nats if drawn(v) else None for v in curve["valid"]]
    return curve
