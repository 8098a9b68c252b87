"""What is registered is one file in its room, found by its file name and imported on use; or it comes from outside.

A new cell, unit, metric or task is a new file; no list names it anywhere. The class that a module offers is the one that
it defines itself and that is not abstract. A `Room` takes from outside too: what other packages register as entry points in
the group of the room's name, and a person's own `FILE.py:NAME`, either followed by `,option=value`.

A file is code: it runs when a person names it (`located`, `remember`); where a run folder names it, only if a person has
vouched for it (`vouched`).
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import importlib
import inspect
import os
import pkgutil
import sys
import typing
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from helo.errors import HeloError, nearest, others, place, wrap

T = TypeVar("T")
_OUTSIDE = "helo_outside_"  # how modules of files from outside are called


@dataclasses.dataclass(frozen=True)
class Room(Generic[T]):
    """What is registered in a package (`helo.cells`): classes of kind `base`, each called a `what` (cell); not_these: its files
    that are none.
    """

    package: str
    what: str
    base: type[T]
    not_these: tuple[str, ...] = ()
    group: str = ""  # of entry points, where it is not called as the package

    def names(self) -> list[str]:
        """The files of this room, and what other packages register as entry points in a group of its name."""
        own = names(self.package, self.not_these)
        outside = [e.name for e in entry_points(group=self.group or self.package)]
        twice = {n for n in outside if n in own or outside.count(n) > 1}
        if twice:
            raise HeloError(f"two {self.what}s are named {min(twice)!r}", mend="uninstall or rename one of them")
        return sorted(own + outside)

    def make(self, spec: str, **given: Any) -> T:
        """What a specification names: `name` or `path/to/file.py:Name`, either followed by `,option=value`. given: values of
        fields that are no options. Raises HeloError, naming the nearest, for an unknown name, option or value.
        """
        name, *options = spec.split(",")
        with place(name):
            kind = self.find(name)
            try:
                return kind(**given, **dict(_option(kind, o, given) for o in options))
            except Exception as error:
                if isinstance(error, HeloError) or not outside(name):
                    raise
                raise HeloError(f"the {self.what} cannot be made: {type(error).__name__}: {error}") from error

    def find(self, name: str) -> type[T]:
        """The class of a name without options, which runs the file that it names."""
        if outside(name):
            return self._in_file(name)
        own = names(self.package, self.not_these)
        if name not in own:  # only then: reading what all packages register takes longer than a short answer
            for e in entry_points(group=self.group or self.package):
                if e.name == name:
                    try:
                        kind = e.load()
                    except Exception as error:
                        raise HeloError(f"{e.value} cannot be loaded: {type(error).__name__}: {error}") from error
                    if not isinstance(kind, type) or not issubclass(kind, self.base):
                        raise HeloError(
                            f"{e.value} is no {self.what}", expected=f"a class that derives from {self.base.__name__}"
                        )
                    others(sys.modules[kind.__module__].__file__ or "")
                    return kind
        return offered(module(self.package, name, self.what, own if name in own else self.names()), self.base)

    def _in_file(self, spec: str) -> type[T]:
        found, _, name = spec.rpartition(":")
        with place(spec):
            module = code(found)
            kinds = {k: v for k, v in own(module).items() if isinstance(v, type) and issubclass(v, self.base)}
            if name not in kinds:
                mend = nearest(name, kinds) if kinds else f"it defines no {self.base.__name__}"
                raise HeloError(f"the file has no {self.what} {name!r}", mend=mend)
            return kinds[name]


def names(room: str, not_these: tuple[str, ...] = ()) -> list[str]:
    """The names registered in a room (`helo.cells`), sorted; imports none of them."""
    package = importlib.import_module(room)
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and m.name not in not_these)


def module(room: str, name: str, what: str, known: list[str]) -> ModuleType:
    """The module of a registered thing. HeloError, with the nearest name, where there is none."""
    if not isinstance(name, str):
        raise TypeError(f"{name!r:.80} is not the name of a {what}")
    if name not in known:
        raise HeloError(f"there is no {what} {name!r}", mend=nearest(name, known))
    return importlib.import_module(f"{room}.{name}")


def offered(module: ModuleType, base: type[T]) -> type[T]:
    """The one concrete class of kind `base` that a module defines; two are an error of its author."""
    found = [
        c for c in own(module).values() if inspect.isclass(c) and issubclass(c, base) and not inspect.isabstract(c)
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} defines {len(found)} classes of kind {base.__name__}, not one")
    return found[0]


def texts(kind: type[Any], *names: str) -> None:
    """Raises TypeError where a class declares under one of these names what is no tuple of texts: `("one")` is none."""
    for name in names:
        found = getattr(kind, name, ())
        if not isinstance(found, tuple | list) or not all(isinstance(one, str) for one in found):
            raise TypeError(f'{kind.__name__}.{name} = {found!r:.80}; expected a tuple of texts: ("one",)')


def own(module: ModuleType) -> dict[str, Any]:
    """What a module defines itself."""
    return {k: v for k, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__}


def code(path: str) -> ModuleType:
    """A person's own Python file, run once as long as it does not change. What it raises later is said of it."""
    file = Path(os.path.expanduser(path)).resolve()
    if not file.is_file():
        raise HeloError("no such file", expected="file.py:Name, a Python file and a name in it")
    source = file.read_bytes()  # never a .pyc: what lies in __pycache__ need not be what a person has looked at
    name = _OUTSIDE + _digest(file, source)[:12]
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(file)
        sys.modules[name] = module  # dataclasses look their own module up
        try:
            exec(compile(source, file, "exec", dont_inherit=True), vars(module))
        except (Exception, SystemExit) as error:
            sys.modules.pop(name, None)
            raise HeloError(f"the file does not run: {type(error).__name__}: {error}") from error
        others(str(file))
    return sys.modules[name]


def home(thing: object) -> str | None:
    """The file of an object of a class from outside; None of one that is registered."""
    module = type(thing).__module__
    return sys.modules[module].__file__ if module.startswith(_OUTSIDE) else None


def outside(spec: str) -> bool:
    """Whether a specification names a file, which runs when it is found. Raises TypeError for what is no text."""
    if not isinstance(spec, str):
        raise TypeError(f"{spec!r:.80} is not a name")
    return ".py:" in spec.split(",")[0]


def located(spec: str) -> str:
    """The same specification, valid in every working folder: a file's path is made absolute."""
    name, *options = spec.split(",")
    if outside(name):
        file, _, kind = name.rpartition(":")
        name = f"{Path(os.path.expanduser(file)).resolve()}:{kind}"
    return ",".join([name, *options])


def named(spec: str, recorded: str, what: str, where: str) -> str:
    """What a person names in place of what a run recorded, which is the same but for where its file lies; its options may be
    left out. Raises HeloError for another one.
    """
    spec = located(spec)
    (file, *given), (theirs, *options) = spec.split(","), recorded.split(",")
    if not same(file, theirs) or (given and given != options):
        raise HeloError(f"--{what} {spec}", expected=f"--{what} {recorded}, or the same from another file", where=where)
    return ",".join([file, *options])


def same(spec: str, recorded: str) -> bool:
    """Whether two names without options mean the same, but for where a file lies."""
    return spec.rpartition(":")[2] == recorded.rpartition(":")[2] and outside(spec) == outside(recorded)


def vouched(recorded: str, what: str, where: str, trust: bool = False) -> str:
    """What a run recorded. Raises HeloError for the name of a file that no person has vouched for. trust: one has."""
    if outside(recorded) and not trust and not remembered(recorded):
        raise HeloError(
            f"the {what} is code from a file: {recorded}", expected="your permission to run it",
            mend=f"read the file, then give --{what} {recorded}", where=where,
        )  # fmt: skip
    return recorded


def remember(spec: str) -> None:
    """A person has named this file by their own word: from then on, as long as not a byte of it changes, runs that name it
    may run it on this account. Where nothing can be written nothing is remembered.
    """
    if outside(spec) and not remembered(spec):
        with suppress(OSError, ValueError):
            file = _trusted()
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="ascii") as lines:
                lines.write(digest_of(spec) + "\n")


def remembered(spec: str) -> bool:
    """Whether a person on this account has once named this file, as it is now."""
    with suppress(OSError, ValueError):
        return digest_of(spec) in _trusted().read_text(encoding="ascii").split()
    return False


def digest_of(spec: str) -> str:
    """Of the file that a specification names: its place and its content."""
    file = Path(spec.split(",")[0].rpartition(":")[0]).resolve()
    if not file.is_file():  # a pipe would be waited for, a device may have no end
        raise FileNotFoundError(errno.ENOENT, "no such file", str(file))
    return _digest(file, file.read_bytes())


def _digest(file: Path, source: bytes) -> str:
    """Of a file's place and content."""
    return hashlib.sha256(os.fsencode(file) + b"\0" + source).hexdigest()


def _trusted() -> Path:
    """Where it is kept which files were named: HELO_TRUSTED, or a file of the account."""
    return Path(os.environ.get("HELO_TRUSTED") or os.path.expanduser("~/.local/state/helo/trusted"))


def _option(kind: type[Any], given: str, hidden: typing.Container[str]) -> tuple[str, Any]:
    """The value of an option of a dataclass out of `option=value`. hidden: fields that are no options."""
    key, sign, value = given.partition("=")
    hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    hints = {f.name: hints[f.name] for f in dataclasses.fields(kind) if f.name not in hidden} if hints else {}
    if not sign or key not in hints:
        raise HeloError(
            f"no option {given!r}", expected=f"option=value; {nearest(key, hints) if hints else 'it has none'}"
        )
    hint = hints[key]
    if typing.get_origin(hint) is typing.Literal:
        if value not in typing.get_args(hint):
            raise HeloError(f"{given!r}", expected=f"{key}={'|'.join(typing.get_args(hint))}")
        return key, value
    if hint is bool:
        if value.lower() not in ("true", "false"):
            raise HeloError(f"{given!r}", expected=f"{key}=true|false")
        return key, value.lower() == "true"
    with wrap((TypeError, ValueError), f"{given!r}", expected=f"{key}={getattr(hint, '__name__', hint)}"):
        found = hint(value)
        if isinstance(found, float) and not abs(found) < 1e30:
            raise ValueError
        return key, found
