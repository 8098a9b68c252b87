"""Time series.

X.ts        the archives of UCR and UEA: one series per line after a header (their other form: `ucr.py`)
a table with a column that says which series a row belongs to: one row per step, one column per channel

aeon reads `.ts` too, but needs many compiled packages; here NumPy must be enough for answers, and errors must name
their line. `benchmarks/series.py` compares this reader with aeon's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import columns, files, numbers, table
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault

SUFFIXES = (".ts",)
MISSING = ("?", "")


class Series(Reader):
    """`.ts`"""

    SUFFIXES = SUFFIXES
    kinds = ("frames",)

    def read(self, paths, options):
        return read(list(paths))


def read(paths: list[Path]) -> Dataset:
    """Series `(time, channels)`, one per line, channels and label separated by `:`; a missing value (`?`) is NaN."""
    inputs, labels, places, labelled = [], [], [], None
    for path in paths:
        data, classes = False, set()
        for n, line in enumerate(files.lines(path), 1):
            where, line = f"{path}:{n}", line.strip()
            if not line or line.startswith(("#", "%")):
                continue
            if not data:
                if not line.startswith("@"):
                    raise HeloError(
                        f"{line[:40]!r}", expected="the header of a .ts file (@problemName …) and @data", where=where
                    )
                word, *rest = line.lower().split()
                data = word == "@data"
                if word == "@timestamps" and rest[:1] == ["true"]:
                    raise HeloError("time stamps", expected="@timeStamps false: only values", where=where)
                if word in ("@classlabel", "@targetlabel"):
                    labelled, classes = rest[:1] == ["true"], set(line.split()[2:])
                continue
            channels = line.split(":")
            label = channels.pop().strip() if labelled in (True, None) and len(channels) > 1 else ""
            label = "" if label in MISSING else label
            if label and classes and label not in classes:
                fault(f"the label {label[:40]!r}", expected="one that @classLabel names", where=where)
                continue
            series = _channels(channels, where)
            if series is None:
                continue
            if inputs and series.shape[1] != inputs[0].shape[1]:
                expected = f"{inputs[0].shape[1]}, as in the other series"
                fault(f"{series.shape[1]} channels", expected=expected, where=where)
                continue
            inputs.append(series)
            labels.append(label)
            places.append(where)
        if not data:
            raise HeloError("no @data", expected="a .ts file", where=path)
    if not inputs:
        raise HeloError("no series", expected="one per line after @data", where=paths[0])
    return Dataset("frames", inputs, labels if any(labels) else None, lambda i, *step: places[i])


def _channels(channels: list[str], where: str) -> np.ndarray | None:
    found = [values(c.split(","), where) for c in channels]
    if any(c is None for c in found):
        return None
    if len({len(c) for c in found if c is not None}) != 1:
        sizes = ", ".join(str(len(c)) for c in found if c is not None)
        fault(f"channels of {sizes} values", expected="the same number in each", where=where)
        return None
    return np.stack([c for c in found if c is not None], 1)


def values(fields: Sequence[str], where: str) -> np.ndarray | None:
    """Numbers, NaN where one is missing; None where a fault was kept."""
    try:
        return numbers.row(["" if v.strip() in MISSING else v for v in fields], where, missing=True)
    except HeloError as error:
        fault(error)
        return None


def grouped(
    rows: table.Table, channels: list[str], label: str | None, group: str, order: str | None, plain: bool = True
) -> Dataset:
    """Series `(time, channels)` from a table of steps, in the order of their first rows; an empty cell or NaN is a
    missing value. All rows of a series have its label. plain: all channels are numbers; where some are texts, cells as they are.
    """
    x = columns.matrix(rows, channels, missing=True) if plain else columns.objects(rows, channels)
    members = columns.groups(rows, group, order)
    labels = None if label is None else columns.common(rows, label, members)
    return Dataset(
        "frames", [x[found] for found in members], labels,
        lambda i, *step: rows.places[members[i][step[0] if step else 0]], {"features": channels, "label": label, "rows": members},
    )  # fmt: skip
