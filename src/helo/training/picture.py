"""The loss curve, as a picture in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helo.runs import folder


def draw(path: Path, reports: list[dict[str, Any]], title: str) -> None:
    """Loss over steps, learning and validation, in nats; nothing where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(6.4, 3.6), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = [r["step"] for r in reports]
    axes.plot(steps, [r["loss"] for r in reports], color="#8a8f98", lw=1.4, label="learning (with dropout)")
    valid = [(r["step"], r["valid"]) for r in reports if "valid" in r]
    if valid:
        axes.plot(*zip(*valid, strict=True), color="#c2410c", lw=2, marker="o", ms=3.5, label="validation")
        best = min(valid, key=lambda v: v[1])
        axes.annotate(f"{best[1]:.3f}", best, textcoords="offset points", xytext=(0, 8), ha="center", color="#c2410c")
        low = min(min(v for _, v in valid), min(r["loss"] for r in reports[-3:]))
        high = min(max(r["loss"] for r in reports), low * 2.2)
        axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    axes.set(xlabel="step", ylabel="loss (nats a symbol)", title=title)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with folder.replacing(path) as beside:
        figure.savefig(beside, format="png")
