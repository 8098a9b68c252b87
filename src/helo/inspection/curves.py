"""Curves for a page: one picture of lines as SVG, each named where it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helo.pages import text

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 104, 12, 38
LETTERS = 15  # of a line's name beside it
LINE = 14  # from one name to the next

# Okabe and Ito's colours, told apart by colour-blind readers, brighter by night; beside that lines differ in their dashes.
STYLE = """
:root { --c0: #0072b2; --c1: #d55e00; --c2: #007a5a; --c3: #a8558a; --c4: #8a6d00; --c5: #2a86b8; --c6: #44403c; --c7: #b3001b }
@media (prefers-color-scheme: dark) { :root { --c0: #56b4e9; --c1: #ff8a3d; --c2: #2bc49b; --c3: #e59cc8; --c4: #e6cf3a;
  --c5: #9ad4f5; --c6: #d6d1cb; --c7: #ff7b8a } }
.chart { display: block; width: 100%; max-width: 38rem } .chart .axis { stroke: var(--line) } .chart .tick { fill: var(--faint) }
.chart path { fill: none; stroke-width: 2; stroke-linejoin: round }
""" + "".join(f".chart .l{i} {{ stroke: var(--c{i}) }} .chart .n{i} {{ fill: var(--c{i}) }}\n" for i in range(8))
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2", "6 2 1 2")


@dataclass(frozen=True)
class Line:
    """A curve: its name and its points."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


def chart(title: str, across: str, lines: Sequence[Line], log: bool = False) -> str:
    """A picture of some lines. title: what it shows, said to who does not see it; across: what x is; log: y as powers of 10."""
    drawn = [(i, points) for i, line in enumerate(lines) if (points := _points(line, log))]
    if not drawn:
        return f'<p class="faint">{text(title)}: no values yet.</p>'
    xs, ys = zip(*(point for _, points in drawn for point in points), strict=True)
    first = 0.0 if min(xs) == max(xs) > 0 else min(xs)  # of one point: from the beginning
    (x0, x1), (y0, y1) = _span(first, max(xs)), _span(min(ys), max(ys), 0.06)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    parts = []
    for y in _ticks(y0, y1, whole=log):
        v = at(x0, y)[1]
        tick = f"{10**y:.3g}" if log else f"{y:.6g}"
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{v:.1f}" y2="{v:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{v + 4:.1f}" text-anchor="end">{tick}</text>')
    for x in _ticks(x0, x1, 4):
        h = at(x, y0)[0]
        parts.append(
            f'<text class="tick" x="{h:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_short(x)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{text(across)}</text>')
    ends = []
    for i, points in drawn:
        where = [at(x, y) for x, y in points]
        dash = f' stroke-dasharray="{DASHES[i % 8]}"' if i % 8 else ""
        if len(where) == 1:
            where = [where[0], (where[0][0] + 0.1, where[0][1])]
            dash = ' style="stroke-width: 6; stroke-linecap: round"'
        way = "M" + "L".join(f"{h:.1f} {v:.1f}" for h, v in where)
        end = f"{lines[i].name}: {_value(points[-1][1], log)} at the end"
        parts.append(f'<path class="l{i % 8}" d="{way}"{dash}><title>{text(end)}</title></path>')
        ends.append((where[-1][1], where[-1][0], i))
    ends.sort()
    below, heights = -math.inf, []
    for v, _, _ in ends:
        heights.append(below := max(v + 4, below + LINE))
    if len(ends) * LINE <= HEIGHT - TOP - BOTTOM:  # where they fit, no name stands among the numbers of the axis
        below = HEIGHT - BOTTOM + LINE
        for k in reversed(range(len(ends))):
            heights[k] = below = min(heights[k], below - LINE)
    for below, (_, h, i) in zip(heights, ends, strict=True):
        name = lines[i].name
        if len(name) > LETTERS:  # names of layers differ at their ends
            name = f"{name[:5]}…{name[6 - LETTERS :]}"
        parts.append(f'<text class="n{i % 8}" x="{h + 6:.1f}" y="{below:.1f}">{text(name)}</text>')
    label = "; ".join(f"{lines[i].name} from {_value(p[0][1], log)} to {_value(p[-1][1], log)}" for i, p in drawn)
    height = max(HEIGHT, below + 8)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text(f"{title}: {label}")}">'
        f"{''.join(parts)}</svg>"
    )


def thinned(points: Sequence[tuple[float, float]], most: int = 400) -> list[tuple[float, float]]:
    """At most so many points, each the mean of its neighbours."""
    size = -(-len(points) // most)
    groups = [points[i : i + size] for i in range(0, len(points), max(1, size))]
    return [(g[-1][0], sum(y for _, y in g) / len(g)) for g in groups]


def drawn(value: Any) -> bool:
    """Whether a value is a number that a curve can have; a file may hold any."""
    return isinstance(value, int | float) and abs(value) < 1e100


def line(name: str, reports: Sequence[Mapping[str, Any]], key: str, across: str = "step") -> Line:
    """A curve out of reports, where they have numbers."""
    points = [(r[across], r[key]) for r in reports if drawn(r.get(across)) and drawn(r.get(key))]
    return Line(name, [float(x) for x, _ in points], [float(y) for _, y in points])


def _points(line: Line, log: bool) -> list[tuple[float, float]]:
    points = zip(line.xs, line.ys, strict=True)
    return thinned([(x, math.log10(y) if log else y) for x, y in points if y > 0 or not log])


def _span(low: float, high: float, room: float = 0.0) -> tuple[float, float]:
    if high - low < 1e-9 * max(1.0, abs(high)):
        half = max(0.5, 1e-6 * abs(high))
        low, high = low - half, high + half
    return low - room * (high - low), high + room * (high - low)


def _ticks(low: float, high: float, about: int = 5, whole: bool = False) -> list[float]:
    """Round numbers between two, about so many."""
    power = 10 ** math.floor(math.log10((high - low) / about))
    step = next(s * power for s in (1, 2, 5, 10) if (high - low) / (s * power) <= about + 1)
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    found = [i * step for i in range(first, first + 40) if i * step <= high + 1e-9 * abs(step)]
    return found if len(found) > 1 or not whole else [low, high]


def _short(x: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= 10 * size or (abs(x) >= size and x % (size / 10) == 0):
            return f"{x / size:.4g}{letter}"
    return f"{x:.4g}"


def _value(y: float, log: bool) -> str:
    return f"{10**y if log else y:.4g}"
