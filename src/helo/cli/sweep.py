"""helo sweep TASK FILES…"""

from __future__ import annotations

from typing import Any

import click

from helo.cli import flags, train

LEFT_OUT = {"out", "resume", "overwrite", "watch", "no_browser"}  # of the flags of a training


class Sweeps(train.Tasks):
    """One verb a task, as of training."""

    make = staticmethod(lambda task: _command(task))


@click.group(cls=Sweeps)
def command() -> None:
    """Train many times with other options each, to find good ones (with Optuna).

    \b
    helo sweep classify reviews.csv --minutes 1 --trials 30
    helo sweep lm novel.txt --vary hidden=64..512 --vary cell=lstm,gru --minutes 2
    """


def _command(task: str) -> click.Command:
    from helo import reports
    from helo.inspection.sweep import TRIALS, sweep, table
    from helo.runs.folder import NEXT

    def run(files, valid, out, vary, trials, storage, no_prune, quiet, as_json, **options: Any) -> None:
        files, valid = train.files_of("sweep", task, files, valid, options)
        given = flags.not_none(options)
        found = sweep(
            task, files, valid, out, vary=vary, trials=trials, storage=storage, prune=not no_prune, quiet=quiet, **given
        )
        if as_json:
            flags.show(found)
            return
        flags.tell(table(found))
        if found["best"] is not None and not quiet:
            best = found["best"]["run"]
            flags.tell(f"the best is {best}; next: {NEXT[reports.find(task).verb].format(best)}", err=True)

    parameters = train.flags_of(task, LEFT_OUT)
    parameters += [
        click.Option(["--out", "-o"], metavar="FOLDER", help="a folder for the runs; the same again continues  [runs/sweep]"),
        click.Option(["--vary"], multiple=True, metavar="OPTION=VALUES", help="LOW..HIGH or A,B,C; repeatable  [learning rates, dropout]"),
        click.Option(["--trials"], default=TRIALS, type=int, help=f"trainings in all  [{TRIALS}]"),
        click.Option(["--storage"], metavar="URL", help="Optuna's storage, a file or a database's URL, which may be shared  [FOLDER/study.db]"),
        click.Option(["--no-prune"], is_flag=True, help="do not end a trial early that is worse than the median of the others"),
    ]  # fmt: skip
    text = f"""Train many times with other options each, to find good ones (with Optuna).

    \b
    helo sweep {task} FILES --minutes 1 --trials 30
    helo sweep {task} FILES --vary hidden=64..512 --vary cell=lstm,gru --minutes 2 --out runs/sweep
    """
    return click.Command(task, params=parameters, callback=run, help=text)
