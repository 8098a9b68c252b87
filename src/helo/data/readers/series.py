"""Time series in the `.ts` format of the UCR and UEA archives.

aeon reads it too, with a stack of compiled packages behind it; here NumPy has to be enough for answers, and a fault
has to be named with its line, so these are our own sixty lines, held to aeon's reading by `benchmarks/series.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helo.data.labelled import Labelled
from helo.data.readers import files
from helo.errors import HeloError, fault

SUFFIXES = (".ts",)


def read(paths: list[Path]) -> Labelled:
    """Series `(time, channels)`, one a line, channels and label parted by `:`; a missing value (`?`) is NaN."""
    inputs, labels, places, labelled = [], [], [], None
    for path in paths:
        data = False
        for n, line in enumerate(files.lines(path), 1):
            where, line = f"{path}:{n}", line.strip()
            if not line or line.startswith("#"):
                continue
            if not data:
                if not line.startswith("@"):
                    raise HeloError(
                        f"{line[:40]!r}", expected="the header of a .ts file (@problemName …) and @data", where=where
                    )
                word, *rest = line.lower().split()
                data = word == "@data"
                if word == "@timestamps" and rest[:1] == ["true"]:
                    raise HeloError("time stamps", expected="@timeStamps false: values alone", where=where)
                if word in ("@classlabel", "@targetlabel"):
                    labelled = rest[:1] == ["true"]
                continue
            channels = line.split(":")
            label = channels.pop().strip() if labelled in (True, None) and len(channels) > 1 else None
            series = _channels(channels, where)
            if series is None:
                continue
            if inputs and series.shape[1] != inputs[0].shape[1]:
                expected = f"{inputs[0].shape[1]}, as the series before"
                fault(HeloError(f"{series.shape[1]} channels", expected=expected, where=where))
                continue
            inputs.append(series)
            labels.append(label)
            places.append(where)
        if not data:
            raise HeloError("no @data", expected="a .ts file", where=str(path))
    if not inputs:
        raise HeloError("no series", expected="one a line after @data", where=str(paths[0]))
    return Labelled("frames", inputs, labels if all(labels) else None, lambda i, *step: places[i])


def _channels(channels: list[str], where: str) -> np.ndarray | None:
    try:
        found = [np.array([float("nan") if v.strip() == "?" else float(v) for v in c.split(",")]) for c in channels]
    except ValueError as error:
        fault(HeloError(f"{error}", expected="numbers parted by commas, ? where one is missing", where=where))
        return None
    if len({len(c) for c in found}) != 1:
        sizes = ", ".join(str(len(c)) for c in found)
        fault(HeloError(f"channels of {sizes} values", expected="as many in each", where=where))
        return None
    return np.stack(found, 1).astype(np.float32)
