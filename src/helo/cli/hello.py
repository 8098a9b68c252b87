"""helo hello"""

from __future__ import annotations

from typing import Any

import click

from helo.cli import flags

STYLES: dict[str, dict[str, Any]] = {"heading": {"bold": True}, "faint": {"dim": True}, "right": {"fg": "green"}}


@flags.common
@flags.as_json
@click.command()
@click.argument("word", default="hello")
@click.option("--cell", default="rnn", metavar="NAME", help="rnn, lstm or gru  [rnn]")
def command(word, cell, seed, quiet, as_json):
    """Show a recurrent network number by number. A network with three hidden units learns to write "hello", or another word.
    It shows the forward pass, training, writing, the gradient by hand and by autograd, and what is lost when a text is
    cut into chunks. --seed sets the weights that training starts from.

    \b
    helo hello
    helo hello mississippi --cell lstm
    """
    from helo import hello

    seed, example = seed or 0, hello.example(word, cell)
    if as_json:
        flags.show(hello.numbers(seed, example))
    elif quiet:
        flags.tell(hello.written(seed, example))
    else:
        for line in hello.lesson(seed, _paint if flags.colours() else hello.plain, example):
            click.echo(line)


def _paint(text, role):
    return click.style(text, **STYLES[role])
