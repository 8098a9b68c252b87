"""Series in the form of the M4 competition: a row a series, its name first, then its values, as many as there are."""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path

from helo.data import times
from helo.data.histories import dataset, history
from helo.data.readers import files, numbers, table, timed
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault


def headed(path: Path) -> bool:
    """Whether the first line is that of the competition's files: V1, V2 and so on."""
    first = next((line for line in files.lines(path) if line.strip()), "")
    return [c.strip().strip('"') for c in first.split(",")[:2]] == ["V1", "V2"]


class M4(Reader):
    """CSV of the M4 competition: one row per series."""

    SUFFIXES = (".csv",)
    called = "CSV of the M4 competition"
    labels = ("series",)
    kinds = ("history",)
    columns = timed.OPTIONS

    def sniff(self, path):
        return "its first line is V1, V2, …" if files.suffix(path) == ".csv" and headed(path) else None

    def read(self, paths, options):
        if options.frequency is None:
            raise HeloError("series without times", expected="how far their values are apart", mend="--frequency says it", flag="--frequency",
                            where=paths[0])  # fmt: skip
        clock = times.Clock(times.frequency(options.frequency))
        found, places = [], []
        for path in paths:
            lines = chain.from_iterable(text.splitlines(keepends=True) for text in files.streamed(path))
            first = True  # the line that is not blank
            for n, row in table.parted(lines, str(path), quoting=csv.QUOTE_MINIMAL):
                where = f"{path}:{n}"
                cells = [c.strip() for c in row]
                if not any(cells):
                    continue
                headed, first = first and cells[:2] == ["V1", "V2"], False
                if headed:
                    continue
                while len(cells) > 1 and numbers.nothing(cells[-1]):
                    cells.pop()
                if len(cells) < 2:
                    fault("a name without values", expected="a name, then values", where=where)
                    continue
                try:
                    found.append(history(cells[0], numbers.row(cells[1:], where, missing=True), clock))
                    places.append(where)
                except HeloError as error:
                    fault(error)
        return dataset(found, places or [str(paths[0])], "id", {"time": None, "features": ["value"]}, {})
