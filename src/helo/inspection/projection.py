"""State space: where the states of a text lie on a plane, what lies where, and which way a text goes through it.

compute(states, symbols, properties)    the planes, a sample of states on them and paths of short texts, as numbers for JSON
section(found)                          as HTML for a page

Every unit is taken less its mean and over its spread. One plane is that of the first two principal components (Pearson 1901),
which shows most of the variance that a plane can; how much is said. It knows nothing of the text, and what matters may lie across
it. So each property has a plane of its own: to the right the direction along which the states tell the property best (ridge
regression), upwards the first principal component of what is at right angles to it. That direction is learned on one half of the
text, and only states of the other half are shown, so that what parts there was not fitted there. Distances on both are distances
between states, seen from one side; t-SNE and UMAP, whose distances are not, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helo import pages
from helo.inspection.dictionary import halves, scaled
from helo.inspection.errors import Snippets

POINTS, PATHS, STEPS = 1000, 2, 28
RIDGE = 1e-3  # of the variance of a unit
COMPONENTS = 10  # whose shares of the variance are given
LEVELS = 5  # of a number's colours
BACK, ON = 24, 8  # characters before and behind a symbol in a title


def compute(
    states: np.ndarray,
    symbols: Sequence[str],
    properties: Mapping[str, np.ndarray],
    starts: Sequence[int] = (0,),
    points: int = POINTS,
    paths: Sequence[int] | None = None,
    steps: int = STEPS,
    seed: int = 0,
    gap: str = "",
) -> dict[str, Any]:
    """Planes of the states, and what lies where.

    states: (steps, units) after each symbol. symbols: (steps,) as text. properties: (steps,) flags or numbers by name, NaN where
    there is none. starts: where rows begin, ascending; directions are learned from one half, `dictionary.halves`. points: states
    of the other half that are shown. paths: where short texts begin whose way is shown, each of so many steps or up to the end
    of its row; two are chosen where none are given. gap: what is shown between symbols.

    `components`: shares of the variance. `points`: `at`, their steps, `texts`, `x` and `y` on the first two components.
    `properties`: by name `x`, `y`, `value` of each point, and `explained`, the share of the property's variance that its direction
    explains on the other half, below 0 where it is worse than the mean. `paths`: `start`, `symbols`, `x` and `y` of each step.
    """
    total, units = states.shape
    if not np.isfinite(states).all():
        return {"missing": "states that are no finite numbers"}
    if total < 4 or units < 2:
        return {"missing": f"{total} steps of {units} units; 4 steps and 2 units are needed"}
    rng = np.random.default_rng(seed)
    learned = halves(total, starts)
    x = scaled(states, states)
    variance = (x.T @ x).astype(np.float64) / total
    shares, axes = _principal(variance)
    theirs = np.flatnonzero(~learned)
    at = np.sort(rng.choice(theirs, min(points, len(theirs)), replace=False))
    plane = x @ axes[:, :2].astype(np.float32)
    ends = np.append(np.asarray(starts)[1:], total)
    ways, text = [], Snippets(symbols, starts, gap)
    for start in _path_starts(symbols, starts, theirs, steps, rng) if paths is None else paths:
        way = slice(int(start), int(min(ends[np.searchsorted(ends, start, side="right")], start + steps)))
        x_of, y_of = (_round(plane[way, i]) for i in (0, 1))
        ways.append({"start": way.start, "symbols": list(symbols[way]), "x": x_of, "y": y_of})
    return {
        "components": [float(s) for s in shares[:COMPONENTS]],
        "points": {
            "at": at.tolist(),
            "texts": [list(text.at(int(t), BACK, ON).values()) for t in at],
            "x": _round(plane[at, 0]),
            "y": _round(plane[at, 1]),
        },
        "properties": _directions(x, learned, variance, properties, at),
        "paths": ways,
        "gap": gap,
    }


def _principal(variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the variance, greatest first, and the components (units, components), each with its largest number above 0."""
    sizes, axes = np.linalg.eigh(variance)
    sizes, axes = np.maximum(sizes[::-1], 0), axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    return sizes / (sizes.sum() or 1.0), axes


def _directions(
    x: np.ndarray, learned: np.ndarray, variance: np.ndarray, properties: Mapping[str, np.ndarray], at: np.ndarray
) -> dict[str, Any]:
    """The plane of each property."""
    found = {}
    moments: dict[bytes, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}  # of states, by where a property is known
    for name, values in properties.items():
        value = np.asarray(values, np.float32)
        known = np.isfinite(value)
        fit = known & learned
        if len(np.unique(value[fit])) < 2 or len(np.unique(value[known & ~learned])) < 2:
            continue
        if (key := fit.tobytes()) not in moments:
            states = x[fit]
            mean = states.mean(0)
            inner = states.T @ states - len(states) * np.outer(mean, mean)
            inner[np.diag_indices(len(inner))] += RIDGE * len(states)
            moments = {key: (states, mean, inner)}  # of the last alone: most are known everywhere
        states, mean, inner = moments[key]
        middle = value[fit].mean()
        weights = np.linalg.solve(inner, states.T @ (value[fit] - middle))
        size = float(np.linalg.norm(weights))
        if not size:
            continue
        other = np.flatnonzero(known & ~learned)
        wrong = value[other] - middle - (x @ weights - mean @ weights)[other]
        one = weights.astype(np.float64) / size
        away = np.eye(len(one)) - np.outer(one, one)
        across = _principal(away @ variance @ away)[1][:, 0]
        found[name] = {
            "explained": 1 - float((wrong**2).sum()) / float(((value[other] - value[other].mean()) ** 2).sum()),
            "flag": bool(np.isin(value[known], (0, 1)).all()),
            "x": _round(x[at] @ one),
            "y": _round(x[at] @ across),
            "value": [float(f"{v:.4g}") if np.isfinite(v) else None for v in value[at].tolist()],
        }
    return dict(sorted(found.items(), key=lambda item: -item[1]["explained"]))


def _path_starts(
    symbols: Sequence[str], starts: Sequence[int], theirs: np.ndarray, steps: int, rng: np.random.Generator
) -> list[int]:
    """Where paths begin: with rows of several, and else with lines or words, if there are any."""
    rows = np.intersect1d(starts, theirs) if len(starts) > 1 else np.zeros(0, np.int64)
    if len(rows):
        return np.sort(rng.choice(rows, min(PATHS, len(rows)), replace=False)).tolist()
    room, texts = theirs[theirs <= len(symbols) - steps], list(symbols)
    for sign in ("\n", " ", ""):
        likely = [int(t) for t in room if t and texts[t - 1].endswith(sign) and texts[t].strip()]
        if len(likely) >= PATHS:
            return [likely[int((i + 0.5) * len(likely) / PATHS)] for i in range(PATHS)]
    return theirs[:1].tolist()


def _round(values: np.ndarray) -> list[float]:
    return [round(float(v), 3) for v in values]


def section(found: Mapping[str, Any], first: str | None = None, key: str = "space") -> str:
    """What `compute` gives, as HTML. first: the property in whose colours it stands; else the one that is explained best. key: what
    its controls are called, another for each of several on one page.
    """
    if "missing" in found:
        return f"<p>There is no map: {pages.text(found['missing'])}.</p>"
    points, properties = found["points"], found["properties"]
    name = first if first in properties else next(iter(properties), None)
    one, two = (*found["components"], 0.0)[:2]
    scale = _Scale(points["x"], points["y"])
    colours = {n: _levels(p) for n, p in properties.items()}
    ends = {n: _legend(p) for n, p in properties.items()}
    parts = []
    if name is not None:
        options = "".join(f"<option{' selected' if n == name else ''}>{pages.text(n)}</option>" for n in properties)
        parts.append(
            f'<p class="screen"><label>Colour by <select id="{key}-by">{options}</select></label></p>'
            f'<p class="legend" aria-live="polite">{_caption(name, properties[name], ends[name])}</p>'
        )
    levels = colours.get(name or "", "-" * len(points["x"]))
    parts += [
        '<div class="beside"><figure class="space">',
        _dots(points, points["x"], points["y"], scale, levels, "all", "States on the first two principal components"),
        f"<figcaption>The first two principal components: {one:.1%} and {two:.1%} of the variance of the units. Each dot is the "
        "state after one symbol.</figcaption></figure>",
    ]
    if name is not None:
        own = properties[name]
        parts += [
            '<figure class="space">',
            _dots(
                points,
                own["x"],
                own["y"],
                _Scale(own["x"], own["y"]),
                levels,
                "own",
                "States along the property's direction",
            ),
            "<figcaption>To the right: the direction that predicts the property best, learned on the other half of the text. Upwards: "
            "the direction with most of the remaining variance.</figcaption></figure>",
        ]
    parts.append("</div>")
    if found["paths"]:
        parts.append(
            "<h3>The path of a text</h3><p>The state after each symbol, on the first two principal components, from blue to orange. "
            "The dots behind it are the states from above.</p>"
        )
        parts += [
            '<div class="beside">',
            *(_path(way, points, found["gap"], f"{key}-{i}") for i, way in enumerate(found["paths"])),
            "</div>",
        ]
    data = {
        n: [colours[n], *_Scale(p["x"], p["y"]).places(p["x"], p["y"]), _caption(n, p, ends[n])]
        for n, p in properties.items()
    }
    return "\n".join(["<section>", _STYLE, *parts, _SCRIPT.replace("DATA", pages.spoken(data)), "</section>"])


WIDE, HIGH, EDGE = 560, 420, 14


class _Scale:
    """From numbers to places in a picture."""

    def __init__(self, x: Sequence[float], y: Sequence[float]):
        self.low = min(x, default=0.0), min(y, default=0.0)
        self.size = (max(x, default=0.0) - self.low[0]) or 1.0, (max(y, default=0.0) - self.low[1]) or 1.0

    def places(self, x: Sequence[float], y: Sequence[float]) -> tuple[list[int], list[int]]:
        """Up is up."""
        return (
            [round(EDGE + (v - self.low[0]) / self.size[0] * (WIDE - 2 * EDGE)) for v in x],
            [round(HIGH - EDGE - (v - self.low[1]) / self.size[1] * (HIGH - 2 * EDGE)) for v in y],
        )


def _levels(prop: Mapping[str, Any]) -> str:
    """A sign for each point: `-` where there is no value, else its level from 0 to 4."""
    values = [v for v in prop["value"] if v is not None]
    if prop["flag"] or not values:
        return "".join("-" if v is None else "4" if v else "0" for v in prop["value"])
    borders = np.quantile(values, np.arange(1, LEVELS) / LEVELS)
    return "".join("-" if v is None else str(int((v > borders).sum())) for v in prop["value"])


def _legend(prop: Mapping[str, Any]) -> tuple[str, str]:
    """What blue is, and orange."""
    if prop["flag"]:
        return "no", "yes"
    values = [v for v in prop["value"] if v is not None] or [0.0]
    low, high = np.quantile(values, (1 / LEVELS, 1 - 1 / LEVELS))
    return f"up to {low:.3g}", f"above {high:.3g}"


def _caption(name: str, prop: Mapping[str, Any], ends: tuple[str, str]) -> str:
    share = max(0.0, prop["explained"])
    return (
        f'<b>{pages.text(name)}</b>: <span class="dot d0"></span> {ends[0]}, <span class="dot d4"></span> {ends[1]}. Its direction '
        f"tells {share:.0%} of its variance on text that it was not learned on."
    )


def _dots(
    points: Mapping[str, Any], x: Sequence[float], y: Sequence[float], scale: _Scale, levels: str, key: str, title: str
) -> str:
    across, up = scale.places(x, y)
    circles = "".join(
        f'<circle class="d{level}" cx="{i}" cy="{j}" r="3"><title>{pages.text((b + "[" + s + "]" + a).translate(pages.SIGNS))}'
        "</title></circle>"
        for level, i, j, (b, s, a) in zip(levels, across, up, points["texts"], strict=True)
    )
    return f'<svg class="{key}" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{pages.text(title)}">{circles}</svg>'


def _path(way: Mapping[str, Any], points: Mapping[str, Any], gap: str, key: str) -> str:
    """One text's way: the states as circles with their symbols, joined in order."""
    scale = _Scale([*points["x"], *way["x"]], [*points["y"], *way["y"]])
    across, up = scale.places(way["x"], way["y"])
    behind = "".join(f"M{i} {j}h0" for i, j in zip(*scale.places(points["x"], points["y"]), strict=True))
    line = " ".join(f"{i},{j}" for i, j in zip(across, up, strict=True))
    # What is short stands in its circle, longer things stand above theirs.
    size, lift = (9, -4) if all(len(symbol) < 3 for symbol in way["symbols"]) else (4, 8)
    last = max(1, len(across) - 1)
    steps = "".join(
        f'<g style="--v:{t / last:.2f}"><circle cx="{i}" cy="{j}" r="{size}"></circle><text x="{i}" y="{j - lift}">'
        f"{pages.text(pages.spelled(symbol)[:12])}</text><title>step {t + 1}: {pages.text(pages.spelled(symbol))}</title></g>"
        for t, (symbol, i, j) in enumerate(zip(way["symbols"], across, up, strict=True))
    )
    about = pages.text(gap.join(way["symbols"]).translate(pages.SIGNS))
    return (
        f'<figure class="path"><figcaption><code>{about}</code></figcaption>'
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="The path of the state through: {about}">'
        f'<path class="behind" d="{behind}"></path><polyline points="{line}"></polyline>{steps}</svg>'
        f'<p class="screen"><label>Step <input type="range" id="{key}-step" min="1" max="{len(across)}" value="{len(across)}"></label> '
        f'<output aria-live="polite">all {len(across)} steps</output></p></figure>'
    )


_STYLE = """<style>
.space, .path { margin: .5rem 0 1rem; flex: 1 1 22rem; max-width: 36rem }
.space figcaption, .path figcaption { color: var(--faint); font-size: .9rem }
.space svg, .path svg { display: block; width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 4px }
.d0 { --c: var(--below) } .d4 { --c: var(--above) } .d- { --c: var(--line) }
.d1 { --c: color-mix(in oklab, var(--below) 75%, var(--above)) } .d2 { --c: color-mix(in oklab, var(--below), var(--above)) }
.d3 { --c: color-mix(in oklab, var(--below) 25%, var(--above)) }
.space circle { fill: var(--c); fill-opacity: .75 } .space circle:hover { stroke: var(--ink); stroke-width: 2 }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; background: var(--c) }
.path .behind { stroke: var(--line); stroke-width: 3; stroke-linecap: round; fill: none }
.path polyline { fill: none; stroke: var(--faint); stroke-width: 1 } .path text { text-anchor: middle;
  paint-order: stroke; stroke: var(--card); stroke-width: 3px }
.path circle { fill: var(--card); stroke-width: 2;
  stroke: color-mix(in oklab, var(--above) calc(var(--v) * 100%), var(--below)) }
.path .off { visibility: hidden } .path .here circle { fill: var(--mark) }
</style>"""

_SCRIPT = """<script>
(() => {
  const known = DATA, part = document.currentScript.parentElement, by = part.querySelector("select");
  by?.addEventListener("change", () => {
    const [levels, x, y, said] = known[by.value];
    part.querySelector(".legend").innerHTML = said;
    for (const key of ["all", "own"]) part.querySelectorAll(`.${key} circle`).forEach((c, i) => {
      c.setAttribute("class", "d" + levels[i]);
      if (key == "own") { c.setAttribute("cx", x[i]); c.setAttribute("cy", y[i]); }
    });
  });
  for (const figure of part.querySelectorAll(".path")) {
    const steps = [...figure.querySelectorAll("g")], line = figure.querySelector("polyline");
    const points = line.getAttribute("points").split(" ");
    figure.querySelector("input").addEventListener("input", e => {
      const n = +e.target.value;
      steps.forEach((g, i) => { g.classList.toggle("off", i >= n); g.classList.toggle("here", i == n - 1); });
      line.setAttribute("points", points.slice(0, n).join(" "));
      figure.querySelector("output").textContent = steps[n - 1].querySelector("title").textContent;
    });
  }
})();
</script>"""
