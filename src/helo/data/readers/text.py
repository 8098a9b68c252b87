"""Running text: files, folders, globs, `.gz`, standard input. It is read in pieces, so its size does not matter."""

from __future__ import annotations

import codecs
import glob
import gzip
import hashlib
import io
import os
import shutil
import sys
import tempfile
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from helo.data.readers import encoding
from helo.data.readers.encoding import decoded
from helo.errors import HeloError, place, wrap

PIECE = 1 << 20  # bytes read at a time
FORMS = ("NFC", "NFD", "NFKC", "NFKD", "none")


@dataclass(frozen=True)
class Text:
    """A text in one or many files. form: the Unicode normal form to which it is brought, or "none".

    raw: the bytes as they stand, no UTF-8 asked for.
    """

    files: tuple[Path, ...]
    form: str = "none"
    raw: bool = False

    def pieces(self) -> Iterator[bytes]:
        """The text in pieces of about a megabyte, cut between characters (and, but for one enormous line, lines).

        Raises HeloError, with the file and the byte, where it is not UTF-8.
        """
        for file in self.files:
            with place(file), opened(file) as stream:
                yield from _raw(stream) if self.raw else self._decoded(stream, str(file))

    def _decoded(self, stream: IO[bytes], file: str) -> Iterator[bytes]:
        rest, at, line = b"", 0, 1
        for n, block in enumerate(_raw(stream)):
            if n == 0 and block.startswith(codecs.BOM_UTF8):
                at, block = len(codecs.BOM_UTF8), block.removeprefix(codecs.BOM_UTF8)
            block = rest + block
            cut = block.rfind(b"\n") + 1 or self._boundary(block)
            yield self._normal(block[:cut], file, at, line)
            at, line, rest = at + cut, line + block.count(b"\n", 0, cut), block[cut:]
        if rest:
            yield self._normal(rest, file, at, line)

    def _normal(self, block: bytes, file: str, at: int, line: int) -> bytes:
        text = decoded(block, file, at, line, "train with --units bytes")
        whole = self.form == "none" and len(text) == len(block)
        return block if whole else self._normalize(text).encode()

    def _normalize(self, text: str) -> str:
        return text if self.form == "none" else unicodedata.normalize(self.form, text)  # pyright: ignore[reportArgumentType]

    def _boundary(self, block: bytes) -> int:
        """Where to cut a block without line ends: before its last character that nothing before it combines with, so
        that each side comes to its normal form by itself; failing that, before its last whole character.
        """
        starts = [i for i in range(len(block) - 1, max(0, len(block) - 4096), -1) if block[i] & 0xC0 != 0x80]
        for i in starts:
            before, after = (b.decode(errors="ignore") for b in (block[max(0, i - 64) : i], block[i:]))
            alone = after and not unicodedata.combining(unicodedata.normalize("NFKD", after[0])[0])
            if alone and self._normalize(before + after) == self._normalize(before) + self._normalize(after):
                return i
        return starts[0] if starts else len(block)

    def fingerprint(self) -> str:
        """SHA-256 of the bytes of all files, in order; in 16 hex digits."""
        digest = hashlib.sha256()
        for file in self.files:
            with place(file), opened(file) as stream:
                for block in _raw(stream):
                    digest.update(block)
        return digest.hexdigest()[:16]


def find(names: Sequence[str | Path], form: str = "none", raw: bool = False) -> Text:
    """The text given by files, folders (all their text files, sorted), globs, or `-` for standard input.

    Raises HeloError for missing or empty files and for folders without text.
    """
    if form not in FORMS:
        raise HeloError(f"there is no normal form {form!r}", expected="one of " + ", ".join(FORMS))
    if not names:
        raise HeloError("no text was given", expected="files, folders, or - for standard input")
    files: list[Path] = []
    for name in map(str, names):
        with place(name):
            files += meant(name)
    if not any(f.stat().st_size for f in files):
        raise HeloError(
            "the file is empty" if len(files) == 1 else "all files are empty", where=", ".join(map(str, names))
        )
    return Text(tuple(files), form, raw)


def meant(name: str) -> list[Path]:
    """The files that a name means: itself, a folder's text, a glob's, or standard input."""
    path = Path(os.path.expanduser(name))
    if name == "-":
        return [_spooled(sys.stdin.buffer, "standard input")]
    if path.is_dir():
        inside = [p for p in below(path) if _is_text(p)]
        if not inside:
            raise HeloError("the folder has no text", expected="text files in it or in its subfolders")
        return inside
    if path.is_fifo():  # such as <(zcat a.gz b.gz)
        with path.open("rb") as stream:
            return [_spooled(stream, path.name)]
    if path.is_char_device() or path.is_block_device() or path.is_socket():
        raise HeloError("a device", expected="a file", mend="- reads standard input")
    if path.exists():
        return [path]
    if path.is_symlink():
        raise HeloError("a link to a missing file", expected="a file or folder")
    found = sorted(Path(p) for p in glob.glob(str(path), recursive=True))
    found = [p for p in found if p.is_file()]
    if not found:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        from difflib import get_close_matches

        close = get_close_matches(path.name, beside, n=1)
        raise HeloError("no such file or folder", mend=f"did you mean {path.parent / close[0]}?" if close else "")
    return found


def below(folder: Path) -> list[Path]:
    """The files of a folder and of those below it, sorted, without hidden ones: programs leave such beside people's.

    Raises OSError for a folder that cannot be read: nobody is to learn from half of a text without knowing.
    """

    def refused(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for at, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [p for p in (Path(at) / n for n in names if not n.startswith(".")) if p.is_file()]
    return sorted(found)


def _is_text(path: Path) -> bool:
    """Not empty, and no NUL in its first kilobytes, as grep and git tell text from the rest; or text by its name in what
    has NULs, UTF-16.
    """
    with opened(path) as stream:
        try:
            start = stream.read(8192)
        except (OSError, EOFError, zlib.error):  # a .gz that is none
            return False
    if b"\0" in start or encoding.kind(start):
        return path.suffix.lower() in (".txt", ".md") and encoding.wide(start) is not None
    return bool(start)


def _spooled(stream: IO[bytes], name: str) -> Path:
    """What comes once as a file, since a text is read more than once; it goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="helo-")
    _kept.append(folder)
    path = Path(folder.name) / name
    with path.open("wb") as to:
        shutil.copyfileobj(stream, to)
    return path


def kept(data: bytes) -> Path:
    """A text that was given in Python, as a file."""
    return _spooled(io.BytesIO(data), "text")


_kept: list[tempfile.TemporaryDirectory[str]] = []


def opened(path: Path) -> BinaryIO:
    """A file to be read; of a `.gz`, what is in it."""
    with wrap(OSError, "cannot be read:", where=path):
        if path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        return path.open("rb")


def _raw(stream: IO[bytes]) -> Iterator[bytes]:
    with wrap(
        (OSError, EOFError, zlib.error), "cannot be read:", mend="is it complete, and is a .gz file really gzip?"
    ):
        while block := stream.read(PIECE):
            yield block
