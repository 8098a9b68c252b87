"""Arrays of numbers: `.npz` and `.mat`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import files, numbers
from helo.data.readers.base import Reader
from helo.errors import HeloError, place, wrap

SUFFIXES = (".npz", ".mat")


class Arrays(Reader):
    """x `(examples, …)` and y `(examples,)`: vectors, series, pictures (`examples`)."""

    SUFFIXES = SUFFIXES
    kinds = ("vector", "frames", "picture")
    columns = ("multilabel",)

    def read(self, paths, options):
        return examples(list(paths), options.multilabel, options.numeric)


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, or of a `.mat` (by SciPy)."""
    with place(path):
        data = files.content(path)
        if files.suffix(path) == ".mat":
            found = _mat(data)
        else:
            mend = "np.savez(file, x=…, y=…) writes one"
            if not data.startswith(b"PK"):  # as every zip does; what NumPy says of others misleads
                raise HeloError("not an .npz file", mend=mend)
            try:
                with np.load(io.BytesIO(data)) as archive:
                    found = {k: archive[k] for k in archive.files}
            except Exception as error:  # NumPy and zipfile raise many kinds for damage
                if "allow_pickle" in str(error):
                    raise HeloError("an array of Python objects, which helo never loads", expected="numbers, and labels as text",
                                    mend="y.astype(str)") from error  # fmt: skip
                raise HeloError(f"not a complete .npz file: {error}", mend=mend) from error
        return {k: v for k, v in found.items() if isinstance(v, np.ndarray)}


def _mat(data: bytes) -> dict[str, Any]:
    with wrap(ImportError, "reading .mat files needs SciPy", mend="pip install 'helo[frames]'"):
        from scipy.io import loadmat  # pyright: ignore[reportMissingImports]
    if data.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise HeloError(
            "a .mat file of version 7.3, which is HDF5", mend="save(file, '-v7') writes one that SciPy reads"
        )
    with wrap(Exception, "not a .mat file that SciPy can read:"):  # SciPy raises many kinds for damage
        found = {k: v for k, v in loadmat(io.BytesIO(data)).items() if not k.startswith("__")}
        return {k: v.toarray() if hasattr(v, "toarray") else v for k, v in found.items()}


def named(arrays: dict[str, np.ndarray], name: str, others: tuple[str, ...] = ()) -> np.ndarray | None:
    """An array by its name in the file, or by one of some other usual names."""
    return next((arrays[n] for n in (name, *others) if n in arrays), None)


def given(source: Any, kind: str, missing: bool = False) -> Any:
    """Numbers that a person gives in Python: an array of examples, or for frames and pictures a list of arrays. missing:
    NaN may stand in them.
    """
    if isinstance(source, np.ndarray) or kind == "vector":
        return numbers.checked(listed(source), "input", missing=missing)
    return [numbers.checked(x, f"input {i}", missing=missing) for i, x in enumerate(listed(source), 1)]


def listed(source: Any) -> Any:
    """What is given as several: an array as it is, all else as a list; a text is one."""
    if isinstance(source, np.ndarray):
        return source
    with wrap(TypeError, f"{type(source).__name__}", expected="a list or an array of examples", where="input"):
        return [source] if isinstance(source, str) else list(source)


def texts(source: Any) -> list[str]:
    """Texts that a person gives in Python: one, or several. Raises HeloError for what is none."""
    found = listed(source)
    for i, text in enumerate(found, 1):
        if not isinstance(text, str):
            raise HeloError(f"{text!r:.40}, {type(text).__name__}", expected="a text", where=f"input {i}")
    return list(found)


def words(y: np.ndarray, where: str = "") -> list[str]:
    """Labels as text, `(labels,)` whatever the axes: whole numbers without a point, MATLAB's cells and rows of letters
    without their wrapping and blanks; a missing one is "".
    """
    flat = np.asarray(y).reshape(-1)
    if flat.dtype.kind not in "fiubUSO":
        raise HeloError(f"labels of type {flat.dtype}", expected="whole numbers or text", where=where)
    if flat.dtype.kind == "f" and np.all((numbers.checked(flat, where, "y", True) == np.round(flat)) | np.isnan(flat)):
        return ["" if np.isnan(v) else str(int(v)) for v in flat]
    with wrap(UnicodeDecodeError, "a label that is not UTF-8", expected="whole numbers or text", where=where):
        return [_word(v) for v in flat]


def _word(value: Any) -> str:
    while isinstance(value, np.ndarray):  # a cell of a cell array
        value = value.reshape(-1)[0] if value.size else ""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode()
    return "" if value is None or value != value else str(value).strip()  # NaN is not itself


def examples(paths: list[Path], several: str | None = None, numeric: bool = False) -> Dataset:
    """Examples first: x `(examples, …)` and y `(examples,)` of `.npz` or `.mat` files. Three or four axes of small
    whole numbers are pictures, two are vectors, three of other numbers are sequences `(examples, time, features)`.

    y `(examples, labels)` of zeros and ones marks the labels of each: one, or several where more than one or none is
    marked or `several` is asked for. They are called as an array `names` says, else by their number, from 0. numeric: y is
    numbers, one or several an example.
    """
    xs, ys, places = [], [], []
    for path in paths:
        arrays = load(path)
        x = named(arrays, "x", ("X", "images", "features", "data"))
        y = named(arrays, "y", ("Y", "labels", "label", "targets"))
        if x is None:
            raise HeloError(
                f"arrays {', '.join(arrays) or 'none'}", expected="x (first axis: examples) and y", where=path
            )
        x = numbers.checked(x, str(path), missing=x.ndim < 4)
        if x.ndim not in (2, 3, 4) or not x.size:
            raise HeloError(f"x of shape {x.shape}", expected="2 to 4 axes, the first of examples, none of them empty",
                            where=path)  # fmt: skip
        if xs and x.shape[1:] != xs[0].shape[1:]:
            raise HeloError(f"x of shape {x.shape}", expected=f"(…, {xs[0].shape[1:]})", where=path)
        if y is not None:
            if numeric:
                marks = labels(y if len(y) == len(x) else y.reshape(-1), numeric, str(path))
            else:
                marks = _marked(y, arrays.get("names"), path) if _marks(y, len(x)) else words(y, str(path))
            if len(marks) != len(x):
                raise HeloError(
                    f"{len(x)} examples in x but {len(marks)} labels in y", expected="the same number", where=path
                )
            ys += marks
        xs.append(x)
        places += [f"{path} example {i}" for i in range(len(x))]
    x = np.concatenate(xs)
    if several is None and all(isinstance(y, list) and len(y) == 1 for y in ys):
        ys = [y[0] for y in ys]
    elif any(isinstance(y, list) for y in ys):
        ys = [y if isinstance(y, list) else [y] for y in ys]
    return Dataset(kind(x), x, ys if len(ys) == len(x) else None, lambda i, *step: places[i])


def kind(x: np.ndarray) -> str:
    """What an array of examples, the first axis, is of."""
    return "vector" if x.ndim == 2 else "picture" if x.ndim == 4 or x.dtype == np.uint8 else "frames"


def labels(y: np.ndarray, numeric: bool = False, where: str = "labels") -> list[Any]:
    """Labels of examples, the first axis: one each, or several that ones mark. numeric: they are numbers, whatever these are."""
    if not numeric and _marks(y, len(y)):
        return _marked(y, None, where)
    return words(y, where) if y.ndim == 1 else [words(row, where) for row in y]


def _marks(y: np.ndarray, examples: int) -> bool:
    """Whether y marks labels with ones, `(examples, labels)`."""
    numbers = y.dtype.kind in "fiub"
    return numbers and y.ndim == 2 and len(y) == examples and y.shape[1] > 1 and bool(np.isin(y, (0, 1)).all())


def _marked(y: np.ndarray, names: np.ndarray | None, path: Path | str) -> list[list[str]]:
    called = [str(i) for i in range(y.shape[1])] if names is None else words(names, str(path))
    if len(called) != y.shape[1]:
        raise HeloError(f"{len(called)} names", expected=f"{y.shape[1]}, one per column of y", where=path)
    return [[called[i] for i in np.flatnonzero(row)] for row in y]
