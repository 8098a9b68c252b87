"""The one way from files to a run folder."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helo import cells, drawing, encoders, progress, tasks
from helo.data.readers.files import listed
from helo.errors import HeloError, door, nearest
from helo.runs import Run, folder
from helo.tasks.base import Budget, Task
from helo.training.options import Options, checked
from helo.training.report import Reporter, Silent

BUDGETS = {"minutes", "epochs", "steps"}  # one of them is given

if TYPE_CHECKING:  # these import torch
    from helo.training.checkpoint import Progress
    from helo.training.loop import Training
    from helo.training.machine import Machine

__all__ = ["Interrupted", "Options", "dynamic_evaluation", "free_place", "train"]


@door
def dynamic_evaluation(run: Run, files: str | Path | Sequence[str | Path] = ()) -> dict[str, Any]:
    """Figures of a run whose weights go on learning from text already scored: `helo.training.dynamic`."""
    try:
        from helo.training import dynamic
    except ImportError as error:
        raise HeloError(
            "dynamic evaluation learns, and learning needs torch", mend="pip install 'helo[train]'"
        ) from error
    if run.about["task"] != "lm":
        raise HeloError(f"a model of the shape {run.about['task']}", expected="a language model", where=str(run.path))
    return dynamic.dynamic_evaluation(run, listed(files))


USEFUL = 0.75  # of a step's time goes into the products that are counted; measured with an LSTM of 256


class Interrupted(KeyboardInterrupt):
    """Training was stopped from outside; everything is saved in `path`, at `step`."""

    def __init__(self, path: Path, step: int):
        super().__init__(f"stopped at step {step:,} and saved in {path}; the same command with --resume goes on")
        self.path, self.step = path, step


@door
def train(
    task: str,
    files: str | Path | Sequence[str | Path],
    valid: str | Path | Sequence[str | Path] = (),
    out: str | Path | None = None,
    *,
    like: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Train a model on files and give its run.

    task: "lm", …. files, valid: paths, folders, globs. out: the run folder, `runs/NAME` if None, never one that
    exists unless `overwrite`, or `resume`, which goes on exactly where the run was stopped. like: another run, whose
    options are taken where none is given. options: of the task and of the training (`helo train lm --help`).
    Raises HeloError for input that cannot be trained on, Interrupted after Ctrl-C or SIGTERM, saved.
    """
    started = time.monotonic()
    kind = tasks.find(task)
    files, valid = listed(files), listed(valid)
    given: dict[str, Any] = {k: v for k, v in options.items() if v is not None and not (isinstance(v, tuple) and not v)}
    if not isinstance(resume, bool) or not isinstance(overwrite, bool):
        raise TypeError("resume and overwrite are True or False")
    for name in ("cell", "encoder", "start"):
        if name in given and not isinstance(given[name], str | Path):
            raise TypeError(f"{name}={given[name]!r:.80} is no text")
    if "cell" in given:
        given["cell"] = cells.located(str(given["cell"]))
    if "encoder" in given:
        given["encoder"] = encoders.located(str(given["encoder"]))
    if given.get("start") is not None:
        given["start"] = str(Path(given["start"]).absolute())
        like = given["start"] if like is None else like
    path = _place(out, files)
    if like is not None and not (resume and (path / "run.json").exists()):
        about = folder.describe(Path(like))
        if "start" in given and about["task"] != task:
            raise HeloError(f"a run of {about['task']}", expected=f"one of {task}", where=f"--start {like}")
        theirs = _options_of(about)
        if not {str(Path(f).absolute()) for f in files} & set(about["data"]["train"]):
            theirs = {k: v for k, v in theirs.items() if k not in kind.places}  # they are of those other files
        if BUDGETS & set(given):
            theirs = {k: v for k, v in theirs.items() if k not in BUDGETS}
        if "start" in given:  # what was learned is not to be unlearned
            theirs |= {k: theirs[k] / 10 for k in ("rate", "adam_rate") if k in theirs}
        given = {k: v for k, v in theirs.items() if k != "start"} | given
    task_options, training_options = _parted(kind, given)
    try:
        from helo.training import before
        from helo.training.machine import Machine
    except ImportError as error:
        raise HeloError("training needs torch", mend="pip install 'helo[train]'") from error
    before.fits(task_options)
    before.keeps(task_options)
    if training_options.tensorboard:
        try:
            import torch.utils.tensorboard.writer  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError as error:
            raise HeloError("--tensorboard needs its package", mend="pip install 'helo[tensorboard]'") from error

    machine = Machine.here(training_options)
    reporter = reporter if reporter is not None and machine.writes else Silent()
    request = _Request(kind, files, valid, path, task_options, training_options, given, resume, overwrite)
    try:
        with _signals() as stopping, progress.listening(reporter.work):
            return _train(request, machine, reporter, started, stopping)
    finally:
        reporter.close()
        machine.leave()


@dataclass(frozen=True)
class _Request:
    """What a person asks for. given: the options that were said, and not only meant by default."""

    kind: type[Task]
    files: list[str | Path]
    valid: list[str | Path]
    path: Path
    task_options: Any
    options: Options
    given: dict[str, Any]
    resume: bool
    overwrite: bool


def _train(request: _Request, machine: Machine, reporter: Reporter, started: float, stopping: list[Any]) -> Run:
    """Read, settle, train, finish; or go on with a run that was stopped."""
    from helo.training.loop import Training

    r, path = request, request.path
    about = folder.describe(path) if r.resume and (path / "run.json").exists() else None
    if about is not None and about.get("finished"):
        reporter.say(f"{path} is finished")
        return Run(path)
    task, options = _begun(r, machine) if about is None else _taken_up(r, about)
    training = Training(task, path, options, machine, reporter, started + task.kept_seconds)
    stopping.append(training)
    if about is not None and training.resume():
        reporter.say(f"going on from step {training.progress.step:,} of {path}")
    elif options.start is not None:
        training.begin_with(folder.read_arrays(Path(options.start) / "weights.safetensors")[0])
    if about is None:
        _write_start(training)
    reporter.say(_introduction(training))
    end = training.run()
    if training.stop and (end.total is None or end.step < end.total):
        raise Interrupted(path, end.step)
    if machine.writes:
        _finish(path, task, end)
    machine.agreed(None)  # nobody leaves before the run is whole
    return Run(path)


def _begun(r: _Request, machine: Machine) -> tuple[Task, Options]:
    """A new run: its folder, its data, its sizes."""
    if machine.writes:
        _make_room(r.path, r.overwrite)
    machine.agreed(None)  # the folder is there
    try:
        saved = None if r.options.start is None else folder.read_json(Path(r.options.start) / "vocab.json")
        task = r.kind.read(r.files, r.valid, r.task_options, r.path, saved)
    except BaseException:
        if machine.writes:
            with suppress(OSError):
                r.path.rmdir()  # it is as it was before, if nothing lies in it
        raise
    task.settle(machine.agreed(Budget(_products(r.options, machine), r.options.steps, r.options.epochs)))
    return task, r.options


def _taken_up(r: _Request, about: dict[str, Any]) -> tuple[Task, Options]:
    """A run that goes on: its options and its data, which must be what they were."""
    task_options, options = _recorded(r.kind, about, r.given, r.path)
    data = about["data"]
    files = r.files or data["train"]
    valid = r.valid or ([] if isinstance(data["valid"], str) else data["valid"])
    task = r.kind.read(files, valid, task_options, r.path, folder.read_json(r.path / "vocab.json"))
    if task.to_json()[0]["fingerprint"] != data["fingerprint"]:
        raise HeloError("the data has changed since the run began", mend="start a new run", where=str(r.path))
    return task, options


def _write_start(training: Training) -> None:
    """What is known of a run before its first step."""
    if not training.machine.writes:
        return
    task, path = training.task, training.path
    data, vocab = task.to_json()
    folder.clear(path)
    folder.write_json(path / "vocab.json", vocab)
    folder.write_json(path / "run.json", {
        "format": folder.FORMAT, "helo": version("helo"), "task": _name(type(task)), "cell": task.options.cell,
        "parameters": training.size, "options": asdict(task.options), "training": asdict(training.options),
        "data": data, "figures": {}, "steps": 0, "seconds": 0.0, "finished": False,
    })  # fmt: skip
    with folder.replacing(path / "metrics.jsonl"):
        pass


def _finish(path: Path, task: Task, end: Progress) -> None:
    """The figures of the best weights on the validation data, the picture, the page."""
    from helo.training import checkpoint

    weights = folder.read_arrays(path / "weights.safetensors")[0]
    figures = task.validate(weights)
    about = folder.read_json(path / "run.json")
    figures.pop("loss", None)
    about |= {"figures": figures, "steps": end.step, "seconds": round(end.seconds, 2), "finished": True}
    folder.write_json(path / "run.json", about)
    reports = checkpoint.metrics(path / "metrics.jsonl")
    drawing.loss(path / "loss.png", reports, f"{about['task']}, {task.body}", task.unit.removesuffix("s"))
    folder.write_page(path, about | {"cell": task.body}, task.verb, task.reported(weights, about["data"], path))


def _introduction(training: Training) -> str:
    """What is about to be trained, in a line."""
    task = training.task
    precision = str(training.machine.precision).removeprefix("torch.")
    return (
        f"{_name(type(task))}: {task.describe()}; {training.size:,} parameters; {training.machine.device}, {precision}"
    )


def _products(options: Options, machine: Machine) -> float | None:
    """How many products the time given is worth on this machine; None where steps or epochs are given."""
    if options.steps is not None or options.epochs is not None:
        return None
    from helo.training.machine import products_per_second

    return 60 * (options.minutes or 2.0) * USEFUL * products_per_second(machine)


def _name(kind: type) -> str:
    return kind.__module__.rpartition(".")[2]


def _parted(kind: type[Task], given: dict[str, Any]) -> tuple[Any, Options]:
    """Options as the task's and the training's. Raises HeloError, naming the nearest, for one that neither has."""
    own, training = ({f.name for f in fields(k)} for k in (kind.Options, Options))
    for name in given:
        if name not in own | training:
            raise HeloError(f"no option {name!r}", mend=nearest(name, own | training))
    return (
        checked(kind.Options(**{k: v for k, v in given.items() if k in own})),
        Options(**dict(kind.training) | {k: v for k, v in given.items() if k in training}),
    )


def _options_of(about: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (about["options"] | about["training"]).items() if v is not None}


def _recorded(kind: type[Task], about: dict[str, Any], given: dict[str, Any], path: Path) -> tuple[Any, Options]:
    """The options of a run that goes on. What is given again must be what it was, but for how it is saved."""
    recorded = about["options"] | about["training"]
    asked = {k: v for part in map(asdict, _parted(kind, given)) for k, v in part.items()}
    free = {"save_seconds", "tensorboard", "device"}
    for name in given:
        value = asked[name]
        if name in recorded and name not in free | kind.places and recorded[name] != value:
            flag = "--" + name.replace("_", "-")
            raise HeloError(
                f"{flag} {value}", expected=f"{flag} {recorded[name]}, as the run began",
                mend="leave it out to go on, or start a new run", where=str(path),
            )  # fmt: skip
    task_options, training = _parted(kind, recorded)
    task_options = replace(task_options, **{k: v for k, v in given.items() if k in kind.places})
    return task_options, replace(training, **{k: v for k, v in given.items() if k in free})


def _place(out: str | Path | None, files: list[str | Path]) -> Path:
    """The run folder that is meant: the one named, or a free one named after the first file."""
    if out is not None:
        return Path(out)
    first = Path(str(files[0])) if files else Path("run")
    return free_place(re.sub(r"[^\w.-]+", "-", first.name.removesuffix(".gz").rsplit(".", 1)[0]).strip("-.") or "run")


def free_place(name: str) -> Path:
    """The first free of runs/NAME, runs/NAME-2, …."""
    path, n = Path("runs") / name, 2
    while path.exists():
        path, n = Path("runs") / f"{name}-{n}", n + 1
    return path


def _make_room(path: Path, overwrite: bool) -> None:
    """A folder for a run. What it would replace is refused unless that is asked for, and taken away only when the text
    has been read.
    """
    if path.exists() and not path.is_dir():
        raise HeloError("a file of that name stands there", expected="a folder or nothing", where=str(path))
    # A start that was cut short leaves vocab.json alone.
    found = [name for name in folder.NAMES if (path / name).exists() and name != "vocab.json"]
    if found and not overwrite:
        raise HeloError(
            "there is a run already" if "run.json" in found else f"{found[0]} stands there, and a run has its own",
            mend="--resume goes on with it, --overwrite replaces it, --out names another",
            where=str(path),
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HeloError(
            f"cannot be written: {error.strerror}", mend="--out names another folder", where=str(path)
        ) from error


@contextmanager
def _signals() -> Iterator[list[Any]]:
    """Ctrl-C and SIGTERM ask the training to save and end; a second one ends it at once. Yields the list into which
    the training is put when there is one.
    """
    box: list[Any] = []
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked or not box:
            raise KeyboardInterrupt
        asked = True
        box[0].stop = True

    if threading.current_thread() is not threading.main_thread():
        yield box
        return
    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield box
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
