"""Pictures for people, by matplotlib (which everyone has, and whose pictures everyone can read); where it is not
installed there are none. A picture stands whole or not at all.
"""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".png", ".pdf", ".svg")
GREY, ORANGE, BLUE = "#8a8f98", "#c2410c", "#1d4ed8"
# Told apart by colour-blind readers too (Okabe and Ito 2008), and by their dashes where there is no colour.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
DASHES = ("-", "--", "-.", ":")
MARKS = 2000  # examples that are drawn one by one
BESIDE: Any = {"frameon": False, "fontsize": 8, "loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "handlelength": 3.5}


def available() -> bool:
    """Whether pictures can be drawn here."""
    import importlib.util

    return importlib.util.find_spec("matplotlib") is not None


def draw(path: Path, size: tuple[float, float], paint: Callable[[Any], None], form: str = "png") -> None:
    """One picture of `size` inches with one pair of axes, which `paint` fills."""
    drawn(path, size, lambda figure: paint(figure.add_subplot()), form)


def drawn(path: Path, size: tuple[float, float], fill: Callable[[Any], None], form: str = "png") -> None:
    """One picture of `size` inches: `fill` puts axes into the figure. form: of the file, one of SUFFIXES without its point."""
    if not available():
        return
    _imported()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    fill(figure)
    beside = path.with_name(f".{path.name}")
    try:
        figure.savefig(beside, format=form)
        beside.replace(path)
    finally:  # where the disk is full
        beside.unlink(missing_ok=True)


def _imported() -> None:
    """matplotlib looks at MPLBACKEND as it is imported, and fails where it does not know it; nothing here needs one."""
    try:
        import matplotlib  # pyright: ignore[reportUnusedImport]
    except ValueError:
        named = os.environ.pop("MPLBACKEND", None)
        if named is None:
            raise
        for half in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
            del sys.modules[half]
        try:
            import matplotlib  # noqa: F401  # pyright: ignore[reportUnusedImport]
        finally:
            os.environ["MPLBACKEND"] = named


def _line(i: int) -> dict[str, str]:
    """Of the curve number i: no two of the first 28 have the same."""
    return {"color": LINES[i % len(LINES)], "ls": DASHES[(i + 2 * (i // len(LINES))) % len(DASHES)]}


def _plain(axes: Any) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def loss(
    path: Path,
    reports: list[dict[str, Any]],
    title: str,
    unit: str,
    part: str = "",
    final: tuple[int, float | None, str] | None = None,
) -> None:
    """Loss over steps, learning and validation. unit: of the loss. part: of which data the validation is while it trains. final:
    the step of the best weights, their loss at the end, and of which data that is.
    """

    def paint(axes: Any) -> None:
        steps, losses = ([r[name] for r in reports] for name in ("step", "loss"))
        axes.plot(steps, losses, color=GREY, lw=1.4, label="training (with dropout)")
        valid = [(r["step"], r["valid"]) for r in reports if "valid" in r]
        if valid:
            axes.plot(*zip(*valid, strict=True), color=ORANGE, lw=2, marker="o", ms=3.5,
                      label=f"validation ({part})" if part else "validation")  # fmt: skip
            best = min(valid, key=lambda v: v[1])
            marks = [(*best, ORANGE)]
            if final is not None and final[1] is not None and math.isfinite(final[1]):
                label = f"at the end ({final[2]}): {final[1]:.3f}"
                axes.plot(final[0], final[1], color=BLUE, marker="D", ms=6, mfc="none", ls="", label=label, zorder=4)
                if abs(final[1] - best[1]) < 0.002:
                    marks = []
            low = min(best[1], *losses[-3:], *(f for f in (final or (0, None))[1:2] if f is not None))
            high = min(
                max(*losses, *(v for _, v in valid)), low * 2.2 if low > 0.2 else max(v for _, v in valid) * 1.1 + 0.01
            )
            # Validation from its best on stands whole in the picture: that it rises again is what is looked for.
            ends = [v for step, v in valid if step >= best[0]] + [f for f in (final or (0, None))[1:2] if f is not None]
            high = max(high, *(v for v in ends if math.isfinite(v)))
            margin = 0.08 * (high - low) or 0.1  # one report alone has no height
            axes.set_ylim(low - 2.5 * margin, high + margin)
            for x, y, color in marks:  # below the lowest point nothing is but, where it overfits, the loss in training
                beneath = np.interp(x, steps, losses) < y
                axes.annotate(f"{y:.3f}", (x, y), textcoords="offset points", xytext=(0, 9 if beneath else -16), ha="center",
                              color=color, bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85}, zorder=5)  # fmt: skip
        axes.set(xlabel="step", ylabel=f"loss ({unit})" if unit else "loss", title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _plain(axes)
        axes.legend(frameon=False, fontsize=8)

    draw(path, (6.4, 3.6), paint)


def confusion(path: Path, table: np.ndarray, labels: Sequence[str]) -> None:
    """The confusion matrix, each row by its share, with the counts where there is room for them."""
    n = len(labels)
    share = table / np.maximum(1, table.sum(1, keepdims=True))

    def paint(axes: Any) -> None:
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        if n <= 16:
            for i, j in np.ndindex(n, n):
                if table[i, j]:
                    axes.text(j, i, f"{table[i, j]:,}", ha="center", va="center", fontsize=8,
                              color="white" if share[i, j] > 0.5 else "black")  # fmt: skip
        if n <= 40:
            upright = n > 6 or longest > 40 / n
            axes.set_xticks(range(n), names, rotation=90 if upright else 0)
            axes.set_yticks(range(n), names)
        by = "" if n <= 40 else ", by its row in the table of labels"  # as a number: names have no room
        axes.set(
            xlabel=f"answer{by}", ylabel=f"true label{by}", title=f"confusion matrix of {int(table.sum()):,} answers"
        )

    names = [textwrap.fill(_escaped(label[:119] + "…" if len(label) > 120 else label), 40) for label in labels]
    longest = max((len(line) for name in names for line in name.splitlines()), default=0)
    room = 0.075 * longest if n <= 40 else 0.0
    side = min(9.0, max(3.6, 0.42 * n + 1.6))
    draw(path, (side + room, side + (room if n > 6 or longest > 40 / n else 0.0)), paint)


def _escaped(text: str) -> str:
    """A text in which nothing is mathematics."""
    return text.replace("$", r"\$")


def reliability(path: Path, sums: np.ndarray, labels: int = 0) -> None:
    """How often the answers of each predicted probability are right. sums: as `metrics.calibration` adds them up. labels: how
    many there are, where each answer is the most probable of them.
    """
    full = sums[:, 0] > 0
    stated, right = (sums[full, k] / sums[full, 0] for k in (1, 2))

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--", label="perfect")
        axes.plot(stated, right, color=ORANGE, lw=1.6, marker="o", ms=4, label="this model")
        axes.bar(
            stated, sums[full, 0] / sums[:, 0].sum(), width=0.03, color=BLUE, alpha=0.25, label="share of the examples"
        )
        # Of two labels the more probable has a half at least: below it there is nothing to see.
        low = np.floor(10 * min(float(stated.min(initial=1.0)) - 0.02, 1 / max(1, labels))) / 10 if labels > 1 else 0.0
        axes.set(xlim=(max(0.0, low), 1), ylim=(0, 1.02), xlabel="predicted probability", ylabel="accuracy",
                 title=f"calibration of {int(sums[:, 0].sum()):,} answers")  # fmt: skip
        _plain(axes)
        axes.legend(
            frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=8, columnspacing=1.0
        )

    draw(path, (4.6, 4.2), paint)


def numbers(
    path: Path, residuals: Path, names: Sequence[str], truth: np.ndarray, answers: np.ndarray, outer: np.ndarray
) -> None:
    """Two pictures of numbers `(examples, targets)`, a pair of axes each of `names`, the first targets: the true ones over the
    answers, with the interval that each answer names (`outer`, `(examples, targets, 2)`); and what is left over the answers.
    """
    shape = 1 + (len(names) - 1) // 3, min(3, len(names))
    some = np.linspace(0, len(truth) - 1, min(len(truth), MARKS)).round().astype(np.int64)

    def fill(figure: Any, left: bool) -> None:
        for k, name in enumerate(names):
            axes = figure.add_subplot(*shape, k + 1)
            x, y = answers[some, k], truth[some, k]
            low, high = outer[some, k].T
            base = x if left else 0 * x
            axes.vlines(x, low - base, high - base, color=BLUE, alpha=0.25, lw=1.2, label="80 % interval")
            axes.plot(x, y - base, color=ORANGE, ls="", marker="o", ms=3, alpha=0.7, label="examples")
            if left:
                axes.axhline(0, color=GREY, lw=1, ls="--", label="perfect")
            else:
                ends = [min(x.min(), y.min()), max(x.max(), y.max())]
                axes.plot(ends, ends, color=GREY, lw=1, ls="--", label="perfect")
            axes.set(xlabel="answer", ylabel="truth less answer" if left else "truth", title=_short(name))
            _plain(axes)
            if k == 0:
                axes.legend(frameon=False, fontsize=8)

    for file, left in ((path, False), (residuals, True)):
        drawn(file, (4.6 * shape[1], 4.0 * shape[0]), lambda figure, left=left: fill(figure, left))


def ribbons(path: Path, rows: Sequence[tuple[str, Sequence[int], Sequence[int]]], labels: Sequence[str]) -> None:
    """Truth over prediction, a pair of ribbons a sequence: (name, truth, answer)."""

    def paint(axes: Any) -> None:
        from matplotlib import colormaps
        from matplotlib.patches import Patch

        colours = colormaps["tab20"].colors if len(labels) > 10 else colormaps["tab10"].colors  # pyright: ignore[reportAttributeAccessIssue]
        for i, (_, truth, answer) in enumerate(rows):
            for line, height in ((truth, 0.0), (answer, 0.42)):
                cuts = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
                for a, b in pairwise(cuts):
                    axes.barh(i + height, b - a, left=a, height=0.4, color=colours[int(line[a]) % len(colours)])
        axes.set_yticks(
            [i + 0.21 for i in range(len(rows))], [f"{name[:24]}\ntrue, answer" for name, _, _ in rows], fontsize=7
        )
        axes.invert_yaxis()
        axes.set(xlabel="step")
        axes.spines[["top", "right", "left"]].set_visible(False)
        patches = [Patch(color=colours[i % len(colours)], label=label) for i, label in enumerate(labels)]
        where: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
        axes.legend(handles=patches, frameon=False, ncols=min(6, len(labels)), fontsize=8, **where)

    draw(path, (9.0, 0.8 * len(rows) + 1.4), paint)


def forecasts(path: Path, panels: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Series with what was forecast, a panel each: (title, values before `(time,)`, deciles `(horizon, 9)`, what came `(horizon,)`)."""

    def fill(figure: Any) -> None:
        columns = min(2, len(panels))
        for at, (title, before, deciles, truth) in enumerate(panels, 1):
            axes = figure.add_subplot(-(-len(panels) // columns), columns, at)
            ahead = np.arange(len(deciles))
            for low, alpha, label in ((0, 0.18, "80 %"), (2, 0.3, "40 %")):
                axes.fill_between(
                    ahead,
                    deciles[:, low],
                    deciles[:, 8 - low],
                    color=BLUE,
                    alpha=alpha,
                    lw=0,
                    label=f"{label} interval",
                )
            thin = 1.0 if len(before) + len(ahead) <= 200 else 0.6  # many steps, and lines would lie on each other
            axes.plot(ahead, deciles[:, 4], color=BLUE, lw=1.8 * thin, ls="--", label="median")
            # The last value before, so that what came goes on where the series stands.
            axes.plot(np.arange(-len(before), 0), before, color=GREY, lw=1.3 * thin, label="before")
            axes.plot(np.arange(-1, len(truth)), [*before[-1:], *truth], color=ORANGE, lw=1.3 * thin, label="what came")
            axes.axvline(-0.5, color=GREY, lw=0.8)
            axes.set_title(_escaped(title[:80]), fontsize=9)
            axes.tick_params(labelsize=8)
            _plain(axes)
            if at == 1:
                figure.legend(
                    *axes.get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside lower center", ncols=5
                )

    drawn(path, (9.0, 0.3 + 2.7 * -(-len(panels) // 2)), fill)


def attention(path: Path, looks: Sequence[dict[str, Any]], form: str = "png") -> None:
    """Matrices of where a decoder looked: what it wrote downwards, what it read from left to right."""
    if not looks:
        return
    columns = min(2, len(looks))
    rows = -(-len(looks) // columns)

    def fill(figure: Any) -> None:
        for i, look in enumerate(looks, 1):
            axes = figure.add_subplot(rows, columns, i)
            axes.imshow(look["weights"], cmap="Blues", vmin=0, vmax=1, aspect="auto")
            for side, setter, turn in (("source", axes.set_xticks, 90), ("target", axes.set_yticks, 0)):
                names = [name.strip() or "␣" for name in look[side]]
                setter(range(len(names)), names, fontsize=max(4, min(9, 260 // max(1, len(names)))), rotation=turn)
            axes.xaxis.tick_top()

    drawn(path, (5.2 * columns, 4.6 * rows), fill, form)


def looks(path: Path, pictures: Sequence[tuple[np.ndarray, dict[str, Any]]], form: str = "png") -> None:
    """Where a captioner looked at each word: (pixels `(height, width, 3)`, an `attention` of `predict`) a picture, the
    picture itself first and then the words over it, bright where the weights are.
    """
    from PIL import Image

    columns = 6
    wide = [1 + len(look["target"]) for _, look in pictures]
    tall = [-(-n // columns) for n in wide]

    def fill(figure: Any) -> None:
        row = 0
        for (pixels, look), n in zip(pictures, tall, strict=True):
            height, width = pixels.shape[:2]
            for k in range(1 + len(look["target"])):
                axes = figure.add_subplot(sum(tall), columns, row * columns + k + 1)
                axes.set_axis_off()
                if k == 0:
                    axes.imshow(pixels)
                    continue
                axes.imshow(pixels.mean(2), cmap="gray", vmin=-200, vmax=255)  # light, so that the heat shows
                heat = np.asarray(look["weights"][k - 1], np.float32)
                if heat.max() > 0:
                    smooth = Image.fromarray(heat / heat.max()).resize((width, height), Image.Resampling.BICUBIC)
                    shown = np.clip(np.asarray(smooth), 0, 1)
                    axes.imshow(shown, cmap="inferno", alpha=0.8 * shown, vmin=-0.3, vmax=1)
                axes.set_title(look["target"][k - 1].strip() or "␣", fontsize=10, fontfamily=_fonts())
            row += n

    drawn(path, (2.0 * columns, 2.25 * sum(tall)), fill, form)


def fading(
    path: Path, curves: Mapping[str, Sequence[float]], border: int | None = None, of: str = "fresh", form: str = "png"
) -> None:
    """Norms of a gradient, lag by lag, on a scale of powers of ten. border: chunks of so many steps, beyond the last of which
    it is exactly 0 where it is "fresh" cells that are looked at; "trained" ones are, with none, beside what they had.
    """
    fresh = of == "fresh"

    def paint(axes: Any) -> None:
        for i, (name, norms) in enumerate(curves.items()):
            seen = np.where(np.asarray(norms) > 0, norms, np.nan)
            axes.plot(seen, lw=1.8, marker="o" if len(seen) == 1 else "", label=_short(name), **_line(i))
        axes.set_yscale("log")
        if border is not None and border < max(map(len, curves.values())):
            axes.axvline(border - 0.5, color=GREY, lw=1)
            said = "border of the chunk:\nexactly 0 beyond" if fresh else "in training, no gradient\nreached further"
            axes.annotate(said, (border - 0.5, 0.98), xytext=(6, 0), fontsize=8, color="#5b6068", va="top",
                          xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
        what = "$dL_T/dh_{T-k}$" if fresh else "of $\\log p$"
        axes.set(xlabel="lag k (steps back)", ylabel=f"norm of the gradient {what}",
                 xlim=(0, max(1, max(map(len, curves.values())) - 1)))  # fmt: skip
        _plain(axes)
        axes.legend(**BESIDE)

    draw(path, (8.0, 4.2), paint, form)


def learned(path: Path, tasks: Mapping[str, Mapping[str, Any]], form: str = "png") -> None:
    """How the error of each cell falls, or does not, a pair of axes a task: what `inspection.memory_problems.solve` gives."""

    def fill(figure: Any) -> None:
        for at, (name, task) in enumerate(tasks.items(), 1):
            axes = figure.add_subplot(1, len(tasks), at)
            axes.axhline(task["chance"], color=GREY, lw=1)
            axes.annotate("remembers nothing", (1, task["chance"]), xytext=(0, -11), fontsize=8, color="#5b6068", ha="right",
                          xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
            for i, (spec, cell) in enumerate(task["cells"].items()):
                steps, errors, line = cell["steps"], cell["errors"], _line(i)
                axes.plot(steps, errors, lw=1.8, label=_short(spec), **line)
                if cell["solved_at"]:
                    axes.plot(steps[-1:], errors[-1:], marker="o", color=line["color"], clip_on=False, zorder=3)
            axes.set(
                xlabel="Adam step", ylabel=task["error"], title=f"{name} over {task['length']} steps", ylim=(0, None)
            )
            _plain(axes)
            if at == len(tasks):
                axes.legend(**BESIDE)

    drawn(path, (5.0 * len(tasks) + 1.5, 4.0), fill, form)


def _short(name: str, most: int = 32) -> str:
    """A name that has room in a legend, and in which nothing is mathematics."""
    return (name if len(name) <= most else f"…{name[1 - most :]}").replace("$", r"\$")


def _fonts() -> list[str]:
    """A font for most scripts, and behind it those for Chinese, Japanese and Korean that this machine has."""
    from matplotlib import font_manager

    installed = {f.name for f in font_manager.fontManager.ttflist}
    east = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans", "Microsoft YaHei",
            "SimHei", "AR PL UMing CN", "Droid Sans Fallback")  # fmt: skip
    return ["DejaVu Sans", *(f for f in east if f in installed)]
