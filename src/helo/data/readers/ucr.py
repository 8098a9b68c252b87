"""UCR's other form of time series, `X_TRAIN.tsv` or `X_TEST.csv`: no header; a label and then the values on each line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import arrays, files, numbers, table
from helo.data.readers.base import Reader
from helo.data.readers.series import values
from helo.errors import fault


class Ucr(Reader):
    """Series of one channel, which may differ in length."""

    SUFFIXES = (".tsv", ".csv")
    called = "NAME_TRAIN.tsv"
    kinds = ("frames",)

    def sniff(self, path):
        return "UCR's form: its name has _TRAIN or _TEST, and its first line is numbers" if plain(path) else None

    def read(self, paths, options):
        """Series `(time, 1)`, one a line after its label; NaN after the last value fills a shorter one up."""
        inputs, labels, places = [], [], []
        for path in paths:
            mark = "\t" if files.suffix(path) == ".tsv" else ","
            for n, line in enumerate(files.lines(path), 1):
                where, (label, *fields) = f"{path}:{n}", line.split(mark)
                found = values(fields, where) if line.strip() else None
                if found is None:
                    continue
                known = np.flatnonzero(~np.isnan(found))
                if not len(known):
                    fault("no values", expected="a label, then the values of the series", where=where)
                    continue
                inputs.append(found[: known[-1] + 1, None])
                labels.append(
                    arrays.words(np.array([numbers.number(label, where, missing=True)]))[0]
                    if numbers.is_number(label)
                    else label.strip()
                )
                places.append(where)
        return Dataset("frames", inputs, labels, lambda i, *step: places[i])


def plain(path: Path) -> bool:
    """Whether a file is in UCR's form without a heading: by its name, and since its first line is of numbers."""
    named = re.search(r"_(TRAIN|TEST)\.(tsv|csv)(\.gz)?$", path.name, re.IGNORECASE)
    return named is not None and table.bare(path)
