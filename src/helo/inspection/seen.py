"""What can be seen of a run while it trains or afterwards, out of its folder alone: nothing is written, and who trains it
is not asked.

reports, samples, norms of the gradient      as the training wrote them down
gates and units on a fixed text              run here, on NumPy, whenever the run's weights are new
"""

from __future__ import annotations

import os
import stat
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helo.cells.base import Cell, Parameters, State
from helo.cells.functions import Array
from helo.engines import Tap, tapped
from helo.errors import HeloError, as_helo_error
from helo.models.language_model import LanguageModel
from helo.runs import Run, folder
from helo.tasks.examples import ExampleTask

SHUT, OPEN = 0.1, 0.9  # a gate below, above: as Karpathy, Johnson and Li count them (2015)
SYMBOLS, EXAMPLES = 400, 6  # that are read to see the gates
LARGEST = 64 << 20  # bytes of files that are read again for examples
FRESH = 300  # seconds: a training that is to replace a run writes at least so often


@dataclass
class Look:
    """What the weights do on the fixed text."""

    step: int
    gates: list[dict[str, Any]] = field(default_factory=list)  # layer, gate, below, above: shares of a unit's steps
    units: dict[str, np.ndarray] = field(default_factory=dict)  # by layer, outputs (time, hidden) on the text
    pieces: list[str] = field(default_factory=list)  # of the text, one a step
    source: str = ""  # where the text is from


class Seen:
    """A run, looked at again and again. now: what the training itself says this second, where it does."""

    def __init__(self, path: Path, cell: str | None = None, begun: bool = True, task: str | None = None):
        """begun: whether the run must be there already. Raises HeloError where it is not."""
        self.path, self.cell, self.task = path, cell, task
        self.now: dict[str, Any] = {}
        self.live: list[tuple[float, float]] = []  # step and loss, as the training says them
        self.ended = False
        self.look_: Look | None = None
        self.gates: list[tuple[int, dict[str, tuple[float, float]]]] = []  # (step, below and above by layer and gate)
        self.trouble = ""
        self._looked: Any = None  # at which weights
        self._text: tuple[list[Any], list[str], str] | None = None
        if begun:
            run = Run(path, cell=cell, task=task)
            if cell is not None:
                run.cell  # noqa: B018  a person's own word is held against what the run names
            if task is not None:
                run.kind  # noqa: B018

    # What is written down.

    @property
    def home(self) -> Path:
        """Where the training writes: beside the run that it is to replace, until it has weights."""
        new = self.path / folder.NEW
        try:
            if (new / "run.json").is_file():
                state = new / folder.STATE
                recent = time.time() - state.stat().st_mtime < FRESH
                if self.now or recent:
                    return new
        except OSError:
            pass
        return self.path

    def told(self, line: Mapping[str, Any]) -> None:
        """The training says where it is: step, total, loss, speed, left."""
        self.now = dict(line)
        self.live.append((line["step"], line["loss"]))
        if len(self.live) > 800:
            self.live = [
                ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(self.live[::2], self.live[1::2], strict=False)
            ]

    def about(self) -> dict[str, Any] | None:
        """run.json; None while there is none yet."""
        home = self.home
        return folder.describe(home) if folder.inside(home, "run.json").exists() else None

    def reports(self) -> list[dict[str, Any]]:
        """metrics.jsonl, as far as it is written."""
        return folder.metrics(folder.inside(self.home, "metrics.jsonl"))

    def age(self) -> float | None:
        """Seconds since the folder was last written to."""
        times = []
        for name in ("run.json", "metrics.jsonl", folder.STATE):
            try:
                times.append(folder.inside(self.home, name).stat().st_mtime)
            except OSError:
                continue
        return max(0.0, time.time() - max(times)) if times else None

    # What is computed.

    def look(self) -> None:
        """Run the weights over the fixed text, unless these weights were looked at before. What hinders it is kept as a
        line in `trouble`.
        """
        file = folder.inside(self.home, "weights.safetensors")
        try:
            now = file.stat()
        except OSError:
            return
        mark = (str(file), now.st_mtime_ns, now.st_size)
        if mark == self._looked:
            return
        self._looked = mark
        try:
            self.look_ = self._look()
            self.trouble = ""
        except Exception as error:
            known = as_helo_error(error)
            self.trouble = str(known) if known else f"this is a bug in helo: {type(error).__name__}: {error}"
            return
        shares = {f"{g['layer']} {g['gate']}": (g["below"], g["above"]) for g in self.look_.gates}
        self.gates = [*(g for g in self.gates if g[0] < self.look_.step), (self.look_.step, shares)][-200:]

    def _look(self) -> Look:
        run = Run(self.path, cell=self.cell, task=self.task)
        if self._text is None:
            self._text = _fixed(run)
        inputs, pieces, source = self._text
        tap = _Noted(run.parameters)
        with tapped(tap), np.errstate(over="ignore"):
            for i, one in enumerate(inputs):
                tap.first = i == 0
                if isinstance(run.task.model, LanguageModel):
                    run.task.model.forward(run.parameters, one)
                else:
                    run.task.evaluate_batch(run.parameters, one)
        return Look(run.about.get("steps", 0), tap.shares(), tap.seen(), pieces, source)


class _Noted(Tap):
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
            count[0] += int((value < SHUT).sum())
            count[1] += int((value > OPEN).sum())
            count[2] += value.size
        return after, output

    def shares(self) -> list[dict[str, Any]]:
        return [
            {"layer": layer, "gate": gate, "below": low / n, "above": high / n}
            for (layer, gate), (low, high, n) in self.counts.items()
        ]

    def seen(self) -> dict[str, np.ndarray]:
        """Outputs by layer, in the order of the text, also of a layer that reads it backwards."""
        return {
            layer: np.stack(found)[:: -1 if layer.endswith(".backward") else 1] for layer, found in self.outputs.items()
        }


def _fixed(run: Run) -> tuple[list[Any], list[str], str]:
    """What the weights are looked at with, as the task takes it; the pieces of the first, and where it is from."""
    if isinstance(run.task.model, LanguageModel):
        return _running(run, run.task)
    task, data = run.task, run.about["data"]
    assert isinstance(task, ExampleTask)
    files = [Path(f) for f in (data["train"] if isinstance(data["valid"], str) else data["valid"])]
    run._recorded([])
    if sum(f.stat().st_size for f in files if f.is_file()) > LARGEST:
        raise HeloError("the validation data is too large to be read again for this page", where=str(run.path))
    examples = task.recorded(data)
    examples = examples.take(np.arange(min(EXAMPLES, len(examples))))
    encoded, targets = task.encode(examples), task.targets(examples)
    rows = [np.array([i]) for i in range(len(examples))]
    first, length = examples.inputs[0], int(encoded.lengths[0])
    pieces = [str(i + 1) for i in range(length)]
    if examples.kind in ("text", "tokens") and len(first) == length:
        pieces = list(first) if examples.kind == "text" else [f"{word} " for word in first]
    elif examples.kind in ("text", "pair") and len(first.split()) == length:
        pieces = [f"{word} " for word in first.split()]
    return [encoded.batch(r) | task.target_batch(targets, r) for r in rows], pieces, "the first example to validate on"


def _running(run: Run, task: Any) -> tuple[list[Any], list[str], str]:
    data = run.about["data"]
    file = Path((data["valid"] if isinstance(data["valid"], list) else data["train"])[-1])
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
            found = opened.read(most)
    except (OSError, ValueError):
        return b""
    return found.partition(b"\n")[2] or found
