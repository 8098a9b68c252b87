"""Tokens in columns: CoNLL and CoNLL-U."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import files
from helo.data.readers.base import Reader
from helo.data.tokenizer import Cut, blanks
from helo.errors import HeloError, fault

SUFFIXES = (".conll", ".conllu", ".conllx", ".iob", ".iob2", ".bio", ".txt", ".tsv", "")
#: The columns of CoNLL-U by name, counted from 1 (universaldependencies.org/format.html).
COLUMNS = {"id": 1, "form": 2, "lemma": 3, "upos": 4, "xpos": 5, "feats": 6, "head": 7, "deprel": 8}
#: Files that may hold running text as well as columns.
PLAIN = (".txt", "")
BLANKS = " \t\r"  # that part fields; others, such as no-break spaces, are parts of words


class Conll(Reader):
    """One word per line with its label, and a blank line between sentences."""

    SUFFIXES = SUFFIXES
    labels = ("step",)
    kinds = ("tokens",)
    columns = ("column",)
    general = True
    beside = PLAIN

    def sniff(self, path):
        return "CoNLL-U" if files.suffix(path) in (".conllu", ".conllx") else "one word per line, followed by its label"

    def read(self, paths, options):
        return read(paths, options.column, options.labelled)


@dataclass
class Sentence:
    """words, a label each or None, and the line of each in a file."""

    words: list[str]
    labels: list[str] | None
    file: str
    lines: list[int]
    about: dict[str, Any] | None = None  # of running text: the text, and where in it each word begins and ends


def read(paths: Sequence[Path], column: str | None, labelled: bool = True) -> Dataset:
    """Sentences as lists of words, with one label per word from the named or numbered column; None: the usual one,
    UPOS in CoNLL-U and otherwise the last column.

    A blank line, or one with only spaces and tabs, ends a sentence. `#` begins a comment in CoNLL-U, and elsewhere `#` and a
    space before a sentence, where it cannot be a word. Fields are separated by tabs, or by spaces in files without
    tabs. In CoNLL-U, multiword tokens (`1-2`) and empty nodes (`1.1`) are not words of the tree and are left out.
    labelled: every sentence must have labels; otherwise words alone are allowed.
    """
    return _labelled([s for p in paths for s in _file(p, column, labelled)], str(paths[0]), labelled)


def questions(paths: Sequence[Path], column: str | None, known: AbstractSet[str], cut: Cut | None = None) -> Dataset:
    """Sentences to be tagged: files as `read` reads them, labels may be missing; a `.txt` as `typed` reads it."""
    found = [s for p in paths for part in _sentences(files.streamed(p), p, column, known, cut) for s in part]
    return _labelled(found, str(paths[0]), False)


def typed(rows: list[str], name: str, column: str | None, known: AbstractSet[str], cut: Cut | None = None) -> Dataset:
    """Lines as a person types or pipes them: columns as in training, a word a line with blank lines between sentences,
    or running text, a sentence a line. known: labels, by which columns that blanks part are distinguished from running text.
    name: of where the lines are from. cut: finds the words of running text, which the lines then are; by default blanks do.
    """
    parts = _sentences(["".join(f"{row}\n" for row in rows)], Path(name), column, known, cut)
    return _labelled([s for part in parts for s in part], "", False)


def pieces(
    texts: Iterable[str], path: Path, column: str | None, known: AbstractSet[str], cut: Cut | None = None
) -> Iterator[Dataset]:
    """The same of texts that end with a line and are together what lies at `path`, or is `typed`, in parts of so many
    sentences as a text has.
    """
    for part in _sentences(texts, path, column, known, cut):
        yield _labelled(part, "", False)


def _sentences(
    texts: Iterable[str], path: Path, column: str | None, known: AbstractSet[str], cut: Cut | None
) -> Iterator[list[Sentence]]:
    plain, name = files.suffix(path) in PLAIN, str(path)
    if cut is not None and not plain:
        raise HeloError(
            f"--tokenizer with {path.name}", expected="running text: a .txt file, a table, or standard input"
        )
    kind, rest, line = "", list[str](), 1
    for rows in chain(map(files.parted, texts), [None]):
        rest += rows or ()
        if not kind:
            kind = "running" if cut is not None else _kind(rest, path, column, known)
        # Of columns the last sentence may go on in the next text.
        end = len(rest) if rows is None or kind == "running" else _behind(rest)
        now, rest = rest[:end], rest[end:]
        if kind == "running":
            found = [_running(row, name, line + i, cut or blanks) for i, row in enumerate(now) if row.strip()]
        else:
            found = _columns(now, name, kind == "universal", column, False, line)
        line += end
        if found:
            yield found


def _behind(rows: list[str]) -> int:
    """How many of the rows come before the end of the last blank one."""
    return next((i + 1 for i in reversed(range(len(rows))) if not rows[i].strip()), 0)


def _kind(rows: list[str], path: Path, column: str | None, known: AbstractSet[str]) -> str:
    if files.suffix(path) in (".conllu", ".conllx") or _looks_universal(rows):
        return "universal"
    plain = files.suffix(path) in PLAIN and not _has_columns(rows, column, known)
    return "running" if plain and any(len(r.split()) > 1 for r in rows) else "columns"


def _running(row: str, name: str, line: int, cut: Cut) -> Sentence:
    offsets = cut(row)
    words = [row[a:b] for a, b in offsets]
    return Sentence(words, None, name, [line] * len(words), {"text": row, "offsets": offsets})


def _has_columns(rows: list[str], column: str | None, known: AbstractSet[str]) -> bool:
    """Whether all lines have as many fields: by tabs, single words behind the first; or by blanks, mostly known labels
    where labels stand.
    """
    tabs, fields, comments = _fields(rows)
    given = [f for row, f, comment in zip(rows, fields, comments, strict=True) if row.strip() and not comment]
    if len({len(f) for f in given}) != 1:
        return False
    if tabs:
        return not any(" " in field for row in given for field in row[1:])
    at = len(given[0]) - 1 if column is None else int(column) - 1 if _counts(column) else 0
    return 0 < at < len(given[0]) and 2 * sum(f[at] in known for f in given) > len(given)


def _fields(rows: list[str]) -> tuple[bool, list[list[str]], list[bool]]:
    """(whether tabs part the fields, the fields of each line, whether it is a comment where the format has no rule for
    them: `#` and more before a sentence, as MultiCoNER's `# id …`, or with other than the usual number of fields).
    """
    tabs = any("\t" in row.strip() for row in rows)
    fields = [[f.strip(BLANKS) for f in row.split("\t")] if tabs else re.findall(r"[^ \t\r]+", row) for row in rows]
    width = max(Counter(len(f) for row, f in zip(rows, fields, strict=True) if row.strip()).items(), default=(0, 0),
                key=lambda n: n[1])[0]  # fmt: skip
    comments, inside = [], False
    for row, own in zip(rows, fields, strict=True):
        mark, *more = row.split()[:2] or [""]
        comments.append(not inside and mark == "#" and bool(more) and (more == ["id"] or len(own) != width))
        inside = bool(row.strip()) and (inside or not comments[-1])
    return tabs, fields, comments


def _labelled(sentences: list[Sentence], where: str, labelled: bool) -> Dataset:
    """where: to be named where there are no sentences, unless it is empty."""
    if not sentences and where:
        raise HeloError("no sentences", expected="one word per line, a blank line between sentences", where=where)
    if labelled and any(s.labels for s in sentences):
        for s in sentences:
            if s.labels is None:
                fault("no label", expected="one per word, as elsewhere", where=f"{s.file}:{s.lines[0]}")
        sentences = [s for s in sentences if s.labels is not None]
    labels = [s.labels for s in sentences]

    def place(i: int, *step: int) -> str:
        return f"{sentences[i].file}:{sentences[i].lines[step[0] if step else 0]}"

    words = [s.words for s in sentences]
    if (
        labelled
        and any(len(s) > 1 for s in words)
        and any(all(s == [str(k) for k in range(first, first + len(s))] for s in words) for first in (0, 1))
    ):
        raise HeloError(
            f"the first column counts the words: {', '.join(words[0][:3])}", expected="words in the first column",
            mend="leave it out: cut -f 2-", where=place(0),
        )  # fmt: skip
    about = [s.about or {} for s in sentences] if any(s.about for s in sentences) else None
    return Dataset("tokens", words, None if None in labels else labels, place, about=about)


def _file(path: Path, column: str | None, labelled: bool) -> list[Sentence]:
    rows = files.lines(path)
    universal = files.suffix(path) in (".conllu", ".conllx") or _looks_universal(rows)
    return _columns(rows, str(path), universal, column, labelled)


def _columns(
    rows: list[str], name: str, universal: bool, column: str | None, labelled: bool, first: int = 1
) -> list[Sentence]:
    tabs, parted, comments = _fields(rows)
    usual = COLUMNS["upos"] if universal else _last(rows, parted, comments)
    number = usual if column is None else _column(column, universal, name, labelled)
    word_at = 1 if universal else 0
    found, words, tags, at, widths = [], [], [], [], 0
    for n, (row, fields, comment) in enumerate(zip([*rows, ""], [*parted, []], [*comments, False], strict=True), first):
        if not row.strip():
            if words:
                found.append(Sentence(words, tags if len(tags) == len(words) else None, name, at))
            words, tags, at = [], [], []
            continue
        if row.startswith("-DOCSTART-") or (row.startswith("#") if universal else comment):
            continue
        if universal:
            if len(fields) != 10:
                fault(f"{len(fields)} columns", expected="the ten of CoNLL-U, separated by tabs", where=f"{name}:{n}")
                continue
            if "-" in fields[0] or "." in fields[0]:
                continue
        if not fields[word_at]:
            fault("no word", expected="one in the first column", where=f"{name}:{n}")
            continue
        width = len(_filled(fields))
        if labelled and words and width not in (1, widths):
            by = " separated by tabs" if tabs else ""
            fault(f"{width} columns{by}", expected=f"{widths}, as in the lines before", where=f"{name}:{n}")
            continue
        widths = max(widths, width) if words else width
        tag = fields[number - 1] if 0 < number <= len(fields) else ""
        if labelled and words and bool(tag) != bool(tags):
            like = f"a label in column {number}, as in the lines before" if tags else "no label, as before"
            fault(f"{len(fields)} column{'s' * (len(fields) != 1)}", expected=like, where=f"{name}:{n}")
            continue
        words.append(fields[word_at])
        at.append(n)
        if tag:
            tags.append(tag)
    return found


def _filled(fields: list[str]) -> list[str]:
    """Fields but for empty ones at the end."""
    return fields if not fields or fields[-1] else _filled(fields[:-1])


def _counts(column: str) -> bool:
    """Whether it is the number of a column."""
    return column.isascii() and column.isdigit() and len(column) < 10


def _looks_universal(rows: list[str]) -> bool:
    first = next((r for r in rows if r.strip() and not r.startswith("#")), "")
    fields = first.split("\t")
    return len(fields) == 10 and fields[0].split("-")[0].isdigit()


def _last(rows: list[str], parted: list[list[str]], comments: list[bool]) -> int:
    """The column that holds the label by custom: in CoNLL-2003 and its like, other columns help to find the last."""
    lines = zip(rows, parted, comments, strict=True)
    return max(
        2, next((len(_filled(f)) for r, f, c in lines if r.strip() and not c and not r.startswith("-DOCSTART-")), 0)
    )


def _column(column: str, universal: bool, name: str, labelled: bool) -> int:
    """The column of the labels, counted from 1; 0 for none."""
    if _counts(column):
        number = int(column)
        if number < 1:
            raise HeloError(f"--column {column}", expected="1 or more: columns are counted from 1")
        return number
    if universal and column.lower() in COLUMNS:
        return COLUMNS[column.lower()]
    if not labelled:
        return 0
    raise HeloError(
        f"no column {column!r}",
        expected=f"a number, counted from 1{', or one of ' + ', '.join(COLUMNS) if universal else ''}",
        mend="choose it with --column",
        flag="--column",
        where=name,
    )
