"""How far back the gradient reaches: against what is known (a linear recurrence), autograd by hand and finite differences."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from helo import cells
from helo.errors import HeloError
from test_cli import SMALL, helo, refused, run  # noqa: F401  fixtures
from test_no_torch import without_torch

torch = pytest.importorskip("torch")

from helo.inspection import gradients, memory_problems, saliency  # noqa: E402
from helo.layers import stack  # noqa: E402
from helo.runs import load  # noqa: E402

NAMES = [n for n in cells.names() if "." not in n]
LINEAR = """
from dataclasses import dataclass
import numpy as np
from helo.cells.base import Cell, orthogonal, zeros

@dataclass(frozen=True)
class Linear(Cell):
    radius: float = 1.0

    def init(self, rng, inputs, hidden):
        return {"weight_hh": self.radius * orthogonal(rng, 1, hidden)}

    def state(self, parameters, batch):
        return (zeros(parameters, "weight_hh", batch, parameters["weight_hh"].shape[1]),)

    def step(self, parameters, state, x):
        h = x + state[0] @ parameters["weight_hh"].T
        return (h,), h
"""


@pytest.fixture
def linear(tmp_path):
    file = tmp_path / "linear.py"
    file.write_text(LINEAR)
    return f"{file}:Linear"


def small(name, layers=1, hidden=3, time=6, rows=2):
    cell, rng = cells.find(name), np.random.default_rng(5)
    parameters = {n: p.astype(np.float64) for n, p in stack.init(rng, cell, layers, hidden, hidden).items()}
    xs, towards = rng.standard_normal((rows, time, hidden)), rng.standard_normal((rows, hidden))
    return cell, parameters, xs, towards


def own(parameters, layer):
    return {n.partition(".")[2]: p for n, p in parameters.items() if n.startswith(f"{layer}.")}


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.0, 1.1, 2.0])
def test_a_linear_recurrence_goes_as_its_radius(linear, radius):
    spec = f"{linear},radius={radius}"
    found = gradients.gradient_norms([spec], length=100)[spec]
    want = found["norms"][0] * radius ** np.arange(100.0)
    np.testing.assert_allclose(found["norms"], want, rtol=0.01)
    assert found["factor"] == pytest.approx(radius, rel=0.01)
    assert found["spectral_radius"] == pytest.approx(radius, rel=0.01)
    np.testing.assert_allclose(
        gradients.gradient_norms([linear], scales=[radius], length=100)[linear]["norms"], want, rtol=0.01
    )


def test_it_explodes_where_the_radius_is_large_and_clipping_ends_that():
    found = gradients.gradient_norms(["rnn,nonlinearity=relu", "rnn"], scales=[1, 4], length=50)
    for spec in ("rnn,nonlinearity=relu", "rnn"):
        calm, wild = (found[f"{spec}, scale {s}"] for s in (1, 4))
        assert calm["norms"][-1] < 1e-3 * calm["norms"][0]
        assert wild["norms"][-1] > 1e3 * wild["norms"][0]
        assert wild["spectral_radius"] == pytest.approx(4 * calm["spectral_radius"])
        assert wild["parameter_gradient"] > 1e3
        assert wild["clipped"] == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_every_lag_is_that_of_autograd_by_hand_and_of_finite_differences(name):
    cell, parameters, xs, towards = small(name)
    found = gradients.backpropagate(cell, 1, parameters, xs, towards)
    mine, time = own(parameters, 0), xs.shape[1]
    tensors = {n: torch.from_numpy(p) for n, p in mine.items()}

    def after(state, t, of, xs):
        """L_T of each row as a function of the state after step t."""
        for x in of.project_all(xs)[t + 1 :]:
            state, _ = cell.step(of.parameters, state, x)
        return (state[0] * of.towards).sum(1)

    class Side:
        def __init__(self, parameters, towards):
            self.parameters, self.towards = parameters, towards

        def project_all(self, xs):
            return [cell.project(self.parameters, xs[:, t]) for t in range(time)]

    by_torch, by_numpy = Side(tensors, torch.from_numpy(towards)), Side(mine, towards)
    state = cell.state(mine, len(xs))
    states = []
    for x in by_numpy.project_all(xs):
        state, _ = cell.step(mine, state, x)
        states.append(state)
    for lag in range(time):
        t = time - 1 - lag
        leaves = tuple(torch.from_numpy(s).requires_grad_() for s in states[t])
        slopes = torch.autograd.grad(after(leaves, t, by_torch, torch.from_numpy(xs)).sum(), leaves, allow_unused=True)
        slopes = [torch.zeros_like(s) if g is None else g for g, s in zip(slopes, leaves, strict=True)]
        want = torch.cat(slopes, 1).norm(dim=1).mean()
        assert found["norms"][lag] == pytest.approx(float(want), rel=1e-9)
        differences = []
        for part, s in enumerate(states[t]):
            for i in range(s.shape[1]):
                up, down = ([a.copy() for a in states[t]] for _ in range(2))
                up[part][:, i] += 1e-5
                down[part][:, i] -= 1e-5
                differences.append((after(tuple(up), t, by_numpy, xs) - after(tuple(down), t, by_numpy, xs)) / 2e-5)
        norm = np.linalg.norm(np.stack(differences), axis=0).mean()
        assert found["norms"][lag] == pytest.approx(norm, rel=1e-5)


def test_a_lower_layer_sends_its_gradient_through_those_above_too():
    cell, parameters, xs, towards = small("lstm", layers=2)
    found = gradients.backpropagate(cell, 2, parameters, xs, towards)
    below, above = ({n: torch.from_numpy(p) for n, p in own(parameters, layer).items()} for layer in (0, 1))
    x, nodes = torch.from_numpy(xs), []
    low, high = cell.state(below, len(xs)), cell.state(above, len(xs))
    for t in range(xs.shape[1]):
        low, _ = cell.step(below, low, cell.project(below, x[:, t]))
        low = tuple(s.clone().requires_grad_() for s in low)  # nodes of their own: h and c apart
        for s in low:
            s.retain_grad()
        nodes.append(low)
        high, top = cell.step(above, high, cell.project(above, low[0]))
    (top * torch.from_numpy(towards)).sum().backward()
    grads = [[torch.zeros_like(s) if s.grad is None else s.grad for s in low] for low in reversed(nodes)]
    want = [float(torch.cat(g, 1).norm(dim=1).mean()) for g in grads]
    np.testing.assert_allclose(found["layers"][0], want, rtol=1e-9)
    assert found["layers"][1] == found["norms"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_crosses_the_border_of_a_chunk(name):
    cell, parameters, xs, towards = small(name, layers=2, time=11)
    whole = gradients.backpropagate(cell, 2, parameters, xs, towards)
    cut = gradients.backpropagate(cell, 2, parameters, xs, towards, chunk=4)
    for uncut, layer in zip(whole["layers"], cut["layers"], strict=True):
        np.testing.assert_allclose(layer[:4], uncut[:4], rtol=1e-9)
        assert layer[4:] == [0.0] * 7
        assert all(uncut)
    assert gradients.backpropagate(cell, 2, parameters, xs, towards, chunk=11)["norms"] == pytest.approx(whole["norms"])


def test_the_four_cells_as_the_lecture_says(helo, tmp_path):  # noqa: F811
    code, out, err = helo("gradients", "--out", "g.png", "--json")
    assert code == 0, err
    found = json.loads(out)["cells"]
    assert list(found) == ["rnn", "lstm", "gru", "mingru"]
    fall = {name: cell["norms"][40] / cell["norms"][0] for name, cell in found.items()}
    assert fall["lstm"] > 10 * fall["rnn"]
    assert all(len(cell["norms"]) == 200 for cell in found.values())
    assert found["mingru"]["spectral_radius"] is None
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    closed = gradients.gradient_norms(["lstm,forget_bias=0"])["lstm,forget_bias=0"]
    assert closed["norms"][40] < 0.01 * found["lstm"]["norms"][40]


def test_a_table_and_an_svg(helo, tmp_path):  # noqa: F811
    words = ("--cell", "rnn", "--cell", "gru", "--scale", 1, "--scale", 2, "--length", 30, "--chunk", 10, "--hidden", 8)
    code, out, err = helo("gradients", *words, "--layers", 2, "--out", "g.svg", "--seed", 3)
    assert code == 0, err
    for said in ("rnn, scale 2", "gru, scale 1", "spectral radius", "clipped"):
        assert said in out
    assert "g.svg" in err
    picture = (tmp_path / "g.svg").read_text()
    assert "<svg" in picture
    again = helo("gradients", *words, "--layers", 2, "--seed", 3)[1]
    assert again == out


def test_bad_input_of_fresh_cells(helo, linear, tmp_path):  # noqa: F811
    for words, *said in (
        (("--cell", "lstn"), "lstm"),
        (("--cell", "nowhere.py:X"), "nowhere.py"),
        (("--length", 0), "--length"),
        (("--length", 10**9), "--length"),
        (("--length", 5000, "--hidden", 1024, "--layers", 32), "GB"),
        (("--hidden", 0), "--hidden"),
        (("--chunk", 0), "--chunk"),
        (("--scale", "nan"), "--scale"),
        (("--scale", -1), "--scale"),
        (("--cell", linear, "--scale", 1000), "--scale", "--length"),
        (("--scale", "inf"), "--scale"),
        (("--clip", "nan"), "--clip"),
        (("--clip", 0), "--clip"),
        (("--at", 5), "--at"),
        (("--out", "g.gif"), ".png"),
        (("--out", "g.html"), ".png"),
        (("--out", "text.txt/g.png", "--length", 3), "text.txt"),
        (("nowhere",), "nowhere"),
        (("--tasks", "--chunk", 5), "--chunk"),
        (("--tasks", "--length", 1), "--length"),
        (("--tasks", "--cell", "lstn"), "lstm"),
    ):
        refused(helo("gradients", *words), *said)
    with pytest.raises(HeloError, match="lstm"):
        gradients.gradient_norms(["lstn"])
    for wrong in ({"layers": 0}, {"hidden": 2.5}, {"length": True}, {"chunk": -1}, {"scales": ["2"]}, {"clip": None}):
        with pytest.raises(HeloError, match=next(iter(wrong)).removesuffix("s")[:5]):
            gradients.gradient_norms(["rnn"], **wrong)


def test_without_torch_one_line_says_how_to_get_it(run):  # noqa: F811
    for words in ((), ("--tasks",), (run, "text.txt")):
        done = without_torch("gradients", *words)
        assert done.returncode == 2
        assert "helo[train]" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


# A trained model.


@pytest.fixture
def gru(helo):  # noqa: F811
    words = ("--cell", "gru", "--layers", 2, "--valid", "text.txt", "--normal-form", "none")
    code, _, err = helo("train", "lm", "text.txt", "--out", "gru", *words, *SMALL)
    assert code == 0, err
    return load("gru")


def test_a_prediction_is_that_of_autograd_by_hand(gru, tmp_path):
    looked = saliency.Saliency(gru, ["text.txt"], length=13)
    got = looked.predictions(at=30, count=5)
    assert [p["at"] for p in got] == [26, 27, 28, 29, 30]
    text = (tmp_path / "text.txt").read_text()
    assert [p["text"] for p in got] == list(text[25:30])
    assert got[-1]["before"] == list(text[28:15:-1])
    ids = torch.from_numpy(gru.task.encode(text[:30]).astype(np.int64))[None]
    parameters = {n: torch.from_numpy(p) for n, p in gru.parameters.items()}
    table = parameters["embedding"]
    vectors = table[ids[:, :-1]].requires_grad_()
    # One row of the table for every place, so that the model reads the leaf itself.
    scores, _ = gru.task.model.forward(parameters | {"embedding": vectors[0]}, torch.arange(29)[None])
    said = torch.log_softmax(scores[0, -1], 0)[ids[0, -1]]
    said.backward()
    want = vectors.grad[0].norm(dim=1).flip(0)[:13]
    np.testing.assert_allclose(got[-1]["inputs"], want, rtol=1e-3)
    assert got[-1]["probability"] == pytest.approx(float(said.detach().exp()), rel=1e-4)


def test_lags_are_the_mean_over_places(gru):
    looked = saliency.Saliency(gru, ["text.txt"], length=20)
    n = len(looked.symbols)
    lags = looked.lags(places=10**6)
    assert np.shape(lags["layers"]) == (2, 20)
    assert lags["norms"] == lags["layers"][1]
    assert lags["places"] == n - 20 - 20  # all that have the steps, and as many before them
    every = {p["at"]: p["inputs"] for p in looked.predictions(count=n)}
    assert len(every) == n - 20
    np.testing.assert_allclose(lags["inputs"], np.mean([every[at] for at in range(41, n + 1)], 0), rtol=0.02)
    assert len(looked.predictions(at=2)[0]["inputs"]) == 1
    assert len(looked.predictions(at=5)) == 4


def test_a_run_on_the_terminal_and_as_a_page(helo, gru, tmp_path):  # noqa: F811
    code, out, err = helo("gradients", "gru", "--at", 30, "--length", 12)
    assert code == 0, err
    assert "layer 2" in out
    assert "Symbol 30" in out
    assert "\x1b" not in out
    code, out, err = helo("gradients", "gru", "text.txt", "--at", 30, "--length", 12, "--json", "--out", "p.html")
    assert code == 0, err
    found = json.loads(out)
    assert found["cells"]["gru"]["chunk"] == 8
    assert len(found["cells"]["gru"]["inputs"]) == 12
    assert [b["text"] for b in found["prediction"]["inputs"]][:2] == [
        (tmp_path / "text.txt").read_text()[i] for i in (28, 27)
    ]
    page = (tmp_path / "p.html").read_text()
    assert not re.search(r"(src|href)=[\"'](https?:)?//", page)
    assert page.count("data-s=") == 30
    assert 'class="now"' in page
    assert "aria-live" in page
    code, _, err = helo("gradients", "gru", "--length", 12, "--out", "p.png")
    assert code == 0, err
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_text_that_would_break_a_page_or_a_terminal(helo, tmp_path):  # noqa: F811
    (tmp_path / "wild.txt").write_text("</script><b>\x1b[31m&amp;\u202e 春𝄞\n" * 40)
    code, _, err = helo("train", "lm", "wild.txt", "--out", "wild", *SMALL)
    assert code == 0, err
    code, out, err = helo("gradients", "wild", "wild.txt", "--out", "w.html", "--json")
    assert code == 0, err
    json.loads(out)
    page = (tmp_path / "w.html").read_text()
    assert page.count("<script>") == page.count("</script>") == 1
    assert "<b>" not in page
    for units in ("bytes", "words"):
        code, _, err = helo("train", "lm", "wild.txt", "--out", units, "--units", units, *SMALL)
        assert code == 0, err
        code, _, err = helo("gradients", units, "wild.txt", "--out", "w.html")
        assert code == 0, err


def test_bad_input_of_a_run(helo, run, tmp_path):  # noqa: F811
    (tmp_path / "other.txt").write_text("春眠不觉晓" * 50)
    (tmp_path / "one.txt").write_text("h")
    (tmp_path / "t.tsv").write_text("text\tlabel\n" + "good\tyes\nbad\tno\n" * 20)
    code, _, err = helo(
        "train", "classify", "t.tsv", "--out", "c", "--steps", 2, "--hidden", 4, "--embedding", 4, "--quiet"
    )
    assert code == 0, err
    for words, *said in (
        (("run", "other.txt"), "other.txt", "vocabulary"),
        (("run", "one.txt"), "one.txt"),
        (("run", "missing.txt"), "missing.txt"),
        (("run", "text.txt", "--length", 5000), "--length"),
        (("run", "text.txt", "--at", 10**6), "--at"),
        (("run", "text.txt", "--at", 1), "--at"),
        (("run", "text.txt", "--hidden", 4), "--hidden"),
        (("run", "text.txt", "--scale", 4), "--scale"),
        (("run", "text.txt", "--cell", "gru"), "gru"),
        (("run", "text.txt", "--cell", "gru", "--cell", "lstm"), "2 cells"),
        (("run", "text.txt", "--out", "p.gif"), ".html"),
        (("c", "t.tsv"), "classify", "lm"),
        (("text.txt",), "text.txt"),
    ):
        refused(helo("gradients", *words), *said)
    (tmp_path / "run" / "weights.safetensors").unlink()
    refused(helo("gradients", "run", "text.txt"), "weights.safetensors")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**about, "finished": False}))
    refused(helo("gradients", "run", "text.txt"), "no weights yet")


# The tasks.


def test_what_is_to_be_remembered():
    xs, sums = memory_problems.adding(9).make(np.random.default_rng(1), 50)
    assert xs.shape == (50, 9, 2)
    np.testing.assert_allclose((xs[..., 0] * xs[..., 1]).sum(1), sums[:, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(xs[:, :4, 1].sum(1), 1)
    np.testing.assert_array_equal(xs[..., 1].sum(1), 2)
    xs, letters = memory_problems.copying(7).make(np.random.default_rng(1), 50)
    symbols = xs.argmax(2)
    np.testing.assert_array_equal(symbols[:, :2], letters + 1)
    assert (symbols[:, 2:9] > memory_problems.LETTERS).all()
    assert (symbols[:, 9:] == 0).all()
    assert symbols.shape == (50, 11)


def test_tasks_are_learned_and_drawn(helo, monkeypatch, tmp_path):  # noqa: F811
    monkeypatch.setattr(memory_problems, "STEPS", 300)
    monkeypatch.setattr(memory_problems, "CHECKED", 100)
    words = ("--tasks", "--cell", "gru", "--cell", "rnn", "--length", 4, "--hidden", 16)
    code, out, err = helo("gradients", *words, "--json", "--out", "t.png", "--quiet")
    assert code == 0, err
    found = json.loads(out)["tasks"]
    assert found["copying"]["cells"]["gru"]["solved_at"]
    assert found["adding"]["chance"] == pytest.approx(1 / 6)
    for task in found.values():
        for cell in task["cells"].values():
            assert len(cell["steps"]) == len(cell["errors"])
            assert 0 <= cell["clipped"] <= 1
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(memory_problems, "STEPS", 50)
    code, out, err = helo("gradients", *words)
    assert code == 0, err
    assert "not solved in 50 steps" in out
