"""helo explain RUN [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags

MOST, SHORT = 40, 20  # features that are all shown; of more the largest
NEAR = 4  # features beside each of several targets


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1, metavar="FILES...")
@click.option("--label", help="explain this label (language model: symbol), not the model's answer")
@click.option("--step", type=click.IntRange(min=1), help="tagger: only this step, from 1")
@click.option("--at", type=click.IntRange(min=1), help="language model: the symbol to explain, from 1  [the last]")
@click.option(
    "--window",
    type=click.IntRange(min=1),
    help="language model: explain this many symbols one by one, and all earlier ones together  [80]",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False),
    help="language model: the text continues from this state file of helo sample",
)
@click.option(
    "--baseline",
    type=click.Choice(["zero", "mean", "unknown"]),
    default="zero",
    help="the baseline of words: vectors of zeros, their mean, or the unknown word  [zero]",
)
@click.option("--out", "-o", type=flags.FILE, help="save a page, FILE.html")
def command(run, files, label, step, at, window, state, baseline, out, cell, task, seed, quiet, as_json):
    """Show which parts of the input an answer depends on. Methods: integrated gradients and occlusion.

    \b
    echo "what a film" | helo explain runs/reviews -
    helo explain runs/novel chapter.txt --at 500 --out why.html
    """
    from helo import progress
    from helo.data.readers.files import standard_input
    from helo.errors import HeloError, place
    from helo.inspection.explain import explain, read_source, warnings
    from helo.runs import load
    from helo.training.report import working

    if out and not out.lower().endswith((".html", ".htm")):
        raise HeloError(f"--out {out}", expected="a page, FILE.html")
    model = load(run, cell=cell, task=task)
    if not files:
        raise HeloError("no files were given", expected=f"helo explain {run} FILES…, or - for standard input")
    how = {"label": label, "step": step, "at": at, "window": window}
    with progress.listening(working(quiet)):
        source = read_source(model, files, standard_input)
        if state:
            how["stream"] = model.stream(state=state)
        # examples have places of their own; a text is one
        with place("standard input" if files[0] == "-" else files[0]):
            found = explain(model, source, baseline=baseline, **flags.not_none(how))
    if out:
        from helo.inspection.visualization import explanations
        from helo.runs.folder import write_text

        write_text(out, explanations(model.path.name, found))
    if as_json:
        flags.show({"run": run, "answers": [f.to_json() for f in found]})
    elif not out:
        for one in found:
            _tell(one)
    elif not quiet:
        flags.tell(f"{len(found):,} answer{'s' * (len(found) != 1)} saved to {out}", err=True)
    if not quiet:
        for line in warnings(found):
            flags.tell(line, err=True)


def _tell(one):
    """An answer for a terminal: what it is, its input in colours, and the numbers."""
    import numpy as np

    request, found, names = one.request, one.attribution, one.names
    sums = "" if found is None or not one.adds_up else (
        f"   ({one.said(found.score.sum())}, baseline {one.number(found.baseline.sum())}, "
        f"completeness error {100 * found.error():.2f} %)"
    )  # fmt: skip
    flags.tell(f"{one.line()}{sums}")
    total = one.values.sum(0)
    top = float(np.abs(total).max()) or 1.0
    if request.kind == "text" and one.adds_up and len(names) == len(request.features) and flags.colours():
        gaps = request.gaps or [""] * len(names)
        end = f"[{flags.plain(request.answer['text'])}]" if "at" in request.answer else ""
        click.echo("".join(g + flags.shaded(n, v / top) for n, g, v in zip(names, gaps, total, strict=True)) + end)
    if request.kind in ("picture", "regions") and found is not None:
        _grid(total[: request.shape[0] * request.shape[1]].reshape(request.shape), top)
    if len(request.targets) == 1:
        _table(one, total, top)
    else:
        width = max(map(len, request.targets))
        for k, (target, values) in enumerate(zip(request.targets, one.values, strict=True)):
            order = np.argsort(-np.abs(values), kind="stable")[:NEAR]
            strongest = ", ".join(f"{one.one_line(names[i])} {one.number(values[i])}" for i in order)
            attention = ""
            if request.attention is not None and request.attention[k].any():
                i = int(request.attention[k].argmax())
                attention = f"   (most attention to {one.one_line(request.features[i])} {request.attention[k, i]:.2f})"
            flags.tell(f"  {target:{width}}  {strongest}{attention}")
    flags.tell()


def _table(one, total, top):
    """Each feature with its numbers and a bar; of many, those that count most."""
    import numpy as np

    from helo.inspection.targets import BEFORE

    names, request = one.names, one.request
    same = len(request.patches or request.features) == len(names)
    chosen = range(len(names)) if len(names) <= MOST else np.argsort(-np.abs(total), kind="stable")[:SHORT]
    labels = [one.one_line(n) for n in names]
    if "at" in request.answer:  # symbols come again and again: how far back each stands
        labels = [f"{i - len(names):4} {n}" if n != BEFORE else f"     {n}" for i, n in enumerate(labels)]
    width = max(len(labels[i]) for i in chosen)
    head = "occlusion" if one.attribution is None else "attribution  occlusion" if same else "attribution"
    flags.tell(f"  {'':{width}}  {head}")
    for i in chosen:
        bar = ("+" if total[i] > 0 else "-") * round(20 * abs(total[i]) / top)
        occlusion = f"  {one.occlusion[:, i].sum():+9.3f}" if same and one.attribution is not None else ""
        flags.tell(f"  {labels[i]:{width}}  {total[i]:+11.3f}{occlusion}  {bar}".rstrip())
    if len(names) > MOST:
        flags.tell(f"  the {SHORT} largest of {len(names):,}")


def _grid(values, top):
    """A picture in signs: + speaks for the answer, - against it."""
    import numpy as np

    height, width = values.shape
    down, right = (max(1, -(-n // 32)) for n in (height, width))
    values = np.array(
        [[values[a : a + down, b : b + right].sum() for b in range(0, width, right)] for a in range(0, height, down)]
    )
    top = float(np.abs(values).max()) or top
    for row in values / top:
        cells = [("##" if abs(v) > 0.5 else "++" if v > 0 else "--") if abs(v) > 0.15 else " ·" for v in row]
        signs = [c if v > 0 or c != "##" else "==" for c, v in zip(cells, row, strict=True)]
        if flags.colours():
            signs = [flags.shaded(s, v) for s, v in zip(signs, row, strict=True)]
        click.echo("  " + "".join(signs))
