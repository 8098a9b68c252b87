"""Choosing the next symbol, against the definitions written out plainly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fixtures import many
from helo.decoding.beam import search
from helo.decoding.sampling import Choice, write
from helo.errors import HeloError


def probabilities(scores: list[float], temperature=1.0, top_k=0, top_p=1.0, min_p=0.0) -> list[float]:
    """Each rule as its paper has it, one after the other, on plain numbers (no two scores are equal)."""
    highest = max(scores)
    weights = [math.exp((s - highest) / temperature) for s in scores]
    p = {i: w / sum(weights) for i, w in enumerate(weights)}
    ranked = sorted(p, key=lambda i: -p[i])
    if top_k:
        ranked = ranked[:top_k]
    if top_p < 1:
        total, mass, kept = sum(p[i] for i in ranked), 0.0, []
        for i in ranked:
            kept.append(i)
            mass += p[i] / total
            if mass >= top_p:
                break
        ranked = kept
    ranked = [i for i in ranked if p[i] >= min_p * p[ranked[0]]]
    total = sum(p[i] for i in ranked)
    return [p[i] / total if i in ranked else 0.0 for i in range(len(scores))]


def drawn(scores: list[float], choice: Choice, times: int, seed: int = 0) -> np.ndarray:
    """How often each symbol is chosen."""
    rows = np.tile(np.array(scores, np.float32), (times, 1))
    picked = choice.pick(rows, np.random.default_rng(seed))
    assert picked.shape == (times,)
    return np.bincount(picked, minlength=len(scores)) / times


distinct = st.lists(st.integers(-40, 40), min_size=2, max_size=9, unique=True).map(lambda v: [x / 8 for x in v])


@given(
    scores=distinct,
    temperature=st.sampled_from([0.3, 0.8, 1.0, 2.0]),
    top_k=st.sampled_from([0, 0, 1, 2, 5, 99]),
    top_p=st.sampled_from([1.0, 1.0, 0.03, 0.37, 0.81, 0.97]),
    min_p=st.sampled_from([0.0, 0.0, 0.017, 0.31]),
)
@example([0.0, 1.0, 2.0, 3.0], 1.0, 0, 1.0, 0.0)
@example([0.0, 1.0, 2.0, 3.0], 1.0, 2, 1.0, 0.0)
@example([3.0, 1.0, 2.0, 0.0], 1.0, 0, 0.7, 0.0)
@example([3.0, 1.0, 2.0, 0.0], 1.0, 0, 1.0, 0.2)
@example([3.0, 1.0, 2.0, 2.5], 0.8, 3, 0.8, 0.4)
@many(30)
def test_frequencies(scores, temperature, top_k, top_p, min_p):
    """Near the probabilities of the definition, and nothing that it leaves out."""
    times = 4000
    expected = probabilities(scores, temperature, top_k, top_p, min_p)
    found = drawn(scores, Choice(temperature, top_k, top_p, min_p), times)
    for p, frequency in zip(expected, found, strict=True):
        if p == 0:
            assert frequency == 0
        else:
            assert abs(frequency - p) < 5 * (p * (1 - p) / times) ** 0.5 + 1e-3


def test_usual_choice():
    """Temperature 0.8, and what is less than a fiftieth as likely as the likeliest never."""
    scores = [0.0, -1.0, -3.0, -3.2]
    expected = probabilities(scores, 0.8, min_p=0.02)
    assert expected[2] > 0
    assert expected[3] == 0
    found = drawn(scores, Choice(), 20_000)
    assert np.abs(found - expected).max() < 0.015
    assert found[3] == 0


@given(distinct)
def test_greedy(scores):
    best = scores.index(max(scores))
    assert drawn(scores, Choice(temperature=0), 20)[best] == 1
    assert drawn(scores, Choice(temperature=1, top_k=1), 20)[best] == 1


def test_rows_are_chosen_apart():
    scores = np.array([[0, 5, 1], [9, 5, 1], [0, 5, 8]], np.float32)
    assert Choice(temperature=0).pick(scores, np.random.default_rng(0)).tolist() == [1, 0, 2]
    even = np.zeros((4000, 2))
    picked = Choice(temperature=1, min_p=0).pick(even, np.random.default_rng(0)).reshape(2, -1)
    assert abs((picked[0] == picked[1]).mean() - 0.5) < 0.05, "no two rows share their chance"


def test_scores_stay_as_they_are():
    scores = np.array([[0.5, 2, 1]], np.float32)
    before = scores.copy()
    Choice(0.5, 2, 0.9, 0.1).pick(scores, np.random.default_rng(0))
    assert (scores == before).all()


def test_what_is_ruled_out_is_never_drawn():
    assert drawn([-math.inf, 0.0, 1.0, -math.inf], Choice(temperature=3, min_p=0), 3000)[[0, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_a_constant_changes_nothing(shift):
    scores, choice = [0.0, 1.0, 2.0], Choice(temperature=1, min_p=0)
    assert drawn([s + shift for s in scores], choice, 500).tolist() == drawn(scores, choice, 500).tolist()


def test_cold_and_hot():
    """Without overflow on either side."""
    assert drawn([0.0, 1.0, 0.5], Choice(temperature=1e-6, min_p=0), 50)[1] == 1
    assert np.abs(drawn([0.0, 1.0, 0.5], Choice(temperature=1e6, min_p=0), 9000) - 1 / 3).max() < 0.03


def chain(last: np.ndarray) -> np.ndarray:
    """After symbol i, i + 1 is likeliest, of five."""
    return 4.0 * (np.arange(5) == (last[:, None] + 1) % 5)


def test_what_is_written_is_fed_back():
    greedy = list(write(chain, np.array([3, 0]), 4, Choice(temperature=0), np.random.default_rng(0)))
    assert [row.tolist() for row in greedy] == [[4, 1], [0, 2], [1, 3], [2, 4]]


def test_same_seed_same_text():
    def text(seed, choice=Choice(1.0, min_p=0.0)):  # noqa: B008
        return [int(i[0]) for i in write(chain, np.array([0]), 200, choice, np.random.default_rng(seed))]

    assert text(1) == text(1)
    assert text(1) != text(2)
    follows = sum(b == (a + 1) % 5 for a, b in zip([0, *text(1)], text(1), strict=False))
    assert abs(follows / 200 - math.exp(4) / (math.exp(4) + 4)) < 0.08


def test_no_length_no_step():
    assert list(write(lambda last: 1 / 0, np.array([0]), 0, Choice(), np.random.default_rng(0))) == []


@pytest.mark.parametrize(
    "given, flag",
    [
        ({"temperature": -1}, "--temperature: -1"),
        ({"temperature": math.inf}, "--temperature: inf"),
        ({"temperature": math.nan}, "--temperature: nan"),
        ({"top_k": -1}, "--top-k: -1"),
        ({"top_p": 7}, "--top-p: 7"),
        ({"top_p": 0}, "--top-p: 0"),
        ({"top_p": -0.1}, "--top-p: -0.1"),
        ({"min_p": 1}, "--min-p: 1"),
        ({"min_p": -0.5}, "--min-p: -0.5"),
        ({"min_p": math.nan}, "--min-p: nan"),
    ],
    ids=str,
)
def test_out_of_range(given, flag):
    with pytest.raises(HeloError) as refused:
        Choice(**given)
    assert str(refused.value).startswith(flag)
    assert "expected" in str(refused.value)


@pytest.mark.parametrize("given", [{"temperature": 0}, {"top_p": 1}, {"top_k": 0}, {"min_p": 0}, {"top_p": 1e-9}])
def test_just_in_range(given):
    Choice(**given)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_a_wide_beam_is_the_best_of_all_texts(alpha):
    """Scores add up over a text and are compared by its length: against all texts of up to three symbols, written out."""
    table = np.log(np.random.default_rng(3).dirichlet(np.ones(3), 4))  # of the next symbol after each; 2 ends, 3 begins
    every = []
    for length in range(4):
        for text in itertools.product((0, 1), repeat=length):
            symbols = [3, *text, 2]
            score = sum(table[a, b] for a, b in itertools.pairwise(symbols))
            every.append((score / ((5 + length + 1) / 6) ** alpha, score, list(text)))
    every.sort(key=lambda one: -one[0])
    found = search(lambda last, state, inputs: (table[last], state), (), 1, 3, 2, np.array([3]), 50, alpha)[0]
    assert [h.symbols for h in found] == [text for _, _, text in every]
    assert [h.score for h in found] == pytest.approx([score for _, score, _ in every])
    assert [h.rank for h in found] == pytest.approx([rank for rank, _, _ in every])
