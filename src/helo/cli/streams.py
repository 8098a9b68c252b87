"""Standard input, output and error as they are found: closed, full, without a reader, in any encoding.

A text comes in as UTF-8. What goes out keeps the encoding of the terminal, and a letter that it does not have is written
as Python writes it (\\u5f20), which in JSON is the letter still.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from helo.errors import HeloError

NAMES = ("stdin", "stdout", "stderr")


@contextmanager
def standing() -> Iterator[None]:
    """All three can be used inside. A write to standard output raises HeloError where it is full, and ends the command
    (SystemExit, code 0) where nobody reads it any more; what standard error does not take is not said, and the work
    goes on.
    """
    before = {name: getattr(sys, name) for name in NAMES}
    # What was closed when the process began is opened on nothing, lest a file of the run be opened in its place.
    nothing: list[TextIO] = []
    for name in NAMES:
        if before[name] is None:
            nothing.append(open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
            setattr(sys, name, nothing[-1])
    sys.stdout, sys.stderr = _safe(sys.stdout, "standard output"), _safe(sys.stderr, "")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        with suppress(HeloError, SystemExit):
            sys.stdout.flush()
        sys.stderr.flush()
        for name in NAMES:
            setattr(sys, name, before[name])
        for stream in nothing:
            stream.close()


def spells(text: str) -> bool:
    """Whether standard output can write every letter of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _safe(stream: TextIO, name: str) -> TextIO:
    buffer = getattr(stream, "buffer", None)
    if buffer is None:  # no file: whoever calls us from Python collects what is said
        return stream
    stream.flush()
    raw = _Safe(getattr(buffer, "raw", buffer), name)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=not name or stream.isatty(),
        write_through=not name,
    )


class _Safe(io.RawIOBase):
    """A file that goes on taking what is written when it no longer can. name: what it is called in an error, the first
    time; without a name there is none.
    """

    def __init__(self, raw: Any, name: str):
        self.raw, self.name, self.gone = raw, name, False

    def write(self, data: Any) -> int | None:
        if not self.gone:
            try:
                return self.raw.write(data)
            except OSError as error:
                self.gone = True
                if self.name and error.errno == errno.EPIPE:
                    raise SystemExit(0) from None
                if self.name:
                    raise HeloError(f"cannot be written: {error.strerror}", where=self.name) from error
        return len(data)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.raw.isatty()

    def fileno(self) -> int:
        return self.raw.fileno()
