"""Series in long form: a row a step, `--target` the column of the values, `--group` that of the series' names."""

from __future__ import annotations

from helo.data.histories import dataset
from helo.data.readers import columns, files, table, timed
from helo.data.readers.base import Reader
from helo.errors import HeloError


class Long(Reader):
    """TSV, CSV, JSONL, Parquet: one row per time and series."""

    SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
    called = "TSV, CSV, JSONL, Parquet"
    labels = ("series",)
    kinds = ("history",)
    columns = timed.OPTIONS
    required = ("target",)
    tables = True

    def sniff(self, path):
        suffix = files.suffix(path)
        return f"a table, by its suffix {suffix}" if suffix in (*table.SUFFIXES, ".parquet") else None

    def read(self, paths, options):
        rows = timed.whole(table.of(paths), options)
        target, time = rows.find(options.target, "--target"), timed.column(rows, options)
        group = None if options.group is None else rows.find(options.group, "--group")
        known, past = ([rows.find(c, flag) for c in named or ()]
                       for named, flag in ((options.known, "--known"), (options.past, "--past")))  # fmt: skip
        roles = [*filter(None, (time, group)), target, *known, *past]
        if twice := next((c for c in roles if roles.count(c) > 1), None):
            raise HeloError(f"the column {twice!r} for two things", expected="a column each", where=rows.heading)
        axis = timed.Axis(rows, options, time)
        [values], ahead, behind = timed.numbers_of(rows, [target]), *(timed.covariates(rows, c) for c in (known, past))
        members = _members(rows, group)
        axis.settle(list(members.values()))
        found, places = [], []
        for (file, name), of in members.items():
            name = name or ("" if len(members) == 1 else file)
            if (one := axis.series(name, of, values, ahead, behind)) is not None:
                found.append(one)
                places.append(rows.places[of[0]])
        notes = {"time": time, "features": [target, *known, *past]}
        return dataset(found, places, group or (None if len(members) == 1 else "file"), notes, {})


def _members(rows: table.Table, group: str | None) -> dict[tuple[str, str], list[int]]:
    """The rows of each series by its file and name; those of one name in several files are one series."""
    members: dict[tuple[str, str], list[int]] = {}
    names = None if group is None else columns.grouping(rows, group)
    for i, where in enumerate(rows.places):
        key = (where.rpartition(":")[0], "") if names is None else ("", str(names[i]))
        members.setdefault(key, []).append(i)
    return members
