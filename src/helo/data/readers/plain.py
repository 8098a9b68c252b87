"""Plain text, to be answered: each line is a text."""

from __future__ import annotations

from helo.data.dataset import Dataset
from helo.data.readers import table
from helo.data.readers.base import Reader
from helo.errors import HeloError

SUFFIXES = (".txt",)


class Plain(Reader):
    """A text a line, without labels."""

    SUFFIXES = SUFFIXES
    called = ".txt, a text a line, for answers"
    beside = SUFFIXES

    def read(self, paths, options):
        if options.labelled:
            where = paths[0].file if isinstance(paths[0], table.Table) else paths[0]
            raise HeloError(
                "a plain text, which has no labels",
                expected="TSV, CSV, JSONL: a text and its label in each row",
                where=where,
            )
        rows = table.joined([p if isinstance(p, table.Table) else next(table.lines(p, None)) for p in paths])
        return Dataset("text", rows.columns["text"], None, lambda i, *step: rows.places[i], columns=rows.columns)

    def parts(self, path, options):
        yield from table.lines(path)
