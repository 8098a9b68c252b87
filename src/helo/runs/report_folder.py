"""The folder that `helo eval --report` writes: report.md, which names the pictures and pages beside it. Nobody else's files go."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helo.errors import HeloError, wrap
from helo.runs.folder import PAGES, PICTURES, content, replacing

PAGE = "report.md"
OTHER = "give another --report"
MARK = re.compile(rb"<!-- helo eval wrote: ([\w., -]*) -->\n")


@contextmanager
def report_folder(out: str | Path, overwrite: bool = False) -> Iterator[tuple[Path, list[str]]]:
    """A place to draw into, and a list for the page's text; both lie in `out` when the block ends well.

    Raises HeloError for files in `out` that a report would replace: another's always, a report's own without `overwrite`.
    """
    out = Path(out)
    taken, own = _taken(out), _own(out)
    if others := [name for name in taken if name not in own]:
        raise HeloError(f"{others[0]} is in this folder, and a report needs a folder of its own", mend=OTHER, where=out)
    if taken and not overwrite:
        raise HeloError("a report exists already", mend="--overwrite replaces it, or give another --report", where=out)
    made = False
    try:
        with (
            wrap(OSError, "cannot be written:", mend=OTHER, where=out),
            tempfile.TemporaryDirectory(prefix="helo-") as place,
        ):
            text: list[str] = []
            yield Path(place), text
            drawn = [name for name in (*PICTURES, *PAGES) if (Path(place) / name).exists()]
            made = not out.exists()
            out.mkdir(parents=True, exist_ok=True)
            for name in taken:
                if name not in drawn:
                    (out / name).unlink()
            for name in drawn:
                with replacing(out / name) as beside:
                    beside.write_bytes((Path(place) / name).read_bytes())
            if any(text) or drawn:
                with replacing(out / PAGE) as beside:
                    beside.write_text(
                        f"<!-- helo eval wrote: {', '.join([PAGE, *drawn])} -->\n{''.join(text)}", encoding="utf-8"
                    )
    finally:
        if made and not _taken(out):  # the disk is full: nothing came into it
            with suppress(OSError):
                out.rmdir()


def _taken(out: Path) -> list[str]:
    return [name for name in (PAGE, *PICTURES, *PAGES) if os.path.lexists(out / name)]


def _own(out: Path) -> list[str]:
    """What the report there says that it wrote."""
    try:
        found = MARK.match(content(out / PAGE))
    except HeloError:
        return []
    return found[1].decode().split(", ") if found else []
