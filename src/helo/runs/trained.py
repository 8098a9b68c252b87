"""A trained model, out of its folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from helo import registry, tasks
from helo.data import readers
from helo.errors import HeloError, wrap
from helo.options import build
from helo.runs import arrays, folder
from helo.runs.sizes import expected

# What a file that is not as it was written leads to in code that reads it.
DAMAGE = ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError


class TrainedModel:
    """The content of a run folder. Everything is read when it is first needed."""

    def __init__(self, path: str | Path, trust: bool = False, cell: str | None = None, task: str | None = None):
        """trust: a cell, metric, reader or task that the run names by its file may be run. cell, task: that cell or task,
        by a person's own word, wherever its file lies now. Without any nothing that a folder says is ever run.
        """
        if not str(path):
            raise HeloError("an empty name", expected="a run folder", mend="use . for the current folder")
        self.path = Path(path)
        self.about = folder.describe(self.path)
        self.trust, self._cell, self._task = trust, cell, task

    @property
    def cell(self) -> str:
        """The specification of the cell. Raises HeloError for a cell from a file that is not trusted."""
        return self._trusted("cell", self.about["cell"], self._cell)

    def metric(self, named: str | None = None) -> str | None:
        """The specification of the metric that selected the best weights, if one was given; checked like `cell`. named: the same,
        named by the user.
        """
        recorded = self.about["training"].get("metric")
        return recorded and self._trusted("metric", recorded, named)

    @property
    def kind(self) -> type[tasks.Task]:
        """The class of the task, as `cell`."""
        return tasks.find(self._trusted("task", self.about["task"], self._task))

    def _trusted(self, what: str, recorded: str, named: str | None) -> str:
        """What may be run: what a person names, which must be the recorded one, or that where somebody vouched for it."""
        if named is not None:
            return registry.named(named, recorded, what, str(self.path))
        return registry.vouched(recorded, what, str(self.path), self.trust)

    @cached_property
    def task(self) -> Any:
        """The task with the options of the run."""
        cell, kind, file = self.cell, self.kind, folder.inside(self.path, "run.json")
        with within(file):
            with wrap(TypeError, "options that this version of helo does not know:", mend="pip install -U helo"):
                options = build(kind.Options, self.about["options"] | {"cell": cell})
            reader = getattr(options, "reader", None)
            if reader is not None and not registry.outside(reader):
                readers.find(reader)  # it is there
        if self.trust:
            readers.vouched(reader, trust=True)
        file = folder.inside(self.path, "vocab.json")
        saved = folder.read_json(file)
        with within(file), _sound("not what a run of its task keeps"):
            return kind.load(options, saved, self.about["data"])

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """The best weights by validation, with the shapes that follow from the options and the vocabulary."""
        file, task = folder.inside(self.path, "weights.safetensors"), self.task
        if not os.path.lexists(file) and not self.about.get("finished"):
            raise HeloError(
                "the run has no weights yet", mend="let it train a little longer (--resume)", where=self.path
            )

        def sizes(numbers: int, count: int) -> arrays.Sizes:
            with _sound("options that do not describe a model"):
                return expected(task, numbers, count)

        parameters = arrays.read_arrays(file, sizes)[0]
        count = sum(p.size for p in parameters.values())
        if count != self.about["parameters"]:
            raise HeloError(
                f"{count} numbers",
                expected=f"{self.about['parameters']}, as run.json says",
                mend="use both files from the same run",
                where=file,
            )
        return parameters

    @cached_property
    def identity(self) -> str:
        """A fingerprint of the weights: two runs with the same identity are the same model."""
        digest = hashlib.sha256()
        for name in sorted(self.parameters):
            digest.update(name.encode() + self.parameters[name].tobytes())
        return digest.hexdigest()[:16]

    def read_state(self, path: Path, *names: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """A saved state's arrays, those of some names among them, and what stands beside them. Raises HeloError for the
        state of another model.
        """
        found, about = arrays.read_arrays(path)
        if about.get("model") != self.identity or not found.keys() >= set(names):
            expected = f"one that {self.path} wrote"
            raise HeloError("a state of another run", expected=expected, mend="give another --state file", where=path)
        return found, about

    @property
    def figures(self) -> dict[str, Any]:
        """Of the weights on the validation data, when they were saved."""
        return self.about["figures"]

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A context in which answers are computed. Damaged weights or a user's own cell can overflow; a result that is not
        a finite number is then a HeloError.
        """
        with np.errstate(over="ignore", invalid="raise"):
            try:
                yield
            except FloatingPointError as error:
                raise HeloError(
                    f"its weights give results that are not numbers ({error})", expected="finite float32 numbers",
                    mend=folder.COPY, where=folder.inside(self.path, "weights.safetensors"),
                ) from error  # fmt: skip


@contextmanager
def within(file: Path) -> Iterator[None]:
    """The place of whatever is wrong inside, which may name an option as its own."""
    try:
        yield
    except HeloError as error:
        if error.where != str(file):
            error.where = f"{file}: {error.where}" if error.where else str(file)
        raise


@contextmanager
def _sound(what: str) -> Iterator[None]:
    """What a damaged file leads to, as an error of that file."""
    try:
        yield
    except DAMAGE as error:
        raise HeloError(f"damaged: {what} ({type(error).__name__}: {error})", mend=folder.COPY) from error
