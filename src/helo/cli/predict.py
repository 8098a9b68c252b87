"""helo predict RUN [FILES…]"""

from __future__ import annotations

import sys
from contextlib import nullcontext

import click

from helo.cli import flags


@flags.common
@flags.cell
@flags.as_json
@click.command()
@click.argument("run")
@click.argument("files", nargs=-1)
@click.option(
    "--beam",
    type=click.IntRange(min=1),
    default=None,
    help="translate, caption: hypotheses kept side by side, 1 is greedy  [5]",
)
@click.option(
    "--n-best",
    type=click.IntRange(min=1),
    default=None,
    help="translate, caption: so many answers to each, with their scores",
)
@click.option(
    "--alpha",
    type=click.FloatRange(min=0),
    default=None,
    help="translate, caption: how much the beam favours long answers; 0 compares bare log-probabilities  [1]",
)
@click.option(
    "--attention",
    type=flags.Written(dir_okay=False),
    default=None,
    help="translate, caption: draw where it looked (.png, .pdf, .svg), or all as .json",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    help="caption: draw the sentences in place of searching for the likeliest",
)
@click.option(
    "--out",
    "-o",
    type=flags.Written(dir_okay=False),
    default=None,
    help="caption: write one page of pictures and sentences",
)
@click.option("--skip-bad", is_flag=True, help="caption: leave out pictures that cannot be read, and say which")
@click.option(
    "--stream", is_flag=True, help="tag: answer each line of standard input as it comes, a blank line starts anew"
)
@click.option(
    "--state",
    type=flags.Written(dir_okay=False),
    default=None,
    help="tag --stream: go on from this file, and write it at the end",
)
def command(
    run, files, beam, n_best, alpha, attention, temperature, out, skip_bad, stream, state, cell, seed, quiet, as_json
):
    """Answers of a model, one an example, in order: of files as in training, or of standard input, one a line.

    \b
    helo predict runs/reviews new.tsv
    echo "what a film" | helo predict runs/reviews - --json
    """
    from helo import progress, reports
    from helo.data.readers.files import standard_input
    from helo.errors import HeloError
    from helo.runs import load
    from helo.tasks.writing import WritingTask
    from helo.training.report import working

    if stream:
        others = {"beam": beam, "n-best": n_best, "alpha": alpha, "attention": attention, "temperature": temperature}
        _streams(run, files, others | {"out": out, "skip-bad": skip_bad or None})
        with progress.stoppable() if state else nullcontext() as stopping:
            _live(load(run, cell=cell), state, as_json, stopping)
        return
    if state:
        raise HeloError("--state without --stream", expected="both, or neither")
    model = load(run, cell=cell)
    if not files:
        raise HeloError("no files are given", expected=f"helo predict {run} FILES…, or - for standard input")
    how = {"beam": beam, "n_best": n_best, "alpha": alpha, "attention": bool(attention) or None}
    how = {k: v for k, v in how.items() if v is not None}
    if how and not isinstance(model.task, WritingTask):
        raise HeloError(
            f"--{next(iter(how)).replace('_', '-')} of a {model.about['task']} model",
            expected="it of a model that writes: translate, caption",
        )
    if attention:
        _drawable(attention, model.task)
    if temperature is not None:
        if model.about["task"] != "caption":
            raise HeloError(f"--temperature of a {model.about['task']} model", expected="it of a caption model")
        if beam is not None:
            raise HeloError("--beam and --temperature", expected="one of them: a sentence is searched for or drawn")
        how |= {"temperature": temperature, "seed": seed}
    if skip_bad and model.about["task"] != "caption":
        raise HeloError(f"--skip-bad of a {model.about['task']} model", expected="it of a caption model")
    said = {"skip_bad": True} if skip_bad else {}
    with progress.listening(working(quiet)):
        examples = model.lines(standard_input(), **said) if list(files) == ["-"] else model.examples(files, **said)
    if out and model.about["task"] != "caption":
        raise HeloError(f"--out of a {model.about['task']} model", expected="it of a caption model")
    with progress.listening(working(quiet)):
        answers = model.predict(examples, **how)
    if as_json:
        flags.show({"run": run, "answers": answers})
    elif not out:
        for answer in answers:
            flags.tell(reports.of(model.task).line(answer))
    if attention:
        _draw(attention, answers, model.task, quiet)
    if out:
        _page(out, model, examples, answers, quiet)


def _streams(run, files, others):
    """Raises HeloError for what has no meaning beside --stream."""
    from helo.errors import HeloError

    if any(f != "-" for f in files):
        mend = f"helo predict {run} - --stream < {files[0]}"
        raise HeloError(f"{files[0]} beside --stream", expected="standard input", mend=mend)
    if given := [name for name, value in others.items() if value is not None]:
        raise HeloError(f"--{given[0]} beside --stream", expected="--state alone beside it")


def _live(model, state, as_json, stopping):
    """Each line as it comes. However it ends, the state is kept: it stands behind the last line that was answered."""
    live = model.live(flags.begun(state))
    labels = [[]]
    try:
        for number, line in enumerate(_lines(stopping), 1):
            if not line.strip():
                live.reset()
                labels.append([])
                if not as_json:
                    click.echo()
                continue
            labels[-1].append(live.feed(model.task.item(line, number)))
            if not as_json:
                flags.tell(f"{line.strip()}\t{labels[-1][-1]}")
                sys.stdout.flush()
    finally:
        if state:
            live.save(state)
    if as_json:
        flags.show({"answers": [{"labels": row} for row in labels if row]})


def _lines(stopping):
    """Standard input, a line as soon as it is there. Whoever asks to stop is heard between two lines."""
    from helo.data.readers.encoding import STANDARD_INPUT, decoded

    at = number = 0
    while True:
        if stopping is not None:
            stopping.end()
            stopping.waiting = True
        line = sys.stdin.buffer.readline()
        if stopping is not None:
            stopping.waiting = False
        if not line:
            return
        number += 1
        yield decoded(line, STANDARD_INPUT, at, number)
        at += len(line)


DRAWN = 6  # of the answers


def _drawable(path, task):
    """Raises HeloError where nothing can be drawn there."""
    from pathlib import Path

    from helo import drawing
    from helo.errors import HeloError

    if task.model.attention == "none":
        raise HeloError(
            "--attention of a model without attention", expected="one that was not trained with --attention none"
        )
    suffix = Path(path).suffix.lower()
    if suffix not in (*drawing.SUFFIXES, ".json"):
        raise HeloError(f"--attention {path}", expected=f"a file {', '.join(drawing.SUFFIXES)} or .json")
    if suffix != ".json" and not drawing.available():
        raise HeloError("pictures are drawn by matplotlib", mend="pip install 'helo[train]', or give FILE.json")


def _draw(path, answers, task, quiet):
    """Where the decoder looked: a picture of the first answers, or all numbers as JSON."""
    import json
    from pathlib import Path

    from helo import drawing
    from helo.runs.folder import replacing

    looks, form = [a["attention"] for a in answers], Path(path).suffix.lower()[1:]
    with replacing(Path(path), named=True) as beside:
        if form == "json":
            beside.write_text(json.dumps(looks, ensure_ascii=False), encoding="utf-8")
        elif looks and "place" in looks[0]:
            import numpy as np

            from helo.data.readers.photos import Photo, middle, opened

            pictures = []
            for answer in answers[:DRAWN]:
                file, offset, size = answer["attention"]["place"]
                photo = Photo(answer["picture"], Path(file), offset, size)
                picture = opened(photo.read(), photo.place, 448)
                if task.model.encoder.fit == "crop":
                    picture = picture.crop(middle(picture.size))
                pictures.append((np.asarray(picture), answer["attention"]))
            drawing.looks(beside, pictures, form)
        else:
            drawing.attention(beside, looks[:DRAWN], form)
    if len(looks) > DRAWN and form != "json" and not quiet:
        flags.tell(f"the first {DRAWN} of {len(looks):,} are drawn in {path}", err=True)


def _page(path, model, examples, answers, quiet):
    """One page of all pictures with their sentences."""
    from helo.reports.gallery import page
    from helo.runs.folder import write_text

    count = f"{len(answers):,} picture{'s' * (len(answers) != 1)}"
    about = f"{count}, each with what the model says of it"
    text = page(model.path.name, about, examples.inputs, answers, examples.labels)
    write_text(path, text)
    if not quiet:
        flags.tell(f"{count} in {path}", err=True)
