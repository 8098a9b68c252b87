"""A sentence for a picture (one to many: Show and Tell, Vinyals et al. 2015; Show, Attend and Tell, Xu et al. 2015).

picture → image network → regions → memory, and their mean for the decoder to start from and to see at every word

The decoder is that of every task that writes: `helo.tasks.writing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from helo import encoders, engines
from helo.cells.functions import log_softmax, namespace
from helo.data import dataset, readers
from helo.data import vocab as vocabularies
from helo.data.dataset import Dataset
from helo.data.ragged import Ragged
from helo.data.readers import arrays, captioned, clips
from helo.data.readers.captioned import LISTS
from helo.data.readers.files import parted
from helo.data.readers.photos import Photo
from helo.data.vocab import Vocab
from helo.decoding.sampling import generator
from helo.encoders.store import BATCH, Features, clock
from helo.errors import HeloError, fault
from helo.inputs.base import EVERY
from helo.inputs.pictures import SHIFT, shifted
from helo.layers import stack
from helo.metrics import Predictions, Scoring
from helo.metrics import captions as metric
from helo.models.captioner import Captioner
from helo.options import POSITIVE, SHARE, SIZE, Bounds
from helo.saved import fields, settled
from helo.tasks.base import Parameters, filled, on
from helo.tasks.writing import ScheduledSampling, SearchOptions, WriterOptions, WritingTask, told

DRAWING = 2.0  # times as long as a usual step one that learns from its own sentences takes
ANCHOR = 0.5  # of CIDEr-D (0 to 10): by so much a person's sentence counts as better than those that are drawn
DRAWN = 5  # sentences of each picture that are compared with each other in self-critical training
LONGEST, LONGEST_IN_WORDS = 400, 60  # symbols of an answer at most, and no more than twice what was seen
TOGETHER = (
    256  # what a picture counts for in batches of answers, which hold so many steps: 32 pictures, in step with a beam
)


@dataclass(frozen=True)
class PredictOptions(SearchOptions):
    """How a sentence is searched for, or drawn."""

    temperature: Annotated[float | None, "draw the sentences in place of searching for the likeliest", POSITIVE] = None
    seed: Annotated[int | None, "of what is drawn", Bounds(0, 2**63 - 1)] = None

    def __post_init__(self):
        if self.temperature is not None and self.beam is not None:
            raise HeloError("--beam and --temperature", expected="one of them: a sentence is searched for or drawn")


@dataclass(frozen=True)
class Options(WriterOptions):
    """Of a captioner. Sizes that are not given are settled from the captions (`Caption.from_dataset`)."""

    paths: ClassVar[frozenset[str]] = frozenset({"images", *LISTS})
    verbs = MappingProxyType({"predict": PredictOptions})
    reading = MappingProxyType(
        {"reader": None, "skip_bad": False}
    )  # whoever asks about a picture wants an answer to it
    images: Annotated[tuple[str, ...], "folder or tar of the pictures; more may stand among the files"] = ()
    train_list: Annotated[str | None, "names of the pictures to learn from, one a line"] = None
    valid_list: Annotated[str | None, "names of the pictures to validate on, one a line"] = None
    encoder: Annotated[str, "efficientnet-lite0, -lite1, -lite2, small (learned with the rest), or FILE.onnx"] = (
        "efficientnet-lite0"
    )
    finetune: Annotated[bool, "the image network learns too"] = False
    units: Annotated[
        Literal["words", "characters", "subwords", "jieba"] | None,
        "what a symbol is (words; characters where a script parts no words)",
    ] = None
    attention: Annotated[
        Literal["soft", "none"], "whether the decoder looks at regions (none: at the whole picture)"
    ] = "soft"
    self_critical: Annotated[
        float | None,
        "share of the training, at its end, in which it learns from the CIDEr-D of its own sentences (Rennie et al. 2017)",
        SHARE,
    ] = None
    batch: Annotated[int | None, "pictures a step, each with all of its sentences", SIZE] = None
    skip_bad: Annotated[bool, "leave out pictures that are missing or cannot be read, and say which"] = False

    def __post_init__(self):
        """Files by their whole paths: a run is used from other folders too."""
        whole: dict[str, Any] = {
            name: str(Path(os.path.expanduser(v)).absolute()) for name in LISTS if (v := getattr(self, name))
        }
        whole["images"] = tuple(
            str(Path(os.path.expanduser(p)).absolute())
            for p in ([self.images] if isinstance(self.images, str | Path) else self.images)
        )
        for name, value in whole.items():
            object.__setattr__(self, name, value)


@dataclass
class SelfCritical(ScheduledSampling):
    """A last share of the training learns from its own sentences."""

    self_critical: float = 0.0
    critical: bool = False  # whether this step does

    @property
    def static_graph(self):
        return super().static_graph and not self.critical

    def on_progress(self, done):
        super().on_progress(done)
        self.critical = done >= 1 - self.self_critical

    def step_cost(self, done):
        return DRAWING if self.self_critical < 1 and done >= 1 - self.self_critical else 1.0


class Caption(WritingTask):
    """Symbols 0 … V-1 are the vocabulary's; then begin and end."""

    Options = Options
    default_split = None  # the captions say it, or a list; else by chance
    options: Any
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

    # Reading.

    @classmethod
    def examples(cls, files, options, asked=True):
        return readers.read(files, options, "picture", asked)

    @classmethod
    def checked(cls, files, options):
        if options.reader is not None:
            return cls.examples(files, options)
        found, paths = captioned.checked(files, options)
        found.notes["readers"] = [{"reader": "captioned", "why": "captions", "files": [str(p) for p in paths]}]
        return found, paths

    @classmethod
    def split(cls, files, valid, options):
        if options.reader is not None:
            return super().split(files, valid, options)
        with clock.running() if options.skip_bad else nullcontext():  # all pictures are opened
            return captioned.split(files, valid, options)

    @classmethod
    def more_summary(cls, examples):
        for photo in examples.inputs:
            try:
                photo.pixels(8)
            except HeloError as error:
                fault(error)
        sentences = [s for several in examples.labels or () for s in several]
        alone = metric.unparted(sentences)
        unit, cut = ("characters", metric.signs) if alone else ("words", metric.tokens)
        counts = [len(cut(s)) for s in sentences]
        beside = {note: captioned.few(found) for note in captioned.BESIDE if (found := examples.notes.get(note))}
        return {"captions": len(sentences), unit: dataset.span(counts) if counts else "none"} | beside

    def recorded(self, data, options=None):
        if self.options.reader is not None:
            return super().recorded(data, options)
        valid = data["valid"] if isinstance(data["valid"], list) else []
        _, check, record = captioned.split(data["train"], valid, self.options)
        if record["fingerprint"] != data["fingerprint"]:
            raise HeloError("the captions are no longer those that the run was trained with",
                            mend="give the files to evaluate on", where=", ".join(data["train"]))  # fmt: skip
        return check

    @classmethod
    def load(cls, options, saved, data):
        settled(options, "units", "hidden", "embedding", "dropout")
        vocab, most, cut = fields(saved, vocab=dict, most=int, cut=str)
        if not 1 <= most <= LONGEST or cut not in CUTS:
            raise ValueError(f"most is {most} and cut {cut!r}; at most {LONGEST}, and one of {', '.join(CUTS)}")
        return cls(options, vocabularies.from_json(vocab), most, cut)

    @classmethod
    def from_dataset(cls, options, examples):
        assert examples.labels is not None
        sentences = [s for several in examples.labels for s in several]
        alone = metric.unparted(sentences)
        if images := examples.notes.get("images"):
            options = replace(options, images=images)
        small = len(sentences) < 5_000
        several = len(sentences) / len(examples)
        o: Any = filled(
            options,
            units="characters" if alone else "words",
            hidden=128 if small else 384,
            embedding=64 if small else 256,
            dropout=0.1 if small else 0.4,
            batch=max(1, round((32 if small else 160) / several)),
            self_critical=0.0 if small else 0.35,
        )
        texts = [_written(s, o.units) for s in sentences]
        vocab = vocabularies.build(o.units, (f"{t}\n".encode(errors="replace") for t in texts))
        network = encoders.find(o.encoder)
        if o.finetune and not isinstance(network, encoders.Learned):
            raise HeloError(
                f"--finetune of {o.encoder}", expected="an image network that can learn: efficientnet-lite0"
            )
        cut = "jieba" if o.units == "jieba" else "characters" if alone else "words"
        longest = max(len(vocab.encode(t.encode(errors="replace"), lenient=True)) for t in texts)
        most = LONGEST_IN_WORDS if o.units in ("words", "jieba") else LONGEST
        return cls(o, vocab, min(most, 2 * longest), cut)

    def encode(self, examples):
        if self.model.learns_pictures:
            return _Pixels(np.stack([p.pixels(self.model.encoder.side) for p in examples.inputs]))
        network = self.model.encoder
        assert isinstance(network, encoders.Trained)
        grid = network.rows if self.options.attention == "soft" else 1
        least = BATCH if examples.labels is None else 1  # who asks about a few pictures need have no room to keep them
        return _Seen(encoders.features(network, examples.inputs, grid, least))

    def targets(self, examples):
        assert examples.labels is not None
        ids = [self.ids(s) for several in examples.labels for s in several]
        counts = np.array([len(s) for s in examples.labels])
        return _Captions(Ragged.of(ids), counts, list(examples.labels), examples.notes.get("split"))

    def target_batch(self, targets, rows):
        mine = np.concatenate(
            [np.zeros(0, np.int64), *(np.arange(targets.first[i], targets.first[i + 1]) for i in rows)]
        )
        of = np.repeat(np.arange(len(rows)), targets.counts[rows])
        return self.in_pieces(self.before_and_after(targets.ids, mine) | {"of": of}) | {"examples": rows}

    def ids(self, sentence: str) -> np.ndarray:
        """Symbols of a sentence."""
        text = _written(sentence, self.options.units)
        return self.vocab.encode(text.encode(errors="replace"), lenient=True).astype(np.int64)

    def most(self, batch):
        return np.full(len(batch["lengths"]), self.longest)

    def loss(self, parameters, batch, state, noise):
        if not self.recipe.critical:
            return super().loss(parameters, batch, state, noise)
        return self._reinforced(parameters, batch, noise)

    @cached_property
    def _truth(self) -> tuple[metric.Cider, list[list[list[str]]]]:
        """CIDEr-D over the training captions, and their words."""
        cut = CUTS[self.cut_by]()[0]
        words = [[cut(t) for t in several] for several in self.train[1].texts]
        return metric.Cider(words), words

    def _reinforced(self, parameters: Parameters, batch: Any, noise: Any) -> tuple[Any, int, None]:
        """Sentences drawn of each picture become likelier by how much better they are than the others drawn of it:
        -(r_i - mean of the other r) · log p(sentence i) (Rennie et al. 2017, with the baseline of Luo 2020). One that a
        person wrote, better by ANCHOR, goes with them: without it the likelihood is lost before the rates are small. The
        number that is told is the nats a symbol of these, times how many symbols there are in all.
        """
        rng = np.random.default_rng(engines.host(batch["draw"]))
        cider, words = self._truth
        cut = CUTS[self.cut_by]()[0]
        examples, like = engines.host(batch["examples"]), parameters["head.bias"]
        memory = self.model.memory(parameters, batch, noise)
        of = np.repeat(np.arange(len(examples)), DRAWN)
        several = self._repeated(memory, on({"of": of}, like))
        found = [h.symbols for h in self.drawn(parameters, several, np.full(len(of), self.longest), rng)]
        reward = np.array(
            [cider.score(cut(self.text(t)), words[examples[i]])[0] for t, i in zip(found, of, strict=True)]
        )
        each = reward.reshape(-1, DRAWN)
        better = (each - (each.sum(1, keepdims=True) - each) / (DRAWN - 1)).reshape(-1)
        ids = self.train[1].ids
        found += [ids[r] for r in rng.integers(self.train[1].first[examples], self.train[1].first[examples + 1])]
        of, better = np.append(of, np.arange(len(examples))), np.append(better, np.full(len(examples), ANCHOR))
        texts = self.before_and_after(Ragged.of(found), np.arange(len(found)))
        cut_short = (texts["target_lengths"] > self.longest) & (np.arange(len(found)) < DRAWN * len(examples))
        texts |= {"of": of, "weights": better.astype(np.float32), "target_lengths": texts["target_lengths"] - cut_short}
        true = np.arange(len(found)) >= DRAWN * len(examples)
        texts["true"] = true.astype(np.float32)
        total = nats = 0.0
        for piece in self._pieces(on(self.in_pieces(texts), like)):
            own = self._repeated(memory, piece)
            scores = self.model.decode(parameters, own, piece["before"], self.model.fresh(parameters, own), noise)[0]
            xp = namespace(scores)
            logs = log_softmax(xp.astype(scores, like.dtype))
            picked = xp.take_along_axis(logs, piece["targets"][..., None], axis=-1)[..., 0]
            inside = stack.mask(logs, piece["target_lengths"])[..., 0]
            total = total - xp.sum(picked * inside * piece["weights"][:, None])
            nats = nats - xp.sum(picked * inside * piece["true"][:, None])
        count = int(texts["target_lengths"].sum())
        return told(nats * (count / int(texts["target_lengths"][true].sum())), total), count, None

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

    def predict(
        self,
        parameters: Parameters,
        source: Any,
        beam: int = 5,
        n_best: int = 1,
        alpha: float | None = None,
        attention: bool = False,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> list[dict[str, Any]]:
        """An answer a picture: picture, text, score (log-probability in nats), with n_best the others, with attention
        for each symbol where it looked, `(rows, rows)`. temperature: the text is drawn, not searched for.

        source: examples, or a list of paths of pictures, folders, tars.
        """
        wide, examples = max(beam, n_best), self.given(source)
        encoded = self.encode(examples)
        answers: list[dict[str, Any]] = []
        rng = generator(seed)
        for start in range(0, len(examples), 64):
            rows = np.arange(start, min(start + 64, len(examples)))
            batch = on(encoded.batch(rows), parameters["head.bias"])
            memory = self.model.memory(parameters, batch)
            if temperature is None:
                found = self.search(parameters, memory, self.most(batch), wide, alpha)
            else:
                several = [self.drawn(parameters, memory, self.most(batch), rng, temperature) for _ in range(n_best)]
                found = [sorted(drawn, key=lambda h: -h.score) for drawn in zip(*several, strict=True)]
            best = [h[0].symbols for h in found]
            looks = (
                self.attention_weights(parameters, memory, [memory[0].shape[1]] * len(rows), best) if attention else []
            )
            for k, row in enumerate(rows):
                photo: Photo = examples.inputs[row]
                answer = {"picture": photo.name, "text": self.text(best[k]), "score": found[k][0].score}
                if n_best > 1:
                    answer["n_best"] = [{"text": self.text(h.symbols), "score": h.score} for h in found[k][:n_best]]
                if attention:
                    side = round(looks[k].shape[1] ** 0.5)
                    answer["attention"] = {
                        "place": [str(photo.file), photo.offset, photo.size],
                        "target": [self.vocab.decode([i]).decode(errors="replace") for i in best[k]],
                        "weights": looks[k][:-1].reshape(-1, side, side).round(5).tolist(),
                    }
                answers.append(answer)
        return answers

    def given(self, source: Any) -> Dataset:
        """What a person asks about, as examples."""
        if isinstance(source, Dataset):
            return source
        names = [source] if isinstance(source, str | Path) else clips.paths(source)
        if not names and len(arrays.listed(source)):
            raise HeloError(f"{type(source).__name__}", expected="paths of pictures", where="input")
        return self.asked(names)

    def lines(self, text: str, **said: Any) -> Dataset:
        """Standard input: the path of a picture a line."""
        return self.asked([line.strip() for line in parted(text) if line.strip()], **said)

    def to_json(self):
        return self.data, {"vocab": self.vocab.to_json(), "most": self.longest, "cut": self.cut_by}


class _Seen:
    """Features of pictures that were computed before."""

    def __init__(self, features: Features):
        self.features, self.lengths = features, np.full(len(features), TOGETHER)

    def batch(self, rows, rng=None, mine=EVERY):
        rows = rows[mine]
        return {"features": self.features.some(rows), "lengths": self.lengths[rows]} | _draw(rng, mine)


class _Pixels:
    """Pictures themselves, for a network that learns."""

    def __init__(self, pixels: np.ndarray):
        self.pixels, self.lengths = pixels, np.full(len(pixels), TOGETHER)

    def batch(self, rows, rng=None, mine=EVERY):
        pixels = self.pixels[rows]
        if rng is not None:
            pixels = shifted(pixels, round(SHIFT * pixels.shape[1]), rng)
        return {"pixels": pixels[mine], "lengths": self.lengths[rows[mine]]} | _draw(rng, mine)


def _draw(rng: np.random.Generator | None, mine: slice) -> dict[str, np.ndarray]:
    """What a step draws by, so that it is the same when a training goes on; each process draws otherwise."""
    return {} if rng is None else {"draw": rng.integers(1 << 62, size=1) + (mine.start or 0)}


class _Captions:
    """The sentences of every picture, one behind the other: ids, how many of each picture, and as they were written."""

    def __init__(self, ids: Ragged, counts: np.ndarray, texts: list[list[str]], split: str | None):
        self.ids, self.counts, self.texts, self.split = ids, counts, texts, split
        self.first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _written(sentence: str, units: str) -> str:
    """A sentence as it is learned: words as the evaluation compares them, every other unit as it stands."""
    if units == "words":
        return " " + " ".join(w for w in metric.tokens(sentence) if w not in metric.BRACKETS.values())
    if units == "jieba":
        return "".join(c for c in sentence if metric.signs(c) or c == " ")
    return sentence


def _jieba() -> tuple[Any, str]:
    cut = vocabularies.find("jieba").cut  # pyright: ignore[reportAttributeAccessIssue]
    return lambda t: [w for w in cut(t) if metric.signs(w)], "words by jieba, no punctuation"


CUTS = {
    "words": lambda: (metric.tokens, metric.NAMED),
    "characters": lambda: (metric.signs, "characters, no punctuation"),
    "jieba": _jieba,
}
