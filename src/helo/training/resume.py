"""A run that goes on: exactly where it was stopped, or, where it is finished, to more steps, epochs or minutes."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from helo import registry
from helo.data import readers
from helo.errors import HeloError, place, wrap
from helo.options import flag, recorded
from helo.runs import Run, folder
from helo.tasks.base import Task
from helo.training import config
from helo.training.loop import Training
from helo.training.minutes import LEAST
from helo.training.options import Options
from helo.training.request import BUDGETS, Request, split_options
from helo.training.schedule import VALIDATIONS, factor
from helo.training.session import Session


def find(request: Request, path: Path) -> dict[str, Any] | None:
    """run.json of the run that is to go on; None where there is none yet, or a new one is meant."""
    return folder.describe(path) if request.resume and os.path.lexists(folder.inside(path, "run.json")) else None


def is_over(request: Request, path: Path, about: dict[str, Any]) -> bool:
    """Whether there is nothing to do for a run that is there. Raises HeloError where another is meant, or where its weights
    are there and where its training stood is not: they would be trained over.
    """
    _options(request, path, about)
    weights, state = (folder.inside(path, name) for name in ("weights.safetensors", folder.STATE))
    if about.get("finished") and not os.path.lexists(weights):
        raise HeloError("no such file", mend=folder.COPY, where=weights)
    if about.get("finished") and not _goes_further(request, path, about):
        if request.files or request.valid:
            _reload(request, path, about)  # files that are given again must be the same
        return True
    if os.path.lexists(weights) and not os.path.lexists(state):
        raise HeloError(
            "no such file, and the training cannot be continued without it",
            mend="restore it from a complete copy of the run, or start a new run from these weights: --start", where=state,
        )  # fmt: skip
    return False


def go_on(request: Request, session: Session, about: dict[str, Any]) -> Training:
    """The training as it stood; that of a finished run with its new end."""
    machine, path = session.machine, session.path
    with machine.alike():
        task, options = _reload(request, path, about)
    with machine.alike():
        training = session.trains(task, options)
        saved = training.resume()
        session.reporter.begin(path)
    p, schedule = training.progress, ""
    if about.get("finished"):
        with machine.alike():
            _extend(training, about)
        schedule = f" to {p.total:,}: rates from {factor(p.share):.0%} of their peak down to {factor(1):.0%}"
    if saved:
        session.reporter.say(f"continuing from step {p.step:,} of {path}{schedule}")
    return training


def _goes_further(request: Request, path: Path, about: dict[str, Any]) -> bool:
    """Whether a finished run is to go on. Raises HeloError for less than it has had."""
    name = next((n for n in sorted(BUDGETS) if n in request.given), None)
    if name is None:
        return False
    had: dict[str, Any] = {"steps": about.get("steps"), "minutes": about.get("seconds", 0) / 60}
    had |= {n: v for n in BUDGETS if (v := about["training"].get(n)) is not None}
    value, before = float(request.given[name]), had.get(name)
    if before is not None and value < before:
        raise HeloError(
            f"--{name} {request.given[name]}", expected=f"--{name} {before:g} or more, which the run has already done",
            mend="omit it", where=path,
        )  # fmt: skip
    return before is None or value > before


def _extend(training: Training, about: dict[str, Any]) -> None:
    """A finished run gets its new end. What decides what follows, the saved training, has it first: a kill in between
    leaves a run that is finished, and the same command does it again.
    """
    p, o = training.progress, training.options
    p.over, p.ending, p.idle, p.early = None, None, 0, False
    if 0 < p.glance <= LEAST < training.task.validation_size:  # what was best on so few says nothing
        p.glance, p.best = 0, float("inf")
    if o.steps is not None:
        p.total = o.steps
    elif o.epochs is not None:
        p.total = max(1, round(o.epochs * training.batches.per_epoch))
    else:  # as many steps a minute as before, until they are settled again
        p.over = min(1.0, p.seconds / (60 * (o.minutes or 2.0)))
        p.total = max(p.step + 1, round(p.step / max(1e-9, p.over)))
    p.earlier = p.reports - int(p.share * VALIDATIONS + 1e-9)
    if p.total <= p.step:
        more = f"more than that ({p.total:,} are requested)"
        raise HeloError(f"{p.step:,} steps are done already", expected=more, where=training.path)
    training.save()
    if training.machine.writes:
        about |= {"training": asdict(o), "finished": False}
        folder.write_json(training.path / "run.json", about)
        config.write(training.path, about)


def _reload(request: Request, path: Path, about: dict[str, Any]) -> tuple[Task, Options]:
    """The options of a run that goes on, and its data, which must be what they were."""
    task_options, options = _options(request, path, about)
    run = Run(path, True, request.given.get("cell"), request.task)  # whose cell was looked at
    run.task  # noqa: B018  whatever is damaged is said by its file
    data = run.recorded(request.files)
    files, tail = request.files or data["train"], isinstance(data["valid"], str)
    valid = request.valid or ([] if tail else data["valid"])
    if not files or not (tail or valid):
        raise HeloError("the run's data came from Python", mend="give the same data again", where=path)
    vocabulary = folder.read_json(folder.inside(path, "vocab.json"))
    task = request.kind.read(files, valid, task_options, path, vocabulary)
    if task.to_json()[0]["fingerprint"] != data["fingerprint"]:
        raise HeloError(
            "the data has changed since the run started",
            mend=f"start a new run, from these weights with --start {path}",
            where=path,
        )
    task.scoring = task.scoring.choose(options.metric)
    return task, options


def _options(request: Request, path: Path, about: dict[str, Any]) -> tuple[Any, Options]:
    """The options of a run that goes on. What is given again must be what it was, but for how it is saved, and how long a
    finished one goes on.
    """
    kind, given = request.kind, dict(request.given)
    if not registry.same(request.task, about["task"]):
        raise HeloError(f"a run of {about['task']}", expected=f"one of {request.task}", where=path)
    run = request.run(path)
    cell, metric = run.cell, run.metric(given.get("metric"))
    before = about["options"] | {"metric": None} | about["training"]
    readers.vouched(before.get("reader"), str(path), request.trust)
    if "cell" in given:
        given["cell"] = before["cell"]  # the same, as `Run.cell` found
    if metric is not None and before["metric"] is not None:
        given["metric"] = before["metric"]
    now = {k: v for part in map(asdict, split_options(kind, given)) for k, v in part.items()}
    free = {"save_seconds", "tensorboard", "device"} | (BUDGETS if about.get("finished") else set())
    for name in given:
        if name in before and name not in free | kind.Options.paths and before[name] != now[name]:
            raise HeloError(
                f"{flag(name)} {now[name]}", expected=f"{flag(name)} {before[name]}, as at the start of the run",
                mend="omit it to continue, or start a new run", where=path,
            )  # fmt: skip
    with place(path / "run.json"), wrap(ValueError, "damaged:", mend=folder.COPY):
        task_options, training = split_options(
            kind, before | recorded(Options, about["training"]) | {"cell": cell, "metric": metric}
        )
    task_options = replace(task_options, **{k: v for k, v in given.items() if k in kind.Options.paths})
    changed = {k: v for k, v in given.items() if k in free}
    if about.get("finished") and BUDGETS & set(given):
        changed = dict.fromkeys(BUDGETS) | changed
    return task_options, replace(training, **changed)
