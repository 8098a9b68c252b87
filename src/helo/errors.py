"""The one kind of error that a person sees: where, what was found, what was expected, what mends it.

HeloError                a fault in what the person gave; the command line prints its one line and exits with 2
plain(text)              without signs that would steer a terminal
place(file, line)        pins the place to whatever is raised inside, so that deep code need not know where it is
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike


def plain(text: str) -> str:
    """Text for a terminal: signs that would steer it, and what is no character, are spelled out; line ends and tabs stay."""
    return _STEERING.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 256 else f"\\u{ord(m[0]):04x}", text)


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class HeloError(Exception):
    """One line for a person: `where: found; expected …; mend`.

    found: what stands there, in a few words. expected: what should stand there. mend: what to do or type.
    where: `file:line`, a file, or a flag; usually pinned later by `place`.
    """

    def __init__(self, found: str, *, expected: str = "", mend: str = "", where: str = ""):
        super().__init__(found)
        self.found, self.expected, self.mend, self.where = found, expected, mend, where

    def __str__(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.mend:
            parts.append(self.mend)
        line = "; ".join(parts)
        line = f"{self.where}: {line}" if self.where else line
        return plain(" ".join(line.split("\n")))


@contextmanager
def place(file: str | PathLike[str], line: int | None = None) -> Iterator[None]:
    """Pin `file` or `file:line` to any HeloError raised inside that has no place yet."""
    try:
        yield
    except HeloError as error:
        if not error.where:
            error.where = str(file) if line is None else f"{file}:{line}"
        raise


def nearest(name: str, names: Iterable[str]) -> str:
    """A remedy that names what was probably meant, and else everything that could have been."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? ({', '.join(known)})" if close else f"one of {', '.join(known)}"


_collected: ContextVar[list[HeloError] | None] = ContextVar("collected", default=None)


def fault(error: HeloError) -> None:
    """Raise a fault of one row of a file; or, inside `collecting`, keep it, and the reader goes on with the next row."""
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
