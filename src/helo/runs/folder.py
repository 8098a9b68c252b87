"""The run folder on disk. Whatever is written here is whole at any instant: beside it first, then put in its place.

run.json             what it is: format, helo's version, task, cell, options, data, figures
vocab.json           the symbols
weights.safetensors  the best by validation
last/                where training stands, in one file: weights, optimiser, state, position, random state
metrics.jsonl        one object a report
loss.png, README.md  for people

A run begins in `.helo-new` beside them. When it is whole it becomes `.helo-now` by one rename, and from then on it is what
counts, though its files still move up, one by one, into the places of those that were there: `inside` finds each.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from helo import saved, tasks
from helo.errors import HeloError, place
from helo.options import recorded

FORMAT = 1  # of run.json; older ones are read
PICTURES = ("confusion.png", "calibration.png", "ribbons.png")
STATE = "last/state.safetensors"
FILES = ("run.json", "vocab.json", "weights.safetensors", "metrics.jsonl", STATE, "loss.png", *PICTURES, "README.md")
NAMES = tuple(dict.fromkeys([*(f.partition("/")[0] for f in FILES), "tensorboard"]))  # what a run has in its folder
NEW, NOW = ".helo-new", ".helo-now"
# What a kill leaves of `replacing`, and of TensorBoard's writer; nobody else's files are ever taken away.
LITTER = re.compile(rf"\.({'|'.join(re.escape(f.rpartition('/')[2]) for f in FILES)})\.[a-z0-9_]{{8}}")
EVENTS = re.compile(r"events\.out\.tfevents\..*")
LARGEST = 1 << 28  # bytes of a JSON file that are read
#: What to type next, by the verb that asks a model of its shape.
NEXT = {"sample": 'helo sample {} --prompt "..."', "predict": "helo predict {} FILES   (or - for standard input)"}


def schema() -> dict[str, Any]:
    """The JSON schema of run.json."""
    return json.loads(resources.files("helo.runs").joinpath("run.schema.json").read_text(encoding="utf-8"))


@contextmanager
def replacing(path: Path, named: bool = False) -> Iterator[Path]:
    """A path to write to in place of `path`; it takes its place when the block ends well, and is gone when not. named: by a
    person, so that a link stays a link, a file is as open to others as it was, and what is no file (/dev/null, a named
    pipe) stays what it is and gets the bytes.

    Raises HeloError when the disk is full or may not be written; what stood there stands there still.
    """
    beside, mode = None, 0
    through = named and path.exists() and not path.is_file()
    try:
        if through:
            handle, name = tempfile.mkstemp()
        else:
            path = path.resolve() if named else path
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = path.stat().st_mode & 0o777 if named and path.exists() else 0o666 & ~_umask()
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")  # with room in the name
        beside = Path(name)
        os.close(handle)
        yield beside
        if through:
            with beside.open("rb") as written, path.open("wb") as there:
                shutil.copyfileobj(written, there)
        else:
            with beside.open("rb+") as written:
                os.fsync(written.fileno())
            beside.chmod(mode)
            beside.replace(path)
    except OSError as error:
        if named:
            raise HeloError(
                f"cannot be written: {error.strerror or error}",
                mend="make room, or name another place",
                where=str(path),
            ) from error
        raise _unwritten(path, error) from error
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """A page or table at a place that a person names, as `replacing` writes there."""
    with replacing(Path(path), named=True) as beside:
        beside.write_text(text, encoding="utf-8", errors="replace")


def append(path: Path, line: str) -> None:
    """One more line; what a full disk or a kill cuts short is the last one."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> HeloError:
    return HeloError(
        f"cannot be written: {error.strerror or error}",
        mend="what was saved before stands; make room, and go on with --resume",
        where=str(path),
    )


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def write_json(path: Path, value: Any) -> None:
    """Written whole or not at all."""
    try:
        data = json.dumps(value, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # the name of a file that is not UTF-8
        data = json.dumps(value, indent=1).encode()
    with replacing(path) as beside:
        beside.write_bytes(data + b"\n")


def content(path: Path) -> bytes:
    """All bytes of a small file. Raises HeloError, with its name, where it is none: of a pipe or a device nothing is read."""
    with place(path):
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
                os.close(handle)
                what = f"{about.st_size:,} bytes" if stat.S_ISREG(about.st_mode) else "no file"
                raise HeloError(what, expected=f"a file of a run folder, of {LARGEST:,} bytes at most")
            with os.fdopen(handle, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise HeloError("no such file", expected="a run folder, as `helo train` writes it") from None
        except (OSError, ValueError) as error:
            raise HeloError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Raises HeloError with the file's name when it is missing or damaged."""
    with place(path):
        try:
            value = json.loads(content(path).decode())
        except (ValueError, RecursionError) as error:
            raise HeloError(f"damaged: {error}", mend="take it from a whole copy of the run") from error
        if not isinstance(value, dict):
            raise HeloError("damaged: not a JSON object", mend="take it from a whole copy of the run")
        return value


def metrics(path: Path) -> list[dict[str, Any]]:
    """All reports of metrics.jsonl; a last line that a kill cut short is left out, and what is no finite number is None."""

    def finite(digits: str) -> float | None:
        return value if math.isfinite(value := float(digits)) else None

    reports = []
    for line in content(path).splitlines() if path.exists() else ():
        try:
            found = json.loads(line, parse_float=finite, parse_constant=lambda word: None)
        except (ValueError, RecursionError):
            break
        if isinstance(found, dict) and all(isinstance(found.get(k), int | float) for k in ("step", "loss", "valid")):
            reports.append(found)
    return reports


def write_arrays(
    path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any] | None = None, named: bool = False
) -> None:
    """A safetensors file; `about`, anything JSON can say, stands in its header. named: as `replacing` takes it."""
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    with replacing(path, named) as beside:
        beside.write_bytes(save(whole, {"about": json.dumps(about)} if about is not None else None))


#: Shapes and types of arrays by their names.
Sizes = Mapping[str, tuple[tuple[int, ...], np.dtype]]


def read_arrays(
    path: Path, wanted: Callable[[int, int], Sizes] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file and what its header says about them. wanted: of the file's count of numbers and of
    arrays, what it must hold, which is looked at before any of it is read.

    Raises HeloError with the file's name when it is missing or damaged, has other arrays, or NaN or infinity in one.
    """
    with place(path):
        if not path.is_file():
            raise HeloError("no such file", expected="a safetensors file")
        sizes: Sizes = {}
        try:
            with safe_open(path, "numpy") as file:
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                if wanted is not None:
                    sizes = wanted(sum(map(math.prod, shapes.values())), len(shapes))
                    _compare(shapes, sizes)
                arrays = {name: file.get_tensor(name) for name in shapes}
        except HeloError:
            raise
        except (SafetensorError, OSError, ValueError, TypeError, RecursionError, AttributeError, MemoryError) as error:
            raise HeloError(f"damaged: {error}", mend="take it from a whole copy") from error
        if not isinstance(about, dict):
            raise HeloError("damaged: its header is not a JSON object", mend="take it from a whole copy")
        if wanted is not None:
            compare(arrays, sizes)
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise HeloError(f"{name} has NaN or infinity", expected="numbers", mend="take it from a whole copy")
        return arrays, about


def _compare(found: Mapping[str, Sequence[int]], wanted: Sizes) -> None:
    """Raises HeloError for the first array that lacks, is too many, or has another shape."""
    for name in sorted({*found, *wanted}):
        ours = wanted[name][0] if name in wanted else None
        theirs = tuple(found[name]) if name in found else None
        if ours != theirs:
            raise HeloError(
                f"{name} is {theirs if theirs is not None else 'not there'}",
                expected=f"{ours if ours is not None else 'no such part'}, as run.json and vocab.json say",
                mend="take all files from one run",
            )


def state_arrays(state: Any) -> dict[str, np.ndarray]:
    """A state, layers of arrays, as arrays named `layer.place`; `layered` reads them."""
    return {f"{i}.{j}": s for i, layer in enumerate(state or ()) for j, s in enumerate(layer)}


def layered(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[np.ndarray, ...], ...]:
    """A state out of arrays named `layer.place`."""
    layers: dict[int, dict[int, np.ndarray]] = {}
    for name, array in arrays.items():
        i, j = map(int, name.split("."))
        layers.setdefault(i, {})[j] = array
    return tuple(tuple(layer[j] for j in sorted(layer)) for _, layer in sorted(layers.items()))


def checked_state(arrays: Mapping[str, np.ndarray], like: Any, rows: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """The same, of a file: HeloError unless it is of the layers of `like`, with so many rows."""
    compare(arrays, {n: ((rows, *a.shape[1:]), a.dtype) for n, a in state_arrays(like).items()})
    return layered(arrays)


def compare(arrays: Mapping[str, np.ndarray], wanted: Sizes) -> None:
    """Raises HeloError for the first array that lacks, is too many, or has another shape or type."""
    _compare({n: a.shape for n, a in arrays.items()}, wanted)
    for name, array in arrays.items():
        if array.dtype != wanted[name][1]:
            raise HeloError(f"{name} of {array.dtype}", expected=f"{wanted[name][1]}", mend="take it from a whole copy")


#: What run.json may hold (its schema says the same), what it must hold, and what its `data` may hold.
ABOUT: dict[str, Any] = {
    "format": int, "helo": str, "task": str, "cell": str, "parameters": int, "options": dict, "training": dict,
    "data": dict, "figures": dict, "steps": int, "seconds": float, "finished": bool,
}  # fmt: skip
MUST = tuple(ABOUT)[:9]
DATA: dict[str, Any] = {
    "train": list[str], "valid": list[str] | str, "fingerprint": dict[str, str], "symbols": dict[str, int], "start": int,
    "examples": dict[str, int], "left_out": list[str], "without_captions": list[str],
}  # fmt: skip
AGAIN = "take it from a whole copy of the run"


def inside(path: Path, name: str) -> Path:
    """Where a file of a run lies: in its folder, or, when a kill came while it was put there, still on its way."""
    on_its_way = path / NOW / name
    return on_its_way if on_its_way.exists() else path / name


def describe(path: Path) -> dict[str, Any]:
    """run.json of a run, whose every type was looked at. HeloError when there is none, or a newer helo wrote it."""
    if not path.is_dir():
        raise HeloError("no such run folder", expected="a folder that `helo train` wrote", where=str(path))
    file = inside(path, "run.json")
    about = read_json(file)
    with place(file):
        number = about.get("format")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise HeloError("no format number", expected=f"one up to {FORMAT}", mend=AGAIN)
        if number > FORMAT:
            raise HeloError(
                f"format {number}", expected=f"at most {FORMAT}", mend="the run is of a newer helo: pip install -U helo"
            )
        if missing := [k for k in MUST if k not in about]:
            raise HeloError(f"no {missing[0]!r}", mend=AGAIN)
        try:
            _looked_at(about)
            return about
        except ValueError as error:
            raise HeloError(f"damaged: {error}", mend=AGAIN) from error


def _looked_at(about: dict[str, Any]) -> None:
    """Raises ValueError for a value that is not of its type, HeloError for a task that is not known."""
    saved.known(about, **{k: hint for k, hint in ABOUT.items() if k in about})
    data, figures, options = about["data"], about["figures"], about["options"]
    for name in ("parameters", "steps", "seconds"):
        if about.get(name, 0) < 0:
            raise ValueError(f"{name} is {about[name]}")
    for name in ("train", "valid", "fingerprint"):
        if name not in data:
            raise ValueError(f"data has no {name!r}")
    for name, hint in DATA.items():
        if name in data:
            saved.typed(data[name], hint, f"data.{name}")
    saved.typed(about["training"].get("metric"), str | None, "training.metric")
    if not data["train"] or not data["valid"]:
        raise ValueError("data names no files")
    for name in ("symbols", "examples"):
        if any(n < 0 for n in data.get(name, {}).values()):
            raise ValueError(f"data.{name} is below 0")
    for name, figure in figures.items():
        if not isinstance(figure, str | int | float | None):
            raise ValueError(f"figures.{name} is neither a number nor text")
    if about["cell"] != options.get("cell", about["cell"]):
        raise ValueError("cell and options.cell differ")
    about["options"] = recorded(tasks.find(about["task"]).Options, options)


def is_run(path: Path) -> bool:
    """Whether a folder is a run's, however damaged the rest of it."""
    try:
        about = read_json(inside(path, "run.json"))
    except HeloError:
        return False
    return all(k in about for k in MUST) and isinstance(about["format"], int)


# One writer a folder.


@contextmanager
def held(path: Path, free: bool = False) -> Iterator[None]:
    """A folder, made where there is none, that nobody else writes a run into meanwhile. What a kill left half done in it
    is brought to its end before, and a folder that stays empty goes again. free: it must not be there yet.

    The lock is the system's, on the folder itself: it leaves no file, and a kill releases it. Raises HeloError where
    another process holds it; FileExistsError where it had to be free.
    """
    made: list[Path] = []
    try:
        handle = _locked(path, made, free)
        try:
            settle(path)
            yield
        finally:
            try:
                with suppress(HeloError):  # the next start does it
                    settle(path)
            finally:
                with suppress(OSError):
                    os.close(handle)
    finally:
        with suppress(OSError):
            for folder in reversed(made):
                folder.rmdir()


def _locked(path: Path, made: list[Path], free: bool) -> int:
    try:
        while True:
            above = path
            missing = []
            while not above.exists() and above != above.parent:
                missing.append(above)
                above = above.parent
            if free and path not in missing:
                raise FileExistsError(str(path))
            for folder in reversed(missing):
                with suppress(FileExistsError) if folder != path or not free else nullcontext():
                    folder.mkdir()
                    made.append(folder)
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
            if not _flock(handle):
                os.close(handle)
                raise HeloError(
                    "another training writes here", mend="wait for its end, or --out names another", where=str(path)
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
            os.close(handle)  # the one who held it has taken the folder away
    except FileExistsError:
        raise
    except NotADirectoryError as error:
        raise HeloError("a file of that name stands there", expected="a folder or nothing", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise HeloError(
            f"cannot be written: {getattr(error, 'strerror', None) or error}", mend="--out names another folder",
            where=str(path),
        ) from error  # fmt: skip


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
        raise _unwritten(Path(error.filename or path), error) from error


def write_page(path: Path, about: Mapping[str, Any], verb: str = "sample", report: str = "") -> None:
    """README.md of a run: what it is, how it was made, its figures, what to type next. report: Markdown of its own."""
    figures = "\n".join(
        f"| {k} | {v:.4f} |" if isinstance(v, float) else f"| {k} | {v} |" for k, v in about["figures"].items()
    )
    options = "\n".join(f"| {k} | {v} |" for k, v in {**about["options"], **about["training"]}.items() if v is not None)
    data = about["data"]
    pictures = "".join(f"![{p.removesuffix('.png')}]({p}) " for p in PICTURES if (path / p).exists())
    text = f"""# {path.name}

A model of the shape `{about["task"]}` with the cell `{about["cell"]}` and {about["parameters"]:,} parameters, made by
helo {about["helo"]} in {about["seconds"]:.0f} seconds and {about["steps"]:,} steps.

Learned from {", ".join(f"`{Path(f).name}`" for f in data["train"])}; validated on {
        data["valid"] if isinstance(data["valid"], str) else ", ".join(f"`{Path(f).name}`" for f in data["valid"])
    }.

| figure | |
|---|---|
{figures}

![loss](loss.png)
{pictures}
{report}
Type next, in the folder above:

    {NEXT[verb].format(path.name)}
    helo eval {path.name}
    helo info {path.name}

| option | |
|---|---|
{options}

`weights.safetensors` holds the best weights by validation, `vocab.json` the symbols, `last/` where training stands
(needed only to go on with `--resume`), `metrics.jsonl` one object a report. NumPy alone is enough to use it.
"""
    with replacing(path / "README.md") as beside:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
