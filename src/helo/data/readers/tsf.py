"""`.tsf`, the format of the Monash archive: a header, then a series a line, `name:start:values`."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.data import times
from helo.data.histories import History, dataset, history
from helo.data.readers import files, numbers, timed
from helo.data.readers.base import Reader
from helo.errors import HeloError, fault


class Tsf(Reader):
    """`.tsf`"""

    SUFFIXES = (".tsf",)
    labels = ("series",)
    kinds = ("history",)
    columns = timed.OPTIONS

    def read(self, paths, options):
        found: list[History] = []
        places: list[str] = []
        for path in paths:
            attributes: list[tuple[str, str]] = []
            spec, data = options.frequency, False
            for n, line in enumerate(files.lines(path), 1):
                where, line = f"{path}:{n}", line.strip()
                if not line or line.startswith("#"):
                    continue
                if data:
                    try:
                        found.append(_series(line, attributes, spec, where))
                        places.append(where)
                    except HeloError as error:
                        fault(error)
                    continue
                word, *rest = line.split()
                if not word.startswith("@"):
                    raise HeloError(f"{line[:40]!r}", expected="the header of a .tsf file and @data", where=where)
                if word == "@attribute":
                    if len(rest) != 2 or rest[1] not in ("string", "numeric", "date"):
                        raise HeloError(
                            f"{line[:60]!r}", expected="@attribute NAME string, numeric or date", where=where
                        )
                    attributes.append((rest[0], rest[1]))
                elif word == "@frequency" and rest and spec is None:
                    spec = times.frequency(" ".join(rest), where)
                data = word == "@data"
            if not data:
                raise HeloError("no @data", expected="a .tsf file", where=path)
            if spec is None:
                raise HeloError(
                    "no @frequency", expected="one", mend="--frequency says it", flag="--frequency", where=path
                )
        notes: dict[str, Any] = {"time": "time", "features": ["value"]}
        return dataset(found, places or [str(paths[0])], "id", notes, {})


def _series(line: str, attributes: list[tuple[str, str]], spec: str | None, where: str) -> History:
    *about, values = line.split(":")
    if len(about) != len(attributes):
        raise HeloError(
            f"{len(about)} attributes", expected=f"{len(attributes)}, as the header says, parted by colons", where=where
        )
    if spec is None:
        raise HeloError(
            "no @frequency before @data", expected="one", mend="--frequency says it", flag="--frequency", where=where
        )
    start, style, name = None, times.STEPS, about[0] if about else ""
    for text, (attribute, kind) in zip(about, attributes, strict=True):
        if kind == "date":  # 1972-01-01 00-00-00: a colon parts the attributes
            day, _, clock = text.strip().partition(" ")
            found, style = times.parse([f"{day} {clock.replace('-', ':')}".strip()], [where], attribute)
            start = found[0]
        elif attribute == "series_name":
            name = text
    cells = [v.strip() for v in values.split(",")]
    return history(
        name,
        np.asarray(numbers.row(cells, where, missing=True)),
        times.Clock(times.frequency(spec, where), style, start),
    )
