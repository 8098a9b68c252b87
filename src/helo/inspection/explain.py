"""Why this answer: what of its input an answer of a trained model rests on.

What is explained is the log-odds of an answer, log p - log(1 - p), in nats: with two labels what speaks for one speaks
against the other by as much, and a model that is sure still shows what of. The features are what enters the recurrence: a
word (with all that its letters say), a symbol, a step of numbers, an utterance, a region of a picture; and a carried state,
or the words that were written so far, as a feature of its own. Of a regression it is the median of a number, in the number's unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import progress
from helo.data.readers.files import text as file_text
from helo.data.readers.text import meant
from helo.errors import HeloError, door, place
from helo.inspection import attribution, targets
from helo.inspection.targets import Request
from helo.models.classifier import Classifier
from helo.models.encoder_decoder import EncoderDecoder
from helo.models.feed_forward import FeedForward
from helo.models.language_model import LanguageModel
from helo.models.tagger import Tagger
from helo.runs.run import Run
from helo.runs.stream import Stream

WINDOW = 80  # symbols of a text that are features of their own; what came before is one feature
LABELS = 12  # of a sequence that stand in a heading
BASELINES = ("zero", "mean", "unknown")


@dataclass
class Explanation:
    """An answer and what it rests on: attributions `(targets, features)` or None, occlusion `(targets, patches)`."""

    request: Request
    attribution: attribution.Attribution | None
    occlusion: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The attributions, or where there are none the occlusion."""
        return self.occlusion if self.attribution is None else self.attribution.values

    @property
    def adds_up(self) -> bool:
        """Whether the targets together say something: several numbers, each in a unit of its own, do not."""
        return len(self.request.targets) == 1 or self.request.measure == "log-odds"

    def number(self, value: float) -> str:
        """A value of what is explained, for people: nats, or in the unit of a number of any size."""
        return f"{value:+.2f}" if self.request.measure == "log-odds" else f"{value:+.4g}"

    def said(self, value: float) -> str:
        """The same with what it is."""
        return f"{self.request.measure} {self.number(value)} {self.request.unit}".rstrip()

    @property
    def names(self) -> list[str]:
        """What `values` are of."""
        request = self.request
        return (request.patches or request.features) if self.attribution is None else request.features

    def to_json(self) -> dict[str, Any]:
        """The answer as `predict` gives it, and in nats of log-odds, or the unit of a number: attributions, occlusion, and how far
        the former are from complete; of several targets their sum, and `targets`, each by itself; of several
        numbers no sum, and `explained`.
        """
        request = self.request
        out = request.answer | (self._figures(slice(None)) if self.adds_up else {})
        if len(request.targets) == 1 and not {"labels", "score"} & request.answer.keys():
            return out | {"explains": request.targets[0]}
        each = "targets" if self.adds_up else "explained"  # where "targets" are the numbers themselves
        out[each] = [{"text": name} | self._figures(slice(k, k + 1)) for k, name in enumerate(request.targets)]
        if request.attention is not None:
            for target, weights in zip(out[each], request.attention, strict=True):
                target["attention"] = weights.round(5).tolist()
        return out

    def _figures(self, of: slice) -> dict[str, Any]:
        """The figures of some of the targets, together."""
        found, features = self.attribution, self.request.features
        out: dict[str, Any] = {
            "attributions": [] if found is None else _named(features, found.values[of].sum(0)),
            "occlusion": _named(self.request.patches or features, self.occlusion[of].sum(0)),
            "completeness_error": None if found is None else found.error(of),
        }
        if found is not None:
            measure = self.request.measure.replace("-", "_")
            out |= {measure: float(found.score[of].sum()), f"{measure}_baseline": float(found.baseline[of].sum())}
        return out

    @staticmethod
    def one_line(name: str) -> str:
        """The name of a feature on one line."""
        return name if name.strip() and name.isprintable() else repr(name)

    def line(self) -> str:
        """The answer for a terminal, in one line."""
        answer, targets = self.request.answer, self.request.targets
        if "at" in answer:
            others = ", ".join(f"{self.one_line(x['text'])} {x['probability']:.3f}" for x in answer["likely"])
            return f"{self.one_line(answer['text'])} with probability {answer['probability']:.3f}; likeliest: {others}"
        if self.request.measure == "median":
            several = answer.get("targets") or {targets[0]: answer}
            return ", ".join(f"{n} {a['value']:.6g} [{a['low']:.6g}, {a['high']:.6g}]" for n, a in several.items())
        if "probabilities" in answer:
            return ", ".join(f"{t} with probability {answer['probabilities'][t]:.3f}" for t in targets)
        if "text" in answer:
            return answer["text"] or "(end)"
        labels = answer["labels"]
        return " ".join(labels[:LABELS]) + (f" … ({len(labels):,} labels)" if len(labels) > LABELS else "")


def _named(names: Sequence[str], values: np.ndarray) -> list[dict[str, Any]]:
    return [{"text": n, "value": float(v)} for n, v in zip(names, values, strict=True)]


def read_source(run: Run, files: Sequence[str], standard_input: Callable[[], str]) -> Any:
    """What is to be explained, out of files or standard input (`-`), as `explain` takes it: examples, a line each where they
    stand in standard input; or for a language model the whole text, without the line ends at its end.
    """
    if not isinstance(run.task.model, LanguageModel):
        return run.lines(standard_input()) if list(files) == ["-"] else run.examples(files)
    if len(files) > 1:
        raise HeloError(f"{len(files)} files", expected="one", where="FILES")
    if files[0] == "-":
        return standard_input().rstrip("\r\n")
    with place(files[0]):
        paths = meant(files[0])
        if len(paths) > 1:
            raise HeloError(f"{len(paths):,} files", expected="one")
        return file_text(paths[0]).rstrip("\r\n")


def warnings(explanations: Sequence[Explanation]) -> list[str]:
    """What explanations lack, a line each."""
    lines, found = [], [e.attribution for e in explanations if e.attribution is not None]
    if len(found) < len(explanations):
        lines.append(
            "occlusion only: integrated gradients of an input this long need torch (pip install 'helo[train]')"
        )
    if omitted := max(e.request.omitted for e in explanations):
        lines.append(f"only the first words or steps of an answer are explained; up to {omitted:,} more are not")
    if (worst := max((a.error() for a in found), default=0.0)) > 0.01:
        lines.append(f"the attributions add up to what they should within {100 * worst:.1f} %")
    return lines


@door
def explain(
    run: Run,
    source: Any,
    label: str | None = None,
    step: int | None = None,
    at: int | None = None,
    window: int | None = None,
    baseline: str = "zero",
    stream: Stream | None = None,
) -> list[Explanation]:
    """What each answer rests on. source: as for `Run.predict`; for a language model a text, of which one symbol is
    explained, by default the last.

    label: another answer than the model's own (another symbol than the one that stands there). step: of a tagger, from 1.
    at, window: of a language model: which symbol, from 1, and so many before it as features of their own. baseline: what a
    feature is compared with: `zero` (vectors of zeros; of numbers the mean of training), `mean` (of all word vectors),
    `unknown` (the vector of an unknown word). stream: of a language model, where the text goes on from.

    Raises HeloError for what the model does not know, and for a forecaster, which is not explained yet.
    """
    if baseline not in BASELINES:
        raise HeloError(f"{baseline}", expected=f"one of {', '.join(BASELINES)}", where="--baseline")
    task = run.task
    shape = f"a model of the task {run.about['task']}"
    text, tagger = isinstance(task.model, LanguageModel), isinstance(task.model, Tagger)
    if step is not None and not tagger:
        raise HeloError(shape, expected="a tagger", where="--step")
    for flag, value in (("at", at), ("window", window), ("state", stream)):
        if value is not None and not text:
            raise HeloError(shape, expected="a language model", where=f"--{flag}")
    with run.computing():
        if text:
            window = WINDOW if window is None else window
            requests = [targets.symbol_request(run, source, label, at, window, baseline, stream)]
        elif isinstance(task.model, Tagger | Classifier | FeedForward) and (
            hasattr(task, "labels") or hasattr(task, "distribution")
        ):
            if label is not None and not hasattr(task, "labels"):
                raise HeloError(shape, expected="one that chooses among labels", where="--label")
            examples = task.source.given(task, source)
            requests = [targets.answer_request(run, examples, i, label, step, baseline) for i in range(len(examples))]
        elif isinstance(task.model, EncoderDecoder):
            if label is not None:
                raise HeloError(shape, expected="one that chooses among labels", where="--label")
            if baseline != "zero":
                raise HeloError(f"{baseline}, with {shape}", expected="zero", where="--baseline")
            examples = task.source.given(task, source)
            if (request := targets.GENERATION.get(examples.kind)) is None:
                raise HeloError(f"{shape}, with {examples.kind}", expected=f"one of {' or '.join(targets.GENERATION)}")
            requests = [request(run, examples.take(np.array([i]))) for i in range(len(examples))]
        else:
            known = "a language model, a classifier, a regression, a tagger, or a model that writes"
            raise HeloError(shape, expected=known, where=run.path)
        if not requests:
            raise HeloError("nothing to explain", expected="at least one example", where="input")
        attribution.prepare(len(requests))
        out = []
        for request in requests:
            out.append(_explanation(request))
            if len(requests) > attribution.FEW:
                progress.tell("explained", len(out), len(requests))
        return out


def _explanation(request: Request) -> Explanation:
    forward = request.forward
    if (size := forward.join_patches()) > 1:
        names = request.patches or request.features
        several = [names[i : i + size] for i in range(0, len(names), size)]
        request.patches = [n[0] if len(n) == 1 else f"{n[0]} to {n[-1]}" for n in several]
    occlusion = forward.occlusion()
    if not np.isfinite(occlusion).all():  # before the way is divided on and on
        raise FloatingPointError(request.measure)
    return Explanation(request, attribution.integrated_gradients(forward), occlusion)
