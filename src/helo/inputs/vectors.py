"""One vector an example, of a table's numbers and categories, and no sequence: for a feed-forward network."""

from __future__ import annotations

import csv
import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.data.dataset import Dataset
from helo.data.readers import arrays, columns
from helo.data.readers import numbers as written
from helo.data.readers.table import few
from helo.errors import HeloError, warn, wrap
from helo.inputs.base import EVERY, Input
from helo.inputs.numbers import Numbers
from helo.inputs.words import RARE
from helo.saved import distinct, fields

ONE_HOT = 16  # a column of at most so many categories is one-hot; of more each is a row of a table
LEAST, MOST = 2, 10_000  # a category is known when it was seen so often; at most so many of a column are
WORDS = 5  # a column that has so many words a cell, most cells unlike any other, is running text
FEW = 10  # rows of which nothing is said: an identifier is not to be told from chance
DATES = 0.1  # the share of a column's dates that are all different from which on nothing is learned of each
UNLIKE = 0.9  # the share of a column's cells that are all different where it looks like an identifier
_IDENTIFIER = re.compile(r"(.*[\W_])?(id|idx|index|key|uuid|guid|nr|no|number|row|unnamed: \d+)|.*[a-z](ID|Id)")


class Vectors(Input):
    """Numbers scaled as those of a step are. A column of texts is a category: one-hot, or where there are many an
    embedding. Category 0 of each column is the unknown one, which training meets too; a missing one is a category as others
    are.
    """

    reads = ("vector", "frames", "picture")
    sequence = False

    def __init__(
        self,
        numbers: Numbers | None,
        categories: Mapping[str, Sequence[str]] | None = None,
        names: Sequence[str] | None = None,
    ):
        """numbers: None where no column is one. categories: of each column of texts those that are known. names: all columns,
        in the order of training; where there are no categories, those of `numbers`.
        """
        self.numbers, self.categories = numbers, {n: list(known) for n, known in (categories or {}).items()}
        self.names = (numbers and numbers.names) if names is None else list(names)
        self.columns = list(self.names or [f"feature {i + 1}" for i in range(len(numbers.mean) if numbers else 0)])
        self.numeric = [name for name in self.columns if name not in self.categories]
        self.ids = [{value: i for i, value in enumerate(known, 1)} for known in self.categories.values()]
        self.sizes = [_size(len(known)) for known in self.categories.values()]
        self.width = (numbers.width if numbers else 0) + sum(self.sizes)

    @classmethod
    def learn(cls, examples):
        """Means and standard deviations of these vectors, by which all are scaled; the categories of columns of texts. What
        looks like an identifier is said, and texts that are all different are left out.
        """
        x, names = _rows(examples), examples.notes.get("features")
        if names is not None:
            for j, name in enumerate(names):
                if all(map(written.nothing, x[:, j])):
                    warn(f"the column {name!r} has no value in any row; --ignore {shlex.quote(name)} leaves it out")
                _counts_up(x[:, j], name)
        if x.dtype != object:
            return cls(Numbers.learn(_stepped(examples)))
        assert names is not None
        kept, categories = understood(x, names, examples)
        numbers = None
        if kept:
            values = columns.as_numbers(x, names, kept, examples.place)
            numbers = Numbers.learn(_stepped(replace(examples, inputs=values, notes={"features": kept})))
        return cls(numbers, categories, [name for name in names if name in kept or name in categories])

    def _encode(self, examples):
        x, given = _rows(examples), examples.notes.get("features")
        if not self.categories and x.dtype != object:
            assert self.numbers is not None
            return _Encoded(self.numbers.encode(_stepped(examples)).xs.values)
        if self.names is not None and given is not None and given != self.names:
            x = columns.by_name(x, given, self.names, examples.place(0) if len(x) else "")
        if x.shape[1] != len(self.columns):
            expected = f"(examples, {len(self.columns)}), as in training"
            raise HeloError(f"columns of shape {x.shape}", expected=expected, where=examples.place(0))
        xs = np.zeros((len(x), 0), np.float32)
        if self.numbers is not None:
            values = columns.as_numbers(x, self.columns, self.numeric, examples.place)
            notes = {} if self.numbers.names is None else {"features": self.numbers.names}
            xs = self.numbers.encode(_stepped(replace(examples, inputs=values, notes=notes))).xs.values
        return _Encoded(
            xs.reshape(len(x), math.prod(xs.shape[1:])), self.numbered(x, examples.place), list(map(len, self.ids))
        )

    def numbered(self, x: np.ndarray, place: Callable[[int], str]) -> np.ndarray:
        """The categories of rows of cells, columns as in training, as places among the known ones from 1 on, `(rows, categories)`."""
        found = np.zeros((len(x), len(self.ids)), np.int64)
        for k, (name, ids) in enumerate(zip(self.categories, self.ids, strict=True)):
            cells = x[:, self.columns.index(name)]
            found[:, k] = [ids.get(columns.category(v, place(i), name), 0) for i, v in enumerate(cells)]
        return found

    def init(self, rng, cell):
        return {
            f"embedding.{k}": rng.standard_normal((len(ids) + 1, self.sizes[k])).astype(np.float32)
            for k, ids in enumerate(self.ids)
            if not is_one_hot(len(ids))
        }

    def forward(self, parameters, batch, cell, noise):
        """The numbers, then the columns that are one-hot, then those that are embedded."""
        xs = batch["xs"]
        if not parameters:
            return xs
        rows = [engines.embedding(table, batch[name]) for name, table in parameters.items()]
        return namespace(rows[0]).concat([xs, *rows], axis=-1)

    def owners(self) -> np.ndarray:
        """To which of `columns` each number of a vector belongs, `(width,)`."""
        at = {name: i for i, name in enumerate(self.columns)}
        found = [at[name] for name in self.numeric] * (2 if self.numbers is not None and self.numbers.missing else 1)
        sizes = list(zip(self.categories, self.ids, self.sizes, strict=True))
        for one_hot in (True, False):
            for name, ids, size in sizes:
                found += [at[name]] * size * (is_one_hot(len(ids)) == one_hot)
        return np.array(found)

    def cells(self, source: Any) -> np.ndarray | None:
        """Rows that a person gives in Python, numbers and texts in the order of training; None where there are only numbers."""
        if not self.categories or (
            isinstance(source, np.ndarray) and source.dtype != object and source.dtype.kind != "U"
        ):
            return None
        rows = arrays.listed(source)
        found = np.empty((len(rows), len(self.columns)), object)
        for i, row in enumerate(rows):
            if not isinstance(row, list | tuple | np.ndarray):
                raise HeloError(
                    f"{type(row).__name__}", expected="a list of cells a row", where=f"input {i + 1}",
                    mend="or give a DataFrame, a list of dicts or a dict of columns, for one row too",
                )  # fmt: skip
            cells = list(row)
            if len(cells) != len(self.columns):
                expected = f"{len(self.columns)}, as in training: {', '.join(self.columns)}"
                raise HeloError(
                    f"{len(cells)} cell{'s' * (len(cells) != 1)}", expected=expected, where=f"input {i + 1}"
                )
            for j, value in enumerate(cells):
                found[i, j] = value
        return found

    def typed(self, line: str, where: str) -> np.ndarray:
        """A line as a person types or pipes it: numbers, or with categories the cells of a line of CSV."""
        words = {cell.strip(' "') for cell in re.split("[,;\t]", line)}
        known = {word for several in self.categories.values() for word in several}
        heading = words & set(self.columns) and not words & known and not any(map(written.is_number, words))
        if (json := line.lstrip().startswith("{")) or heading:
            raise HeloError("JSON" if json else "names of columns", expected=f"{len(self.columns)} values: {few(self.columns)}",
                            mend="give a file, whose columns are found by their names", where=where)  # fmt: skip
        if not self.categories:
            return written.typed(line, len(self.columns), where, missing=True)
        with wrap(csv.Error, "no line of CSV:", where=where):
            cells = next(csv.reader([line]))
        if len(cells) != len(self.columns):
            expected = f"{len(self.columns)} with commas between them: {', '.join(self.columns)}"
            raise HeloError(f"{len(cells)} cell{'s' * (len(cells) != 1)}", expected=expected, where=where)
        return np.array(cells, object)

    def to_json(self):
        saved: dict[str, Any] = {"form": "vectors", "numbers": self.numbers and self.numbers.to_json()}
        return saved | ({"categories": self.categories, "names": self.names} if self.categories else {})

    @classmethod
    def from_json(cls, saved):
        _, numbers, categories, names = fields(
            {"categories": {}, "names": None, **saved}, form=Literal["vectors"], numbers=dict | None,
            categories=dict[str, list[str]], names=list[str] | None,
        )  # fmt: skip
        form = None if numbers is None else Numbers.from_json(numbers)
        for name, known in categories.items():
            if not distinct(known, f"categories of {name}") or len(known) > MOST:
                raise ValueError(f"{len(known)} categories of {name!r}")
        if names is None if categories else names is not None or form is None:
            raise ValueError("names and categories, or neither")
        if names is not None:
            numeric = [name for name in distinct(names, "names") if name not in categories]
            if not set(categories) <= set(names) or numeric != (form.names if form else []):
                raise ValueError("other names than those of the numbers and the categories")
        return cls(form, categories, names)


def understood(
    x: np.ndarray, names: Sequence[str], examples: Dataset, of: Sequence[int] | None = None
) -> tuple[list[str], dict[str, list[str]]]:
    """Of columns of cells `(rows, columns)` which are numbers, and the categories of each other that can be learned from.
    of: the series of each row, in each of which a category counts once.
    """
    kept = [name for j, name in enumerate(names) if columns.numbered(x[:, j])]
    texts = {name: [columns.category(v, examples.place(i), name) for i, v in enumerate(x[:, j])]
             for j, name in enumerate(names) if name not in kept}  # fmt: skip
    if of is not None:
        texts = {name: [v for _, v in dict.fromkeys(zip(of, values, strict=True))] for name, values in texts.items()}
    categories = {
        name: known
        for name, values in texts.items()
        if (known := _known(values, name, examples, "rows" if of is None else "series"))
    }
    if not kept and all(2 * len(set(values)) > len(values) for values in texts.values()):
        raise HeloError(
            f"columns {', '.join(names)}", expected="numbers, or categories that occur several times",
            mend="choose the column of the text with --text", where=examples.place(0).rpartition(":")[0],
        )  # fmt: skip
    return kept, categories


def is_one_hot(known: int) -> bool:
    return known <= ONE_HOT


def _size(known: int) -> int:
    """Numbers that a category becomes: one each and one for the unknown, or by fastai's rule for embeddings."""
    return known + 1 if is_one_hot(known) else min(50, round(1.6 * known**0.56))


class _Encoded:
    """xs: the numbers of each row. ids `(rows, columns)`: its categories. known: of how many each column knows."""

    def __init__(self, xs: np.ndarray, ids: np.ndarray | None = None, known: Sequence[int] = ()):
        self.xs, self.ids, self.known, self.lengths = xs, ids, known, np.ones(len(xs), np.int64)
        self.counts = [] if ids is None else [np.bincount(ids[:, k], minlength=n + 1) for k, n in enumerate(known)]

    def batch(self, rows, rng=None, mine=EVERY):
        every, rows = rows, rows[mine]
        found = {"xs": self.xs[rows], "lengths": self.lengths[rows]}
        if self.ids is None:
            return found
        parts = [found["xs"]]
        for k, known in enumerate(self.known):
            ids = self.ids[every, k]
            if (
                rng is not None
            ):  # so that the unknown category is learned; drawn for all rows, however they are dealt out
                ids = np.where(rng.random(len(ids)) < RARE / (RARE + self.counts[k][ids]), 0, ids)
            if is_one_hot(known):
                parts.append(np.eye(known + 1, dtype=np.float32)[ids[mine]])
            else:
                found[f"embedding.{k}"] = ids[mine]
        return found | {"xs": np.concatenate(parts, 1)}


def _rows(examples: Dataset) -> np.ndarray:
    """The vectors, `(examples, features)`; of objects where some are texts."""
    x = np.asarray(examples.inputs)
    if x.ndim != 2:
        raise HeloError(f"numbers of shape {x.shape}", expected="(examples, features)", where=examples.place(0))
    return x


def _stepped(examples: Dataset) -> Dataset:
    """Each vector as a sequence of one step."""
    return replace(examples, inputs=_rows(examples)[:, None, :])


def _known(values: Sequence[str], name: str, examples: Dataset, several: str) -> list[str]:
    """The categories of a column, the most frequent first; none where no two rows are alike. Raises HeloError for running text."""
    counts = Counter(values)
    given = [v for v in values if v]
    different = len(set(given)) / max(1, len(given))
    if different > 0.5 and sum(len(v.split()) for v in given) >= WORDS * len(given) > 0:
        raise HeloError(
            f"running text in the column {name!r}", expected="numbers and categories",
            mend=f"--text {shlex.quote(name)} reads it alone, --ignore {shlex.quote(name)} leaves it out", where=examples.place(0),
        )  # fmt: skip
    known = [v for v, n in sorted(counts.items(), key=lambda i: (-i[1], i[0])) if n >= LEAST][:MOST]
    if len(given) >= FEW and different == 1:
        warn(f"the column {name!r} is left out: no two {several} are alike, as in an identifier")
        return []
    if len(given) >= FEW and different > DATES and all(map(_date, given)):
        warn(f"the column {name!r} holds dates, and each is a category of its own; give a number in its place, such as days "
             f"since the first, or --ignore {shlex.quote(name)} leaves it out")  # fmt: skip
    elif len(given) >= FEW and different > UNLIKE:
        warn(f"the column {name!r} looks like an identifier; --ignore {shlex.quote(name)} leaves it out")
    return known


def _date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return not text.isdigit()


def _counts_up(cells: np.ndarray, name: str) -> None:
    """Says so where a column of numbers looks like an identifier: whole, no two alike, and counting up or named like one."""
    try:
        x = np.array([float(v) for v in cells])
    except (TypeError, ValueError, OverflowError):
        return
    if len(x) < FEW or not (np.isfinite(x) & (x == np.round(x))).all() or len(np.unique(x)) < len(x):
        return
    counting = (np.diff(x) > 0).all() and np.ptp(x) < 2 * len(x)
    if counting or _IDENTIFIER.fullmatch(name) or _IDENTIFIER.fullmatch(name.lower()):
        warn(f"the column {name!r} looks like an identifier; --ignore {shlex.quote(name)} leaves it out")
