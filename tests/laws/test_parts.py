"""The laws of training hold, and each bites."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import mutants.training
import training_laws as training

from helo import laws


@pytest.mark.parametrize("law", training.LAWS)
def test_healthy(law):
    training.LAWS[law](training.Parts())


@pytest.mark.parametrize("law", training.LAWS)
def test_mutant(law):
    mutant, also = mutants.training.MUTANTS[law]
    broken = set()
    for name, holds in training.LAWS.items():
        if name == "processes_are_one" != law:
            continue  # it takes seconds, and is not about the others' faults
        try:
            holds(mutant)
        except laws.Broken as error:
            broken.add(error.law)
            assert error.law == name
    assert broken == {law, *also}


def test_every_law_has_its_mutant():
    assert set(mutants.training.MUTANTS) == set(training.LAWS)
