"""A conversation: each step is an utterance, read word by word by a recurrence of its own, and who says it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.data.ragged import Ragged, filled_up
from helo.inputs.base import EVERY, Input
from helo.inputs.words import EncodedWords, Words, tokens
from helo.layers import part, pooling, stack, under, variational_dropout
from helo.saved import distinct, fields, least

SPEAKER, MOST = 16, 200  # numbers a speaker becomes; so many of the most frequent have a row of their own


class Dialogue(Input):
    """The utterance's vector, its speaker's, and whether the speaker is the one before. beside: whether all this goes past the
    recurrence over utterances too, so that what an utterance says by itself is not lost among the others.
    """

    reads = ("dialogue",)

    def __init__(self, words: Words, speakers, hidden: int, dropout: float, beside: bool = True):
        self.beside = beside
        self.words, self.speakers, self.hidden, self.dropout = words, list(speakers), hidden, dropout
        self.ids = {s: i for i, s in enumerate(self.speakers, 1)}
        self.width = 2 * hidden + SPEAKER + 1

    @classmethod
    def learn(cls, examples, embedding: int, hidden: int, dropout: float, vectors=None):
        """The words of these conversations, and who speaks more than once."""
        said = [tokens(text) for turns in examples.inputs for _, text in turns]
        counts = Counter(speaker for turns in examples.inputs for speaker, _ in turns)
        speakers = [s for s, n in sorted(counts.items(), key=lambda i: (-i[1], i[0])) if n > 1][:MOST]
        return cls(Words.learn(said, embedding, 0, vectors), speakers, hidden, dropout)

    def _encode(self, examples):
        return _Encoded(self, examples.inputs)

    def resize(self, options: Any) -> None:
        """Other sizes before the first step."""
        self.words.embedding = self.words.width = options.embedding if self.words.start is None else self.words.width
        self.hidden, self.dropout, self.width = options.hidden, options.dropout, 2 * options.hidden + SPEAKER + 1

    def init(self, rng, cell):
        parameters = under("words", self.words.init(rng, cell))
        parameters |= under("recurrent", stack.init(rng, cell, 1, self.words.width, self.hidden, bidirectional=True))
        return parameters | {"speakers": rng.standard_normal((len(self.speakers) + 1, SPEAKER)).astype(np.float32)}

    def forward(self, parameters, batch, cell, noise):
        xs = self.words.forward(part(parameters, "words"), part(batch, "words"), cell, noise)
        xs = variational_dropout(xs, self.dropout, noise)
        lengths = batch["words.lengths"]
        xs = stack.read(cell, 1, part(parameters, "recurrent"), xs, lengths, bidirectional=True)
        said = engines.embedding(pooling.pool("max", {}, xs, lengths), batch["turns"])
        who = engines.embedding(parameters["speakers"], batch["speakers"])
        return namespace(said).concat([said, who, batch["same"][..., None]], axis=-1)

    def to_json(self):
        return {"form": "dialogue", "words": self.words.to_json(), "speakers": self.speakers, "hidden": self.hidden,
                "dropout": self.dropout} | ({"beside": True} if self.beside else {})  # fmt: skip

    @classmethod
    def from_json(cls, saved):
        _, words, speakers, hidden, dropout, beside = fields(
            {"beside": False, **saved}, form=Literal["dialogue"], words=dict, speakers=list[str], hidden=int, dropout=float, beside=bool,
        )  # fmt: skip
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}")
        return cls(Words.from_json(words), distinct(speakers, "speakers"), least(hidden, 1, "hidden"), dropout, beside)


class _Encoded:
    def __init__(self, form: Dialogue, conversations):
        self.words = EncodedWords(form.words, [tokens(text) for turns in conversations for _, text in turns])
        self.speakers = Ragged.of([[form.ids.get(who, 0) for who, _ in turns] for turns in conversations])
        self.same = Ragged.of(
            [[float(i > 0 and turns[i - 1][0] == who) for i, (who, _) in enumerate(turns)] for turns in conversations],
            np.float32,
        )
        self.lengths = self.speakers.lengths
        self.turns = Ragged(np.arange(len(self.speakers.values)), self.lengths)

    def batch(self, rows, rng=None, mine=EVERY):
        every = np.unique(self.turns.padded(rows)[0])
        rows = rows[mine]
        speakers, lengths = self.speakers.padded(rows)
        used, turns = np.unique(self.turns.padded(rows)[0], return_inverse=True)
        said = self.words.batch(every, rng, filled_up(np.searchsorted(every, used)))
        return under("words", said) | {
            "speakers": speakers, "same": self.same.padded(rows)[0], "turns": turns.reshape(speakers.shape),
            "lengths": lengths,
        }  # fmt: skip
