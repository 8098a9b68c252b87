"""Steps that are recorded give what the steps give as a cell writes them, in value and in both gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helo import cells  # noqa: E402
from helo.cells.base import Cell, uniform  # noqa: E402
from helo.cells.functions import namespace, relu, sigmoid  # noqa: E402
from helo.engines import numpy as reference  # noqa: E402
from helo.engines import recorded  # noqa: E402
from helo.engines import torch as engine  # noqa: E402


@dataclass(frozen=True)
class Odd(Cell):
    """States of other shapes, one of which nothing is read from; slices that overlap or leave a gap; a product from the
    left, a parameter that the output alone reads and one that nothing reads.
    """

    def init(self, rng, inputs, hidden):
        names = {
            "w": (hidden, inputs),
            "u": (hidden, hidden),
            "v": (2, hidden),
            "unused": (1, 1),
            "o": (hidden, hidden),
        }
        return {n: uniform(rng, *shape, 0.7) for n, shape in names.items()} | {"b": np.ones(hidden, np.float32)}

    def state(self, parameters, batch):
        u, n = parameters["u"], parameters["u"].shape[0]
        zeros = namespace(u).zeros
        return tuple(zeros(shape, dtype=u.dtype, device=u.device) for shape in ((batch, n), (batch, 2, n), (batch, 1)))

    def step(self, parameters, state, x):
        h, m, _ = state
        xp, n = namespace(h), h.shape[1]
        a = x @ parameters["w"].T + (parameters["u"] @ h.T).T + parameters["b"]
        m = 0.5 * m + xp.expand_dims(sigmoid(a), axis=1) * parameters["v"]
        part = xp.concat([a[:, 1:], a[:, : n - 2] * a[:, 2:], a[:, :1] + a[:, 1:2], a[:, -1:], a[:, :1]], axis=1)[:, :n]
        h = xp.tanh(part) + xp.where(a > 0, m[:, 0], relu(m[:, 1]))
        return (h, m, xp.sum(h, axis=1, keepdims=True)), h @ parameters["o"].T


class Wrapped(Cell):
    """A step with something in it that cannot be recorded."""

    def __init__(self, what):
        self.what, self.cell = what, cells.find("rnn")
        self.init, self.state, self.project = self.cell.init, self.cell.state, self.cell.project

    init = state = None

    def step(self, parameters, state, x):
        (h,), _ = self.cell.step(parameters, state, x)
        h = self.what(h)
        return (h,), h


CELLS = [*(cells.find(n) for n in ("rnn", "rnn,nonlinearity=relu", "lstm", "gru", "mingru")), Odd()]


def made(cell, dtype=torch.float64, rows=4, time=6, inputs=3, hidden=5):
    draw = torch.Generator().manual_seed(3)
    own = cell.init(np.random.default_rng(1), inputs, hidden)
    parameters = {n: torch.from_numpy(p).to(dtype).requires_grad_() for n, p in own.items()}
    xs = torch.randn(rows, time, inputs, dtype=dtype, generator=draw).requires_grad_()
    fresh = cell.state(parameters, rows)
    state = tuple(torch.randn(s.shape, dtype=dtype, generator=draw).requires_grad_() for s in fresh)
    return parameters, xs, state


def loss(found):
    outputs, last = found
    return (outputs.sin() * torch.arange(1, outputs.shape[1] + 1)[:, None]).sum() + sum((s * s).sum() for s in last)


@pytest.mark.parametrize("lengths", [None, [6, 0, 2, 5]])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_recorded_steps_are_the_steps(cell, lengths):
    parameters, xs, state = made(cell)
    lengths = None if lengths is None else torch.tensor(lengths)
    every = [*parameters.values(), xs, *state]
    values, first, second = [], [], []
    for way in (recorded.scan, reference.steps):
        found = way(cell, parameters, cell.project(parameters, xs), state, lengths)
        values.append([found[0], *found[1]])
        first.append(torch.autograd.grad(loss(found), every, retain_graph=True, allow_unused=True))
        once = torch.autograd.grad(loss(found), every, create_graph=True, allow_unused=True)
        total = sum((g.sin() ** 2).sum() for g in once if g is not None)
        second.append(torch.autograd.grad(total, every, allow_unused=True))
    for mine, plain in (values, first, second):
        for a, b in zip(mine, plain, strict=True):
            a, b = (torch.zeros(1) if g is None else g for g in (a, b))
            torch.testing.assert_close(a, b.expand_as(a), rtol=1e-11, atol=1e-11, check_dtype=False)


def test_what_needs_no_gradient_has_none():
    cell = Odd()
    parameters, xs, state = made(cell)
    parameters = {n: p.detach().requires_grad_(n == "u") for n, p in parameters.items()}
    grads = []
    for way in (recorded.scan, reference.steps):
        found = way(cell, parameters, xs.detach(), tuple(s.detach() for s in state), None)
        grads += torch.autograd.grad(loss(found), [parameters["u"]])
    torch.testing.assert_close(*grads)
    with torch.no_grad():
        assert recorded.scan(cell, parameters, xs, state, None) is None


def _branches(h):
    return h * 2 if h.sum() > 0 else h


def _draws(h):
    return h * torch.rand_like(h)


def _writes(h):
    h = h.clone()
    h[:, 0] = 0
    return h


@pytest.mark.parametrize("what", [_branches, _draws, _writes])
def test_what_cannot_be_recorded_is_run_as_it_is_written(what, monkeypatch):
    monkeypatch.setattr(recorded, "LEAST", 0)
    cell = Wrapped(what)
    parameters, xs, state = made(cell)
    assert recorded.scan(cell, parameters, cell.project(parameters, xs), state, None) is None
    found = []
    for way in (engine.scan, engine.stepped):
        torch.manual_seed(0)
        found.append(torch.autograd.grad(loss(way(cell, parameters, xs, state)), xs)[0])
    torch.testing.assert_close(*found)


def test_the_engine_records_and_half_precision_is_near(monkeypatch):
    monkeypatch.setattr(recorded, "LEAST", 0)
    cell = Odd()
    parameters, xs, state = made(cell, torch.float32)
    exact = loss(engine.stepped(cell, parameters, xs, state))
    with torch.autocast("cpu", torch.bfloat16):
        outputs, last = engine.scan(cell, parameters, xs, state)
    assert type(outputs.grad_fn).__name__ == "_ScanBackward"
    assert {outputs.dtype, *(s.dtype for s in last)} == {torch.float32}
    for a, b in zip(
        *(torch.autograd.grad(x, [parameters["u"], xs]) for x in (loss((outputs, last)), exact)), strict=True
    ):
        assert (a - b).norm() < 0.05 * b.norm()
