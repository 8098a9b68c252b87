"""helo compare RUN RUN…"""

from __future__ import annotations

import click

from helo.cli import flags


@flags.common
@flags.as_json
@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--out", "-o", type=flags.FILE, metavar="PAGE.html", help="save a page with the curves")
def command(runs, out, seed, quiet, as_json):
    """Compare runs of one task: options, figures and curves.

    \b
    helo compare runs/rnn runs/lstm
    helo compare runs/rnn runs/lstm --out compared.html --json
    """
    from helo.inspection import compare
    from helo.runs.folder import write_text

    found = compare.compare(runs)
    if out:
        write_text(out, compare.page(found))
    if as_json:
        flags.show(found)
    else:
        flags.tell(compare.table(found))
        if out and not quiet:
            flags.tell(f"saved to {out}", err=True)
