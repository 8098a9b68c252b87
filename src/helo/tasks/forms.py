"""How the examples of a classifier or a regression are read, and the sizes and the recipe that follow from what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from helo import inputs
from helo.data import splits
from helo.data.dataset import Dataset
from helo.errors import HeloError
from helo.inputs.dialogue import Dialogue
from helo.inputs.mixed import Mixed
from helo.inputs.numbers import Numbers
from helo.inputs.pictures import Pictures
from helo.inputs.symbols import Symbols
from helo.inputs.vectors import Vectors
from helo.inputs.words import Words, tokens
from helo.options import SHARE, SIZE, Bounds
from helo.tasks.base import Recipe, filled
from helo.tasks.examples import ExampleOptions
from helo.tasks.labels import LEAST, LabelSource, no_words, unused

ENOUGH = 100  # held-out series
TINY, FOLDS = 100, 5  # of fewer series a tenth says nothing: each part of them is held out from another network,
EACH = 5  # and of fewer a label, of which none can be spared


@dataclass(frozen=True)
class Options(ExampleOptions):
    """Of a task that gives each example an answer, whatever an example is. Sizes that are not given are settled by `sized`."""

    text: Annotated[str | None, "column of the text (the first of text, sentence, utterance)"] = None
    ignore: Annotated[tuple[str, ...], "column that is left out; may be given several times"] = ()
    group: Annotated[str | None, "column that says which conversation or series a row belongs to"] = None
    order: Annotated[str | None, "column of a row's position in its conversation or series"] = None
    speaker: Annotated[str | None, "column of the speaker"] = None
    encoder: Annotated[str, "videos: the image network that sees each frame, thumbnail, or FILE.onnx"] = (
        "efficientnet-lite0"
    )
    fps: Annotated[float, "videos: frames per second that are used", Bounds(0, 1e4, above=True)] = 4.0
    units: Annotated[Literal["words", "characters", "bytes", "subwords"], "the unit of text that is one step"] = "words"
    view: Annotated[Literal["whole", "rows", "pixels"], "how a picture is read"] = "whole"
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int | None, "layers", SIZE] = None
    hidden: Annotated[int | None, "units per layer, in each direction", SIZE] = None
    embedding: Annotated[int | None, "size of the embedding of a word or symbol", SIZE] = None
    bidirectional: Annotated[bool, "read in both directions"] = True
    pool: Annotated[
        Literal["last", "mean", "max", "attention", "mean+max"] | None, "pooling of all steps to one vector"
    ] = None
    convolutions: Annotated[bool, "series: convolutions before and beside the recurrence"] = True
    folds: Annotated[
        int | None,
        "series, and tables with numbers as answers: networks whose answers are averaged, each of which does not learn from one part of "
        "the examples (cross-validation), by default 5 of fewer than 100 series (200 with numbers as answers), or 5 a label, and of fewer "
        "than 1,000 rows, and 1 of more",
        Bounds(1, 20),
    ] = None
    dropout: Annotated[float | None, "dropout of the inputs and outputs of the recurrent layers", SHARE] = None
    vectors: Annotated[str | None, "pretrained word vectors, a .txt or .vec file"] = None
    batch: Annotated[int | None, "examples per step (batch size)", SIZE] = None

    def unused(self, task):
        return unused(task, "cell", "bidirectional", "pool")


@dataclass(frozen=True)
class WholeSource(LabelSource):
    """Examples with an answer each, few of which are cross-validated. tiny, table: fewer series than that are few, and fewer rows."""

    tiny: int = TINY
    table: int = 0  # none

    def _held_out(self, examples, options):
        if (count := self._folds(examples, options)) == 1:
            return super()._held_out(examples, options)
        how = options.split or self.default_split or "random"
        labels = self.stratify_by(examples)[0]
        if how == "stratified" and any(len(set(y)) != 1 for y in labels):
            how = "random"
        found = replace(examples, folds=splits.folds(examples, count, how, options.split_by, labels))
        said = (
            f"all examples by {count}-fold cross-validation: each is answered by the network that did not learn from it"
        )
        return found, found, said

    def _folds(self, examples: Dataset, options: Any) -> int:
        """How many networks there are to be, each of which does not learn from one part of the examples."""
        table = examples.kind == "vector" and self.table > 0
        series = examples.kind == "frames" and examples.inputs[0].dtype != object and options.convolutions
        can, timed = series or table, options.split == "chronological"
        given = options.folds
        if given is None:
            kinds = {y for y in examples.labels if isinstance(y, str)} if series else ()
            most = self.table if table else max(self.tiny, EACH * len(kinds))
            few = can and not timed and LEAST * FOLDS <= len(examples) < most
            return min(FOLDS, len(set(splits.groups(examples))) if options.split == "group" else FOLDS) if few else 1
        if given > 1 and not (can and not timed):
            found = f"{given}, with a chronological split" if timed else f"{given}, with examples that are not series"
            raise HeloError(found, expected="1", mend="leave it out", where="--folds")
        return given


def recipe(usual: Recipe, form: inputs.Input) -> Recipe:
    """Of series that are seen in several views: a handful of held-out ones chooses no weights, and weights are averaged."""
    return usual if getattr(form, "views", None) is None else replace(usual, enough=ENOUGH, averaged=True)


def sized(o: Any, examples: Dataset) -> tuple[Any, inputs.Input]:
    """How the examples are read, and the sizes that follow from their kind and number by a written rule."""
    kind, small = examples.kind, len(examples) < 5_000
    o = replace(o, folds=1 if examples.folds is None else max(examples.folds) + 1)
    if o.vectors is not None and not (kind == "dialogue" or (kind == "text" and o.units == "words")):
        raise no_words(o.vectors, *[f"--units {o.units}"] * (kind == "text"))
    if kind in ("text", "dialogue"):
        size = 64 if small else 128
        batch = 32 if kind == "text" else 16
        o = filled(o, layers=1, hidden=size, embedding=size, pool="max", dropout=0.5, batch=batch)
        vectors = None if o.vectors is None else Path(o.vectors)
        if kind == "dialogue":
            return o, Dialogue.learn(examples, o.embedding, o.hidden, o.dropout, vectors)
        if o.units == "words":
            return o, Words.learn(map(tokens, examples.inputs), o.embedding, 0, vectors)
        return o, Symbols.learn(examples, o.units, o.embedding)
    if kind == "frames":
        form = (Mixed if examples.inputs[0].dtype == object else Numbers).learn(examples, views=o.convolutions)
        o = filled(o, layers=1, hidden=64 if small else 128)
        if isinstance(form, Mixed):
            return filled(o, pool="mean", dropout=0.2, batch=16 if small else 64), form
        batch = min(32, max(8, len(examples) // 16)) if small else 64
        return filled(o, pool="mean+max", dropout=0.3, batch=batch), form
    form = Pictures.learn(examples, o.view) if kind == "picture" else Vectors.learn(examples)
    if form.sequence:
        o = filled(o, layers=1, hidden=64 if small else 128, pool="mean", dropout=0.2, batch=64)
    else:
        o = filled(o, layers=2, hidden=128 if small else 512, dropout=0.3, batch=32 if small else 128)
    return o, form
