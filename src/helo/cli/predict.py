"""helo predict RUN [FILES…]"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from itertools import count

import click

from helo.cli import flags


@flags.common
@flags.sided
@flags.trusted
@flags.as_json
@click.command("predict", cls=flags.TaskVerb, leave_out=("attention", "seed", "tokenizer"))
@click.argument("run")
@click.argument("files", nargs=-1, metavar="FILES...")
@click.option(
    "--attention",
    type=flags.FILE,
    help="model with attention: plot it (.png, .pdf, .svg), or save all weights (.json)",
)
@click.option(
    "--tokenizer",
    metavar="[LANGUAGE]",
    is_flag=False,
    flag_value="xx",
    help="tagger, running text: find the words by the rules of a language, such as en or de  [without it, by blanks]",
)
@click.option(
    "--out",
    "-o",
    type=flags.FILE,
    help="save FILE.csv, FILE.tsv or FILE.jsonl: the columns of the input and the answers; captions, forecasts: or FILE.html, a page",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "tsv", "jsonl"]),
    help="print such a table, or save it in --out FILE of any name",
)
@click.option(
    "--stream",
    is_flag=True,
    help="tagger, forecaster: answer each line of standard input as it comes; a blank line resets the state",
)
@click.option(
    "--state", type=flags.FILE, help="--stream: continue from the state in this file, and save it there at the end"
)
def command(run, files, attention, tokenizer, out, form, stream, state, cell, task, seed, quiet, as_json, **options):
    """Give a model's answers, one per example, in order. FILES are as in training; - reads lines of standard input.

    \b
    helo predict runs/reviews new.tsv -o answers.csv
    echo "what a film" | helo predict runs/reviews - --json
    """
    from pathlib import Path

    from helo import progress, reports
    from helo.errors import HeloError
    from helo.reports import table
    from helo.runs import load
    from helo.runs.written import apart
    from helo.training.report import working

    options["tokenizer"] = tokenizer
    if stream:
        _check_stream(run, files, {**options, "attention": attention, "out": out, "format": form})
        with progress.stoppable() if state else nullcontext() as stopping:
            _stream(load(run, cell=cell, task=task), state, as_json, stopping)
        return
    if state:
        raise HeloError("--state without --stream", expected="both, or neither")
    page = bool(out) and form is None and Path(out).suffix.lower() in (".html", ".htm")
    kind = form or (table.kind(out) if out and not page else None)
    if form and as_json:
        raise HeloError("both --json and --format", expected="one of them")
    model = load(run, cell=cell, task=task)
    _ = model.example_task  # or it is refused before anything that only a task with answers has is looked at
    files = flags.found(model, "predict", options, files)
    if not files:
        raise HeloError("no files were given", expected=f"helo predict {run} FILES…, or - for standard input")
    how = flags.given(model, "predict", {**options, "attention": bool(attention) or None})
    if attention:
        _drawable(attention, model.task)
    if options.get("reader") and "-" in files:
        raise HeloError("--reader with standard input", expected="it with files")
    if page and reports.answers_page(reports.of(model.task)) is None:
        raise HeloError(f"--out {out} with a model of the task {model.about['task']}",
                        expected="FILE.csv, FILE.tsv, FILE.jsonl; a page with a captioner or a forecaster")  # fmt: skip
    flags.reading(model, how, files)
    if out:
        apart(out, files)
    if "temperature" in how or "paths" in how:
        how["seed"] = seed
    with progress.listening(working(quiet)):
        _answer(model, model.answering(files, **how), out, kind, page, attention, as_json, quiet, reports.of(model.task),
                how.get("n_best", 1) > 1)  # fmt: skip


def _answer(model, pieces, out, kind, page, attention, as_json, quiet, report, ranked):
    """Show or save answers as they come; what needs all of them waits for the last."""
    from helo.reports import table
    from helo.runs.written import written

    kept, looks, shown = [], [], []

    def seen():
        for examples, answers in pieces:
            if attention:
                looks.extend({n: a[n] for n in ("attention", "picture") if n in a} for a in answers)
            if kind and not as_json:
                answers = [{n: v for n, v in a.items() if n != "attention"} for a in answers]
            if as_json or page:
                kept.extend(answers)
            if page:
                shown.append(examples)
            yield examples, answers

    report.ranked = ranked
    if kind and out:
        count = written(report, seen(), out, kind)
        if not quiet:
            flags.tell(f"{count:,} row{'s' * (count != 1)} saved to {out}", err=True)
    elif kind:
        writer = table.Writer(sys.stdout, kind)
        for row in table.rows(report, seen()):
            writer.write(row)
            sys.stdout.flush()
    else:
        for _, answers in seen():
            for answer in () if as_json or page else answers:
                flags.tell(report.line(answer))
            sys.stdout.flush()
    if as_json:
        flags.show({"run": str(model.path), "answers": kept})
    if attention:
        _draw(attention, looks, model.task, quiet)
    if page:
        _page(out, model.path.name, report, shown, kept, quiet)


def _check_stream(run, files, others):
    """Raises HeloError for what has no meaning beside --stream."""
    from helo.errors import HeloError

    if any(f != "-" for f in files):
        mend = f"helo predict {run} - --stream < {files[0]}"
        raise HeloError(f"{files[0]} with --stream", expected="standard input", mend=mend)
    if given := [name for name, value in others.items() if value is not None and value != ()]:
        raise HeloError(f"--{given[0]} with --stream", expected="no option but --state with it")


def _stream(model, state, as_json, stopping):
    """Each line as it comes. However it ends, the state is kept: it stands behind the last line that was answered."""
    live = model.live(flags.existing(state))
    labels = [[]]
    try:
        for number, line in enumerate(_lines(stopping), 1):
            if not line.strip():
                live.reset()
                labels.append([])
                if not as_json:
                    click.echo()
                continue
            labels[-1].append(live.feed(model.task.source.item(model.task, line, number)))
            if not as_json:
                flags.tell(f"{line.strip()}\t{_said(labels[-1][-1])}")
                sys.stdout.flush()
    finally:
        if state:
            live.save(state)
    if as_json:
        kind = "forecasts" if any(isinstance(y, dict) for row in labels for y in row) else "labels"
        flags.show({"answers": [{kind: row} for row in labels if row]})


def _said(answer):
    """A label; or the numbers of the next value."""
    return answer if isinstance(answer, str) else "\t".join(f"{v:.6g}" for v in answer.values())


def _lines(stopping):
    """Standard input, a line as soon as it is there. Whoever asks to stop is heard between two lines."""
    from helo.data.readers.encoding import STANDARD_INPUT, decoded

    at = 0
    for number in count(1):
        if stopping is not None:
            stopping.end()
            stopping.waiting = True
        line = sys.stdin.buffer.readline()
        if stopping is not None:
            stopping.waiting = False
        if not line:
            return
        yield decoded(line, STANDARD_INPUT, at, number)
        at += len(line)


DRAWN = 6  # of the answers


def _drawable(path, task):
    """Raises HeloError where nothing can be drawn there."""
    from pathlib import Path

    from helo import drawing
    from helo.errors import HeloError

    if task.model.attention == "none":
        raise HeloError("--attention with a model that has none", expected="a model trained with attention")
    suffix = Path(path).suffix.lower()
    if suffix not in (*drawing.SUFFIXES, ".json"):
        raise HeloError(f"--attention {path}", expected=f"a file {', '.join(drawing.SUFFIXES)} or .json")
    if suffix != ".json" and not drawing.available():
        raise HeloError("drawing a picture needs matplotlib", mend="pip install 'helo[train]', or give FILE.json")


def _draw(path, answers, task, quiet):
    """Where the decoder looked: a picture of the first answers, or all numbers as JSON."""
    import json
    from pathlib import Path

    from helo import drawing
    from helo.runs.folder import replacing

    attention, form = [a["attention"] for a in answers], Path(path).suffix.lower()[1:]
    with replacing(Path(path), named=True) as beside:
        if form == "json":
            beside.write_text(json.dumps(attention, ensure_ascii=False), encoding="utf-8")
        elif attention and "place" in attention[0]:
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
            drawing.attention(beside, attention[:DRAWN], form)
    if len(attention) > DRAWN and form != "json" and not quiet:
        flags.tell(f"{path} shows the first {DRAWN} of {len(attention):,}", err=True)


def _page(path, title, report, examples, answers, quiet):
    """One page of all answers."""
    from helo import reports
    from helo.runs.folder import write_text

    make = reports.answers_page(report)
    assert make is not None
    write_text(path, make(report, title, examples, answers))
    if not quiet:
        flags.tell(f"{len(answers):,} answer{'s' * (len(answers) != 1)} in {path}", err=True)
