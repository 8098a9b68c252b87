"""What is held out is not learned from; batches are of examples of like length."""

from dataclasses import replace

import numpy as np
import pytest

from helo.data.buckets import Buckets
from helo.data.dataset import Dataset
from helo.data.splits import folds, held_out
from helo.errors import HeloError


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


def some(count, where="f"):
    return Dataset("frames", list(range(count)), None, lambda i, *step: f"{where}:{i + 1}")


def test_each_part_of_a_cross_validation_has_as_many_of_every_label():
    labels = [("a",), ("b",), ("b",)] * 10
    found = np.array(folds(some(30), 5, "stratified", None, labels))
    for k in range(5):
        assert [labels[i][0] for i in np.flatnonzero(found == k)].count("a") == 2
        assert (found == k).sum() == 6
    assert folds(some(30), 5, "stratified", None, labels) == found.tolist()


def test_a_group_is_in_one_part_of_a_cross_validation():
    examples = replace(some(12), split_by=[[f"person {i // 3}"] for i in range(12)])
    found = np.array(folds(examples, 2, "group", "person")).reshape(4, 3)
    assert (found == found[:, :1]).all()
    assert sorted(found[:, 0]) == [0, 0, 1, 1]
    with pytest.raises(HeloError, match=r"f:1: 4 groups for 5 folds; expected 5 or more; fewer --folds"):
        folds(examples, 5, "group", "person")
