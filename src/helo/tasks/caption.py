"""Describe a picture in a sentence. (One to many: Show and Tell, Vinyals et al. 2015; Show, Attend and Tell, Xu et al. 2015.)

picture → image network → regions → memory, and their mean for the decoder to start from and to see at every word

The decoder is that of every task that writes: `helo.tasks.writing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from helo import encoders
from helo.data import vocab as vocabularies
from helo.data.ragged import Ragged
from helo.data.readers.captioned import LISTS
from helo.data.vocab import Vocab
from helo.decoding.sampling import generator
from helo.encoders.store import BATCH
from helo.errors import HeloError
from helo.inputs.photos import TOGETHER, Pixels, Seen
from helo.metrics import Predictions, Scoring
from helo.metrics import captions as metric
from helo.models.captioner import Captioner
from helo.options import POSITIVE, SHARE, SIZE, Bounds
from helo.saved import fields, settled
from helo.tasks.base import filled
from helo.tasks.pictures import PictureSource
from helo.tasks.self_critical import CUTS, Captions, LearnsFromItself, SelfCritical, normalised
from helo.tasks.writing import SearchOptions, WriterOptions

LONGEST, LONGEST_IN_WORDS = 400, 60  # symbols of an answer at most, and no more than twice what was seen


@dataclass(frozen=True)
class PredictOptions(SearchOptions):
    """How a sentence is searched for, or drawn."""

    temperature: Annotated[float | None, "sample the sentences instead of searching for the most likely", POSITIVE] = (
        None
    )
    seed: Annotated[int | None, "of what is drawn", Bounds(0, 2**63 - 1)] = None

    def __post_init__(self):
        if self.temperature is not None and self.beam is not None:
            raise HeloError("both --beam and --temperature", expected="one: the beam does not sample")


@dataclass(frozen=True)
class Options(WriterOptions):
    """Of a captioner. Sizes that are not given are settled from the captions (`Caption.from_dataset`)."""

    paths: ClassVar[frozenset[str]] = frozenset({"images", *LISTS})
    verbs = MappingProxyType({"predict": PredictOptions})
    # Who asks about a picture wants an answer to it; the lists of the training say nothing of other captions.
    reading = MappingProxyType({"reader": None, "images": None, "skip_bad": False, "train_list": "", "valid_list": ""})

    images: Annotated[tuple[str, ...], "folder or tar of the pictures; FILES may contain more"] = ()
    train_list: Annotated[str | None, "names of the training pictures, one per line"] = None
    valid_list: Annotated[str | None, "names of the validation pictures, one per line"] = None
    encoder: Annotated[str, "efficientnet-lite0, -lite1, -lite2, small (trained with the model), or FILE.onnx"] = (
        "efficientnet-lite0"
    )
    finetune: Annotated[bool, "train the image network too"] = False
    units: Annotated[
        Literal["words", "characters", "subwords", "jieba"] | None,
        "the unit of text that is one symbol (words; characters in scripts without spaces)",
    ] = None
    attention: Annotated[Literal["soft", "none"], "attention over regions of the picture (none: the whole picture)"] = (
        "soft"
    )
    self_critical: Annotated[
        float | None,
        "share of the training, at its end, that is self-critical: CIDEr-D of its own sentences (Rennie et al. 2017)",
        SHARE,
    ] = None
    batch: Annotated[int | None, "pictures per step (batch size), each with all of its sentences", SIZE] = None
    skip_bad: Annotated[bool, "leave out pictures that are missing or cannot be read, and say which"] = False

    def __post_init__(self):
        """Files by their whole paths: a run is used from other folders too."""
        images = [self.images] if isinstance(self.images, str | Path) else self.images
        object.__setattr__(self, "images", tuple(map(_absolute, images)))
        for name in LISTS:
            if value := getattr(self, name):
                object.__setattr__(self, name, _absolute(value))


def _absolute(path: str | Path) -> str:
    return str(Path(os.path.expanduser(path)).absolute())


class Caption(LearnsFromItself):
    """Symbols 0 … V-1 are the vocabulary's; then begin and end."""

    Options = Options
    options: Any
    source = PictureSource("picture", None)
    together = 64 * TOGETHER
    recipe = SelfCritical({"adam_rate": 6e-3, "rate": 0.04}, max_epochs=40, validation_limit=1_000)
    scoring = Scoring(("captions",), ("words", "text"), "cider")

    def __init__(self, options: Options, vocab: Vocab, most: int, cut: str):
        """most: symbols that an answer may get. cut: by what answers are compared with the truth, a key of CUTS."""
        self.options, self.vocab, self.longest, self.cut_by = options, vocab, most, cut
        self.begin, self.end = len(vocab), len(vocab) + 1
        self.model = Captioner(options, len(vocab) + 2)
        # Fine-tuning changes what was learned a little.
        lr_scale = {"encoder": 0.01} if isinstance(self.model.encoder, encoders.Trained) else {}
        learning = {"scheduled": options.scheduled, "self_critical": options.self_critical or 0.0}
        self.recipe = replace(self.recipe, lr_scale=lr_scale, **learning)
        self.recipe.on_progress(0.0)

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "units", "hidden", "embedding", "dropout")
        vocab, most, cut = fields(saved, vocab=dict, most=int, cut=str)
        if not 1 <= most <= LONGEST or cut not in CUTS:
            raise ValueError(f"most is {most} and cut {cut!r}; at most {LONGEST}, and one of {', '.join(CUTS)}")
        return cls(options, vocabularies.from_json(vocab), most, cut)

    @classmethod
    def from_dataset(cls, options, examples):
        sentences = [s for several in examples.labels for s in several]
        alone, small = metric.unparted(sentences), len(sentences) < 5_000
        if images := examples.notes.get("images"):
            options = replace(options, images=images)
        batch = max(1, round((32 if small else 160) / (len(sentences) / len(examples))))
        o: Any = filled(options, units="characters" if alone else "words", hidden=128 if small else 384, batch=batch,
                        embedding=64 if small else 256, dropout=0.1 if small else 0.4, self_critical=0.0 if small else 0.35)  # fmt: skip
        texts = [normalised(s, o.units) for s in sentences]
        vocab = vocabularies.build(o.units, (f"{t}\n".encode(errors="replace") for t in texts))
        if o.finetune and not isinstance(encoders.find(o.encoder), encoders.Learned):
            can = "an image network that can be trained: efficientnet-lite0"
            raise HeloError(f"--finetune with {o.encoder}", expected=can)
        cut = "jieba" if o.units == "jieba" else "characters" if alone else "words"
        longest = max(len(vocab.encode(t.encode(errors="replace"), lenient=True)) for t in texts)
        most = LONGEST_IN_WORDS if o.units in ("words", "jieba") else LONGEST
        return cls(o, vocab, min(most, 2 * longest), cut)

    def encode(self, examples):
        if self.model.learns_pictures:
            return Pixels(np.stack([p.pixels(self.model.encoder.side) for p in examples.inputs]))
        network = self.model.encoder
        assert isinstance(network, encoders.Trained)
        grid = network.rows if self.options.attention == "soft" else 1
        least = BATCH if examples.labels is None else 1  # who asks about a few pictures need have no room to keep them
        return Seen(encoders.features(network, examples.inputs, grid, least))

    def targets(self, examples):
        ids = [self.symbols(normalised(s, self.options.units)) for several in examples.labels for s in several]
        counts = np.array([len(s) for s in examples.labels])
        return Captions(Ragged.of(ids), counts, list(examples.labels), examples.notes.get("split"))

    def target_batch(self, targets, rows):
        mine = np.concatenate([rows[:0], *(np.arange(targets.first[i], targets.first[i + 1]) for i in rows)])
        of = np.repeat(np.arange(len(rows)), targets.counts[rows])
        return self.in_pieces(self.before_and_after(targets.ids, mine) | {"of": of}) | {"examples": rows}

    def most(self, batch):
        return np.full(len(batch["lengths"]), self.longest)

    # What it answers.

    def predictions(self, answers, targets):
        texts, truth = [self.text(found[0].symbols) for found in answers], targets.texts
        cut, named = CUTS[self.cut_by]()
        words = [cut(t) for t in texts], [[cut(t) for t in several] for several in truth]
        notes: dict[str, Any] = {"tokenisation": named}
        if self.cut_by == "jieba":
            beside = metric.score(texts, truth, *CUTS["characters"]())
            notes |= {f"{n}_characters": beside[n] for n in ("bleu_1", "bleu_4", "rouge_l", "cider")}
        notes |= {"pictures": len(texts)} | ({"split": targets.split} if targets.split else {})
        return Predictions({"words": words, "text": (texts, truth)}, notes=notes)

    def text(self, ids: Iterable[int]) -> str:
        return " ".join(super().text(ids).split())  # as sentences are read: one that is drawn may have any symbol in it

    def predict(self, parameters, source, *, n_best=1, attention=False, temperature=None, seed=None, **how):
        """An answer a picture, with its name, and with attention the regions `(rows, rows)` of each symbol. temperature: the
        text is drawn, by a seed, and not searched for.
        """
        if temperature is None:
            return super().predict(parameters, source, n_best=n_best, attention=attention, **how)
        rng = generator(seed)

        def write(memory, most):
            several = [self.drawn(parameters, memory, most, rng, temperature) for _ in range(n_best)]
            return [sorted(drawn, key=lambda h: -h.score) for drawn in zip(*several, strict=True)]

        return self._written(parameters, source, n_best, attention, write)

    def answer(self, source, found):
        return {"picture": source.name} | super().answer(source, found)

    def looked(self, source, symbols, weights):
        side = round(weights.shape[1] ** 0.5)
        return {
            "place": [str(source.file), source.offset, source.size],
            "target": [self.vocab.decode([i]).decode(errors="replace") for i in symbols],
            "weights": weights[:-1].reshape(-1, side, side).round(5).tolist(),
        }

    def to_json(self):
        return self.data, {"vocab": self.vocab.to_json(), "most": self.longest, "cut": self.cut_by}
