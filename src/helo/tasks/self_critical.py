"""To learn from one's own sentences: self-critical training (Rennie et al. 2017, with the baseline of Luo 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from helo import engines
from helo.cells.functions import log_softmax, namespace
from helo.data import vocab as vocabularies
from helo.data.ragged import Ragged
from helo.layers import stack
from helo.metrics import captions as metric
from helo.tasks.base import Parameters, on
from helo.tasks.writing import ScheduledSampling, WritingTask, straight_through

DRAWING = 2.0  # times as long as a usual step one that learns from its own sentences takes
ANCHOR = 0.5  # of CIDEr-D (0 to 10): by so much a person's sentence counts as better than those that are drawn
DRAWN = 5  # sentences of each picture that are compared with each other in self-critical training


@dataclass
class SelfCritical(ScheduledSampling):
    """A last share of the training learns from its own sentences."""

    self_critical: float = 0.0
    critical: bool = False  # whether this step does

    @property
    def static_graph(self):
        return super().static_graph and not self.critical

    @property
    def steady(self):
        return super().steady and self.self_critical in (0, 1)

    def on_progress(self, done):
        super().on_progress(done)
        self.critical = done >= 1 - self.self_critical

    def step_cost(self, done):
        return DRAWING if self.self_critical < 1 and done >= 1 - self.self_critical else 1.0


class LearnsFromItself(WritingTask):
    """A task whose texts are compared with several of people's. options: self_critical."""

    longest: int  # symbols of an answer at most
    cut_by: str  # by what answers are compared with the truth, a key of CUTS

    def loss(self, parameters, batch, state, noise):
        if not self.recipe.critical:
            return super().loss(parameters, batch, state, noise)
        return self._reinforced(parameters, batch, noise)

    @cached_property
    def _truth(self) -> tuple[metric.Cider, list[list[list[str]]]]:
        """CIDEr-D over the training captions, and their words."""
        cut = CUTS[self.cut_by]()[0]
        words = [[cut(t) for t in several] for several in self.splits.train[1].texts]
        return metric.Cider(words), words

    def _reinforced(self, parameters: Parameters, batch: Any, noise: Any) -> tuple[Any, int, None]:
        """Sentences drawn of each picture become likelier by how much better they are than the others drawn of it:
        -(r_i - mean of the other r) · log p(sentence i) (Rennie et al. 2017, with the baseline of Luo 2020). One that a
        person wrote, better by ANCHOR, goes with them: without it the likelihood is lost before the rates are small. The
        loss that is shown is the nats per symbol of these, times how many symbols there are in all.
        """
        rng = np.random.default_rng(engines.host(batch["draw"]))
        cider, words = self._truth
        cut = CUTS[self.cut_by]()[0]
        examples, like = engines.host(batch["examples"]), parameters["head.bias"]
        memory = self.model.memory(parameters, batch, noise)
        of = np.repeat(np.arange(len(examples)), DRAWN)
        several = self._repeated(memory, on({"of": of}, like))
        found = [h.symbols for h in self.drawn(parameters, several, np.full(len(of), self.longest), rng)]
        reward = [cider.score(cut(self.text(t)), words[examples[i]])[0] for t, i in zip(found, of, strict=True)]
        each = np.array(reward).reshape(-1, DRAWN)
        better = (each - (each.sum(1, keepdims=True) - each) / (DRAWN - 1)).reshape(-1)
        captions = self.splits.train[1]
        found += [captions.ids[r] for r in rng.integers(captions.first[examples], captions.first[examples + 1])]
        of, better = np.append(of, np.arange(len(examples))), np.append(better, np.full(len(examples), ANCHOR))
        texts = self.before_and_after(Ragged.of(found), np.arange(len(found)))
        true = np.arange(len(found)) >= DRAWN * len(examples)
        cut_short = (texts["target_lengths"] > self.longest) & ~true
        texts |= {"of": of, "weights": better.astype(np.float32), "target_lengths": texts["target_lengths"] - cut_short,
                  "true": true.astype(np.float32)}  # fmt: skip
        total = nats = 0.0
        for piece in self._pieces(on(self.in_pieces(texts), like)):
            scores = self._scores(parameters, self._repeated(memory, piece), piece["before"], noise)
            xp = namespace(scores)
            logs = log_softmax(xp.astype(scores, like.dtype))
            picked = xp.take_along_axis(logs, piece["targets"][..., None], axis=-1)[..., 0]
            inside = stack.mask(logs, piece["target_lengths"])[..., 0]
            total = total - xp.sum(picked * inside * piece["weights"][:, None])
            nats = nats - xp.sum(picked * inside * piece["true"][:, None])
        count = int(texts["target_lengths"].sum())
        return straight_through(nats * (count / int(texts["target_lengths"][true].sum())), total), count, None


def normalised(sentence: str, units: str) -> str:
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


class Captions:
    """The sentences of every picture, one behind the other: ids, how many of each picture, and as they were written."""

    def __init__(self, ids: Ragged, counts: np.ndarray, texts: list[list[str]], split: str | None):
        self.ids, self.counts, self.texts, self.split = ids, counts, texts, split
        self.first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
