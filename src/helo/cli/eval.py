"""helo eval RUN [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags


@flags.common
@flags.cell
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1)
@click.option("--blocks", type=click.IntRange(min=2), default=None, help="lm: zero-state blocks of so many symbols")
@click.option(
    "--dynamic", is_flag=True, help="lm: the weights go on learning from text already scored (Krause et al. 2018)"
)
@click.option(
    "--report",
    type=flags.Written(file_okay=False),
    default=None,
    help="a table, the most wrong, and pictures into a folder",
)
@click.option("--overwrite", is_flag=True, help="--report: replace an older report")
@click.option("--metric", metavar="NAME|FILE.py:NAME", help="a metric that is reported too, code that you trust")
@click.option(
    "--skip-bad", is_flag=True, help="caption: leave out pictures that are missing or cannot be read, and say which"
)
@click.option("--reader", metavar="NAME|FILE.py:NAME", help="who reads the files, whatever they look like")
def command(run, files, blocks, dynamic, report, overwrite, metric, skip_bad, reader, cell, seed, quiet, as_json):
    """Figures of a run on files, or on the validation data that it recorded.

    \b
    helo eval runs/novel
    helo eval runs/novel other.txt --blocks 256 --json
    """
    from helo.errors import HeloError
    from helo.runs import load

    if dynamic and (blocks or metric):
        raise HeloError(f"{'--blocks' if blocks else '--metric'} and --dynamic", expected="one of them")
    if overwrite and not report:
        raise HeloError("--overwrite without --report", expected="both, or neither")
    model = load(run, cell=cell)
    if (blocks or dynamic) and model.about["task"] != "lm":
        raise HeloError(
            f"{'--blocks' if blocks else '--dynamic'} of a {model.about['task']} model",
            expected="it of a language model",
        )
    if skip_bad and model.about["task"] != "caption":
        raise HeloError(f"--skip-bad of a {model.about['task']} model", expected="it of a caption model")
    if reader and not hasattr(model.task.options, "reader"):
        raise HeloError(f"--reader of a {model.about['task']} model", expected="it of a model that answers examples")
    if skip_bad and not files:
        raise HeloError("--skip-bad without files", expected="files: the run's own are read as in its training")
    said = ({"skip_bad": True} if skip_bad else {}) | ({"reader": reader} if reader else {})
    if dynamic:
        from helo.training import dynamic_evaluation

        figures = dynamic_evaluation(model, files)
    else:
        from helo import progress
        from helo.training.report import working

        with progress.listening(working(quiet)):
            figures = model.evaluate(files, metric, **({"blocks": blocks} if blocks else said))
    text = model.report(report, files, overwrite, **said) if report else ""
    if as_json:
        flags.show({"run": run, "figures": figures})
        return
    for name, value in figures.items():
        flags.tell(f"{name:20} {value:.4f}" if isinstance(value, float) else f"{name:20} {value}")
    if text:
        flags.tell(f"\n{text}")
