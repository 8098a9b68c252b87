"""From files to a dataset: one file a format, registered by its name.

readers.names()                    what there is
readers.find("conll")              a reader; "file.py:Name" from outside
readers.read(files, options, "step")    the dataset of a person's files, by the reader that claims them or `options.reader`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helo import registry
from helo.data.dataset import Dataset
from helo.data.readers import files, table
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault

__all__ = ["Reader", "find", "names", "read"]

LABELS = {"example": "an example", "step": "a step", "text": "a text", "picture": "a picture"}  # in words
_NOT_READERS = ("base", "captions", "encoding", "files", "numbers", "photos", "table", "text")


def names() -> list[str]:
    """The registered readers."""
    return registry.names("helo.data.readers", _NOT_READERS)


def find(spec: str) -> Reader:
    """A reader by its name. Raises HeloError, naming the nearest, for an unknown one."""
    return registry.offered(registry.module("helo.data.readers", spec, "reader", names()), Reader)()  # pyright: ignore[reportAbstractUsage]


def read(names: Sequence[str | Path], options: Any, labels: str, labelled: bool = True) -> tuple[Dataset, list[Path]]:
    """The dataset of files, folders, globs, or DataFrames, and the files. options: of a task; `reader` names who is to read
    them, whatever they look like. labels: what has a label, as `Reader.labels` says it. labelled: every example has to have
    one. Raises HeloError for files that no reader claims, or several.
    """
    readers = _fitting(options, labels)
    sources: Sequence[Any] = table.given(names)
    claims: dict[str, list[tuple[Any, str]]] = {}
    if sources:
        found = [r for r in readers if r.tables][:1]
        claims = {_name(r): [(t, "a DataFrame") for t in sources] for r in found}
    elif any(r.folders for r in readers):
        sources = [Path(n) for n in names]
    else:
        sources = files.named(names, [suffix for r in readers for suffix in r.SUFFIXES])
    claims = claims or _claims(sources, readers, getattr(options, "reader", None))
    if len(claims) != 1:
        raise HeloError(
            f"files of several kinds: {', '.join(sorted(claims))}" if claims else "a DataFrame", expected="one" if claims else "files",
            mend="--reader names who reads them", where=", ".join(map(str, names)) if claims else "",
        )  # fmt: skip
    (name, claimed) = claims.popitem()
    reader = next(r for r in readers if _name(r) == name)
    known = {n: getattr(options, n, None) for n in reader.columns}
    found = reader.read([p for p, _ in claimed], SimpleNamespace(**known, labels=labels, labelled=labelled))
    where = str(sources[0]) if isinstance(sources[0], Path) else "DataFrame"
    if labelled and found.labels is None and not found.notes.get("segments"):
        mend = "--column names them" * (labels == "step")
        raise HeloError("no labels", expected=f"one {LABELS[labels]}", mend=mend, where=where)
    several = getattr(options, "several", None)
    if several is not None and found.labels is not None:
        found.labels = [_separated(y, several) for y in found.labels]
    if labelled:
        _complete(found)
    why = list(dict.fromkeys(why for _, why in claimed))
    found.notes["readers"] = [
        {"reader": name, "files": [str(p) for p, w in claimed if w == one], "why": one} for one in why
    ]
    return found, [p for p in found.files or [p for p, _ in claimed] if isinstance(p, Path)]


def _fitting(options: Any, labels: str) -> list[Reader]:
    """The readers that give such labels and have the options that they require; those that require some go first."""
    if spec := getattr(options, "reader", None):
        reader = find(spec)
        if labels not in reader.labels:
            others = ", ".join(n for n in names() if labels in find(n).labels)
            raise HeloError(f"none of its files has a label {LABELS[labels]}", expected=f"one of {others}",
                            where=f"--reader {spec}")  # fmt: skip
        return [reader]
    found = [r for r in map(find, names()) if labels in r.labels]
    found = [r for r in found if all(getattr(options, n, None) is not None for n in r.required)]
    return [r for r in found if r.required] or found


def _claims(paths: Sequence[Any], readers: Sequence[Reader], spec: str | None) -> dict[str, list[tuple[Path, str]]]:
    """Of each reader the files that it claims, and why."""
    found: dict[str, list[tuple[Path, str]]] = {}
    for path in paths:
        own = [(r, f"--reader {spec}" if spec else r.sniff(path)) for r in readers]
        own = [(r, why) for r, why in own if why]
        own = [(r, why) for r, why in own if not r.general] or own
        if not own:
            known = "; ".join(r.called or ", ".join(r.SUFFIXES) for r in readers)
            raise HeloError(f"a file of the kind {files.suffix(path) or 'without a suffix'!r}", expected=known,
                            mend="--reader names who reads it", where=str(path))  # fmt: skip
        if len(own) > 1:
            several = " and ".join(f"{_name(r)} ({why})" for r, why in own)
            raise HeloError(f"claimed by {several}", mend="--reader names one of them", where=str(path))
        found.setdefault(_name(own[0][0]), []).append((path, own[0][1]))
    for reader in sorted(readers, key=lambda r: r.general):
        if len(found) > 1 and reader.beside and (claimed := found.get(_name(reader))):
            if kept := [(p, why) for p, why in claimed if files.suffix(p) not in reader.beside]:
                found[_name(reader)] = kept
            else:
                del found[_name(reader)]
    return found


def _name(reader: Reader) -> str:
    return type(reader).__module__.rpartition(".")[2]


def _separated(value: Any, several: str) -> list[str]:
    """The labels of an example that has several."""
    return value if isinstance(value, list) else [v.strip() for v in value.split(several) if v.strip()]


def _complete(found: Dataset) -> None:
    """Faults of labels that are missing."""
    for i, labels in enumerate(found.labels or ()):
        for step, label in enumerate([labels] if isinstance(labels, str) else labels):
            if not label:
                fault(HeloError("no label", expected="one", mend="fill it in, or take it out", where=found.place(i, step)))  # fmt: skip
    segments: list[Any] = found.notes.get("segments", []) if found.notes.get("label") else []
    for i, parts in enumerate(segments):
        for start, _, label in parts:
            if not label:
                fault(HeloError(f"no label from {start:g} s on", expected="one a segment", where=found.place(i)))
