"""The contract of a reader, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from helo import registry
from helo.data.dataset import Dataset


class Reader(ABC):
    """One format of files. A new one is one file in this room, named as `--reader` will name it; or from outside FILE.py:NAME,
    or an entry point in the group `helo.readers`.
    """

    #: Of its files in a folder, whether compressed (`.gz`) or not. A file that is named itself may be called otherwise.
    SUFFIXES: ClassVar[tuple[str, ...]] = ()
    #: What the format is called, for people, where that is not its suffixes.
    called: ClassVar[str] = ""
    #: What has a label: "example", one for the whole (or several); "step", one a step; "text", another text; "picture",
    #: sentences; "series", no label: it is to be continued. A task takes one of them.
    labels: ClassVar[tuple[str, ...]] = ("example",)
    #: The kinds of `Dataset` that it gives.
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    #: Options of the tasks that it understands, columns above all. Those of `required` are given wherever it reads.
    columns: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    #: It reads what no other reader claims.
    general: ClassVar[bool] = False
    #: Files of these suffixes often lie beside those of other readers, and are left out there.
    beside: ClassVar[tuple[str, ...]] = ()
    #: Whether it reads a DataFrame, as a `Table` among the paths.
    tables: ClassVar[bool] = False
    #: Whether a folder is one of its sources, and is not searched for files.
    folders: ClassVar[bool] = False

    def __init_subclass__(cls, **more: Any):
        """Raises TypeError for what a class declares in another form: `("text")` is no tuple."""
        super().__init_subclass__(**more)
        registry.texts(cls, "SUFFIXES", "labels", "kinds", "columns", "required", "beside")
        for name, kind, expected in (
            ("called", str, "a text"),
            ("general", bool, "True or False"),
            ("tables", bool, "True or False"),
            ("folders", bool, "True or False"),
        ):
            if not isinstance(found := getattr(cls, name), kind):
                raise TypeError(f"{cls.__name__}.{name} = {found!r:.80}; expected {expected}")

    def sniff(self, path: Path) -> str | None:
        """Why this file is of the format, in a few words; None where it is not. By default its suffix says it."""
        suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
        return f"its suffix is {suffix}" if suffix in self.SUFFIXES else None

    def parts(self, path: Path, options: Any) -> Iterator[Any]:
        """A file as sources that `read` takes one after the other when examples are answered, so that a large file is never in
        memory as a whole; by default the file itself. options: as for `read`.
        """
        yield path

    @abstractmethod
    def read(self, paths: Sequence[Any], options: Any) -> Dataset:
        """All of the files together. options: the values of `columns`, None where one is not given; `labels`, which of its
        own is asked for; `labelled`, whether every example has to have its label; `numeric`, whether
        labels are numbers. Raises HeloError, or calls `errors.fault`
        for each row, with the place of what is damaged.
        """
