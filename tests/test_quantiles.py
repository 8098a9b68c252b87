"""Quantiles that never cross, their loss, and what lies between them."""

import numpy as np
import pytest

from helo.layers import quantiles as q

LEVELS = q.LEVELS


def test_outputs_of_any_size_become_increasing_quantiles_on_both_libraries():
    torch = pytest.importorskip("torch")
    outputs = np.random.default_rng(0).standard_normal((50, 9)).astype(np.float32) * 20
    found = q.increasing(outputs)
    assert (np.diff(found, axis=-1) >= 0).all()
    np.testing.assert_array_equal(found[:, 4], outputs[:, 4])
    np.testing.assert_allclose(q.increasing(torch.from_numpy(outputs)).numpy(), found, rtol=1e-5, atol=1e-5)


def test_a_head_starts_at_the_standard_normal():
    found = q.increasing(q.start(LEVELS))
    np.testing.assert_allclose(found[[0, 4, 8]], [-1.2816, 0, 1.2816], atol=1e-3)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_pinball_loss_is_scikit_learns(level):
    loss = pytest.importorskip("sklearn.metrics").mean_pinball_loss
    rng = np.random.default_rng(1)
    y, found = rng.standard_normal(40), rng.standard_normal((40, 1))
    ours = q.pinball(found, y, np.array([level])).mean()
    assert ours == pytest.approx(loss(y, found[:, 0], alpha=level))


def test_between_and_beyond_the_quantiles():
    found = q.increasing(np.random.default_rng(2).standard_normal((20, 9)))
    for i, level in enumerate(LEVELS):
        np.testing.assert_allclose(q.at(found, LEVELS, level), found[:, i])
    np.testing.assert_allclose(q.at(found, LEVELS, 0.25), (found[:, 1] + found[:, 2]) / 2)
    wanted = np.linspace(0.001, 0.999, 20)
    values = q.at(found, LEVELS, wanted)
    np.testing.assert_allclose(q.probability(found, LEVELS, values), wanted, rtol=1e-6)
    assert (q.at(found, LEVELS, 0.01) < found[:, 0]).all()
    assert (q.at(found, LEVELS, 0.99) > found[:, -1]).all()


def test_the_mean_is_the_integral_of_the_quantile_function():
    found = q.increasing(np.random.default_rng(3).standard_normal((5, 9)))
    grid = (np.arange(200_000) + 0.5) / 200_000
    np.testing.assert_allclose(q.mean(found, LEVELS), [q.at(row, LEVELS, grid).mean() for row in found], atol=1e-3)
