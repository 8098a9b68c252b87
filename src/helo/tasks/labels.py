"""What is common to tasks whose answers are labels, of a whole example or of each of its steps: how examples are read and given."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from helo import inputs
from helo.data import readers
from helo.data.dataset import Dataset
from helo.data.readers import arrays, clips, conll, dialogue, numbers, table
from helo.data.readers.files import named, parted, suffix
from helo.encoders.clips import framed
from helo.errors import HeloError
from helo.inputs.dialogue import Dialogue
from helo.inputs.numbers import Numbers
from helo.inputs.symbols import Symbols
from helo.inputs.vectors import Vectors
from helo.inputs.words import Words
from helo.tasks.base import Parameters
from helo.tasks.examples import ExampleTask

INPUT = "standard input"


class LabelTask(ExampleTask):
    """options: encoder, fps; column and speaker where each step has a label."""

    form: inputs.Input
    labels: list[str]
    #: Whether each step of an example has a label.
    stepwise: ClassVar[bool] = False
    default_split = "stratified"

    @classmethod
    def examples(cls, files, options, labelled=True):
        found, paths = readers.read(files, options, "step" if cls.stepwise else "example", labelled)
        return framed(found, options.encoder, options.fps, timed=cls.stepwise), paths

    def encode(self, examples):
        inputs.fits(self.form, examples)
        return self.form.encode(examples)

    def unlabelled(self, files, **said):
        """Frames also out of videos without a table, words with a label each also out of `.txt` files of running text."""
        if not (self.options.reader or said.get("reader") or table.given(files)):
            if isinstance(self.form, Numbers) and (found := clips.named(files)) is not None:
                return framed(found, self.options.encoder, self.options.fps, timed=self.stepwise)
            if self.stepwise and isinstance(self.form, Words):
                paths = named(files, conll.SUFFIXES)
                if all(suffix(p) in conll.SUFFIXES for p in paths):
                    return conll.questions(paths, self.options.column, self.known())
        return super().unlabelled(files, **said)

    def known(self) -> set[str]:
        """Labels as files may have them."""
        return set(self.labels)

    def given(self, source: Any) -> Dataset:
        """Examples to be answered, as a dataset."""
        if isinstance(source, Dataset):
            return source
        if table.given(source):
            return self.unlabelled(source)
        if isinstance(self.form, Numbers) and (names := clips.paths(source)):
            return self.unlabelled(names)
        kinds = {"words": "tokens" if self.stepwise else "text", "symbols": "text", "dialogue": "dialogue",
                 "numbers": "frames", "vectors": "vector"}  # fmt: skip
        kind = kinds.get(self.form.to_json()["form"], "picture")
        if kind == "tokens":
            source = [x.split() if isinstance(x, str) else arrays.texts(x) for x in arrays.listed(source)]
        elif kind in ("text", "dialogue"):
            source = arrays.texts(source) if kind == "text" else dialogue.given(source)
        else:
            source = arrays.given(source, kind, missing=kind == "frames" and not self.stepwise)
        for i, x in enumerate(source if self.stepwise else ()):
            if len(x) == 0:
                raise HeloError("a sequence without steps", expected="at least one step", where=f"input {i + 1}")
        return Dataset(kind, source, None, lambda i, *step: f"input {i + 1}")

    def lines(self, text: str) -> Dataset:
        """Standard input: a text a line, or a row of numbers; where each step has a label, of words whatever `conll.typed`
        understands, of frames a line of numbers each, with blank lines between sequences.
        """
        rows = parted(text)
        if self.stepwise:
            return self._sequences(rows)
        if isinstance(self.form, Words | Symbols):
            return self.given(rows)
        if isinstance(self.form, Vectors):
            width = len(self.form.numbers.mean)
            found = [numbers.typed(r, width, f"{INPUT}:{n}") for n, r in enumerate(rows, 1) if r.strip()]
            return self.given(np.stack(found) if found else np.zeros((0, width)))
        raise HeloError("this model does not read lines", mend="give files, as in training", where=INPUT)

    def _sequences(self, rows: list[str]) -> Dataset:
        if isinstance(self.form, Dialogue):
            raise HeloError("conversations are read from tables", mend="give a file, as in training", where=INPUT)
        if isinstance(self.form, Words):
            return conll.typed(rows, INPUT, self.options.column, self.known())
        groups: list[list[Any]] = [[]]
        for number, row in enumerate(rows, 1):
            if row.strip():
                groups[-1].append(self.item(row, number))
            elif groups[-1]:
                groups.append([])
        groups = [g for g in groups if g]
        if not groups:
            raise HeloError("no input", expected="one frame per line", where=INPUT)
        return self.given([np.stack(g) for g in groups])

    def item(self, line: str, number: int = 1) -> Any:
        """One step out of a line of text: a word, numbers, or who speaks, a tab and what is said."""
        where, line = f"{INPUT}:{number}", line.rstrip("\r\n")
        if isinstance(self.form, Dialogue):
            if self.options.speaker is None:
                return "", line
            who, tab, said = line.partition("\t")
            if not tab:
                raise HeloError(f"{line[:40]!r}", expected="the speaker, a tab, and the utterance", where=where)
            return who, said
        if not isinstance(self.form, Numbers):
            if "\t" in line.strip():
                raise HeloError("a tab in a word", expected="one word per line", where=where)
            return line.strip()
        return numbers.typed(line, len(self.form.mean), where)

    def fed(
        self, parameters: Parameters, item: Any, state: Any, past: dict[str, Any]
    ) -> tuple[str, Any, dict[str, Any]]:
        """One step more of a sequence: its label as the batch would have it, the state after it, and what the next step
        has to know of it: its label and who spoke. item: a word, numbers `(features,)`, or (speaker, text).
        """
        talk = isinstance(self.form, Dialogue)
        if talk and (isinstance(item, str) or len(item) != 2):
            raise HeloError(f"{item!r}", expected="(speaker, text)")
        one = np.asarray(item)[None] if isinstance(self.form, Numbers) else [item]
        batch = self.encode(self.given([one])).batch(np.zeros(1, np.int64))
        if talk:
            batch["same"][:] = item[0] == past.get("speaker")
        scores, state = self.model.step(parameters, batch, state)
        now = int(np.asarray(scores)[0, 0].argmax())
        label = self.outward(np.array([past["label"], now] if past else [now]))[-1]
        return label, state, {"label": now} | ({"speaker": item[0]} if talk else {})

    def _names(self, ids: np.ndarray) -> list[str]:
        return [self.labels[int(i)] for i in ids]

    def outward(self, ids: np.ndarray) -> list[str]:
        """Labels as the training files write them."""
        return self._names(ids)
