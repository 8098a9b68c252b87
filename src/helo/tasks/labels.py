"""What is common to tasks whose answers are labels, of a whole example or of each of its steps: how examples are read and given."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.data.dataset import Dataset
from helo.data.readers import arrays, clips, columns, conll, numbers, table
from helo.data.readers.files import named, parted, streamed, suffix
from helo.data.spans import marks, scheme
from helo.data.splits import Split
from helo.data.tokenizer import Cut, blanks, tokenizer
from helo.encoders.clips import framed
from helo.errors import HeloError, nearest
from helo.inputs.dialogue import Dialogue
from helo.inputs.numbers import Numbers
from helo.inputs.pictures import Pictures
from helo.inputs.symbols import Symbols
from helo.inputs.words import Words
from helo.tasks.reading import INPUT, Source

LEAST = 2  # examples of a label, where each example has one


TABLES = (".csv", ".jsonl")
ANSWERED = 1 << 16  # bytes of a text that are answered together: each word's answer takes a hundred times its own room


def words(source: Sequence[Any], cut: Cut | None) -> Dataset:
    """Texts, or lists of words, as words to be tagged. cut: finds the words of a text; by default blanks part them."""
    inputs, about = [], []
    for i, one in enumerate(source):
        offsets = (cut or blanks)(one) if isinstance(one, str) else None
        inputs.append(arrays.texts(one) if offsets is None else [one[a:b] for a, b in offsets])
        about.append({} if offsets is None else {"text": one, "offsets": offsets})
        if not inputs[-1]:
            raise HeloError("a sequence without steps", expected="one or more", where=f"input {i + 1}")
    return Dataset("tokens", inputs, None, lambda i, *step: f"input {i + 1}", about=about)


def no_words(vectors: str | Path, found: str = "what has no words") -> HeloError:
    """Of `--vectors` where there is no word that they could be of."""
    return HeloError(f"--vectors for {found}", expected="words or conversations", where=str(vectors))


def there(ignored: Sequence[str], examples: Dataset) -> None:
    """Raises HeloError for a column to be left out that the files lack."""
    columns = examples.notes.get("columns", [])
    for name in ignored:
        if name.casefold() not in {c.casefold() for c in columns}:
            mend = nearest(name, columns) if columns else "leave out --ignore, the files have no named columns"
            raise HeloError(f"no column {name!r}", mend=mend, where="--ignore")


def unused(task: Any, *of_sequences: str) -> frozenset[str]:
    """Options that have no part in a model, by its form of input. of_sequences: those that only a sequence has.

    What a network saw in frames are many numbers without names, and not out of a file of arrays.
    """
    form, words = task.form, isinstance(task.form, Words)
    frames = isinstance(form, Numbers) and form.names is None and len(form.mean) >= 16
    frames = frames and not any(suffix(Path(f)) in (".npz", ".mat", ".ts") for f in task.data.get("train", ()))
    symbols = words or isinstance(form, (Dialogue, Symbols))
    parts = {
        "encoder": frames, "fps": frames, "units": words or isinstance(form, Symbols), "view": isinstance(form, Pictures),
        "embedding": symbols, "vectors": symbols, "spelling": words, "level": isinstance(form, Numbers), "convolutions": isinstance(form, Numbers),
        "folds": isinstance(form, Numbers) or task.model.folds > 1,
    } | dict.fromkeys(of_sequences, form.sequence)  # fmt: skip
    return frozenset(name for name, has in parts.items() if not has)


@dataclass(frozen=True)
class LabelSource(Source):
    """Examples with labels; videos as frames by an image network, of the options encoder and fps."""

    default_split: Split | None = "stratified"

    def read(self, files, options, labelled=True):
        found, paths = super().read(files, options, labelled)
        return self._framed(found, options), paths

    def _framed(self, found: Dataset, options: Any) -> Dataset:
        return framed(found, options.encoder, options.fps, timed=self.labels == "step")

    def stratify_by(self, examples: Dataset) -> tuple[Sequence[AbstractSet[str]], int]:
        if self.labels == "step":
            spans = self._marked(examples)  # of a type that is known both labels are
            return [{y[2:] if spans else y for y in sentence} for sentence in examples.labels], 1
        if any(isinstance(y, list) for y in examples.labels):
            return [set(y) if isinstance(y, list) else {y} for y in examples.labels], 1
        return [{y} for y in examples.labels], LEAST

    def details(self, examples):
        return {"spans in": scheme(examples.labels or (), examples.place)} if self._marked(examples) else {}

    def _marked(self, examples: Dataset) -> bool:
        return examples.kind == "tokens" and examples.labels is not None and marks(examples.labels)

    def unlabelled(self, task, files, **said):
        """Frames also out of videos without a table, words with a label each also out of `.txt` files and tables of running
        text. said: also `tokenizer`, the language by whose rules the words of running text are found.
        """
        cut = self._cut(task, said)
        if not (task.options.reader or said.get("reader") or table.given(files)):
            if isinstance(task.form, Numbers) and (found := clips.named(files)) is not None:
                return self._framed(found, task.options)
            if (paths := self._sentences(task, files)) is not None:
                return conll.questions(paths, self._column(task, said), task.known(), cut)
        if self._wordy(task) and not said.get("reader") and (rows := self._texts(files)) is not None:
            return self._tokens(table.of(rows), cut, said)
        return super().unlabelled(task, files, **said)

    def _as_trained(self, task, files, said, labelled=True):
        found = super()._as_trained(task, files, said, labelled)
        there(said.get("ignore", ()), found)
        return found

    def _pieces(self, task, files, **said):
        cut = self._cut(task, said)
        if not (task.options.reader or said.get("reader")):
            if isinstance(task.form, Numbers) and clips.named(files) is not None:
                yield from (self.unlabelled(task, [name], **said) for name in files)
                return
            if (paths := self._sentences(task, files)) is not None:
                for path in paths:
                    yield from conll.pieces(streamed(path, ANSWERED), path, self._column(task, said), task.known(), cut)
                return
            if self._wordy(task) and (paths := self._texts(files)) is not None:
                yield from (self._tokens(rows, cut, said) for path in paths for rows in table.pieces(path))
                return
        yield from super()._pieces(task, files, **said)

    def _typed(self, task, texts, **said):
        if not self._wordy(task):
            yield from super()._typed(task, texts, **said)
            return
        yield from conll.pieces(texts, Path(INPUT), self._column(task, said), task.known(), self._cut(task, said))

    def _column(self, task: Any, said: dict[str, Any]) -> str | None:
        return said.get("column") or task.options.column

    def _wordy(self, task: Any) -> bool:
        return self.labels == "step" and isinstance(task.form, Words)

    def _cut(self, task: Any, said: dict[str, Any]) -> Cut | None:
        """What finds the words of running text, taken out of what was said."""
        language = said.pop("tokenizer", None)
        return None if language is None else tokenizer(language)

    def _sentences(self, task: Any, files: Any) -> list[Path] | None:
        """The files, if they are of words to be tagged."""
        if not self._wordy(task) or any(suffix(Path(f)) in TABLES for f in files):
            return None
        paths = named(files, conll.SUFFIXES)
        return paths if all(suffix(p) in conll.SUFFIXES for p in paths) else None

    def _texts(self, files: Any) -> list[Any] | None:
        """The files, if they are tables of running text."""
        if tables := table.given(files):
            return tables
        return named(files) if all(suffix(Path(f)) in TABLES for f in files) else None

    def _tokens(self, rows: table.Table, cut: Cut | None, said: dict[str, Any]) -> Dataset:
        """The texts of a table as words."""
        name = columns.column(rows, said.get("text"), columns.TEXTS, "--text")
        texts = columns.texts(rows, name or "").columns[name or ""]
        found = words(texts, cut)
        return replace(found, place=lambda i, *step: rows.places[i], columns=columns.carried(rows))

    def given(self, task, source):
        """Also paths of videos and of folders of frames."""
        frames = isinstance(task.form, Numbers) and not isinstance(source, Dataset) and not table.given(source)
        if frames and (names := clips.paths(source)):
            return self.unlabelled(task, names)
        if self._wordy(task) and not isinstance(source, Dataset) and not table.given(source):
            return words(arrays.listed(source), None)
        return super().given(task, source)

    def lines(self, task, text, **said):
        """A text a line, or a row of numbers; where each step has a label, of words whatever `conll.typed` understands, of
        frames a line of numbers each, with blank lines between sequences.
        """
        cut = self._cut(task, said)
        if self.labels != "step":
            return super().lines(task, text, **said)
        if isinstance(task.form, Dialogue):
            raise HeloError("conversations are read from tables", mend="give a file, as in training", where=INPUT)
        rows = parted(text)
        if isinstance(task.form, Words):
            return conll.typed(rows, INPUT, self._column(task, said), task.known(), cut)
        groups: list[list[Any]] = [[]]
        for number, row in enumerate(rows, 1):
            if row.strip():
                groups[-1].append(self.item(task, row, number))
            elif groups[-1]:
                groups.append([])
        groups = [g for g in groups if g]
        if not groups:
            raise HeloError("no input", expected="one frame per line", where=INPUT)
        return self.given(task, [np.stack(g) for g in groups])

    def item(self, task: Any, line: str, number: int = 1) -> Any:
        """One step out of a line of text: a word, numbers, or who speaks, a tab and what is said."""
        where, line = f"{INPUT}:{number}", line.rstrip("\r\n")
        if isinstance(task.form, Dialogue):
            if task.options.speaker is None:
                return "", line
            who, tab, said = line.partition("\t")
            if not tab:
                raise HeloError(f"{line[:40]!r}", expected="the speaker, a tab, and the utterance", where=where)
            return who, said
        if not isinstance(task.form, Numbers):
            if "\t" in line.strip():
                raise HeloError("a tab in a word", expected="one word per line", where=where)
            return line.strip()
        return numbers.typed(line, len(task.form.mean), where)
