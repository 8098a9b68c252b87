"""Defaults that fit the data and the minutes at hand."""

from __future__ import annotations

import pytest
from seqeval.metrics import classification_report

from helo.data.spans import spans
from helo.metrics.spans import by_type, most_wrong
from helo.models import tagger
from helo.models.base import Budget
from helo.tasks import tag

TRUTH = [["B-PER", "I-PER", "O", "B-LOC", "O"], ["O", "B-ORG", "I-ORG", "O"], ["B-LOC", "O"]]
ANSWERS = [["B-PER", "O", "O", "B-LOC", "O"], ["O", "B-LOC", "I-LOC", "B-PER"], ["B-LOC", "O"]]
WORDS = [["Anna", "Bell", "in", "Rome", "."], ["the", "Red", "Cross", "Ed"], ["Paris", "!"]]


def sized(budget, **said):
    return tagger.sized(tag.Options(**said), "tokens", 60_000, 3_400, budget)


def test_few_minutes_few_units():
    """Macs of a minute on a slow processor, of an hour, and steps, which say nothing of time."""
    minute, hour, steps = (sized(b) for b in (Budget(macs=5e11), Budget(macs=1e14), Budget(steps=100)))
    assert (minute.hidden, minute.embedding, minute.spelling) == tagger.SMALL
    assert (
        (hour.hidden, hour.embedding, hour.spelling) == (steps.hidden, steps.embedding, steps.spelling) == tagger.LARGE
    )
    assert 0 < minute.dropout < hour.dropout == steps.dropout == 0.5
    assert sized(Budget(macs=5e11), hidden=99, dropout=0.3).hidden == 99
    assert sized(Budget(macs=5e11), hidden=99, dropout=0.3).dropout == 0.3
    assert sized(Budget(macs=5e11), crf=True).dropout < minute.dropout
    assert sized(Budget(symbols=1e9)).hidden == 192


def test_types_are_seqevals():
    found = by_type(*([spans(y) for y in side] for side in (ANSWERS, TRUTH)))
    said = classification_report(TRUTH, ANSWERS, output_dict=True, zero_division=0)
    assert found.keys() == said.keys()
    for name, row in found.items():
        assert row == pytest.approx([said[name][k] for k in ("precision", "recall", "f1-score", "support")])


def test_most_wrong_spans():
    found = most_wrong(WORDS, *([spans(y) for y in side] for side in (ANSWERS, TRUTH)))
    assert sorted(found) == [
        ("Anna Bell (PER)", "Anna (PER)", 1), ("Red Cross (ORG)", "Red Cross (LOC)", 1), ("none", "Ed (PER)", 1),
    ]  # fmt: skip
