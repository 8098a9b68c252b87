"""Where the examples of a task come from: files, standard input or Python; and which of them are held out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helo.data import dataset, readers, splits
from helo.data.dataset import Dataset
from helo.data.readers import arrays, dialogue, given, table
from helo.data.readers.files import arriving, parted
from helo.errors import HeloError, warn
from helo.inputs.mixed import Mixed
from helo.inputs.vectors import Vectors
from helo.options import flag

INPUT = "standard input"
# Notes about examples that are no news to a person.
UNSAID = frozenset({"columns", "read", "rows", "names", "segments", "images", "split", "parts", "crossed"})


@dataclass(frozen=True)
class Source:
    """How a task gets its examples. `task`: one that is loaded, by whose options files are read."""

    #: What has a label, as `Reader.labels` says it.
    labels: str = "example"
    #: How examples are held out to validate on where nothing else is said; None where the data says it.
    default_split: splits.Split | None = "random"
    #: Whether the labels are numbers, and not texts.
    numeric: bool = False

    def read(self, files: Sequence[Any], options: Any, labelled: bool = True) -> tuple[Dataset, list[Path]]:
        """Examples out of a person's files. labelled: with their labels."""
        return readers.read(files, options, self.labels, labelled, self.numeric)

    def stratify_by(self, examples: Dataset) -> tuple[Sequence[AbstractSet[str]], int]:
        """The labels of each example, and of how many examples each label has to be learned from where some are held
        out; by default answers are no labels, and any example may be.
        """
        return (), 0

    def split(
        self, files: Sequence[str | Path], valid: Sequence[str | Path], options: Any
    ) -> tuple[Dataset, Dataset, dict[str, Any]]:
        """What to learn from, what to validate on, and what `run.json` records of where they lie."""
        learn, paths = self.read(files, options)
        _say_unread(learn, options)
        record: dict[str, Any] = {
            "train": [str(p.absolute()) for p in paths], "fingerprint": {"train": fingerprint(learn, paths)}
        }  # fmt: skip
        if valid:
            if (getattr(options, "folds", None) or 1) > 1:
                raise HeloError(
                    f"{options.folds}, with files to validate on",
                    expected="one of both",
                    mend="leave out --valid",
                    where="--folds",
                )
            check, paths = self.read(valid, options)
            if check.kind != learn.kind:
                raise HeloError(f"{check.kind}", expected=f"{learn.kind}, as in the training files", where="--valid")
            record["valid"] = [str(p.absolute()) for p in paths]
            record["fingerprint"]["valid"] = fingerprint(check, paths)
            return learn, check, record
        if len(learn) < 2:
            raise HeloError("only one example", expected="more, or --valid FILES", where=", ".join(map(str, files)))
        learn, check, said = self._held_out(learn, options)
        return learn, check, record | {"valid": said}

    def _held_out(self, examples: Dataset, options: Any) -> tuple[Dataset, Dataset, str]:
        """What to learn from, what to validate on, and that in words."""
        how = options.split or self.default_split or "random"
        learn, check = splits.split(examples, how, options.split_by, *self.stratify_by(examples))
        return examples.take(learn), examples.take(check), splits.SAID[how]

    def recorded(self, task: Any, data: dict[str, Any], **said: Any) -> Dataset:
        """The validation examples of a run. said: options of reading that are to be others. Raises HeloError where their
        files are no longer the same.
        """
        tail = isinstance(data["valid"], str)
        found, paths = self.read(data["train"] if tail else data["valid"], _options(task, said))
        dataset.unchanged(dataset.fingerprint(paths), data["fingerprint"]["train" if tail else "valid"], paths)
        return self._held_out(found, task.options)[1] if tail else found

    def reload(self, task: Any, data: dict[str, Any], files: Any, **said: Any) -> Dataset:
        """The examples of files, or the validation examples that a run recorded. said: as for `recorded`."""
        if isinstance(files, Dataset):
            return files
        files = given.settled(files)
        if not files:
            return self.recorded(task, data, **said) if task.splits is None else task.splits.examples
        return self._as_trained(task, files, said)

    def unlabelled(self, task: Any, files: Sequence[Any], **said: Any) -> Dataset:
        """Examples to be answered, out of files as for training; labels may be missing. said: as for `recorded`."""
        return self._as_trained(task, files, said, labelled=False)

    def pieces(self, task: Any, files: Sequence[Any], **said: Any) -> Iterator[Dataset]:
        """Examples to be answered as `unlabelled` has them, or, of "-", as `lines` has them, in pieces, one after the other, so
        that an input of any size is answered row by row.
        """
        yield from self._typed(task, arriving(), **said) if list(files) == ["-"] else self._pieces(task, files, **said)

    def _pieces(self, task: Any, files: Sequence[Any], **said: Any) -> Iterator[Dataset]:
        for reader, part in readers.in_parts(files, _options(task, said), self.labels):
            yield self.unlabelled(task, part, **said | ({} if reader is None else {"reader": reader}))

    def _typed(self, task: Any, texts: Iterable[str], **said: Any) -> Iterator[Dataset]:
        first = 1
        for text in texts if task.form.reads[0] in ("text", "vector") else ["".join(texts)]:
            if len(found := self.lines(task, text, first=first, **said)):
                yield found
            first += len(parted(text))

    def _as_trained(self, task: Any, files: Any, said: dict[str, Any], labelled: bool = True) -> Dataset:
        """Not every verb has the flags that say how files are read: where one would be the remedy that was not given now, files
        like those of training are.
        """
        try:
            return self.read(files, _options(task, said), labelled)[0]
        except HeloError as error:
            if error.flag and error.flag not in map(flag, said):
                error.mend = error.unflagged or "give files in the format of the training files"
            raise

    def given(self, task: Any, source: Any) -> Dataset:
        """Examples to be answered that are given in Python: a dataset, DataFrames with the columns of the training files,
        a list of texts, an array of examples, or whatever else stands for one of the kind that the task reads.
        """
        if isinstance(source, Dataset):
            return source
        if tables := table.given(source):
            return self.unlabelled(task, tables)
        stepwise = self.labels == "step"
        kind = "pair" if self.labels == "text" else (*task.form.reads, "picture")[0]
        if kind == "dialogue":
            source = dialogue.given(source)
        elif kind == "text" and stepwise:
            kind, source = (
                "tokens",
                [x.split() if isinstance(x, str) else arrays.texts(x) for x in arrays.listed(source)],
            )
        elif kind in ("text", "pair"):
            source = arrays.texts(source)
        else:
            cells = task.form.cells(source) if isinstance(task.form, Vectors | Mixed) else None
            missing = kind in ("frames", "vector") and not stepwise
            source = arrays.given(source, kind, missing) if cells is None else cells
        for i, x in enumerate(source if stepwise or kind == "frames" else ()):
            if len(x) == 0:
                raise HeloError("a sequence without steps", expected="one or more", where=f"input {i + 1}")
        return Dataset(kind, source, None, lambda i, *step: f"input {i + 1}")

    def lines(self, task: Any, text: str, **said: Any) -> Dataset:
        """Standard input as examples: a text a line, or a row of numbers. said: as for `recorded`."""
        rows, (kind, *_) = parted(text), task.form.reads
        if kind == "text":
            return replace(self.given(task, rows), columns={"text": rows})
        if kind != "vector":
            raise HeloError("this model does not read lines", mend="give files, as in training", where=INPUT)
        found = [task.form.typed(r, f"{INPUT}:{n}") for n, r in enumerate(rows, said.get("first", 1)) if r.strip()]
        examples = self.given(task, np.stack(found) if found else np.zeros((0, len(task.form.columns))))
        return replace(examples, columns={"text": [r for r in rows if r.strip()]})

    def check(self, files: Sequence[str | Path], options: Any) -> tuple[Dataset, list[Path]]:
        """The examples that `helo data check` looks at."""
        return self.read(files, options)

    def details(self, examples: Dataset) -> dict[str, Any]:
        """What `helo data check` says of the examples beside `summary`."""
        return {}

    def summary(self, files: Sequence[str | Path], options: Any) -> tuple[Dataset, dict[str, Any]]:
        """The examples of a person's files, and what is understood of them before anything is learned."""
        examples, paths = self.check(files, options)
        _say_unread(examples, options)
        found: dict[str, Any] = {"files": len(paths), "kind": examples.kind, "examples": len(examples)}
        found |= {name: value for name, value in examples.notes.items() if name not in UNSAID and value}
        try:
            unit = "characters" if isinstance(examples.inputs[0], str) else "steps"
            found[unit] = dataset.span([len(x) for x in examples.inputs])
        except (TypeError, ValueError):
            pass
        if examples.labels is not None and self.stratify_by(examples)[0]:  # answers that are labels
            flat = [y for label in examples.labels for y in ([label] if isinstance(label, str) else label)]
            counts = Counter(flat).most_common()
            found["labels"] = len(counts)
            found["most frequent"] = ", ".join(f"{y} {n:,}" for y, n in counts[:12])
        return examples, found


def _say_unread(found: Dataset, options: Any) -> None:
    """Says which columns have no part where a table is read for one column that nobody named."""
    column, others = str(found.notes.get("read")), found.notes.get("not read")
    if others and (found.kind == "clip" or getattr(options, "text", None) is None):
        mend = f"--ignore {shlex.quote(column)} reads numbers and categories in its place"
        warn(f"only the column {column!r} is read, and not {table.few(others)}; {mend}")


def fingerprint(found: Dataset, paths: list[Path]) -> str:
    """Of the files, or of what was given in Python."""
    return dataset.fingerprint(paths) if paths else given.fingerprint(found)


def _options(task: Any, said: dict[str, Any]) -> Any:
    """The options by which files are read after the training. said: those that are to be others."""
    if said.get("reader") is not None:
        said = said | {"reader": readers.chosen(said["reader"])}
    return replace(task.options, **{k: v for k, v in task.Options.reading.items() if v is not None} | said)
