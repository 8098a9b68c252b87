"""Each law bites: it goes red on what is broken, and the laws that are not about the fault stay as they are."""

from __future__ import annotations

from types import MappingProxyType

import mutants.cells
import mutants.scans
import pytest
from mutants.healthy import Unit

from helo import laws
from helo.cells.functions import namespace
from helo.laws import functions

MUTANTS = {
    m.form.run.__name__ if m.form else type(m.cell).__name__: m for m in mutants.cells.MUTANTS + mutants.scans.MUTANTS
}
LONG = "long_sequences"  # tried only where it matters: it takes longer than all others together


def _broken(mutant, only):
    results = laws.check(mutant.cell, of=[mutant.form] if mutant.form else None, only=only)
    return {r.law: r.message for r in results if r.status == "broken"}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_mutant(mutant):
    expected = {mutant.law, *mutant.also}
    broken = _broken(mutant, [n for n in laws.names() if n != LONG or n in expected])
    assert set(broken) == expected, broken


def test_every_law_has_its_mutant():
    assert {m.law for m in MUTANTS.values()} == set(laws.names())


def test_healthy():
    """What the mutants are made of breaks no law."""
    assert _broken(mutants.Mutant("", Unit()), None) == {}


class Holds(Unit):
    """Excepts a law that holds, and one that there is not."""

    exceptions = MappingProxyType({"causality": "it was thought to look ahead", "gravity": "it falls"})


class Excepts(mutants.cells.MixesItsBatch):
    exceptions = MappingProxyType({"alone_in_company": "its rows are one team", "padding": "the same"})


def test_exceptions_are_strict():
    broken = _broken(mutants.Mutant("", Holds()), ["causality"])
    assert set(broken) == {"causality", "gravity"}
    assert "holds after all" in broken["causality"]
    assert "no such law" in broken["gravity"]


def test_exceptions_are_excepted():
    results = laws.check(Excepts(), only=["alone_in_company", "carried_state"])
    assert {(r.law, r.status) for r in results} == {("alone_in_company", "excepted"), ("carried_state", "held")}
    assert {r.message for r in results} == {"its rows are one team", ""}


def test_what_a_cell_raises_breaks_the_law():
    class Raises(Unit):
        def step(self, parameters, state, x):
            raise IndexError("off the end")

    assert "raises IndexError: off the end" in _broken(mutants.Mutant("", Raises()), ["causality"])["causality"]


def naive_sigmoid(x):
    return 1 / (1 + namespace(x).exp(-x))


def naive_softplus(x):
    return namespace(x).log(1 + namespace(x).exp(x))


def naive_log_softmax(x):
    e = namespace(x).exp(x)
    return namespace(x).log(e / namespace(x).sum(e, axis=-1, keepdims=True))


@pytest.mark.parametrize("dtype", laws.DTYPES)
@pytest.mark.parametrize("naive", [naive_sigmoid, naive_softplus, naive_log_softmax])
def test_naive_functions_are_not_right_at_extremes(naive, dtype):
    with pytest.raises(laws.Broken, match=r"-?10000|-?100"):
        functions.right_at_extremes(naive.__name__.removeprefix("naive_"), naive, dtype)


def test_a_function_without_a_formula_is_not_right():
    with pytest.raises(laws.Broken, match="gelu|formula"):
        functions.right_at_extremes("gelu", naive_sigmoid, "float32")
