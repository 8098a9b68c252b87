"""helo gradients [RUN] [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags

WIDE = 100  # signs of a line of the table


@flags.common
@flags.as_json
@click.command()
@click.argument("run", required=False)
@click.argument("files", nargs=-1)
@click.option("--cell", "cells", metavar="CELL", multiple=True,
              help="a cell, with options (lstm,forget_bias=0), or FILE.py:NAME; may be repeated  [rnn lstm gru mingru]")  # fmt: skip
@click.option("--layers", type=int, help="recurrent layers  [1]")
@click.option("--hidden", type=int, help="units per layer  [64]")
@click.option("--scale", "scales", type=float, multiple=True,
              help="multiply the recurrent matrices by this; may be repeated  [1]")  # fmt: skip
@click.option("--length", type=int, help="steps to look back  [200]")
@click.option("--chunk", type=int, default=None,
              help="truncated backpropagation: no gradient crosses the border of chunks of this many steps")  # fmt: skip
@click.option("--clip", type=float, default=None,
              help="largest norm of the gradient of the parameters  [1]")  # fmt: skip
@click.option("--tasks", is_flag=True,
              help="train cells on the adding and the copying problem, which takes a minute or two")  # fmt: skip
@click.option("--at", type=int, default=None,
              help="RUN: look back from the prediction of this symbol of the text, from 2")  # fmt: skip
@click.option("--out", "-o", type=flags.FILE, default=None,
              help="save a plot (.png, .pdf, .svg); RUN: or a page of many predictions (.html)")  # fmt: skip
def command(run, files, cells, layers, hidden, scales, length, chunk, clip, tasks, at, out, seed, quiet, as_json):
    """Measure how far back the gradient reaches. Without RUN: the norm of dL_T/dh_{T-k}, lag by lag, in
    fresh cells. With RUN, a language model: for its predictions, on average and for one, on FILES or its validation text.

    \b
    helo gradients --cell lstm --cell lstm,forget_bias=0 --out gradients.png
    helo gradients runs/novel --at 500 --out page.html
    """
    from helo.errors import HeloError

    kind = _suffix(out, run is not None) if out else ""
    fresh = {"layers": layers, "hidden": hidden, "scales": scales, "chunk": chunk, "clip": clip}
    given = {"--scale" if name == "scales" else f"--{name}": v for name, v in fresh.items() if v not in (None, ())}
    given |= {name: v for name, v in (("a run", run), ("--at", at)) if v is not None}
    if tasks:
        if wrong := [name for name in given if name != "--hidden"]:
            raise HeloError(f"{wrong[0]} with --tasks", expected="only --cell, --hidden, --length or --seed")
        found, draw = _problems(cells, hidden, length, seed, quiet)
    elif run is None:
        if at is not None:
            raise HeloError("--at without a run", expected="both, or neither")
        found, draw = _fresh(fresh, cells, length, seed)
    else:
        if wrong := [name for name in given if name not in ("a run", "--at")]:
            raise HeloError(f"{wrong[0]} with a run", expected="it without a run: it is for fresh cells")
        if len(cells) > 1:
            raise HeloError(f"{len(cells)} cells with a run", expected="at most one, the run's own")
        found, draw = _trained(run, files, cells, length, at, kind == "html", quiet)
    if out:
        from pathlib import Path

        from helo.runs.folder import replacing

        with replacing(Path(out), named=True) as beside:
            draw(beside, kind)
    if as_json:
        flags.show(found | ({"out": out} if out else {}))
        return
    for line in _problem_lines(found["tasks"]) if tasks else _lines(found, quiet):
        flags.tell(line)
    if "prediction" in found:
        _prediction(found["prediction"])
    if out and not quiet:
        flags.tell(f"\n{'saved to' if kind == 'html' else 'drawn in'} {out}", err=True)


def _problems(cells, hidden, length, seed, quiet):
    """What cells learn that has to be remembered, and what draws it."""
    from helo import drawing, progress
    from helo.inspection import memory_problems
    from helo.training.report import working

    given = {} if hidden is None else {"hidden": hidden}
    with progress.listening(working(quiet)):
        found = memory_problems.solve(cells or memory_problems.CELLS, length=length, seed=seed or 0, **given)
    return {"tasks": found}, lambda path, form: drawing.learned(path, found, form)


def _problem_lines(problems):
    for i, (name, p) in enumerate(problems.items()):
        yield from [""] * bool(i)
        yield f"{name} over {p['length']} steps: {p['error']}, {p['chance']:.3f} by chance, solved below {p['solved']}"
        for spec, cell in p["cells"].items():
            at, steps = cell["solved_at"], cell["steps"][-1]
            how = f"solved at step {at:,}" if at else f"not solved in {steps:,} steps"
            figures = f"{cell['clipped']:4.0%} clipped  {cell['seconds']:.0f} s"
            yield f"  {spec:20}  {cell['errors'][-1]:.4f}  {how:24}  {figures}"


def _suffix(out, run):
    """The form of the picture or page. Raises HeloError where none can be made."""
    from pathlib import Path

    from helo import drawing
    from helo.errors import HeloError

    suffix = Path(out).suffix.lower()
    if suffix == ".html" and not run:
        raise HeloError(f"--out {out} without a run", expected=f"a run, or a file {', '.join(drawing.SUFFIXES)}")
    if suffix not in (*drawing.SUFFIXES, ".html"):
        raise HeloError(f"--out {out}", expected=f"a file {', '.join(drawing.SUFFIXES)}, or of a run .html")
    if suffix != ".html" and not drawing.available():
        raise HeloError("drawing a picture needs matplotlib", mend="pip install 'helo[train]'")
    return suffix[1:]


def _fresh(given, cells, length, seed):
    """What fresh cells do, and what draws it."""
    from helo import drawing
    from helo.inspection import gradients

    options = flags.not_none({**given, "length": length, "seed": seed, "scales": given["scales"] or None})
    found = gradients.gradient_norms(cells or gradients.CELLS, **options)
    curves = {
        name if len(cell["layers"]) == 1 else f"{name}, layer {i}": norms
        for name, cell in found.items()
        for i, norms in enumerate(cell["layers"], 1)
    }

    def draw(path, form):
        drawing.fading(path, curves, given["chunk"], form=form)

    return {"of": gradients.OF, "chunk": given["chunk"], "cells": found}, draw


def _trained(run, files, cells, length, at, paged, quiet):
    """What a trained model does, and what draws it."""
    from helo import drawing, progress
    from helo.inspection import saliency
    from helo.runs import load
    from helo.training.report import working

    model = load(run, cell=cells[0] if cells else None)
    with progress.listening(working(quiet)):
        gradient = saliency.Saliency(model, files, length)
        predictions = gradient.predictions(at, saliency.STRETCH if paged else 1)
        lags = gradient.lags()
    last = predictions[-1]
    before = [{"text": text, "value": value} for text, value in zip(last["before"], last["inputs"], strict=True)]
    found = {
        "run": run, "of": f"{saliency.OF}, mean over {lags['places']} places of the text",
        "cells": {model.about["cell"]: lags},
        "prediction": {**{k: last[k] for k in ("at", "text", "probability")}, "inputs": before},
    }  # fmt: skip

    def draw(path, form):
        if form == "html":
            path.write_text(saliency.page(model.path.resolve().name, lags, predictions), encoding="utf-8")
            return
        curves = {f"state, layer {i}": norms for i, norms in enumerate(lags["layers"], 1)}
        drawing.fading(path, {**curves, "input": lags["inputs"]}, lags["chunk"], "trained", form)

    return found, draw


def _prediction(found):
    """One prediction and the text before it, where colours are shown the deeper the more it depends on a symbol."""
    from helo.inspection import saliency

    inputs = found["inputs"]
    prediction = {**found, "before": [x["text"] for x in inputs], "inputs": [x["value"] for x in inputs]}
    flags.tell(f"\n{saliency.words(prediction)}")
    pieces, end = [saliency.visible(x["text"]) for x in reversed(inputs)], f"[{saliency.visible(prediction['text'])}]"
    if not flags.colours():
        flags.tell("".join(pieces) + end)
        return
    shades = reversed(saliency.shades(prediction))
    click.echo("".join(map(flags.shaded, pieces, shades)) + flags.plain(end))


def _lines(found, quiet):
    """A column a cell, a row a lag, and under them what says how fast it goes; as many beside each other as have room."""
    from helo.inspection.saliency import table_lags

    if not quiet:
        yield f"{found['of']}\n"
    found = found["cells"]
    lags = table_lags(max(len(cell["norms"]) for cell in found.values()))
    under = {"factor": ("factor per step", ".3f"), "spectral_radius": ("spectral radius", ".3f"),
             "parameter_gradient": ("parameters' gradient", ".1e"), "clipped": ("clipped to", ".1e")}  # fmt: skip
    one = next(iter(found.values()))
    under = {key: title for key, title in under.items() if key in one}
    first = ["lag", *map(str, lags), "", *(title for title, _ in under.values())]
    columns = []
    for name, cell in found.items():
        curves = {name: cell["norms"]}
        if "inputs" in cell:
            curves = {f"layer {i}": norms for i, norms in enumerate(cell["layers"], 1)} | {"input": cell["inputs"]}
        for i, (title, norms) in enumerate(curves.items()):
            ends = [format(cell[key], form) if cell[key] is not None else "-" for key, (_, form) in under.items()]
            ends = ends if i == 0 else ["" for _ in ends]
            columns.append([title, *(f"{norms[lag]:.1e}" if norms[lag] else "0" for lag in lags), "", *ends])
    while columns:
        beside, width = [first], max(map(len, first))
        while columns and (len(beside) == 1 or width + 2 + max(map(len, columns[0])) <= WIDE):
            width += 2 + max(map(len, columns[0]))
            beside.append(columns.pop(0))
        widths = [max(map(len, column)) for column in beside]
        for row in zip(*beside, strict=True):
            texts = (f"{text:{'>' if i else '<'}{w}}" for i, (text, w) in enumerate(zip(row, widths, strict=True)))
            yield "  ".join(texts).rstrip()
        if columns:
            yield ""
