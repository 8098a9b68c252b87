"""Data that a person gives in Python, in place of files.

a DataFrame, a dict of columns, a list of dicts     a table, as a file of that table would be
(inputs, labels), or a list of such pairs           examples: texts, lists of words, arrays

Whatever else comes is the names of files. Iterators are read once, here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import arrays, columns, dialogue, files, numbers, table, text
from helo.errors import HeloError, fault, place, wrap


@dataclass(frozen=True)
class Examples:
    """inputs: one an example. labels: one an example or None."""

    inputs: Any
    labels: Any = None
    weights: Sequence[float] | None = None  # of each example in the loss

    def __str__(self) -> str:
        return "examples"


def settled(source: Any) -> list[Any]:
    """What a person names or gives: names of files, tables, or one `Examples`."""
    if isinstance(source, str | Path):
        return files.listed(source)
    if (
        isinstance(source, tuple)
        and len(source) == 2
        and not any(isinstance(s, str | Path | Mapping) for s in source[1:])
    ):
        inputs, labels = source
        if not isinstance(inputs, str | Path) and not table.given(labels):
            return [_labelled(inputs, labels)]
    if isinstance(source, Examples) or hasattr(source, "__array__"):
        return table.given(source) or [source if isinstance(source, Examples) else Examples(source)]
    if tables := table.given(source):
        return tables
    with wrap(TypeError, f"{source!r:.40}, {type(source).__name__}", expected="files, a table or examples"):
        items = list(source)
    if items and all(isinstance(i, table.Table | Examples) for i in items):
        return items
    if tables := table.given(items):
        return tables
    if items and all(isinstance(i, tuple) and len(i) == 2 for i in items):
        return [Examples([x for x, _ in items], [y for _, y in items])]
    if not any(isinstance(i, str | Path) for i in items) and items:
        return [Examples(items)]
    if any(isinstance(i, str) and "\n" in i for i in items):
        raise HeloError("a text", expected="the name of a file", mend='texts are given as {"text": […]}')
    return files.listed(items)


def weighted(source: Any, weights: Sequence[float]) -> list[Any]:
    """One table or `Examples` of what is given, each example with its weight in the loss."""
    (found,) = settled(source)
    return [replace(found, weights=weights)]


def anything(names: Sequence[Any]) -> bool:
    """Whether what `settled` found is data, and no names."""
    return any(isinstance(n, table.Table | Examples) for n in names)


def fingerprint(found: Dataset) -> str:
    """SHA-256 of what examples hold, in order; in 16 hex digits."""
    digest = hashlib.sha256()
    for part in (found.inputs, found.labels or ()):
        for one in part:
            if isinstance(one, np.ndarray) and one.dtype != object:
                digest.update(f"{one.dtype} {one.shape}".encode() + np.ascontiguousarray(one).tobytes())
            else:
                digest.update(repr(one.tolist() if isinstance(one, np.ndarray) else one).encode() + b"\0")
        digest.update(b"\1")
    return digest.hexdigest()[:16]


def written(names: Sequence[Any]) -> list[str | Path]:
    """Running text that was given, a line a text, as a file; names of files as they are."""
    if not anything(names):
        return list(names)
    return [text.kept("\n".join([*running(names), ""]).encode(errors="surrogateescape"))]


def running(names: Sequence[Any]) -> list[str]:
    """Running text that was given: the texts, in order."""
    lines: list[str] = []
    for one in names:
        if isinstance(one, table.Table):
            column = next(iter(one.columns)) if len(one.columns) == 1 else one.first(columns.TEXTS)
            if column is None:
                some, usual = ", ".join(one.columns), ", ".join(columns.TEXTS)
                raise HeloError(f"columns {some}", expected=f"one alone, or one of {usual}", where=one.heading)
            lines += [table.text(v, column, where) for v, where in zip(one.columns[column], one.places, strict=True)]
        elif isinstance(one, Examples):
            lines += arrays.texts(one.inputs)
    return lines


def read(given: Examples, labels: str, numeric: bool = False) -> Dataset:
    """Examples as a dataset, of the kind that the inputs are. labels: what has a label, as `Reader.labels` says it. numeric: they
    are numbers.
    """
    items = _items(given.inputs)
    if not len(items):
        raise HeloError("no examples", expected="at least one")
    kind, inputs = _inputs(items, labels)
    marks = None if given.labels is None else _labels(_items(given.labels), labels, numeric)
    if marks is not None and len(marks) != len(inputs):
        raise HeloError(f"{len(inputs)} examples but {len(marks)} labels", expected="the same number")
    where = lambda i, *step: f"example {i}{f', step {step[0]}' if step else ''}"  # noqa: E731
    for i, (x, y) in enumerate(zip(inputs, marks or (), strict=False) if labels == "step" else ()):
        if len(x) != len(y):
            raise HeloError(f"{len(x)} steps but {len(y)} labels", expected="as many", where=where(i))
    return Dataset(kind, inputs, marks, where, weights=given.weights)


def _labelled(inputs: Any, labels: Any) -> table.Table | Examples:
    """Inputs with labels beside them; those of a DataFrame become a column of it."""
    tables = table.given(inputs)
    if not tables:
        return Examples(inputs, labels)
    rows, marks = table.joined(tables), list(labels)
    name = columns.LABELS[0]
    if len(marks) != len(rows):
        raise HeloError(f"{len(rows)} rows but {len(marks)} labels", expected="the same number", where=rows.heading)
    if rows.first([name]) is not None:
        raise HeloError(f"a column {name!r} beside the labels", expected="one of them", where=rows.heading)
    return replace(rows, columns=rows.columns | {name: table.cells(marks, name, rows.places)})


def _items(source: Any) -> Any:
    """An array of numbers as it is, all else as a list."""
    with wrap((ValueError, TypeError, RuntimeError), "not an array:", where="examples"):
        if hasattr(source, "__array__"):
            found = np.asanyarray(source)
            source = found if found.dtype.kind in "fiubc" and found.ndim else found.tolist()
    if isinstance(source, np.ndarray):
        return source
    if isinstance(source, str) or not isinstance(source, Iterable):
        raise HeloError(f"{source!r:.40}", expected="a list or an array of examples")
    return list(source)


def _inputs(items: Any, labels: str) -> tuple[str, Any]:
    if labels in ("text", "picture"):
        return "pair", _texts(items, "example")
    if isinstance(items, np.ndarray) and labels != "step":
        if items.ndim < 2 or not items.size:
            expected = "examples first, and one axis more, none of them empty"
            raise HeloError(f"inputs of shape {items.shape}", expected=expected)
        return arrays.kind(items), numbers.checked(items, "inputs", missing=items.ndim < 4)
    first = items[0] if len(items) else ""
    if isinstance(first, str) and labels != "step":
        return "text", _texts(items, "example")
    listed = [x.split() if isinstance(x, str) else x for x in items] if labels == "step" else items
    if any(len(x) == 0 for x in listed if hasattr(x, "__len__")):
        at = next(i for i, x in enumerate(listed) if len(x) == 0)
        raise HeloError("a sequence without steps", expected="one or more", where=f"example {at}")
    one = first.split() if isinstance(first, str) else first
    if isinstance(one, list | tuple) and one and isinstance(one[0], str):
        if labels != "step":
            raise HeloError("a list of texts", expected="a text, or numbers", where="example 0")
        return "tokens", [_texts(x, f"example {i}, step") for i, x in enumerate(listed)]
    if isinstance(one, list | tuple) and one and isinstance(one[0], tuple | list) and isinstance(one[0][-1], str):
        return "dialogue", dialogue.given(listed)
    found = [numbers.checked(_items(x), f"example {i}", missing=labels != "step") for i, x in enumerate(listed)]
    shapes = {x.shape for x in found}
    flat = any(len(shape) == 1 for shape in shapes)
    if len({x.ndim for x in found}) > 1 or found[0].ndim > 3 or (flat and (labels == "step" or len(shapes) > 1)):
        several = ", ".join(map(str, sorted(shapes)[:3]))
        raise HeloError(f"arrays of shape {several}", expected="(time, channels) each", where="inputs")
    kind = "frames" if labels == "step" or (found[0].ndim < 3 and found[0].dtype != np.uint8) else "picture"
    for i, x in enumerate(found):
        if not x.size or (kind == "frames" and x.shape[1:] != found[0].shape[1:]):
            expected = f"(time, {found[0].shape[1] or 'channels'})" if found[0].ndim == 2 else "one or more numbers"
            raise HeloError(f"an array of shape {x.shape}", expected=expected, where=f"example {i}")
    if len(shapes) == 1 and labels != "step":
        whole = np.stack(found)
        return arrays.kind(whole), whole
    return kind, found


def _labels(items: Any, labels: str, numeric: bool) -> list[Any]:
    if labels == "text":
        return _texts(items, "label")
    if labels == "step":
        return [_marks(_items(y), f"labels of example {i}") for i, y in enumerate(items)]
    if isinstance(items, np.ndarray):
        return arrays.labels(items, numeric)
    return [_marks(_items(y), f"label {i}") if isinstance(y, list | tuple | np.ndarray) else _marks([y], f"label {i}")[0]
            for i, y in enumerate(items)]  # fmt: skip


def _texts(items: Any, called: str) -> list[str]:
    """Texts with something in them, as those of a table."""
    found = list(items)
    for i, one in enumerate(found):
        if not isinstance(one, str):
            raise HeloError(f"{one!r:.40}, {type(one).__name__}", expected="a text", where=f"{called} {i}")
        with place(f"{called} {i}"):
            table.characters(called, one)
        if not one.strip():
            fault("nothing in it", expected="a text", where=f"{called} {i}")
    return found


def _marks(values: Any, where: str) -> list[str]:
    if isinstance(values, np.ndarray):
        return arrays.words(values, where)
    found = []
    for value in values:
        if (
            not isinstance(value, str | bytes | np.generic)
            and not numbers.absent(value)
            and not numbers.is_number(value)
        ):
            raise HeloError(f"{value!r:.40}, {type(value).__name__}", expected="a label", where=where)
        with place(where):
            table.characters("the labels", value)
        absent = numbers.absent(value)
        found.append(
            "" if absent else value.strip() if isinstance(value, str) else arrays.words(np.array([value]), where)[0]
        )
    return found
