"""Give each step a label. A step is a word, a video frame or a turn of a conversation. (Many to many in step.)

steps → vectors → recurrent layers, both ways → scores of the labels of each step [→ conditional random field]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np

from helo import engines, inputs
from helo.cells.functions import namespace
from helo.data import dataset
from helo.data.ragged import Ragged
from helo.data.spans import SCHEMES, iob2, iob2_labels, marks, scheme, spans, types
from helo.errors import HeloError
from helo.inputs.dialogue import Dialogue
from helo.inputs.numbers import Numbers, differ
from helo.inputs.words import Words
from helo.layers import crf, part, stack
from helo.metrics import Predictions, Scoring
from helo.models.tagger import Tagger, sized
from helo.options import SHARE, SIZE, Bounds
from helo.saved import distinct, fields, settled
from helo.tasks.base import Parameters, Recipe, filled
from helo.tasks.examples import ExampleOptions
from helo.tasks.labels import LabelSource, no_words, unused
from helo.tasks.tagging import PredictOptions, Tagging

WIDE = 128  # features of a frame; more are seen by a network of their own already, and three views of them cost much
WINDOW = 256  # frames of a video that are learned from at once: the gradient reaches no further, and batches mix videos


@dataclass(frozen=True)
class Options(ExampleOptions):
    """Of a tagger. Sizes that are not given are settled from the examples and the minutes (`sized`)."""

    verbs = MappingProxyType({"predict": PredictOptions})
    reading = MappingProxyType(dict.fromkeys(("reader", "column", "text", "label", "group", "order", "speaker")))

    column: Annotated[
        str | None, "column of the label: upos, a number from 1, or a name in a table  [CoNLL-U: upos, else the last]"
    ] = None
    text: Annotated[str | None, "conversations: column of the text"] = None
    label: Annotated[str | None, "conversations: column of the label"] = None
    group: Annotated[str | None, "conversations: column that says which conversation a row belongs to"] = None
    order: Annotated[str | None, "conversations: column of a row's position in its conversation"] = None
    speaker: Annotated[str | None, "conversations: column of the speaker"] = None
    encoder: Annotated[str, "videos: the image network that sees each frame, thumbnail, or FILE.onnx"] = (
        "efficientnet-lite0"
    )
    fps: Annotated[float, "videos: frames per second that are used", Bounds(0, 1e4, above=True)] = 4.0
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int | None, "recurrent layers", SIZE] = None
    hidden: Annotated[int | None, "units per layer, in each direction", SIZE] = None
    embedding: Annotated[int | None, "size of the embedding of a word", SIZE] = None
    spelling: Annotated[
        int | None, "units, in each direction, of the network that reads a word's letters (0: none)", Bounds(0)
    ] = None
    level: Annotated[
        bool | None,
        "frames: keep each video's mean; without it, subtract it  [subtract, if all videos have similar labels]",
    ] = None
    bidirectional: Annotated[bool, "read in both directions; without it, a live stream can be tagged"] = True
    convolutions: Annotated[bool, "frames: convolutions before and beside the recurrence, both directions"] = False
    crf: Annotated[bool, "a conditional random field over the labels"] = False
    dropout: Annotated[float | None, "dropout of the inputs and outputs of the recurrent layers", SHARE] = None
    vectors: Annotated[str | None, "pretrained word vectors, a .txt or .vec file"] = None
    batch: Annotated[int | None, "sequences per step (batch size)", SIZE] = None

    def unused(self, task):
        return unused(task)


class Tag(Tagging):
    """A label for each step of each sequence."""

    Options = Options
    source = LabelSource("step")
    recipe = Recipe({"adam_rate": 3e-3, "rate": 0.02}, max_epochs=60)
    _given: tuple[Any, tuple[str, int, int]] | None = None  # as a training begins: the options, and `sized`'s numbers

    def __init__(self, options: Options, form: inputs.Input, labels: Sequence[str], marked: str | None):
        """marked: the scheme in which the labels mark spans; inside the model it is always IOB2."""
        self.options, self.form, self.labels, self.marked = options, form, list(labels), marked
        self.model = Tagger(options, form, len(labels))
        default = "span_f1" if marked else "weighted_f1" if isinstance(form, Dialogue) else "accuracy"
        more = ("spans",) if marked else ("segments",) if isinstance(form, Numbers) else ()
        self.scoring = Scoring(("classification", *more), ("label", "steps", *(["spans"] if marked else [])), default)

    @classmethod
    def load(cls, options, saved, data):
        form, labels, marked = fields(saved, input=dict, labels=list[str], spans=str | None)
        if len(distinct(labels, "labels")) < 2:
            raise ValueError(f"{len(labels)} labels, not two or more")
        if marked is not None and (marked not in SCHEMES or set(labels) != set(iob2_labels(types(labels)))):
            raise ValueError(f"spans is {marked!r}, and the labels mark none")
        settled(options, "layers", "hidden", "dropout")
        return cls(options, inputs.from_json(form), labels, marked)

    @classmethod
    def from_dataset(cls, options, examples):
        marked = None
        if examples.kind == "tokens" and marks(examples.labels):
            marked = scheme(examples.labels, examples.place)
        counts = Counter(y for sentence in iob2(examples.labels, marked) for y in sentence)
        if len(counts) < 2:
            one = f"only one label, {next(iter(counts))!r}, at all steps"
            raise HeloError(one, expected="two or more", where=examples.place(0))
        o: Any = options
        vectors = None if o.vectors is None else Path(o.vectors)
        size = (examples.kind, sum(len(x) for x in examples.inputs), len(examples))
        o = sized(options, *size)
        if examples.kind == "tokens":
            form: inputs.Input = Words.learn(examples.inputs, o.embedding, o.spelling, vectors)
        elif examples.kind == "dialogue":
            form = Dialogue.learn(examples, o.embedding, o.hidden, o.dropout, vectors)
        else:
            if vectors is not None:
                raise no_words(vectors)
            if o.level is False and not o.bidirectional:
                raise HeloError("--no-level --no-bidirectional", expected="one: a live stream has no mean in advance")
            level = not o.bidirectional or differ(examples.labels)
            o = filled(o, level=level)
            views = o.convolutions and o.bidirectional and examples.inputs[0].shape[1] <= WIDE
            form = Numbers.learn(examples, o.level, views=views, longest=None)
        names = list(counts)
        if marked is not None:  # a type of which training happens to have spans of one word alone has longer ones too
            names = iob2_labels(types(counts))
        self = cls(o, form, dataset.counted(names), marked)
        self._given = options, size
        return self

    def infer_defaults(self, budget):
        """Fewer units where the minutes are few."""
        if self._given is None or (budget.macs is None and budget.symbols is None):
            return
        options, size = self._given
        o = replace(sized(options, *size, budget), level=self.options.level)
        if o != self.options:
            self.options = o
            self.form.resize(o)
            self.model = Tagger(o, self.form, len(self.labels))

    def training_examples(self, examples):
        """Long videos in windows that overlap by half."""
        if not isinstance(self.form, Numbers):
            return super().training_examples(examples)
        return self.form.encode(examples).windows(WINDOW), self.targets(examples).windows(WINDOW)

    def targets(self, examples):
        for i, (x, y) in enumerate(zip(examples.inputs, examples.labels, strict=True)):
            if len(x) != len(y):
                raise HeloError(f"{len(x)} steps but {len(y)} labels", expected="as many", where=examples.place(i))
        if self.marked is not None:
            scheme(examples.labels, examples.place)
        return Ragged.of(
            dataset.numbering(sentence, self.labels, lambda t, i=i: examples.place(i, t))
            for i, sentence in enumerate(iob2(examples.labels, self.marked))
        )

    def target_batch(self, targets, rows):
        return {"targets": targets.padded(rows)[0]}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        scores = self.model.forward(parameters, batch, noise)
        return self._loss(parameters, scores, batch), namespace(scores).sum(batch["lengths"]), None

    def _loss(self, parameters: Parameters, scores: Any, batch: Any) -> Any:
        xp = namespace(scores)
        if self.options.crf:
            scores = xp.astype(scores, parameters["head.bias"].dtype)
            return crf.loss(part(parameters, "crf"), scores, batch["targets"], batch["lengths"])
        return engines.cross_entropy(scores, batch["targets"], stack.mask(scores, batch["lengths"])[..., 0])

    # What it answers.

    def evaluate_batch(self, parameters, batch, loss_only=False):
        scores = self.model.forward(parameters, batch)
        xp = namespace(scores)
        scores = xp.astype(scores, parameters["head.bias"].dtype)
        loss = self._loss(parameters, scores, batch) if "targets" in batch else 0.0
        return loss, xp.sum(batch["lengths"]), scores if self.options.crf else xp.argmax(scores, axis=-1)

    def answers(self, parameters, found, lengths):
        if self.options.crf:
            own = {n: engines.host(p).astype(np.float64) for n, p in part(parameters, "crf").items()}
            found = crf.best(own, found.astype(np.float64), lengths)
        return [self._mended(row[:n]) for row, n in zip(found, lengths, strict=True)]

    def predictions(self, answers, targets):
        rows, labels, kinds = (answers, [targets[i] for i in range(len(answers))]), self.labels, {}
        if self.marked is not None:  # as the files write them
            texts = [[self.outward(y) for y in side] for side in rows]
            labels = sorted({y for side in texts for row in side for y in row})
            number = {y: k for k, y in enumerate(labels)}
            rows = tuple([np.array([number[y] for y in row], np.int64) for row in side] for side in texts)
            kinds = {"spans": tuple([spans(row) for row in side] for side in texts)}
        joined = tuple(np.concatenate(side) for side in rows)
        notes = {"steps": len(joined[0]), "sequences": len(answers)}
        return Predictions({"label": joined, "steps": rows, **kinds}, labels, notes)

    def answer(self, source, found):
        """The labels, one a step, and, where they mark spans, the spans; of a video also its name and the second of each frame."""
        answer: dict[str, Any] = {"labels": self.outward(found)}
        if isinstance(self.form, Words):
            answer["words"] = list(source)
        if self.marked is not None:
            each = spans(self._names(found))
            answer["spans"] = [{"start": a, "end": b, "type": t, "text": " ".join(source[a:b])} for a, b, t in each]
        return answer

    # Step by step, as a stream comes.

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
        batch = self.encode(self.source.given(self, [one])).batch(np.zeros(1, np.int64))
        if talk:
            batch["same"][:] = item[0] == past.get("speaker")
        scores, state = self.model.step(parameters, batch, state)
        now = int(np.asarray(scores)[0, 0].argmax())
        label = self.outward(np.array([past["label"], now] if past else [now]))[-1]
        return label, state, {"label": now} | ({"speaker": item[0]} if talk else {})

    def to_json(self):
        return self.data, {"input": self.form.to_json(), "labels": self.labels, "spans": self.marked}
