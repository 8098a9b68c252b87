"""The run folder on disk. Whatever is written here is whole at any instant: beside it first, then put in its place.

run.json             what it is: format, helo's version, task, cell, options, data, figures
vocab.json           the symbols
config.toml          what `helo train TASK --config` trains again
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
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

from helo import registry, saved, tasks
from helo.errors import HeloError, place, wrap
from helo.options import recorded

FORMAT = 1  # of run.json; older ones are read
PICTURES = ("confusion.png", "calibration.png", "ribbons.png", "answers.png", "residuals.png", "forecast.png")
PAGES = ("forecasts.html",)
STATE = "last/state.safetensors"
FILES = (
    "run.json",
    "vocab.json",
    "weights.safetensors",
    "metrics.jsonl",
    STATE,
    "config.toml",
    "loss.png",
    *PICTURES,
    *PAGES,
    "README.md",
)
NAMES = tuple(dict.fromkeys([*(f.partition("/")[0] for f in FILES), "tensorboard"]))  # what a run has in its folder
NEW, NOW = ".helo-new", ".helo-now"
COPY = "restore it from an undamaged copy of the run"
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
                mend="free some space, or choose another place",
                where=path,
            ) from error
        raise unwritten(path, error) from error
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
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError) -> HeloError:
    """What a full disk, or a folder that may not be written, is in words."""
    return HeloError(
        f"cannot be written: {error.strerror or error}",
        mend="what was saved before is intact; free some space, then give the same command again (helo train: with --resume)",
        where=path,
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
                raise HeloError(what, expected=f"a file of a run folder, at most {LARGEST:,} bytes")
            with os.fdopen(handle, "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise HeloError("no such file", expected="a run folder, as `helo train` writes it") from None
        except (OSError, ValueError) as error:
            raise HeloError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Raises HeloError with the file's name when it is missing or damaged."""
    with place(path):
        with wrap((ValueError, RecursionError), "damaged:", mend=COPY):
            value = json.loads(content(path).decode())
        if not isinstance(value, dict):
            raise HeloError("damaged: not a JSON object", mend=COPY)
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


#: What run.json may hold (its schema says the same), what it must hold, and what its `data` may hold.
ABOUT: dict[str, Any] = {
    "format": int, "helo": str, "task": str, "cell": str, "parameters": int, "options": dict, "training": dict,
    "data": dict, "figures": dict, "steps": int, "seconds": float, "finished": bool,
    "ended_early": bool,
}  # fmt: skip
MUST = tuple(ABOUT)[:9]
DATA: dict[str, Any] = {
    "train": list[str], "valid": list[str] | str, "fingerprint": dict[str, str], "symbols": dict[str, int], "start": int,
    "examples": dict[str, int], "left_out": list[str], "without_captions": list[str],
}  # fmt: skip


def inside(path: Path, name: str) -> Path:
    """Where a file of a run lies: in its folder, or, when a kill came while it was put there, still on its way."""
    on_its_way = path / NOW / name
    return on_its_way if on_its_way.exists() else path / name


def describe(path: Path) -> dict[str, Any]:
    """run.json of a run, whose every type was looked at. HeloError when there is none, or a newer helo wrote it."""
    if not path.is_dir():
        raise HeloError("no such run folder", expected="a folder that `helo train` wrote", where=path)
    file = inside(path, "run.json")
    about = read_json(file)
    with place(file):
        number = about.get("format")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise HeloError("no format number", expected=f"one up to {FORMAT}", mend=COPY)
        if number > FORMAT:
            raise HeloError(
                f"format {number}",
                expected=f"at most {FORMAT}",
                mend="the run was made by a newer version: pip install -U helo",
            )
        if missing := [k for k in MUST if k not in about]:
            raise HeloError(f"no {missing[0]!r}", mend=COPY)
        with wrap(ValueError, "damaged:", mend=COPY):
            _looked_at(about)
            return about


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
    if data["valid"] == "":
        raise ValueError("data does not say what was validated on")
    for name in ("symbols", "examples"):
        if any(n < 0 for n in data.get(name, {}).values()):
            raise ValueError(f"data.{name} is below 0")
    for name, figure in figures.items():
        # A dict: the same figures of something else, such as seasonal naive.
        several = figure.values() if isinstance(figure, dict) else [figure]
        if not all(isinstance(f, str | int | float | None) for f in several):
            raise ValueError(f"figures.{name} is neither a number nor text")
    if about["cell"] != options.get("cell", about["cell"]):
        raise ValueError(f"cell {about['cell']!r} and options.cell {options['cell']!r} differ")
    if not registry.outside(about["task"]) or registry.remembered(about["task"]):  # else it is not run
        about["options"] = recorded(tasks.find(about["task"]).Options, options)


def is_run(path: Path) -> bool:
    """Whether a folder is a run's, however damaged the rest of it."""
    try:
        about = read_json(inside(path, "run.json"))
    except HeloError:
        return False
    return all(k in about for k in MUST) and isinstance(about["format"], int)
