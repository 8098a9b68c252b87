"""helo explain RUN [FILES…]"""

from __future__ import annotations

import click

from helo.cli import flags

MOST, SHORT = 40, 20  # pieces that are all shown; of more the largest
NEAR = 4  # pieces beside each of several targets


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
    from helo.inspection.explain import asked, explain, flawed
    from helo.runs import load
    from helo.training.report import working

    if out and not out.lower().endswith((".html", ".htm")):
        raise HeloError(f"--out {out}", expected="a page, FILE.html")
    model = load(run, cell=cell, task=task)
    if not files:
        raise HeloError("no files were given", expected=f"helo explain {run} FILES…, or - for standard input")
    how = {"label": label, "step": step, "at": at, "window": window}
    with progress.listening(working(quiet)):
        source = asked(model, files, standard_input)
        if state:
            how["stream"] = model.stream(state=state)
        # examples have places of their own; a text is one
        with place("standard input" if files[0] == "-" else files[0]):
            found = explain(model, source, baseline=baseline, **{k: v for k, v in how.items() if v is not None})
    if out:
        from helo.inspection.shown import explained
        from helo.runs.folder import write_text

        write_text(out, explained(model.path.name, found))
    if as_json:
        flags.show({"run": run, "answers": [f.to_json() for f in found]})
    elif not out:
        for one in found:
            _tell(one)
    elif not quiet:
        flags.tell(f"{len(found):,} answer{'s' * (len(found) != 1)} saved to {out}", err=True)
    if not quiet:
        for line in flawed(found):
            flags.tell(line, err=True)


def _tell(one):
    """An answer for a terminal: what it is, its input in colours, and the numbers."""
    import numpy as np

    asked, found = one.asked, one.found
    values = one.occlusion if found is None else found.values
    names = (asked.patches or asked.pieces) if found is None else asked.pieces
    told = "" if found is None else (
        f"   (log-odds {found.score.sum():+.2f} nats, baseline {found.baseline.sum():+.2f}, "
        f"completeness error {100 * found.error():.2f} %)"
    )  # fmt: skip
    flags.tell(f"{one.line()}{told}")
    total = values.sum(0)
    top = float(np.abs(total).max()) or 1.0
    if asked.kind == "text" and len(names) == len(asked.pieces) and flags.colours():
        gaps = asked.gaps or [""] * len(names)
        end = f"[{flags.plain(asked.answer['text'])}]" if "at" in asked.answer else ""
        click.echo("".join(g + flags.shaded(n, v / top) for n, g, v in zip(names, gaps, total, strict=True)) + end)
    if asked.kind in ("picture", "regions") and found is not None:
        _grid(total[: asked.shape[0] * asked.shape[1]].reshape(asked.shape), top)
    if len(asked.targets) == 1:
        _table(one, names, total, top)
    else:
        width = max(map(len, asked.targets))
        for k, target in enumerate(asked.targets):
            order = np.argsort(-np.abs(values[k]), kind="stable")[:NEAR]
            rests = ", ".join(f"{one.shown(names[i])} {values[k, i]:+.2f}" for i in order)
            looked = ""
            if asked.attention is not None and asked.attention[k].any():
                i = int(asked.attention[k].argmax())
                looked = f"   (most attention to {one.shown(asked.pieces[i])} {asked.attention[k, i]:.2f})"
            flags.tell(f"  {target:{width}}  {rests}{looked}")
    flags.tell()


def _table(one, names, total, top):
    """Each piece with its numbers and a bar; of many, those that count most."""
    import numpy as np

    from helo.inspection.questions import BEFORE

    same = len(one.asked.patches or one.asked.pieces) == len(names)
    chosen = range(len(names)) if len(names) <= MOST else np.argsort(-np.abs(total), kind="stable")[:SHORT]
    called = [one.shown(n) for n in names]
    if "at" in one.asked.answer:  # symbols come again and again: how far back each stands
        called = [f"{i - len(names):4} {n}" if n != BEFORE else f"     {n}" for i, n in enumerate(called)]
    width = max(len(called[i]) for i in chosen)
    head = "occlusion" if one.found is None else "attribution  occlusion" if same else "attribution"
    flags.tell(f"  {'':{width}}  {head}")
    for i in chosen:
        bar = ("+" if total[i] > 0 else "-") * round(20 * abs(total[i]) / top)
        occluded = f"  {one.occlusion[:, i].sum():+9.3f}" if same and one.found is not None else ""
        flags.tell(f"  {called[i]:{width}}  {total[i]:+11.3f}{occluded}  {bar}".rstrip())
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
