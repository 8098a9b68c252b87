"""Conversations out of a table: an utterance a row, with the conversation that it belongs to, its place, its speaker."""

from __future__ import annotations

from helo.data.labelled import Labelled
from helo.data.readers.table import Table
from helo.errors import HeloError


def read(
    rows: Table, text: str, label: str | None, group: str, order: str | None, speaker: str | None, whole: bool = False
) -> Labelled:
    """Examples of the kind `dialogue`, in the order of their first rows. whole: one label a conversation, which all of
    its rows have; else one an utterance. Two files may call two conversations alike.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for i, (name, at) in enumerate(zip(rows.named(group, "--group"), rows.places, strict=True)):
        members.setdefault((at.rpartition(":")[0], str(name)), []).append(i)
    if order is not None:
        places = rows.named(order, "--order")
        try:
            values = [float(v) for v in places]
        except ValueError:
            bad = next(i for i, v in enumerate(places) if not _is_number(v))
            raise HeloError(f"{places[bad]!r} in {order!r}", expected="a number", where=rows.places[bad]) from None
        for found in members.values():
            found.sort(key=lambda i: values[i])
    said = rows.named(text, "--text")
    who = rows.named(speaker, "--speaker") if speaker is not None else [""] * len(rows)
    groups = list(members.values())
    inputs = [[(str(who[i]), str(said[i])) for i in found] for found in groups]
    labels = None
    if label is not None:
        marks = rows.columns[label]
        if whole:
            for found in groups:
                for i in found:
                    if marks[i] != marks[found[0]]:
                        raise HeloError(
                            f"{marks[i]!r}", expected=f"{marks[found[0]]!r}, as in the conversation's other rows",
                            mend="helo train tag gives every utterance a label", where=rows.places[i],
                        )  # fmt: skip
        labels = [marks[found[0]] if whole else [marks[i] for i in found] for found in groups]
    return Labelled("dialogue", inputs, labels, lambda i, *step: rows.places[groups[i][step[0] if step else 0]],
                    {"rows": groups, "names": [name for _, name in members]})  # fmt: skip


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
