"""helo gradients [RUN] [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags

SHOWN = (
    0,
    1,
    2,
    3,
    5,
    10,
    20,
    30,
    40,
    50,
    75,
    100,
    150,
    200,
    300,
    500,
    750,
    1000,
    2000,
    3000,
    5000,
)  # lags of the table


@flags.common
@flags.as_json
@click.command()
@click.argument("run", required=False)
@click.argument("files", nargs=-1)
@click.option("--cell", "cells", metavar="CELL", multiple=True,
              help="a cell, with options (lstm,forget_bias=0), or FILE.py:NAME; once for each  [rnn lstm gru mingru]")  # fmt: skip
@click.option("--layers", type=click.IntRange(1, 64), default=None, help="layers on top of each other  [1]")
@click.option("--hidden", type=click.IntRange(1, 4096), default=None, help="units a layer  [64]")
@click.option("--scale", "scales", type=click.FloatRange(0, 1e6), multiple=True,
              help="multiply the matrices that multiply the state; once for each  [1]")  # fmt: skip
@click.option("--length", type=click.IntRange(1, 5000), default=None, help="steps that are looked back on  [200]")
@click.option("--chunk", type=click.IntRange(1), default=None,
              help="truncated backpropagation: no gradient crosses the border of chunks of so many steps")  # fmt: skip
@click.option("--clip", type=click.FloatRange(0, min_open=True), default=None,
              help="largest norm of the gradient of the parameters  [1]")  # fmt: skip
@click.option("--out", "-o", type=click.Path(dir_okay=False), default=None, help="draw it (.png, .pdf, .svg)")
def command(run, files, cells, layers, hidden, scales, length, chunk, clip, out, seed, quiet, as_json):
    """How far back the gradient reaches: the norm of dL_T/dh_{T-k}, lag by lag, from the real backward pass, of fresh cells.

    \b
    helo gradients --out gradients.png
    helo gradients --cell lstm --cell lstm,forget_bias=0 --cell rnn --scale 1 --scale 2
    """
    from helo.inspection import gradients

    kind = _suffix(out) if out else ""
    said = {"layers": layers, "hidden": hidden, "length": length, "clip": clip}
    said = {name: value for name, value in said.items() if value is not None}
    found = gradients.fading(cells or gradients.CELLS, scales=scales or (1.0,), chunk=chunk, seed=seed or 0, **said)
    if out:
        _draw(out, kind, found, chunk)
    if as_json:
        flags.show({"of": gradients.OF, "chunk": chunk, "cells": found} | ({"out": out} if out else {}))
        return
    if not quiet:
        flags.tell(f"{gradients.OF}\n")
    for line in _table(found):
        flags.tell(line)
    if out and not quiet:
        flags.tell(f"\ndrawn in {out}", err=True)


def _suffix(out):
    """The form of the picture. Raises HeloError where none can be drawn."""
    from pathlib import Path

    from helo import drawing
    from helo.errors import HeloError

    suffix = Path(out).suffix.lower()
    if suffix not in drawing.SUFFIXES:
        raise HeloError(f"--out {out}", expected=f"a file {', '.join(drawing.SUFFIXES)}")
    if not drawing.available():
        raise HeloError("pictures are drawn by matplotlib", mend="pip install 'helo[train]'")
    return suffix[1:]


def _draw(out, form, found, chunk):
    from pathlib import Path

    from helo import drawing
    from helo.runs.folder import replacing

    curves = {}
    for name, cell in found.items():
        for i, norms in enumerate(cell["layers"], 1):
            curves[name if len(cell["layers"]) == 1 else f"{name}, layer {i}"] = norms
    with replacing(Path(out), named=True) as beside:
        drawing.fading(beside, curves, chunk, form)


def _table(found):
    """A column a cell, a row a lag, and under them what says how fast it goes."""
    length = max(len(cell["norms"]) for cell in found.values())
    lags = sorted({*(lag for lag in SHOWN if lag < length), length - 1})
    rows = [["lag", *found]]
    rows += [
        [f"{lag}", *(f"{cell['norms'][lag]:.1e}" if cell["norms"][lag] else "0" for cell in found.values())]
        for lag in lags
    ]
    rows.append([])
    for title, key, form in (("factor a step", "factor", ".3f"), ("spectral radius", "spectral_radius", ".3f"),
                             ("parameters", "parameter_gradient", ".1e"), ("  clipped to", "clipped", ".1e")):  # fmt: skip
        rows.append([title, *("-" if cell[key] is None else format(cell[key], form) for cell in found.values())])
    widths = [max(len(row[i]) for row in rows if row) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{text:{'<' if i == 0 else '>'}{widths[i]}}" for i, text in enumerate(row))
