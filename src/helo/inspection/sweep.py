"""Many trainings with other options each, to find good ones. Optuna chooses them, ends hopeless ones and remembers all."""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helo import metrics, tasks
from helo.data import dataset
from helo.errors import HeloError, door, wrap
from helo.inspection import space as spaces
from helo.inspection.several import Bar, Stopped, reusable
from helo.metrics import LOSS, REPORTED
from helo.options import flag, spelled
from helo.runs import Run, folder, writer
from helo.saved import as_figure
from helo.training import Interrupted, free_place, train
from helo.training.report import reporter as shown_by

TRIALS, MOST = 20, 100_000
FIRST = 5  # trials that are not ended early, by which the others are judged
WARM = 2  # validations of each before it may be ended
STUDY = "study.db"
# What is said where another one makes the tables of a storage; and where the statement and the link begin that nobody wants to read.
_AT_ONCE = re.compile("unique|already exists|duplicate|locked|no such table", re.IGNORECASE)
_DETAILS = re.compile(r"\[SQL|\(Background")
RUN, FIGURE = "run", "figure"  # what a trial remembers: its folder, and what its value is
SWEEP = "sweep"  # what a study remembers: what all its trials have in common
# Options that may differ from trial to trial.
ANYWHERE = frozenset(("device", "precision", "save_seconds", "tensorboard", "samples", "seed"))
TRIES = 6  # to open a storage: of those who begin at once, one makes its tables
PAUSE = 0.1  # seconds between them, doubled each time


@door
def sweep(
    task: str,
    files: Any = (),
    valid: Any = (),
    out: str | Path | None = None,
    *,
    vary: Mapping[str, Any] | Sequence[str] = (),
    trials: int = TRIALS,
    storage: str | None = None,
    prune: bool = True,
    quiet: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Train a model so many times, each with other options, and say which was best.

    out: a folder in which each trial has its run, `trial-N`; the same again goes on where it was stopped. vary: options and their values,
    (low, high) or a list; without it the learning rates and dropout vary. storage: Optuna's, a URL of a database or the name of a file; by default
    a file in `out`. Those who share it, on several machines, share the trials: `trials` is how many there are in all. prune: end a trial whose
    validation is worse than the median of the others at that point. task, files, valid, options: as for `helo.train`, minutes, epochs and
    steps of each trial.

    Returns a dict: `figure`, by which trials are compared; `higher_is_better`; `trials`, best first, each with number, state (complete, pruned
    or failed), value, options, seconds and run; `best`, the first of them; `storage`. Raises HeloError for bad input, and Interrupted after Ctrl-C.
    """
    with wrap(ImportError, "a sweep needs optuna", mend="pip install 'helo[sweep]'"):
        import optuna
    if isinstance(trials, bool) or not isinstance(trials, int) or not 1 <= trials <= MOST:
        raise HeloError(f"{trials}", expected=f"1 to {MOST:,}", where="--trials")
    kind = tasks.find(task)
    space = spaces.space(kind, vary) or spaces.usual(kind)
    if both := [n for n in space if n in options]:
        raise HeloError(f"both {flag(both[0])} and --vary {both[0]}", expected="one of them")
    files, valid = reusable(files), reusable(valid)
    less = metrics.lower_is_better([options["metric"]] if options.get("metric") else ()) | {LOSS}
    home = Path(out) if out is not None else free_place("sweep")
    if folder.is_run(home):
        raise HeloError(
            "a run is there already", expected="a folder of the trials' own", mend="give another --out", where=home
        )
    said = {
        "task": task,
        "vary": sorted(f"{n} {v}" for n, v in space.items()),
        "options": sorted(f"{n} {spelled(v)}" for n, v in options.items() if n not in ANYWHERE and v is not None),
        "data": [_digest(files), _digest(valid)],
    }
    study = _study(home, storage, options.get("seed"), prune)
    _same(study, said, storage or home)
    bar = shown_by(quiet)
    try:
        while (trial := _next(study, space, trials, home)) is not None:
            path = home / Path(trial.user_attrs[RUN]).name
            told = _Trial(bar, f"trial {trial.number}: {_said(trial.params)}", trial, study, less)
            try:
                run = train(task, files, valid, path, resume=True, quiet=True, reporter=told, **options | trial.params)
            except Interrupted as stopped:
                raise Stopped(stopped.path, stopped.step) from None
            except _Hopeless:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                bar.say(f"{told.name}: ended early")
            except HeloError as error:
                if writer.free(path):  # or another one went on with it in this moment
                    _failed(study, trial, home, error)
                    bar.say(f"{told.name}: failed: {error}")
            else:
                bar.say(f"{told.name}: {_finished(study, trial, run, less)}")
    finally:
        bar.close()
    return _found(study, less, storage or str(home / STUDY))


def _finished(study: Any, trial: Any, run: Run, less: frozenset[str]) -> str:
    """Tells Optuna what a trial was worth; the same in words."""
    from optuna.trial import TrialState

    figure = _named(folder.metrics(folder.inside(run.path, "metrics.jsonl"))[-1])
    value = _value(run.figures, figure, run.path)
    trial.set_user_attr(FIGURE, figure)
    if math.isfinite(value):
        study.tell(trial, value if figure in less else -value)
    else:
        study.tell(trial, state=TrialState.FAIL)
    return f"{figure.replace('_', ' ')} {as_figure(value)}, {run.about['seconds']:,.0f} s"


def _failed(study: Any, trial: Any, home: Path, error: HeloError) -> None:
    """Raises the error where no trial has been whole yet: whatever is wrong, it is not this one's options alone. Nothing of the
    sweep stays then, where it was the first.
    """
    from optuna.trial import TrialState

    study.tell(trial, state=TrialState.FAIL)
    every = study.get_trials(deepcopy=False)
    if any(t.state == TrialState.COMPLETE for t in every):
        return
    if len(every) == 1 and home.is_dir() and [p.name for p in home.iterdir()] == [STUDY]:
        (home / STUDY).unlink()
        home.rmdir()
    raise error


class _Hopeless(Exception):
    """A trial that is worse than the others were by then."""


class _Trial(Bar):
    """Tells Optuna of each validation. less: figures of which less is better."""

    def __init__(self, shown: Any, name: str, trial: Any, study: Any, less: frozenset[str]):
        super().__init__(shown, name)
        self.trial, self.less = trial, less
        self.before = len(study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def report(self, report: dict[str, Any]) -> None:
        figure = _named(report)
        value = report["valid"] if figure == LOSS else report[figure]
        if isinstance(value, int | float) and math.isfinite(value):
            self.trial.report(float(value if figure in self.less else -value), self.before)
            self.before += 1
            if self.trial.should_prune():
                raise _Hopeless


def _study(home: Path, storage: str | None, seed: int | None, prune: bool) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if storage is None:
            home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder.unwritten(home, error) from error
    place = storage or str(home / STUDY)
    url = place if "://" in place else f"sqlite:///{os.path.abspath(place)}"
    pruner = optuna.pruners.MedianPruner(FIRST, WARM) if prune else optuna.pruners.NopPruner()
    study = _opened(url, pruner, place)
    drawn = len(study.get_trials(deepcopy=False))
    # Who goes on, and who shares the storage, does not draw the same again.
    entropy = [seed or 0, drawn, os.getpid() if storage else 0]
    study.sampler = optuna.samplers.TPESampler(
        seed=int(np.random.default_rng(entropy).integers(2**31)), constant_liar=True
    )
    if [d.name for d in study.directions] != ["MINIMIZE"]:
        raise HeloError("a study of something else", mend="name another file or database", where=place)
    return study


def _opened(url: str, pruner: Any, place: str) -> Any:
    import optuna

    for left in reversed(range(TRIES)):
        try:
            return optuna.create_study(storage=url, study_name="helo", load_if_exists=True, pruner=pruner)
        except Exception as error:  # SQLAlchemy's, Optuna's, the database's own
            said = str(error.__cause__ or error)
            if not left or not _AT_ONCE.search(said):
                found = f"cannot be used as Optuna's storage: {_DETAILS.split(said)[0].strip()}"
                raise HeloError(found, mend="name a file, or a URL such as sqlite:///study.db", where=place) from error
            time.sleep(PAUSE * 2 ** (TRIES - left))
    return None


def _same(study: Any, said: dict[str, Any], where: Any) -> None:
    """Trials of one study are of one task and of the same data, and the same options vary and are given, or they could not be compared.
    Raises HeloError.
    """
    before = study.user_attrs.get(SWEEP)
    if before is None:
        study.set_user_attr(SWEEP, said)
        return
    mend = "give another --out or --storage"
    if any(before[n] != said[n] for n in ("task", "vary")):
        raise HeloError(f"a sweep of {before['task']} over {', '.join(before['vary'])}", expected="the same task and --vary",
                        mend=mend, where=where)  # fmt: skip
    if before.get("data", said["data"]) != said["data"]:
        raise HeloError(
            "a sweep with other data", expected="the same files, and the same --valid", mend=mend, where=where
        )
    own = set(before.get("options", said["options"]))
    if differ := sorted(own ^ set(said["options"])):
        found = f"a sweep with{'' if differ[0] in own else 'out'} {flag(differ[0].partition(' ')[0])} {differ[0].partition(' ')[2]}"
        raise HeloError(found, expected="the same options", mend=mend, where=where)


def _digest(data: Sequence[Any]) -> str:
    """What tells files from others, wherever they lie: what is in them, and in folders also how they are called. Of data from Python
    nothing is said.
    """
    every = [
        (p, one)
        for one in map(Path, (x for x in data if isinstance(x, str | Path)))
        for p in sorted([one, *one.rglob("*")])
        if p.is_file()
    ]
    names = "\0".join(path.relative_to(one).as_posix() for path, one in every)
    return f"{dataset.fingerprint([path for path, _ in every])}-{hashlib.sha256(names.encode()).hexdigest()[:16]}"


def _next(study: Any, space: spaces.Space, trials: int, home: Path) -> Any:
    """The next trial: one that was stopped here, or a new one; None when there were enough."""
    import optuna

    every, state = study.get_trials(deepcopy=False), optuna.trial.TrialState
    there = [t for t in every if t.state == state.RUNNING and Path(t.user_attrs.get(RUN, "")).parent == home.absolute()]
    for frozen in there:
        if writer.free(Path(frozen.user_attrs[RUN])):
            return optuna.trial.Trial(study, frozen._trial_id)
    if sum(t.state in (state.COMPLETE, state.PRUNED, state.RUNNING) for t in every) >= trials:
        return None
    if sum(t.state == state.FAIL for t in every) > trials:
        raise HeloError(f"{trials} trials failed", mend="vary other options", where="--vary")
    trial = study.ask({name: _distribution(values) for name, values in space.items()})
    trial.set_user_attr(RUN, str(home.absolute() / f"trial-{trial.number}"))
    return trial


def _distribution(values: spaces.Range | list[Any]) -> Any:
    from optuna import distributions as d

    if isinstance(values, list):
        return d.CategoricalDistribution(values)
    low, high = values
    log = low > 0 and high / low >= spaces.WIDE
    if isinstance(low, int) and isinstance(high, int):
        return d.IntDistribution(low, high, log=log)
    return d.FloatDistribution(low, high, log=log)


def _named(report: Mapping[str, Any]) -> str:
    """The figure by which weights are kept, as a report of a training names it."""
    return next((k for k in report if k not in REPORTED), LOSS)


def _value(figures: Mapping[str, Any], figure: str, path: Path) -> float:
    """What a run is worth: its figure, or the least loss of a validation."""
    if figure != LOSS and isinstance(value := figures.get(figure), int | float):
        return float(value)
    reports = folder.metrics(folder.inside(path, "metrics.jsonl"))
    return min((float(r["valid"]) for r in reports if isinstance(r.get("valid"), int | float)), default=math.nan)


def _found(study: Any, less: frozenset[str], storage: str) -> dict[str, Any]:
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    every = sorted(
        study.get_trials(deepcopy=False),
        key=lambda t: (t.state.name != "COMPLETE", t.value if t.state.name == "COMPLETE" else 0),
    )
    figure = next((t.user_attrs[FIGURE] for t in every if FIGURE in t.user_attrs), LOSS)
    rows = [
        {
            "number": t.number, "state": names.get(t.state.name, "running"),
            "value": t.value if t.value is None or figure in less else -t.value, "options": t.params,
            "seconds": t.duration.total_seconds() if t.duration else 0.0, "run": _near(t.user_attrs.get(RUN, "")),
        }
        for t in every
    ]  # fmt: skip
    best = rows[0] if rows and rows[0]["state"] == "complete" else None
    return {"figure": figure, "higher_is_better": figure not in less, "trials": rows, "best": best, "storage": storage}


def _near(run: str) -> str:
    """A run's path as it is typed here."""
    return os.path.relpath(run) if run and Path(run).is_relative_to(Path.cwd()) else run


def _said(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {spelled(v)}" for k, v in params.items())


def table(found: Mapping[str, Any], most: int = 10) -> str:
    """The best trials, for a terminal."""
    done = [t for t in found["trials"] if t["state"] == "complete"]
    names = list(dict.fromkeys(n for t in done for n in t["options"]))
    head = ["trial", found["figure"].replace("_", " "), *(n.replace("_", " ") for n in names), "seconds"]
    rows = [
        [str(t["number"]), as_figure(t["value"]), *(_short(t["options"].get(n)) for n in names), f"{t['seconds']:,.0f}"]
        for t in done[:most]
    ]
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in [head, *rows]]
    counts = {s: sum(t["state"] == s for t in found["trials"]) for s in ("complete", "pruned", "failed", "running")}
    said = ", ".join(f"{n} {s}" for s, n in counts.items() if n)
    return "\n".join([*lines, "", f"{said}; the best first{f', {most} of {len(done)}' if len(done) > most else ''}"])


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else spelled(value)
