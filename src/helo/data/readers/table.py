"""Tables: TSV, CSV, JSONL, as named columns of text with the line of every row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.readers import files
from helo.errors import HeloError, fault, nearest

SUFFIXES = (".tsv", ".csv", ".jsonl", ".txt")


@dataclass
class Table:
    """columns: each one value a row. places: `file:line` of every row."""

    file: Path
    columns: dict[str, list[Any]]
    places: list[str]
    headed: bool = True  # False: the columns are called "1", "2", …

    def __len__(self) -> int:
        return len(self.places)

    def named(self, name: str, flag: str) -> list[Any]:
        """The column that a flag names. Raises HeloError, with the nearest, where there is none."""
        return self.columns[self.find(name, flag)]

    def find(self, name: str, flag: str) -> str:
        """A column's name as the file spells it, found whatever its case."""
        if name in self.columns:
            return name
        for column in self.columns:
            if column.lower() == name.lower():
                return column
        raise HeloError(
            f"no column {name!r}", mend=f"{flag} names it: {nearest(name, self.columns)}", where=f"{self.file}:1"
        )

    def first(self, wanted: Sequence[str]) -> str | None:
        """The first of some names that is a column, whatever its case."""
        lower = {c.lower(): c for c in self.columns}
        return next((lower[w] for w in wanted if w in lower), None)


def read(path: Path, headed: bool = True) -> Table:
    """A table by its suffix. TSV: fields as they stand, quotes mean nothing; CSV: quoted as spreadsheets do it, parted
    by commas, semicolons or tabs, whichever the first line has most of; JSONL: one object a line. headed: the first line
    names the columns.
    """
    if files.suffix(path) == ".jsonl":
        return _jsonl(path)
    text = files.text(path)
    if not text.strip():
        raise HeloError("the file is empty", where=str(path))
    file_lines = _LINE.findall(text)
    mark, quoting = _form(path, file_lines[0])
    csv.field_size_limit(1 << 30)
    reader = csv.reader(file_lines, delimiter=mark, quoting=quoting)
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 1
    try:
        for row in reader:
            if row and any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise HeloError(f"not a table: {error}", where=f"{path}:{reader.line_num}") from error
    if not rows:
        raise HeloError("nothing in any row", expected="a table", where=str(path))
    if not headed:
        rows.insert(0, [str(i) for i in range(1, len(rows[0]) + 1)])
        lines.insert(0, 0)
    header = [cell.strip() for cell in rows[0]]
    if len(set(header)) != len(header) or not all(header):
        twice = next((h for h in header if header.count(h) > 1), "")
        raise HeloError(
            f"the column name {twice!r} stands twice" if twice else "a column without a name",
            expected="a first line that names each column once",
            where=f"{path}:1",
        )
    good = [0]
    for i, (row, line) in enumerate(zip(rows[1:], lines[1:], strict=True), 1):
        if len(row) == len(header):
            good.append(i)
            continue
        fault(
            HeloError(
                f"{len(row)} column{'s' * (len(row) != 1)}",
                expected=f"{len(header)} ({_some(header)})",
                mend=f"a {'tab' if mark == chr(9) else repr(mark)} parts the columns",
                where=f"{path}:{line}",
            )
        )
    rows, lines = [rows[i] for i in good], [lines[i] for i in good]
    if len(rows) == 1:
        raise HeloError("a first line and no rows", where=str(path))
    columns = {name: [row[i] for row in rows[1:]] for i, name in enumerate(header)}
    return Table(path, columns, [f"{path}:{line}" for line in lines[1:]], headed)


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # with its end, which no other sign is


def _form(path: Path, first: str) -> tuple[str, Any]:
    """What parts the columns, and what quotes mean, by a file's name and first line."""
    if files.suffix(path) in (".tsv", ".txt"):
        return "\t", csv.QUOTE_NONE
    return max(",;\t", key=first.count), csv.QUOTE_MINIMAL


def bare(path: Path) -> bool:
    """Whether the first line holds numbers alone, and so no names of columns."""
    first = next((line for line in files.lines(path) if line.strip()), "")
    return all(map(is_number, first.split(_form(path, first)[0])))


def _jsonl(path: Path) -> Table:
    rows, places, wrong = [], [], None
    for n, line in enumerate(files.lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            fault(wrong := HeloError(f"not JSON: {error}", where=f"{path}:{n}"))
            continue
        if not isinstance(row, dict):
            raise HeloError(
                "not a JSON object", expected='one a line, such as {"text": …, "label": …}', where=f"{path}:{n}"
            )
        rows.append(row)
        places.append(f"{path}:{n}")
    if not rows:
        raise wrong or HeloError("the file is empty", where=str(path))
    names = list(rows[0])
    for row, where in zip(rows, places, strict=True):
        if missing := [n for n in names if n not in row]:
            raise HeloError(f"no {missing[0]!r}", expected="the keys of the first line in every line", where=where)
    return Table(path, {n: [row[n] for row in rows] for n in names}, places)


def joined(tables: Sequence[Table]) -> Table:
    """Several tables of the same columns as one."""
    first = tables[0]
    for t in tables[1:]:
        if missing := [c for c in first.columns if c not in t.columns]:
            raise HeloError(f"no column {missing[0]!r}", expected=f"the columns of {first.file}", where=f"{t.file}:1")
    columns = {c: [v for t in tables for v in t.columns[c]] for c in first.columns}
    return Table(first.file, columns, [p for t in tables for p in t.places], first.headed)


def numbers(table: Table, leave_out: Sequence[str] = ()) -> list[str]:
    """The columns, but for those left out, if each begins with numbers, some of which may be missing or damaged; else
    none.
    """
    names = [name for name in table.columns if name not in leave_out]
    return names if all(_numeric(table.columns[name][:50]) for name in names) else []


def _numeric(values: Sequence[Any]) -> bool:
    given = [is_number(v) for v in values if v is not None and str(v).strip()]
    return 2 * sum(given) >= len(given)


def groups(table: Table, group: str, order: str | None) -> list[list[int]]:
    """The rows of each group, in the order of the groups' first rows; those of several files are apart. order: the column
    by which the rows of a group come, numbers or ISO dates.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i, (name, where) in enumerate(zip(table.named(group, "--group"), table.places, strict=True)):
        members.setdefault((where.rpartition(":")[0], str(name)), []).append(i)
    if order is not None:
        values = [_moment(v, order, w) for v, w in zip(table.named(order, "--order"), table.places, strict=True)]
        for found in members.values():
            found.sort(key=lambda i: values[i])
    return list(members.values())


def common(table: Table, label: str, members: Sequence[Sequence[int]], mend: str = "") -> list[Any]:
    """The one label of each group of rows. Raises HeloError, with the line, for a row that has another."""
    marks = table.columns[label]
    for found in members:
        if other := [i for i in found if marks[i] != marks[found[0]]]:
            expected = f"{marks[found[0]]!r}, as in the other rows of its group"
            raise HeloError(f"{marks[other[0]]!r}", expected=expected, mend=mend, where=table.places[other[0]])
    return [marks[found[0]] for found in members]


def _moment(value: Any, column: str, where: str) -> float:
    if is_number(value):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise HeloError(
            f"{value!r} in {column!r}", expected="a number, or a date as 2024-03-01 12:00", where=where
        ) from None


def is_number(value: Any) -> bool:
    """Whether it can be read as a number; NaN and infinity can."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def matrix(table: Table, names: Sequence[str], missing: bool = False) -> np.ndarray:
    """Columns as numbers `(rows, columns)`. missing: what is empty or NaN is a missing value, NaN. Raises HeloError, with
    the line and the column, for all else that is no number.
    """
    try:
        out = np.array([table.columns[n] for n in names], np.float64).T
    except (TypeError, ValueError):
        out = None
    if out is None or not np.isfinite(out).all():
        columns = [[_value(v, name, missing, where) for v, where in zip(table.columns[name], table.places, strict=True)]
                   for name in names]  # fmt: skip
        out = np.array(columns).T
    return out.astype(np.float32)


def _value(value: Any, column: str, missing: bool, where: str) -> float:
    if missing and (value is None or not str(value).strip()):
        return float("nan")
    number = float(value) if is_number(value) else float("inf")
    if np.isfinite(number) or (missing and np.isnan(number)):
        return number
    raise HeloError(f"{value!r} in the column {column!r}", expected="a number", where=where)


def by_name(x: np.ndarray, names: Sequence[str], wanted: Sequence[str], where: str) -> np.ndarray:
    """The wanted ones of the columns of `x (…, columns)`, in that order. Raises HeloError for one that is not there."""
    at = {name.casefold(): i for i, name in enumerate(names)}
    if absent := [name for name in wanted if name.casefold() not in at]:
        raise HeloError(f"no column {absent[0]!r}", expected=f"the columns {_some(wanted)}", where=where)
    return x[..., [at[name.casefold()] for name in wanted]]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
