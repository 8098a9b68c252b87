"""What people see of runs that were compared: a table for a terminal, a page with the curves."""

from __future__ import annotations

from typing import Any

from helo import pages
from helo.inspection import curves, groups
from helo.inspection.compare import names
from helo.inspection.curves import chart
from helo.options import spelled
from helo.saved import as_figure

STYLE = (
    curves.STYLE
    + """
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 2rem } td b { white-space: nowrap }
"""
)


def notes(found: dict[str, Any]) -> list[str]:
    """What does not compare, in words."""
    runs, alike = names(found), {}
    for figure, parts in found["alike"].items():
        if len(parts) > 1:
            alike.setdefault(" | ".join(", ".join(runs[i] for i in part) for part in parts), []).append(figure)
    lines = [
        f"{', '.join(figures)} can be compared only within: {parts} (different data, symbols or protocol)"
        for parts, figures in alike.items()
    ]
    units = {r["options"].get("units") for r in found["runs"]}
    if len(units) > 1 and found["held_out"]:
        lines.append(f"{found['held_out']} of each run's own symbols were held out: not exactly the same text")
    if unfinished := [runs[i] for i, r in enumerate(found["runs"]) if not r["finished"]]:
        lines.append(f"not finished: {', '.join(unfinished)}")
    if found["no_intervals"]:
        lines.append(f"no intervals: {found['no_intervals']}")
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
    return "" if value is None else as_figure(value) if isinstance(value, float) else spelled(value)


def table(found: dict[str, Any]) -> str:
    """Side by side, for a terminal: the runs, unless several seeds of each stand together, and how sure their figures are."""
    parts = []
    if len(found["groups"]) in (0, len(found["runs"])):
        facts, figures = rows(found)
        parts += [_aligned([["", *names(found)], *facts, [""] * (len(found["runs"]) + 1), *figures])]
        parts += ["* the best of those that can be compared"]
    parts += notes(found)
    if found["groups"]:
        parts += [_aligned(groups.rows(found["groups"])), groups.legend(found["groups"])]
    return "\n\n".join(parts)


def _aligned(whole: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in whole) for i in range(len(whole[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in whole
    ]
    return "\n".join(lines)


def page(found: dict[str, Any]) -> str:
    """Side by side, as a page with the curves."""
    runs = names(found)
    facts, figures = rows(found)
    head = ["", *runs]
    mark = [[pages.Markup(f"<b>{pages.text(c)}</b>") if c.endswith("*") else c for c in row] for row in figures]
    seeds = found["groups"] if len(found["groups"]) < len(runs) else []
    parts = [f"<p>{pages.text(line)}.</p>" for line in notes(found)]
    if found["groups"]:
        sure = groups.rows(found["groups"])
        parts += ["<h2>How sure</h2>", pages.table(sure[0], sure[1:], groups.legend(found["groups"]))]
    parts += ["<h2>Figures</h2>", pages.table(head, mark, "* the best of those that can be compared")]
    parts += ["<h2>What differs</h2>", pages.table(head, facts)]
    keys = list(dict.fromkeys(k for c in found["curves"] for k in c if k not in ("step", "seconds")))
    unit = found["loss_unit"] and f", {found['loss_unit']}"
    titles = {"valid": f"Validation{unit}", "loss": f"Training{unit}", "bits_per_byte": "Validation, bits per byte"}
    if len(found["alike"]["valid"]) == 1 and "bits_per_byte" in keys:
        keys.remove("bits_per_byte")  # the same picture
    for key in sorted(keys, key=lambda k: (k == "loss", k != "bits_per_byte", k != "valid")):
        comparable, shown, each = found["alike"].get(key) or [list(range(len(runs)))], runs, found["curves"]
        if seeds and len(comparable) == 1:
            shown, each = [g["name"] for g in seeds], [_mean([found["curves"][i] for i in g["runs"]]) for g in seeds]
            comparable = [list(range(len(shown)))]
        for group in comparable:
            of = (
                f" ({', '.join(shown[i] for i in group)})"
                if len(comparable) > 1
                else ", mean of the seeds" * bool(seeds)
            )
            title = (titles.get(key) or key.replace("_", " ")) + of
            parts.append(f'<h2>{pages.text(title)}</h2><div class="two">')
            for across in ("step", "seconds"):
                lines = []
                for i, (run, curve) in enumerate(zip(shown, each, strict=True)):
                    curve = curve if i in group else {}  # an empty one, so that a run has its colour everywhere
                    points = zip(curve.get(across, ()), curve.get(key, ()), strict=False)
                    lines.append(curves.line(run, [{across: x, key: y} for x, y in points], key, across))
                parts.append(chart(f"{title} by {across}", across, lines))
            parts.append("</div>")
    about = f"{len(runs)} runs of {found['runs'][0]['task']}, side by side."
    return pages.page(
        " · ".join(g["name"] for g in seeds) if seeds else " · ".join(runs), about, "\n".join(parts), STYLE, language=""
    )


def _mean(several: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """Curves of several seeds as one: each report is the mean of theirs, as far as all of them go."""
    found = {}
    for key in several[0]:
        reports = zip(*(curve.get(key, ()) for curve in several), strict=False)
        found[key] = [sum(r) / len(r) if all(map(curves.drawn, r)) else None for r in reports]
    return found
