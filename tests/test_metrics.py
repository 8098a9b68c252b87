"""Metrics against their reference implementations."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helo.errors import HeloError
from helo.metrics import calibration, classification, segments, several, spans, translation

metrics = pytest.importorskip("sklearn.metrics")
seqeval = pytest.importorskip("seqeval.metrics")

LABELS = ["O", "B-x", "I-x", "B-y", "I-y"]


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_classification_is_scikit_learns(n, k, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(k, size=(2, n))
    figures = classification.score(classification.statistics(answers, truth, k))
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answers))
    for name in ("macro", "weighted"):
        theirs = metrics.f1_score(truth, answers, average=name, zero_division=0)
        assert figures[f"{name}_f1"] == pytest.approx(theirs)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_several_labels_is_scikit_learns(n, k, seed):
    truth, answers = np.random.default_rng(seed).random((2, n, k)) < 0.4
    figures = several.score(several.statistics(answers, truth))
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answers))
    for name in ("micro", "macro", "weighted"):
        theirs = metrics.f1_score(truth, answers, average=name, zero_division=0)
        assert figures[f"{name}_f1"] == pytest.approx(theirs)


def test_statistics_add_up():
    rng = np.random.default_rng(0)
    truth, answers = rng.integers(3, size=(2, 50))
    whole = classification.statistics(answers, truth, 3)
    parts = [classification.statistics(answers[s], truth[s], 3) for s in (slice(0, 7), slice(7, 50))]
    assert (sum(parts) == whole).all()


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=12),
        min_size=1,
        max_size=4,
    )
)
def test_spans_are_seqevals(sentences):
    truth, answers = ([[pair[i] for pair in s] for s in sentences] for i in (0, 1))
    sums = sum(spans.statistics(a, t, ["x", "y"]) for a, t in zip(answers, truth, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = seqeval.f1_score(truth, answers)
    assert spans.score(np.asarray(sums))["span_f1"] == pytest.approx(float(theirs))


@pytest.mark.parametrize("name", spans.SCHEMES)
@given(st.lists(st.sampled_from(LABELS), max_size=12))
def test_spans_written_and_read_back(name, labels):
    found = spans.spans(labels)
    written = spans.written(found, len(labels), name)
    assert spans.spans(spans.written(spans.spans(written), len(labels))) == found
    if found:
        assert spans.scheme([written], lambda i, *t: f"{i}:{t}") in (name, "IOB2", "IOB1")


def test_a_broken_scheme_is_named_with_its_place():
    with pytest.raises(HeloError, match=r"^f:1:2: .*'I-x'") as error:
        spans.scheme([["B-x", "I-x"], ["B-x", "O", "I-x"], ["B-x"]], lambda i, t: f"f:{i}:{t}")
    assert "IOB2" in str(error.value)
    with pytest.raises(HeloError, match="'B-x'.*span"):
        spans.scheme([["B-x", "E-x"], ["B-x", "O"]], lambda i, t: "")


def test_one_label_that_is_misspelt_is_named_and_spans_go_on_being_spans():
    labels = [["B-x", "I-x", "O"], ["B-x", "IX"]]
    assert spans.marks(labels)
    with pytest.raises(HeloError, match=r"^f:1:1: .*'IX'.*\bO\b.*B-.*I-"):
        spans.scheme(labels, lambda i, t: f"f:{i}:{t}")
    assert not spans.marks([["B-x", "N", "V", "N"], ["O", "O"]])
    assert not spans.marks([["O"]])
    assert not spans.marks([["B", "M", "E", "S"]])


def test_spans_of_one_type_without_a_name():
    place = "{}:{}".format
    for name, labels in (("IOB2", "OBIBO"), ("IOB1", "OIIBO"), ("BIOES", "OBIESO")):
        assert spans.marks([labels])
        assert spans.scheme([labels], place) == name
        found = spans.spans(labels)
        assert [(a, b) for a, b, _ in found] == ([(1, 3), (3, 4)] if name != "BIOES" else [(1, 4), (4, 5)])
        assert spans.written(found, len(labels), name) == list(labels)
        assert spans.score(spans.statistics(labels, labels, [""]))["span_f1"] == 1
    with pytest.raises(HeloError, match=r"0:1: .*'I'"):
        spans.scheme(["OI", "BI", "BO", "BB"], place)


def test_segments_by_hand():
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    assert segments.score(segments.statistics(truth, truth)) == {"edit": 100, "f1_10": 100, "f1_25": 100, "f1_50": 100}
    # A segment too many in the middle: 5 segments said, 3 true, one 2 and one 0 inserted; each true one is overlapped.
    answer = np.array([0, 0, 2, 0, 1, 1, 1, 1, 2, 2])
    figures = segments.score(segments.statistics(answer, truth))
    assert figures["edit"] == pytest.approx(100 * (1 - 2 / 5))
    # 0 0 overlaps 2 of 4 (IoU .5), 2 none, the second 0 finds its segment taken; 1 and 2 are whole: 3 hits, 2 wrong.
    assert figures["f1_50"] == pytest.approx(100 * 2 * 3 / (2 * 3 + 2 + 0))


def test_calibration_by_hand():
    p = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, False, True, False])
    assert calibration.score(calibration.statistics(p, right))["calibration_error"] == pytest.approx((0.45 + 0.05) / 2)


def test_bleu_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    answers, truth = ["a cat sat on the mat .", "He ran ."], ["a cat sat on a mat .", "he ran ."]
    figures = translation.score(answers, truth)
    assert figures["bleu"] == sacrebleu.corpus_bleu(answers, [truth]).score
    assert figures["bleu_lower"] == sacrebleu.corpus_bleu(answers, [truth], lowercase=True).score
    assert figures["chrf"] == sacrebleu.corpus_chrf(answers, [truth]).score
    assert "tok:13a" in figures["signature"]
    assert figures["exact"] == 0


def test_scores_of_scripts_that_part_no_words():
    pytest.importorskip("sacrebleu")
    figures = translation.score(["我们都爱北京的秋天"], ["我们都爱北京的春天"])
    assert "tok:zh" in figures["signature"]
    assert 40 < figures["bleu"] < 100
    figures = translation.score(["東京の秋が好きです"], ["東京の春が好きです"])
    assert "tok:char" in figures["signature"] or "tok:ja-mecab" in figures["signature"]
    assert figures["bleu"] > 0
