"""helo inspect RUN [FILES]"""

from __future__ import annotations

from pathlib import Path

import click

from helo.cli import flags


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1)
@click.option(
    "--out", "-o", type=flags.FILE, metavar="PAGE.html",
    help="where to save the page; the numbers are saved beside it  [inspect.html]",
)  # fmt: skip
@click.option(
    "--property", "properties", multiple=True, metavar="NAME|FILE.py:NAME",
    help="add a property of your own, or use only the named ones; may be repeated",
)  # fmt: skip
@click.option("--most", type=click.IntRange(1), metavar="N", help="read at most this many steps  [200000]")
def command(run, files, out, properties, most, cell, task, seed, quiet, as_json):
    """Find units that track properties of a text. Examples: quotes, depth, position in the line. The result is a page
    that opens offline, and its numbers as JSON.

    \b
    helo inspect runs/novel
    helo inspect runs/novel chapter.txt --out novel.html --property my.py:rhymes
    """
    from helo import progress
    from helo.inspection import inspect
    from helo.inspection.analysis import lines
    from helo.inspection.loaders import MOST
    from helo.inspection.units import numbers_beside
    from helo.runs import load
    from helo.training.report import working

    path = None if as_json and out is None else Path(out or "inspect.html")
    if path is not None:
        numbers_beside(path)
    model = load(run, cell=cell, task=task)
    with progress.listening(working(quiet)):
        found = inspect(model, files, properties, most or MOST)
    beside = None if path is None else found.save(path)
    if as_json:
        flags.show(found.numbers)
        return
    for name, p in found.properties.items():
        best = p["units"][0]
        line = (
            f"{'found' if best['found'] else '  -  '}  {name:24} {best['layer']}:{best['unit']:<4} {best['score']:.2f}"
        )
        cost = ""
        if best["cost"] is not None:
            cost = f"   silenced {best['cost']:+.3f} nats, elsewhere {best['cost_elsewhere']:+.3f}"
        flags.tell(f"{line}, needed {p['needed']:.2f}{cost}")
    for result in found.results:
        for line in lines(result.analysis):
            flags.tell(line)
    if path is not None:
        flags.tell(f"\nthe page: {path}" + (f"; the numbers: {beside}" if beside else ""))
