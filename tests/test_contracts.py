"""The contract of a task stays small, and what people see of it has a plain form where nobody wrote another."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from helo import reports, tasks
from helo.cells.base import Cell
from helo.inputs.base import Input
from helo.models.base import Model
from helo.tasks.base import Recipe, Task, TaskOptions
from helo.tasks.examples import ExampleTask
from helo.tasks.reading import Source

MOST_LINES, MOST_MEMBERS = 250, 15


def members(kind: type) -> set[str]:
    own = [k for k in kind.__mro__ if k.__module__.startswith("helo")]
    names = {n for k in own for n in {*vars(k), *inspect.get_annotations(k)}}
    return {n for n in names if not n.startswith("_")}


@pytest.mark.parametrize("kind", [Task, TaskOptions, Recipe, Source, Input, Model, Cell, reports.Report])
def test_a_contract_has_few_public_members(kind):
    assert len(members(kind)) <= MOST_MEMBERS, sorted(members(kind))


def test_a_task_over_examples_adds_few():
    assert len(own := members(ExampleTask) - members(Task)) <= MOST_MEMBERS, sorted(own)


def test_no_file_of_the_tasks_is_long():
    files = list(Path(tasks.__file__).parent.glob("*.py"))
    assert not {f.name: n for f in files if (n := len(f.read_text(encoding="utf-8").splitlines())) > MOST_LINES}


def test_every_task_has_a_report():
    for name in tasks.names():
        assert issubclass(kind := reports.find(name), reports.Report)
        assert kind is not reports.Report


def test_a_task_without_a_report_has_a_plain_one():
    class Shown(list):
        def take(self, rows: np.ndarray) -> list[Any]:
            return [self[int(i)] for i in rows]

    task: Any = SimpleNamespace(
        options=SimpleNamespace(cell="gru"), model=None, data={"examples": {"train": 1200, "valid": 2}}, splits=SimpleNamespace(examples=Shown("ab")),
        predict=lambda parameters, examples: [{"answer": x} for x in examples],
    )  # fmt: skip
    report = reports.of(task)
    assert type(report) is reports.Report
    assert report.describe().startswith("1,200 examples")
    assert report.progress({}, np.random.default_rng(0)) in ('{"answer": "a"}', '{"answer": "b"}')
