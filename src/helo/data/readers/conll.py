"""Tokens in columns: CoNLL and CoNLL-U, as they lie about."""

from __future__ import annotations

from pathlib import Path

from helo.data.labelled import Labelled
from helo.data.readers import files
from helo.errors import HeloError, fault

SUFFIXES = (".conll", ".conllu", ".conllx", ".iob", ".iob2", ".bio", ".txt", ".tsv", "")
#: The columns of CoNLL-U by name, counted from 1 (universaldependencies.org/format.html).
COLUMNS = {"id": 1, "form": 2, "lemma": 3, "upos": 4, "xpos": 5, "feats": 6, "head": 7, "deprel": 8}


def read(paths: list[Path], column: str | None) -> Labelled:
    """Sentences as lists of words, with a label a word from the named or numbered column; None: what each format is
    for, UPOS in CoNLL-U and else the last column.

    A blank line, or one of blanks and tabs alone, ends a sentence; `#` and a blank begin a comment in CoNLL-U. Fields
    are parted by tabs, or in files without tabs by blanks. Of CoNLL-U, multiword tokens (`1-2`) and empty nodes (`1.1`)
    are no words of the tree and are left out. Words may stand alone, without labels.
    """
    sentences, labels, places, lines = [], [], [], []
    for path in paths:
        rows = files.lines(path)
        universal = files.suffix(path) in (".conllu", ".conllx") or _looks_universal(rows)
        tabs = any("\t" in row.strip() for row in rows)
        number = _column(column, universal, path) if column else _usual(rows, universal, tabs)
        word_at = 1 if universal else 0
        words, tags, at = [], [], []
        for n, row in enumerate([*rows, ""], 1):
            if not row.strip():
                if words:
                    sentences.append(words)
                    labels.append(tags if len(tags) == len(words) else None)
                    places.append(str(path))
                    lines.append(at)
                words, tags, at = [], [], []
                continue
            if universal and row.startswith("#"):
                continue
            fields = [f.strip() for f in row.split("\t")] if tabs else row.split()
            if universal:
                if len(fields) != 10:
                    fault(
                        HeloError(
                            f"{len(fields)} columns",
                            expected="the ten of CoNLL-U, parted by tabs",
                            where=f"{path}:{n}",
                        )
                    )
                    continue
                if "-" in fields[0] or "." in fields[0]:
                    continue
            if row.startswith("-DOCSTART-"):
                continue
            if not fields[word_at]:
                fault(HeloError("no word", expected="one in the first column", where=f"{path}:{n}"))
                continue
            tag = fields[number - 1] if number <= len(fields) else ""
            if (not tag) != (len(tags) < len(words)) and words:
                fault(
                    HeloError(
                        f"{len(fields)} column{'s' * (len(fields) != 1)}",
                        expected=f"a label in column {number}, as in the lines before"
                        if tags
                        else "no label, as before",
                        where=f"{path}:{n}",
                    )
                )
                continue
            words.append(fields[word_at])
            at.append(n)
            if tag:
                tags.append(tag)
    if not sentences:
        raise HeloError("no sentences", expected="a word a line, a blank line between sentences", where=str(paths[0]))

    def place(i: int, *step: int) -> str:
        return f"{places[i]}:{lines[i][step[0] if step else 0]}"

    return Labelled("tokens", sentences, None if any(t is None for t in labels) else labels, place)


def _looks_universal(rows: list[str]) -> bool:
    first = next((r for r in rows if r.strip() and not r.startswith("#")), "")
    fields = first.split("\t")
    return len(fields) == 10 and fields[0].split("-")[0].isdigit()


def _usual(rows: list[str], universal: bool, tabs: bool) -> int:
    """The column that holds the label by custom: in CoNLL-2003 and its like, other columns help to find the last."""
    if universal:
        return COLUMNS["upos"]
    first = next((r for r in rows if r.strip() and not r.startswith(("# ", "-DOCSTART-"))), "")
    return max(2, len(first.split("\t") if tabs else first.split()))


def _column(column: str, universal: bool, path: Path) -> int:
    if column.isdigit():
        number = int(column)
        if number < 1:
            raise HeloError(f"--column {column}", expected="1 or more: columns are counted from 1")
        return number
    if universal and column.lower() in COLUMNS:
        return COLUMNS[column.lower()]
    raise HeloError(
        f"no column {column!r}",
        expected=f"a number, counted from 1{', or one of ' + ', '.join(COLUMNS) if universal else ''}",
        mend="--column names it",
        where=str(path),
    )
