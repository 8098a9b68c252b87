"""helo hello"""

from __future__ import annotations

import os
from typing import Any

import click

from helo.cli import flags

STYLES: dict[str, dict[str, Any]] = {"heading": {"bold": True}, "faint": {"dim": True}, "right": {"fg": "green"}}


@flags.common
@flags.as_json
@click.command()
def command(seed, quiet, as_json):
    """The lecture's example, number by number: a network of three hidden numbers learns to write "hello". Forward,
    training, writing, and its gradient by hand against autograd. --seed is where training starts.

    \b
    helo hello
    helo hello --seed 7 --json
    """
    from helo import hello

    seed = seed or 0
    if as_json:
        flags.show(hello.numbers(seed))
    elif quiet:
        click.echo(hello.written(seed))
    else:
        for line in hello.lesson(seed, _paint()):
            click.echo(line)


def _paint():
    """Colours where a person looks at a terminal that has not declined them (no-color.org: set, and not empty)."""
    from helo.hello import plain

    coloured = click.get_text_stream("stdout").isatty() and not os.environ.get("NO_COLOR")
    return (lambda text, role: click.style(text, **STYLES[role])) if coloured else plain
