"""helo.nn.Recurrent in place of torch.nn.LSTM, GRU and RNN."""

from __future__ import annotations

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import helo  # noqa: E402
from helo import cells  # noqa: E402
from helo.errors import HeloError  # noqa: E402

INPUTS, HIDDEN, BATCH, TIME = 5, 8, 4, 7
THEIRS = {
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
    "rnn": torch.nn.RNN,
    "rnn,nonlinearity=relu": lambda *a, **k: torch.nn.RNN(*a, nonlinearity="relu", **k),
}
sizes = pytest.mark.parametrize("layers, bidirectional", [(1, False), (3, False), (1, True), (2, True)])
of_torch = pytest.mark.parametrize("cell", THEIRS)


def pair(cell, layers=1, bidirectional=False, bias=True):
    """torch's module and ours, with its weights."""
    torch.manual_seed(0)
    theirs = THEIRS[cell](INPUTS, HIDDEN, layers, batch_first=True, bidirectional=bidirectional, bias=bias)
    spec = cell if bias else f"{cell},bias=false"
    ours = helo.nn.Recurrent(spec, INPUTS, HIDDEN, num_layers=layers, bidirectional=bidirectional)
    ours.load_torch(theirs)
    return theirs, ours


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def close(one, other, tolerance=1e-5):
    torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@of_torch
@sizes
@pytest.mark.parametrize("bias", [True, False])
def test_equal_to_torch(cell, layers, bidirectional, bias):
    theirs, ours = pair(cell, layers, bidirectional, bias)
    xs = torch.randn(BATCH, TIME, INPUTS)
    expected, last = theirs(xs)
    found, ended = ours(xs)
    close(found, expected)
    assert isinstance(ended, tuple) == isinstance(last, tuple)
    for a, b in zip(parts(ended), parts(last), strict=True):
        close(a, b)


@of_torch
def test_equal_gradients(cell):
    theirs, ours = pair(cell, 2)
    xs = torch.randn(BATCH, TIME, INPUTS)
    for model in (theirs, ours):
        model(xs)[0].square().sum().backward()
    for name, p in ours.named_parameters():
        _, layer, own = name.split(".")
        close(p.grad, getattr(theirs, f"{own}_l{layer}").grad, 1e-4)


@of_torch
@sizes
def test_from_a_given_state(cell, layers, bidirectional):
    theirs, ours = pair(cell, layers, bidirectional)
    xs, rows = torch.randn(BATCH, TIME, INPUTS), layers * (2 if bidirectional else 1)
    start = tuple(torch.randn(rows, BATCH, HIDDEN) for _ in range(2 if cell == "lstm" else 1))
    start = start if cell == "lstm" else start[0]
    (expected, last), (found, ended) = theirs(xs, start), ours(xs, start)
    close(found, expected)
    for a, b in zip(parts(ended), parts(last), strict=True):
        close(a, b)


@of_torch
@sizes
def test_lengths_against_packed_sequences(cell, layers, bidirectional):
    theirs, ours = pair(cell, layers, bidirectional)
    xs, lengths = torch.randn(BATCH, TIME, INPUTS), torch.tensor([3, TIME, 1, 5])
    packed = torch.nn.utils.rnn.pack_padded_sequence(xs, lengths, batch_first=True, enforce_sorted=False)
    expected, last = theirs(packed)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True, total_length=TIME)
    found, ended = ours(xs, lengths=lengths)
    close(found, expected)
    for a, b in zip(parts(ended), parts(last), strict=True):
        close(a, b)
    padding = xs.clone()
    for row, length in enumerate(lengths):
        padding[row, length:] = 1e6
    close(ours(padding, lengths=lengths)[0], found)


@pytest.mark.parametrize("cell", cells.names())
@sizes
def test_shapes_and_carried_state(cell, layers, bidirectional):
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, num_layers=layers, bidirectional=bidirectional, seed=3)
    ways = 2 if bidirectional else 1
    xs = torch.randn(BATCH, TIME, INPUTS)
    outputs, state = model(xs)
    assert outputs.shape == (BATCH, TIME, HIDDEN * ways)
    for s in parts(state):
        assert s.shape[:2] == (layers * ways, BATCH)
    if not bidirectional:
        first, middle = model(xs[:, :3])
        second, last = model(xs[:, 3:], middle)
        close(torch.cat([first, second], 1), outputs)
        for a, b in zip(parts(last), parts(state), strict=True):
            close(a, b)


@pytest.mark.parametrize("cell", cells.names())
def test_every_cell_learns(cell):
    """Whether the first input of the sequence was positive, five steps later."""
    torch.manual_seed(0)
    model, head = helo.nn.Recurrent(cell, 1, 8, num_layers=2, seed=0), torch.nn.Linear(8, 1)
    parameters = [*model.parameters(), *head.parameters()]
    moments = [torch.zeros_like(p) for p in parameters]

    def loss(rows=64):
        xs = torch.randn(rows, 5, 1)
        scores = head(model(xs)[0][:, -1])[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(scores, (xs[:, 0, 0] > 0).float())

    before = loss(512).item()
    for _ in range(120):
        gradients = torch.autograd.grad(loss(), parameters)
        with torch.no_grad():
            for p, g, m in zip(parameters, gradients, moments, strict=True):
                m.mul_(0.9).add_(g.sign())  # of one size, so that every cell needs about as many steps
                p.sub_(0.003 * m)
    assert before > 0.6
    assert loss(512).item() < 0.4


@pytest.mark.parametrize("cell", cells.names())
def test_no_two_parameters_are_one(cell):
    """Each is its own memory: what is written to one leaves the others as they are."""
    fresh = cells.find(cell).init(np.random.default_rng(0), INPUTS, HIDDEN)
    names = list(fresh)
    for i, name in enumerate(names):
        assert not any(np.shares_memory(fresh[name], fresh[other]) for other in names[i + 1 :])
    assert {p.dtype for p in fresh.values()} == {np.dtype(np.float32)}


def test_forget_gate_starts_at_one():
    fresh = cells.find("lstm").init(np.random.default_rng(0), INPUTS, HIDDEN)
    bias = (fresh["bias_ih"] + fresh["bias_hh"]).reshape(4, HIDDEN)
    assert bias.tolist() == [[0.0] * HIDDEN, [1.0] * HIDDEN, [0.0] * HIDDEN, [0.0] * HIDDEN]
    other = cells.find("lstm,forget_bias=2.5").init(np.random.default_rng(0), INPUTS, HIDDEN)
    assert (other["bias_ih"] + other["bias_hh"])[HIDDEN : 2 * HIDDEN].tolist() == [2.5] * HIDDEN


def test_update_gate_starts_at_one():
    fresh = cells.find("gru").init(np.random.default_rng(0), INPUTS, HIDDEN)
    bias = (fresh["bias_ih"] + fresh["bias_hh"]).reshape(3, HIDDEN)
    assert bias.tolist() == [[0.0] * HIDDEN, [1.0] * HIDDEN, [0.0] * HIDDEN]


def test_seed():
    """The same, the same parameters; without one, torch's own decides."""

    def weights(seed):
        return helo.nn.Recurrent("gru", 3, 4, seed=seed).state_dict()["layers.0.weight_ih"]

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    torch.manual_seed(5)
    one = weights(None)
    torch.manual_seed(5)
    assert torch.equal(one, weights(None))
    assert not torch.equal(one, weights(None))


def test_dropout_between_layers_in_training_only():
    model = helo.nn.Recurrent("gru", 3, 4, num_layers=2, dropout=0.5, seed=0)
    xs = torch.randn(2, 6, 3)
    assert not torch.equal(model(xs)[0], model(xs)[0])
    model.eval()
    assert torch.equal(model(xs)[0], model(xs)[0])
    one = helo.nn.Recurrent("gru", 3, 4, dropout=0.5, seed=0)
    assert torch.equal(one(xs)[0], one(xs)[0]), "there is nothing between one layer and itself"


def test_saved_and_loaded():
    one, other = (helo.nn.Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True, seed=s) for s in (0, 1))
    other.load_state_dict(one.state_dict())
    xs = torch.randn(2, 6, 3)
    assert torch.equal(one(xs)[0], other(xs)[0])


def test_shape_of_the_input_is_named():
    model = helo.nn.Recurrent("gru", 3, 4)
    for shape in ((2, 6, 5), (6, 3)):
        with pytest.raises(HeloError, match=re.escape(f"{shape}; expected (batch, time, 3)")):
            model(torch.randn(*shape))


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (("lstm", 2), torch.nn.LSTM(3, 4, 1)),
        (("lstm", 1), torch.nn.LSTM(3, 4, 2)),
        (("lstm", 2), torch.nn.LSTM(3, 5, 2)),
        (("lstm", 2), torch.nn.LSTM(3, 4, 2, bias=False)),
        (("lstm,bias=false", 2), torch.nn.LSTM(3, 4, 2)),
        (("lstm", 1), torch.nn.LSTM(3, 4, 1, bidirectional=True)),
        (("lstm", 2), torch.nn.GRU(3, 4, 2)),
        (("rnn", 1), torch.nn.RNN(3, 4, nonlinearity="relu")),
    ],
    ids=lambda v: "-".join(map(str, v)) if isinstance(v, tuple) else str(v),
)
def test_weights_of_another_kind_are_refused(ours, theirs):
    cell, layers = ours
    with pytest.raises(HeloError, match="the same cell, sizes, layers and biases"):
        helo.nn.Recurrent(cell, 3, 4, num_layers=layers).load_torch(theirs)


def test_unknown_cell():
    with pytest.raises(HeloError, match="did you mean 'lstm'"):
        helo.nn.Recurrent("lstn", 3, 4)
