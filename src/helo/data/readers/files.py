"""Opening and decoding files, with errors that name the place."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from math import inf
from pathlib import Path
from typing import Any

from helo.data.readers.encoding import STANDARD_INPUT, decoded
from helo.data.readers.text import PIECE, below, meant, opened
from helo.errors import HeloError, place, wrap

LONGEST = 2**26  # bytes of a line on standard input


def listed(names: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """One name or several, as a list. Raises TypeError for what is no name."""
    found: list[str | Path] = [names] if isinstance(names, str | Path) else list(names)
    for name in found:
        if not isinstance(name, str | Path):
            raise TypeError(f"{name!r:.80} is not a file name")
        try:
            if "\0" in os.fsdecode(os.fsencode(name)):
                raise HeloError("a NUL character in the name", expected="a file name", where=name)
        except UnicodeEncodeError:
            raise HeloError("not a possible file name", expected="a file name", where=name) from None
    return found


def named(names: Sequence[str | Path], suffixes: Sequence[str] = ()) -> list[Path]:
    """The files meant: files, globs, and of folders the files with one of these suffixes (`.gz` aside), sorted."""
    found: list[Path] = []
    for name in map(str, names):
        path = Path(os.path.expanduser(name))
        with place(name):
            if path.is_dir():
                inside = [p for p in below(path) if suffix(p) in suffixes]
                if not inside:
                    raise HeloError(
                        "the folder has no file of this kind",
                        expected=f"files {', '.join(filter(None, dict.fromkeys(suffixes)))}",
                    )
                found += inside
            else:
                found += meant(name)
    return found


def suffix(path: Path) -> str:
    """What kind of file it is by its name, whether compressed or not: `.csv` of `a.csv.gz`."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def content(path: Path) -> bytes:
    """All bytes of a file; of a `.gz`, what is in it."""
    with place(path), wrap((OSError, EOFError, zlib.error), "cannot be read:"):
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data


def text(path: Path) -> str:
    """A whole text file in UTF-8, without a byte-order mark. Raises HeloError with the line where it is not UTF-8."""
    return decoded(content(path), str(path))


def streamed(path: Path, size: int = PIECE) -> Iterator[str]:
    """A text file in pieces of about `size` bytes that end with a line, so that its size does not matter. Raises HeloError
    with the line where it is not UTF-8.
    """
    with place(path), wrap((OSError, EOFError, zlib.error), "cannot be read:"), opened(path) as stream:
        yield from _ending_lines(iter(lambda: stream.read(size), b""), str(path))


def _ending_lines(blocks: Iterable[bytes], where: str, longest: float = inf) -> Iterator[str]:
    """Blocks of bytes as pieces of text that end with a line. longest: bytes that may come without a line's end."""
    rest: list[bytes] = []
    at, line = 0, 1
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        rest.append(block[:cut] if cut else block)
        if cut:
            piece = b"".join(rest)
            yield decoded(piece, where, at, line)
            at, line, rest = at + len(piece), line + piece.count(b"\n"), [block[cut:]]
        elif sum(map(len, rest)) > longest:
            raise HeloError(f"more than {longest / 2**20:.0f} MiB without the end of a line", where=f"{where}:{line}")
    if last := b"".join(rest):
        yield decoded(last, where, at, line)


def lines(path: Path) -> list[str]:
    """The lines of a text file without their ends, as `parted` finds them."""
    return parted(text(path))


def parted(text: str) -> list[str]:
    """The lines of a text without their ends: a line feed, with a carriage return before it or not, or, where there is no
    line feed at all, a carriage return. No other sign ends a line: corpora have odd ones inside sentences, and lines of
    two files, or of answers, belong together by their number.
    """
    found = text.replace("\r\n", "\n").split("\n") if "\n" in text else text.split("\r")
    if not found[-1]:
        found.pop()
    return found


def arriving() -> Iterator[str]:
    """Standard input as it comes, in pieces that end with a line. Raises HeloError where it is not UTF-8, or has a line
    that does not seem to end.
    """
    stdin: Any = getattr(sys.stdin, "buffer", None) or BytesIO(sys.stdin.read().encode())
    yield from _ending_lines(iter(lambda: stdin.read1(PIECE), b""), STANDARD_INPUT, LONGEST)


def standard_input() -> str:
    """Standard input as text. Raises HeloError where it is not UTF-8."""
    data = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    return decoded(data, STANDARD_INPUT)
