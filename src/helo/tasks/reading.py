"""What every task over examples does with a person's files: hold some out, find them again, say what was understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helo.data import dataset, splits
from helo.data.dataset import Dataset
from helo.errors import HeloError, fault, sound

if TYPE_CHECKING:
    from helo.tasks.examples import ExampleTask

UNSAID = frozenset(
    {"rows", "names", "segments", "images", "split"}
)  # notes about examples that are no news to a person


def split(
    kind: type[ExampleTask], files: Sequence[str | Path], valid: Sequence[str | Path], options: Any
) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """What to learn from, what to validate on, and what `run.json` records of where they lie."""
    learn, paths = kind.examples(files, options)
    record: dict[str, Any] = {
        "train": [str(p.absolute()) for p in paths], "fingerprint": {"train": dataset.fingerprint(paths)}
    }  # fmt: skip
    if valid:
        check, paths = kind.examples(valid, options)
        if check.kind != learn.kind:
            raise HeloError(f"{check.kind}", expected=f"{learn.kind}, as in the training files", where="--valid")
        record["valid"] = [str(p.absolute()) for p in paths]
        record["fingerprint"]["valid"] = dataset.fingerprint(paths)
    else:
        if len(learn) < 2:
            raise HeloError("only one example", expected="more, or --valid FILES", where=", ".join(map(str, files)))
        how = options.split or kind.default_split or "random"
        rows = splits.split(learn, how, options.split_by, *kind.stratify_by(learn))
        if not len(rows[1]):
            kind.from_dataset(options, learn)  # whatever is wrong with the labels themselves is said first
            raise HeloError("no example can be held out, because every label needs training examples",
                            expected="more examples per label, or --valid FILES", where=", ".join(map(str, files)))  # fmt: skip
        learn, check = learn.take(rows[0]), learn.take(rows[1])
        record["valid"] = splits.SAID[how]
    return learn, check, record


def recorded(task: ExampleTask, data: dict[str, Any], options: Any) -> Dataset:
    """The validation examples of a run. options: to read by. Raises HeloError where their files are no longer the same."""
    tail = isinstance(data["valid"], str)
    found, paths = type(task).examples(data["train"] if tail else data["valid"], options)
    if dataset.fingerprint(paths) != data["fingerprint"]["train" if tail else "valid"]:
        raise HeloError(
            "the files have changed since the run was trained",
            mend="name the files to evaluate on",
            where=", ".join(map(str, paths)),
        )
    o = task.options
    how = o.split or task.default_split or "random"
    return found.take(splits.split(found, how, o.split_by, *task.stratify_by(found))[1]) if tail else found


def summary(kind: type[ExampleTask], files: Sequence[str | Path], options: Any) -> dict[str, Any]:
    """What is understood of a person's files before anything is learned from them."""
    examples, paths = kind.checked(files, options)
    found: dict[str, Any] = {"files": len(paths), "kind": examples.kind, "examples": len(examples)}
    found |= {name: value for name, value in examples.notes.items() if name not in UNSAID and value}
    try:
        unit = "characters" if isinstance(examples.inputs[0], str) else "steps"
        found[unit] = dataset.span([len(x) for x in examples.inputs])
    except (TypeError, ValueError):
        pass
    if examples.labels is not None and kind.stratify_by(examples)[0]:  # answers that are labels
        flat = [y for label in examples.labels for y in ([label] if isinstance(label, str) else label)]
        counts = Counter(flat).most_common()
        found["labels"] = len(counts)
        found["most frequent"] = ", ".join(f"{y} {n:,}" for y, n in counts[:12])
    try:
        if sound():  # what a training would refuse is refused here, unless it follows from rows left out
            kind.from_dataset(options, examples).targets(examples)
        return found | kind.more_summary(examples)
    except HeloError as error:
        fault(error)
        return found


@contextmanager
def as_trained() -> Iterator[None]:
    """Flags that say how files are read are of training alone: where one would be the remedy, files like those are."""
    try:
        yield
    except HeloError as error:
        if error.mend.startswith(("--", "choose ")):
            error.mend = "give files in the format of the training files"
        raise
