"""Everything that people see of a task's answers: lines, tables, pictures, pages. One file a task, of the task's name."""

from __future__ import annotations

import sys
from collections.abc import Callable

from helo import registry, tasks
from helo.reports.base import Report, Tables, network
from helo.tasks.base import Task

__all__ = ["Report", "Tables", "after", "answers_page", "find", "network", "of"]


def find(name: str) -> type[Report]:
    """The class of report of a task by its name; a plain one where the task has none of its own."""
    known = _own()
    if name not in known:
        return _beside(tasks.find(name))
    return registry.offered(registry.module("helo.reports", name, "report", known), Report)


def answers_page(report: Report) -> Callable[..., str] | None:
    """What makes a page of all answers, `(report, title, examples, answers) → HTML`: a function of that name beside the report, where
    there is one.
    """
    return getattr(sys.modules[type(report).__module__], "answers_page", None)


def _own() -> list[str]:
    return registry.names("helo.reports", ("base", "forecast_page", "gallery", "table"))


def _beside(task: type[Task]) -> type[Report]:
    """Of a task from outside: `NAMEReport` in the file of the task NAME."""
    found = getattr(sys.modules[task.__module__], f"{task.__name__}Report", Report)
    return found if isinstance(found, type) and issubclass(found, Report) else Report


def after(verb: str) -> list[str]:
    """The tasks after whose training a verb comes."""
    return [name for name in _own() if find(name).verb == verb]


def of(task: Task) -> Report:
    """The report of a task."""
    package, _, name = type(task).__module__.rpartition(".")
    return (find(name) if package == "helo.tasks" else _beside(type(task)))(task)
