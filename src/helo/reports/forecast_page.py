"""Forecasts on one page, a picture a series: what came before, the median, intervals, and what came where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helo import pages

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 200, 58, 24, 8
TICKS = 4  # of the values, about

STYLE = """
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1.2rem }
main > p, main > h2 { grid-column: 1 / -1 } figure { margin: 0; break-inside: avoid; content-visibility: auto; contain-intrinsic-size: auto 14rem }
figcaption { overflow-wrap: anywhere } figcaption span { color: var(--faint); font-size: .85rem }
.forecast { display: block; width: 100% } .forecast line { stroke: var(--line) } .forecast text { fill: var(--faint) }
.forecast path { fill: none; stroke: var(--faint); stroke-width: 1.4; stroke-linejoin: round }
.forecast .median { stroke: var(--below); stroke-width: 2; stroke-dasharray: 6 3 } .forecast .truth { stroke: var(--above) }
.forecast .band { fill: var(--below); stroke: none; fill-opacity: .18 }
"""


@dataclass(frozen=True)
class Panel:
    """A forecast. before `(time,)`, NaN where missing; levels, increasing, and quantiles `(horizon, levels)`; truth `(horizon,)`, NaN
    where it is not known. first, last: the times of the first value shown and of the last step.
    """

    name: str
    about: str
    before: np.ndarray
    levels: Sequence[float]
    quantiles: np.ndarray
    truth: np.ndarray
    first: str
    last: str


def page(title: str, about: str, panels: Sequence[Panel], note: str = "") -> str:
    """The whole page."""
    wide = [f"{100 * (high - low):.3g} %" for low, high in _bands(panels[0].levels)] if panels else []
    said = "Grey: the values before. Dashed blue: the median."
    said += f" Shaded: {' and '.join(wide)} of what may come." if wide else ""
    said += " Orange: what came." if any((~np.isnan(p.truth)).any() for p in panels) else ""
    body = [f"<p>{pages.text(f'{said} {note}')}</p>"]
    for panel in panels:
        name = f"{pages.text(panel.name)} <span>{pages.text(panel.about)}</span>"
        body.append(f"<figure>{drawn(panel)}<figcaption>{name}</figcaption></figure>")
    return pages.page(title, about, "\n".join(body), STYLE, language="")


def _bands(levels: Sequence[float]) -> list[tuple[float, float]]:
    """The widest interval, and one about half as wide, as pairs of levels."""
    pairs = [(levels[i], levels[-1 - i]) for i in range(len(levels) // 2)]
    if len(pairs) < 3:
        return pairs
    return [pairs[0], min(pairs[1:], key=lambda p: abs((p[1] - p[0]) - (pairs[0][1] - pairs[0][0]) / 2))]


def drawn(panel: Panel) -> str:
    """A forecast as SVG."""
    n, horizon, came = len(panel.before), len(panel.quantiles), bool((~np.isnan(panel.truth)).any())
    values = np.concatenate([panel.before, panel.quantiles.ravel(), panel.truth])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    low, high = (low - 1, high + 1) if low == high else (low - 0.04 * (high - low), high + 0.04 * (high - low))

    def at(i: float, y: float) -> str:
        x = LEFT + i / max(1, n + horizon - 1) * (WIDTH - LEFT - 6)
        return f"{x:.1f} {TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = []
    for tick in _ticks(low, high):
        height = at(0, tick).split()[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 6}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{float(height) + 4:.1f}" text-anchor="end">{tick:.5g}</text>')
    for text, x, anchor in ((panel.first, LEFT, "start"), (panel.last, WIDTH - 6, "end")):
        parts.append(f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{pages.text(text)}</text>')
    ahead = range(n, n + horizon)
    for lower, upper in _bands(panel.levels):
        a, b = (panel.quantiles[:, list(panel.levels).index(q)] for q in (lower, upper))
        outline = [at(i, y) for i, y in zip(ahead, a, strict=True)] + [
            at(i, y) for i, y in zip(reversed(ahead), b[::-1], strict=True)
        ]
        parts.append(f'<path class="band" d="M{"L".join(outline)}Z"/>')
    middle = min(range(len(panel.levels)), key=lambda k: abs(panel.levels[k] - 0.5))
    lines = [("", 0, panel.before), ("median", n, panel.quantiles[:, middle])]
    if came:  # it goes on where the series stands
        lines.insert(1, ("truth", n - len(panel.before[-1:]), np.concatenate([panel.before[-1:], panel.truth])))
    for kind, first, ys in lines:
        if way := _way([at(i, y) if np.isfinite(y) else None for i, y in enumerate(ys, first)]):
            parts.append(f'<path class="{kind}" d="{way}"/>')
    end = panel.quantiles[-1]
    label = f"{panel.name} {panel.about}: forecast to {panel.last}, at the end {end[middle]:.5g}, between {end[0]:.5g} and {end[-1]:.5g}"
    return f'<svg class="forecast" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{pages.text(label)}">{"".join(parts)}</svg>'


def _way(points: Sequence[str | None]) -> str:
    """A path through points that is broken where one is missing."""
    found, pen = "", "M"
    for point in points:
        found, pen = (found, "M") if point is None else (f"{found}{pen}{point}", "L")
    return found


def _ticks(low: float, high: float) -> list[float]:
    step = 10.0 ** np.floor(np.log10((high - low) / TICKS))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= TICKS)
    return [float(f"{k * step:.12g}") for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
