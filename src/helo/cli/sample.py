"""helo sample RUN"""

from __future__ import annotations

import sys

import click

from helo.cli import flags


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.option("--prompt", "-p", default="", metavar="TEXT", help="text to continue (- reads standard input)")
@click.option("--length", "-n", type=click.IntRange(min=0), default=500, help="number of symbols to write  [500]")
@click.option(
    "--temperature",
    "-t",
    type=float,
    help="0 takes the most likely symbol, 1 samples from the model's probabilities  [0.8]",
)
@click.option("--top-k", type=int, help="sample from the K most likely symbols")
@click.option("--top-p", type=float, help="sample from the most likely symbols that make up P of the probability")
@click.option(
    "--min-p", type=float, help="leave out symbols less than P times as likely as the most likely one  [0.02]"
)
@click.option("--stop", multiple=True, metavar="TEXT", help="stop before this text (may be repeated)")
@click.option("--streams", type=click.IntRange(min=1), default=1, help="number of texts  [1]")
@click.option("--state", type=flags.FILE, help="continue from the state in this file, and save it there at the end")
def command(
    run, prompt, length, temperature, top_k, top_p, min_p, stop, streams, state, cell, task, seed, quiet, as_json
):
    """Write text with a language model.

    \b
    helo sample runs/novel --prompt "It was" --length 1000
    helo sample runs/novel --temperature 0.5 --seed 1 --state where.safetensors
    """
    from contextlib import nullcontext

    from helo import progress
    from helo.decoding.sampling import Choice
    from helo.runs import load

    # With a state, no signal loses what was read and written.
    safely = progress.stoppable() if state is not None else nullcontext()
    stopping = click.get_current_context().with_resource(safely)
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    choice = Choice(**flags.not_none(given))
    if prompt == "-":
        prompt = sys.stdin.read()
    model = load(run, cell=cell, task=task)
    stream = model.stream(streams, flags.existing(state))
    texts = [""] * stream.rows
    live = stream.rows == 1 and not as_json
    pieces = model.writing(prompt, length, seed, stop, stream, choice)
    if live and not quiet:
        model.task.encode(prompt)  # one that is refused is not shown before
        flags.tell(prompt, end="")
    try:
        for piece in pieces:
            if live:
                flags.tell(piece[0], end="")
                sys.stdout.flush()
            texts = [text + p for text, p in zip(texts, piece, strict=True)]
            if stopping is not None:
                stopping.end()
    finally:
        if state:
            stream.save(state)
    if as_json:
        flags.show({"texts": texts})
    elif live:
        click.echo()
    else:
        for i, text in enumerate(texts, 1):
            flags.tell(f"--- {i}\n{'' if quiet else prompt}{text}")
