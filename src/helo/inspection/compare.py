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

from helo import metrics, pages, registry, reports
from helo.errors import HeloError, door
from helo.inspection import curves
from helo.inspection.curves import chart, drawn
from helo.options import spelled
from helo.runs import folder
from helo.runs.run import Run
from helo.tasks.base import Task

BY_SYMBOL = frozenset({"nats", "perplexity", "loss", "valid"})  # figures of a symbol, whatever a symbol is
WANTED = {"coverage_80": 0.8}  # figures of which neither more nor less is better
MOST = 16  # runs

STYLE = (
    curves.STYLE
    + """
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem } td b { white-space: nowrap }
"""
)


@door
def compare(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Runs by their folders, two or more of one task.

    runs       for each: run, task, cell, parameters, steps, seconds, finished, options (those that differ), figures
    differ     names of the options that differ
    held_out   what part of the files was held out to validate on, in words; None where all were given files for it
    alike      by figure, and "valid" and "loss" of the curves, the groups of runs (their places) within which it compares
    best       by figure, the place of the best of each such group of two or more
    curves     for each run: step, seconds, loss, valid, the figure by which its best weights are known, bits_per_byte
    loss_unit  of loss and valid, as the task declares it; "" where it has none

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
    names = list(dict.fromkeys(n for o in options for n in o))
    differ = [n for n in names if len({repr(o.get(n)) for o in options}) > 1]
    figures = list(dict.fromkeys(f for a in abouts for f, v in a["figures"].items() if isinstance(v, float)))
    task = _task(tasks[0], places)
    less = _lower_is_better(task, abouts)
    pairs = list(zip(places, abouts, strict=True))
    alike = {f: _alike([_condition(p, a, f) for p, a in pairs]) for f in [*figures, "valid", "loss"]}
    return {
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
    }  # fmt: skip


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


# For people.


def names(found: dict[str, Any]) -> list[str]:
    """What the runs are called: the last part of their paths where that tells them apart."""
    short = [Path(r["run"]).name or r["run"] for r in found["runs"]]
    return short if len(set(short)) == len(short) else [r["run"] for r in found["runs"]]


def notes(found: dict[str, Any]) -> list[str]:
    """What does not compare, in words."""
    runs, groups = names(found), {}
    for figure, parts in found["alike"].items():
        if len(parts) > 1:
            groups.setdefault(" | ".join(", ".join(runs[i] for i in part) for part in parts), []).append(figure)
    lines = [
        f"{', '.join(figures)} can be compared only within: {parts} (different data, symbols or protocol)"
        for parts, figures in groups.items()
    ]
    units = {r["options"].get("units") for r in found["runs"]}
    if len(units) > 1 and found["held_out"]:
        lines.append(f"{found['held_out']} of each run's own symbols were held out: not exactly the same text")
    if unfinished := [runs[i] for i, r in enumerate(found["runs"]) if not r["finished"]]:
        lines.append(f"not finished: {', '.join(unfinished)}")
    return lines


def rows(found: dict[str, Any]) -> tuple[list[list[str]], list[list[str]]]:
    """Options that differ, and figures, each a row of its name and a text a run; the best of its kind ends with *."""
    runs = found["runs"]
    done = ("parameters", "steps", "seconds")
    options = [n for n in found["differ"] if n not in done]  # the budget; what was done stands below
    facts = [[n.replace("_", " "), *(_text(r["options"].get(n)) for r in runs)] for n in options]
    facts += [[name, *(f"{round(r[name]):,}" for r in runs)] for name in done]
    figures = []
    for name in [f for f in found["alike"] if f not in ("valid", "loss")]:
        stars = ["*" if i in found["best"].get(name, []) else "" for i in range(len(runs))]
        values = [_text(r["figures"].get(name)) + star for r, star in zip(runs, stars, strict=True)]
        figures.append([name.replace("_", " "), *values])
    return facts, figures


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) and abs(value) < 1e4 else spelled(value)


def table(found: dict[str, Any]) -> str:
    """Side by side, for a terminal."""
    facts, figures = rows(found)
    whole = [["", *names(found)], *facts, [""] * (len(found["runs"]) + 1), *figures]
    widths = [max(len(row[i]) for row in whole) for i in range(len(whole[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in whole
    ]
    return "\n".join([*lines, "", "* the best of those that can be compared", *notes(found)])


def page(found: dict[str, Any]) -> str:
    """Side by side, as a page with the curves."""
    runs = names(found)
    facts, figures = rows(found)
    head = ["", *runs]
    mark = [[pages.Markup(f"<b>{pages.text(c)}</b>") if c.endswith("*") else c for c in row] for row in figures]
    parts = [f"<p>{pages.text(line)}.</p>" for line in notes(found)]
    parts += ["<h2>Figures</h2>", pages.table(head, mark, "* the best of those that can be compared")]
    parts += ["<h2>What differs</h2>", pages.table(head, facts)]
    keys = list(dict.fromkeys(k for c in found["curves"] for k in c if k not in ("step", "seconds")))
    unit = found["loss_unit"] and f", {found['loss_unit']}"
    titles = {"valid": f"Validation{unit}", "loss": f"Training{unit}", "bits_per_byte": "Validation, bits per byte"}
    if len(found["alike"]["valid"]) == 1 and "bits_per_byte" in keys:
        keys.remove("bits_per_byte")  # the same picture
    for key in sorted(keys, key=lambda k: (k == "loss", k != "bits_per_byte", k != "valid")):
        groups = found["alike"].get(key) or [list(range(len(runs)))]
        for group in groups:
            of = f" ({', '.join(runs[i] for i in group)})" if len(groups) > 1 else ""
            title = (titles.get(key) or key.replace("_", " ")) + of
            parts.append(f'<h2>{pages.text(title)}</h2><div class="two">')
            for across in ("step", "seconds"):
                lines = []
                for i, (run, curve) in enumerate(zip(runs, found["curves"], strict=True)):
                    curve = curve if i in group else {}  # an empty one, so that a run has its colour everywhere
                    points = zip(curve.get(across, ()), curve.get(key, ()), strict=False)
                    lines.append(curves.line(run, [{across: x, key: y} for x, y in points], key, across))
                parts.append(chart(f"{title} by {across}", across, lines))
            parts.append("</div>")
    about = f"{len(runs)} runs of {found['runs'][0]['task']}, side by side."
    return pages.page(" · ".join(runs), about, "\n".join(parts), STYLE, language="")
