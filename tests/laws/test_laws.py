"""Every law on every registered cell, in every form and dtype: `-k carried_state`, `-k "lstm and fused"`."""

from __future__ import annotations

import pytest
from hypothesis import example, given

import strategies
from helo import cells, laws
from helo.laws import Case, functions

pytest.importorskip("torch", reason="most forms are torch's")

TRIALS = {
    f"{law.name}[{laws.label(cell)}-{form.name}-{dtype}]": (law, cell, form, dtype)
    for law in laws.LAWS.values()
    for name in cells.names()
    for cell in laws.instances(name)
    for form, dtype in laws.subjects(law, cell)
}


def _some(generated: bool):
    chosen = {name: trial for name, trial in TRIALS.items() if bool(trial[0].cases) == generated}
    return pytest.mark.parametrize("law, cell, form, dtype", chosen.values(), ids=chosen.keys())


def _try(law, cell, form, dtype, case):
    if law.missing:
        pytest.skip(law.missing)
    try:
        law(cell, form, dtype, case)
    except laws.Broken:
        if law.name not in cell.exceptions:
            raise


@_some(generated=True)
@given(case=strategies.cases())
@example(case=Case())
def test_law(law, cell, form, dtype, case):
    _try(law, cell, form, dtype, case)


@_some(generated=False)
def test_law_of_its_own_cases(law, cell, form, dtype):
    _try(law, cell, form, dtype, Case())


def test_exceptions_are_strict():
    """What a cell excepts does not hold: once it does, the exception goes."""
    for name in cells.names():
        if only := list(cells.find(name).exceptions):
            assert not [r.message for r in laws.check(name, only=only) if r.status == "broken"]


@pytest.mark.parametrize("dtype", laws.DTYPES)
@pytest.mark.parametrize("name", functions.names())
def test_right_at_extremes(name, dtype):
    functions.right_at_extremes(name, getattr(cells.functions, name), dtype)


@pytest.mark.parametrize("name", [n for n in cells.names() if isinstance(cells.find(n), cells.LinearCell)])
@pytest.mark.parametrize("law", [law for law in laws.names() if laws.LAWS[law].cases])
def test_scan_as_on_a_gpu(name, law, monkeypatch):
    """The engine's scan with its own gradient, both by doubling, as they run where much is done at once."""
    from helo.engines import torch as engine

    monkeypatch.setattr(engine, "linear_scan", engine.parallel_linear_scan)
    of = [form for form in laws.forms(cells.find(name)) if form.name == "scan"]
    assert not [r.message for r in laws.check(name, of=of, only=[law]) if r.status != "held"]
