"""helo train TASK FILES…"""

from __future__ import annotations

import os
from collections.abc import Container
from typing import Any

import click

from helo import registry
from helo.cli import flags
from helo.errors import HeloError, nearest


class Tasks(click.Group):
    """One verb a task, with the flags that its options are."""

    make = staticmethod(lambda task: _command(task))

    def list_commands(self, ctx: click.Context) -> list[str]:
        from helo import tasks

        return list(tasks.installed())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from helo import tasks

        if not registry.outside(cmd_name) and cmd_name not in tasks.names():
            raise HeloError(f"there is no task {cmd_name!r}", mend=nearest(cmd_name, tasks.names()))
        return self.make(cmd_name)


@click.group(cls=Tasks)
def command() -> None:
    """Train a model on your own files.

    \b
    helo train lm novel.txt
    helo train lm book.txt poems/ --minutes 10 --out runs/mine
    helo train mine.py:Task FILES
    """


def files_of(
    verb: str, task: str, files: tuple[str, ...], valid: tuple[str, ...], options: dict[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of a verb that makes several trainings, whether they are named with or without flags."""
    from helo import tasks

    if tasks.find(task).Options.paired:
        files, valid = flags.aligned(options, "", files), flags.aligned(options, "valid_", valid)
    if not files and options.get("config") is None:
        raise HeloError("no files were given", expected=f"helo {verb} {task} FILES…")
    return files, valid


def flags_of(task: str, leave_out: Container[str]) -> list[click.Parameter]:
    """Files and flags of a training, for a verb that makes several."""
    return [p for p in _command(task).params if p.name not in leave_out]


def _command(task: str) -> click.Command:
    from helo import reports, tasks
    from helo.training.options import Options

    own = tasks.find(task)

    def run(
        files, valid, out, like, config, resume, overwrite, watch, no_browser, quiet, as_json, **options: Any
    ) -> None:
        if own.Options.paired:
            files, valid = flags.aligned(options, "", files), flags.aligned(options, "valid_", valid)
        from helo.runs.folder import NEXT
        from helo.saved import as_figure
        from helo.training import train
        from helo.training.report import reporter

        if not files and config is None and not (resume and out):
            raise HeloError("no files were given", expected=f"helo train {task} FILES…, or - for standard input")
        if no_browser and not watch:
            raise HeloError("--no-browser without --watch", expected="both, or neither")
        shown = reporter(quiet)
        if watch:
            from helo.inspection.watch_process import WatchReporter

            announce = shown.say if not quiet else lambda line: flags.tell(line, err=True)
            shown = WatchReporter(shown, announce, not no_browser, options.get("cell"))
        given = flags.not_none(options) | {"like": like, "resume": resume, "overwrite": overwrite, "config": config}
        done = train(task, files, valid, out, reporter=shown, quiet=True, **given)
        if os.environ.get("RANK", "0") != "0":  # under torchrun the first process speaks for all
            return
        if as_json:
            about = done.about
            flags.show({k: about[k] for k in ("steps", "seconds", "figures")} | {"run": str(done.path)})
        elif not quiet:
            figures = ", ".join(f"{k} {as_figure(v)}" for k, v in done.figures.items() if isinstance(v, float))
            figures += "".join(f"\n{k}: {v}" for k, v in done.figures.items() if isinstance(v, str))
            again = f"; helo watch {done.path} shows its page" if watch else ""
            flags.tell(
                f"{figures}\nsaved to {done.path}; next: {NEXT[reports.find(task).verb].format(done.path)}{again}",
                err=True,
            )

    parameters: list[click.Parameter] = [
        *(flags.sides("", "valid_") if own.Options.paired else ()),
        click.Argument(["files"], nargs=-1),
        click.Option(
            ["--valid"],
            multiple=True,
            metavar="FILES",
            help="validation files; without them 10 % of the data is held out (forecast: the end of each series), or few data is cross-validated",
        ),
        click.Option(["--out", "-o"], metavar="RUN", help="the run folder  [runs/NAME]"),
        click.Option(["--like"], metavar="RUN", help="use the options of another run, except those given here"),
        click.Option(
            ["--config"], metavar="FILE", help="use the files and options of a config.toml, except those given here"
        ),
        click.Option(
            ["--resume"],
            is_flag=True,
            help="continue a run that was stopped, or train it for more steps, epochs or minutes in all",
        ),
        click.Option(["--overwrite"], is_flag=True, help="replace an existing run"),
        click.Option(
            ["--watch"], is_flag=True, help="watch the training in a browser, on a page served by this machine"
        ),
        click.Option(["--no-browser"], is_flag=True, help="--watch: print the address and open no browser"),
        *flags.of(own.Options),
        *flags.of(Options, leave_out=("seed",), defaults=own.recipe.options),
    ]
    built = click.Command(task, params=parameters, callback=run, help=_help(own, task))
    return flags.common(flags.as_json(built))


def _help(kind: type[Any], task: str) -> str:
    import sys

    from helo import reports

    example = reports.find(task).example
    first = (sys.modules[kind.__module__].__doc__ or kind.__doc__ or "").split("\n\n")[0]
    return f"{first}\n\n\b\nhelo train {task} {example}\nhelo train {task} {example} --minutes 10 --out runs/mine"
