"""`helo check`, on cells from outside: what it prints, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from helo import laws
from helo.cli import cli
from helo.errors import HeloError

LEAKY = '''
from dataclasses import dataclass
from array_api_compat import array_namespace
from helo.cells import Cell

@dataclass(frozen=True)
class Leaky(Cell):
    """h_t = a h_{t-1} + (1 - a) tanh(W x_t + b): a unit that leaks."""

    leak: float = 0.9

    def init(self, rng, inputs, hidden):
        weight = rng.standard_normal((hidden, inputs)) / inputs**0.5
        return {"weight": weight.astype("float32"), "bias": 0 * weight[:, 0].astype("float32")}

    def state(self, parameters, batch):
        b = parameters["bias"]
        return (array_namespace(b).zeros((batch, b.shape[0]), dtype=b.dtype, device=b.device),)

    def step(self, parameters, state, x):
        xp = array_namespace(x)
        h = self.leak * state[0] + (1 - self.leak) * xp.tanh(x @ parameters["weight"].T + parameters["bias"])
        FAULT
        return (h,), h
'''


@pytest.fixture
def leaky(tmp_path):
    def write(fault="pass"):
        file = tmp_path / f"leaky{len(list(tmp_path.iterdir()))}.py"
        file.write_text(LEAKY.replace("FAULT", fault))
        return f"{file}:Leaky"

    return write


def _check(*words):
    return CliRunner().invoke(cli, ["check", *words], standalone_mode=False)


def test_good_cell(leaky):
    pytest.importorskip("torch")
    spec = leaky()
    done = _check(spec)
    lines = done.output.splitlines()
    assert done.return_value is None or done.return_value == 0
    assert lines[0].startswith(f"{spec}: ")
    assert "Leaky" in lines[0]
    assert [line.split()[0] for line in lines[1:-1]] == ["held"] * len(lines[1:-1])
    assert "carried_state" in done.output
    assert "laws hold" in lines[-1]


def test_broken_cell(leaky):
    spec = leaky("h = h - xp.mean(h, axis=0)")
    done = _check(spec)
    assert done.return_value == 1
    last = done.output.splitlines()[-1]
    assert last.startswith(f"{spec}: ")
    assert "alone_in_company, padding broken" in last


def test_json_is_one_object(leaky):
    done = _check(leaky("h = h - xp.mean(h, axis=0)"), "--json")
    assert done.return_value == 1
    answer = json.loads(done.stdout)
    assert answer["broken"] == ["alone_in_company", "padding"]
    assert answer["held"] is False
    assert {r["status"] for r in answer["cells"][0]["results"]} == {"held", "broken"}


def test_quiet_says_one_line(leaky):
    assert len(_check(leaky(), "--quiet").output.splitlines()) == 1


def test_unknown_cell_is_named():
    with pytest.raises(HeloError, match="'lstm'"):
        laws.check("lstn")


WITHOUT_TORCH = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.partition(".")[0] == "torch" else self.finder.find_spec(name, *more)

sys.meta_path[:] = map(Without, sys.meta_path)
from helo.cli import main
main()
"""


def test_without_torch(leaky):
    """What cannot be tried is said, and the rest is."""
    words = [sys.executable, "-c", WITHOUT_TORCH, "check", leaky(), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["cells"][0]["results"]
    assert {r["status"] for r in results} == {"held", "not tried"}
    assert {r["law"] for r in results if r["status"] == "held"} >= {"carried_state", "alone_in_company", "padding"}
    untried = [r for r in results if r["status"] == "not tried"]
    assert all("pip install 'helo[train]'" in r["message"] for r in untried)
    assert untried
