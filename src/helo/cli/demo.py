"""helo demo"""

from __future__ import annotations

import click

from helo.cli import flags

LEAD = "A language model of Python's own documentation, which is on every machine, in about a minute."


@flags.common
@click.command()
@click.argument("task", default="lm", required=False)
@click.option("--minutes", type=float, default=0.75, help="train for so long  [0.75]")
@click.option("--out", "-o", default=None, metavar="RUN", help="the run folder  [runs/demo]")
def command(task, minutes, out, seed, quiet):
    """The main job on text that every Python has: train, write, and what to try next.

    \b
    helo demo
    helo demo lm --minutes 3
    """
    from pathlib import Path

    from helo.data.embedded import write_topics
    from helo.errors import HeloError
    from helo.training import free_place, train
    from helo.training.report import reporter

    if task != "lm":
        raise HeloError(f"no demo of {task!r} yet", expected="lm")
    run = Path(out) if out else free_place("demo")
    text = write_topics(run.parent / f"{run.name}.txt")
    if not quiet:
        click.echo(f"{LEAD}\n\n$ helo train lm {text} --minutes {minutes:g} --out {run}", err=True)
    done = train("lm", text, out=run, minutes=minutes, seed=seed, reporter=reporter(quiet))
    figures = done.figures
    click.echo(f"\n$ helo sample {run} --prompt 'The '\n")
    stream = done.stream()
    click.echo("The " + done.sample("The ", 400, seed=seed or 0, stream=stream))
    click.echo(
        f"\n{figures['bits_per_character']:.2f} bits a character on text that it has not seen.\n\n"
        f"Try next:\n"
        f"  helo sample {run} --temperature 0.5       more careful\n"
        f"  helo train lm {text} --out {run}-longer --minutes 5\n"
        f"  helo train lm YOUR.txt                    your own text\n"
        f"  helo hello                                how it works, number by number"
    )
