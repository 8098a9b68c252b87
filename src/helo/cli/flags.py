"""Flags: those that every verb has, and those that a dataclass of options becomes."""

from __future__ import annotations

import functools
import os
import sys
import typing
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from helo import options, registry, saved
from helo.cli import streams
from helo.errors import HeloError, plain


def common(command: click.Command) -> click.Command:
    """A verb with --seed, --quiet and --debug."""
    command.params += [
        click.Option(["--seed"], type=click.IntRange(0, 2**63 - 1), default=None, help="random seed"),
        click.Option(["--quiet", "-q"], is_flag=True, help="print only the result"),
        click.Option(["--debug"], is_flag=True, expose_value=False, help="show the traceback of an error"),
    ]
    return command


def as_json(command: click.Command) -> click.Command:
    """A verb with --json: one object on standard output, and nothing else there."""
    command.params.append(click.Option(["--json", "as_json"], is_flag=True, help="print one JSON object"))
    return command


def trusted(command: click.Command) -> click.Command:
    """A verb with --cell and --task, the one way to a run whose cell or task is code in a file."""
    for what in ("cell", "task"):
        text = f"allow this {what}, which the run names by its file (code that you trust)"
        command.params.append(click.Option([f"--{what}"], metavar="FILE.py:NAME", help=text))
    return command


def tell(text: str = "", err: bool = False, end: str = "\n") -> None:
    """Text for people: on a terminal without signs that would steer it; a pipe or a file gets it as it is."""
    stream = sys.stderr if err else sys.stdout
    click.echo((plain(text) if stream.isatty() else text) + end, err=err, nl=False)


def colours() -> bool:
    """Whether standard output shows colours: a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


ABOVE, BELOW = (230, 222, 214, 208), (195, 153, 117, 75)  # of xterm's 256 colours, weak to strong; orange and blue


def shaded(text: str, value: float) -> str:
    """A piece of a text behind which a colour stands, for a terminal that shows some: orange for a value up to 1, blue down
    to -1, none about 0.
    """
    strength = min(4, int(abs(value) * 4.999))
    if not strength or not text.strip("\n"):
        return plain(text)
    return click.style(plain(text), fg=16, bg=(ABOVE if value > 0 else BELOW)[strength - 1])


class OutputPath(click.Path):
    """A file or folder that a verb writes at its end. A name that is empty, or one that cannot be written, is refused before
    anything is computed for it.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value:
            self.fail("An empty name.", param, ctx)
        named = os.path.realpath(super().convert(value, param, ctx))
        above = os.path.dirname(named) if os.path.isfile(named) else named
        while not os.path.lexists(above):  # what lacks is made
            above = os.path.dirname(above)
        if os.path.isfile(above) or not os.access(above, os.W_OK):
            why = "is a file" if os.path.isfile(above) else "cannot be written"
            self.fail(f"{value!r} cannot be written: {above!r} {why}.", param, ctx)
        return value


FILE = OutputPath(dir_okay=False)


def existing(state: str | None) -> str | None:
    """A --state file that there is something to go on from: not one that is missing, a link to one that is, or empty as mktemp makes it."""
    empty = not state or not os.path.exists(state) or (os.path.isfile(state) and not os.path.getsize(state))
    return None if empty else state


SIDES = ("source", "target")


def sides(*which: str) -> list[click.Option]:
    """The flags that name aligned files: those of training, "", of validation, "valid_"."""
    named = [f"{w}{side}".replace("_", "-") for w in which for side in SIDES]
    return [
        click.Option([f"--{n}"], metavar="FILE", help=f"the {n.replace('-', ' ')} texts, one per line") for n in named
    ]


def sided(command: click.Command) -> click.Command:
    """A verb with --source and --target."""
    command.params += sides("")
    return command


def aligned(options: dict[str, Any], which: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """The source and the target file that two flags name, taken out of the options, in place of files."""
    source, target = (options.pop(which + side) for side in SIDES)
    if source is None and target is None:
        return files
    if source is None or target is None or files:
        named = [f"--{which}{side}".replace("_", "-") for side in SIDES]
        raise HeloError(
            f"{' '.join(named)} and files" if files else "only one of the two",
            expected=f"both {' and '.join(named)}, or TSV files",
        )
    return source, target


def found(run: Any, verb: str, values: dict[str, Any], files: Sequence[str]) -> Sequence[str]:
    """The files that `--source` and `--target`, or `--images` alone, name in place of FILES, as in training; a side is taken out
    of the values.
    """
    given = [f"--{side}" for side in SIDES if values.get(side) is not None]
    if given and not run.task.Options.paired:
        raise HeloError(
            f"{given[0]} with a model of the task {run.about['task']}", expected="a model of the task translate"
        )
    if verb == "predict":
        source, _ = (values.pop(side) for side in SIDES)
        if given and (source is None or files):
            raise HeloError(
                f"{' '.join(given)} and files" if files else "--target without --source",
                expected="--source FILE, or files",
            )
        files = files if source is None else [source]
        return files or (values.get("images") or () if run.task.source.labels == "picture" else ())
    return aligned(values, "", tuple(files))


def show(value: Any) -> None:
    """The one JSON object of a verb."""
    text = saved.strict_json(value)
    tell(text if streams.spells(text) else saved.strict_json(value, ascii=True))


def of(
    kind: type[Any], leave_out: tuple[str, ...] = (), defaults: Mapping[str, Any] | None = None
) -> list[click.Option]:
    """The options of a dataclass as flags, those that had another name also by that; one that is not given is None. defaults: by
    their names, other than the dataclass's own.
    """
    others = defaults or {}
    described = [
        o._replace(default=others.get(o.name, o.default)) for o in options.described(kind) if o.name not in leave_out
    ]
    return [
        *map(_flag, described),
        *(_flag(o._replace(name=o.formerly), hidden=True) for o in described if o.formerly is not None),
    ]


def _flag(option: options.Option, hidden: bool = False) -> click.Option:
    kind, name, text = option.kind, option.flag, option.help
    text += f", {option.bounds}" if option.bounds is not None else ""
    text += "" if option.default is False or option.default in (None, ()) else f"  [{option.default}]"
    if kind is bool:
        pair = name if option.default is False else f"{name}/--no-{name[2:]}"
        return click.Option([pair], is_flag=True, default=None, help=text, hidden=hidden)
    if many := typing.get_origin(kind) is tuple:
        kind = str
    elif typing.get_origin(kind) is typing.Literal:
        kind = click.Choice(typing.get_args(kind))
    return click.Option([name], type=kind, multiple=many, default=None, help=text, hidden=hidden)


class TaskVerb(click.Command):
    """A verb, and what the tasks declare that it may be told: each option once, with the tasks that have it. They are
    imported when the flags are asked for, so that `helo --help` starts at once.
    """

    def __init__(self, *args: Any, leave_out: tuple[str, ...] = (), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.leave_out, self.more = leave_out, ()

    @functools.cached_property
    def declared(self) -> list[click.Parameter]:
        from helo import tasks

        having: dict[str, tuple[options.Option, list[str]]] = {}
        for task, kind in (tasks.installed() | {t: tasks.find(t) for t in self.more}).items():
            for name, option in tasks.declared(kind, self.name or "").items():
                if name not in self.leave_out:
                    having.setdefault(name, (option, []))[1].append(task)
        return [_flag(o._replace(help=f"{', '.join(of)}: {o.help}")) for o, of in having.values()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What the task of the run declares too, where it is one from a file that a person names or once has named."""
        self.__dict__.pop("declared", None)
        self.more = tuple(_named(args))
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*self.declared, *super().get_params(ctx)]


def _named(args: Sequence[str]) -> list[str]:
    """The task in a file that `--task` names, or that a run among the words names and a person has vouched for."""
    from helo.runs import folder

    for word, value in zip(args, [*args, ""][1:], strict=True):
        if word == "--task" or word.startswith("--task="):
            return [task] if registry.outside(task := value if word == "--task" else word[7:]) else []
    for word in args:
        if os.path.isfile(os.path.join(word, "run.json")):
            with suppress(HeloError):  # the verb itself says what is wrong with it
                task = folder.describe(Path(word))["task"]
                return [task] if registry.outside(task) and registry.remembered(task) else []
    return []


def not_none(values: dict[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in values.items() if value is not None and value != ()}


def given(run: Any, verb: str, values: dict[str, Any]) -> dict[str, Any]:
    """What was given of such options. Raises HeloError for one that the run's task does not have, and for a value that may
    not be.
    """
    from helo import tasks

    values = not_none(values)
    own = tasks.declared(run.task, verb)
    if others := [name for name in values if name not in own]:
        having = [t for t, kind in tasks.installed().items() if others[0] in tasks.declared(kind, verb)]
        raise HeloError(
            f"{options.flag(others[0])} with a model of the task {run.about['task']}",
            expected=f"a model of the task {' or '.join(having)}",
        )
    return tasks.checked(run.task, verb, values)


def reading(run: Any, values: dict[str, Any], files: Sequence[str]) -> dict[str, Any]:
    """Those of the options by which files are read. Raises HeloError for one where there are none."""
    found = {name: v for name, v in values.items() if name in run.task.Options.reading}
    if others := [name for name in found if name != "reader" and not files]:
        flag = options.flag(others[0])
        raise HeloError(f"{flag} without files", expected="files: the run's own are read as in training")
    return found
