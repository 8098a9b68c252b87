"""helo demo [TASK]"""

from __future__ import annotations

import click

from helo.cli import flags

LEADS = {
    "lm": "A language model of Python's own documentation, trained in about a minute.",
    "classify": "Handwritten digits, 8 by 8 pixels, classified by reading each one row by row.",
    "tag": "Python source code: for every character, the type of the token it belongs to.",
    "translate": "Dates as people write them in ten languages, translated to ISO 8601.",
    "caption": "Pictures of two or three handwritten digits, described in English and in Chinese.",
    "regress": "Patients with diabetes: from ten values of each, how far the disease goes in a year.",
    "forecast": "Sales of three shops, generated: a trend, a week, a year, holidays that are known in advance.",
}
OPTIONS = {"classify": {"view": "rows"}, "tag": {"column": "2", "spelling": 0}, "caption": {"encoder": "small"},
           "regress": {"target": "progression"}, "forecast": {"target": "sales", "group": "shop", "known": "holiday", "horizon": 28}}  # fmt: skip
KEYS = {"translate": "exact", "caption": "exact"}
TRIES = {
    "translate": ["3. mai 1999", "le 14 juillet 1789", "Tuesday, January 19, 2038"],
    "tag": [" ".join("while␣x<0x1F:␣#␣go")],
}


@flags.common
@click.command()
@click.argument("task", default="lm", required=False)
@click.option("--minutes", type=float, help="minutes of training  [0.75; tag and translate: 1; caption: 1, twice]")
@click.option("--out", "-o", metavar="RUN", help="the run folder  [runs/demo-TASK]")
def command(task, minutes, out, seed, quiet):
    """Train and use a small model; no download needed.

    \b
    helo demo
    helo demo translate --minutes 3
    """
    from pathlib import Path

    from helo import reports
    from helo.data.embedded import WRITERS
    from helo.errors import HeloError, nearest
    from helo.training import free_place, train
    from helo.training.options import Options

    if task not in WRITERS:
        raise HeloError(f"there is no demo of {task!r}", mend=nearest(task, WRITERS))
    if minutes is None:
        minutes = 1.0 if task in TRIES or task == "caption" else 0.75
    Options(minutes=minutes)  # refused before any data is written
    run = Path(out) if out else free_place("demo" if task == "lm" else f"demo-{task}")
    if task == "caption" and run.with_name(f"{run.name}-zh").exists():
        raise HeloError("a run exists already", mend="give another --out", where=f"{run}-zh")
    suffix, write = WRITERS[task]
    data = write(run.parent / f"{run.name}{suffix}")
    options = OPTIONS.get(task, {})
    words = " ".join(f"--{name} {value}" for name, value in options.items())
    if task == "caption":
        options = {**options, "images": (str(data.with_suffix(".tar")),)}
        words = f"--images {data.with_suffix('.tar')} {words}"
    if not quiet:
        typed = f"helo train {task} {data} {words}".strip()
        click.echo(f"{LEADS[task]}\n\n$ {typed} --minutes {minutes:g} --out {run}", err=True)
    done = train(task, data, out=run, minutes=minutes, seed=seed, quiet=quiet, **options)
    if task == "lm":
        click.echo(f"\n$ helo sample {run} --prompt 'The '\n")
        click.echo("The " + done.sample("The ", 400, seed=seed or 0))
        result = f"{done.figures['bits_per_character']:.2f} bits per character on text that it was not trained on."
        tries = [
            (f"helo sample {run} --temperature 0.5", "more careful"),
            ("helo demo classify | regress | forecast | tag | translate | caption", "the other shapes"),
        ]
    else:
        models = [(done, data)]
        if task == "caption":
            from helo.data.embedded import chinese

            other = chinese(data)
            theirs = run.with_name(f"{run.name}-zh")
            if not quiet:
                click.echo(f"\n$ helo train {task} {other} {words} --minutes {minutes:g} --out {theirs}", err=True)
            second = train(task, other, out=theirs, minutes=minutes, seed=seed, quiet=quiet, **options)
            models.append((second, other))
        for model, file in models:
            click.echo(f"\n$ helo predict {model.path} {'-' if task in TRIES else file}\n")
            for line in _answers(model, file, TRIES.get(task)):
                click.echo(f"  {line}")
        result = _result(task, models)
        tries = [(f"helo eval {run}", "all figures"), (f"{run}/README.md", "what it is, with pictures")]
    tries += [
        (f"helo train {task} {data} {words}".strip() + f" --out {run}-longer --minutes 5", ""),
        (f"helo train {task} {reports.find(task).example}", "your own"),
        ("helo hello", "how it works, number by number"),
    ]
    click.echo(f"\n{result}\n\nTry next:")
    for typed, why in tries:
        click.echo(f"  {typed:58}  {why}".rstrip())


def _result(task, models):
    """What the demonstration comes to, in a sentence."""
    figures = models[0][0].figures
    if task == "forecast":
        ours, theirs = figures["wql"], figures["seasonal_naive"]["wql"]
        return (
            f"A weighted quantile loss of {ours:.3f} on many times 28 days, each left out in training; "
            f"the last week repeated has {theirs:.3f}."
        )
    if task == "regress":
        return (
            f"On patients that it was not trained on it is {figures['rmse']:.0f} off (root mean square); the mean of all would be about "
            f"{models[0][0].task.std[0]:.0f}. {figures['coverage_80']:.0%} of them lie between its first and last decile."
        )
    right = " and ".join(f"{model.figures[KEYS.get(task, 'accuracy')]:.1%}" for model, _ in models)
    return f"{right} right on examples that it was not trained on."


def _answers(run, data, tries):
    """A few answers, each beside its input."""
    import numpy as np

    from helo import reports

    if tries is None:
        examples = run.examples([data])
        rows = np.random.default_rng(0).permutation(len(examples))[:6]
        chosen = examples.take(rows)
        if examples.kind == "history":
            return [line for a in run.predict(chosen) for line in reports.of(run.task).line(a).splitlines()[:3]]
        pairs = zip(chosen.labels, run.predict(chosen), strict=True)
        if examples.kind == "photo":
            return [f"{answer['picture']}: {answer['text']:32} (reference: {truth[0]})" for truth, answer in pairs]
        if isinstance(examples.labels[0], float):
            return [
                f"{reports.of(run.task).line(answer)} (true {label:g})".replace("\t", " ") for label, answer in pairs
            ]
        return [
            f"a {label}: {reports.of(run.task).line(answer)}".replace("\t", ", probability ") for label, answer in pairs
        ]
    lines = []
    for text in tries:
        answer = run.predict([text])[0]
        if "labels" in answer:
            lines += [f"{w}  {y}" for w, y in zip(answer["words"], answer["labels"], strict=True)]
        else:
            lines.append(f"{text:28} → {answer['text']}")
    return lines
