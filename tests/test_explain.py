"""Why this answer: attributions add up, agree with each other, and see what was planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import helo
import fixtures
from fixtures import helo_command, prose
from helo.inspection import attribution
from helo.inspection.explain import explain
from test_shapes import CASES, trained, write


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("explained"))


def complete(found):
    for one in found:
        assert one.found is not None
        assert one.found.error() < 0.01
        for k in range(len(one.asked.targets)):
            assert one.found.error(k) < 0.01
        assert len(one.asked.pieces) == one.found.values.shape[1]
        assert len(one.asked.patches or one.asked.pieces) == one.occlusion.shape[1]
        assert np.isfinite(one.occlusion).all()
        json.dumps(one.to_json())


@pytest.mark.parametrize("case", CASES)
def test_attributions_add_up_on_every_shape(case, place):
    run = trained(case, place)
    source = [x for x in CASES[case][3] if len(x)]
    found = explain(run, source)
    complete(found)
    assert len(found) == len(source)


@pytest.mark.parametrize("case", ["words", "spans", "frames", "dialogue", "pairs", "fixed vector"])
def test_both_ways_to_the_slopes_agree(case, place):
    question = explain(trained(case, place), CASES[case][3][:1])[0].asked.question
    alphas = np.array([0.13, 0.5, 0.91])
    np.testing.assert_allclose(
        attribution.differences(question, alphas), attribution.backward(question, alphas), atol=1e-6
    )
