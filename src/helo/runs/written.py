"""Answers as a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from helo.errors import HeloError
from helo.reports import Report, table
from helo.runs.folder import replacing


def apart(out: str | Path, files: Iterable[Any]) -> None:
    """Raises HeloError where the table would replace a file that is answered."""
    for file in files:
        with suppress(OSError, TypeError, ValueError):
            if os.path.isfile(out) and os.path.samefile(out, file):
                raise HeloError(f"{out} is one of the files to be answered", expected="another name", where="--out")


def written(report: Report, pieces: Iterable[Any], out: str | Path, kind: str) -> int:
    """Write answers, piece by piece, and return the number of rows. A file is whole or not there; what is none, a pipe or a
    terminal, gets every row as soon as it is known.
    """
    path = Path(out)
    rows = table.rows(report, pieces)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("w", encoding="utf-8", newline="") as stream:
            return _all(rows, stream, kind)
    with replacing(path, named=True) as beside, beside.open("w", encoding="utf-8", newline="") as stream:
        return _all(rows, stream, kind)


def _all(rows: Iterable[Any], stream: Any, kind: str) -> int:
    writer = table.Writer(stream, kind)
    for row in rows:
        writer.write(row)
        stream.flush()
    return writer.count
