"""One file a shape: what goes in, the forward pass, the loss, the answer."""

from __future__ import annotations

from typing import Any

from helo import options, registry
from helo.tasks.base import Task

#: Files of this room that are no task.
NOT_TASKS = (
    "base",
    "copying",
    "examples",
    "score",
    "labels",
    "pictures",
    "reading",
    "search",
    "self_critical",
    "writing",
)

__all__ = ["Task", "checked", "declared", "find", "names"]


def names() -> list[str]:
    """The registered tasks."""
    return registry.names("helo.tasks", NOT_TASKS)


def find(name: str) -> type[Task]:
    """The class of a task. Raises HeloError, naming the nearest, for one that is not known."""
    return registry.offered(registry.module("helo.tasks", name, "task", names()), Task)


def declared(task: Task | type[Task], verb: str) -> dict[str, options.Option]:
    """What a verb may be told of a task: what the task declares for it, and the options of reading that hold for its training
    alone.
    """
    kind, reading = task.Options.verbs.get(verb), task.Options.reading
    own = options.described(kind) if kind is not None else ()
    return {o.name: o for o in (*own, *(o for o in options.described(task.Options) if o.name in reading))}


def checked(task: Task, verb: str, values: dict[str, Any]) -> dict[str, Any]:
    """What a verb was told of a task, held to what the task declares. Raises HeloError for a value that may not be."""
    kind = task.Options.verbs.get(verb)
    if kind is None:
        return dict(values)
    own = {o.name: values[o.name] for o in options.described(kind) if o.name in values}
    built = options.build(kind, own)
    return {n: v for n, v in (values | {n: getattr(built, n) for n in own}).items() if v is not None}
