"""A recurrence can be looked at and reached into while it runs, on either engine."""

from __future__ import annotations

import numpy as np
import pytest

from helo import cells, engines
from helo.engines import Tap, tapped

NAMES = [n for n in cells.names() if "." not in n]


class Notes(Tap):
    def __init__(self):
        self.begun, self.outputs = 0, []

    def begin(self, cell, parameters, xs, state):
        self.begun += 1
        return xs, state

    def step(self, cell, parameters, before, x, after, output):
        gates = cell.gates(parameters, before, x)
        kept = cell.kept(gates)
        for gate in gates.values() if kept is None else [*gates.values(), kept]:
            assert gate.shape == output.shape
            assert float(gate.min()) >= 0
            assert float(gate.max()) <= 1
        self.outputs.append(output)
        return after, output


class Silent(Tap):
    """One unit says nothing."""

    def step(self, cell, parameters, before, x, after, output):
        output = output * engines.array(np.array([0.0, 1, 1, 1, 1], np.float32), output)
        return (output, *after[1:]), output


def made(name, torch=None):
    cell = cells.find(name)
    rng = np.random.default_rng(3)
    parameters, xs = cell.init(rng, 4, 5), rng.standard_normal((3, 7, 4)).astype(np.float32)
    if torch is not None:
        parameters, xs = {n: torch.asarray(p) for n, p in parameters.items()}, torch.asarray(xs)
    return cell, parameters, xs


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_shown_and_changes_nothing(name):
    cell, parameters, xs = made(name)
    plain, _ = engines.scan(cell, parameters, xs)
    with tapped(Notes()) as notes:
        watched, _ = engines.scan(cell, parameters, xs)
    assert notes.begun == 1
    np.testing.assert_array_equal(np.stack(notes.outputs, 1), plain)
    np.testing.assert_array_equal(watched, plain)
    engines.scan(cell, parameters, xs)
    assert notes.begun == 1


@pytest.mark.parametrize("name", NAMES)
def test_both_engines_show_the_same(name):
    torch = pytest.importorskip("torch")
    outputs = []
    for library in (None, torch):
        with tapped(Silent()):
            outputs.append(np.asarray(engines.scan(*made(name, library))[0]))
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-5)
    assert (outputs[0][..., 0] == 0).all()
    assert not np.allclose(outputs[0], engines.scan(*made(name))[0])


def test_what_a_tap_gives_is_scanned():
    torch = pytest.importorskip("torch")

    class Half(Tap):
        steps = False

        def begin(self, cell, parameters, xs, state):
            return xs * 0.5, tuple(s + 1 for s in state)

    cell, parameters, xs = made("lstm")
    expected, _ = engines.scan(cell, parameters, xs * 0.5, tuple(s + 1 for s in cell.state(parameters, 3)))
    for library in (None, torch):
        with tapped(Half()):
            np.testing.assert_allclose(engines.scan(*made("lstm", library))[0], expected, atol=1e-5)
