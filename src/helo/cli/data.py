"""helo data list | get NAME | check NAME | check TASK FILES…"""

from __future__ import annotations

import click

from helo import registry
from helo.cli import flags
from helo.errors import HeloError, nearest


@click.group()
def command() -> None:
    """Get example corpora, and check your own files.

    \b
    helo data get shakespeare
    helo data check classify reviews.tsv
    """


@flags.common
@flags.as_json
@command.command(name="list")
def listed(seed, quiet, as_json):
    """List the example corpora with task and licence.

    \b
    helo data list
    helo data list --json
    """
    from helo.data import corpora

    found = corpora.known()
    if as_json:
        flags.show(found)
        return
    for name, corpus in found.items():
        click.echo(f"{name:12} {corpus['task']:10} {corpus['what']}\n{'':23} {corpus['licence']}. {corpus['citation']}")


@flags.common
@flags.as_json
@command.command()
@click.argument("name")
def get(name, seed, quiet, as_json):
    """Download a corpus or make it. It is checked, and an interrupted download continues. digits,
    places, python and dates are made on this machine, without a network.

    \b
    helo data get places
    helo data get multi30k --json
    """
    from helo.data import corpora

    corpus = corpora.find(name)
    paths = corpora.get(name, say=lambda line: None if quiet else click.echo(line, err=True))
    line = corpora.typed(name, corpus, paths)
    if as_json:
        flags.show({"name": name, "files": [str(p) for p in paths], "train": line})
    else:
        click.echo("\n".join(map(str, paths)) + ("" if quiet else f"\nnext: {line}"))


class Checks(click.Group):
    """A task, and then its own flags; or the name of a corpus."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from helo import tasks

        return list(tasks.installed())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from helo import tasks
        from helo.data import corpora

        if registry.outside(cmd_name) or cmd_name in tasks.names():
            return _check(cmd_name)
        if cmd_name in corpora.known():
            return _whole(cmd_name)
        known = [*tasks.names(), *corpora.known()]
        raise HeloError(f"there is no task or corpus {cmd_name!r}", mend=nearest(cmd_name, known))


@command.group(cls=Checks)
def check() -> None:
    """Check files before training. Shows the columns, labels and lengths that helo reads, and every fault with its place; or
    checks that a downloaded corpus is complete.

    \b
    helo data check classify reviews.tsv --label stars
    helo data check shakespeare
    """


FIRST = 5  # faults that are said one by one


def _check(task: str) -> click.Command:
    from helo import reports, tasks
    from helo.data import readers

    kind = tasks.find(task)

    def run(files, seed, quiet, as_json, **given) -> None:
        from helo.errors import collecting
        from helo.options import build

        if kind.Options.paired:
            files = flags.aligned(given, "", files)
        if not files:
            raise HeloError("no files were given", expected=f"helo data check {task} {reports.find(task).example}")
        if given.get("reader") is not None:
            given["reader"] = readers.chosen(given["reader"])
        options = build(kind.Options, flags.not_none(given))
        with collecting() as faults:
            try:
                found = kind.summary(files, options)
            except HeloError as error:
                if not faults:
                    raise
                faults += [error] if error not in faults else []
                found = {}
        if as_json:
            flags.show({"understood": found, "faults": [str(f) for f in faults]})
        else:
            for claim in found.pop("readers", ()):
                click.echo(f"{'read by':16} {claim['reader']} ({claim['why']}): {_shown(claim['files'], 3)}")
            for name, value in found.items():
                click.echo(f"{name:16} {_shown(value)}")
            for fault in faults[:FIRST]:
                click.echo(f"helo: {fault}", err=True)
            if len(faults) > FIRST:
                click.echo(f"helo: and {len(faults) - FIRST:,} more faults", err=True)
        if faults:
            click.get_current_context().exit(2)

    sides = flags.sides("") if kind.Options.paired else []
    parameters = [*sides, click.Argument(["files"], nargs=-1), *flags.of(kind.Options)]
    typed = f"helo data check {task} {reports.find(task).example}"
    text = f"What helo reads from files for `helo train {task}`.\n\n\b\n{typed}\n{typed} --json"
    return flags.common(flags.as_json(click.Command(task, params=parameters, callback=run, help=text)))


def _shown(value, most: int = 12) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value[:most])) + (f", … ({len(value):,})" if len(value) > most else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _whole(name: str) -> click.Command:
    def run(seed, quiet, as_json) -> None:
        from helo.data import corpora

        found = corpora.check(name)
        if as_json:
            flags.show({"name": name, "files": [{"file": str(p), "fault": f} for p, f in found]})
        else:
            for path, fault in found:
                click.echo(f"{path}: {fault or 'complete'}")
        if any(fault for _, fault in found):
            click.get_current_context().exit(2)

    text = f"Check that the files of {name} are complete.\n\n\b\nhelo data check {name}\nhelo data check {name} --json"
    return flags.common(flags.as_json(click.Command(name, callback=run, help=text)))
