"""Draw docs/shapes.svg, the five shapes of sequence tasks: `python docs/draw_shapes.py`.

After the picture that opens many lectures on recurrent networks; drawn anew with matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INPUT, STATE, OUTPUT, LINE = "#f2b8a0", "#9ec7a4", "#a9bfe8", "#4b5563"

# (title, what it is for, inputs, states, outputs), the last three as columns of the step at which each stands
SHAPES = (
    ("one to one", "a vector, a picture\n→ its class", (0,), (0,), (0,)),
    ("one to many", "a photograph\n→ a sentence", (0,), (0, 1, 2), (0, 1, 2)),
    ("many to one", "a sentence\n→ its mood", (0, 1, 2), (0, 1, 2), (2,)),
    ("many to many", "English\n→ German", (0, 1, 2), (0, 1, 2, 3, 4), (2, 3, 4)),
    ("many to many\nin step", "each character\n→ the next", (0, 1, 2), (0, 1, 2), (0, 1, 2)),
)


def box(axes, x: float, y: float, colour: str) -> None:
    axes.add_patch(
        FancyBboxPatch((x, y), 0.5, 0.62, boxstyle="round,pad=0,rounding_size=0.1", fc=colour, ec=LINE, lw=0.8)
    )


def arrow(axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=7, lw=0.9, color=LINE, shrinkA=0, shrinkB=0)
    )


def main() -> None:
    figure, axes = plt.subplots(figsize=(9.2, 2.75))
    left = 0.0
    for title, use, inputs, states, outputs in SHAPES:
        for t in states:
            x = left + 0.85 * t
            box(axes, x, 1.3, STATE)
            if t + 1 in states:
                arrow(axes, (x + 0.5, 1.61), (x + 0.85, 1.61))
        for t in inputs:
            box(axes, left + 0.85 * t, 0, INPUT)
            arrow(axes, (left + 0.85 * t + 0.25, 0.62), (left + 0.85 * t + 0.25, 1.3))
        for t in outputs:
            box(axes, left + 0.85 * t, 2.6, OUTPUT)
            arrow(axes, (left + 0.85 * t + 0.25, 1.92), (left + 0.85 * t + 0.25, 2.6))
        width = 0.85 * (len(states) - 1) + 0.5
        axes.text(left + width / 2, 3.55, title, ha="center", va="bottom", fontsize=10, weight="bold", color="#111827")
        axes.text(left + width / 2, -0.3, use, ha="center", va="top", fontsize=8.5, color=LINE)
        left += max(width, 1.3) + 1.0
    axes.set(xlim=(-0.6, left - 0.6), ylim=(-1.3, 4.6), aspect="equal")
    axes.axis("off")
    figure.patch.set_facecolor("white")
    matplotlib.rcParams["svg.hashsalt"] = "helo"
    matplotlib.rcParams["svg.fonttype"] = "path"
    figure.savefig(Path(__file__).parent / "shapes.svg", bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
