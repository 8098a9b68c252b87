"""helo.nn.Recurrent in place of torch.nn.LSTM, GRU and RNN."""

from __future__ import annotations

import copy
import functools
import io
import itertools
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence  # noqa: E402

import helo  # noqa: E402
from helo import cells  # noqa: E402
from helo.cells.base import zeros  # noqa: E402
from helo.cells.functions import namespace  # noqa: E402
from helo.errors import HeloError  # noqa: E402

INPUTS, HIDDEN, BATCH, TIME = 5, 8, 4, 7
THEIRS = {
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
    "rnn": torch.nn.RNN,
    "rnn,nonlinearity=relu": functools.partial(torch.nn.RNN, nonlinearity="relu"),
}
FORMS = ("batch", "alone", "packed", "unsorted", "lengths")
sizes = pytest.mark.parametrize("layers, bidirectional", [(1, False), (3, False), (1, True), (2, True)])
of_torch = pytest.mark.parametrize("cell", THEIRS)


def pair(cell, layers=1, **said):
    """torch's module and ours, with its weights."""
    torch.manual_seed(0)
    said = {"batch_first": True} | said
    theirs = THEIRS[cell](INPUTS, HIDDEN, layers, **said)
    ours = helo.nn.Recurrent(cell, INPUTS, HIDDEN, layers, **said)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def close(one, other, tolerance=1e-5):
    torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def in_form(form, batch_first, dtype):
    """A leaf, what a module is given of it, and the lengths that torch's has to be told by packing."""
    if form == "alone":
        xs = torch.randn(TIME, INPUTS, dtype=dtype, requires_grad=True)
        return xs, xs, None
    shape = (BATCH, TIME) if batch_first else (TIME, BATCH)
    xs = torch.randn(*shape, INPUTS, dtype=dtype, requires_grad=True)
    if form == "batch":
        return xs, xs, None
    lengths = torch.tensor([TIME, 5, 5, 1] if form == "packed" else [3, TIME, 1, 5])
    packed = pack_padded_sequence(xs, lengths, batch_first, enforce_sorted=form == "packed")
    return xs, packed, lengths


@of_torch
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-ways"])
def test_equal_to_torch(cell, layers, bidirectional):
    """Values, shapes, gradients of weights, inputs and states, over all that can be said and given."""
    for batch_first, bias, form, given, dtype in itertools.product(
        (True, False), (True, False), FORMS, (False, True), (torch.float32, torch.float64)
    ):
        said = {"bidirectional": bidirectional, "bias": bias, "batch_first": batch_first, "dtype": dtype}
        theirs, ours = pair(cell, layers, **said)
        found = []
        for module in (theirs, ours):
            torch.manual_seed(1)
            xs, read, lengths = in_form(form, batch_first, dtype)
            shape = (layers * (1 + bidirectional), *(() if form == "alone" else (BATCH,)), HIDDEN)
            state = tuple(torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(1 + (cell == "lstm")))
            start = (state if cell == "lstm" else state[0]) if given else None
            if form == "lengths" and module is ours:
                outputs, last = ours(xs, start, lengths)
            else:
                outputs, last = module(read, start)
            if isinstance(outputs, PackedSequence) and form == "lengths":
                outputs, _ = pad_packed_sequence(outputs, batch_first, total_length=TIME)
            flat = outputs.data if isinstance(outputs, PackedSequence) else outputs
            loss = flat.square().sum() + sum(s.sin().sum() for s in parts(last))
            leaves = [*module.parameters(), xs, *(state if given else ())]
            found.append((outputs, last, torch.autograd.grad(loss, leaves)))
        tolerance = 1e-4 if dtype == torch.float32 else 1e-10
        (expected, ended, gradients), (outputs, last, ours_) = found
        assert (type(outputs), isinstance(last, tuple)) == (type(expected), isinstance(ended, tuple)), said
        if isinstance(outputs, PackedSequence):
            for one, other in zip(outputs, expected, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    close(one, other, tolerance)
        else:
            close(outputs, expected, tolerance)
        for one, other in zip((*parts(last), *ours_), (*parts(ended), *gradients), strict=True):
            close(one, other, tolerance)


@of_torch
@pytest.mark.parametrize("form", FORMS[:4])
def test_dropout_as_torch(cell, form):
    """Nothing in evaluation; all of it, which needs no chance, in training."""
    for share, training in ((0.4, False), (1.0, True)):
        theirs, ours = pair(cell, 2, dropout=share, bidirectional=True)
        theirs.train(training), ours.train(training)
        _, read, _ = in_form(form, True, torch.float32)
        expected, found = (m(read)[0] for m in (theirs, ours))
        close(*(m.data if isinstance(m, PackedSequence) else m for m in (found, expected)))


@of_torch
def test_dropout_by_the_same_chance(cell):
    theirs, ours = pair(cell, 3, dropout=0.4)
    xs, found = torch.randn(BATCH, TIME, INPUTS), []
    for module in (theirs, ours):
        torch.manual_seed(1)
        found.append(module(xs)[0])
    close(*found)


@of_torch
def test_nothing_in_the_batch(cell):
    theirs, ours = pair(cell, 2)
    (expected, ended), (outputs, last) = (m(torch.zeros(0, TIME, INPUTS)) for m in (theirs, ours))
    assert outputs.shape == expected.shape
    assert [s.shape for s in parts(last)] == [s.shape for s in parts(ended)]


@pytest.mark.parametrize(
    "said",
    [
        {"num_layers": 0}, {"num_layers": 1.0}, {"hidden_size": 0}, {"input_size": -1}, {"input_size": 0},
        {"dropout": 2}, {"dropout": -0.1}, {"dropout": True}, {"dropout": "x"}, {"bias": 1}, {"proj_size": -1},
    ],
    ids=str,
)  # fmt: skip
def test_what_torch_refuses_to_make(said):
    sizes = {"input_size": INPUTS, "hidden_size": HIDDEN}
    with pytest.raises((ValueError, TypeError)):
        torch.nn.LSTM(**sizes | said)
    with pytest.raises(HeloError, match=next(iter(said))):
        helo.nn.Recurrent("lstm", **sizes | said)


WRONG = {
    "time": torch.zeros(BATCH, 0, INPUTS),
    "features": torch.zeros(BATCH, TIME, INPUTS + 1),
    "dimensions": torch.zeros(1, BATCH, TIME, INPUTS),
    "one dimension": torch.zeros(INPUTS),
    "no sequence": torch.zeros(0, INPUTS),
    "float64": torch.zeros(BATCH, TIME, INPUTS, dtype=torch.float64),
    "int64": torch.zeros(BATCH, TIME, INPUTS, dtype=torch.int64),
}


@pytest.mark.parametrize("wrong", WRONG)
@of_torch
def test_inputs_that_torch_refuses(cell, wrong):
    theirs, ours = pair(cell)
    with pytest.raises((RuntimeError, ValueError)):
        theirs(WRONG[wrong])
    with pytest.raises(HeloError):
        ours(WRONG[wrong])


STATES = {
    "batch of one": (1, 1, HIDDEN), "another batch": (1, BATCH + 4, HIDDEN), "too many layers": (3, BATCH, HIDDEN),
    "no layer": (0, BATCH, HIDDEN), "another size": (1, BATCH, HIDDEN - 1), "no batch": (1, HIDDEN),
    "one more": (1, BATCH, HIDDEN, 1), "nothing": (),
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [*STATES, "float64", "another device", "a part more", "a list of numbers", "a number"]
)
@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("form", ["batch", "packed"])
def test_states_that_do_not_fit(cell, wrong, form):
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN)
    _, read, _ = in_form(form, True, torch.float32)
    _, good = model(read)
    if wrong in STATES:
        states = [tuple(torch.zeros(STATES[wrong]) for _ in parts(good))]
        if len(parts(good)) > 1:  # one part alone is enough
            states += [(states[0][0], good[1]), (good[0], states[0][1])]
    else:
        states = [
            {
                "float64": tuple(s.double() for s in parts(good)),
                "another device": tuple(s.to("meta") for s in parts(good)),
                "a part more": (*parts(good), parts(good)[0]),
                "a list of numbers": [1.0, 2.0],
                "a number": 5,
            }[wrong]
        ]
    for state in states:
        with pytest.raises(HeloError, match="state"):
            model(read, state)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("make", [np.zeros, torch.zeros], ids=["numpy", "torch"])
def test_states_that_do_not_fit_an_engine(cell, make):
    found = cells.find(cell)
    array = np.asarray if make is np.zeros else torch.from_numpy
    parameters = {n: array(p) for n, p in found.init(np.random.default_rng(0), INPUTS, HIDDEN).items()}
    xs, good = make((BATCH, TIME, INPUTS)), found.state(parameters, BATCH)
    xs = xs.astype(np.float32) if make is np.zeros else xs
    helo.engines.scan(found, parameters, xs, good)
    with pytest.raises(Exception, match=r"features|shape|core|size"):
        helo.engines.scan(found, parameters, xs[..., :-1], good)
    for state in (found.state(parameters, 1), found.state(parameters, BATCH + 3), good[:-1], (*good, good[0])):
        with pytest.raises(HeloError, match="state"):
            helo.engines.scan(found, parameters, xs, state)


@pytest.mark.parametrize("cell", cells.names())
def test_state_of_one_sequence(cell):
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=True)
    xs = torch.randn(BATCH, TIME, INPUTS)
    outputs, state = model(xs)
    alone, own = model(xs[1])
    close(alone, outputs[1])
    for s, o in zip(parts(state), parts(own), strict=True):
        close(o, s[:, 1])
    again, _ = model(xs[1], own)
    expected, _ = model(xs, state)
    close(again, expected[1])
    with pytest.raises(HeloError):
        model(xs[1], state)
    with pytest.raises(HeloError):
        model(xs, own)


@pytest.mark.parametrize("make", [list, tuple, np.array, torch.tensor, lambda n: torch.tensor(n, dtype=torch.int32)])
@pytest.mark.parametrize("cell", cells.names())
def test_lengths_in_any_form(cell, make):
    """Outputs behind a row's end are 0, whatever stands there; a row of none keeps its state."""
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=True)
    xs, lengths = torch.randn(BATCH, TIME, INPUTS), [3, TIME, 0, 5]
    _, start = model(torch.randn(BATCH, 2, INPUTS))
    outputs, last = model(xs, start, make(lengths))
    wild = xs.clone()
    for row, length in enumerate(lengths):
        wild[row, length:] = 1e6
        assert not outputs[row, length:].any()
    close(model(wild, start, lengths)[0], outputs)
    for s, begun in zip(parts(last), parts(start), strict=True):
        assert torch.equal(s[:, 2], begun[:, 2])
    first = helo.nn.Recurrent(cell, INPUTS, HIDDEN, batch_first=False)
    time_first, _ = first(xs.transpose(0, 1), lengths=make(lengths))
    assert time_first.shape == (TIME, BATCH, HIDDEN)
    assert not time_first[3:, 0].any()


@pytest.mark.parametrize(
    "lengths",
    [[1, 2], [1, 2, 3, TIME + 1], [1, 2, 3, -1], [1.0, 2.0, 3.0, 4.0], [[1], [2], [3], [4]], [True] * 4, 5, iter([1, 2]),
     "1234", ["1"] * 4, [None] * 4, [[1], [2, 3], [3], [4]], [1, 2, 3, 10**30], {1: 1}, np.array([1, 2, 3, 2**63], np.uint64),
     torch.tensor([1, 2, 3, 9], dtype=torch.uint64), torch.ones(4, dtype=torch.int64, device="meta")],
    ids=lambda lengths: type(lengths).__name__,
)  # fmt: skip
def test_lengths_that_do_not_fit(lengths):
    with pytest.raises(HeloError, match="length"):
        helo.nn.Recurrent("gru", INPUTS, HIDDEN)(torch.zeros(BATCH, TIME, INPUTS), lengths=lengths)


@pytest.mark.parametrize("cell", [*cells.names(), "rnn,nonlinearity=relu"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("wild", [float("nan"), float("inf"), 3e38])
def test_nothing_in_the_padding_reaches_anything(cell, bidirectional, wild):
    """Neither outputs nor states nor gradients, be it NaN; in a row of no steps all is padding."""
    model, lengths, found = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=bidirectional), [TIME, 2, 0, 1], []
    for behind in (0.0, wild):
        xs = torch.linspace(-1, 1, BATCH * TIME * INPUTS).reshape(BATCH, TIME, INPUTS)
        for row, length in enumerate(lengths):
            xs[row, length:] = behind
        xs.requires_grad_()
        outputs, last = model(xs, lengths=lengths)
        loss = outputs.square().sum() + sum(s.sum() for s in parts(last))
        found.append((outputs, *parts(last), *torch.autograd.grad(loss, [xs, *model.parameters()])))
    close(*found)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.filterwarnings("ignore")  # torch's tracer is on its way out
def test_traced(cell):
    """With torch's own checks; other sizes than those of the example too."""
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=True).eval()
    traced, xs = torch.jit.trace(model, torch.randn(2, 5, INPUTS)), torch.randn(3, 9, INPUTS)
    close(traced(xs)[0], model(xs)[0])


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.filterwarnings("ignore")
def test_exported_with_lengths(cell):
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=True).eval()
    xs, lengths = torch.randn(2, 6, INPUTS), torch.tensor([6, 3])
    exported = torch.export.export(model, (xs,), {"lengths": lengths}).module()
    for some in (lengths, torch.tensor([2, 5])):
        (outputs, last), (expected, ended) = exported(xs, lengths=some), model(xs, lengths=some)
        close((outputs, *parts(last)), (expected, *parts(ended)))


@pytest.mark.parametrize(
    "wrong", [None, 3.0, [[1.0] * INPUTS], np.zeros((BATCH, TIME, INPUTS), np.float32), torch.zeros(3, INPUTS).to_sparse()],
    ids=lambda x: type(x).__name__,
)  # fmt: skip
def test_what_is_no_input(wrong):
    with pytest.raises(HeloError, match="inputs"):
        helo.nn.Recurrent("gru", INPUTS, HIDDEN)(wrong)


@pytest.mark.parametrize(
    "said",
    [{"cell": None}, {"cell": torch.nn.LSTM}, {"cell": b"lstm"}, {"dtype": torch.int32}, {"dtype": "float32"},
     {"dtype": torch.complex64}, {"device": "nowhere"}, {"device": 3.5}, {"seed": -1}, {"seed": "x"}, {"seed": 1.5}, {"seed": True}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_made(said):
    with pytest.raises(HeloError, match=next(iter(said))):
        helo.nn.Recurrent(**{"cell": "gru", "input_size": INPUTS, "hidden_size": HIDDEN} | said)


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
        return helo.nn.Recurrent("gru", 3, 4, seed=seed).state_dict()["weight_ih_l0"]

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
    with pytest.warns(UserWarning, match="dropout"):
        one = helo.nn.Recurrent("gru", 3, 4, dropout=0.5, seed=0)
    assert torch.equal(one(xs)[0], one(xs)[0]), "there is nothing between one layer and itself"


def test_saved_and_loaded():
    one, other = (helo.nn.Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True, seed=s) for s in (0, 1))
    other.load_state_dict(one.state_dict())
    xs = torch.randn(2, 6, 3)
    assert torch.equal(one(xs)[0], other(xs)[0])


def test_other_weights_are_refused():
    for ours, theirs in (
        (helo.nn.Recurrent("lstm", 3, 4, 2), torch.nn.LSTM(3, 4, 1)),
        (helo.nn.Recurrent("lstm", 3, 4, 1), torch.nn.LSTM(3, 4, 2)),
        (helo.nn.Recurrent("lstm", 3, 4), torch.nn.LSTM(3, 5)),
        (helo.nn.Recurrent("lstm", 3, 4), torch.nn.LSTM(3, 4, bias=False)),
        (helo.nn.Recurrent("lstm,bias=false", 3, 4), torch.nn.LSTM(3, 4)),
        (helo.nn.Recurrent("lstm", 3, 4), torch.nn.LSTM(3, 4, bidirectional=True)),
        (helo.nn.Recurrent("lstm", 3, 4), torch.nn.GRU(3, 4)),
    ):
        with pytest.raises(RuntimeError, match="state_dict"):
            ours.load_state_dict(theirs.state_dict())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_weights_of_earlier_versions(bidirectional):
    """Named by a number for every layer and direction; below other modules too."""
    model = torch.nn.Sequential(helo.nn.Recurrent("gru", 3, 4, 2, bidirectional=bidirectional))
    before, kept = {}, model.state_dict()
    for at, own in enumerate(model[0].names):
        before |= {f"0.layers.{at}.{name}": torch.randn_like(kept[f"0.{ours}"]) for name, ours in own.items()}
    model.load_state_dict(before)
    assert torch.equal(model[0].weight_hh_l1, before[f"0.layers.{2 if bidirectional else 1}.weight_hh"])
    if bidirectional:
        assert torch.equal(model[0].bias_ih_l0_reverse, before["0.layers.1.bias_ih"])


@pytest.mark.parametrize("cell", cells.names())
def test_copied_and_sent(cell):
    """deepcopy, pickle, torch.save: the same answers, from memory of its own."""
    model = helo.nn.Recurrent(cell, 3, 4, num_layers=2, bidirectional=True)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    xs = torch.randn(2, 6, 3)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(buffer, weights_only=False)):
        assert torch.equal(other(xs)[0], model(xs)[0])
        assert repr(other) == repr(model)
        other.flatten_parameters()
        with torch.no_grad():
            next(other.parameters()).add_(1)
        assert not torch.equal(other(xs)[0], model(xs)[0])
    doubled = copy.deepcopy(model).double()
    assert {s.dtype for s in (doubled(xs.double())[0], *parts(doubled(xs.double())[1]))} == {torch.float64}


@of_torch
def test_all_weights_as_torch(cell):
    theirs, ours = pair(cell, 2, bidirectional=True, bias=False)
    assert [[w.shape for w in own] for own in ours.all_weights] == [
        [w.shape for w in own] for own in theirs.all_weights
    ]
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("cell", cells.names())
def test_made_where_and_as_asked(cell):
    model = helo.nn.Recurrent(cell, 3, 4, device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in model.parameters()} == {("meta", torch.float64)}
    with torch.device("meta"):
        meta = helo.nn.Recurrent(cell, 3, 4, 2)
    assert next(meta.parameters()).is_meta
    there = meta.to_empty(device="cpu")
    there.reset_parameters(seed=5)
    for p, q in zip(there.parameters(), helo.nn.Recurrent(cell, 3, 4, 2, seed=5).parameters(), strict=True):
        assert torch.equal(p, q)
    half = helo.nn.Recurrent(cell, 3, 4, dtype=torch.bfloat16)
    outputs, state = half(torch.randn(2, 5, 3, dtype=torch.bfloat16))
    assert {s.dtype for s in (outputs, *parts(state))} == {torch.bfloat16}


def test_options_of_the_cell():
    relu = helo.nn.Recurrent("rnn", 3, 4, nonlinearity="relu", bias=False)
    assert (relu.cell.nonlinearity, relu.cell.bias) == ("relu", False)
    for cell, wrong in (
        ("lstm", {"nonlinearity": "relu"}),
        ("rnn", {"nonlinearity": "sin"}),
        ("lstm", {"proj_size": 2}),
    ):
        with pytest.raises(HeloError, match=next(iter(wrong))):
            helo.nn.Recurrent(cell, 3, 4, **wrong)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("lengths", [None, [7, 3, 1, 0]])
def test_state_under_autocast(cell, lengths):
    """Products in bfloat16; what is carried is float32, and a chunk goes on from it."""
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2)
    xs = torch.randn(BATCH, TIME, INPUTS)
    with torch.autocast("cpu", torch.bfloat16):
        _, state = model(xs, lengths=lengths)
        _, state = model(xs, state)
    assert {s.dtype for s in parts(state)} == {torch.float32}


@pytest.mark.parametrize("cell", cells.names())
def test_called_with_other_parameters(cell):
    one, other = (helo.nn.Recurrent(cell, 3, 4, 2, seed=s) for s in (0, 1))
    xs = torch.randn(2, 6, 3)
    found = torch.func.functional_call(one, dict(other.named_parameters()), (xs,))
    assert torch.equal(found[0], other(xs)[0])


@pytest.mark.parametrize("cell", cells.names())
def test_gradients_of_gradients(cell):
    model = helo.nn.Recurrent(cell, 2, 3, dtype=torch.float64)
    state = tuple(
        torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
        for _ in parts(model(torch.zeros(1, 1, 2).double())[1])
    )
    xs = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda xs, *s: model(xs, s if len(s) > 1 else s[0])[0], (xs, *state))


@pytest.mark.filterwarnings("ignore")  # what torch's compiler says of itself
@pytest.mark.parametrize("cell", cells.names())
def test_compiled_in_training(cell):
    """As torch compiles its own: round the fused kernels. What has none is one graph."""
    torch._dynamo.reset()
    model = helo.nn.Recurrent(cell, 3, 4)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=cell == "mingru")
    xs = torch.randn(2, 6, 3)
    with torch.no_grad():
        _, state = model(torch.randn(2, 2, 3))
    gradients = []
    for module in (model, compiled):
        outputs, _ = module(xs, state)
        gradients.append(torch.autograd.grad(outputs.square().sum(), list(model.parameters())))
    for one, other in zip(*gradients, strict=True):
        close(one, other)
    lengths = torch.tensor([4, 0])
    close(compiled(xs, state, lengths)[0], model(xs, state, lengths)[0])


@pytest.mark.filterwarnings("ignore")
def test_a_cell_of_ones_own_is_one_graph():
    torch._dynamo.reset()

    class Own(cells.Cell):
        def init(self, rng, inputs, hidden):
            return {"enters": rng.standard_normal((hidden, inputs)).astype(np.float32)}

        def state(self, parameters, batch):
            return (zeros(parameters, "enters", batch, parameters["enters"].shape[0]),)

        def step(self, parameters, state, x):
            h = namespace(x).tanh(x @ parameters["enters"].T + 0.5 * state[0])
            return (h,), h

    model = helo.nn.Recurrent(Own(), np.int64(3), 4, 2, bidirectional=True)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    xs, lengths = torch.randn(2, 6, 3), torch.tensor([4, 0])
    close(compiled(xs)[0], model(xs)[0])
    close(compiled(xs, None, lengths)[0], model(xs, None, lengths)[0])


class Flat(torch.nn.Module):
    """With the parts of a state one by one, as an export wants them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, xs, *state):
        outputs, last = self.model(xs, state if len(state) > 1 else state[0])
        return outputs, *parts(last)


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "exported"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "two-ways"])
@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.filterwarnings("ignore")  # of torch's exporters, which are in the middle of being replaced by each other
def test_onnx(cell, bidirectional, dynamo, tmp_path):
    """Other batches too; and other lengths, by the exporter of the two that can."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript" if dynamo else "onnx")
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=bidirectional).eval()

    def given(batch, time):
        _, state = model(torch.randn(batch, 3, INPUTS))
        return torch.randn(batch, time, INPUTS), *(s.detach() for s in parts(state))

    example, file = given(2, 6), tmp_path / "model.onnx"
    names = ["xs", *(f"state{i}" for i in range(len(example) - 1))]
    if dynamo:
        batch = torch.export.Dim("batch")
        shapes = {"xs": {0: batch}, "state": tuple({1: batch} for _ in names[1:])}
        torch.onnx.export(
            Flat(model), example, file, dynamo=True, dynamic_shapes=shapes, input_names=names, verbose=False
        )
    else:
        axes = {"xs": {0: "batch", 1: "time"}} | {name: {1: "batch"} for name in names[1:]}
        torch.onnx.export(Flat(model), example, file, dynamo=False, dynamic_axes=axes, input_names=names)
    session = runtime.InferenceSession(file)
    for batch, time in ((2, 6), (5, 6), (1, 6), *(() if dynamo else ((3, 17), (3, 1)))):
        arrays = given(batch, time)
        found = session.run(None, {name: a.numpy() for name, a in zip(names, arrays, strict=True)})
        for one, other in zip(found, Flat(model)(*arrays), strict=True):
            close(torch.from_numpy(one), other.detach())


class Given(Flat):
    def forward(self, xs, lengths):
        outputs, last = self.model(xs, None, lengths)
        return outputs, *parts(last)


class Packing(Flat):
    def forward(self, xs, lengths):
        outputs, last = self.model(pack_padded_sequence(xs, lengths, batch_first=True, enforce_sorted=False))
        return pad_packed_sequence(outputs, batch_first=True)[0], *parts(last)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.filterwarnings("ignore")
def test_onnx_of_rows_of_several_lengths(cell, tmp_path):
    """In two ways, as lengths and as torch packs them; with other batches and times than the example's."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = helo.nn.Recurrent(cell, INPUTS, HIDDEN, 2, bidirectional=True).eval()

    axes = {"xs": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
    for form in (Packing(model), Given(model)):
        example, file = (torch.randn(3, 6, INPUTS), torch.tensor([6, 2, 4])), tmp_path / f"{type(form).__name__}.onnx"
        torch.onnx.export(form, example, file, dynamo=False, dynamic_axes=axes, input_names=list(axes))
        session = runtime.InferenceSession(file)
        for lengths in ([6, 2, 4], [2, 9], [1]):
            xs, ends = torch.randn(len(lengths), max(lengths), INPUTS), torch.tensor(lengths)
            found = session.run(None, {"xs": xs.numpy(), "lengths": ends.numpy()})
            for one, other in zip(found, form(xs, ends), strict=True):
                close(torch.from_numpy(one), other.detach())


def test_many_models_at_once():
    """`torch.vmap` over parameters, over rows, and of what torch.func makes of it; torch's own kernels have no such rule."""
    models = [helo.nn.Recurrent("mingru", 3, 4, 2, bidirectional=True) for _ in range(3)]
    xs = torch.randn(2, 5, 3)
    together, _ = torch.func.stack_module_state(models)

    def called(p, xs):
        return torch.func.functional_call(models[0], p, (xs,))[0]

    for one, model in zip(torch.vmap(called, (0, None))(together, xs), models, strict=True):
        close(one, model(xs)[0])
    own = {name: p.detach() for name, p in models[0].named_parameters()}
    each = torch.vmap(torch.func.grad(lambda p, x: called(p, x[None]).square().sum()), (None, 0))(own, xs)
    models[0](xs)[0].square().sum().backward()
    for name, p in models[0].named_parameters():
        close(each[name].sum(0), p.grad)
    slopes = torch.func.jacrev(lambda x: called(own, x))(xs)
    close(slopes, torch.autograd.functional.jacobian(lambda x: called(own, x), xs))


def test_unknown_cell():
    with pytest.raises(HeloError, match="'lstm'"):
        helo.nn.Recurrent("lstn", 3, 4)
