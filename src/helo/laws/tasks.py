"""What holds for every task over examples, as functions of a trained run and of inputs as `predict` takes them, in Python's form.

Each raises Broken where it does not hold. `LAWS` has them by their names.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helo.laws.base import Broken
from helo.runs import load
from helo.runs.run import Run
from helo.tasks.examples import ExampleTask

NEAR = 1e-4  # of numbers that are added up in another order; relative above 1


def numpy_is_torch(run: Run, inputs: Sequence[Any]) -> None:
    """The loss and the figures of the recorded validation examples are the same with NumPy's arrays and with torch's."""
    import torch

    task = _task(run)
    examples = task.source.reload(task, run.about["data"], ())
    encoded, targets = task.encode(examples), task.targets(examples)
    found = []
    for parameters in (run.parameters, {n: torch.from_numpy(p) for n, p in run.parameters.items()}):
        with torch.no_grad():
            loss, count, answers = task.predict_batches(parameters, encoded, targets)
        found.append({"loss": loss / max(1, count)} | task.scoring.figures(task.predictions(answers, targets)))
    _same("numpy_is_torch", *found)


def one_is_many(run: Run, inputs: Sequence[Any]) -> None:
    """What is asked alone, in company, and in company the other way round is answered alike."""
    together = run.predict(list(inputs))
    _same("one_is_many", [run.predict([x])[0] for x in inputs], together)
    _same("one_is_many", run.predict(list(inputs)[::-1])[::-1], together)


def evaluates_again(run: Run, inputs: Sequence[Any]) -> None:
    """A run, loaded anew, evaluates to the figures that its training ended with."""
    _same("evaluates_again", load(run.path).evaluate(), run.figures)


def leaves_home(run: Run, inputs: Sequence[Any]) -> None:
    """A run folder answers in another place as it did at home."""
    with tempfile.TemporaryDirectory() as away:
        there = load(shutil.copytree(run.path, Path(away) / "run"))
        _same("leaves_home", there.predict(list(inputs)), run.predict(list(inputs)))


LAWS: dict[str, Callable[[Run, Sequence[Any]], None]] = {
    law.__name__: law for law in (numpy_is_torch, one_is_many, evaluates_again, leaves_home)
}


def _task(run: Run) -> ExampleTask:
    assert isinstance(run.task, ExampleTask)
    return run.task


def _same(law: str, got: Any, want: Any, place: str = "") -> None:
    """Broken unless two trees of lists, dicts, texts and numbers are the same, numbers within a tolerance."""
    if isinstance(want, dict) and isinstance(got, dict) and got.keys() == want.keys():
        for key in want:
            _same(law, got[key], want[key], f"{place}.{key}")
    elif isinstance(want, list | tuple) and isinstance(got, list | tuple) and len(got) == len(want):
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            _same(law, a, b, f"{place}[{i}]")
    elif isinstance(want, float | np.floating) and isinstance(got, float | np.floating):
        if not abs(got - want) <= NEAR * max(1.0, abs(want)):
            raise Broken(law, f"{got} where {want} was due, at {place or 'the whole'}")
    elif got != want:
        raise Broken(law, f"{got!r} where {want!r} was due, at {place or 'the whole'}")
