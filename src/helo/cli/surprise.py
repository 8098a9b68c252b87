"""helo surprise RUN FILES…"""

from __future__ import annotations

import sys

import click

from helo.cli import flags

SHOWN = 20  # of the most unusual, where nobody says how many
FULL = 6  # nats beyond what was expected that have the full colour


@flags.common
@flags.trusted
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1, metavar="FILES...")
@click.option(
    "--lines", is_flag=True, help="language model: read each line by itself, not as one text with carried state"
)
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=1,
    help="language model, forecaster: so many lines or values in a row are one  [1]",
)
@click.option("--together", is_flag=True, help="forecaster: all series are channels of one; their nats are added up")
@click.option("--top", type=click.IntRange(min=1), help=f"show only so many  [{SHOWN}; with --json all]")
@click.option(
    "--false-alarms",
    type=float,
    metavar="RATE",
    help="threshold that this share of usual ones is above; show only what is above it",
)
@click.option(
    "--valid", multiple=True, metavar="FILE", help="usual data for the threshold  [the run's validation data]"
)
@click.option(
    "--labels", type=click.Path(), help="a file with 1 (unusual) or 0 for each line, example or value: report figures"
)
@click.option(
    "--stream",
    is_flag=True,
    help="language model: judge each line of standard input as it comes; with --false-alarms show only alarms",
)
def command(
    run, files, lines, window, together, top, false_alarms, valid, labels, stream, cell, task, seed, quiet, as_json
):
    """Show what is unusual: lines of a text or log, values of a series, examples with a doubtful label.

    \b
    helo surprise runs/log new.log --false-alarms 0.01
    tail -f new.log | helo surprise runs/log - --stream --false-alarms 0.001
    """
    from helo import progress
    from helo.inspection.surprise import surprise
    from helo.runs import load
    from helo.training.report import working

    if stream:
        given = {"--top": top, "--labels": labels, "--together": together or None}
        _stream(run, files, lines, window, false_alarms, valid, given, cell, task, as_json)
        return
    model = load(run, cell=cell, task=task)
    limited = top or (None if as_json or false_alarms is not None else SHOWN)
    with progress.listening(working(quiet)):
        found = surprise(
            model,
            files,
            lines=lines,
            window=window,
            together=together,
            false_alarms=false_alarms,
            valid=valid,
            labels=labels,
            top=limited,
        )
    if as_json:
        flags.show({"run": run} | found.to_json(model.task))
        return
    for one in found.found:
        if found.threshold is None or one.nats > found.threshold:
            _tell(one, model.task)
    for name, value in (found.figures or {}).items():
        flags.tell(f"{name} {value:.4g}")
    if not quiet:
        flags.tell(_said(found, false_alarms), err=True)


def _tell(one, task):
    """One finding: nats, where, and the line in the colours of its surprise, the label and the model's, or the value."""
    click.echo(f"{one.nats:.2f}\t{one.place}\t", nl=False)
    if not (flags.colours() and hasattr(one, "pieces")):
        flags.tell(one.said.replace("\n", "\n\t\t"))
        return
    pieces = zip(one.pieces(task), one.excess.tolist(), strict=True)
    shaded = "".join(flags.shaded(piece, min(1.0, x / FULL)) for piece, x in pieces)
    click.echo(shaded.removesuffix("\n").replace("\n", "\n\t\t"))


def _said(found, rate):
    """How many there are of how many, and above what."""
    early = f"; {found.early:,} more are not judged, with too little before them" if found.early else ""
    if found.threshold is None:
        return (
            f"the most unusual of {found.count:,} {found.name}; the first number is nats: larger is more unusual{early}"
        )
    return (
        f"{found.alarms:,} of {found.count:,} {found.name} above {found.threshold:.2f} nats, "
        f"the threshold for a false alarm rate of {rate:g}{early}"
    )


def _stream(run, files, lines, window, rate, valid, others, cell, task, as_json):
    """Each line as it comes, with its nats; with a rate of false alarms only those above the threshold."""
    from helo import engines
    from helo.errors import HeloError
    from helo.inspection.surprise import Lines, Surprise, judging, threshold
    from helo.runs import load

    if any(f != "-" for f in files):
        mend = f"helo surprise {run} - --stream < {files[0]}"
        raise HeloError(f"{files[0]} with --stream", expected="standard input", mend=mend)
    if named := [name for name, value in others.items() if value is not None]:
        raise HeloError(f"{named[0]} with --stream", expected="one of the two")
    model = load(run, cell=cell, task=task)
    judge = judging(model, lines, window)
    if not isinstance(judge, Lines):
        raise HeloError(f"--stream with a model of the task {model.about['task']}", expected="a language model")
    kept, alarms = [], 0
    with engines.fastest(model.parameters) as parameters, model.computing():
        limit = threshold(judge, parameters, rate, valid)
        for one in judge.follow(parameters, iter(sys.stdin.buffer.readline, b"")):
            above = limit is not None and one.nats > limit
            alarms += above
            if as_json:
                kept.append(one)
            elif above or limit is None:
                _tell(one, model.task)
                sys.stdout.flush()
    if as_json:
        kept.sort(key=lambda x: -x.nats)
        flags.show(
            {"run": run}
            | Surprise("lines", kept, len(kept), limit, None if limit is None else alarms).to_json(model.task)
        )
