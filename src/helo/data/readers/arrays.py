"""Numbers in files: `.npz`, `.mat`, and tables of numbers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.labelled import Labelled
from helo.data.readers import files, table
from helo.errors import HeloError, place

SUFFIXES = (".npz", ".mat", ".csv", ".tsv")


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, or of a `.mat` (by SciPy)."""
    with place(path):
        if files.suffix(path) == ".mat":
            try:
                from scipy.io import loadmat  # pyright: ignore[reportMissingImports]
            except ImportError as error:
                raise HeloError(".mat files are read by SciPy", mend="pip install 'helo[frames]'") from error
            try:
                return {k: v for k, v in loadmat(io.BytesIO(files.content(path))).items() if not k.startswith("__")}
            except (ValueError, NotImplementedError, TypeError) as error:
                raise HeloError(f"not a .mat file that SciPy reads: {error}") from error
        try:
            with np.load(io.BytesIO(files.content(path))) as found:
                return {k: found[k] for k in found.files}
        except (ValueError, OSError, EOFError) as error:
            raise HeloError(f"not an .npz file: {error}", mend="np.savez(file, x=…, y=…) writes one") from error


def named(arrays: dict[str, np.ndarray], name: str, others: tuple[str, ...] = ()) -> np.ndarray | None:
    """An array by its name in the file, or by one of some other usual names."""
    return next((arrays[n] for n in (name, *others) if n in arrays), None)


def finite(x: np.ndarray, where: str) -> np.ndarray:
    """x, which has to be numbers. Raises HeloError with the row of the first that is none."""
    if x.dtype.kind not in "fiub":
        raise HeloError(f"values of the kind {x.dtype}", expected="numbers", where=where)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        raise HeloError(f"NaN or infinity in row {row}", expected="numbers", where=where)
    return x


def words(y: np.ndarray) -> list[str]:
    """Labels as text: whole numbers without a point."""
    flat = np.asarray(y)
    if flat.dtype.kind == "f" and np.all(flat == np.round(flat)):
        flat = flat.astype(np.int64)
    return [str(v.item() if isinstance(v, np.generic) else v) for v in flat]


def examples(paths: list[Path]) -> Labelled:
    """Examples first: x `(examples, …)` and y `(examples,)` of `.npz` or `.mat` files. Three or four axes of small
    whole numbers are pictures, two are vectors, three of other numbers are sequences `(examples, time, features)`.
    """
    xs, ys, places = [], [], []
    for path in paths:
        arrays = load(path)
        x = named(arrays, "x", ("X", "images", "features", "data"))
        y = named(arrays, "y", ("Y", "labels", "label", "targets"))
        if x is None:
            raise HeloError(
                f"arrays {', '.join(arrays) or 'none'}", expected="x (examples first) and y", where=str(path)
            )
        finite(x, str(path))
        if xs and x.shape[1:] != xs[0].shape[1:]:
            raise HeloError(f"x of shape {x.shape}", expected=f"(…, {xs[0].shape[1:]})", where=str(path))
        if y is not None:
            y = np.asarray(y).reshape(len(y) if y.ndim == 1 else -1)
            if len(y) != len(x):
                raise HeloError(f"{len(x)} examples in x and {len(y)} labels in y", expected="as many", where=str(path))
            ys += words(y)
        xs.append(x)
        places += [f"{path} example {i}" for i in range(len(x))]
    x = np.concatenate(xs)
    if x.ndim not in (2, 3, 4):
        raise HeloError(f"x of shape {x.shape}", expected="2 to 4 axes, examples first", where=str(paths[0]))
    kind = "vector" if x.ndim == 2 else "picture" if x.ndim == 4 or x.dtype == np.uint8 else "frames"
    return Labelled(kind, x, ys if len(ys) == len(x) else None, lambda i, *step: places[i])


def frames(paths: list[Path], column: str | None) -> Labelled:
    """One file a video: features `(frames, features)` and a label a frame. `.npz` and `.mat` hold x and y, a table has
    the label in a column.
    """
    inputs, labels, names = [], [], []
    for path in paths:
        x, y = _table(path, column) if files.suffix(path) in (".csv", ".tsv") else _arrays(path, column)
        if len(x) == 0:
            raise HeloError("no frames", where=str(path))
        if inputs and x.shape[1] != inputs[0].shape[1]:
            raise HeloError(
                f"{x.shape[1]} features a frame", expected=f"{inputs[0].shape[1]}, as the files before", where=str(path)
            )
        inputs.append(x)
        labels.append(y)
        names.append(path)
    return Labelled(
        "frames", inputs, None if any(y is None for y in labels) else labels,
        lambda i, *step: f"{names[i]}" + (f" frame {step[0]}" if step else ""), {"names": [p.name for p in names]},
    )  # fmt: skip


def _arrays(path: Path, column: str | None) -> tuple[np.ndarray, list[str] | None]:
    arrays = load(path)
    x = named(arrays, "x", ("X", "features", "data"))
    y = named(arrays, column or "y", ("y", "Y", "labels", "label", "targets"))
    if x is None or x.ndim != 2:
        shape = "none" if x is None else str(x.shape)
        raise HeloError(f"x: {shape}", expected="x (frames, features) and y (frames,)", where=str(path))
    finite(x, str(path))
    return x.astype(np.float32), _labels(y, len(x), path)


def _labels(y: Any, frames: int, path: Path) -> list[str] | None:
    if y is None:
        return None
    found = words(np.asarray(y).reshape(-1))
    if len(found) != frames:
        raise HeloError(f"{frames} frames and {len(found)} labels", expected="a label a frame", where=str(path))
    return found


def _table(path: Path, column: str | None) -> tuple[np.ndarray, list[str] | None]:
    rows = table.read(path)
    if column is not None:
        label = rows.first([column.lower()])
    else:
        label = rows.first(("label", "phase", "class", "y", "target"))
    features = [c for c in rows.columns if c != label and c.lower() not in ("timestamp", "time", "frame")]
    x = table.matrix(rows, features)
    return x, None if label is None else [str(v) for v in rows.columns[label]]
