"""Tables with one example per row: a text, numbers, a video; or several rows that together are a series or a conversation."""

from __future__ import annotations

from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import clips, columns, dialogue, files, series, table, ucr
from helo.data.readers.base import Reader
from helo.errors import HeloError


class Rows(Reader):
    """TSV, CSV, JSONL: the first line or the keys name the columns."""

    SUFFIXES = (".tsv", ".csv", ".jsonl")
    called = "TSV, CSV, JSONL"
    kinds = ("text", "vector", "frames", "dialogue", "clip")
    columns = ("text", "label", "group", "order", "speaker", "split_by", "split", "ignore", "target")
    tables = True

    def sniff(self, path):
        suffix = files.suffix(path)
        return f"a table, by its suffix {suffix}" if suffix in table.SUFFIXES and not ucr.plain(path) else None

    def read(self, paths, options):
        every = table.of(paths)
        rows, targets = columns.without(every, options.ignore or ()), list[str]()
        if options.target is None:
            rows, label = columns.labelled(rows, options.label, options.labelled)
        else:
            rows, targets = columns.targets(rows, options.target, options.labelled)
            label = targets[0] if targets else None
        found = self._dataset(rows, label, options)
        found.split_by = columns.split_by(rows, options, found.notes.get("rows"))
        found.weights = every.weights
        found.notes["columns"] = list(every.columns)
        if found.kind in ("text", "dialogue", "clip"):
            found.notes |= _unread(rows, found.kind, label, options)
        if targets:
            found.notes.pop("label", None)
            found.notes["targets"] = targets
        if found.kind != "clip" or len(found) == len(every):
            found.columns = columns.carried(every, found.notes.get("rows"))
        return found

    def parts(self, path, options):
        if options.group is not None:
            yield path
        else:
            yield from table.pieces(path)

    def _dataset(self, rows: table.Table, label: str | None, o: Any) -> Dataset:
        text = columns.column(rows, o.text, columns.TEXTS, "--text", needed=False)
        if text is not None:
            rows = columns.texts(rows, text, o.group is None)
        video = clips.holds(rows)
        labels = None if label is None else rows.columns[label]
        if video and o.group is None and text is None:
            return clips.whole(rows, video, labels)
        if o.group is not None and text is not None:
            return dialogue.read(rows, text, label, o.group, o.order, o.speaker, whole=True)
        if text is not None:
            notes = {"text": text, "label": label}
            return Dataset("text", rows.columns[text], labels, lambda i, *step: rows.places[i], notes)
        known = [label, *(rows.find(c, f"--{n}") for n in ("group", "order", "speaker") if (c := getattr(o, n)))]
        known.append(None if o.split_by is None else rows.first([o.split_by.lower()]))
        features = [c for c in rows.columns if c not in known]
        plain = bool(columns.numeric(rows, [c for c in known if c is not None]))
        if not features:
            raise HeloError(
                f"columns {', '.join(rows.columns)}", expected=f"one of {', '.join(columns.TEXTS)}, or numbers in all but the label",
                mend="choose the column of the text with --text", where=rows.heading, flag="--text",
            )  # fmt: skip
        if o.group is not None:
            return series.grouped(rows, features, label, o.group, o.order, plain)
        notes = {"features": features, "label": label}
        x = columns.matrix(rows, features, missing=True) if plain else columns.objects(rows, features)
        return Dataset("vector", x, labels, lambda i, *step: rows.places[i], notes)


def _unread(rows: table.Table, kind: str, label: str | None, o: Any) -> dict[str, Any]:
    """Of a table that is read for one column, that column, and those that have no part in it."""
    if kind == "clip":
        read, usual = clips.holds(rows), (clips.STARTS, clips.ENDS)
    else:
        read, usual = columns.column(rows, o.text, columns.TEXTS, "--text"), ()
    flags = (o.group, o.order, o.speaker, o.split_by)
    part = {read, label, *map(rows.first, usual), *(rows.first([c.lower()]) for c in flags if c is not None)}
    return {"read": read, "not read": [name for name in rows.columns if name not in part]}
