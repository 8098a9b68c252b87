"""What a person asks for: a task, files, a run folder, and the options of both the task and the training."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, fields
from pathlib import Path
from typing import Any

from helo import cells, encoders, metrics, registry, tasks
from helo.data import readers
from helo.data.readers import given as data
from helo.errors import HeloError, nearest
from helo.options import OTHERS, build, renamed
from helo.runs import Run, folder
from helo.tasks.base import Task
from helo.training import config as configs
from helo.training.options import Options

BUDGETS = {"minutes", "epochs", "steps"}  # one of them is given
#: Of `train` itself, beside the options.
ARGUMENTS = {"files", "valid", "out", "like", "resume", "overwrite", "trust", "config", "reporter", "quiet", "page"}


@dataclass
class Request:
    """What `train` was called with. Raises HeloError for options that are none, or of which no run can come.

    out: the run folder; None: a free one named after the files. given: the options that were said, by this person or by
    the run that `like` names, and not only meant by default.
    """

    task: str
    files: Any
    valid: Any
    out: Any
    like: InitVar[str | Path | None]
    config: InitVar[str | Path | None]
    resume: bool
    overwrite: bool
    trust: bool
    given: Mapping[str, Any]

    def __post_init__(self, like: str | Path | None, config: str | Path | None):
        self.task = registry.located(self.task) if isinstance(self.task, str) else self.task
        self.kind = kind = tasks.find(self.task)
        registry.remember(self.task)
        if config is not None:
            self._read(config)
        self.files, self.valid = data.settled(self.files), data.settled(self.valid)
        if not isinstance(self.resume, bool) or not isinstance(self.overwrite, bool):
            raise TypeError("resume and overwrite are True or False")
        if self.resume and self.overwrite:
            raise HeloError("both --resume and --overwrite", expected="one of them")
        given = _given(kind, self.given)
        if self.valid and {"split", "split_by"} & given.keys():
            raise HeloError("both --split and --valid", expected="one of them")
        if self.out is not None and not str(self.out):
            raise HeloError("an empty name", expected="a folder", mend="--out . is the current folder", where="--out")
        self.out = out = None if self.out is None else Path(self.out)
        like = given.get("start") if like is None else like
        if like is not None and not (self.resume and out is not None and folder.inside(out, "run.json").exists()):
            given = _like(self.task, kind, self.files, Path(like), given, self.trust)
        self.given = given
        self.task_options, self.options = split_options(kind, given)

    def _read(self, path: str | Path) -> None:
        """A config's files and options, where none are given."""
        config = configs.read(path, self.task, self.kind)
        files, valid = config.pop("files", ()), config.pop("valid", ())
        self.files, self.valid = (data.settled(a) or b for a, b in ((self.files, files), (self.valid, valid)))
        given = {k: v for k, v in self.given.items() if v is not None}
        config = {k: v for k, v in config.items() if k not in BUDGETS or not BUDGETS & given.keys()}
        for what in {"cell", "metric", "reader"} & config.keys() - given.keys():
            registry.vouched(config[what], what, str(path), self.trust)
        self.given = config | given

    def run(self, path: str | Path) -> Run:
        """The run in a folder, with the cell and the task that this person trusts."""
        return Run(path, self.trust, self.given.get("cell"), self.task)

    def free_place(self) -> Path:
        """A free folder named after the first file, or, where there is none, after the task."""
        first = Path(self.task if data.anything(self.files) else str(self.files[0]) if self.files else "run")
        name = first.name.removesuffix(".gz").rsplit(".", 1)[0]
        return free_place(re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run")


def free_place(name: str) -> Path:
    """The first free of runs/NAME, runs/NAME-2, …."""
    path, n = Path("runs") / name, 2
    while os.path.lexists(path):  # a link to nowhere is in the way too
        path, n = Path("runs") / f"{name}-{n}", n + 1
    return path


def split_options(kind: type[Task], given: Mapping[str, Any]) -> tuple[Any, Options]:
    """Options as the task's and the training's. Raises HeloError, naming the nearest, for one that neither has."""
    own, training = ({f.name for f in fields(k)} for k in (kind.Options, Options))
    for name in given:
        if name not in own | training:
            others = (o.removeprefix("--").replace("-", "_") for o in OTHERS.get(name.replace("_", "-").lower(), ()))
            meant = [o for o in others if o in own | training | ARGUMENTS]
            mend = f"here it is {' and '.join(meant)}" if meant else nearest(name, own | training | ARGUMENTS)
            raise HeloError(f"there is no option {name!r}", mend=mend)
    return (
        build(kind.Options, {k: v for k, v in given.items() if k in own}),
        Options(**dict(kind.recipe.options) | {k: v for k, v in given.items() if k in training}),
    )


def _given(kind: type[Task], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were said. What they name outside the run is found from any folder later."""
    given: dict[str, Any] = {
        k: v
        for k, v in renamed(kind.Options, options).items()
        if v is not None and not (isinstance(v, tuple) and not v)  # a flag that may be given several times, and was not
    }
    for name in ("cell", "encoder", "start", "metric"):
        if name in given and not isinstance(given[name], str | Path):
            raise TypeError(f"{name}={given[name]!r:.80} is not a text")
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
    if "encoder" in given:
        given["encoder"] = encoders.located(str(given["encoder"]))
    if "start" in given:
        given["start"] = str(Path(given["start"]).absolute())
    return given


def _like(
    task: str, kind: type[Task], files: list[str | Path], like: Path, given: dict[str, Any], trust: bool
) -> dict[str, Any]:
    """Another run's options, and what was said over them."""
    about = folder.describe(like)
    if "cell" not in given:
        registry.vouched(about["cell"], "cell", str(like), trust)
    if "metric" not in given:
        registry.vouched(about["training"].get("metric") or "", "metric", str(like), trust)
    if "start" in given and not registry.same(task, about["task"]):
        raise HeloError(f"a run of {about['task']}", expected=f"one of {task}", where=f"--start {like}")
    theirs = {k: v for k, v in (about["options"] | about["training"]).items() if v is not None and k != "start"}
    readers.vouched(theirs.get("reader") if "reader" not in given else None, str(like), trust)
    left_out = BUDGETS if BUDGETS & set(given) else set()
    if not {str(Path(str(f)).absolute()) for f in files} & set(about["data"]["train"]):
        left_out |= kind.Options.paths  # they are of those other files
    theirs = {k: v for k, v in theirs.items() if k not in left_out}
    if "start" in given:  # what was learned is not to be unlearned
        theirs |= {k: theirs[k] / 10 for k in ("rate", "adam_rate") if k in theirs}
    return theirs | given
