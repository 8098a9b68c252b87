"""The one way from files to a run folder.

request.py      what a person asks for
session.py      where it is trained: the machine, the folder that is held, what a signal stops
begin.py        a new run: its data, its sizes, its folder
resume.py       a run that goes on where it was stopped, or further than its end
step.py         one step
loop.py         all of them
validation.py   figures, now and then and at the end
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helo.data.readers import given
from helo.errors import HeloError, door, holding_warnings, wrap
from helo.models.language_model import LanguageModel
from helo.progress import unbroken
from helo.runs import Run
from helo.training.options import Options
from helo.training.report import Reporter, Several
from helo.training.report import reporter as shown_by
from helo.training.request import Request, free_place

__all__ = ["Interrupted", "Options", "Reporter", "dynamic_evaluation", "free_place", "train"]


@door
def dynamic_evaluation(run: Run, files: Any = ()) -> dict[str, Any]:
    """Figures of a run whose weights keep learning from text that was already scored: `helo.training.dynamic`."""
    with wrap(ImportError, "dynamic evaluation trains the model, which needs torch", mend="pip install 'helo[train]'"):
        from helo.training import dynamic
    if not isinstance(run.task.model, LanguageModel):
        raise HeloError(f"a model of the task {run.about['task']}", expected="a language model", where=run.path)
    return dynamic.dynamic_evaluation(run, given.settled(files))


class Interrupted(KeyboardInterrupt):
    """Training was stopped from outside; everything is saved in `path`, at `step`."""

    def __init__(self, path: Path, step: int):
        super().__init__(f"stopped at step {step:,} and saved to {path}; the same command with --resume continues")
        self.path, self.step = path, step


@door
def train(
    task: str,
    files: Any = (),
    valid: Any = (),
    out: str | Path | None = None,
    *,
    like: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    trust: bool = False,
    config: str | Path | None = None,
    reporter: Reporter | Sequence[Reporter] = (),
    quiet: bool = False,
    page: bool = True,
    **options: Any,
) -> Run:
    """Train a model on files or data and return its run.

    task: "lm", …. files, valid: paths, folders, globs; or data in their place: a DataFrame, a dict of columns, a list of dicts,
    (inputs, labels) or a list of such pairs. out: the run folder, `runs/NAME` if None; an existing one only
    with `overwrite`, or with `resume`, which continues exactly where the run was stopped, or trains a finished run for
    more steps, epochs or minutes. like: another run, whose options are used except those given. trust: allow a cell or metric
    that a run folder names by its file. config: a `config.toml`, whose files and options are used except those given.
    reporter: one or several `helo.training.Reporter` that are told how it goes. quiet: nothing is shown of it.
    page: write the run's README.md and its pictures too, which takes a second or two.
    options: of the task and of the training (`helo train lm --help`).
    Raises HeloError for bad input, and Interrupted after Ctrl-C, SIGTERM or SIGHUP, once the run is saved.
    """
    started = time.monotonic()
    if not isinstance(reporter, Reporter | Sequence):
        raise TypeError(f"reporter={reporter!r:.80} is no helo.training.Reporter")
    told = [reporter] if isinstance(reporter, Reporter) else list(reporter)
    shown = Several([shown_by(quiet), *told]) if told else shown_by(quiet)
    request = Request(task, files, valid, out, like, config, resume, overwrite, trust, options)
    _load_torch()
    from helo.training.begin import begin
    from helo.training.resume import find, go_on, is_over
    from helo.training.session import opened
    from helo.training.validation import finish

    with opened(request, shown, started) as session:
        with session.machine.alike():
            about = find(request, session.path)
            over = about is not None and is_over(request, session.path, about)
        if over:
            session.reporter.say(f"{session.path} is finished")
            return request.run(session.path)
        with holding_warnings():
            training = begin(request, session) if about is None else go_on(request, session, about)
        session.reporter.say(f"{task}: {training.describe()}")
        end = training.run()
        session.machine.leave()  # what is left to do the first process does alone, and nobody waits for it
        if end.total is None or end.step < end.total:
            raise Interrupted(session.path, end.step) if session.machine.writes else session.machine.silent(130)
        if session.machine.writes:
            session.training = None  # all is saved, and figures can take minutes: a signal ends them at once
            try:
                finish(training, end, page)
            except KeyboardInterrupt:
                raise Interrupted(session.path, end.step) from None
        return Run(session.path, trust=True)


SPINS = "10000"  # half a millisecond; by itself GOMP spins for 16, which a thread that lost its core never makes up for


def _load_torch() -> None:
    """Threads that wait for each other soon sleep, where nothing else is said and torch's OpenMP is not yet there."""
    if "torch" not in sys.modules and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPINS
    with wrap(ImportError, "training needs torch", mend="pip install 'helo[train]'"), unbroken():
        import torch  # noqa: F401  # pyright: ignore[reportUnusedImport]
