"""Series in wide form: a column a series, beside the column of the times."""

from __future__ import annotations

from helo.data.histories import dataset
from helo.data.readers import columns, files, m4, table, timed
from helo.data.readers.base import Reader
from helo.errors import HeloError


class Wide(Reader):
    """TSV, CSV, JSONL, Parquet: one column per series."""

    SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
    called = "TSV, CSV, JSONL, Parquet"
    labels = ("series",)
    kinds = ("history",)
    columns = timed.OPTIONS
    tables = True

    def sniff(self, path):
        suffix = files.suffix(path)
        taken = suffix == ".parquet" or (suffix in table.SUFFIXES and not m4.headed(path))
        return f"a table, by its suffix {suffix}" if taken else None

    def read(self, paths, options):
        rows = timed.whole(table.of(paths), options)
        for name in ("group", "known", "past"):
            if getattr(options, name):
                raise HeloError(f"--{name} without --target", expected="both: the column of the values is then --target",
                                where=rows.heading)  # fmt: skip
        time = timed.column(rows, options)
        names = [c for c in rows.columns if c != time]
        worded = next((c for c in names if not columns.numbered(rows.columns[c])), None)
        if not names or worded is not None:
            found = "no column beside the times" if worded is None else f"words in the column {worded!r}"
            raise HeloError(found, expected="a column a series, all of numbers",
                            mend="--target names the column of the values", flag="--target", where=rows.heading)  # fmt: skip
        axis = timed.Axis(rows, options, time)
        every = list(range(len(rows)))
        matrix = timed.numbers_of(rows, names)
        axis.settle([every])
        found = [axis.series(name, every, column) for name, column in zip(names, matrix, strict=True)]
        some = [x for x in found if x is not None]
        group = None if len(names) == 1 else "series"
        return dataset(some, [rows.heading] * len(some), group, {"time": time, "features": ["value"]}, {})
