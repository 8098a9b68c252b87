"""What a person sees while training: one line a report that stays, and one live line under it on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helo.errors import plain
from helo.metrics import LOSS
from helo.saved import as_figure

if TYPE_CHECKING:  # it imports torch
    from helo.reports import Report
    from helo.training.schedule import Progress


class Reporter:
    """What is told how training goes; this one says nothing."""

    def begin(self, path: Path) -> None:
        """Training is about to begin: where the run will lie."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def step(self, done: int, total: int | None, loss: float, speed: float, left: float | None) -> None:
        """After every step: loss in nats, symbols per second, seconds left."""

    def report(self, report: dict[str, Any]) -> None:
        """After every validation: what `metrics.jsonl` gets."""

    def work(self, what: str, done: int, total: int) -> None:
        """How far something has come that is done before training."""

    def close(self) -> None:
        """No more will come."""


class Several(Reporter):
    """Several reporters, each told in order."""

    def __init__(self, reporters: Sequence[Reporter]):
        self.reporters = list(reporters)

    def begin(self, path):
        for each in self.reporters:
            each.begin(path)

    def say(self, line):
        for each in self.reporters:
            each.say(line)

    def step(self, done, total, loss, speed, left):
        for each in self.reporters:
            each.step(done, total, loss, speed, left)

    def report(self, report):
        for each in self.reporters:
            each.report(report)

    def work(self, what, done, total):
        for each in self.reporters:
            each.work(what, done, total)

    def close(self):
        for each in self.reporters:
            each.close()


class Plain(Reporter):
    """The lines that stay, on standard error, or a notebook's standard output: for a pipe, a file, a log."""

    def __init__(self):
        self.said, self.going = time.monotonic(), False  # of what is done within a while nothing is said

    def say(self, line: str) -> None:
        print(plain(line), file=sys.stdout if notebook() else sys.stderr, flush=True)

    def work(self, what: str, done: int, total: int) -> None:
        if (done == total and self.going) or time.monotonic() - self.said > 10:
            self.said, self.going = time.monotonic(), done != total
            self.say(f"{what}: {done:,} of {total:,}")


class Live(Reporter):
    """A bar under the lines that stay. rich draws it: it is well kept, and it honours NO_COLOR."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True, highlight=False),
            refresh_per_second=4,
            transient=True,
            expand=True,
        )
        self.task: Any = self.bar.add_task("measuring", total=None, figures="")
        self.other: Any = None  # what is done before training

    def say(self, line: str) -> None:
        self.bar.start()  # with the first that there is to show: what is refused before leaves no bar behind
        self.bar.console.print(plain(line), markup=False, highlight=False, soft_wrap=True)

    def step(self, done: int, total: int | None, loss: float, speed: float, left: float | None) -> None:
        self.bar.start()
        if self.other is not None:
            self.bar.remove_task(self.other)
            self.bar.update(self.task, visible=True)
            self.other = None
        time = "" if left is None else f"  {int(left // 60)}:{int(left % 60):02d} left"
        figures = f"loss {loss:.3f}  {speed:,.0f}/s{time}"
        self.bar.update(
            self.task, completed=done, total=total, description="training" if total else "measuring", figures=figures
        )

    def work(self, what: str, done: int, total: int) -> None:
        self.bar.start()
        if self.other is None:
            self.bar.update(self.task, visible=False)
            self.other = self.bar.add_task(what, figures="")
        self.bar.update(self.other, completed=done, total=total, description=what, figures=f"{done:,} of {total:,}")

    def close(self) -> None:
        self.bar.stop()


def working(quiet: bool) -> Callable[[str, int, int], None]:
    """What tells how far work has come that is no training: a line now and then on standard error."""
    return (Reporter() if quiet else Plain()).work


def reporter(quiet: bool) -> Reporter:
    """Live on a terminal and in a notebook that has widgets, plain elsewhere, silent when asked."""
    if quiet:
        return Reporter()
    if find_spec("ipywidgets") is not None if notebook() else sys.stderr.isatty():
        try:
            return Live()
        except ImportError:
            pass
    return Plain()


def notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def by_layer(norms: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Parameters' norms as their layers': what stands before the last point of their names is the layer's."""
    squares: dict[str, float] = {}
    for name, norm in norms:
        layer = name.rpartition(".")[0] or name
        squares[layer] = squares.get(layer, 0.0) + norm * norm
    return {layer: float(f"{square**0.5:.4g}") for layer, square in squares.items()}


def line(p: Progress, report: dict[str, Any], best: bool, key: str, shown: Report) -> str:
    """A report for a person."""
    value = report.get(key)
    unit = f" {shown.loss_unit}" if shown.loss_unit else ""
    figure = "" if key == LOSS else f"  {key.replace('_', ' ')} {as_figure(value)}"
    return (
        f"step {p.step:>6,}/{p.total:,}  epoch {report['epoch']:.2f}  {_clock(p.seconds)}  "
        f"loss {report['loss']:.3f}  valid {report['valid']:.3f}{unit}{figure}{'' if best else ' (not the best)'}  "
        f"clipped {report['clipped']:.0%}  {report['symbols_per_second']:,} {shown.unit}/s"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
