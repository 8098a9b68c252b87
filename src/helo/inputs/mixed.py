"""Numbers and categories at every step: a series out of a table that has columns of texts beside its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.data.readers import arrays, columns
from helo.errors import HeloError, place
from helo.inputs.base import EVERY, Encoded, Input, Plain
from helo.inputs.numbers import Numbers
from helo.inputs.vectors import Vectors, is_one_hot, understood
from helo.inputs.words import RARE
from helo.saved import fields


class Mixed(Input):
    """Each step as `Vectors` has a row of a table: numbers scaled, categories one-hot or embedded. A category is known that
    occurs in two series, and in training it is unknown for a whole series now and then.
    """

    reads = ("frames",)

    def __init__(self, rows: Vectors):
        self.rows, self.columns, self.width = rows, rows.columns, rows.width

    @classmethod
    def learn(cls, examples: Dataset, views: bool = False) -> Mixed | Numbers:
        """Means, spreads and categories of these series; where no category can be learned from, the form of numbers alone,
        which may have views.
        """
        flat, names = _flat(examples), examples.notes["features"]
        of = np.repeat(np.arange(len(examples)), [len(x) for x in examples.inputs]).tolist()
        kept, categories = understood(flat.inputs, names, flat, of)
        numbers = None
        if kept:
            values = columns.as_numbers(flat.inputs, names, kept, flat.place)
            series = np.split(values, np.cumsum([len(x) for x in examples.inputs])[:-1])
            alone = replace(examples, inputs=series, notes={"features": kept})
            numbers = Numbers.learn(alone, views=views and not categories)
        if numbers is not None and not categories:
            return numbers
        return cls(Vectors(numbers, categories, [name for name in names if name in kept or name in categories]))

    def _encode(self, examples):
        cells, place = self._cells(examples)
        numbers, ids = self.rows.numbers, self.rows.numbered(cells, place)
        lengths = [len(x) for x in examples.inputs]
        xs: Any = Plain("xs", Ragged(np.zeros((len(cells), 0), np.float32), lengths))
        if numbers is not None:
            values = columns.as_numbers(cells, self.columns, self.rows.numeric, place)
            notes = {} if numbers.names is None else {"features": numbers.names}
            series = np.split(values, np.cumsum(lengths)[:-1]) if lengths else []
            xs = numbers.encode(replace(examples, inputs=series, notes=notes))
        return _Encoded(xs, Ragged(ids, lengths), [len(known) for known in self.rows.categories.values()])

    def _cells(self, examples: Dataset) -> tuple[np.ndarray, Callable[[int], str]]:
        """All steps of all series, columns as in training, and where each stands."""
        flat, given = _flat(examples, len(self.columns)), examples.notes.get("features")
        cells = flat.inputs
        if given is not None and given != self.columns:
            cells = columns.by_name(cells, given, self.columns, examples.place(0) if len(examples) else "")
        if cells.shape[1] != len(self.columns):
            expected = f"(steps, {len(self.columns)}), as in training"
            raise HeloError(f"columns of shape {cells.shape}", expected=expected, where=examples.place(0))
        return cells, flat.place

    def init(self, rng, cell):
        return self.rows.init(rng, cell)

    def forward(self, parameters, batch, cell, noise):
        return self.rows.forward(parameters, batch, cell, noise)

    def owners(self) -> np.ndarray:
        """To which of `columns` each number of a step belongs, `(width,)`."""
        return self.rows.owners()

    def drawn(self, x: np.ndarray, examples: Dataset) -> np.ndarray:
        """A series as numbers `(time, columns)` that a line can show: a category is its place among the known ones, 0 the
        unknown.
        """
        cells, place = self._cells(replace(examples, inputs=[x], labels=None))
        out = np.zeros(cells.shape)
        out[:, [self.columns.index(name) for name in self.rows.numeric]] = columns.as_numbers(
            cells, self.columns, self.rows.numeric, place
        )
        out[:, [self.columns.index(name) for name in self.rows.categories]] = self.rows.numbered(cells, place)
        return out

    def cells(self, source: Any) -> list[np.ndarray]:
        """Series that a person gives in Python, each a list of rows in the order of training."""
        found = []
        for i, one in enumerate(arrays.listed(source), 1):
            with place(f"input {i}"):
                if isinstance(one, str) or not hasattr(one, "__len__"):
                    raise HeloError(f"{type(one).__name__}", expected="a list of rows of cells")
                rows = self.rows.cells(np.asarray(one, object) if isinstance(one, np.ndarray) else one)
                assert rows is not None
                if not len(rows):
                    raise HeloError("a series without steps", expected="one or more")
                found.append(rows)
        return found

    def to_json(self):
        return {"form": "mixed", "rows": self.rows.to_json()}

    @classmethod
    def from_json(cls, saved):
        _, rows = fields(saved, form=Literal["mixed"], rows=dict)
        form = Vectors.from_json(rows)
        if not form.categories:
            raise ValueError("no categories")
        return cls(form)


class _Encoded:
    """numbers: those of each step, as its form encodes them. ids `(steps, columns)`: its categories. known: how many of each."""

    def __init__(self, numbers: Encoded, ids: Ragged, known: Sequence[int]):
        self.numbers, self.ids, self.lengths, self.known = numbers, ids, ids.lengths, known
        of = np.repeat(np.arange(len(ids)), ids.lengths)
        self.counts = []  # of each category, in how many of the series it occurs
        for k, most in enumerate(known):
            met = np.unique(np.stack([of, ids.values[:, k]]), axis=1)[1]
            self.counts.append(np.bincount(met, minlength=most + 1))

    def batch(self, rows, rng=None, mine=EVERY):
        found = self.numbers.batch(rows, rng, mine)
        chance = None if rng is None else rng.random((len(rows), 1, len(self.known)))[mine]
        ids, lengths = self.ids.padded(rows[mine])
        steps = found["xs"].shape[1]
        ids, inside, parts = ids[:, :steps], (np.arange(steps) < lengths[:, None])[..., None], [found["xs"]]
        for k, known in enumerate(self.known):
            at = ids[..., k]
            if chance is not None:  # one draw a series, so that it lacks a category from its first step to its last
                at = np.where(chance[..., k] < RARE / (RARE + self.counts[k][at]), 0, at)
            if is_one_hot(known):
                parts.append(np.eye(known + 1, dtype=np.float32)[at] * inside)
            else:
                found[f"embedding.{k}"] = at
        return found | {"xs": np.concatenate(parts, 2)}


def _flat(examples: Dataset, width: int = 0) -> Dataset:
    """All steps of all series as rows of one table. width: of its columns, where there is no series."""
    at = [(i, step) for i, x in enumerate(examples.inputs) for step in range(len(x))]
    cells = [np.asarray(x, object) for x in examples.inputs]
    whole = np.concatenate(cells) if cells else np.zeros((0, width), object)
    return Dataset("vector", whole, None, lambda i, *step: examples.place(*at[i]), examples.notes)
