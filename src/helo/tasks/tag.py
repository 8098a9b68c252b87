"""A label for every step: words, the frames of a video, the turns of a conversation (many to many, in step).

steps → vectors → recurrent layers, both ways → scores of the labels of each step [→ conditional random field]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from helo import engines, inputs
from helo.cells.functions import namespace
from helo.data import dataset, readers
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.data.readers import arrays, clips, conll, dialogue, numbers, table
from helo.data.readers.files import named, parted, suffix
from helo.data.spans import SCHEMES, as_label, marks, scheme, spans, written
from helo.encoders.clips import framed
from helo.errors import HeloError
from helo.inputs.dialogue import Dialogue
from helo.inputs.numbers import Numbers
from helo.inputs.words import Words
from helo.layers import crf, part, stack
from helo.metrics import Predictions, Scoring
from helo.models.tagger import Tagger
from helo.options import SHARE, SIZE, Bounds
from helo.saved import distinct, fields, settled
from helo.tasks.base import Parameters, Recipe, filled
from helo.tasks.examples import ExampleOptions, ExampleTask

WINDOW = 256  # frames of a video that are learned from at once: the gradient reaches no further, and batches mix videos
# Of what there is to know of a label, the share that its video may tell before what the video is on the whole counts:
# people and places differ more than what they do, and a model that sees the difference learns who it is.
TELLING = 0.1


@dataclass(frozen=True)
class Options(ExampleOptions):
    """Of a tagger. Sizes that are not given are settled from the examples (`Tag.from_dataset`)."""

    column: Annotated[
        str | None, "of the label: upos, a number from 1, or a column of a table  [CoNLL-U: upos, else the last]"
    ] = None
    text: Annotated[str | None, "conversations: column of the text"] = None
    label: Annotated[str | None, "conversations: column of the label"] = None
    group: Annotated[str | None, "conversations: column that says which one a row belongs to"] = None
    order: Annotated[str | None, "conversations: column of a row's place in its own"] = None
    speaker: Annotated[str | None, "conversations: column of who speaks"] = None
    encoder: Annotated[str, "videos: the image network that sees each frame, thumbnail, or FILE.onnx"] = (
        "efficientnet-lite0"
    )
    fps: Annotated[float, "videos: frames a second that are looked at", Bounds(0, 1e4, above=True)] = 4.0
    cell: Annotated[str, "a cell's name, with options (rnn,nonlinearity=relu), or FILE.py:NAME"] = "lstm"
    layers: Annotated[int | None, "recurrent layers", SIZE] = None
    hidden: Annotated[int | None, "units a layer, in each direction", SIZE] = None
    embedding: Annotated[int | None, "numbers a word becomes", SIZE] = None
    spelling: Annotated[int | None, "units a direction that read the letters of a word (0: none)", Bounds(0)] = None
    level: Annotated[
        bool | None,
        "frames: what a video is on the whole counts; without, its own mean is taken off  [without, where all have like labels]",
    ] = None
    bidirectional: Annotated[bool, "read in both directions; without, a live stream can be tagged"] = True
    crf: Annotated[bool, "a conditional random field over the labels"] = False
    dropout: Annotated[
        float | None, "share of what goes into and comes out of the recurrence dropped in training", SHARE
    ] = None
    vectors: Annotated[str | None, "pretrained word vectors, a .txt or .vec file"] = None
    batch: Annotated[int | None, "sequences a step", SIZE] = None


class Tag(ExampleTask):
    """A label for each step of each sequence."""

    Options = Options
    default_split = "stratified"
    recipe = Recipe({"adam_rate": 3e-3, "rate": 0.02}, max_epochs=60)

    def __init__(self, options: Options, form: inputs.Input, labels: Sequence[str], marked: str | None):
        """marked: the scheme in which the labels mark spans; inside the model it is always IOB2."""
        self.options, self.form, self.labels, self.marked = options, form, list(labels), marked
        self.model = Tagger(options, form, len(labels))
        default = "span_f1" if marked else "weighted_f1" if isinstance(form, Dialogue) else "accuracy"
        more = ("spans",) if marked else ("segments",) if isinstance(form, Numbers) else ()
        self.scoring = Scoring(("classification", *more), ("label", "steps", *(["spans"] if marked else [])), default)

    @classmethod
    def examples(cls, files, options, asked=True):
        found, paths = readers.read(files, options, "step", asked)
        return framed(found, options.encoder, options.fps, timed=True), paths

    @classmethod
    def load(cls, options, saved, data):
        form, labels, marked = fields(saved, input=dict, labels=list[str], spans=str | None)
        if len(distinct(labels, "labels")) < 2:
            raise ValueError(f"{len(labels)} labels, not two or more")
        if marked is not None and (marked not in SCHEMES or set(labels) != set(_spanning(_types(labels)))):
            raise ValueError(f"spans is {marked!r}, and the labels mark none")
        settled(options, "layers", "hidden", "dropout")
        return cls(options, inputs.from_json(form), labels, marked)

    @classmethod
    def from_dataset(cls, options, examples):
        assert examples.labels is not None
        marked = None
        if examples.kind == "tokens" and marks(examples.labels):
            marked = scheme(examples.labels, examples.place)
        counts = Counter(y for sentence in _plain(examples.labels, marked) for y in sentence)
        if len(counts) < 2:
            raise HeloError(
                f"one label, {next(iter(counts))!r}, at all steps", expected="two or more", where=examples.place(0)
            )
        o: Any = options
        vectors = None if o.vectors is None else Path(o.vectors)
        steps = sum(len(x) for x in examples.inputs)
        small = steps < 20_000
        if examples.kind == "tokens":
            o = filled(o, layers=1, hidden=64 if small else 192, embedding=64 if small else 128, spelling=32 if small else 64,
                       dropout=0.5, batch=16)  # fmt: skip
            form: inputs.Input = Words.learn(examples.inputs, o.embedding, o.spelling, vectors)
        elif examples.kind == "dialogue":
            o = filled(o, layers=1, hidden=64 if small else 128, embedding=64 if small else 128, dropout=0.5, batch=8)
            form = Dialogue.learn(examples, o.embedding, o.hidden, o.dropout, vectors)
        else:
            if vectors is not None:
                raise HeloError(
                    "--vectors for what has no words", expected="words or conversations", where=str(vectors)
                )
            if o.level is False and not o.bidirectional:
                raise HeloError(
                    "--no-level --no-bidirectional", expected="one of them: a stream cannot know the mean of all of it"
                )
            level = not o.bidirectional or _apart(examples.labels)
            o = filled(o, layers=1, hidden=64, dropout=0.5, batch=8, level=level)
            form = Numbers.learn(examples, o.level)
        names = list(counts)
        if marked is not None:  # a type of which training happens to have spans of one word alone has longer ones too
            names = _spanning(_types(counts))
        return cls(o, form, dataset.counted(names), marked)

    @classmethod
    def stratify_by(cls, examples):
        assert examples.labels is not None
        if examples.kind == "tokens" and marks(examples.labels):  # of a type that is known both labels are
            return [{y[2:] for y in sentence} for sentence in examples.labels], 1
        return [set(sentence) for sentence in examples.labels], 1

    @classmethod
    def more_summary(cls, examples):
        if examples.kind != "tokens" or examples.labels is None or not marks(examples.labels):
            return {}
        return {"spans in": scheme(examples.labels, examples.place)}

    def training_examples(self, examples):
        """Long videos in windows that overlap by half."""
        if not isinstance(self.form, Numbers):
            return super().training_examples(examples)
        return self.form.encode(examples).windows(WINDOW), self.targets(examples).windows(WINDOW)

    def encode(self, examples):
        inputs.fits(self.form, examples)
        return self.form.encode(examples)

    def targets(self, examples):
        assert examples.labels is not None
        for i, (x, y) in enumerate(zip(examples.inputs, examples.labels, strict=True)):
            if len(x) != len(y):
                raise HeloError(f"{len(x)} steps and {len(y)} labels", expected="as many", where=examples.place(i))
        if self.marked is not None:
            scheme(examples.labels, examples.place)
        found = []
        for i, sentence in enumerate(_plain(examples.labels, self.marked)):
            found.append(dataset.numbering(sentence, self.labels, lambda t, i=i: examples.place(i, t)))
        return Ragged.of(found)

    def target_batch(self, targets, rows):
        return {"targets": targets.padded(rows)[0]}

    # What is minimised.

    def loss(self, parameters, batch, state, noise):
        scores = self.model.forward(parameters, batch, noise)
        return self._loss(parameters, scores, batch), namespace(scores).sum(batch["lengths"]), None

    def _loss(self, parameters: Parameters, scores: Any, batch: Any) -> Any:
        xp = namespace(scores)
        if self.options.crf:
            return crf.loss(
                part(parameters, "crf"),
                xp.astype(scores, parameters["head.bias"].dtype),
                batch["targets"],
                batch["lengths"],
            )
        return engines.cross_entropy(scores, batch["targets"], stack.mask(scores, batch["lengths"])[..., 0])

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

    def _mended(self, ids: np.ndarray) -> np.ndarray:
        """Labels that mark spans as the spans that they mark are written: what is counted is what is answered."""
        if self.marked is None:
            return ids
        names = self._names(ids)
        return np.array([self.labels.index(y) for y in written(spans(names), len(names))], np.int64)

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

    def _names(self, ids: np.ndarray) -> list[str]:
        return [self.labels[int(i)] for i in ids]

    def outward(self, ids: np.ndarray) -> list[str]:
        """Labels as the training files write them."""
        names = self._names(ids)
        return names if self.marked is None else written(spans(names), len(names), self.marked)

    def predict(self, parameters: Parameters, source: Any) -> list[dict[str, Any]]:
        """An answer a sequence: its labels, one a step, and, where they mark spans, the spans. source: examples, or a
        list of lists of words, of arrays `(frames, features)`, of paths of videos or folders of frames, or of lists of
        (speaker, text). Of a video an answer has its name and the second of each frame.
        """
        examples = self.given(source)
        found = self.predict_batches(parameters, self.encode(examples))[2]
        return examples.known([self._answer(x, ids) for x, ids in zip(examples.inputs, found, strict=True)])

    def _answer(self, x: Any, ids: np.ndarray) -> dict[str, Any]:
        answer: dict[str, Any] = {"labels": self.outward(ids)}
        if isinstance(self.form, Words):
            answer["words"] = list(x)
        if self.marked is not None:
            answer["spans"] = [
                {"start": a, "end": b, "type": kind, "text": " ".join(x[a:b])} for a, b, kind in spans(self._names(ids))
            ]
        return answer

    def given(self, source: Any) -> Dataset:
        """What a person asks about, as examples."""
        if isinstance(source, Dataset):
            return source
        if table.given(source):
            return self.asked(source)
        if isinstance(self.form, Numbers) and (names := clips.paths(source)):
            return self.asked(names)
        kind = "tokens" if isinstance(self.form, Words) else "frames" if isinstance(self.form, Numbers) else "dialogue"
        if kind == "tokens":
            source = [x.split() if isinstance(x, str) else arrays.texts(x) for x in arrays.listed(source)]
        elif kind == "frames":
            source = arrays.given(source, kind)
        else:
            source = dialogue.given(source)
        for i, x in enumerate(source):
            if len(x) == 0:
                raise HeloError("a sequence without steps", expected="one or more", where=f"input {i + 1}")
        return Dataset(kind, source, None, lambda i, *step: f"input {i + 1}")

    def asked(self, files, **said):
        """Words also out of `.txt` files of running text, frames also out of videos without a table."""
        if self.options.reader or said.get("reader") or table.given(files):
            return super().asked(files, **said)
        if isinstance(self.form, Numbers) and (found := clips.named(files)) is not None:
            return framed(found, self.options.encoder, self.options.fps, timed=True)
        if isinstance(self.form, Words):
            paths = named(files, conll.SUFFIXES)
            if all(suffix(p) in conll.SUFFIXES for p in paths):
                return conll.questions(paths, self.options.column, self._known())
        return super().asked(files, **said)

    def _known(self) -> set[str]:
        """Labels as files may have them."""
        kinds = [] if self.marked is None else _types(self.labels)
        return {*self.labels, *(as_label(mark, kind) for kind in kinds for mark in "BIES")}

    def lines(self, text: str) -> Dataset:
        """Standard input: of words whatever `conll.told` understands; of frames, a line of numbers each, with blank lines
        between sequences.
        """
        rows = parted(text)
        if isinstance(self.form, Dialogue):
            raise HeloError("conversations come in tables", mend="give a file, as in training", where="standard input")
        if isinstance(self.form, Words):
            return conll.told(rows, "standard input", self.options.column, self._known())
        groups: list[list[Any]] = [[]]
        for number, row in enumerate(rows, 1):
            if row.strip():
                groups[-1].append(self.item(row, number))
            elif groups[-1]:
                groups.append([])
        groups = [g for g in groups if g]
        if not groups:
            raise HeloError("nothing", expected="a frame a line", where="standard input")
        return self.given([np.stack(g) for g in groups])

    def item(self, line: str, number: int = 1) -> Any:
        """One step out of a line of text: a word, numbers, or who speaks, a tab and what is said."""
        where, line = f"standard input:{number}", line.rstrip("\r\n")
        if isinstance(self.form, Dialogue):
            if self.options.speaker is None:
                return "", line
            who, tab, said = line.partition("\t")
            if not tab:
                raise HeloError(f"{line[:40]!r}", expected="the speaker, a tab, and what is said", where=where)
            return who, said
        if not isinstance(self.form, Numbers):
            if "\t" in line.strip():
                raise HeloError("a tab in a word", expected="a word a line", where=where)
            return line.strip()
        return numbers.told(line, len(self.form.mean), where)

    def to_json(self):
        return self.data, {"input": self.form.to_json(), "labels": self.labels, "spans": self.marked}


def _types(labels: Iterable[str]) -> list[str]:
    """The types of the spans that labels mark."""
    return sorted({y[2:] for y in labels if y != "O"})


def _spanning(kinds: Iterable[str]) -> list[str]:
    """The labels of spans of some types."""
    return ["O", *(as_label(mark, kind) for kind in kinds for mark in "BI")]


def _plain(labels: Sequence[Sequence[str]], marked: str | None) -> Sequence[Sequence[str]]:
    """Labels as the model knows them: those that mark spans in IOB2."""
    return labels if marked is None else [written(spans(y), len(y)) for y in labels]


def _apart(labels: Sequence[Sequence[str]]) -> bool:
    """Whether sequences differ in which labels they have: who knows the sequence then knows more than TELLING of what
    there is to know of a label (mutual information over entropy; it comes out too large for short sequences).
    """
    inside = sum(_surprise(Counter(sequence)) for sequence in labels)
    return 1 - inside / _surprise(Counter(y for sequence in labels for y in sequence)) > TELLING


def _surprise(counts: Counter[str]) -> float:
    """Entropy of the labels, in nats, times how many there are."""
    n = np.array(list(counts.values()), float)
    return float(-(n * np.log(n / n.sum())).sum())
