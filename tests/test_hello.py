"""The lecture's example: every number recomputed with plain arithmetic, and the gradient by hand with differences."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from helo import engines, hello
from helo.cli import cli, flags
from helo.cli import hello as verb
from helo.errors import HeloError
from helo.hello import network
from helo.hello.base import LONGEST
from helo.hello.layout import width

READ, NEXT, LETTERS = "hell", "ello", "helo"
PARTS = ("1  Forward", "2  Training", "3  Writing", "4  The same gradient", "5  The cut")
HELLO = network.HELLO
CELLS = ("rnn", "lstm", "gru")

# Runs the command line where torch was never installed, as far as an import can tell.
WITHOUT_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
from helo.cli import main
sys.argv = ["helo", *sys.argv[1:]]
main()
"""


def run(*words):
    result = CliRunner().invoke(cli, ["hello", *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def text():
    return run()


@pytest.fixture(scope="module")
def found():
    return json.loads(run("--json"))


def plain(w):
    """States, scores, probabilities and losses of h, e, l, l by the textbook's sums, on lists of floats."""
    states, scores, shares, losses = [], [], [], []
    h = [0.0] * 3
    for read, right in zip(READ, NEXT, strict=True):
        x = [1.0 if letter == read else 0.0 for letter in LETTERS]
        h = [
            math.tanh(
                sum(w["W_xh"][i][j] * x[j] for j in range(4))
                + sum(w["W_hh"][i][j] * h[j] for j in range(3))
                + w["b"][i]
            )
            for i in range(3)
        ]
        y = [sum(w["W_hy"][k][i] * h[i] for i in range(3)) + w["b_y"][k] for k in range(4)]
        total = sum(math.exp(score) for score in y)
        p = [math.exp(score) / total for score in y]
        states.append(h), scores.append(y), shares.append(p), losses.append(-math.log(p[LETTERS.index(right)]))
    return states, scores, shares, losses


def row(text, name):
    """The numbers of a row of the picture, one a step."""
    (line,) = re.findall(rf"^  {re.escape(name)} +((?: *-?\d+\.\d+)+)", text, re.MULTILINE)
    return line.split()[:4]


# Part 1


def test_forward_is_plain_arithmetic(found):
    states, scores, shares, losses = plain(found["weights"])
    np.testing.assert_allclose(found["hidden"], states, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["scores"], scores, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["softmax"], shares, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found["losses"], losses, rtol=0, atol=1e-14)
    assert found["loss"] == pytest.approx(sum(losses))


def test_scores_are_those_of_the_lecture(found):
    picture = [[1.0, 2.2, -3.0, 4.1], [0.5, 0.3, -1.0, 1.2], [0.1, 0.5, 1.9, -1.1], [0.2, -1.5, -0.1, 2.2]]
    assert np.round(found["scores"], 1).tolist() == picture


def test_weights_are_printed_as_they_are_used(text, found):
    w = found["weights"]
    for i in range(3):
        numbers = [*w["W_xh"][i], *w["W_hh"][i], w["b"][i]]
        (line,) = re.findall(rf"^  h\[{i}\] +(-?\d.*)$", text, re.MULTILINE)
        assert list(map(float, line.split())) == numbers
    for k, letter in enumerate(LETTERS):
        (line,) = re.findall(rf"^  y\[{letter}\] +(-?\d[^·\n]*)$", text, re.MULTILINE)
        assert list(map(float, line.split())) == [*w["W_hy"][k], w["b_y"][k]]


def test_sums_in_full_give_what_is_printed(text):
    lines = re.findall(r"^  (h\[\d\]|[yp]\[\w\]|loss) = (.+?) += +(-?[\d.]+)$", text, re.MULTILINE)
    assert len(lines) == 16
    for _, way, result in lines:
        way = way.replace("·", "*")
        way = re.sub(r"log ([\d.]+)", r"log(\1)", way)
        value = eval(way, {"tanh": math.tanh, "exp": math.exp, "log": math.log})
        assert f"{value:.{len(result.partition('.')[2])}f}" == result, way


def test_printed_digits_are_enough_for_every_digit_that_follows(text, found):
    """The whole picture worked out from its own printed digits, as a student does it on paper."""
    w = found["weights"]
    h = [row(text, f"h_t  [{i}]") for i in range(3)]
    y = [row(text, f"y_t  [{letter}]") for letter in LETTERS]
    p = [row(text, f"p_t  [{letter}]") for letter in LETTERS]
    loss = row(text, "loss")
    for t in range(4):
        before = [float(h[j][t - 1]) if t else 0.0 for j in range(3)]
        for i in range(3):
            a = w["W_xh"][i][LETTERS.index(READ[t])] + w["b"][i] + np.dot(w["W_hh"][i], before)
            assert f"{math.tanh(a):.4f}" == h[i][t]
        for k in range(4):
            assert f"{np.dot(w['W_hy'][k], [float(h[i][t]) for i in range(3)]) + w['b_y'][k]:.3f}" == y[k][t]
            share = math.exp(float(y[k][t])) / sum(math.exp(float(y[j][t])) for j in range(4))
            assert f"{share:.4f}" == p[k][t]
        assert f"{-math.log(float(p[LETTERS.index(NEXT[t])][t])):.3f}" == loss[t]
    assert f"sum {sum(map(float, loss)):.3f}" in text


# Part 2


@pytest.mark.parametrize("seed", [None, 0, 5])
def test_gradient_by_hand_is_the_differences_of_the_loss(seed):
    w = HELLO.weights if seed is None else network.start(HELLO, seed)
    gradient = network.backward(w, HELLO)
    for name, value in w.items():
        for index in np.ndindex(value.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {k: v.copy() for k, v in w.items()}
                moved[name][index] += step
                sides.append(sum(plain(moved)[3]))
            assert gradient[name][index] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-7), (name, index)


def test_two_steps_of_adagrad(found):
    moments = list(network.train(0))[:3]
    memory = {name: 0 * value for name, value in moments[0].network.items()}
    for before, after in pairwise(moments):
        for name, d in network.backward(before.network, HELLO).items():
            memory[name] = memory[name] + d * d
            expected = before.network[name] - 0.1 * d / np.sqrt(memory[name] + 1e-8)
            np.testing.assert_allclose(after.network[name], expected, rtol=0, atol=1e-14)
        assert before.loss == pytest.approx(sum(plain(before.network)[3]))
    assert found["training"]["losses"][:3] == [moment.loss for moment in moments]


@pytest.mark.parametrize("seed", [*range(8), 2**40])
def test_every_seed_learns_the_word(seed):
    assert run("--quiet", "--seed", str(seed)) == "hello\n"


def test_lines_of_training_fall_to_the_word(text):
    lines = re.findall(r"^ +(\d+) +([\d.]+) +(?:[01]\.\d+ +){4}(h\w{4})$", text, re.MULTILINE)
    steps, losses = [int(step) for step, _, _ in lines], [float(loss) for _, loss, _ in lines]
    assert all(a < b for a, b in pairwise(steps))
    assert all(a > b for a, b in pairwise(losses))
    assert losses[0] > 2 * math.log(2) > 0.1 >= losses[-1]
    assert lines[0][2] != "hello" == lines[-1][2]


def test_seed_changes_training_alone(text):
    other = run("--seed", "1")
    assert other == run("--seed", "1")
    part = [t.index(PARTS[1]) for t in (text, other)]
    assert text[: part[0]] == other[: part[1]]
    assert text[part[0] :] != other[part[1] :]


def test_no_state_no_word(found):
    """What the lesson says of a network without a state: from the start again at each letter, 'l' has one answer."""
    w = {name: np.array(value) for name, value in found["training"]["weights"].items()}
    p = [network.softmax(network.forward(w, HELLO, (letter,))[1])[0] for letter in "ll"]
    assert -math.log(p[0][2]) - math.log(p[1][3]) >= 2 * math.log(2)
    assert found["training"]["losses"][-1] < 0.1


# Part 3


def test_each_letter_is_fed_back(found):
    assert [r["fed"] for r in found["writing"]] == list("hell")
    assert [r["written"] for r in found["writing"]] == list("ello")
    assert found["written"] == "hello"
    shares = plain(found["training"]["weights"])[2]
    np.testing.assert_allclose([r["softmax"] for r in found["writing"]], shares, rtol=0, atol=1e-12)


# Part 4


def test_autograd_agrees(found):
    pytest.importorskip("torch")
    assert list(found["autograd"]) == ["W_xh", "W_hh", "b", "W_hy", "b_y"]
    for name, seen in found["autograd"].items():
        gradient = np.array(found["gradient"][name])
        assert seen["shape"] == list(gradient.shape)
        assert seen["gradient"] == pytest.approx(abs(gradient).max())
        assert seen["difference"] < 1e-12


def test_comparison_sees_a_wrong_gradient(monkeypatch):
    """Without the way through the later step, the table says so."""
    pytest.importorskip("torch")
    right = network.backward

    def forgetful(w, *rest):
        return right({**w, "W_hh": 0 * w["W_hh"]}, *rest)

    monkeypatch.setattr(network, "backward", forgetful)
    comparison = network.compare()
    assert comparison is not None
    assert comparison["W_hh"]["difference"] > 0.1
    assert comparison["b"]["difference"] > 0.1


def test_without_torch():
    def tried(*words):
        command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, "hello", *words]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", env=os.environ | {"PYTHONUTF8": "1"}, timeout=60
        )

    said = tried()
    assert (said.returncode, said.stderr) == (0, "")
    assert all(part in said.stdout for part in PARTS)
    assert "pip install 'helo[train]'" in said.stdout
    assert "\n  hello\n" in said.stdout
    assert tried("--quiet").stdout == "hello\n"
    assert json.loads(tried("--json").stdout)["autograd"] is None


# On the terminal


def test_reads_as_a_lesson(text):
    lines = text.splitlines()
    assert max(map(len, lines)) < 80
    assert 80 <= len(lines) <= 180
    places = [text.index(part) for part in PARTS]
    assert places == sorted(places)
    for word in ("loss", "softmax", "[h, e, l, o]", "state", "\n  hello\n"):
        assert word in text
    assert "\033" not in text
    assert "-0.000" not in text
    text.encode("latin-1")  # what a narrow console shows too


def test_colours_change_no_letter(text):
    painted = "".join(line + "\n" for line in hello.lesson(0, verb._paint, HELLO))
    assert "\033" in painted
    assert click.unstyle(painted) == text


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert flags.colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not flags.colours()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: False))
    assert not flags.colours()


def test_a_seed_that_cannot_be_is_said_at_once():
    for words in ([], ["--quiet"], ["--json"]):
        result = CliRunner().invoke(cli, ["hello", "--seed", "-1", *words])
        assert result.exit_code == 2
        assert "--seed" in result.output
        assert "h(t)" not in result.output


# Other words, other cells


def made(cell, word="mississippi"):
    return hello.example(word, cell)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_by_hand_is_the_cell(cell):
    e = made(cell)
    for w in (e.weights, network.start(e, 3)):
        h, _, state = network.forward(w, e, e.read)
        steps = network.trace(w, e)
        np.testing.assert_allclose([s["h"] for s in steps], h, rtol=0, atol=1e-14)
        for name, s in zip(e.hand.state, state, strict=True):
            np.testing.assert_allclose(steps[-1][name], s[0], rtol=0, atol=1e-14)
        back = e.hand.network(e.hand.parameters(w))
        assert back.keys() | {"W_hy", "b_y"} == w.keys()
        for name, value in back.items():
            np.testing.assert_array_equal(value, w[name])


@pytest.mark.parametrize("border", [None, 1, 4, 9])
@pytest.mark.parametrize("cell", CELLS)
def test_gradient_by_hand_is_autograds(cell, border):
    pytest.importorskip("torch")
    e = made(cell)
    for w in (e.weights, network.start(e, 3)):
        theirs, ours = network.autograd(w, e, border), network.backward(w, e, border)
        assert theirs is not None
        assert ours.keys() == theirs.keys() == w.keys()
        for name, d in ours.items():
            np.testing.assert_allclose(d, theirs[name], rtol=0, atol=1e-6)
            np.testing.assert_allclose(d, theirs[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_by_hand_is_the_differences_of_the_loss_for_each_cell(cell):
    e = made(cell, "papaya")
    w, right = e.weights, e.ids(e.next)
    for name, d in network.backward(w, e).items():
        for index in np.ndindex(w[name].shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {k: v.copy() for k, v in w.items()}
                moved[name][index] += step
                sides.append(float(network.losses(network.forward(moved, e, e.read)[1], right).sum()))
            assert d[index] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-7), (name, index)


@pytest.mark.parametrize("word", ["mississippi", "ab", "Привет", "你好你们", "नमस्ते", "don't"])
@pytest.mark.parametrize("cell", CELLS)
def test_any_word_and_cell_is_a_lesson_that_paper_can_follow(cell, word):
    lines = list(hello.lesson(0, hello.plain, hello.example(word, cell)))
    text = "\n".join(lines)

    assert max(map(width, lines)) <= 80
    assert all(part in text for part in PARTS)
    assert f"\n  {word}\n" in text
    names = {"rnn": ["h_t  [0]"], "lstm": ["i_t", "f_t", "g_t", "o_t", "c_t"], "gru": ["r_t", "z_t", "n_t"]}[cell]
    assert all(name in text for name in names)
    ways = re.findall(r"^  (\w+_t\[\d\]|h\[\d\]|[yp]\[.+?\]|loss) += (.+?) += +(-?[\d.]+)$", text, re.MULTILINE)
    assert len(ways) == min(4, len(hello.example(word).read)) * {"rnn": 4, "lstm": 9, "gru": 8}[cell]
    known = {"tanh": math.tanh, "exp": math.exp, "sigmoid": lambda a: 1 / (1 + math.exp(-a)), "log": math.log}
    for _, way, result in ways:
        way = re.sub(r"log ([\d.]+)", r"log(\1)", way.replace("·", "*"))
        assert f"{eval(way, known):z.{len(result.partition('.')[2])}f}" == result, way


@pytest.mark.parametrize("cell", CELLS)
def test_each_printed_number_follows_from_those_before(cell):
    """All numbers of all steps, with digits as printed, through helo's own cell."""
    e = made(cell)
    paper, w = network.on_paper(e), e.weights
    state = None
    for t, x in enumerate(e.one_hot(e.read)):
        h, _ = engines.scan(e.hand.cell, e.hand.parameters(w), x[None, None], state)
        np.testing.assert_allclose(h[0, 0], paper.steps[t]["h"], rtol=0, atol=2.1e-4)
        state = tuple(paper.steps[t][name][None] for name in e.hand.state)
        np.testing.assert_array_equal(network.digits(w["W_hy"] @ paper.steps[t]["h"] + w["b_y"], 3), paper.y[t])
    assert paper.p.sum(1) == pytest.approx(np.ones(len(paper.p)), abs=3e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_border_cuts(cell):
    """The loss stays, what comes after the border is as it was, and what is lost is what the later steps tell."""
    e = made(cell)
    whole, cut = [], []
    full, short = (
        network.backward(e.weights, e, steps_back=whole),
        network.backward(e.weights, e, e.border, steps_back=cut),
    )
    after = len(e.read) - e.border
    for one, other in zip(whole[:after], cut[:after], strict=True):
        for name, value in one.numbers.items():
            np.testing.assert_array_equal(value, other.numbers[name])
    assert all((v == 0).all() for v in cut[after].later.values())
    assert all((v != 0).any() for v in whole[after].later.values())
    lost = network.truncated(e).lost
    assert all((lost[n] == 0).all() for n in ("W_hy", "b_y"))
    for name, d in lost.items():
        np.testing.assert_allclose(short[name] + d, full[name], atol=1e-15)
    found = json.loads(run("mississippi", "--cell", cell, "--json"))
    assert found["chunks"]["border"] == 5
    assert found["chunks"]["lost"].keys() == full.keys()
    assert found["steps"].keys() == set(e.hand.parts)
    assert found["written"] == "mississippi"


def test_the_way_back_follows_from_printed_digits(text, found):
    """dy, dh and da of every step, from those of the step after, and the gradient from them, as on paper."""

    def rows(name, count):
        return np.array([[float(x) for x in row(text, f"{name}_t [{k}]")] for k in count]).T

    w = {name: np.array(value) for name, value in found["weights"].items()}
    h = np.array([[float(x) for x in row(text, f"h_t  [{i}]")] for i in range(3)]).T
    p = np.array([[float(x) for x in row(text, f"p_t  [{letter}]")] for letter in LETTERS]).T
    dy, dh, da = rows("dy", LETTERS), rows("dh", range(3)), rows("da", range(3))
    x, right = np.eye(4)[[LETTERS.index(c) for c in READ]], np.eye(4)[[LETTERS.index(c) for c in NEXT]]
    np.testing.assert_allclose(p - right, dy, atol=2e-4)
    later = np.vstack([da[1:] @ w["W_hh"], np.zeros(3)])
    np.testing.assert_allclose(dy @ w["W_hy"] + later, dh, atol=2e-3)
    np.testing.assert_allclose((1 - h**2) * dh, da, atol=2e-3)
    np.testing.assert_allclose(da.T @ x, found["gradient"]["W_xh"], atol=2e-3)
    np.testing.assert_allclose(da[1:].T @ h[:-1], found["gradient"]["W_hh"], atol=2e-3)
    np.testing.assert_allclose(dy.T @ h, found["gradient"]["W_hy"], atol=2e-3)


def test_lost_is_printed(text):
    rows = re.findall(r"^  (\w+) +\[[\d,]+\] +(-?[\d.]+) += +(-?[\d.]+) +\+ +(-?[\d.]+) +(\d+)%$", text, re.MULTILINE)
    assert [row[0] for row in rows] == ["W_xh", "W_hh", "b", "W_hy", "b_y"]
    for _, whole, part, lost, _ in rows:
        assert float(whole) == pytest.approx(float(part) + float(lost), abs=1.1e-4)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a",
        "aaaa",
        "two words",
        "a\nb",
        "a\tb",
        " ab",
        "a\0b",
        "a\u202eb",
        "ab" * LONGEST,
        "\ud800a",
        "e\u0301e\u0301",
    ],
)
def test_what_is_no_word(word):
    with pytest.raises(HeloError):
        hello.example(word)
    result = CliRunner().invoke(cli, ["hello", "--", word])
    assert isinstance(result.exception, HeloError)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize("cell", ["mingru", "nix", "", "lstm,bias=False"])
def test_what_is_no_cell_here(cell):
    with pytest.raises(HeloError, match="lstm"):
        hello.example("hello", cell)


def test_letters_have_their_marks():
    assert hello.example("e\u0301te\u0301").letters == ("é", "t", "é")
    assert hello.example("नमस्ते").letters == ("न", "म", "स्", "ते")
    assert hello.example("नमस्ते").word == "नमस्ते"


def test_help_shows_two_examples():
    assert run("--help").count("\n  helo hello") == 2
