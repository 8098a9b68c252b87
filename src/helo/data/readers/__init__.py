"""From files to a dataset: one file a format, registered by its name.

readers.names()                    what there is
readers.find("conll")              a reader; "file.py:Name" from outside
readers.read(files, options, "step")    the dataset of a person's files, by the reader that claims them or `options.reader`
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helo import registry
from helo.data.dataset import Dataset
from helo.data.readers import files, given, numbers, table
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault

__all__ = ["Reader", "chosen", "find", "names", "read", "vouched"]

LABELS = {
    "example": "an example",
    "step": "a step",
    "text": "a text",
    "picture": "a picture",
    "series": "a series",
}  # in words
ROOM = registry.Room(
    "helo.data.readers", "reader", Reader,
    ("base", "captions", "columns", "encoding", "files", "given", "numbers", "photos", "table", "text", "timed"),
    "helo.readers",
)  # fmt: skip
names, find = ROOM.names, ROOM.make
_vouched: set[str] = set()  # digests of the readers in files for which a person has vouched in this process


def chosen(spec: str | Path) -> str:
    """A reader that a person names by their own word, which may run from then on; the same, valid in every working folder."""
    spec = registry.located(str(spec))
    find(spec)
    registry.remember(spec)
    vouched(spec, trust=True)
    return spec


def vouched(spec: str | None, where: str = "", trust: bool = False) -> None:
    """Raises HeloError for a reader in a file that a run folder names and no person has vouched for. trust: one has."""
    if spec is not None and registry.outside(spec):
        with suppress(OSError):  # a file that is gone is nobody's word
            digest = registry.digest_of(spec)
            trust |= digest in _vouched
            _vouched.update([digest] * trust)
        registry.vouched(spec, "reader", where, trust)


def read(
    names: Any, options: Any, labels: str, labelled: bool = True, numeric: bool = False
) -> tuple[Dataset, list[Path]]:
    """The dataset of files, folders, globs, tables or `Examples`, and the files. options: of a task; `reader` names who is to read
    them, whatever they look like. labels: what has a label, as `Reader.labels` says it. labelled: every example has to have
    one. numeric: labels are numbers, float64, NaN where one is missing. Raises HeloError for files that no reader claims, or
    several.
    """
    names = given.settled(names)
    if names and isinstance(names[0], given.Examples):
        if labelled and names[0].labels is None:
            mend = "give (inputs, labels)"
            raise HeloError("no labels", expected=f"one {LABELS[labels]}", mend=mend, where=str(names[0]))
        return _settled(given.read(names[0], labels, numeric), options, labels, labelled, numeric, str(names[0])), []
    spec = getattr(options, "reader", None)
    readers = _candidates(spec, options, labels)
    sources: Sequence[Any] = table.given(names)
    if not sources:
        folders = any(r.folders for r in readers.values())
        suffixes = [suffix for r in readers.values() for suffix in r.SUFFIXES]
        sources = [Path(n) for n in names] if folders else files.named(names, suffixes)
    if not len(sources):
        raise HeloError("nothing to read", expected="at least one file")
    claims = _claims(sources, readers, spec)
    if len(claims) > 1:
        several = ", ".join(f"{n} ({Path(_where(claims[n][0][0])).name})" for n in sorted(claims))
        raise HeloError(f"files of several kinds: {several}", expected="one",
                        mend="choose a reader with --reader", flag="--reader", where=", ".join(map(str, names)))  # fmt: skip
    name, claimed = claims.popitem()
    paths, reader = [p for p, _ in claimed], readers[name]
    known = {n: getattr(options, n, None) for n in reader.columns}
    found = reader.read(paths, SimpleNamespace(**known, labels=labels, labelled=labelled, numeric=numeric))
    if not type(reader).__module__.startswith("helo."):
        _checked(found, name, numeric)
    found = _settled(found, options, labels, labelled, numeric, _where(paths[0]))
    found.notes["readers"] = [
        {"reader": name, "why": why, "files": [_where(p) for p, w in claimed if w == why]}
        for why in dict.fromkeys(w for _, w in claimed)
    ]
    return found, [p for p in found.files or paths if isinstance(p, Path)]


def _settled(found: Dataset, options: Any, labels: str, labelled: bool, numeric: bool, where: str) -> Dataset:
    """Examples with their labels as they were asked for."""
    if labelled and found.labels is None and not found.notes.get("segments"):
        mend = "--column names them" * (labels == "step")
        raise HeloError(
            "no labels", expected=f"one {LABELS[labels]}", mend=mend, where=where, flag="--column" * bool(mend)
        )
    several = getattr(options, "multilabel", None)
    if several is not None and found.labels is not None:
        found.labels = [_separated(y, several) for y in found.labels]
    if labelled and labels in ("example", "step"):
        _complete(found, "number" if numeric else "label")
    if numeric and found.labels is not None:
        columns = found.notes.get("targets", [])
        found.labels = [_number(y, found.place(i), labelled, columns) for i, y in enumerate(found.labels)]
    return found


FILES = 64  # that are answered together


def in_parts(names: Sequence[str | Path], options: Any, labels: str) -> Iterator[tuple[str | None, list[Any]]]:
    """The same files in parts that `read` takes one after the other, so that their size does not matter: (the reader, what it
    reads), a few files each, and a large one in pieces, as its reader parts it. None: whoever claims it.
    """
    spec = getattr(options, "reader", None)
    readers = _candidates(spec, options, labels)
    if any(r.folders for r in readers.values()):
        yield None, list(names)
        return
    paths = files.named(names, [suffix for r in readers.values() for suffix in r.SUFFIXES])
    claims = _claims(paths, readers, spec)
    if len(claims) != 1:  # `read` says what is wrong with them
        yield None, list(names)
        return
    name, claimed = claims.popitem()
    reader, whole = readers[name], []
    known = {n: getattr(options, n, None) for n in reader.columns}
    for path, _ in claimed:
        for part in reader.parts(path, SimpleNamespace(**known, labels=labels, labelled=False)):
            if part is path:
                whole.append(path)
            else:
                yield name, [part]
        if len(whole) == FILES:
            yield name, whole
            whole = []
    if whole:
        yield name, whole


def _candidates(spec: str | None, options: Any, labels: str) -> Mapping[str, Reader]:
    """The readers that give such labels and have the options that they require; of these those that require some."""
    if spec is not None:
        vouched(spec)
        reader = find(spec)
        if labels not in reader.labels:
            others = ", ".join(n for n in names() if labels in find(n).labels)
            raise HeloError(
                f"a reader that gives no label for {LABELS[labels]}", expected=others, where=f"--reader {spec}"
            )
        return {spec: reader}
    found = {n: r for n in names() if labels in (r := find(n)).labels}
    found = {n: r for n, r in found.items() if all(getattr(options, o, None) is not None for o in r.required)}
    return {n: r for n, r in found.items() if r.required} or found


def _claims(
    sources: Sequence[Any], readers: Mapping[str, Reader], spec: str | None
) -> dict[str, list[tuple[Any, str]]]:
    """Of each reader the sources that it claims, and why."""
    found: dict[str, list[tuple[Any, str]]] = {}
    for source in sources:
        own = {n: _why(r, source, spec) for n, r in readers.items()}
        own = {n: why for n, why in own.items() if why}
        own = {n: why for n, why in own.items() if not readers[n].general} or own
        if not own:
            known = "; ".join(r.called or ", ".join(r.SUFFIXES) for r in readers.values())
            kind = (
                f"a file of the kind {files.suffix(source) or 'without a suffix'!r}"
                if isinstance(source, Path)
                else "a DataFrame"
            )
            raise HeloError(
                kind, expected=known, mend="choose a reader with --reader", where=_where(source), flag="--reader"
            )
        if len(own) > 1:
            several = " and ".join(f"{n} ({why})" for n, why in own.items())
            raise HeloError(
                f"claimed by {several}", mend="choose one with --reader", where=_where(source), flag="--reader"
            )
        name, why = own.popitem()
        found.setdefault(name, []).append((source, why))
    for name in sorted(found, key=lambda n: readers[n].general):
        if len(found) > 1:
            found[name] = [(p, why) for p, why in found[name] if files.suffix(p) not in readers[name].beside]
            found = {n: claimed for n, claimed in found.items() if claimed}
    return found


def _why(reader: Reader, source: Any, spec: str | None) -> str | None:
    if isinstance(source, table.Table):
        own = spec is not None and type(reader).parts is not Reader.parts  # a piece of a file
        return "a DataFrame" if reader.tables or own else None
    return "named by --reader" if spec is not None else reader.sniff(source)


def _where(source: Any) -> str:
    return str(source.file if isinstance(source, table.Table) else source)


def _checked(found: Any, name: str, numeric: bool) -> None:
    """Raises HeloError for what a stranger's reader gives that is no dataset."""
    if not isinstance(found, Dataset):
        raise HeloError(f"{type(found).__name__}", expected="a helo.data.dataset.Dataset", where=name)
    if found.labels is not None and len(found.labels) != len(found):
        raise HeloError(f"{len(found)} examples but {len(found.labels)} labels", expected="the same number", where=name)
    for i, label in enumerate(found.labels or ()):
        several = label if isinstance(label, list) else [label]
        if not all(isinstance(y, str) or (numeric and numbers.is_number(y)) for y in several):
            expected = "a number" if numeric else "a text"
            raise HeloError(f"the label {label!r:.40}", expected=f"{expected}, or a list of them", where=found.place(i))


def _separated(value: Any, several: str) -> list[str]:
    """The labels of an example that has several."""
    return value if isinstance(value, list) else [v.strip() for v in value.split(several) if v.strip()]


def _number(label: Any, where: str, labelled: bool, columns: Sequence[str]) -> Any:
    """A label as a number, or each of a list. columns: their names, where they have some."""
    if isinstance(label, list):
        return [_number(y, where, labelled, columns[k : k + 1]) for k, y in enumerate(label)]
    try:
        return math.nan if label == "" else numbers.number(label, where, "".join(columns[:1]), missing=not labelled)
    except HeloError as error:
        fault(error)
        return math.nan


def _complete(found: Dataset, called: str) -> None:
    """Faults of labels that are missing. called: what a label is."""
    for i, labels in enumerate(found.labels or ()):
        for step, label in enumerate(labels if isinstance(labels, list) else [labels]):
            if label == "":
                fault(f"no {called}", expected="one", mend="fill it in, or remove the row", where=found.place(i, step))
    segments: list[Any] = found.notes.get("segments", []) if found.notes.get("label") else []
    for i, parts in enumerate(segments):
        for start, _, label in parts:
            if not label:
                fault(f"no label from {start:g} s on", expected="one per segment", where=found.place(i))
