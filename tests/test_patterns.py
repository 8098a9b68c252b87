"""How often fixed patterns stand in a series."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from helo.inputs.numbers import SEARCHED, Views
from helo.layers import proportions


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_pattern_is_counted_as_written_out(rng):
    x = rng.standard_normal(40).astype(np.float32)
    found = proportions.run(x[None, :, None], np.array([40]))[0]
    at = 0
    for by in proportions.DILATIONS:
        outputs = np.zeros((40, proportions.KERNELS))
        for k, raised in enumerate(combinations(range(9), 3)):
            weights = [2.0 if j in raised else -1.0 for j in range(9)]
            for t in range(40):
                places = [t + (j - 4) * by for j in range(9)]
                outputs[t, k] = sum(w * x[p] for w, p in zip(weights, places, strict=True) if 0 <= p < 40)
        square = (outputs**2).mean()
        outputs /= np.sqrt(square + 1e-5)
        fits = float(8 * by < 40) * square / (square + 1e-5)  # of a longer pattern there is nothing to see
        for threshold, usual in proportions.THRESHOLDS:
            share = (1 / (1 + np.exp(-proportions.SHARP * (outputs - threshold)))).mean(0)
            mine = found[at : at + proportions.KERNELS]
            np.testing.assert_allclose(mine, fits * proportions.LARGER * (share - usual), atol=1e-4)
            at += proportions.KERNELS
    assert at == len(found) == proportions.WIDTH


@pytest.mark.parametrize("features", [1, 3, 40])
def test_padding_changes_nothing_and_numpy_equals_torch(rng, features):
    xs, lengths = rng.standard_normal((3, 70, features)).astype(np.float32), np.array([70, 9, 1])
    whole = proportions.run(xs, lengths)
    assert np.isfinite(whole).all()
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(whole[i], proportions.run(xs[i : i + 1, :n], lengths[i : i + 1])[0], atol=1e-4)
    x = torch.from_numpy(xs).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):  # a pattern is a difference of neighbours, which half precision loses
        there = proportions.run(x, torch.from_numpy(lengths))
    np.testing.assert_allclose(there.detach().numpy(), whole, atol=1e-4)
    there.square().sum().backward()
    assert x.grad is not None
    assert x.grad[0].abs().sum() > 0


def test_a_flat_series_has_no_pattern():
    assert not proportions.of(np.zeros((2, 300, 2), np.float32), np.array([300, 9])).any()


def test_patterns_are_searched_for_at_every_step_of_few_features(rng):
    x = rng.standard_normal((1200, 1))
    views = Views.learn([x])
    assert views.by == 3
    assert views.proportions
    assert views.fine(x).shape == (1200, 2)
    assert not Views.learn([x], longest=None).proportions
    assert not Views.learn([rng.standard_normal((20, SEARCHED + 1))]).proportions


def test_each_kernel_of_several_features_sees_some(rng):
    for features in (2, 6, 100):
        seen = proportions.kernels(features).reshape(proportions.TAPS, features, proportions.KERNELS)
        assert (np.abs(seen).sum((0, 1)) > 0).mean() > 0.5
        assert (np.abs(seen).sum((0, 2)) > 0).all()
        np.testing.assert_allclose(seen.sum(0), 0, atol=1e-6)  # a level is no pattern
