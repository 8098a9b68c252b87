"""Layers: padding changes nothing, NumPy equals torch, a CRF equals the sum over all paths, greedy is a beam of one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helo import cells
from helo.data.buckets import Buckets, in_order
from helo.data.ragged import Ragged
from helo.data.streams import Streams
from helo.data.symbols import Symbols
from helo.decoding import beam
from helo.errors import HeloError
from helo.layers import attention, crf, dropped, pooling, stack, variational_dropout
from helo.training.step import noise


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", cells.names())
def test_padding_changes_nothing(cell, both, rng):
    cell = cells.find(cell)
    parameters = stack.init(rng, cell, 2, 3, 4, both)
    xs, lengths = rng.standard_normal((3, 7, 3)).astype(np.float32), np.array([7, 3, 1])
    whole = stack.read(cell, 2, parameters, xs, lengths, both)
    noisy = np.where(np.arange(7)[None, :, None] < lengths[:, None, None], xs, np.float32(100))
    np.testing.assert_array_equal(stack.read(cell, 2, parameters, noisy, lengths, both), whole)
    for i, n in enumerate(lengths):
        alone = stack.read(cell, 2, parameters, xs[i : i + 1, :n], lengths[i : i + 1], both)
        np.testing.assert_allclose(whole[i, :n], alone[0], atol=1e-6)
        assert not whole[i, n:].any()


@pytest.mark.parametrize("both", [False, True])
def test_numpy_equals_torch_and_gradients_stay_out_of_the_padding(both, rng):
    cell = cells.find("lstm")
    parameters = stack.init(rng, cell, 1, 3, 4, both)
    xs, lengths = rng.standard_normal((2, 5, 3)).astype(np.float32), np.array([5, 2])
    tensors = {n: torch.from_numpy(p).requires_grad_() for n, p in parameters.items()}
    x = torch.from_numpy(xs).requires_grad_()
    out = stack.read(cell, 1, tensors, x, torch.from_numpy(lengths), both)
    np.testing.assert_allclose(out.detach().numpy(), stack.read(cell, 1, parameters, xs, lengths, both), atol=1e-6)
    out.square().sum().backward()
    assert x.grad is not None
    assert not x.grad[1, 2:].any()
    assert x.grad[1, :2].any()


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("way", pooling.WAYS)
def test_pooling_sees_no_padding(way, both, rng):
    parameters = pooling.init(rng, way, 4)
    xs, lengths = rng.standard_normal((2, 6, 4)).astype(np.float32), np.array([6, 2])
    xs = xs * stack.mask(xs, lengths)
    pooled = pooling.pool(way, parameters, xs, lengths, both)
    alone = pooling.pool(way, parameters, xs[1:, :2], lengths[1:], both)
    np.testing.assert_allclose(pooled[1:], alone, atol=1e-6)
    if way == "last":
        expected = np.concatenate([xs[1, 1, :2], xs[1, 0, 2:]]) if both else xs[1, 1]
        np.testing.assert_array_equal(pooled[1], expected)
    if way == "mean":
        np.testing.assert_allclose(pooled[1], xs[1, :2].mean(0), atol=1e-6)
    if way == "max":
        np.testing.assert_allclose(pooled[1], xs[1, :2].max(0), atol=1e-6)


def test_crf_is_the_sum_over_all_paths(rng):
    parameters = {n: rng.standard_normal(p.shape).astype(np.float32) for n, p in crf.init(3).items()}
    scores, lengths = rng.standard_normal((2, 4, 3)).astype(np.float32), np.array([4, 2])
    targets = rng.integers(3, size=(2, 4))

    def of(row, path):
        steps = sum(scores[row, t, y] for t, y in enumerate(path))
        moves = sum(parameters["transitions"][a, b] for a, b in itertools.pairwise(path))
        return steps + moves + parameters["first"][path[0]] + parameters["last"][path[-1]]

    expected, best = 0.0, []
    for row, n in enumerate(lengths):
        paths = list(itertools.product(range(3), repeat=int(n)))
        values = np.array([of(row, p) for p in paths], np.float64)
        expected += np.log(np.exp(values).sum()) - of(row, targets[row, :n])
        best.append(paths[int(values.argmax())])
    assert crf.loss(parameters, scores, targets, lengths) == pytest.approx(expected, abs=1e-4)
    tensors = {n: torch.from_numpy(p) for n, p in parameters.items()}
    ours = crf.loss(tensors, torch.from_numpy(scores), torch.from_numpy(targets), torch.from_numpy(lengths))
    assert ours.item() == pytest.approx(expected, abs=1e-4)
    assert [tuple(p.tolist()) for p in crf.best(parameters, scores, lengths)] == best


@pytest.mark.parametrize("way", ["additive", "multiplicative"])
def test_attention_weighs_only_what_is_inside(way, rng):
    parameters = attention.init(rng, way, 4, 6)
    queries, memory = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 4), (2, 5, 6)))
    inside = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], np.float32)
    context, weights = attention.look(way, parameters, queries, attention.keys(parameters, memory), memory, inside)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert not weights[1, :, 2:].any()
    np.testing.assert_allclose(context, np.einsum("bts,bsm->btm", weights, memory), atol=1e-5)


@pytest.mark.parametrize("way", ["additive", "multiplicative"])
def test_attention_in_pieces_is_the_same(way, rng, monkeypatch):
    parameters = attention.init(rng, way, 4, 6)
    queries, memory = (rng.standard_normal(s).astype(np.float32) for s in ((2, 7, 4), (2, 5, 6)))
    inside = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], np.float32)

    def looked(to):
        own = {n: to(p) for n, p in parameters.items()}
        q, m = to(queries), to(memory)
        context, weights = attention.look(way, own, q, attention.keys(own, m), m, to(inside))
        return [q, m, *own.values()], context, weights

    def learned():
        arrays, context, weights = looked(lambda x: torch.from_numpy(x).clone().requires_grad_())
        (context.sin().sum() + weights.square().sum()).backward()
        return [context.detach(), weights.detach(), *(a.grad for a in arrays)]

    whole, expected = learned(), looked(np.asarray)[1:]
    monkeypatch.setattr(attention, "AT_ONCE", 3 * 2 * 5 * (4 if way == "additive" else 1))
    for ours, theirs in zip(learned(), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for ours, theirs in zip(looked(np.asarray)[1:], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def chain(rng, symbols=5):
    """A step function whose next symbol depends on the last two: log-probabilities by a table."""
    table = rng.standard_normal((symbols, symbols, symbols)) * 2
    table = table - np.log(np.exp(table).sum(-1, keepdims=True))

    def step(last, state, inputs):
        (before,) = state
        return table[before, last], (last,)

    def score(symbols, begin, end):
        total, before, last = 0.0, begin, begin
        for s in [*symbols, end]:
            total += table[before, last, s]
            before, last = last, s
        return total

    return step, score


def test_beams_say_the_score_of_their_text_and_find_the_best(rng):
    step, score = chain(rng)
    most = np.array([4])
    found = beam.search(step, (np.zeros(1, np.int64),), 1, 0, 1, most, beam=700, alpha=0.0)[0]
    every = [list(p) for n in range(5) for p in itertools.product([0, 2, 3, 4], repeat=n)]
    best = max(every, key=lambda p: score(p, 0, 1))
    assert max(found, key=lambda h: h.score).symbols == best
    few = beam.search(step, (np.zeros(1, np.int64),), 1, 0, 1, most, beam=9, alpha=1.0)[0]
    assert len(few) == 9
    assert [h.rank for h in few] == sorted((h.rank for h in few), reverse=True)
    for h in few:
        assert h.rank == pytest.approx(h.score / ((6 + len(h.symbols)) / 6))
    for h in found:
        assert h.score == pytest.approx(score(h.symbols, 0, 1))


@pytest.mark.parametrize("width", [1, 2, 30])
@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("ends", [True, False])
def test_no_beam_goes_beyond_its_limit_or_writes_the_impossible(width, most, ends):
    """Of three symbols one, and the end where it may be; the beam is wider than that."""

    def step(last, state, inputs):
        p = np.full((len(last), 3), -np.inf)
        p[:, 2], p[:, 1] = np.log(0.7), np.log(0.3) if ends else -np.inf
        return p, state

    found = beam.search(step, (np.zeros(2),), 2, 0, 1, np.array([most, 2 * most]), width)
    for row, limit in zip(found, (most, 2 * most), strict=True):
        assert row
        assert len({tuple(h.symbols) for h in row}) == len(row) <= width
        for h in row:
            assert set(h.symbols) <= {2}
            assert len(h.symbols) <= limit
            assert h.score == pytest.approx(len(h.symbols) * np.log(0.7) + (np.log(0.3) if ends else 0))
            assert np.isfinite(h.rank)
        if width == 30:
            assert len(row) == (limit + 1 if ends else 1)


def test_greedy_is_a_beam_of_one_and_rows_do_not_meet(rng):
    step, _ = chain(rng)
    state = (np.zeros(3, np.int64),)
    together = beam.search(step, state, 3, 0, 1, np.array([6, 6, 6]), beam=1)
    alone = beam.search(step, (np.zeros(1, np.int64),), 1, 0, 1, np.array([6]), beam=1)
    last, before, out = 0, 0, []
    for _ in range(6):
        p, (last_now,) = step(np.array([last]), (np.array([before]),), None)
        before, last = int(last_now[0]), int(p[0].argmax())
        if last == 1:
            break
        out.append(last)
    assert [h.symbols for h in alone[0]] == [out]
    assert all(row[0].symbols == out for row in together)


def test_ragged_pads_behind():
    ragged = Ragged.of([[1, 2, 3], [], [4]])
    padded, lengths = ragged.padded(np.array([2, 1, 0]))
    assert padded.tolist() == [[4, 0, 0], [0, 0, 0], [1, 2, 3]]
    assert lengths.tolist() == [1, 0, 3]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 6))
def test_windows_overlap_by_half_and_hold_everything(lengths, half):
    ragged = Ragged.of([100 * i + np.arange(n) for i, n in enumerate(lengths)])
    cut = ragged.windows(2 * half)
    windows = [cut[i].tolist() for i in range(len(cut))]
    expected = []
    for i, n in enumerate(lengths):
        starts = range(0, max(1, n - half), half)
        expected += [[100 * i + t for t in range(s, min(n, s + 2 * half))] for s in starts]
    assert windows == expected
    assert {t for w in windows for t in w} == set(ragged.values.tolist())


def test_every_pass_takes_each_example_once_and_the_position_decides():
    lengths = np.random.default_rng(0).integers(1, 30, 103)

    def buckets(rank=0, world=1):
        return Buckets(lengths, 8, lambda rows, rng, mine: (rows[mine].tolist(), rng.random()), 1, rank, world)

    one = buckets()
    passes = [[one.next() for _ in range(one.per_epoch)] for _ in range(2)]
    for batches in passes:
        assert sorted(i for rows, _ in batches for i in rows) == list(range(103))
    assert passes[0] != passes[1]
    again = buckets()
    again.epoch, again.index = 1, 3
    assert again.next() == passes[1][3]


@pytest.mark.parametrize("world", [2, 3, 8])
def test_batches_do_not_depend_on_the_number_of_processes(world):
    lengths = np.random.default_rng(0).integers(1, 30, 20)
    lengths[5] = 1000

    def buckets(rank=0, world=1):
        return Buckets(
            lengths, 8, lambda rows, rng, mine: (rows[mine].tolist(), rng.random()), 1, rank, world, lengths / 120
        )

    one, several = buckets(), [buckets(rank, world) for rank in range(world)]
    assert all(b.per_epoch == one.per_epoch for b in several)
    alone = 0
    for _ in range(3 * one.per_epoch):
        (rows, noise), parts = one.next(), [b.next() for b in several]
        dealt = [part for part in parts if part is not None]
        alone += len(dealt) < world
        assert all(part == (rows[rank::world], noise) for rank, part in enumerate(dealt))
        assert len(dealt) == min(world, len(rows))
        assert all((b.epoch, b.index) == (one.epoch, one.index) for b in several)
    assert alone  # a batch of one example leaves nothing for the others


def test_more_processes_than_examples_of_a_batch_or_streams_are_refused():
    with pytest.raises(HeloError, match="--batch"):
        Buckets(np.ones(20), 4, lambda rows, rng, mine: rows, 1, 0, 5)
    with pytest.raises(HeloError, match="--streams"):
        Streams(Symbols([np.zeros(100, np.uint8)], np.dtype(np.uint8)), 0, 100, 4, 8, 1, 0, 5)


def test_a_batch_that_would_be_too_large_is_parted():
    lengths = np.random.default_rng(0).integers(1, 30, 103)
    lengths[[5, 50]] = 1000

    def buckets(rank=0, world=1, whole=120):
        return Buckets(lengths, 8, lambda rows, rng, mine: rows[mine].tolist(), 1, rank, world, lengths / whole)

    one = buckets()
    for epoch in range(3):
        rows = []
        while one.epoch == epoch:
            rows.append(one.next())
        assert sorted(i for batch in rows for i in batch) == list(range(103))
        assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= 120 for batch in rows)
    usual = Buckets(lengths, 8, lambda rows, rng, mine: rows.tolist(), 1)
    assert [usual.next() for _ in range(26)] == [small.next() for small in [buckets(whole=8000)] for _ in range(26)]


def test_in_order_takes_each_example_once():
    lengths = np.array([5, 1, 10_000, 3, 3])
    rows = [r for batch in in_order(lengths, most=64, rows=2) for r in batch]
    assert sorted(rows) == [0, 1, 2, 3, 4]
    assert lengths[rows].tolist() == sorted(lengths)


def test_what_dropout_keeps_is_scaled_and_the_same_at_every_step():
    """As in nn.Dropout, the mean stays, so that answers without noise are of the same size."""
    torch.manual_seed(0)
    xs = variational_dropout(torch.ones(64, 5, 32), 0.4, noise)
    assert torch.equal(xs, xs[:, :1].expand_as(xs))
    for kept in (xs, dropped(torch.ones(64, 5, 32), 0.4, noise)):
        torch.testing.assert_close(kept.unique(), torch.tensor([0, 1 / 0.6]))
        assert abs(float(kept.mean()) - 1) < 0.1
