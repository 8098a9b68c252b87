"""Metrics against their reference implementations."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helo import metrics as registered
from helo.data import spans
from helo.errors import HeloError
from helo.metrics.calibration import Calibration
from helo.metrics.captions import Captions, Cider
from helo.metrics.classification import Classification
from helo.metrics.determination import Determination
from helo.metrics.multilabel import Multilabel
from helo.metrics.quantiles import Quantiles
from helo.metrics.regression import Regression
from helo.metrics.segments import Segments
from helo.metrics.spans import Spans
from helo.saved import as_figure

metrics = pytest.importorskip("sklearn.metrics")
seqeval = pytest.importorskip("seqeval.metrics")

LABELS = ["O", "B-x", "I-x", "B-y", "I-y"]


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_classification_is_scikit_learns(n, k, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.integers(k, size=(2, n))
    figures = figured(Classification(tuple(map(str, range(k)))), answers, truth)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answers))
    for name in ("macro", "weighted"):
        theirs = metrics.f1_score(truth, answers, average=name, zero_division=0)
        assert figures[f"{name}_f1"] == pytest.approx(theirs)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_several_labels_is_scikit_learns(n, k, seed):
    truth, answers = np.random.default_rng(seed).random((2, n, k)) < 0.4
    figures = figured(Multilabel(), answers, truth)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answers))
    for name in ("micro", "macro", "weighted"):
        theirs = metrics.f1_score(truth, answers, average=name, zero_division=0)
        assert figures[f"{name}_f1"] == pytest.approx(theirs)


def figured(metric, answers, truth):
    return metric.score(metric.statistics(answers, truth))


def cases(kind, n, rng):
    """Answers and references of a kind, drawn by chance."""
    words = [[["a", "b", "c", "d"][i] for i in rng.integers(4, size=rng.integers(1, 7))] for _ in range(3 * n)]
    return {
        "label": lambda: (rng.integers(3, size=n), rng.integers(3, size=n)),
        "probabilities": lambda: (rng.dirichlet(np.ones(3), n), rng.integers(3, size=n)),
        "labels": lambda: tuple(rng.random((2, n, 3)) < 0.4),
        "steps": lambda: tuple([rng.integers(3, size=5) for _ in range(n)] for _ in "ab"),
        "spans": lambda: tuple(
            [[(int(i), int(i) + 1, "x") for i in rng.integers(5, size=3)] for _ in range(n)] for _ in "ab"
        ),
        "words": lambda: (words[:n], [[words[n + i], words[2 * n + i]] for i in range(n)]),
        "text": lambda: ([" ".join(w) for w in words[:n]], [[" ".join(w)] for w in words[n : 2 * n]]),
        "forecast": lambda: (
            list(np.sort(rng.random((n, 4, 10)))),
            [SimpleNamespace(values=rng.random(4), error=1.0) for _ in range(n)],
        ),
        "surprise": lambda: (rng.random(n), rng.integers(1, 4, (n, 2))),
        "number": lambda: tuple(rng.standard_normal((2, n, 2))),
        "quantiles": lambda: (np.sort(rng.standard_normal((n, 2, 9))), rng.standard_normal((n, 2))),
    }[kind]()


@pytest.mark.parametrize("name", registered.names())
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_statistics_add_up(name, n, seed):
    """Of answers in two parts and in one, whatever the metric; and score gives the figures that it names, as numbers."""
    if name == "translation":
        pytest.importorskip("sacrebleu")
    metric, rng = registered.find(name, ("a", "b", "c")), np.random.default_rng(seed)
    answers, truth = cases(metric.kinds[0], n, rng)
    if isinstance(metric, Captions):
        metric = Captions(cider=Cider(truth))
    whole, cut = metric.statistics(answers, truth), n // 2
    parts = [metric.statistics(answers[s], truth[s]) for s in (slice(0, cut), slice(cut, n))]
    assert whole.shape == parts[0].shape
    assert sum(parts) == pytest.approx(whole)
    figures = metric.score(whole)
    assert tuple(figures) == metric.figures
    assert all(type(v) is float for v in figures.values())
    assert figures == pytest.approx(metric.score(sum(parts)))


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=12),
        min_size=1,
        max_size=4,
    )
)
def test_spans_are_seqevals(sentences):
    truth, answers = ([[pair[i] for pair in s] for s in sentences] for i in (0, 1))
    found = figured(Spans(), *([spans.spans(y) for y in side] for side in (answers, truth)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = seqeval.f1_score(truth, answers)
    assert found["span_f1"] == pytest.approx(float(theirs))


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
        assert figured(Spans(), [found], [found])["span_f1"] == 1
    with pytest.raises(HeloError, match=r"0:1: .*'I'"):
        spans.scheme(["OI", "BI", "BO", "BB"], place)


def test_segments_by_hand():
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    assert figured(Segments(), [truth], [truth]) == {"edit": 100, "f1_10": 100, "f1_25": 100, "f1_50": 100}
    # A segment too many in the middle: 5 segments said, 3 true, one 2 and one 0 inserted; each true one is overlapped.
    answer = np.array([0, 0, 2, 0, 1, 1, 1, 1, 2, 2])
    figures = figured(Segments(), [answer], [truth])
    assert figures["edit"] == pytest.approx(100 * (1 - 2 / 5))
    # 0 0 overlaps 2 of 4 (IoU .5), 2 none, the second 0 finds its segment taken; 1 and 2 are whole: 3 hits, 2 wrong.
    assert figures["f1_50"] == pytest.approx(100 * 2 * 3 / (2 * 3 + 2 + 0))


def test_calibration_by_hand():
    p = np.array([[0.95, 0.05], [0.95, 0.05], [0.45, 0.55], [0.45, 0.55]])
    found = figured(Calibration(), p, np.array([0, 1, 1, 0]))
    assert found["calibration_error"] == pytest.approx((0.45 + 0.05) / 2)


def translated(answers, truth):
    metric, truth = registered.find("translation"), [[t] for t in truth]
    return figured(metric, answers, truth) | metric.notes(answers, truth)


def test_bleu_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    answers, truth = ["a cat sat on the mat .", "He ran ."], ["a cat sat on a mat .", "he ran ."]
    figures = translated(answers, truth)
    assert figures["bleu"] == sacrebleu.corpus_bleu(answers, [truth]).score
    assert figures["bleu_lower"] == sacrebleu.corpus_bleu(answers, [truth], lowercase=True).score
    assert figures["chrf"] == sacrebleu.corpus_chrf(answers, [truth]).score
    assert "tok:13a" in figures["signature"]
    assert figures["exact"] == 0


def test_scores_of_scripts_that_part_no_words():
    pytest.importorskip("sacrebleu")
    figures = translated(["我们都爱北京的秋天"], ["我们都爱北京的春天"])
    assert "tok:zh" in figures["signature"]
    assert 40 < figures["bleu"] < 100
    figures = translated(["東京の秋が好きです"], ["東京の春が好きです"])
    assert "tok:char" in figures["signature"] or "tok:ja-mecab" in figures["signature"]
    assert figures["bleu"] > 0


@given(st.integers(2, 40), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_figures_of_numbers_are_scikit_learns(n, k, seed):
    rng = np.random.default_rng(seed)
    truth, answers = rng.standard_normal((2, n, k)) * 5 + 3
    quantiles = answers[..., None] + np.sort(rng.standard_normal((n, k, 9)))
    found = figured(Regression(), answers, truth) | figured(Determination(), answers, truth)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, answers))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, answers))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, answers))
    theirs = np.mean([metrics.mean_pinball_loss(truth, quantiles[..., i], alpha=(i + 1) / 10) for i in range(9)])
    assert figured(Quantiles(), quantiles, truth)["pinball"] == pytest.approx(theirs)
    inside = ((quantiles[..., 0] <= truth) & (truth <= quantiles[..., -1])).mean()
    assert Quantiles().notes(quantiles, truth)["coverage_80"] == pytest.approx(inside)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.25, "0.2500"), (0.0, "0.0000"), (53.91, "53.9100"), (5.772e-5, "5.772e-05"), (5.7719e31, "5.7719e+31"), (-2e-4, "-0.0002"), (3, "3"), (99999.5, "99999.5000"), (0.0012, "0.0012")],
)  # fmt: skip
def test_figures_keep_their_digits_in_any_unit(value, said):
    assert as_figure(value) == said
