"""Tables of labelled segments of videos: one row per segment, with its start and end in seconds."""

from __future__ import annotations

from helo.data.readers import clips, columns, table
from helo.data.readers.base import Reader


class Parts(Reader):
    """Columns `video` (or `clip`), `start`, `end` and a label."""

    SUFFIXES = (".tsv", ".csv", ".jsonl")
    labels = ("step",)
    kinds = ("clip",)
    columns = ("label", "column")

    def sniff(self, path):
        return f"a table with a column {' or '.join(clips.VIDEOS)}" if clips.heads(path) else None

    def read(self, paths, options):
        rows = table.of(paths)
        rows, label = columns.labelled(rows, options.label or options.column, options.labelled)
        return clips.segments(rows, rows.find(clips.holds(rows) or clips.VIDEOS[0], "--text"), label)
