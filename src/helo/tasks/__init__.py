"""One file a shape: what goes in, the forward pass, the loss, the answer. Or from outside: an entry point in the group
`helo.tasks`, or FILE.py:NAME.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from helo import options, registry
from helo.errors import HeloError, nearest
from helo.tasks.base import Task

#: Files of this room that are no task.
NOT_TASKS = (
    "baselines",
    "base",
    "examples",
    "forecast_options",
    "forms",
    "histories",
    "score",
    "labels",
    "pictures",
    "reading",
    "search",
    "self_critical",
    "tagging",
    "writing",
)

__all__ = ["Task", "checked", "declared", "find", "installed", "names"]


ROOM = registry.Room("helo.tasks", "task", Task, NOT_TASKS)
names, find = ROOM.names, ROOM.find


def installed() -> dict[str, type[Task]]:
    """The registered tasks by their names, but for those of other packages that cannot be loaded."""
    found = {}
    for name in names():
        with suppress(HeloError):
            found[name] = find(name)
    return found


def declared(task: Task | type[Task], verb: str) -> dict[str, options.Option]:
    """What a verb may be told of a task: what the task declares for it, and the options of reading that hold for its training
    alone.
    """
    kind, reading = task.Options.verbs.get(verb), task.Options.reading
    own = options.described(kind) if kind is not None else ()
    return {o.name: o for o in (*own, *(o for o in options.described(task.Options) if o.name in reading))}


def checked(task: Task, verb: str, values: dict[str, Any]) -> dict[str, Any]:
    """What a verb was told of a task, held to what the task declares. Raises HeloError for a value that may not be, and for a
    name that the verb does not have.
    """
    known = declared(task, verb)
    for name in values.keys() - known.keys():
        raise HeloError(f"{verb}: there is no option {name!r}", mend=nearest(name, known) if known else "leave it out")
    kind = task.Options.verbs.get(verb)
    if kind is None:
        return dict(values)
    own = {o.name: values[o.name] for o in options.described(kind) if o.name in values}
    built = options.build(kind, own)
    return {n: v for n, v in (values | {n: getattr(built, n) for n in own}).items() if v is not None}
