"""What the tests of the whole share: prose, small runs that are trained once, the command line in this process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import settings

SMALL: dict[str, Any] = {"hidden": 16, "embedding": 8, "streams": 4, "chunk": 16, "steps": 20, "precision": "float32"}


def many(cases: int) -> settings:
    """More cases than usual, for what is quick; as many as the profile says where that is more."""
    return settings(max_examples=max(cases, settings.default.max_examples if settings.default else 0))


@functools.cache
def prose(characters: int, start: int = 0) -> str:
    """Real English, out of Python's own documentation; some of it is not ASCII."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name].strip() for name in sorted(topics))[start : start + characters]


@functools.cache
def home() -> Path:
    """A folder that lasts as long as this process."""
    folder = tempfile.mkdtemp(prefix="helo-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@functools.cache
def text_file(characters: int = 6000) -> Path:
    path = home() / f"prose-{characters}.txt"
    path.write_text(prose(characters), encoding="utf-8")
    return path


def train(files: Any, out: Path, **options: Any):
    """A small training without its picture."""
    import helo

    budget = {"steps", "minutes", "epochs"}
    small = {k: v for k, v in SMALL.items() if k not in budget or not budget & set(options)}
    with mock.patch("helo.drawing.loss"):
        return helo.train("lm", files, out=out, **(small | options))


@functools.cache
def trained(**options: Any) -> Path:
    """The folder of a run, the same for the same options; whoever changes it takes `copied`."""
    out = home() / f"run-{len(list(home().glob('run-*')))}"
    train(text_file(), out, **options)
    return out


def copied(run: Path, to: Path) -> Path:
    shutil.copytree(run, to)
    return to


@dataclass
class Done:
    code: int
    out: str
    err: str


def helo_command(*words: Any, stdin: bytes = b"") -> Done:
    """`helo WORDS…` in this process."""
    from helo.cli import main

    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["helo", *map(str, words)]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
        mock.patch("helo.drawing.loss") if "torch" in sys.modules else contextlib.nullcontext(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def stopped(monkeypatch: Any, at: int, train: Any) -> None:
    """A training that is stopped from outside at a step."""
    from helo.training import Interrupted
    from helo.training.loop import Training

    step, count = Training.step, 0

    def stopping(self: Any) -> Any:
        nonlocal count
        count += 1
        self.stop = count == at
        return step(self)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", stopping)
        try:
            train()
        except Interrupted:
            return
    raise AssertionError("it was not stopped")
