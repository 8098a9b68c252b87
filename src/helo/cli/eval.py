"""helo eval RUN [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags


@flags.common
@flags.sided
@flags.trusted
@flags.as_json
@click.command("eval", cls=flags.TaskVerb)
@click.argument("run")
@click.argument("files", nargs=-1)
@click.option(
    "--report",
    type=flags.OutputPath(file_okay=False),
    help="write a table, the worst errors and pictures into a folder",
)
@click.option("--overwrite", is_flag=True, help="--report: replace an older report")
@click.option("--metric", metavar="NAME|FILE.py:NAME", help="report this metric too (code that you trust)")
def command(run, files, report, overwrite, metric, cell, task, seed, quiet, as_json, **options):
    """Evaluate a run on files or its validation data.

    \b
    helo eval runs/novel
    helo eval runs/novel other.txt --blocks 256 --json
    """
    from helo.errors import HeloError
    from helo.reports.base import shown
    from helo.runs import load

    if metric and options.get("dynamic"):
        raise HeloError("both --metric and --dynamic", expected="one of them")
    if overwrite and not report:
        raise HeloError("--overwrite without --report", expected="both, or neither")
    model = load(run, cell=cell, task=task)
    files = flags.found(model, "eval", options, files)
    how = flags.given(model, "eval", options)
    flags.reading(model, how, files)
    text = model.report(report, files, overwrite, **how) if report else ""
    if how.pop("dynamic", False):
        from helo.training import dynamic_evaluation

        figures, tables = dynamic_evaluation(model, files), {}
    else:
        from helo import progress
        from helo.training.report import working

        with progress.listening(working(quiet)):
            figures, tables = model.evaluate_with_tables(files, metric, **how)
    if as_json:
        flags.show({"run": run, "figures": figures} | tables)
        return
    for row in _rows(figures):
        flags.tell(row)
    if text:  # which has the tables too
        flags.tell(f"\n{text}")
    elif tables:
        flags.tell(f"\n{shown(tables)}", end="")


def _rows(figures):
    """A line a figure; the same figures of something else, such as seasonal naive, are a column beside."""
    from helo.saved import as_figure

    others = {name: value for name, value in figures.items() if isinstance(value, dict)}
    if others:
        yield f"{'':20} {'model':>10}" + "".join(f" {name:>16}" for name in others)
    for name, value in figures.items():
        if name in others:
            continue
        figure = as_figure(value)
        beside = "".join(f" {as_figure(o[name]) if name in o else '':>16}" for o in others.values())
        yield f"{name:20} {figure:>10}{beside}".rstrip() if others else f"{name:20} {figure}"
