"""Corpora that have a name: where they lie, how they are known to be whole, under which licence, and whom to cite.

pooch fetches them (chosen because it is small, kept well, and checks what it fetched); what it lacks, going on with a
file that a broken connection left half, is `_Resuming` below. A few are made on the spot, without a network, of what
comes with Python and its packages: `helo.data.embedded`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from helo.data import embedded
from helo.data.readers import files
from helo.errors import HeloError, nearest, wrap

OTHER = "set HELO_DATA to another folder"


def known() -> dict[str, dict[str, Any]]:
    """Every corpus by its name: task, what, licence, citation, train (what to type), and files: the name of each, and
    either url and sha256 or what of `embedded.MADE` makes it.
    """
    return json.loads(resources.files("helo.data").joinpath("corpora.json").read_text(encoding="utf-8"))


def find(name: str) -> dict[str, Any]:
    """One corpus. Raises HeloError, naming the nearest, for one that is not known."""
    found = known()
    if name not in found:
        raise HeloError(f"there is no corpus {name!r}", mend=nearest(name, found))
    return found[name]


def cache() -> Path:
    """Where corpora are kept: the folder that HELO_DATA names, or the user's cache."""
    if os.environ.get("HELO_DATA"):
        return Path(os.environ["HELO_DATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "helo"


def get(name: str, corpus: dict[str, Any] | None = None, say: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Fetch or make what is not there yet, and give the files. Raises HeloError where a file cannot be fetched, or is
    not the one that is meant; then nothing of it is kept. A file has its name only once it is known to be whole.
    """
    corpus = find(name) if corpus is None else corpus
    folder = cache() / name
    paths = []
    for file in corpus["files"]:
        path = folder / file["name"]
        if not path.exists():
            new = path.with_name(f".new-{path.name}")
            with wrap(OSError, "cannot be written:", mend=OTHER, where=folder):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            if "made" in file:
                try:
                    embedded.MADE[file["made"]](new)
                except HeloError as error:
                    error.mend = OTHER
                    raise
            else:
                say(f"{file['name']} from {file['url']}")
                _fetch(file["url"], new)
                if fault := _fault(new, file):
                    new.unlink()
                    fault.where, fault.mend = file["url"], "it is damaged or was replaced, and was not saved"
                    raise fault
            new.replace(path)
        paths.append(path)
    return paths


def check(name: str, corpus: dict[str, Any] | None = None) -> list[tuple[Path, str]]:
    """Each file of a corpus in the cache, and what is wrong with it: "" where nothing is."""
    corpus = find(name) if corpus is None else corpus
    out = []
    for file in corpus["files"]:
        path = cache() / name / file["name"]
        fault = _fault(path, file) if path.exists() else f"missing; helo data get {name}"
        out.append((path, str(fault or "")))
    return out


def typed(name: str, corpus: dict[str, Any], paths: list[Path]) -> str:
    """The command that trains on it."""
    line = corpus["train"]
    for path in paths:
        line = line.replace("{" + path.name + "}", str(path))
    return line


def _fault(path: Path, file: dict[str, Any]) -> HeloError | None:
    """What is wrong with a file that is here."""
    if "made" in file:
        return None
    data = files.content(path) if file.get("of") == "content" else path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found == file["sha256"]:
        return None
    return HeloError(
        f"SHA-256 {found[:16]}…", expected=f"{file['sha256'][:16]}…", mend="delete it and download it again", where=path
    )


def _fetch(url: str, path: Path) -> None:
    with wrap(ImportError, "downloading a corpus needs pooch", mend="pip install 'helo[data]'"):
        import pooch
    pooch.get_logger().setLevel("WARNING")  # what comes from where we say ourselves
    mend = "run the command again to continue the download"
    with wrap(OSError, "cannot be downloaded:", mend=mend, where=url):  # all that requests raises is of that kind
        pooch.retrieve(url, known_hash=None, fname=path.name, path=path.parent, downloader=_Resuming(path))  # pyright: ignore[reportArgumentType]


class _Resuming:
    """A pooch downloader that keeps what came of a file, and asks for the rest of it (HTTP ranges, RFC 9110)."""

    def __init__(self, path: Path):
        self.part = path.with_name(f".{path.name}.part")

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        import requests
        from rich.progress import Progress

        self.part.parent.mkdir(parents=True, exist_ok=True)
        have = self.part.stat().st_size if self.part.exists() else 0
        with requests.get(url, stream=True, timeout=30, headers={"Range": f"bytes={have}-"} if have else {}) as answer:
            if answer.status_code != 416:  # 416: all of it was there already
                answer.raise_for_status()
                going = answer.status_code == 206
                total = int(answer.headers.get("content-length", 0)) + (have if going else 0)
                with self.part.open("ab" if going else "wb") as to, Progress(transient=True) as bar:
                    task = bar.add_task(self.part.name[1:-5], total=total or None, completed=have if going else 0)
                    for block in answer.iter_content(1 << 16):
                        to.write(block)
                        bar.advance(task, len(block))
                if total and self.part.stat().st_size < total:
                    raise requests.exceptions.ConnectionError(f"{self.part.stat().st_size:,} of {total:,} bytes came")
        Path(output_file).write_bytes(self.part.read_bytes())
        self.part.unlink()
