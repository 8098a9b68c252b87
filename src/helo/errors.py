"""The one kind of error that a person sees: where, what was found, what was expected, what mends it.

HeloError                a fault in what the person gave; the command line prints its one line and exits with 2
plain(text)              without signs that would steer a terminal
place(file, line)        pins the place to whatever is raised inside, so that deep code need not know where it is
wrap(kinds, found)       what is raised inside, an OSError or ImportError above all, as a HeloError
as_helo_error(error)     what the machine refuses, or a person's own code raises, as a HeloError: no bug of helo
door                     a public function from which nothing but HeloError and its own kinds come out for bad input
"""

from __future__ import annotations

import difflib
import functools
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike, fspath
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def plain(text: str) -> str:
    """Text for a terminal: signs that would steer it, and what is no character, are spelled out; line ends and tabs stay."""
    return _STEERING.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class HeloError(Exception):
    """A message of one line: `where: found; expected …; mend`.

    found: what was found, in a few words. expected: what was expected. mend: what to do or type.
    where: `file:line`, a file, or an option; usually added later by `place`. flag: the flag by which files are read, such as
    `--text`, that `mend` names; not every verb has it. unflagged: what mends it in one that has not.
    """

    def __init__(
        self, found: str, *, expected: str = "", mend: str = "", where: object = "", flag: str = "", unflagged: str = ""
    ):
        super().__init__(found)
        self.unflagged = unflagged
        self.found, self.expected, self.mend, self.where, self.flag = found, expected, mend, str(where), flag

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.mend:
            parts.append(self.mend)
        line = "; ".join(parts)
        return one_line(f"{self.where}: {line}" if self.where else line)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the person's own lines that led here, as a terminal has no helo's either, and the message."""
        own: list[str] = []
        for frame in traceback.extract_tb(self.__traceback__):
            if Path(frame.filename).is_relative_to(_HOME):
                break
            inside = "IPython" in Path(frame.filename).parts
            own = (
                [] if inside else [*own, f"line {frame.lineno}: {frame.line}"]
            )  # what IPython runs comes after its own
        return [*own, f"HeloError: {self}"]


_HOME = Path(__file__).parent
LONGEST = 1000  # characters of a line; of a longer one the middle is left out


def one_line(text: str) -> str:
    """A text as one line that any terminal can show: what is no letter stands there as Python writes it."""
    text = " ".join(text.split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def place(file: str | PathLike[str], line: int | None = None) -> Iterator[None]:
    """Pin `file` or `file:line` to any HeloError raised inside that has no place yet. What the machine refuses inside
    becomes one.
    """
    try:
        yield
    except (HeloError, OSError, MemoryError, RecursionError) as error:
        found = as_helo_error(error)
        if found is None:
            raise
        if not found.where:
            found.where = str(file) if line is None else f"{file}:{line}"
        if found is error:
            raise
        raise found from error


@contextmanager
def wrap(
    kinds: type[BaseException] | tuple[type[BaseException], ...],
    found: str,
    *,
    expected: str = "",
    mend: str = "",
    where: object = "",
) -> Iterator[None]:
    """What is raised inside and is of these kinds, as a HeloError. found: goes on with what it says itself after a colon."""
    try:
        yield
    except HeloError:
        raise
    except kinds as error:
        reason = f" {getattr(error, 'strerror', None) or error}" if found.endswith(":") else ""
        raise HeloError(found + reason, expected=expected, mend=mend, where=where) from error


_others: set[str] = set()


def others(file: str) -> None:
    """Code in this file is not helo's own: what it raises is said of it."""
    _others.add(file)


def as_helo_error(error: BaseException) -> HeloError | None:
    """What is no bug of helo though nothing in helo expected it, in words: what the machine refuses (a file, memory), and
    what a person's own code raises. None for everything else.
    """
    if isinstance(error, HeloError):
        return error
    if (file := _raiser(error)) is not None:
        what = f"it calls exit({error.code!r})" if isinstance(error, SystemExit) else _named(error)
        return HeloError(what, mend="run helo check for more" if isinstance(error, Exception) else "", where=file)
    if isinstance(error, RecursionError):  # helo itself hardly recurs: a path or a file does
        return HeloError("nested too deeply", expected="at most a few hundred levels")
    # torch has no kind of error of its own for a memory that is full on a processor, oneDNN ("a primitive") and the loader
    # of libraries ("segment") name none.
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ImportError) and any(f in str(error) for f in _FULL)
    ):
        said = f": {error}" if str(error) else ""
        return HeloError(f"there is not enough memory{said}", mend="use smaller sizes, or less data at once")
    if isinstance(error, OSError):
        name = error.filename
        where = fspath(name) if isinstance(name, str | bytes | PathLike) else ""
        where = where.decode(errors="backslashreplace") if isinstance(where, bytes) else where
        return HeloError(error.strerror or _named(error), where=where)
    return None


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


_FULL = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "failed to map segment",
    "could not create a primitive",
)


def _raiser(error: BaseException) -> str | None:
    """The file of a person's own code through which an error came."""
    trace = error.__traceback__
    while trace is not None:
        if (file := trace.tb_frame.f_code.co_filename) in _others:
            return f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return None


def door(function: Callable[P, T]) -> Callable[P, T]:
    """A function that people call from Python: what `as_helo_error` knows comes out of it as a HeloError."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            found = as_helo_error(error)
            if found is None or found is error:
                raise
            raise found from error

    return inside


def here() -> None:
    """Raises HeloError where the working folder is gone: nothing is found from there, and libraries end the process."""
    try:
        os.getcwd()
    except OSError as error:
        raise HeloError(f"the current folder is gone: {error.strerror}", mend="cd to a folder that exists") from error


FEW = 16  # names that are all listed


def nearest(name: str, names: Iterable[str]) -> str:
    """A remedy that names what was probably meant, and what else could have been: of many names the three nearest."""
    known = sorted(names)
    if len(known) > FEW:
        return f"did you mean {_either(difflib.get_close_matches(name, known, n=3, cutoff=0.0))}?"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? ({', '.join(known)})" if close else f"one of {', '.join(known)}"


def _either(names: list[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last


_collected: ContextVar[list[HeloError] | None] = ContextVar("collected", default=None)


def fault(error: HeloError | str, **more: Any) -> None:
    """Raise a fault of one row of a file, a HeloError or what one is made of; or, inside `collecting`, keep it, and the
    reader goes on with the next row.
    """
    error = HeloError(error, **more) if isinstance(error, str) else error
    found = _collected.get()
    if found is None:
        raise error
    found.append(error)


def sound() -> bool:
    """Whether no fault of a row has been kept so far."""
    return not _collected.get()


@contextmanager
def collecting() -> Iterator[list[HeloError]]:
    """Faults of rows as a list, instead of the first as an error."""
    found: list[HeloError] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


_LOG = logging.getLogger("helo")  # what it warns of is on standard error, unless a program wants it elsewhere
_warnings: ContextVar[list[str] | None] = ContextVar("warnings", default=None)


def warn(line: str) -> None:
    """Say what a person should know of their data and what is no fault; inside `holding_warnings` at its end."""
    held = _warnings.get()
    if held is None:
        _LOG.warning("helo: %s", line)
    else:
        held.append(line)


@contextmanager
def holding_warnings() -> Iterator[None]:
    """Warnings are given once it is known that what is inside succeeds: bad input is refused in one line."""
    held: list[str] = []
    token = _warnings.set(held)
    try:
        yield
    finally:
        _warnings.reset(token)
    for line in held:
        warn(line)
