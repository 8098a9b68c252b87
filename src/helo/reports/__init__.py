"""Everything that people see of a task's answers: lines, tables, pictures, pages. One file a task, of the task's name."""

from __future__ import annotations

from helo import registry, tasks
from helo.reports.base import Report
from helo.tasks.base import Task

__all__ = ["Report", "after", "find", "of"]


def find(name: str) -> type[Report]:
    """The class of report of a task by its name; a plain one where the task has none of its own."""
    known = registry.names("helo.reports", ("base", "gallery"))
    if name not in known:
        return Report
    return registry.offered(registry.module("helo.reports", name, "report", known), Report)


def after(verb: str) -> list[str]:
    """The tasks after whose training a verb comes."""
    return [name for name in tasks.names() if find(name).verb == verb]


def of(task: Task) -> Report:
    """The report of a task."""
    package, _, name = type(task).__module__.rpartition(".")
    return find(name if package == "helo.tasks" else "")(task)
