"""A training as a file: `config.toml` of every run, from which `helo train TASK --config FILE` trains the same model."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from helo.errors import HeloError, nearest, place
from helo.options import build, flag
from helo.runs import folder
from helo.tasks.base import Task
from helo.training.options import Options

NAME = "config.toml"
REQUEST = ("task", "files", "valid")  # what is no option
COMMAND = ("out", "resume", "overwrite", "like", "watch", "quiet", "json")  # what says where, and not what, to train


def write(home: Path, about: Mapping[str, Any]) -> None:
    """The config of a run beside its run.json. about: what that holds. TOML has no null: an option without a value is left
    out, which is what its absence means.
    """
    import tomli_w

    data = about["data"]
    values = {"task": about["task"], "files": data["train"]}
    values |= {} if isinstance(data["valid"], str) else {"valid": data["valid"]}  # a text: how some were held out
    values |= about["options"] | about["training"]
    text = f"# helo train {about['task']} --config {NAME} --out RUN trains this model again\n"
    text += tomli_w.dumps({k: v for k, v in values.items() if v not in (None, [], ())})
    with folder.replacing(home / NAME) as beside:
        beside.write_text(text, encoding="utf-8", errors="surrogateescape")


def read(path: str | Path, task: str, kind: type[Task]) -> dict[str, Any]:
    """A config's values by the names of the options, and `files` and `valid`. Raises HeloError, by its line, for a key that
    the task does not know and for a file of another task.
    """
    with place(str(path)), Path(path).open(encoding="utf-8", errors="surrogateescape") as file:
        text = file.read(folder.LARGEST)
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else str(path)
        raise HeloError("no TOML", expected="lines like hidden = 256", where=where) from error
    if (said := values.pop("task", task)) != task:
        raise HeloError(f"a config of the task {said!r:.40}", expected=task, where=line_of(path, text, "task"))
    known = {*REQUEST, *(f.name for k in (kind.Options, Options) for f in fields(k))}
    for name, value in values.items():
        if name not in known:
            mend = f"say it in the command: {flag(name)}" if name in COMMAND else nearest(name, known)
            raise HeloError(f"no option {name!r}", mend=mend, where=line_of(path, text, name))
        if isinstance(value, dict):
            raise HeloError("a table", expected="a value", where=line_of(path, text, name))
    for name in ("files", "valid"):
        if name in values and not (isinstance(v := values[name], list) and all(isinstance(f, str) for f in v)):
            raise HeloError(f"{v!r:.80}", expected='a list of texts, ["novel.txt"]', where=line_of(path, text, name))
    for options in (kind.Options, Options):
        for name in values.keys() & {f.name for f in fields(options)}:
            try:
                build(options, {name: values[name]})
            except HeloError as error:
                if error.where == flag(name):
                    error.where = line_of(path, text, name)
                raise
    return values


def line_of(path: str | Path, text: str, name: str) -> str:
    """Where a key stands, FILE:LINE."""
    found = re.search(rf"^\s*\[?[\"']?{re.escape(name)}\b", text, re.MULTILINE)
    return f"{path}:{text.count(chr(10), 0, found.end()) + 1}" if found else str(path)
