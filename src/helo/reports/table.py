"""Answers as a table, beside what the input says: CSV, TSV or JSON lines, a row as soon as its answer is there."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from helo.data.dataset import Dataset
from helo.data.readers.encoding import STANDARD_INPUT
from helo.errors import HeloError
from helo.reports.base import Report
from helo.saved import strict_json

KINDS = ("csv", "tsv", "jsonl")


def kind(path: str | Path) -> str:
    """The kind of a file by its name. Raises HeloError where it is none of KINDS."""
    suffix = Path(path).suffix.lower()[1:]
    if suffix not in KINDS:
        raise HeloError(f"the file {Path(path).name}", expected=f"FILE.{', FILE.'.join(KINDS)}, or a page of captions or forecasts, FILE.html",
                        mend=f"or say it with --format {'|'.join(KINDS)}", where="--out")  # fmt: skip
    return suffix


def rows(report: Report, pieces: Iterable[tuple[Dataset, Sequence[Mapping[str, Any]]]]) -> Iterator[dict[str, Any]]:
    """Each row of the table: what the input says of an example, or of a step, and its answer."""
    number = 0
    for examples, answers in pieces:
        for i, answer in enumerate(answers):
            number += 1
            yield from report.rows(dict(answer), _given(examples, i), number)


def _given(examples: Dataset, i: int) -> dict[str, Any]:
    if examples.kind != "tokens" or examples.columns is not None:
        return examples.row(i)
    places = [examples.place(i, t).rpartition(":") for t in range(len(examples.inputs[i]))]
    if not all(file and line.isdigit() for file, _, line in places):
        return {}  # from Python
    file = {} if places[0][0] == STANDARD_INPUT else {"file": places[0][0]}
    return file | {"line": [int(line) for *_, line in places]}


class Writer:
    """Rows as lines of a stream, each whole when `write` returns."""

    def __init__(self, stream: IO[str], kind: str):
        self.stream, self.kind, self.names = stream, kind, list[str]()
        how: dict[str, Any] = {"delimiter": "\t" if kind == "tsv" else ",", "lineterminator": "\n"}
        self.csv = csv.writer(stream, **how)
        self.count = 0

    def write(self, row: Mapping[str, Any]) -> None:
        """One row. Raises HeloError for a column that the first row did not have, in a table whose first line names them."""
        self.count += 1
        if self.kind == "jsonl":
            self.stream.write(strict_json(row) + "\n")
            return
        if not self.names:
            self.names = list(row)
            self._cells(self.names)
        if strange := [name for name in row if name not in self.names]:
            raise HeloError(f"row {self.count} has a column {strange[0]!r}", expected=f"the columns {', '.join(self.names[:6])}, as in the first row",
                            mend="FILE.jsonl takes any, or give the files one by one", where="--out")  # fmt: skip
        self._cells([row.get(name) for name in self.names])

    def _cells(self, values: Sequence[Any]) -> None:
        cells = ["" if v is None else v if isinstance(v, str) else _number(v) for v in values]
        if self.kind == "tsv":  # whose quotes have no meaning: a cell is on one line
            self.stream.write(
                "\t".join(" ".join(c.split("\t")).replace("\r", " ").replace("\n", " ") for c in cells) + "\n"
            )
        else:
            self.csv.writerow(cells)


def _number(value: Any) -> str:
    return strict_json(value) if isinstance(value, list | dict | bool) else str(value)
