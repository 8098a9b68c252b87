"""helo score RUN FILES…"""

from __future__ import annotations

import click

from helo.cli import flags

SHOWN = 3_000  # symbols that a terminal shows in colours
DRAWN = 60_000  # symbols of a page


@flags.common
@flags.cell
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1)
@click.option("--lines", is_flag=True, help="lm: each line is a text by itself")
@click.option(
    "--out", "-o", type=click.Path(dir_okay=False), default=None, help="lm: FILE.tsv, a row a symbol, or a page, FILE.html"
)
def command(run, files, lines, out, cell, seed, quiet, as_json):
    """How likely a text is, symbol by symbol, and what was likely instead.

    \b
    helo score runs/novel chapter.txt
    helo score runs/novel chapter.txt --out chapter.tsv --json
    """
    from helo.inspection.score import score
    from helo.runs import load

    model = load(run, cell=cell)
    texts = score(model, files, lines)
    if as_json:
        flags.show({"run": run, "texts": texts})
        return
