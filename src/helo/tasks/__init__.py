"""One file a shape: what goes in, the forward pass, the loss, the answer."""

from __future__ import annotations

from helo import registry
from helo.tasks.base import Task

__all__ = ["Task", "find", "names"]


def names() -> list[str]:
    """The registered tasks."""
    return registry.names("helo.tasks", ("base", "kinds", "writing"))


def find(name: str) -> type[Task]:
    """The class of a task. Raises HeloError, naming the nearest, for one that is not known."""
    return registry.offered(registry.module("helo.tasks", name, "task", names()), Task)
