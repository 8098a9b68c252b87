"""Words: each a row of a table, and, by choice, what its spelling says, read letter by letter in both directions."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from helo import engines
from helo.cells.functions import namespace
from helo.data.ragged import Ragged, filled_up
from helo.data.readers import files, numbers
from helo.data.readers.numbers import is_number
from helo.errors import HeloError
from helo.inputs.base import EVERY, Input
from helo.layers import part, pooling, stack, under
from helo.saved import distinct, fields, least

LEAST, MOST = 2, 50_000  # a word is known when it was seen so often; at most so many are
RARE = 0.25  # in training a word seen n times is unknown with the chance RARE / (RARE + n) (Kiperwasser, Goldberg 2016)
LETTER = 32  # numbers a letter becomes
FADED = 0.1  # of which so many are dropped in training, the same ones in all letters of a word
LONGEST = 40  # letters of a word that are read

# Letters and digits with what joins them; scripts without spaces sign by sign; every other mark by itself.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\w+(?:['’]\w+)*|[^\w\s]"
)


def tokens(text: str) -> list[str]:
    """The words of running text."""
    return _WORD.findall(unicodedata.normalize("NFC", text))


class Words(Input):
    """Id 0 is the unknown word, which training meets too; case is left to the spelling."""

    reads = ("text", "tokens")

    def __init__(self, words: Sequence[str], letters: str, embedding: int, spelling: int):
        """letters: those that occur in training. spelling: units a direction that read a word's letters; 0: none do."""
        self.words, self.letters, self.embedding, self.spelling = list(words), letters, embedding, spelling
        self.ids = {w: i for i, w in enumerate(self.words, 1)}
        self.letter_ids = {c: i for i, c in enumerate(letters, 1)}
        self.width = embedding + 2 * spelling
        self.start: np.ndarray | None = None  # rows of the table to begin with, where vectors were given

    @classmethod
    def learn(cls, sentences: Iterable[Sequence[str]], embedding: int, spelling: int = 0, vectors: Path | None = None):
        """From training sentences. vectors: a file of pretrained ones, whose width is then that of the table."""
        counts = Counter(w for sentence in sentences for w in sentence)
        folded: Counter[str] = Counter()
        for word, n in counts.items():
            folded[word.casefold()] += n
        known = [w for w, n in sorted(folded.items(), key=lambda i: (-i[1], i[0])) if n >= LEAST][:MOST]
        letters = "".join(sorted({c for w in counts for c in w}))
        if vectors is None:
            return cls(known, letters, embedding, spelling)
        table = _vectors(vectors, set(folded))
        common = set(known)
        known += [w for w in table if w not in common]
        width = len(next(iter(table.values())))
        self = cls(known, letters, width, spelling)
        spread = float(np.std(np.stack(list(table.values())), dtype=np.float64)) or 1.0
        self.start = np.random.default_rng(0).standard_normal((len(known) + 1, width)).astype(np.float32) * spread
        for word, vector in table.items():
            self.start[self.ids[word]] = vector
        self.start /= np.float32(spread)  # as far from each other as fresh ones are
        return self

    def resize(self, options: Any) -> None:
        """Other sizes before the first step; pretrained vectors keep theirs."""
        self.embedding = options.embedding if self.start is None else self.embedding
        self.spelling = options.spelling
        self.width = self.embedding + 2 * self.spelling

    def _encode(self, examples):
        return EncodedWords(self, [tokens(x) if isinstance(x, str) else x for x in examples.inputs])

    def init(self, rng, cell):
        table = rng.standard_normal((len(self.words) + 1, self.embedding)).astype(np.float32)
        parameters = {"embedding": table if self.start is None else self.start.copy()}
        if self.spelling:
            parameters["letters"] = rng.standard_normal((len(self.letters) + 1, LETTER)).astype(np.float32)
            parameters |= under("recurrent", stack.init(rng, cell, 1, LETTER, self.spelling, bidirectional=True))
        return parameters

    def forward(self, parameters, batch, cell, noise):
        vectors = engines.embedding(parameters["embedding"], batch["forms"])
        if self.spelling:
            letters = engines.embedding(parameters["letters"], batch["letters"])
            if "letters_kept" in batch:
                letters = letters * batch["letters_kept"]
            lengths = batch["letter_lengths"]
            read = stack.read(cell, 1, part(parameters, "recurrent"), letters, lengths, bidirectional=True)
            spelled = pooling.pool("last", {}, read, lengths, bidirectional=True)
            vectors = namespace(vectors).concat([vectors, spelled], axis=-1)
        return engines.embedding(vectors, batch["index"])

    def to_json(self):
        return {"form": "words", "words": self.words, "letters": self.letters, "embedding": self.embedding,
                "spelling": self.spelling}  # fmt: skip

    @classmethod
    def from_json(cls, saved):
        _, words, letters, embedding, spelling = fields(
            saved, form=Literal["words"], words=list[str], letters=str, embedding=int, spelling=int
        )
        distinct(letters, "letters")
        return cls(distinct(words, "words"), letters, least(embedding, 1, "embedding"), least(spelling, 0, "spelling"))


class EncodedWords:
    """Every distinct form once: a batch reads the letters of a word once, however often it stands there."""

    def __init__(self, words: Words, sentences: Sequence[Sequence[str]]):
        forms: dict[str, int] = {}
        self.index = Ragged.of([[forms.setdefault(w, len(forms)) for w in s] for s in sentences])
        self.lengths = self.index.lengths
        self.known = np.array([words.ids.get(w.casefold(), 0) for w in forms], np.int64)
        counts = np.bincount(self.known[self.index.values], minlength=len(words.words) + 1)
        self.rare = RARE / (RARE + counts)
        self.letters = None
        if words.spelling:
            self.letters = Ragged.of([[words.letter_ids.get(c, 0) for c in w[:LONGEST]] for w in forms])

    def batch(self, rows, rng=None, mine: Any = EVERY):
        index, lengths = self.index.padded(rows[mine])
        used, inverse = np.unique(index, return_inverse=True)
        known = self.known[used] if len(self.known) else np.zeros(len(used), np.int64)
        noisy: dict[str, np.ndarray] = {}
        if rng is not None and len(self.known):
            every = np.unique(self.index.padded(rows)[0])
            lost = every[rng.random(len(every)) < self.rare[self.known[every]]]
            known = np.where(np.isin(used, lost), 0, known)
            if self.letters is not None:  # drawn here and not where it is used, since a process reads some forms only
                kept = rng.random((len(every), 1, LETTER)) >= FADED
                noisy["letters_kept"] = filled_up(kept[np.isin(every, used)].astype(np.float32) / np.float32(1 - FADED))
        used, known = filled_up(used), filled_up(known)
        batch = {"forms": known, "index": inverse.reshape(index.shape), "lengths": lengths}
        if self.letters is not None:
            batch["letters"], batch["letter_lengths"] = self.letters.padded(used) if len(self.letters) else (
                np.zeros((len(used), 1), np.int64), np.zeros(len(used), np.int64))  # fmt: skip
        return batch | noisy


def _vectors(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Vectors of a text file, a word and its numbers a line (GloVe, word2vec and fastText write it; the latter two with
    a first line of counts): those of the wanted words, and others in the file's order until there are MOST. A word may
    hold blanks, as some of GloVe's do.
    """
    found: dict[str, np.ndarray] = {}
    width = 0
    for n, line in enumerate(files.lines(path), 1):
        fields = line.rstrip().split(" ")
        if n == 1 and len(fields) == 2 and all(f.isdigit() for f in fields):
            continue
        width = width or sum(1 for _ in takewhile(is_number, reversed(fields[1:])))
        words, values = fields[: len(fields) - width], fields[len(fields) - width :]
        if not width or not words or any(map(is_number, words[1:])):
            count = sum(map(is_number, fields[1:]))
            raise HeloError(f"{count} numbers", expected=f"a word and {width or 'its'} numbers", where=f"{path}:{n}")
        word = " ".join(words).casefold()
        if word in found or (word not in wanted and len(found) >= MOST):
            continue
        found[word] = numbers.row(values, f"{path}:{n}").astype(np.float32)
    if not found:
        raise HeloError("no vectors", expected="a word and its numbers per line", where=str(path))
    return found
