"""helo hello"""

from __future__ import annotations

import os
import sys
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
        for line in hello.lesson(seed, _paint if _coloured() else hello.plain):
            click.echo(line)


def _paint(text, role):
    return click.style(text, **STYLES[role])


def _coloured():
    """Whether a person looks at a terminal and has not declined colours (no-color.org: set, and not empty)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
