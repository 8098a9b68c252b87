"""Conversations from a table: one utterance per row, with its conversation, its place in it and its speaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import arrays, columns, table
from helo.data.readers.base import Reader
from helo.errors import HeloError


class Conversations(Reader):
    """Tables with one labelled utterance per row; `--group` says which conversation it belongs to."""

    SUFFIXES = (".tsv", ".csv", ".jsonl")
    labels = ("step",)
    kinds = ("dialogue",)
    columns = ("text", "label", "group", "order", "speaker", "split_by", "split")
    required = ("group",)
    tables = True

    def sniff(self, path):
        return "a table, because --group is given"

    def read(self, paths, options):
        o, rows = options, table.of(paths)
        text = columns.column(rows, o.text, columns.TEXTS, "--text")
        assert text is not None
        every = rows
        rows, label = columns.labelled(columns.texts(rows, text), o.label, o.labelled)
        found = read(rows, text, label, o.group, o.order, o.speaker)
        found.split_by = columns.split_by(rows, o, found.notes["rows"])
        found.columns = columns.carried(every, found.notes["rows"], steps=True)
        return found


def given(source: Any) -> list[list[tuple[str, str]]]:
    """Conversations that a person gives in Python: lists of (speaker, text)."""
    found = []
    for i, turns in enumerate(arrays.listed(source), 1):
        for turn in arrays.listed(turns):
            if (
                isinstance(turn, str)
                or not isinstance(turn, Sequence)
                or len(turn) != 2
                or not isinstance(turn[1], str)
            ):
                raise HeloError(f"{turn!r:.40}", expected="a list of (speaker, text)", where=f"input {i}")
        found.append([(str(who), text) for who, text in turns])
    return found


def read(
    rows: table.Table,
    text: str,
    label: str | None,
    group: str,
    order: str | None,
    speaker: str | None,
    whole: bool = False,
) -> Dataset:
    """Examples of the kind `dialogue`, in the order of their first rows. whole: one label per conversation, the same in
    all its rows; otherwise one per utterance. Different files may use the same names for conversations.
    """
    groups = columns.groups(rows, group, order)
    names = rows.named(group, "--group")
    said = rows.named(text, "--text")
    who = rows.named(speaker, "--speaker") if speaker is not None else [""] * len(rows)
    inputs = [[(str(who[i]), str(said[i])) for i in found] for found in groups]
    labels = None
    if label is not None:
        mend = "helo train tag gives every utterance a label"
        marks = rows.columns[label]
        labels = columns.common(rows, label, groups, mend) if whole else [[marks[i] for i in found] for found in groups]
    return Dataset("dialogue", inputs, labels, lambda i, *step: rows.places[groups[i][step[0] if step else 0]],
                    {"rows": groups, "names": [str(names[found[0]]) for found in groups]})  # fmt: skip
