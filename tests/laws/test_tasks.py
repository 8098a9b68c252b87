"""Each law of tasks bites. That they hold for every task is shown where its small runs are: test_shapes, test_pictures."""

from __future__ import annotations

import shutil

import mutants.tasks
import pytest

import helo
from helo import laws
from helo.laws import tasks


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("small")
    rows = "".join(f"{'good' if i % 2 else 'bad'} thing {i % 7}\t{'pos' if i % 2 else 'neg'}\n" for i in range(40))
    (folder / "reviews.tsv").write_text("text\tlabel\n" + rows)
    return helo.train("classify", folder / "reviews.tsv", out=folder / "run", hidden=8, steps=30, seed=1).path


@pytest.mark.parametrize("law, make, also", mutants.tasks.MUTANTS)
def test_mutant(law, make, also, small, tmp_path):
    mutant, broken = make(shutil.copytree(small, tmp_path / "run")), set()
    for name, holds in tasks.LAWS.items():
        try:
            holds(mutant, ["good thing", "bad thing 3"])
        except laws.Broken as error:
            broken.add(error.law)
            assert error.law == name
    assert broken == {law, *also}


@pytest.mark.parametrize("law", tasks.LAWS)
def test_healthy(law, small):
    tasks.LAWS[law](helo.load(small), ["good thing", "bad thing 3"])


def test_every_law_has_its_mutant():
    assert {law for law, *_ in mutants.tasks.MUTANTS} == set(tasks.LAWS)
