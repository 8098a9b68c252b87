"""Tables: TSV, CSV and JSONL, as named columns of text, with the line number of every row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from helo.data.readers import files, numbers
from helo.errors import HeloError, fault, nearest, place, warn, wrap

SUFFIXES = (".tsv", ".csv", ".jsonl", ".txt")


@dataclass
class Table:
    """columns: each one value a row. places: `file:line` of every row."""

    file: Path
    columns: dict[str, list[Any]]
    places: list[str]
    headed: bool = True  # False: the columns are called "1", "2", …
    weights: Sequence[float] | None = None  # of each row in the loss
    index: Mapping[str, list[Any]] = field(default_factory=dict)  # of a DataFrame that has times in it, these first

    def __len__(self) -> int:
        return len(self.places)

    def __str__(self) -> str:
        return str(self.file)

    @property
    def heading(self) -> str:
        """Where the names of the columns stand."""
        return f"{self.file}:1" if self.file.suffix else str(self.file)

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
            f"no column {name!r}",
            mend=f"choose it with {flag}: {nearest(name, self.columns)}",
            where=self.heading,
            flag=flag,
        )

    def first(self, names: Sequence[str]) -> str | None:
        """The first of some names that is a column, whatever its case."""
        lower = {c.lower(): c for c in self.columns}
        return next((lower[w] for w in names if w in lower), None)


ROWS = 1024  # of a piece


def read(path: Path, headed: bool = True) -> Table:
    """A whole table by its suffix. TSV: fields as they are, quotes have no meaning; CSV: quoted as by spreadsheets, separated
    by commas, semicolons or tabs, whichever is most frequent in the first line; JSONL: one object per line. headed: the first
    line names the columns.
    """
    return next(pieces(path, None, headed))


def pieces(path: Path, size: int | None = ROWS, headed: bool = True) -> Iterator[Table]:
    """The same in tables of so many rows, one after the other, so that the size of the file does not matter."""
    if files.suffix(path) == ".jsonl":
        yield from _jsonl(path, size)
        return
    if files.suffix(path) == ".parquet":
        yield _parquet(path)
        return
    lines = (line for text in files.streamed(path) for line in _LINE.findall(text))
    early = next(lines, "")
    mark, quoting = _form(path, early)
    every = parted(chain([early], lines), str(path), delimiter=mark, quoting=quoting)
    rows = ((line, row) for line, row in every if any(cell.strip() for cell in row))
    top = next(rows, None)
    if top is None:
        if early.strip():
            raise HeloError("no rows", expected="a first line that names the columns, and rows", where=path)
        raise HeloError("the file is empty", where=path)
    if not headed:
        rows, top = chain([top], rows), (1, list(map(str, range(1, len(top[1]) + 1))))
    header = [cell.strip() for cell in top[1]]
    some, first = False, None
    while found := list(islice(rows, size)):
        if first is None:
            first = int(_counted(header, found[:ROWS]))
            _named(["rows" if first and "rows" not in header else header[0], *header[1:]], f"{path}:{top[0]}")
            if first:
                warn(f"{path}: the first column has no name and numbers the rows: it is left out")
        for line, row in found:
            if len(row) != len(header):
                fault(
                    f"{len(row)} column{'s' * (len(row) != 1)}", expected=f"{len(header)} ({few(header)})",
                    mend=f"a {'tab' if mark == chr(9) else repr(mark)} separates the columns", where=f"{path}:{line}",
                )  # fmt: skip
        if found := [(line, row) for line, row in found if len(row) == len(header)]:
            columns = {name: [row[i] for _, row in found] for i, name in enumerate(header) if i >= (first or 0)}
            yield Table(path, columns, [f"{path}:{line}" for line, _ in found], headed)
            some = True
    if not some:
        raise HeloError("a first line but no rows", where=path)


def _counted(header: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]) -> bool:
    """Whether the first column is no column but the numbers of the rows, as pandas and R write them: without a name, whole numbers that
    are all different, and no years or other times.
    """
    cells = [row[0].strip() for _, row in rows if row]
    if len(header) < 2 or header[0] or len(set(cells)) < len(cells) or not all(map(str.isdecimal, cells)):
        return False
    return not all(map(_TIMES.fullmatch, cells))


_TIMES = re.compile(r"1[5-9]\d\d|2[01]\d\d|(19|20)\d{4}(\d\d)?|\d{10}|\d{13}")


def lines(path: Path, size: int | None = ROWS, name: str = "text") -> Iterator[Table]:
    """A plain text in tables of so many rows: a line is a text, in the only column."""
    every, some = enumerate(chain.from_iterable(map(files.parted, files.streamed(path))), 1), False
    while found := list(islice(every, size)):
        yield Table(path, {name: [line for _, line in found]}, [f"{path}:{n}" for n, _ in found], headed=False)
        some = True
    if not some:
        raise HeloError("the file is empty", expected="a text a line", where=path)


def of(sources: Sequence[Path | Table]) -> Table:
    """Files and tables as one table."""
    return joined([s if isinstance(s, Table) else read(s) for s in sources])


def given(source: Any) -> list[Table]:
    """Tables out of what is given in Python: DataFrames of any library that narwhals reads, one or a list of them; a dict of
    columns; a list of dicts, a row each. None for all else.
    """
    if isinstance(source, Mapping):
        return [_columns(source)]
    several = list(source) if isinstance(source, list | tuple) else [source]
    if several and all(isinstance(s, Table) for s in several):
        return several
    if several and all(isinstance(s, Mapping) for s in several):
        return [_rows(several)]
    if not several or not all(map(_frame, several)):
        return []
    return [_table(f, "DataFrame" if len(several) == 1 else f"DataFrame {i}") for i, f in enumerate(several, 1)]


def _frame(source: Any) -> bool:
    return hasattr(type(source), "columns") and hasattr(type(source), "__getitem__") and not isinstance(source, Table)


def named(frame: Any, called: str = "DataFrame") -> None:
    """Raises HeloError for a DataFrame with a name twice, which pandas and pyarrow allow and narwhals does not."""
    if not hasattr(frame, "collect"):
        names = frame.column_names if hasattr(type(frame), "column_names") else frame.columns
        _named([str(n) for n in names], called)


def _table(frame: Any, called: str) -> Table:
    """Rows are counted from 0, as DataFrames count them."""
    import narwhals

    named(frame, called)
    expected = "a DataFrame of pandas, polars, pyarrow or another library that narwhals reads"
    with wrap(TypeError, f"{type(frame).__module__}.{type(frame).__qualname__}", expected=expected, where=called):
        found = narwhals.from_native(frame)
    with wrap(Exception, "cannot be read:", where=called):  # each library has errors of its own
        whole = found.collect() if isinstance(found, narwhals.LazyFrame) else found
        columns = {str(name): whole[:, i].to_list() for i, name in enumerate(whole.columns)}
    return replace(_of(columns, called, f"{called} row"), index=timed_index(frame))


def timed_index(frame: Any) -> dict[str, list[Any]]:
    """The index of a DataFrame or a Series of pandas as columns, the times first; none where it has no times."""
    index = getattr(frame, "index", None)
    if type(index).__name__ not in ("DatetimeIndex", "PeriodIndex", "MultiIndex"):
        return {}
    levels: list[Any] = [index.get_level_values(i) for i in range(index.nlevels)]  # pyright: ignore[reportOptionalMemberAccess]
    times = [i for i, level in enumerate(levels) if type(level).__name__ in ("DatetimeIndex", "PeriodIndex")]
    if len(times) != 1:
        return {}
    at = levels[times[0]]
    at = at.to_timestamp() if hasattr(at, "to_timestamp") else at
    named = {
        str(level.name if level.name is not None else f"level {i}"): list(level)
        for i, level in enumerate(levels)
        if i != times[0]
    }
    return {str("time" if at.name is None else at.name): list(at.to_pydatetime())} | named


def _columns(source: Mapping[Any, Any]) -> Table:
    """A dict of columns."""
    columns = {}
    for name, values in source.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise HeloError(f"{values!r:.40} in {name!r}", expected="a list of values, one a row", where="input")
        columns[str(name)] = list(values)
    if len(sizes := {len(c) for c in columns.values()}) > 1:
        sizes = ", ".join(f"{len(c)} in {n!r}" for n, c in columns.items())
        raise HeloError(f"columns of different lengths: {sizes}", expected="as many values in each", where="input")
    return _of(columns, "data", "row")


def _rows(source: Sequence[Mapping[Any, Any]]) -> Table:
    """A list of dicts; a key that a row lacks is None there."""
    names = dict.fromkeys(name for row in source for name in row)
    return _of({str(n): [row.get(n) for row in source] for n in names}, "data", "row")


def _of(columns: dict[str, list[Any]], called: str, row: str) -> Table:
    _named(list(columns), called)
    count = len(next(iter(columns.values()), ()))
    if not count:
        raise HeloError(f"0 rows and {len(columns)} columns", expected="at least one", where=called)
    places = [f"{row} {i}" for i in range(count)]
    return Table(Path(called), {n: cells(values, n, places) for n, values in columns.items()}, places)


def cells(values: Sequence[Any], name: str, places: Sequence[str]) -> list[Any]:
    """A column's values as a file of JSON would hold them: arrays as lists, NumPy's numbers as Python's."""
    found = [v.tolist() if hasattr(v, "tolist") else v for v in values]
    for value, where in zip(found, places, strict=True):
        with place(where):
            characters(name, value)
    return found


def _named(header: list[str], where: str) -> None:
    """Raises HeloError unless each column has a name of its own."""
    if len(set(header)) != len(header) or not all(header):
        twice = next((h for h in header if header.count(h) > 1), "")
        nameless = f"a column without a name: {header.index('') + 1} of {len(header)}" if "" in header else ""
        raise HeloError(
            f"the column name {twice!r} appears twice" if twice else nameless,
            expected="a different name for each column", where=where,
        )  # fmt: skip


def parted(lines: Iterable[str], file: str, **how: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows of cells, each with the line on which it begins; lines come with their ends. One that goes on over several
    lines must be quoted as it should be: a quote that is not closed takes in whatever follows it.
    """
    csv.field_size_limit(1 << 30)
    own: list[str] = []  # the lines of this row

    def kept() -> Iterator[str]:
        for line in lines:
            own.append(line)
            yield line

    reader, start = csv.reader(kept(), **how), 0
    while True:
        try:
            row = next(reader, None)
            if row is None:
                return
            if len(own) > 1:
                list(csv.reader(own, strict=True, **how))
            yield start + 1, row
        except csv.Error:
            fault("a quote that is not closed", expected='" at both ends, and "" for a quote inside',
                  where=f"{file}:{start + 1}")  # fmt: skip
        start = reader.line_num
        own.clear()


_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # with its end, which no other sign is


def _form(path: Path, first: str) -> tuple[str, Any]:
    """What parts the columns, and what quotes mean, by a file's name and first line."""
    if files.suffix(path) in (".tsv", ".txt"):
        return "\t", csv.QUOTE_NONE
    return max(",;\t", key=first.count), csv.QUOTE_MINIMAL


def bare(path: Path) -> bool:
    """Whether the first line holds numbers alone, and so no names of columns."""
    first = next((line for line in files.lines(path) if line.strip()), "")
    return all(map(numbers.is_number, first.split(_form(path, first)[0])))


def _parquet(path: Path) -> Table:
    """By whichever library is here that reads it, as a whole."""
    import narwhals

    for library in ("polars", "pyarrow", "pandas"):
        try:
            with place(path), wrap(Exception, "cannot be read:"):  # each library has errors of its own
                found = narwhals.read_parquet(str(path), backend=library)
            return _table(found, str(path))
        except HeloError as error:
            if not isinstance(error.__cause__, ImportError):
                raise
    raise HeloError(
        "a Parquet file", expected="polars or pyarrow, which read it", mend="pip install polars", where=path
    )


def _jsonl(path: Path, size: int | None) -> Iterator[Table]:
    """A key that a line lacks is None there."""
    wrong, some = None, False
    lines = ((n, line) for n, line in enumerate(chain.from_iterable(map(files.parted, files.streamed(path))), 1))
    while some_lines := list(islice(lines, size)):
        rows, places = [], []
        for n, line in some_lines:
            if not line.strip():
                continue
            try:
                rows.append(_object(line))
                places.append(f"{path}:{n}")
            except HeloError as error:
                error.where, wrong = f"{path}:{n}", wrong or error
                fault(error)
        names = dict.fromkeys(name for row in rows for name in row)
        if names:
            yield Table(path, {n: [row.get(n) for row in rows] for n in names}, places)
            some = True
        elif rows:
            raise HeloError("objects without keys", expected='such as {"text": …, "label": …}', where=places[0])
    if not some:
        raise wrong or HeloError("no rows", expected="one JSON object per line", where=path)


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line, object_pairs_hook=once)
    except RecursionError:
        raise HeloError("JSON that is nested too deeply") from None
    except ValueError as error:
        mend = "jq -c '.[]' makes them from a list" if line.lstrip().startswith("[") else ""
        raise HeloError(f"not JSON: {error}", expected="one object per line", mend=mend) from None
    if not isinstance(row, dict):
        raise HeloError("not a JSON object", expected='one per line, such as {"text": …, "label": …}')
    for name, value in row.items():
        characters(name, value)
    return row


def characters(name: str, value: Any) -> None:
    """Raises HeloError for a key or a value with what is no character."""
    for text in (name, *(value if isinstance(value, list) else [value])):
        if isinstance(text, str) and (sign := _NO_CHARACTER.search(text)):
            what = "half of a surrogate pair" if ord(sign[0]) else "NUL"
            raise HeloError(f"{what}, \\u{ord(sign[0]):04x}, in {_plain(name)!r}", expected="characters")


_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")


def _plain(text: str) -> str:
    return text.encode(errors="replace").decode()


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise HeloError(f"the key {next(n for n in names if names.count(n) > 1)!r} twice", expected="each key once")
    return found


def text(value: Any, column: str, where: str) -> str:
    """A cell as text, "" where nothing is in it. A list or an object is a fault of its place: it is no text."""
    if isinstance(value, list | dict):
        fault(f"a {'list' if isinstance(value, list) else 'JSON object'} in {column!r}", expected="a text", where=where)
        return ""
    return "" if numbers.absent(value) and not isinstance(value, str) else str(value)


def joined(tables: Sequence[Table]) -> Table:
    """Several tables of the same columns as one."""
    first = tables[0]
    if len(tables) == 1:
        return first
    for t in tables[1:]:
        if missing := [c for c in first.columns if c not in t.columns]:
            raise HeloError(f"no column {missing[0]!r}", expected=f"the columns of {first.file}", where=t.heading)
    columns = {c: [v for t in tables for v in t.columns[c]] for c in first.columns}
    return Table(first.file, columns, [p for t in tables for p in t.places], first.headed)


def few(names: Sequence[str]) -> str:
    """The first of some names, for people."""
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
