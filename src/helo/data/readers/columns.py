"""What the columns of a table mean: which hold the text, the label, the groups; and what is in them as numbers and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np

from helo.data.readers import numbers
from helo.data.readers.table import Table, few, text
from helo.errors import HeloError, fault

TEXTS = ("text", "sentence", "utterance")
LABELS = ("label", "emotion", "class")
TARGETS = ("label", "target", "y")
TRUTH = {"true": 1.0, "false": 0.0}


def numeric(table: Table, leave_out: Sequence[str] = ()) -> list[str]:
    """The columns, but for those left out, if each begins with numbers, some of which may be missing or damaged; else
    none.
    """
    names = [name for name in table.columns if name not in leave_out]
    return names if all(numbered(table.columns[name]) for name in names) else []


def numbered(values: Iterable[Any]) -> bool:
    """Whether a column is one of numbers: at least half of its first cells are, but for missing ones."""
    given = [numbers.meant(v) for v in islice((v for v in values if not numbers.nothing(v)), 50)]
    return 2 * sum(given) >= len(given)


def category(value: Any, where: str, column: str) -> str:
    """A cell as the name of a category, the same whatever it came out of: "" where it is missing; a whole number has no
    point, and true and false are in small letters, as no two programs agree.
    """
    if numbers.nothing(value):
        return ""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, list | dict):
        fault(
            f"a {'list' if isinstance(value, list) else 'JSON object'} in {column!r}",
            expected="a number or a text",
            where=where,
        )
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text.lower() if text.lower() in TRUTH else text


def objects(table: Table, names: Sequence[str]) -> np.ndarray:
    """Columns as they are, numbers and texts, `(rows, columns)` of objects."""
    found = np.empty((len(table), len(names)), object)
    for j, name in enumerate(names):
        for i, value in enumerate(table.columns[name]):
            found[i, j] = value
    return found


def without(table: Table, ignored: Sequence[str]) -> Table:
    """The table without some columns, found whatever their case; those that it lacks are no fault."""
    exact = {name for name in ignored if name in table.columns}
    left_out = {name.casefold() for name in ignored if name not in exact}
    kept = {n: c for n, c in table.columns.items() if n not in exact and n.casefold() not in left_out}
    return replace(table, columns=kept)


def grouping(table: Table, group: str) -> list[Any]:
    """Of each row the group to which it belongs. A row that names none is a fault of its place."""
    names = table.named(group, "--group")
    for name, where in zip(names, table.places, strict=True):
        if numbers.absent(name):
            fault(f"nothing in {group!r}", expected="what its row belongs to", where=where)
    return names


def groups(table: Table, group: str, order: str | None) -> list[list[int]]:
    """The rows of each group, in the order of the groups' first rows; those of several files are apart. order: the column
    by which the rows of a group come, numbers or ISO dates.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i, (name, where) in enumerate(zip(grouping(table, group), table.places, strict=True)):
        members.setdefault((where.rpartition(":")[0], str(name)), []).append(i)
    if order is not None:
        values = [moment(v, order, w) for v, w in zip(table.named(order, "--order"), table.places, strict=True)]
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


def moment(value: Any, column: str, where: str) -> float:
    """A number, or an ISO date in seconds, by which rows come one after the other."""
    if numbers.is_number(value):
        number = numbers.number(value, where, column)
        return int(value) if number == int(number) and str(value).strip().lstrip("+-").isdigit() else number
    try:
        moment = datetime.fromisoformat(str(value).strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise HeloError(
            f"{value!r} in {column!r}", expected="a number, or a date such as 2024-03-01 12:00", where=where
        ) from None


def carried(table: Table, groups: Sequence[Sequence[int]] | None = None, steps: bool = False) -> dict[str, list[Any]]:
    """A table's columns as `Dataset.columns`: a value a row; or of each group of rows a list of values, one a step, or, unless
    `steps`, its value in the columns in which all rows of any group agree.
    """
    if groups is None:
        return dict(table.columns)
    grouped = {name: [[values[i] for i in rows] for rows in groups] for name, values in table.columns.items()}
    if steps:
        return grouped
    return {n: [v[0] for v in several] for n, several in grouped.items() if all(v == [v[0]] * len(v) for v in several)}


def split_by(table: Table, options: Any, groups: Sequence[Sequence[int]] | None) -> list[list[Any]] | None:
    """What each group of rows, or each row, has in the column by which is split: that of `split_by`, or in a chronological
    split of groups that of their order. None where there is no such column.
    """
    column = options.split_by or (options.order if options.split == "chronological" else None)
    name = None if column is None else table.first([column.lower()])
    groups = [[i] for i in range(len(table))] if groups is None else groups
    return None if name is None else [[table.columns[name][i] for i in rows] for rows in groups]


def matrix(table: Table, names: Sequence[str], missing: bool = False) -> np.ndarray:
    """Columns as numbers `(rows, columns)`, float64. missing: what is empty or NaN is a missing value, NaN. Raises
    HeloError, with the line and the column, for all else that is no number.
    """
    columns = [numbers.column(table.columns[n], table.places, n, missing) for n in names]
    return np.stack(columns, 1) if columns else np.zeros((len(table), 0))


def as_numbers(x: np.ndarray, names: Sequence[str], wanted: Sequence[str], place: Callable[[int], str]) -> np.ndarray:
    """The wanted ones of the columns of cells `x (rows, columns)` as numbers, float64; a missing value is NaN, and true and
    false are 1 and 0.
    """
    places, found = [place(i) for i in range(len(x))], np.zeros((len(x), len(wanted)))
    for j, name in enumerate(wanted):
        values = [TRUTH.get(v.strip().lower(), v) if isinstance(v, str) else v for v in x[:, names.index(name)]]
        found[:, j] = numbers.column(values, places, name, missing=True)
    return found


def by_name(x: np.ndarray, names: Sequence[str], ordered: Sequence[str], where: str) -> np.ndarray:
    """The wanted ones of the columns of `x (…, columns)`, in that order. Raises HeloError for one that is not there."""
    at = {name.casefold(): i for i, name in reversed(list(enumerate(names)))}
    at |= {name: i for i, name in enumerate(names)}  # two columns may differ in case alone
    if absent := [name for name in ordered if name not in at and name.casefold() not in at]:
        raise HeloError(f"no column {absent[0]!r}", expected=f"the columns {few(ordered)}", where=where)
    return x[..., [at[name] if name in at else at[name.casefold()] for name in ordered]]


def texts(rows: Table, name: str, all_say: bool = False) -> Table:
    """The table with texts in their column; all_say: none of which is blank."""
    said = []
    for value, where in zip(rows.columns[name], rows.places, strict=True):
        said.append(text(value, name, where))
        if not isinstance(value, list | dict) and (
            not (said[-1] or isinstance(value, str)) or (all_say and not said[-1].strip())
        ):
            fault(f"nothing in {name!r}", expected="a text", where=where)
    return replace(rows, columns=rows.columns | {name: said})


def labelled(rows: Table, named: str | None, needed: bool) -> tuple[Table, str | None]:
    """The table with labels in their column, "" where one is missing, and the column's name. Where one row has a list of
    labels, all have.
    """
    if not needed and named is not None and rows.first([named.lower()]) is None:
        return rows, None
    label = column(rows, named, LABELS, "--label", needed)
    if label is None:
        return rows, None
    values = rows.columns[label]
    several = any(isinstance(v, list) for v in values)
    marks = []
    for value, where in zip(values, rows.places, strict=True):
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(v, list | dict) for v in parts):
            fault(f"an object or a list of lists in {label!r}", expected="a label, or a list of labels", where=where)
            parts = []
        names = [_label(v) for v in parts]
        marks.append(names if isinstance(value, list) else names[0] if names else "")
    if several:
        marks = [v if isinstance(v, list) else [v] if v else [] for v in marks]
    return replace(rows, columns=rows.columns | {label: marks}), label


def targets(rows: Table, named: Sequence[str], needed: bool) -> tuple[Table, list[str]]:
    """The table with what is to be predicted in one column, as `labelled` has it: that of the first of several columns has a list
    of all of them, and the others are gone. And their names, none where the table lacks one. needed: it must have them all.
    Raises HeloError for a column that is not there.
    """
    if needed:
        names = [rows.find(n, "--target") for n in named] or [column(rows, None, TARGETS, "--target") or ""]
    else:
        names = [c for n in named if (c := rows.first([n.lower()])) is not None]
        if len(names) < len(named):
            return without(rows, names), []
    names = list(dict.fromkeys(names))
    if len(names) < 2:
        return (labelled(rows, names[0], needed)[0] if names else rows), names
    every = [labelled(rows, name, needed)[0].columns[name] for name in names]
    for name, values in zip(names, every, strict=True):
        for value, where in zip(values, rows.places, strict=True):
            if isinstance(value, list):
                fault(f"a list in {name!r}", expected="a number", where=where)
    rows = without(rows, names[1:])
    return replace(rows, columns=rows.columns | {names[0]: [list(v) for v in zip(*every, strict=True)]}), names


def _label(value: Any) -> str:
    """A label as text. In a column of whole numbers of which one is missing, pandas makes 1.0 of 1."""
    if numbers.absent(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def column(rows: Table, named: str | None, usual: Sequence[str], flag: str, needed: bool = True) -> str | None:
    """A column by the name that a flag gives, else the first of the usual ones."""
    if named is not None:
        return rows.find(named, flag)
    found = rows.first(usual)
    if found is None and needed:
        raise HeloError(
            f"columns {', '.join(rows.columns)}",
            expected=f"one of {', '.join(usual)}",
            mend=f"choose it with {flag}",
            flag=flag,
            where=rows.heading,
        )
    return found
