"""The one way from files to a run folder."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helo import cells, drawing, encoders, metrics, progress, registry, reports, tasks
from helo.data import readers
from helo.data.readers import table
from helo.data.readers.files import listed
from helo.errors import HeloError, door, nearest, place
from helo.models.language_model import LanguageModel
from helo.options import build, renamed
from helo.options import recorded as typed
from helo.runs import Run, folder
from helo.tasks.base import Budget, Task
from helo.training.options import Options
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
    if not isinstance(run.task.model, LanguageModel):
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
    trust: bool = False,
    reporter: Reporter | None = None,
    **options: Any,
) -> Run:
    """Train a model on files and give its run.

    task: "lm", …. files, valid: paths, folders, globs. out: the run folder, `runs/NAME` if None, never one that
    exists unless `overwrite`, or `resume`, which goes on exactly where the run was stopped, or, where it is finished,
    to more steps, epochs or minutes. like: another run, whose options are taken where none is given. trust: a cell that
    a run folder names by its file may be run. options: of the task and of the training (`helo train lm --help`).
    Raises HeloError for input that cannot be trained on, Interrupted after Ctrl-C, SIGTERM or SIGHUP, saved.
    """
    started = time.monotonic()
    kind = tasks.find(task)
    options = renamed(kind.Options, options)
    files, valid = _listed(files), _listed(valid)
    given: dict[str, Any] = {
        k: v
        for k, v in options.items()
        if v is not None and not (isinstance(v, tuple) and not v and k in kind.Options.paths)
    }
    if not isinstance(resume, bool) or not isinstance(overwrite, bool):
        raise TypeError("resume and overwrite are True or False")
    for name in ("cell", "encoder", "start", "metric"):
        if name in given and not isinstance(given[name], str | Path):
            raise TypeError(f"{name}={given[name]!r:.80} is no text")
    if "cell" in given:
        given["cell"] = registry.located(str(given["cell"]))
        cells.find(given["cell"])
        registry.remember(given["cell"])
    if "metric" in given:
        given["metric"] = registry.located(str(given["metric"]))
        if registry.outside(given["metric"]):
            metrics.find(given["metric"])
        registry.remember(given["metric"])
    if "reader" in given:
        given["reader"] = readers.chosen(given["reader"])
    if valid and {"split", "split_by"} & given.keys():
        raise HeloError("--split and --valid", expected="one of them")
    if "encoder" in given:
        given["encoder"] = encoders.located(str(given["encoder"]))
    if given.get("start") is not None:
        given["start"] = str(Path(given["start"]).absolute())
        like = given["start"] if like is None else like
    if out is not None and not str(out):
        raise HeloError("an empty name", expected="a folder", mend="--out . is the current one", where="--out")
    path = _place(out, files)
    if like is not None and not (resume and folder.inside(path, "run.json").exists()):
        about = folder.describe(Path(like))
        if "cell" not in given:
            registry.vouched(about["cell"], "cell", str(like), trust)
        if "metric" not in given:
            registry.vouched(about["training"].get("metric") or "", "metric", str(like), trust)
        if "start" in given and about["task"] != task:
            raise HeloError(f"a run of {about['task']}", expected=f"one of {task}", where=f"--start {like}")
        theirs = _options_of(about)
        readers.vouched(theirs.get("reader") if "reader" not in given else None, str(like), trust)
        if not {str(Path(f).absolute()) for f in files} & set(about["data"]["train"]):
            theirs = {k: v for k, v in theirs.items() if k not in kind.Options.paths}  # they are of those other files
        if BUDGETS & set(given):
            theirs = {k: v for k, v in theirs.items() if k not in BUDGETS}
        if "start" in given:  # what was learned is not to be unlearned
            theirs |= {k: theirs[k] / 10 for k in ("rate", "adam_rate") if k in theirs}
        given = {k: v for k, v in theirs.items() if k != "start"} | given
    task_options, training_options = _parted(kind, given)
    _patient()
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
    try:
        with (
            _signals() as stopping,
            progress.listening(reporter.work, reporter.say),
            _held(path, files if out is None else None, machine) as path,
        ):
            request = _Request(
                kind, files, valid, path, task_options, training_options, given, resume, overwrite, trust
            )
            return _train(request, machine, reporter, started, stopping)
    finally:
        reporter.close()
        machine.rest()


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
    trust: bool


@contextmanager
def _held(path: Path, files: list[str | Path] | None, machine: Machine) -> Iterator[Path]:
    """The run folder, into which no other training writes meanwhile; all processes wait until the first one has it.
    files: those that it is named after, where it has to be a free one.
    """
    with ExitStack() as stack:
        with machine.alike():
            while machine.writes:
                try:
                    stack.enter_context(folder.held(path, files is not None))
                    break
                except FileExistsError:  # another training took the name at the same moment
                    path = _place(None, files or [])
        yield machine.agreed(path)


def _train(request: _Request, machine: Machine, reporter: Reporter, started: float, stopping: list[Any]) -> Run:
    """Read, settle, train, finish; or go on with a run that was stopped."""
    from helo.training.loop import Training

    r, path = request, request.path
    with machine.alike():
        about = folder.describe(path) if r.resume and os.path.lexists(folder.inside(path, "run.json")) else None
        goes_on = about is None or _goes_on(r, about)
    if not goes_on:
        reporter.say(f"{path} is finished")
        return Run(path, r.trust, r.given.get("cell"))
    replaces = False
    with machine.alike():
        if about is None and machine.writes:
            replaces = _make_room(path, r.overwrite)
    replaces = machine.agreed(replaces)
    task, options = _begun(r, machine) if about is None else _taken_up(r, about, machine)
    with machine.alike():
        training = Training(task, path, options, machine, reporter, started + task.recipe.cached_seconds)
        stopping.append(training)
        if about is None and options.start is not None:
            training.begin_with(Run(options.start, r.trust, r.given.get("cell")).parameters)
        found = about is not None and training.resume()
        reporter.begin(path)
    if about is None:
        _write_start(training, replaces)
    else:
        further = bool(about.get("finished"))
        if further:
            with machine.alike():
                _go_further(training, about)
        if found:
            more = _schedule(training) if further else ""
            reporter.say(f"going on from step {training.progress.step:,} of {path}{more}")
    reporter.say(_introduction(training))
    end = training.run()
    machine.leave()  # what is left to do the first process does alone, and nobody waits for it
    if end.total is None or end.step < end.total:
        raise Interrupted(path, end.step) if machine.writes else machine.silent(130)
    if machine.writes:
        stopping.clear()  # all is saved, and figures can take minutes: a signal ends them at once
        try:
            _finish(training, end)
        except KeyboardInterrupt:
            raise Interrupted(path, end.step) from None
    return Run(path, trust=True)


def _begun(r: _Request, machine: Machine) -> tuple[Task, Options]:
    """A new run: its data, its sizes."""
    with machine.alike():
        saved = None
        if r.options.start is not None:
            saved = folder.read_json(folder.inside(Path(r.options.start), "vocab.json"))
            Run(r.options.start, r.trust, r.given.get("cell")).task  # noqa: B018  whatever is wrong with it is said first
        task = r.kind.read(r.files, r.valid, r.task_options, r.path, saved)
    task.scoring = task.scoring.choose(r.options.metric)
    task.infer_defaults(machine.agreed(_budget(r.options, machine)))
    return task, r.options


def _goes_on(r: _Request, about: dict[str, Any]) -> bool:
    """Whether there is anything to do for a run that is there. Raises HeloError where another is meant, or where its weights
    are there and where its training stood is not: they would be trained over.
    """
    finished = bool(about.get("finished"))
    _recorded(r, about)
    further = finished and _further(r, about) is not None
    if finished and not further:
        if r.files or r.valid:
            _read_again(r, about)  # files that are given again must be the same
        return False
    weights, state = (folder.inside(r.path, name) for name in ("weights.safetensors", folder.STATE))
    if os.path.lexists(weights) and not os.path.lexists(state):
        raise HeloError(
            "no such file, and without it nobody knows where the training stood",
            mend="take it from a whole copy of the run, or begin another with these weights: --start", where=str(state),
        )  # fmt: skip
    return True


def _further(r: _Request, about: dict[str, Any]) -> tuple[str, float] | None:
    """How far a finished run is to go on: "steps", "epochs" or "minutes", and to how many; None: no further. Raises
    HeloError for less than it has had.
    """
    asked = next(((n, float(r.given[n])) for n in sorted(BUDGETS) if n in r.given), None)
    if asked is None:
        return None
    name, value = asked
    had: dict[str, Any] = {"steps": about.get("steps"), "minutes": about.get("seconds", 0) / 60} | {
        n: v for n in BUDGETS if (v := about["training"].get(n)) is not None
    }
    if had.get(name) is not None and value <= had[name]:
        if value < had[name]:
            flag = f"--{name} {r.given[name]}"
            raise HeloError(
                flag,
                expected=f"--{name} {had[name]:g} or more, as the run has had",
                mend="leave it out",
                where=str(r.path),
            )
        return None
    return asked


def _go_further(training: Training, about: dict[str, Any]) -> None:
    """A finished run gets its new end. What decides what follows, the saved training, has it first: a kill in between
    leaves a run that is finished, and the same command does it again.
    """
    from helo.training.minutes import LEAST
    from helo.training.schedule import VALIDATIONS

    p, o = training.progress, training.options
    p.over, p.ending = None, None
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
        raise HeloError(
            f"{p.step:,} steps are made",
            expected=f"more than those ({p.total:,} are asked for)",
            where=str(training.path),
        )
    training.save()
    if training.machine.writes:
        about |= {"training": asdict(o), "finished": False}
        folder.write_json(training.path / "run.json", about)


def _schedule(training: Training) -> str:
    """How far a run goes on that was finished, and how fast it learns from here on."""
    from helo.training.schedule import factor

    p = training.progress
    return f" to {p.total:,}: rates from {factor(p.share):.0%} of their peak down to {factor(1):.0%}"


def _taken_up(r: _Request, about: dict[str, Any], machine: Machine) -> tuple[Task, Options]:
    """A run that goes on, in all processes or in none."""
    with machine.alike():
        taken = _read_again(r, about)
    return taken


def _read_again(r: _Request, about: dict[str, Any]) -> tuple[Task, Options]:
    """A run that goes on: its options and its data, which must be what they were."""
    task_options, options = _recorded(r, about)
    run = Run(r.path, trust=True, cell=r.given.get("cell"))  # whose cell was looked at
    run.task  # noqa: B018  whatever is damaged is said by its file
    data = run._recorded(r.files)
    files = r.files or data["train"]
    valid = r.valid or ([] if isinstance(data["valid"], str) else data["valid"])
    saved = folder.read_json(folder.inside(r.path, "vocab.json"))
    task = r.kind.read(files, valid, task_options, r.path, saved)
    if task.to_json()[0]["fingerprint"] != data["fingerprint"]:
        raise HeloError("the data has changed since the run began", mend="start a new run", where=str(r.path))
    task.scoring = task.scoring.choose(options.metric)
    return task, options


def _write_start(training: Training, replaces: bool) -> None:
    """What is known of a run before its first step, and where it stands: beside the folder's files, and in their place when
    all is whole. replaces: only when there are weights; until then the run that stands there is not touched.
    """
    task, path = training.task, training.path
    training.home = home = path / folder.NEW
    data, vocab = task.to_json()
    if training.machine.writes:
        folder.write_json(home / "vocab.json", vocab)
        folder.write_json(home / "run.json", {
            "format": folder.FORMAT, "helo": version("helo"), "task": _name(type(task)), "cell": task.options.cell,
            "parameters": training.size, "options": asdict(task.options), "training": asdict(training.options),
            "data": data, "figures": {}, "steps": 0, "seconds": 0.0, "finished": False,
        })  # fmt: skip
        with folder.replacing(home / "metrics.jsonl"):
            pass
    training.save()  # without it a kill after the first report would leave a line of it that is written again
    if not replaces:
        training.arrive()


def _finish(training: Training, end: Progress) -> None:
    """The figures of the best weights on the validation data, the picture, the page."""
    path, task = training.path, training.task
    if training.home != path or not (path / "weights.safetensors").exists():
        raise HeloError("no validation gave a number, and no weights were kept", mend="lower --rate", where=str(path))
    weights = folder.read_arrays(path / "weights.safetensors")[0]
    with training.device.answering(weights) as parameters:
        figures = task.validate(parameters, end.ending)
    if end.ending is not None:
        training.reporter.say(
            f"time for {end.ending:,} of {task.validation_size:,} to validate on; helo eval {path} takes all"
        )
    about = folder.read_json(path / "run.json")
    figures.pop("loss", None)
    metrics, report = folder.metrics(path / "metrics.jsonl"), reports.of(task)
    drawing.loss(path / "loss.png", metrics, f"{about['task']}, {report.body()}", report.unit.removesuffix("s"))
    about |= {"figures": figures, "steps": end.step}
    with training.device.answering(weights) as parameters:
        page = report.write(parameters, about["data"], path, most=end.ending)
    about |= {"seconds": round(training.elapsed(), 2), "finished": True}  # from the command to the figures, all of it
    folder.write_page(path, about | {"cell": report.body()}, report.verb, page)
    folder.write_json(
        path / "run.json", about
    )  # last: who goes on with a run that is not finished makes the rest again


def _introduction(training: Training) -> str:
    """What is about to be trained, in a line."""
    task = training.task
    return (
        f"{_name(type(task))}: {reports.of(task).describe()}; {training.size:,} parameters; {training.machine.device}"
    )


SPINS = "10000"  # half a millisecond; by itself GOMP spins for 16, which a thread that lost its core never makes up for


def _patient() -> None:
    """Threads that wait for each other soon sleep, where nothing else is said and torch's OpenMP is not yet there."""
    if "torch" not in sys.modules and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPINS


def _budget(options: Options, machine: Machine) -> Budget:
    """What is given, or how much the time given is worth on this machine."""
    from helo.engines.device import macs_per_second, symbols_per_second

    if options.steps is not None or options.epochs is not None:
        return Budget(steps=options.steps, epochs=options.epochs)
    seconds = 60 * (options.minutes or 2.0) * USEFUL
    if machine.device.accelerator:
        return Budget(symbols=seconds * symbols_per_second(machine.device))
    return Budget(macs=seconds * macs_per_second(machine.device))


def _name(kind: type) -> str:
    return kind.__module__.rpartition(".")[2]


def _listed(files: Any) -> list[str | Path]:
    if table.given(files):
        raise HeloError("a DataFrame to learn from", expected="files", mend="write it as CSV or JSONL")
    return listed(files)


def _parted(kind: type[Task], given: dict[str, Any]) -> tuple[Any, Options]:
    """Options as the task's and the training's. Raises HeloError, naming the nearest, for one that neither has."""
    own, training = ({f.name for f in fields(k)} for k in (kind.Options, Options))
    for name in given:
        if name not in own | training:
            raise HeloError(f"no option {name!r}", mend=nearest(name, own | training))
    return (
        build(kind.Options, {k: v for k, v in given.items() if k in own}),
        Options(**dict(kind.recipe.options) | {k: v for k, v in given.items() if k in training}),
    )


def _options_of(about: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (about["options"] | about["training"]).items() if v is not None}


def _recorded(r: _Request, about: dict[str, Any]) -> tuple[Any, Options]:
    """The options of a run that goes on. What is given again must be what it was, but for how it is saved, and how long a
    finished one goes on.
    """
    kind, given, path = r.kind, dict(r.given), r.path
    if about["task"] != _name(kind):
        raise HeloError(f"a run of {about['task']}", expected=f"one of {_name(kind)}", where=str(path))
    run = Run(path, r.trust, given.get("cell"))
    cell, metric = run.cell, run.metric(given.get("metric"))
    was = about["options"] | {"metric": None} | about["training"]
    readers.vouched(was.get("reader"), str(path), r.trust)
    if "cell" in given:
        given["cell"] = was["cell"]  # the same, as `Run.cell` found
    if metric is not None and was["metric"] is not None:
        given["metric"] = was["metric"]
    asked = {k: v for part in map(asdict, _parted(kind, given)) for k, v in part.items()}
    free = {"save_seconds", "tensorboard", "device"} | (BUDGETS if about.get("finished") else set())
    for name in given:
        value = asked[name]
        if name in was and name not in free | kind.Options.paths and was[name] != value:
            flag = "--" + name.replace("_", "-")
            raise HeloError(
                f"{flag} {value}", expected=f"{flag} {was[name]}, as the run began",
                mend="leave it out to go on, or start a new run", where=str(path),
            )  # fmt: skip
    with place(path / "run.json"):
        try:
            typed_options = was | typed(Options, about["training"]) | {"cell": cell, "metric": metric}
            task_options, training = _parted(kind, typed_options)
        except ValueError as error:
            raise HeloError(f"damaged: {error}", mend=folder.AGAIN) from error
    task_options = replace(task_options, **{k: v for k, v in given.items() if k in kind.Options.paths})
    changed = {k: v for k, v in given.items() if k in free}
    if about.get("finished") and BUDGETS & set(given):
        changed = dict.fromkeys(BUDGETS) | changed
    return task_options, replace(training, **changed)


def _place(out: str | Path | None, files: list[str | Path]) -> Path:
    """The run folder that is meant: the one named, or a free one named after the first file."""
    if out is not None:
        return Path(out)
    first = Path(str(files[0])) if files else Path("run")
    return free_place(re.sub(r"[^\w.-]+", "-", first.name.removesuffix(".gz").rsplit(".", 1)[0]).strip("-.") or "run")


def free_place(name: str) -> Path:
    """The first free of runs/NAME, runs/NAME-2, …."""
    path, n = Path("runs") / name, 2
    while os.path.lexists(path):  # a link to nowhere is in the way too
        path, n = Path("runs") / f"{name}-{n}", n + 1
    return path


def _make_room(path: Path, overwrite: bool) -> bool:
    """Whether a run stands there that is to be replaced. Raises HeloError where anything of a run's names stands there that
    is not, or is somebody else's.
    """
    with _listing(path):
        found = [name for name in folder.NAMES if os.path.lexists(path / name)]
        anything = any(path.iterdir())
    if overwrite and anything and not folder.is_run(path):
        raise HeloError(
            "the folder is no run", expected="a run, or an empty folder", mend="--out names another", where=str(path)
        )
    if found and not overwrite:
        raise HeloError(
            "there is a run already" if folder.is_run(path) else f"{found[0]} stands there, and a run has its own",
            mend="--resume goes on with it, --overwrite replaces it, --out names another" if folder.is_run(path)
            else "--out names another",
            where=str(path),
        )  # fmt: skip
    return bool(found)


@contextmanager
def _listing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HeloError(
            f"cannot be read: {error.strerror}", mend="--out names another folder", where=str(path)
        ) from error


@contextmanager
def _signals() -> Iterator[list[Any]]:
    """Ctrl-C, SIGTERM and SIGHUP ask the training to save and end; a second one ends it at once. Yields the list into which
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
    before = {s: signal.signal(s, ask) for s in progress.stops()}
    try:
        yield box
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
