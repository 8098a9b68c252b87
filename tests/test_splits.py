"""What is held out is not learned from; batches are of examples of like length."""

import numpy as np
import pytest

from helo.data.buckets import Buckets
from helo.data.splits import held_out


@pytest.mark.parametrize("labels", [(), [("a",), ("b",)] * 50])
def test_what_is_held_out_is_not_learned_from(labels):
    learn, check = held_out(100, labels, 1)
    assert len(check) == 10
    assert sorted([*learn, *check]) == list(range(100))


def test_a_batch_has_examples_of_like_length():
    lengths = np.random.default_rng(0).permutation(64)
    batches = Buckets(lengths, 8, lambda rows, rng, part: rows, seed=0)
    apart = [float(np.ptp(lengths[batches.next()])) for _ in range(batches.per_epoch)]
    assert np.mean(apart) < 32  # by chance alone 50
