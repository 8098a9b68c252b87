"""What every report says; what is here is enough for a task that has no report of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from helo.cells.functions import Array
from helo.data.dataset import Dataset
from helo.models.feed_forward import FeedForward
from helo.tasks.base import Task

Parameters = Mapping[str, Array]
#: Tables of an evaluation by their names, each a list of rows.
Tables = dict[str, list[dict[str, Any]]]


def network(task: Any) -> str:
    """What computes, in a word or two."""
    return "feed-forward" if isinstance(task.model, FeedForward) else task.options.cell


def learned_from(task: Any) -> str:
    """How many examples there are to learn from and to validate on, in half a line."""
    n = task.data["examples"]
    if (folds := getattr(task.model, "folds", 1)) > 1:
        return f"{n['train']:,} examples in {folds}-fold cross-validation"
    return f"{n['train']:,} examples for training, {n['valid']:,} for validation"


def body(task: Any) -> str:
    """The layers of a model that gives an answer an example, in half a line."""
    o = task.options
    found = f"{folds} networks: " if (folds := task.model.folds) > 1 else ""
    found += "convolutions, " if getattr(task.form, "views", None) else ""
    found += f"{network(task)} {o.layers} x {o.hidden}"
    return found + (f"{' bidirectional' if o.bidirectional else ''}, {o.pool} over time" if task.form.sequence else "")


class Report:
    """What people see of a task: `task` is any, as far as this class is concerned."""

    task: Any
    #: Whether several answers an example were asked for, so that each row of a table has its rank.
    ranked: bool = False
    #: What a step of training counts: symbols, examples, tokens.
    unit: ClassVar[str] = "examples"
    #: In what the loss of one is measured; nothing where it has no unit.
    loss_unit: ClassVar[str] = "nats"
    #: What a person's own files are called in examples of the command line.
    example: ClassVar[str] = "FILES"
    #: The verb that comes after training.
    verb: ClassVar[str] = "predict"
    #: Whether a page may show examples; it names their places all the same.
    samples: bool = True

    def __init__(self, task: Task):
        self.task = task

    def describe(self) -> str:
        """What is about to be trained on what, in half a line."""
        return f"{learned_from(self.task)}; {network(self.task)}"

    def progress(self, parameters: Parameters, rng: np.random.Generator) -> str:
        """A line that lets a person see what the model can do by now."""
        examples = self.task.splits.examples
        return self.line(self.task.predict(parameters, examples.take(rng.integers(len(examples), size=1)))[0])

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        """An answer for a terminal."""
        return json.dumps(answer, ensure_ascii=False)

    def rows(self, answer: dict[str, Any], given: dict[str, Any], number: int) -> list[dict[str, Any]]:
        """The rows of a table that an answer is, each with what the input says (`given`). number: of the example, from 1. By
        default one, of all that is a number or a text.
        """
        return [beside(given, answer)]

    def answered(self, most: int) -> int:
        """How many examples or symbols `write` answers again where it is to report on so many."""
        return most

    def write(
        self,
        parameters: Parameters,
        data: dict[str, Any],
        folder: Path,
        files: Sequence[str | Path] = (),
        most: int | None = None,
        **said: Any,
    ) -> str:
        """How the model does on files, or on the validation data that a run recorded in `data`: pictures into a folder,
        and Markdown about them. most: on so many examples. said: options of reading that are to be others.
        """
        examples = self.task.source.reload(self.task, data, files, **said)
        return self.page(parameters, folder, examples if most is None else examples.evenly(most))

    def tables(self, examples: Dataset, answers: list[Any], targets: Any) -> Tables:
        """What an evaluation has beside its figures; nothing by default. answers, targets: as `Task.predictions` has them."""
        return {}

    def page(self, parameters: Parameters, folder: Path, examples: Dataset) -> str:
        """How the model does on examples: pictures into a folder, and Markdown; nothing by default."""
        return ""


AGAIN = "_predicted"  # behind the name of a column of answers that the input has too


def beside(given: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the input and of its answer; where both have a name, the answer's has AGAIN behind it."""
    row = dict(given)
    for name, value in answer.items():
        while name in row:
            name += AGAIN
        row[name] = value
    return row


class TextReport(Report):
    """Of answers that are texts: the first ten of them beside their references."""

    #: The heading of the column of what was asked.
    source: ClassVar[str] = "source"

    #: The column of the answers.
    column: ClassVar[str] = "text"

    def rows(self, answer, given, number):
        about = {n: v for n, v in answer.items() if n not in ("text", "score", "n_best", "attention", *given)}
        several = answer.get("n_best")
        found = [{self.column: h["text"], "score": h["score"]} for h in several or [answer]]
        ranked = [{"rank": k} | h for k, h in enumerate(found, 1)] if self.ranked else found
        return [beside(given, about | h) for h in ranked]

    def row(self, source: Any, reference: Any) -> tuple[str, str]:
        """An example and its reference as they stand in the table."""
        return source, reference

    def answered(self, most):
        return min(10, most)

    def page(self, parameters, folder, examples):
        if not self.samples:
            return ""
        some = examples.take(np.arange(min(10, len(examples))))
        pairs = [self.row(x, y) for x, y in zip(some.inputs, some.labels, strict=True)]
        texts = [a["text"] for a in self.task.predict(parameters, some)]
        return rows((self.source, "answer", "truth"), [(x, a, y) for (x, y), a in zip(pairs, texts, strict=True)])


#: Parts a page's tables, which are on the terminal too, from what only the page has.
REST = "\nLabels, step by step:\n\n"
MANY, WIDE = 25, 60  # rows of a table, and characters of a text in it


def shown(tables: Tables) -> str:
    """Tables as Markdown: of many rows those with the highest number in the last column, and averages, in their order."""
    parts = []
    for name, table in tables.items():
        if not table:
            continue
        first, *_, last = table[0]
        single = [row for row in table if not str(row[first]).endswith(" avg")]
        most = sorted(single, key=lambda row: -row[last])[:MANY]
        kept = [[_cell(v) for v in row.values()] for row in table if row in most or row not in single]
        parts.append(f"{name.replace('_', ' ').capitalize()}:\n\n{rows(list(table[0]), kept)}")
        if (more := len(single) - MANY) > 0:
            parts.append(f"{more} more, none with a higher {last}: helo eval --json has all.\n")
    return "\n".join(parts)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= WIDE else value[: WIDE - 1] + "…"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"


def rows(names: Sequence[str], of: Sequence[Sequence[str]]) -> str:
    """A Markdown table of texts, whose columns are straight on a terminal too."""
    plain = [[" ".join(t.replace("|", "/").split()) for t in row] for row in (names, *of)]
    wide = [max(3, *map(len, column)) for column in zip(*plain, strict=True)]
    head, *body = ("| " + " | ".join(t.ljust(n) for t, n in zip(row, wide, strict=True)) + " |" for row in plain)
    return "\n".join([head, "|" + "|".join("-" * (n + 2) for n in wide) + "|", *body]) + "\n"
