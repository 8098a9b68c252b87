"""The run folder on disk. Whatever is written here is whole at any instant: beside it first, then put in its place.

run.json             what it is: format, helo's version, task, cell, options, data, figures
vocab.json           the symbols
weights.safetensors  the best by validation
last/                where training stands, in one file: weights, optimiser, state, position, random state
metrics.jsonl        one object a report
loss.png, README.md  for people
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from helo.errors import HeloError, place

FORMAT = 1  # of run.json; older ones are read
NAMES = (
    "run.json",
    "vocab.json",
    "weights.safetensors",
    "metrics.jsonl",
    "loss.png",
    "confusion.png",
    "calibration.png",
    "ribbons.png",
    "README.md",
    "last",
    "tensorboard",
)
PICTURES = ("confusion.png", "calibration.png", "ribbons.png")
#: What to type next, by the verb that asks a model of its shape.
NEXT = {"sample": 'helo sample {} --prompt "..."', "predict": "helo predict {} FILES   (or - for standard input)"}


def schema() -> dict[str, Any]:
    """The JSON schema of run.json."""
    return json.loads(resources.files("helo.runs").joinpath("run.schema.json").read_text(encoding="utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to in place of `path`; it takes its place when the block ends well, and is gone when not.

    Raises HeloError when the disk is full or may not be written; what stood there stands there still.
    """
    beside = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        beside = Path(name)
        os.close(handle)
        yield beside
        with beside.open("rb+") as written:
            os.fsync(written.fileno())
        mode = 0o666 & ~_umask()
        beside.chmod(mode)
        beside.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


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
    with replacing(path) as beside:
        text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files need not be UTF-8


def read_json(path: Path) -> dict[str, Any]:
    """Raises HeloError with the file's name when it is missing or damaged."""
    with place(path):
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise HeloError("no such file", expected="a run folder, as `helo train` writes it") from None
        except (OSError, ValueError, RecursionError) as error:
            raise HeloError(f"damaged: {error}", mend="take it from a whole copy of the run") from error
        if not isinstance(value, dict):
            raise HeloError("damaged: not a JSON object", mend="take it from a whole copy of the run")
        return value


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any] | None = None) -> None:
    """A safetensors file; `about`, anything JSON can say, stands in its header."""
    whole = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    with replacing(path) as beside:
        beside.write_bytes(save(whole, {"about": json.dumps(about)} if about is not None else None))


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file and what its header says about them."""
    with place(path):
        if not path.is_file():
            raise HeloError("no such file", expected="a safetensors file")
        try:
            with safe_open(path, "numpy") as file:
                arrays = {name: file.get_tensor(name) for name in list(file.keys())}
                return arrays, json.loads((file.metadata() or {}).get("about", "{}"))
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise HeloError(f"damaged: {error}", mend="take it from a whole copy") from error


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


def describe(path: Path) -> dict[str, Any]:
    """run.json of a run. HeloError when there is none, or a newer helo wrote it."""
    if not path.is_dir():
        raise HeloError("no such run folder", expected="a folder that `helo train` wrote", where=str(path))
    about = read_json(path / "run.json")
    with place(path / "run.json"):
        number = about.get("format")
        if not isinstance(number, int):
            raise HeloError(
                "no format number", expected=f"one up to {FORMAT}", mend="take it from a whole copy of the run"
            )
        if number > FORMAT:
            raise HeloError(
                f"format {number}", expected=f"at most {FORMAT}", mend="the run is of a newer helo: pip install -U helo"
            )
        missing = [k for k in schema()["required"] if k not in about]
        if missing:
            raise HeloError(f"no {missing[0]!r}", mend="take it from a whole copy of the run")
    return about


def clear(path: Path) -> None:
    """Take away what a run writes, and nothing else that lies there; run.json last, so that it is a run until then."""
    for name in reversed(NAMES):
        file = path / name
        try:
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise HeloError(f"cannot be taken away: {error.strerror or error}", where=str(file)) from error


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
