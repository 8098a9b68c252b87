"""Why this answer: what of its input an answer of a trained model rests on.

What is explained is the log-odds of an answer, log p - log(1 - p), in nats: with two labels what speaks for one speaks
against the other by as much, and a model that is sure still shows what of. The pieces are what enters the recurrence: a
word (with all that its letters say), a symbol, a step of numbers, an utterance, a region of a picture; and a carried state,
or the words that were written so far, as a piece of its own.
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
from helo.inspection import attribution, questions
from helo.inspection.attribution import integrated
from helo.inspection.questions import Asked
from helo.models.classifier import Classifier
from helo.models.encoder_decoder import EncoderDecoder
from helo.models.feed_forward import FeedForward
from helo.models.language_model import LanguageModel
from helo.models.tagger import Tagger
from helo.runs.run import Run
from helo.runs.stream import Stream

WINDOW = 80  # symbols of a text that are pieces of their own; what came before is one piece
LABELS = 12  # of a sequence that stand in a heading
BASELINES = ("zero", "mean", "unknown")


@dataclass
class Explained:
    """An answer and what it rests on: attributions `(targets, pieces)` or None, occlusion `(targets, patches)`."""

    asked: Asked
    found: attribution.Attribution | None
    occlusion: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """The answer as `predict` gives it, and in nats of log-odds: attributions, occlusion, and how far the former are
        from complete; of several targets their sum, and `targets`, each by itself.
        """
        asked, found = self.asked, self.found
        out = dict(asked.answer)
        every = None if found is None else found.values.sum(0)
        out |= self._said(every, self.occlusion.sum(0), None)
        if len(asked.targets) > 1 or "labels" in asked.answer or "score" in asked.answer:
            out["targets"] = []
            for k, name in enumerate(asked.targets):
                values = None if found is None else found.values[k]
                one = {"text": name} | self._said(values, self.occlusion[k], k)
                if asked.attention is not None:
                    one["attention"] = asked.attention[k].round(5).tolist()
                out["targets"].append(one)
        else:
            out["explains"] = asked.targets[0]
        return out

    def _said(self, values: np.ndarray | None, occlusion: np.ndarray, target: int | None) -> dict[str, Any]:
        asked, found = self.asked, self.found
        out: dict[str, Any] = {"attributions": [] if values is None else _named(asked.pieces, values)}
        out["occlusion"] = _named(asked.patches or asked.pieces, occlusion)
        out["completeness_error"] = None if found is None else found.error(target)
        if found is not None:
            each = slice(None) if target is None else target
            out |= {"log_odds": float(found.score[each].sum()), "log_odds_baseline": float(found.baseline[each].sum())}
        return out

    def shown(self, name: str) -> str:
        """The name of a piece on one line."""
        return name if name.strip() and name.isprintable() else repr(name)

    def line(self) -> str:
        """The answer for a terminal, in one line."""
        answer, targets = self.asked.answer, self.asked.targets
        if "at" in answer:
            others = ", ".join(f"{self.shown(x['text'])} {x['probability']:.3f}" for x in answer["likely"])
            return f"{self.shown(answer['text'])} with probability {answer['probability']:.3f}; likeliest: {others}"
        if "probabilities" in answer:
            return ", ".join(f"{t} with probability {answer['probabilities'][t]:.3f}" for t in targets)
        if "text" in answer:
            return answer["text"] or "(end)"
        labels = answer["labels"]
        return " ".join(labels[:LABELS]) + (f" … ({len(labels):,} labels)" if len(labels) > LABELS else "")


def _named(names: Sequence[str], values: np.ndarray) -> list[dict[str, Any]]:
    return [{"text": n, "value": float(v)} for n, v in zip(names, values, strict=True)]


def asked(run: Run, files: Sequence[str], standard_input: Callable[[], str]) -> Any:
    """What a person asks about, out of files or standard input (`-`), as `explain` takes it: examples, a line each where they
    stand in standard input; or for a language model the whole text, without the line ends at its end.
    """
    if not isinstance(run.task.model, LanguageModel):
        return run.lines(standard_input()) if list(files) == ["-"] else run.examples(files)
    if len(files) > 1:
        raise HeloError(f"{len(files)} files", expected="one", where="FILES")
    if files[0] == "-":
        return standard_input().rstrip("\r\n")
    with place(files[0]):
        found = meant(files[0])
        if len(found) > 1:
            raise HeloError(f"{len(found):,} files", expected="one")
        text = file_text(found[0])
    return text.rstrip("\r\n")


def flawed(found: Sequence[Explained]) -> list[str]:
    """What has to be said of explanations, a line each."""
    said = []
    if any(f.found is None for f in found):
        said.append("occlusion only: integrated gradients of an input this long need torch (pip install 'helo[train]')")
    if left := max(f.asked.left for f in found):
        said.append(f"only the first words or steps of an answer are explained; up to {left:,} more are not")
    worst = max((f.found.error() for f in found if f.found is not None), default=0.0)
    if worst > 0.01:
        said.append(f"the attributions add up to what they should within {100 * worst:.1f} %")
    return said


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
) -> list[Explained]:
    """What each answer rests on. source: as for `Run.predict`; for a language model a text, of which one symbol is
    explained, by default the last.

    label: another answer than the model's own (another symbol than the one that stands there). step: of a tagger, from 1.
    at, window: of a language model: which symbol, from 1, and so many before it as pieces of their own. baseline: what a
    piece is compared with: `zero` (vectors of zeros; of numbers the mean of training), `mean` (of all word vectors),
    `unknown` (the vector of an unknown word). stream: of a language model, where the text goes on from.

    Raises HeloError for what the model does not know, or has no such view of.
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
    if text:
        asked = [questions.written(run, source, label, at, WINDOW if window is None else window, baseline, stream)]
    elif isinstance(task.model, Tagger | Classifier | FeedForward) and hasattr(task, "labels"):
        examples = task.given(source)
        asked = [questions.labelled(run, examples, i, label, step, baseline) for i in range(len(examples))]
    elif isinstance(task.model, EncoderDecoder):
        if label is not None:
            raise HeloError(shape, expected="one that chooses among labels", where="--label")
        if baseline != "zero":
            raise HeloError(f"{baseline}, with {shape}", expected="zero", where="--baseline")
        examples = task.given(source)
        if (ask := questions.WRITING.get(examples.kind)) is None:
            raise HeloError(f"{shape}, with {examples.kind}", expected=f"one with {' or '.join(questions.WRITING)}")
        asked = [ask(run, examples.take(np.array([i]))) for i in range(len(examples))]
    else:
        raise HeloError(shape, expected="another kind of model: this one has no such view yet")
    if not asked:
        raise HeloError("nothing to explain", expected="at least one example", where="input")
    attribution.ready(len(asked))
    out = []
    for a in asked:
        out.append(_answered(a))
        if len(asked) > attribution.FEW:
            progress.tell("explained", len(out), len(asked))
    return out


def _answered(asked: Asked) -> Explained:
    size = asked.question.joined()
    if size > 1:
        names = asked.patches or asked.pieces
        several = [names[i : i + size] for i in range(0, len(names), size)]
        asked.patches = [n[0] if len(n) == 1 else f"{n[0]} to {n[-1]}" for n in several]
    return Explained(asked, integrated(asked.question), asked.question.occluded())
