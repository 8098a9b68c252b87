"""A run on a terminal: one picture that is drawn anew each second; on a pipe a line a report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from helo.errors import plain
from helo.inspection.curves import drawn, thinned
from helo.inspection.observer import CLOSED, OPEN, Observer
from helo.inspection.watch import status

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Numbers as a row of blocks, the least the lowest."""
    points = [y for _, y in thinned([(i, v) for i, v in enumerate(values) if v == v], width)]
    if not points:
        return ""
    low, high = min(points), max(points)
    return "".join(BLOCKS[int((v - low) / (high - low or 1) * (len(BLOCKS) - 1) + 0.5)] for v in points)


def line(report: dict[str, Any]) -> str:
    """A report."""
    figures = "  ".join(f"{k} {report[k]:.4g}" for k in ("loss", "valid", "rate", "norm") if drawn(report.get(k)))
    sample = report.get("sample")
    return f"step {report['step']:>6,}  {figures}  {sample[:60] if isinstance(sample, str) else ''}".rstrip()


def follow(observer: Observer) -> None:
    """Show it until it is finished, or until Ctrl-C."""
    console = _console()
    if console is None:
        for text in lines(observer):
            print(plain(text), flush=True)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(console=console, auto_refresh=False) as live:
        while True:
            finished = _finished(observer)
            observer.update()
            live.update(Text(plain("\n".join(screen(observer, console.width - 1, console.height - 1)))), refresh=True)
            if finished:
                return
            time.sleep(1)


def lines(observer: Observer, every: float = 1.0) -> Iterator[str]:
    """Each report as it comes, and at the end how it ended."""
    count = 0
    while True:
        finished = _finished(observer)
        reports = observer.reports()
        yield from map(line, reports[min(count, len(reports)) :])  # another training may have taken its place
        count = len(reports)
        if finished:
            yield status(observer, observer.about())
            return
        time.sleep(every)


def screen(observer: Observer, width: int = 79, height: int = 24) -> list[str]:
    """What stands on the terminal: where it is, its losses, its gates, its newest samples."""
    about, reports, snapshot = observer.about(), observer.reports(), observer.snapshot
    rows = [
        f"{observer.path}   {about['task']}, {about['cell']}, {about['parameters']:,} parameters" if about else "",
        status(observer, about),
    ]
    for key, name in (("loss", "learning"), ("valid", "validation"), ("norm", "gradient")):
        values = [r[key] for r in reports if drawn(r.get(key))]
        if values:
            rows.append(f"{name:10} {sparkline(values, max(10, width - 32))}  {values[0]:.4g} to {values[-1]:.4g}")
    if snapshot is None:
        rows += ["", observer.error or "no weights yet: the first are saved at the first validation"]
    elif not snapshot.gates:
        rows += ["", "this cell has no gates"]
    else:
        rows += ["", f"gates, share of units and steps   below {CLOSED}   above {OPEN}"]
        rows += [f"  {g['layer']:24} {g['gate']:4} {g['below']:10.0%} {g['above']:11.0%}" for g in snapshot.gates[:8]]
    samples = [r for r in reversed(reports) if isinstance(r.get("sample"), str)]
    rows += ["", *(f"step {r['step']:>6,}  {r['sample']}" for r in samples)]
    return [row[:width] for row in rows[:height]]


def _finished(observer: Observer) -> bool:
    return bool((observer.about() or {}).get("finished"))


def _console() -> Any:
    """rich's terminal; None on a pipe, or where rich is not installed."""
    if sys.stdout.isatty():
        with suppress(ImportError):
            from rich.console import Console

            return Console(highlight=False)
    return None
