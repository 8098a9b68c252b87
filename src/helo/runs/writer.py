"""One writer a run folder: its lock, and how a run that is whole takes the place of the one that stands there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from helo.errors import HeloError
from helo.runs.folder import FILES, NEW, NOW, unwritten

# What a kill leaves of `replacing`, and of TensorBoard's writer; nobody else's files are ever taken away.
LITTER = re.compile(rf"\.({'|'.join(re.escape(f.rpartition('/')[2]) for f in FILES)})\.[a-z0-9_]{{8}}")
EVENTS = re.compile(r"events\.out\.tfevents\..*")


@contextmanager
def held(path: Path, free: bool = False) -> Iterator[None]:
    """A folder, made where there is none, that nobody else writes a run into meanwhile. What a kill left half done in it
    is brought to its end before, and a folder that stays empty goes again. free: it must not be there yet.

    The lock is the system's, on the folder itself: it leaves no file, and a kill releases it. Raises HeloError where
    another process holds it; FileExistsError where it had to be free.
    """
    made: set[Path] = set()
    try:
        handle = _locked(path, made, free)
        try:
            settle(path)
            yield
        finally:
            try:
                with suppress(HeloError):  # the next start does it
                    settle(path)
                if path in made:  # while it is held: who was refused must not take away what another has begun in
                    with suppress(OSError):
                        path.rmdir()
            finally:
                with suppress(OSError):
                    os.close(handle)
    finally:
        with suppress(OSError):
            for folder in sorted(made - {path}, reverse=True):
                folder.rmdir()


def free(path: Path) -> bool:
    """Whether nobody writes a run into a folder."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return not path.exists()
    try:
        return _flock(handle)
    finally:
        os.close(handle)


def _locked(path: Path, made: set[Path], free: bool) -> int:
    """The folder, open and locked. made: the folders that it had to make, for whoever takes them away again."""
    gone = None
    for _ in range(100):
        try:
            return _opened(path, made, free)
        except FileExistsError:
            raise
        except FileNotFoundError as error:  # whoever made a folder took it away between two lines: once more
            gone = error
        except NotADirectoryError as error:
            raise HeloError(
                "a file of that name exists already", expected="a folder or a new name", where=path
            ) from error
        except (OSError, ValueError) as error:
            raise _unmade(path, error) from error
    raise _unmade(path, gone) from gone


def _opened(path: Path, made: set[Path], free: bool) -> int:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    if free and path not in missing:
        raise FileExistsError(str(path))
    for folder in reversed(missing):
        with suppress(FileExistsError) if folder != path or not free else nullcontext():
            folder.mkdir()
            made.add(folder)
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        if not _flock(handle):
            if free:
                raise FileExistsError(str(path))
            raise HeloError("another training writes here", mend="wait for its end, or give another --out", where=path)
        if not os.path.samestat(os.fstat(handle), os.stat(path)):
            raise FileNotFoundError(str(path))
    except BaseException:
        os.close(handle)
        raise
    return handle


def _unmade(path: Path, error: Exception | None) -> HeloError:
    return HeloError(
        f"cannot be written: {getattr(error, 'strerror', None) or error}", mend="give another --out", where=path
    )


def _flock(handle: int) -> bool:
    """Whether the lock was free; where the system has no such locks it always is."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass
    return True


def settle(path: Path) -> None:
    """Bring to an end what a kill cut short: a run that is whole takes its place, one that is not goes, and so does what
    was half written. Only who holds the folder may call it.
    """
    with _changing(path):
        if (path / NOW).is_dir() and not (path / NOW).is_symlink():
            _move_up(path)
        if (path / NEW).is_dir() and not (path / NEW).is_symlink():
            _emptied(path / NEW)
        _tidied(path)


def take_place(path: Path) -> None:
    """The run in `.helo-new`, which is whole, becomes that of the folder, in place of any that was there."""
    with _changing(path):
        for file in _own(path):  # of the old one what the new one may not have; without it, it is still whole
            name = str(file.relative_to(path))
            if name not in ("run.json", "vocab.json", "weights.safetensors"):
                file.unlink()
        (path / NEW).rename(path / NOW)
        _move_up(path)


def _move_up(path: Path) -> None:
    for file in _own(path / NOW):
        to = path / file.relative_to(path / NOW)
        to.parent.mkdir(exist_ok=True)
        file.replace(to)
    _emptied(path / NOW)


def _own(path: Path) -> list[Path]:
    """The files of a run in a folder; never what lies behind a link to another folder."""
    found = [path / f for f in FILES if not (path / f).parent.is_symlink()]
    events = path / "tensorboard"
    if events.is_dir() and not events.is_symlink():
        found += [p for p in sorted(events.iterdir()) if EVENTS.fullmatch(p.name)]
    return [f for f in found if os.path.lexists(f) and (f.is_symlink() or not f.is_dir())]


def _tidied(path: Path) -> None:
    """Without what was half written."""
    for folder in (path, path / "last"):
        if folder.is_dir() and not folder.is_symlink():
            for file in list(folder.iterdir()):
                if LITTER.fullmatch(file.name) and file.is_file():
                    file.unlink()


def _emptied(path: Path) -> None:
    """Take a run's files away, and the folders that are empty then."""
    _tidied(path)
    for file in _own(path):
        file.unlink()
    for folder in (path / "last", path / "tensorboard", path):
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritten(Path(error.filename or path), error) from error
