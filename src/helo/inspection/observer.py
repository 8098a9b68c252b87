"""What a run does while it trains or afterwards, out of its folder alone: nothing is written, and the training does not
wait for it.

reports, samples, norms of the gradient      as the training wrote them down
gates and units on a fixed text              run here, on NumPy, whenever the run's weights are new
"""

from __future__ import annotations

import os
import stat
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helo import cells, registry, reports
from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array
from helo.engines import Tap, tapped
from helo.errors import HeloError, as_helo_error
from helo.models.base import InputModel
from helo.models.language_model import LanguageModel
from helo.runs import Run, folder
from helo.runs.trained import within
from helo.tasks.examples import ExampleTask

CLOSED, OPEN = 0.1, 0.9  # a gate below, above: as Karpathy, Johnson and Li count them (2015)
SYMBOLS, EXAMPLES = 400, 6  # that are read to record the gates
LARGEST = 64 << 20  # bytes of files that are read again for examples
FRESH = 300  # seconds: a training that is to replace a run writes at least so often


@dataclass
class Snapshot:
    """What the weights do on the fixed text."""

    step: int
    gates: list[dict[str, Any]] = field(default_factory=list)  # layer, gate, below, above: shares of a unit's steps
    units: dict[str, np.ndarray] = field(default_factory=dict)  # by layer, outputs (time, hidden) on the text
    pieces: list[str] = field(default_factory=list)  # of the text, one a step
    source: str = ""  # where the text is from
    loss_unit: str = ""


class Observer:
    """A run, read again and again. progress: what the training itself reports this second, where it does."""

    def __init__(self, path: Path, cell: str | None = None, must_exist: bool = True, task: str | None = None):
        """must_exist: whether the run must be there already. Raises HeloError where it is not."""
        self.path, self.cell, self.task = path, cell, task
        self.progress: dict[str, Any] = {}
        self.live: list[tuple[float, float]] = []  # step and loss, as the training reports them
        self.ended = False
        self.snapshot: Snapshot | None = None
        self.gates: list[tuple[int, dict[str, tuple[float, float]]]] = []  # (step, below and above by layer and gate)
        self.error = ""
        self._weights: Any = None  # those of the snapshot: their file, time and size
        self._text: tuple[list[Any], list[str], str] | None = None
        if must_exist:
            run = Run(path, cell=cell, task=task)
            if cell is not None or not registry.outside(run.about["cell"]):
                spec = run.cell  # a person's own word is held against what the run names
                with within(folder.inside(path, "run.json")):
                    cells.find(spec)  # it is there
            if task is not None:
                run.kind  # noqa: B018

    # What is written down.

    @property
    def home(self) -> Path:
        """Where the training writes: beside the run that it is to replace, until it has weights."""
        new = self.path / folder.NEW
        try:
            if (new / "run.json").is_file() and (_age(new / folder.STATE) < FRESH or self.progress):
                return new
        except OSError:
            pass
        return self.path

    def on_step(self, line: Mapping[str, Any]) -> None:
        """The training reports where it is: step, total, loss, speed, left."""
        self.progress = dict(line)
        self.live.append((line["step"], line["loss"]))
        if len(self.live) > 800:
            pairs = zip(self.live[::2], self.live[1::2], strict=False)
            self.live = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs]

    def about(self) -> dict[str, Any] | None:
        """run.json; None while there is none yet."""
        home = self.home
        return folder.describe(home) if folder.inside(home, "run.json").exists() else None

    def reports(self) -> list[dict[str, Any]]:
        """metrics.jsonl, as far as it is written."""
        return folder.metrics(folder.inside(self.home, "metrics.jsonl"))

    def age(self) -> float | None:
        """Seconds since the folder was last written to."""
        ages = []
        for name in ("run.json", "metrics.jsonl", folder.STATE):
            with suppress(OSError):
                ages.append(_age(folder.inside(self.home, name)))
        return max(0.0, min(ages)) if ages else None

    def loss_unit(self, about: Mapping[str, Any] | None) -> str:
        """In what the task's loss is measured, as it is written behind a title; nothing where it has no unit, or where the
        task is code that nobody has run here.
        """
        unit = self.snapshot.loss_unit if self.snapshot else ""
        if about is not None and not registry.outside(about["task"]):
            unit = reports.find(about["task"]).loss_unit
        return unit and f", {unit}"

    # What is computed.

    def update(self) -> None:
        """Run the weights over the fixed text, unless it was done with these. What hinders it is kept as a line in `error`."""
        file = folder.inside(self.home, "weights.safetensors")
        try:
            now = file.stat()
        except OSError:
            return
        weights = (str(file), now.st_mtime_ns, now.st_size)
        if weights == self._weights:
            return
        self._weights = weights
        try:
            self.snapshot, self.error = self._snapshot(), ""
        except Exception as error:
            self.error = str(as_helo_error(error) or f"this is a bug in helo: {type(error).__name__}: {error}")
            return
        step = self.snapshot.step
        shares = {f"{g['layer']} {g['gate']}": (g["below"], g["above"]) for g in self.snapshot.gates}
        self.gates = [*(g for g in self.gates if g[0] < step), (step, shares)][-200:]

    def _snapshot(self) -> Snapshot:
        run = Run(self.path, cell=self.cell, task=self.task)
        if self._text is None:
            self._text = _fixed(run)
        inputs, pieces, source = self._text
        tap = _Recorder(run.parameters)
        with tapped(tap), run.computing():
            for i, one in enumerate(inputs):
                tap.first = i == 0
                if isinstance(run.task.model, LanguageModel):
                    run.task.model.forward(run.parameters, one)
                else:
                    run.task.evaluate_batch(run.parameters, one)
        # By layer in the order of the text, also of a layer that reads it backwards.
        units = {n: np.stack(xs)[:: -1 if n.endswith(".backward") else 1] for n, xs in tap.outputs.items()}
        unit = reports.of(run.task).loss_unit
        return Snapshot(run.about.get("steps", 0), tap.shares(), units, pieces, source, unit)


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime


class _Recorder(Tap):
    """Keeps what the gates and the outputs of each layer were."""

    def __init__(self, parameters: Parameters):
        self.names = {id(a): n.rpartition(".")[0] or n for n, a in parameters.items()}
        self.outputs: dict[str, list[np.ndarray]] = {}
        self.counts: dict[tuple[str, str], list[Any]] = {}
        self.first = True

    def step(
        self, cell: Cell, parameters: Parameters, before: State, x: Array, after: State, output: Array
    ) -> tuple[State, Array]:
        layer = next((self.names[id(a)] for a in parameters.values() if id(a) in self.names), "layer")
        if self.first:
            self.outputs.setdefault(layer, []).append(np.asarray(output[0]))
        for gate, value in cell.gates(parameters, before, x).items():
            count = self.counts.setdefault((layer, gate), [0, 0, 0])
            count[0] += int((value < CLOSED).sum())
            count[1] += int((value > OPEN).sum())
            count[2] += value.size
        return after, output

    def shares(self) -> list[dict[str, Any]]:
        return [
            {"layer": layer, "gate": gate, "below": low / n, "above": high / n}
            for (layer, gate), (low, high, n) in self.counts.items()
        ]


def _fixed(run: Run) -> tuple[list[Any], list[str], str]:
    """What a snapshot is of, as the task takes it; the pieces of the first, and where it is from."""
    if isinstance(run.task.model, LanguageModel):
        return _text(run, run.task)
    task, data = run.task, run.about["data"]
    assert isinstance(task, ExampleTask)
    files = [Path(f) for f in (data["train"] if isinstance(data["valid"], str) else data["valid"])]
    run.recorded([])
    if sum(f.stat().st_size for f in files if f.is_file()) > LARGEST:
        raise HeloError("the validation data is too large to be read again for this page", where=str(run.path))
    examples = task.source.recorded(task, data)
    examples = examples.take(np.arange(min(EXAMPLES, len(examples))))
    encoded, targets = task.encode(examples), task.targets(examples)
    rows = [np.array([i]) for i in range(len(examples))]
    first, length = examples.inputs[0], int(encoded.lengths[0])
    length = -(-length // task.model.shorter) if isinstance(task.model, InputModel) else length
    pieces = [str(i + 1) for i in range(length)]
    if examples.kind in ("text", "tokens") and len(first) == length:
        pieces = list(first) if examples.kind == "text" else [f"{word} " for word in first]
    elif examples.kind in ("text", "pair") and len(first.split()) == length:
        pieces = [f"{word} " for word in first.split()]
    return [encoded.batch(r) | task.target_batch(targets, r) for r in rows], pieces, "the first example to validate on"


def _text(run: Run, task: Any) -> tuple[list[Any], list[str], str]:
    data = run.about["data"]
    file = Path([".", *data["train"], *(data["valid"] if isinstance(data["valid"], list) else ())][-1])
    ids = np.zeros(0, np.int64)
    source = f"the end of {file.name}"
    if file.suffix != ".gz" and (tail := _tail(file)):
        if task.options.units != "bytes" and task.options.normal_form != "none":
            words = unicodedata.normalize(task.options.normal_form, tail.decode("utf-8", "ignore"))
            tail = words.encode()
        ids = task.vocab.encode(tail, lenient=True).astype(np.int64)[-SYMBOLS:]
    if len(ids) < 2 or (np.isin(ids, list(task.vocab.silent)).mean() > 0.5 if task.vocab.silent else False):
        source = "text that the model wrote itself, because its own text is missing"
        ids = task.encode(run.sample(length=SYMBOLS, seed=0)).astype(np.int64)[:SYMBOLS]
    if len(ids) < 1:
        raise HeloError("the model writes nothing, and its text is missing", where=str(run.path))
    pieces = [task.vocab.spelling[i].decode("utf-8", "replace") or "\N{REPLACEMENT CHARACTER}" for i in ids]
    return [ids[None]], pieces, source


def _tail(file: Path, most: int = 8192) -> bytes:
    """The last bytes of a file, from the beginning of a line; nothing where it is none."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as opened:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                return b""
            opened.seek(max(0, about.st_size - most))
            tail = opened.read(most)
    except (OSError, ValueError):
        return b""
    return tail.partition(b"\n")[2] or tail
