"""A new run: room for it, its data and sizes, and its folder before the first step."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from helo.engines.device import macs_per_second, symbols_per_second
from helo.errors import HeloError, wrap
from helo.runs import folder
from helo.tasks.base import Budget, Task
from helo.training import config
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.options import Options
from helo.training.request import Request
from helo.training.session import Session

USEFUL = 0.75  # of a step's time goes into the products that are counted; measured with an LSTM of 256


def begin(request: Request, session: Session) -> Training:
    """A training that stands before its first step, in a run folder that says so."""
    machine, start, replaces = session.machine, request.options.start, False
    with machine.alike():
        if machine.writes:
            replaces = _make_room(session.path, request.overwrite)
    replaces = machine.agreed(replaces)
    with machine.alike():
        task = _read(request, session.path)
    task.scoring = task.scoring.choose(request.options.metric)
    task.infer_defaults(machine.agreed(_budget(request.options, machine)))
    with machine.alike():
        training = session.trains(task, request.options)
        if start is not None:
            training.begin_with(request.run(start).parameters)
        session.reporter.begin(session.path)
    _write(request.task, training, replaces)
    return training


def _read(request: Request, path: Path) -> Task:
    """The task with its data, and with the symbols of the run whose weights it begins with."""
    saved, start = None, request.options.start
    if start is not None:
        saved = folder.read_json(folder.inside(Path(start), "vocab.json"))
        request.run(start).task  # noqa: B018  whatever is wrong with it is said first
        with wrap(ValueError, "no run to start from:", mend="use the options of the run in --start", where=start):
            return request.kind.read(request.files, request.valid, request.task_options, path, saved)
    return request.kind.read(request.files, request.valid, request.task_options, path)


def _budget(options: Options, machine: Machine) -> Budget:
    """What is given, or how much the time given is worth on this machine."""
    if options.steps is not None or options.epochs is not None:
        return Budget(steps=options.steps, epochs=options.epochs)
    seconds = 60 * (options.minutes or 2.0) * USEFUL
    if machine.device.accelerator:
        return Budget(symbols=seconds * symbols_per_second(machine.device))
    return Budget(macs=seconds * macs_per_second(machine.device))


def _make_room(path: Path, overwrite: bool) -> bool:
    """Whether a run stands there that is to be replaced. Raises HeloError where anything of a run's names stands there that
    is not, or is somebody else's.
    """
    with wrap(OSError, "cannot be read:", mend="give another --out", where=path):
        found = [name for name in folder.NAMES if os.path.lexists(path / name)]
        anything = any(path.iterdir())
    if overwrite and anything and not folder.is_run(path):
        raise HeloError(
            "the folder is not a run", expected="a run or an empty folder", mend="give another --out", where=path
        )
    if found and not overwrite:
        raise HeloError(
            "a run exists already" if folder.is_run(path) else f"{found[0]} is in this folder, and a run needs a folder of its own",
            mend="continue it with --resume, replace it with --overwrite, or give another --out" if folder.is_run(path)
            else "give another --out",
            where=path,
        )  # fmt: skip
    return bool(found)


def _write(name: str, training: Training, replaces: bool) -> None:
    """What is known of a run before its first step, and where it stands: beside the folder's files, and in their place when
    all is whole. replaces: only when there are weights; until then the run that stands there is not touched.
    """
    task, path = training.task, training.path
    training.home = home = path / folder.NEW
    data, vocab = task.to_json()
    if training.machine.writes:
        folder.write_json(home / "vocab.json", vocab)
        about = {
            "format": folder.FORMAT, "helo": version("helo"), "task": name, "cell": task.options.cell,
            "parameters": training.size, "options": asdict(task.options), "training": asdict(training.options),
            "data": data, "figures": {}, "steps": 0, "seconds": 0.0, "finished": False,
        }  # fmt: skip
        folder.write_json(home / "run.json", about)
        config.write(home, about)
        with folder.replacing(home / "metrics.jsonl"):
            pass
    training.save()  # without it a kill after the first report would leave a line of it that is written again
    if not replaces:
        training.move_into_place()
