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

from helo import hello
from helo.cli import cli
from helo.cli import hello as verb

READ, NEXT, LETTERS = "hell", "ello", "helo"
PARTS = ("1  Forward", "2  Training", "3  Writing", "4  The same gradient")

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
    w = hello.LECTURE if seed is None else hello.start(seed)
    h, y, _ = hello.forward(w, READ)
    gradient = hello.backward(w, READ, NEXT, h, hello.softmax(y))
    for name, value in w.items():
        for index in np.ndindex(value.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = {k: v.copy() for k, v in w.items()}
                moved[name][index] += step
                sides.append(sum(plain(moved)[3]))
            assert gradient[name][index] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-7), (name, index)


def test_two_steps_of_adagrad(found):
    moments = list(hello.train(0))[:3]
    memory = {name: 0 * value for name, value in moments[0].network.items()}
    for before, after in pairwise(moments):
        h, y, _ = hello.forward(before.network, READ)
        for name, d in hello.backward(before.network, READ, NEXT, h, hello.softmax(y)).items():
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
    p = [hello.softmax(hello.forward(w, letter)[1])[0] for letter in "ll"]
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
    right = hello.backward

    def forgetful(w, *rest):
        return right({**w, "W_hh": 0 * w["W_hh"]}, *rest)

    monkeypatch.setattr(hello, "backward", forgetful)
    comparison = hello.compare()
    assert comparison is not None
    assert comparison["W_hh"]["difference"] > 0.1
    assert comparison["W_hy"]["difference"] < 1e-12  # the scores' own weights have no part in the past


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
    assert 80 <= len(lines) <= 125
    places = [text.index(part) for part in PARTS]
    assert places == sorted(places)
    for word in ("loss", "softmax", "[h, e, l, o]", "state", "\n  hello\n"):
        assert word in text
    assert "\033" not in text
    assert "-0.000" not in text
    text.encode("latin-1")  # what a narrow console shows too


def test_colours_change_no_letter(text):
    painted = "".join(line + "\n" for line in hello.lesson(0, verb._paint))
    assert "\033" in painted
    assert click.unstyle(painted) == text


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert verb._coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not verb._coloured()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: False))
    assert not verb._coloured()


def test_a_seed_that_cannot_be_is_said_at_once():
    for words in ([], ["--quiet"], ["--json"]):
        result = CliRunner().invoke(cli, ["hello", "--seed", "-1", *words])
        assert result.exit_code == 2
        assert "--seed" in result.output
        assert "h(t)" not in result.output


def test_help_shows_two_examples():
    assert run("--help").count("\n  helo hello") == 2
