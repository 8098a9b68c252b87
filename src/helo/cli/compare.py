"""helo compare RUN RUN…, helo compare TASK FILES…"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from helo import registry
from helo.cli import flags
from helo.errors import HeloError


class Comparison(click.Command):
    """Of runs, unless the first word is a task: then of cells, with the flags of its training."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        from helo import tasks

        word = next((a for a in args if not a.startswith("-")), "")
        if not word or os.path.isdir(word) or not (registry.outside(word) or word in tasks.names()):
            return super().make_context(info_name, args, parent, **extra)
        rest = [*args[: args.index(word)], *args[args.index(word) + 1 :]]
        return _cells(word).make_context(f"{info_name} {word}", rest, parent, **extra)


@flags.common
@flags.as_json
@click.command(cls=Comparison)
@click.argument("runs", nargs=-1, required=True)
@click.option("--out", "-o", type=flags.FILE, metavar="PAGE.html", help="save a page with the curves")
@click.option(
    "--test", multiple=True, metavar="FILES", help="take the intervals on these files, not on the validation data"
)
@click.option("--no-intervals", is_flag=True, help="do not evaluate the runs to see how sure their figures are")
def command(runs, out, test, no_intervals, seed, quiet, as_json):
    """Compare runs of one task: options, figures with their intervals, and curves; or train several cells on your own files and
    compare those (helo compare TASK --help).

    \b
    helo compare runs/rnn runs/lstm
    helo compare runs/rnn runs/lstm --out compared.html --json
    helo compare lm novel.txt --cells lstm,gru --seeds 5 --minutes 1
    """
    from helo import progress
    from helo.inspection.compare import compare
    from helo.training.report import working

    if test and no_intervals:
        raise HeloError("both --test and --no-intervals", expected="one of them")
    if out and Path(out).suffix.lower() not in (".html", ".htm"):
        raise HeloError(f"the file {Path(out).name}", expected="a page, FILE.html", where="--out")
    with progress.listening(working(quiet)):
        found = compare(runs, test, not no_intervals)
    _show(found, out, quiet, as_json)


def _show(found: dict[str, Any], page: Any, quiet: bool, as_json: bool) -> None:
    from helo.inspection import compare_report
    from helo.runs.folder import write_text

    if page:
        write_text(page, compare_report.page(found))
    if as_json:
        flags.show(found)
    else:
        flags.tell(compare_report.table(found))
        if page and not quiet:
            flags.tell(f"saved to {page}", err=True)


LEFT_OUT = {"out", "resume", "overwrite", "watch", "no_browser", "cell", "seed"}  # of the flags of a training


def _cells(task: str) -> click.Command:
    from helo.cli import train
    from helo.inspection.compare_cells import CELLS, SEEDS, compare_cells

    def run(files, valid, out, cells, seeds, test, quiet, as_json, **options: Any) -> None:
        files, valid = train.files_of("compare", task, files, valid, options)
        given = flags.not_none(options)
        found = compare_cells(task, files, valid, out, cells=cells, seeds=seeds, test=test, quiet=quiet, **given)
        home = os.path.dirname(found["runs"][0]["run"])
        _show(found, os.path.join(home, "compared.html"), quiet, as_json)

    parameters: list[click.Parameter] = train.flags_of(task, LEFT_OUT)
    parameters += [
        click.Option(["--out", "-o"], metavar="FOLDER", help="a folder for the runs and compared.html; the same again continues  [runs/compared]"),
        click.Option(["--cells"], default=",".join(CELLS), metavar="CELL,CELL…", help=f"cells, each as in --cell of a training  [{','.join(CELLS)}]"),
        click.Option(["--seeds"], default=SEEDS, type=int, help=f"train each with the random seeds 1 to N  [{SEEDS}]"),
        click.Option(["--test"], multiple=True, metavar="FILES", help="files that the figures are of, in place of what is held out"),
    ]  # fmt: skip
    text = f"""Train several cells on the same files and compare them: mean figures with 95 % intervals, and seconds.

    \b
    helo compare {task} FILES
    helo compare {task} FILES --cells lstm,gru,mingru --seeds 5 --minutes 1 --out runs/cells
    """
    return click.Command(task, params=parameters, callback=run, help=text)
