"""h_t = f_W(h_{t-1}, x_t): one file a cell, its equations written once.

cells.names()                     what there is
cells.find("lstm")                a cell; "rnn,nonlinearity=relu" with an option, "file.py:Name" from outside
cells.step(cell, parameters, state, x)      one step, for whoever wants to see the numbers
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import sys
import typing
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path

from helo import registry
from helo.cells.base import Cell, LinearCell, Parameters, State
from helo.cells.functions import Array
from helo.errors import HeloError, nearest, others, place

__all__ = ["Cell", "LinearCell", "find", "names", "step"]

_NOT_CELLS = ("base", "functions")
_OUTSIDE = "helo_cell_"  # how modules of files from outside are called


def names() -> list[str]:
    """The registered cells: the files of this room, and what other packages register as entry points `helo.cells`."""
    own = registry.names("helo.cells", _NOT_CELLS)
    outside = [e.name for e in entry_points(group="helo.cells")]
    twice = {n for n in outside if n in own or outside.count(n) > 1}
    if twice:
        raise HeloError(f"two cells are called {min(twice)!r}", mend="uninstall or rename one of them")
    return sorted(own + outside)


def find(spec: str) -> Cell:
    """The cell of a specification: `name`, `path/to/file.py:Name`, either followed by `,option=value`.

    Raises HeloError, naming the nearest, for an unknown cell, option or value.
    """
    name, *given = spec.split(",")
    with place(name):
        if not outside(name):
            kind = _registered(name)
            return kind(**dict(_option(kind, g) for g in given))
        kind = _outside(name)
        try:
            return kind(**dict(_option(kind, g) for g in given))
        except HeloError:
            raise
        except Exception as error:
            raise HeloError(f"the cell cannot be made: {type(error).__name__}: {error}") from error


def home(cell: Cell) -> str | None:
    """The file of a cell from outside, `file.py:Name`; None of one that is registered."""
    module = type(cell).__module__
    return sys.modules[module].__file__ if module.startswith(_OUTSIDE) else None


def located(spec: str) -> str:
    """The same specification, valid in every working folder: a file's path is made absolute."""
    name, *given = spec.split(",")
    if outside(name):
        file, _, kind = name.rpartition(":")
        name = f"{Path(os.path.expanduser(file)).resolve()}:{kind}"
    return ",".join([name, *given])


def outside(spec: str) -> bool:
    """Whether a specification names a file, which runs when the cell is found."""
    return ".py:" in spec.split(",")[0]


def remember(spec: str) -> None:
    """A person has named this file by their own word: from then on, as long as not a byte of it changes, runs that name it
    may run it on this account. Where nothing can be written nothing is remembered.
    """
    if outside(spec) and not remembered(spec):
        with suppress(OSError, ValueError):
            file = _trusted()
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="ascii") as lines:
                lines.write(_digest(spec) + "\n")


def remembered(spec: str) -> bool:
    """Whether a person on this account has once named this file, as it is now."""
    with suppress(OSError, ValueError):
        return _digest(spec) in _trusted().read_text(encoding="ascii").split()
    return False


def _digest(spec: str) -> str:
    """Of a file's place and content."""
    file = Path(spec.split(",")[0].rpartition(":")[0]).resolve()
    return hashlib.sha256(os.fsencode(file) + b"\0" + file.read_bytes()).hexdigest()


def _trusted() -> Path:
    """Where it is kept which files were named: HELO_TRUSTED, or a file of the account."""
    return Path(os.environ.get("HELO_TRUSTED") or os.path.expanduser("~/.local/state/helo/trusted"))


def named(spec: str, recorded: str, where: str) -> str:
    """The cell that a person names in place of the one that a run recorded, which is the same but for where its file lies;
    its options may be left out. Raises HeloError for another cell.
    """
    spec = located(spec)
    (file, *given), (theirs, *own) = spec.split(","), recorded.split(",")
    same = file.rpartition(":")[2] == theirs.rpartition(":")[2] and outside(file) == outside(theirs)
    if not same or (given and given != own):
        raise HeloError(f"--cell {spec}", expected=f"--cell {recorded}, or the same from another file", where=where)
    return ",".join([file, *own])


def step(cell: Cell | str, parameters: Parameters, state: State, x: Array) -> tuple[State, Array]:
    """One step of a cell on an input x `(batch, inputs)`: the next state and the output `(batch, hidden)`."""
    cell = find(cell) if isinstance(cell, str) else cell
    return cell.step(parameters, state, cell.project(parameters, x))


def _registered(name: str) -> type[Cell]:
    own = registry.names("helo.cells", _NOT_CELLS)
    if name not in own:  # only then: reading what all packages register takes longer than a short answer
        for e in entry_points(group="helo.cells"):
            if e.name == name:
                try:
                    kind = e.load()
                except Exception as error:
                    raise HeloError(f"{e.value} cannot be loaded: {type(error).__name__}: {error}") from error
                others(sys.modules[kind.__module__].__file__ or "")
                return kind
    return registry.offered(registry.module("helo.cells", name, "cell", own if name in own else names()), Cell)


def _outside(spec: str) -> type[Cell]:
    path, _, name = spec.rpartition(":")
    file = Path(os.path.expanduser(path)).resolve()
    if not file.is_file():
        raise HeloError("no such file", expected="file.py:Name, a Python file and the cell's class in it")
    module_name = _OUTSIDE + hashlib.sha256(str(file).encode()).hexdigest()[:12]
    if module_name not in sys.modules:
        loader = importlib.util.spec_from_file_location(module_name, file)
        assert loader is not None
        assert loader.loader is not None
        module = importlib.util.module_from_spec(loader)
        sys.modules[module_name] = module  # dataclasses look their own module up
        try:
            loader.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(module_name, None)
            raise HeloError(f"the file does not run: {type(error).__name__}: {error}") from error
        others(str(file))
    kinds = {
        k: v
        for k, v in vars(sys.modules[module_name]).items()
        if isinstance(v, type) and issubclass(v, Cell) and v.__module__ == module_name
    }
    if name not in kinds:
        raise HeloError(f"the file has no cell {name!r}", mend=nearest(name, kinds) if kinds else "it defines no Cell")
    return kinds[name]


def _option(kind: type[Cell], given: str) -> tuple[str, object]:
    key, sign, value = given.partition("=")
    fields = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    fields = {f.name: fields[f.name] for f in dataclasses.fields(kind)} if fields else {}  # pyright: ignore[reportArgumentType]
    if not sign or key not in fields:
        raise HeloError(
            f"no option {given!r}", expected=f"option=value; {nearest(key, fields) if fields else 'it has none'}"
        )
    hint = fields[key]
    if typing.get_origin(hint) is typing.Literal:
        if value not in typing.get_args(hint):
            raise HeloError(f"{given!r}", expected=f"{key}={'|'.join(typing.get_args(hint))}")
        return key, value
    if hint is bool:
        if value.lower() not in ("true", "false"):
            raise HeloError(f"{given!r}", expected=f"{key}=true|false")
        return key, value.lower() == "true"
    try:
        found = hint(value)
        if isinstance(found, float) and not abs(found) < 1e30:
            raise ValueError
        return key, found
    except (TypeError, ValueError) as error:
        raise HeloError(f"{given!r}", expected=f"{key}={getattr(hint, '__name__', hint)}") from error
