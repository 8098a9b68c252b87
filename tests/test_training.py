"""Training: exact going on, honest stopping, and the parts of a step."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import helo
from fixtures import stopped
from helo import cells
from helo.engines.device import Device, Idle
from helo.errors import HeloError
from helo.layers import stack
from helo.runs import arrays
from helo.training import Interrupted, schedule
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.minutes import Threads
from helo.training.optimiser import Optimiser, orthogonalised
from helo.training.options import Options
from helo.training.report import Plain

TEXT = "the quick brown fox jumps over the lazy dog, and runs.\n" * 60
SMALL = {"hidden": 16, "embedding": 8, "streams": 4, "chunk": 16, "dropout": 0.2, "seed": 3}


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


def weights(run) -> bytes:
    return (run.path / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("at", [2, 17, 30])
def test_going_on_is_the_same_as_never_having_stopped(text, tmp_path, monkeypatch, at):
    whole = helo.train("lm", text, out=tmp_path / "whole", steps=40, **SMALL)
    stopped(monkeypatch, at, lambda: helo.train("lm", text, out=tmp_path / "broken", steps=40, **SMALL))
    assert helo.load(tmp_path / "broken").sample("the ", 5, seed=1)
    broken = helo.train("lm", text, out=tmp_path / "broken", steps=40, resume=True, **SMALL)
    assert weights(broken) == weights(whole)
    assert len((broken.path / "metrics.jsonl").read_text().splitlines()) == schedule.VALIDATIONS


def test_other_options_on_going_on_are_refused(text, tmp_path, monkeypatch):
    step = Training.step

    def stopping(self):
        self.stop = True
        return step(self)

    monkeypatch.setattr(Training, "step", stopping)
    with pytest.raises(Interrupted):
        helo.train("lm", text, out=tmp_path / "run", steps=40, **SMALL)
    with pytest.raises(HeloError, match="--rate"):
        helo.train("lm", text, out=tmp_path / "run", steps=40, resume=True, rate=0.5, **SMALL)
    text.write_text(TEXT + "more")
    with pytest.raises(HeloError, match=re.escape(str(tmp_path / "run"))):
        helo.train("lm", text, out=tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "option, value, expected",
    [("hidden", 0, "1"), ("layers", -1, "1"), ("chunk", 0, "1"), ("dropout", 1.5, "0.*1"),
     ("weight_dropout", float("nan"), "0.*1"), ("rate", 0.0, "1e-12"), ("minutes", float("inf"), "0")],
)  # fmt: skip
def test_an_option_out_of_its_range_is_refused_by_name(option, value, expected, text, tmp_path):
    with pytest.raises(HeloError, match=f"--{option.replace('_', '-')}: {value}; .*{expected}"):
        helo.train("lm", text, out=tmp_path / "run", **{option: value})
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(text, tmp_path, monkeypatch):
    step, count = Training.step, 0

    def breaking(self):
        nonlocal count
        count += 1
        if count == 25:
            with torch.no_grad():
                self.parameters["head.bias"].fill_(float("nan"))
        return step(self)

    monkeypatch.setattr(Training, "step", breaking)
    with pytest.raises(HeloError, match=r"nan.*\b25\b.*--rate"):
        helo.train("lm", text, out=tmp_path / "run", steps=40, **SMALL)
    assert all(np.isfinite(p).all() for p in helo.load(tmp_path / "run").parameters.values())


def test_minutes_are_settled_as_steps_and_recorded(text, tmp_path, monkeypatch):
    """By a clock that goes on half a millisecond whenever it is asked, so that no machine is too slow for it."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.0005 * next(ticks))
    run = helo.train("lm", text, out=tmp_path / "run", minutes=0.02, **SMALL)
    assert run.about["finished"]
    reports = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert run.about["steps"] <= reports[-1]["step"] < 2400  # 1.2 seconds
    assert reports[-1]["step"] > 100
    assert 0.9 < reports[-1]["seconds"] < 1.3


def at_pace(monkeypatch, pace):
    """A clock that stands still but in a step, which takes `pace(seconds so far)`."""
    now, step = [0.0], Training.step

    def slowly(self):
        now[0] += pace(now[0])
        return step(self)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Training, "step", slowly)
    monkeypatch.setattr(Threads, "_raised", lambda self: None)


@pytest.mark.parametrize(
    "pace",
    [lambda t: 0.05, lambda t: 0.05 if t < 6 else 0.5, lambda t: 0.5 if t < 6 else 0.05, lambda t: 4.0,
     lambda t: 0.05 if t < 11 else 3.0, lambda t: 0.19, lambda t: 5.0 if 0.1 < t < 1 else 0.05, lambda t: 5.0 if 3 < t < 4 else 0.05,
     lambda t: 5.0 if 5 < t < 6 else 0.5],
    ids=["alone", "a load begins", "a load ends", "slower than the time", "a load begins at the end", "settled at its last step",
         "it stands still before it is settled", "it stands still in the middle", "it stands still in few steps"],
)  # fmt: skip
def test_minutes_end_in_time_whatever_the_machine_does(text, tmp_path, monkeypatch, pace):
    rates = []
    factor = schedule.factor

    def watched(share):
        rates.append(factor(share))
        return rates[-1]

    monkeypatch.setattr(schedule, "factor", watched)
    at_pace(monkeypatch, pace)
    run = helo.train("lm", text, out=tmp_path / "run", minutes=0.2, **SMALL)
    assert run.about["finished"]
    reports = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert run.about["seconds"] <= 12 + pace(12)
    assert run.about["seconds"] >= 12 - 1.2 - pace(12)
    assert 1 <= len(reports) <= schedule.VALIDATIONS
    assert len({r["step"] for r in reports}) == len(reports)
    assert all(a >= b for a, b in itertools.pairwise(rates))
    if pace(0) == pace(12) < 0.1:
        assert rates[-1] < 0.05
        assert max(a - b for a, b in itertools.pairwise(rates)) < 0.03
    state = arrays.read_arrays(run.path / "last/state.safetensors")[1]
    assert state["over"] == pytest.approx(1) or pace(12) > 1
    assert state["glance"] > 0


def test_a_run_of_minutes_goes_on_with_what_was_settled(text, tmp_path, monkeypatch):
    """What has been settled, and how far the rates are down, is taken up again."""
    at_pace(monkeypatch, lambda t: 0.05)
    stopped(monkeypatch, 60, lambda: helo.train("lm", text, out=tmp_path / "run", minutes=0.2, **SMALL))
    before = arrays.read_arrays(tmp_path / "run" / "last/state.safetensors")[1]
    assert 0.2 < before["over"] < 0.4
    assert before["total"] > 200
    seen = []
    step = Training.step
    monkeypatch.setattr(Training, "step", lambda self: (seen.append(self.progress.share), step(self))[1])
    run = helo.train("lm", text, out=tmp_path / "run", minutes=0.2, resume=True, **SMALL)
    assert seen[0] == before["over"]
    assert run.about["finished"]


def test_threads_are_as_few_as_are_nearly_as_fast(monkeypatch):
    """One where two gain nothing; two where they gain and a core is idle; one again when they collapse."""
    machine = Machine(Device(torch.device("cpu"), torch.float32), 0, 1)
    now, idle, used = [0.0], [1.0], [2]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Idle, "cores", lambda self: idle[0])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda n: used.append(n))

    def steps(threads, seconds, costs):
        end = now[0] + seconds
        while now[0] < end:
            spent = costs[used[-1]]
            now[0] += spent
            threads.step(spent)
        return used[-1]

    small = Threads(machine, 60, lambda: now[0])
    assert steps(small, 5, {1: 0.01, 2: 0.0095}) == 1
    large = Threads(machine, 60, lambda: now[0])
    assert steps(large, 5, {1: 0.1, 2: 0.06}) == 2
    idle[0] = 0.0
    before = now[0]
    assert steps(large, 5, {1: 0.1, 2: 5.0}) == 1  # another program begins
    assert now[0] - before < 20
    used.append(1)
    assert steps(large, 20, {1: 0.1, 2: 5.0}) == 1
    assert not large.trying  # no core is idle: it is not even tried
    idle[0] = 1.0
    assert steps(large, 20, {1: 0.1, 2: 0.06}) == 2  # it ends
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert Threads(machine, 60, lambda: now[0]).fixed


def test_like_takes_another_runs_options(text, tmp_path):
    helo.train("lm", text, out=tmp_path / "one", steps=3, **SMALL)
    other = helo.train("lm", text, out=tmp_path / "two", like=tmp_path / "one", steps=2, cell="gru")
    assert other.about["options"]["hidden"] == SMALL["hidden"]
    assert other.about["cell"] == "gru"
    assert other.about["steps"] == 2


def test_overwriting_takes_away_only_what_a_run_writes(text, tmp_path):
    helo.train("lm", text, out=tmp_path / "run", steps=2, **SMALL)
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(HeloError, match="--overwrite"):
        helo.train("lm", text, out=tmp_path / "run", steps=2, **SMALL)
    helo.train("lm", text, out=tmp_path / "run", steps=2, overwrite=True, **SMALL)
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_dynamic_evaluation_learns_and_leaves_the_run_alone(text, tmp_path):
    run = helo.train("lm", text, out=tmp_path / "run", steps=20, **SMALL)
    before = {n: p.copy() for n, p in run.parameters.items()}
    assert helo.dynamic_evaluation(run, [text])["nats"] < run.evaluate([text])["nats"]
    assert all((run.parameters[n] == p).all() for n, p in before.items())


def test_muon_brings_singular_values_near_one():
    x = torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(x))
    spread = torch.linalg.svdvals(x / x.norm(dim=(1, 2), keepdim=True))
    assert values.max() < 1.5
    assert (values.min(-1).values / values.max(-1).values > spread.min(-1).values / spread.max(-1).values).all()


@pytest.mark.parametrize("cell", cells.names())
def test_each_map_of_a_cell_is_made_orthogonal_by_itself(cell):
    """A map whose gradient is small learns as fast as the one that it is stacked on."""
    hidden, found = 6, cells.find(cell)
    fresh = stack.init(np.random.default_rng(0), found, 2, 4, hidden)
    parameters = {f"recurrent.{n}": torch.from_numpy(p).requires_grad_() for n, p in fresh.items()}
    before = {n: p.detach().clone() for n, p in parameters.items()}
    rng = torch.Generator().manual_seed(0)
    for p in parameters.values():  # orthogonal maps, of very different sizes
        if p.ndim == 2:
            maps = [
                torch.linalg.qr(torch.randn(hidden, hidden, generator=rng))[0][:, : p.shape[1]]
                for _ in range(p.shape[0] // hidden)
            ]
            p.grad = torch.cat([one * 10.0**-k for k, one in enumerate(maps)])
        else:
            p.grad = torch.zeros_like(p)
    options = Options(rate=1.0, weight_decay=0.0)
    Optimiser(parameters, options, torch.float32, blocks=found.blocks).step(1.0)
    matrices = [n for n in parameters if parameters[n].ndim == 2]
    for name in matrices:
        step = parameters[name].detach() - before[name]
        for one in step.reshape(-1, hidden, step.shape[1]):
            values = torch.linalg.svdvals(one)
            assert values.min() > 0.1, name
            assert values.max() < 0.7, name  # 0.4 times the root of what is higher than wide


def test_blocks_that_do_not_fit_are_refused():
    parameters = {"recurrent.0.weight": torch.ones(5, 3, requires_grad=True)}
    with pytest.raises(HeloError, match=r"recurrent\.0\.weight.*5 rows.*blocks"):
        Optimiser(parameters, Options(), torch.float32, blocks={"weight": 2})


@pytest.mark.parametrize(
    "name, value",
    [("blocks", v) for v in ('{"weight_hh": 0}', '{"weight_hh": "4"}', '{"weight_hh": 2.0}', '[("weight_hh", 4)]', "None", "{4: 4}")]
    + [("recurrent", v) for v in ('"weight_hh"', "(1,)", "None")]
    + [("instances", v) for v in ("()", "5", "({1: 2},)")]
    + [("exceptions", v) for v in ('"causality"', '{"causality": 1}')],
)  # fmt: skip
def test_what_a_cell_declares_in_another_form_is_refused_by_name(name, value, tmp_path):
    file = tmp_path / "cell.py"
    file.write_text(f"from helo.cells.lstm import LSTM\n\nclass Odd(LSTM):\n    {name} = {value}\n")
    with pytest.raises(HeloError, match=rf"cell\.py:Odd: .*Odd\.{name} = .*expected a "):
        cells.find(f"{file}:Odd")


def test_weights_decay():
    """Without a gradient's push, what is multiplied by it shrinks: matrices inside and the rest, by their own rates."""
    parameters = {n: torch.ones(2, 2, requires_grad=True) for n in ("recurrent.0.weight_hh", "head.weight")}
    for p in parameters.values():
        p.grad = torch.zeros(2, 2)
    Optimiser(parameters, Options(rate=0.1, adam_rate=0.01, weight_decay=0.5), torch.float32).step(0.5)
    assert parameters["recurrent.0.weight_hh"].detach().numpy() == pytest.approx(1 - 0.05 * 0.5)
    assert parameters["head.weight"].detach().numpy() == pytest.approx(1 - 0.005 * 0.5)


SPARE = """
import numpy as np
from helo.cells.lstm import LSTM

class Spare(LSTM):
    def init(self, rng, inputs, hidden):
        more = {"matrix": np.ones((hidden, hidden), np.float32), "vector": np.ones(hidden, np.float32)}
        return super().init(rng, inputs, hidden) | more
"""


def test_what_no_gradient_reaches_is_left_and_named(text, tmp_path, capsys):
    (tmp_path / "spare.py").write_text(SPARE)
    run = helo.train(
        "lm", text, out=tmp_path / "run", cell=f"{tmp_path}/spare.py:Spare", steps=3, reporter=Plain(), **SMALL
    )
    said = capsys.readouterr().err
    names = [n for n in run.parameters if n.endswith(("matrix", "vector"))]
    assert len(names) == 2
    assert helo.dynamic_evaluation(run, [text])["nats"] > 0
    for name in names:
        assert (run.parameters[name] == 1).all()
        assert name in said


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_parameters_that_are_not_float32_are_refused(kind, text, tmp_path):
    (tmp_path / "spare.py").write_text(SPARE.replace("np.float32", f"np.{kind}"))
    with pytest.raises(HeloError, match=rf"spare\.py:Spare: .*{kind}.*matrix.*float32"):
        helo.train("lm", text, out=tmp_path / "run", cell=f"{tmp_path}/spare.py:Spare", steps=3, **SMALL)


@pytest.mark.parametrize("cell", ["mingru", "FILE:Renamed"])
def test_weight_dropout_of_what_is_not_there_is_refused(cell, text, tmp_path):
    (tmp_path / "renamed.py").write_text(RENAMED)
    cell = cell.replace("FILE", f"{tmp_path}/renamed.py")
    with pytest.raises(HeloError, match=r"--weight-dropout: 0\.5.*recurrent"):
        helo.train("lm", text, out=tmp_path / "run", cell=cell, steps=2, weight_dropout=0.5, **SMALL)
    assert not (tmp_path / "run").exists()


def test_weight_dropout_is_of_what_a_cell_names(text, tmp_path):
    (tmp_path / "renamed.py").write_text(RENAMED + '    recurrent = ("again",)\n')
    usual = {"cell": f"{tmp_path}/renamed.py:Renamed", "steps": 3, **SMALL, "dropout": 0.0}
    one = helo.train("lm", text, out=tmp_path / "one", **usual)
    other = helo.train("lm", text, out=tmp_path / "other", weight_dropout=0.9, **usual)
    assert not np.array_equal(one.parameters["recurrent.0.again"], other.parameters["recurrent.0.again"])


RENAMED = """
from dataclasses import dataclass
import numpy as np
from helo.cells import Cell
from helo.cells.base import orthogonal, uniform, zeros
from helo.cells.functions import namespace

@dataclass(frozen=True)
class Renamed(Cell):
    def init(self, rng, inputs, hidden):
        return {"enters": uniform(rng, hidden, inputs, 0.5), "again": orthogonal(rng, 1, hidden)}

    def state(self, parameters, batch):
        return (zeros(parameters, "again", batch, parameters["again"].shape[0]),)

    def step(self, parameters, state, x):
        h = namespace(x).tanh(x @ parameters["enters"].T + state[0] @ parameters["again"].T)
        return (h,), h
"""


def test_adamw_is_torchs():
    rng = torch.Generator().manual_seed(0)
    ours = {"head.weight": torch.randn(4, 3, generator=rng).requires_grad_()}
    theirs = ours["head.weight"].detach().clone().requires_grad_()
    options = Options(adam_rate=0.01, weight_decay=0.1)
    mine = Optimiser(ours, options, torch.float32)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
    for _ in range(5):
        gradient = torch.randn(4, 3, generator=rng)
        ours["head.weight"].grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step(1.0)
        reference.step()
    torch.testing.assert_close(ours["head.weight"], theirs)


def test_the_schedule_ends_at_its_floor_and_validates_at_the_end():
    assert schedule.factor(0) == 1
    assert schedule.factor(1) == pytest.approx(schedule.FLOOR)
    assert schedule.factor(0.25) == pytest.approx(
        schedule.FLOOR + (1 - schedule.FLOOR) * (1 + 0.5**0.5) / 2
    )  # a cosine
    for steps in (1, 7, 10, 99, 2000):
        when: list[int] = []
        for s in range(1, steps + 1):
            when += [s] if schedule.validates(s / steps, len(when)) else []
        assert when[-1] == steps
        assert len(when) <= schedule.VALIDATIONS


def test_ctrl_c_saves_and_says_how_to_go_on(text, tmp_path):
    words = ["train", "lm", str(text), "--minutes", "2", "--hidden", "16", "--out", str(tmp_path / "run")]
    process = subprocess.Popen([sys.executable, "-m", "helo", *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not (tmp_path / "run" / "last").exists():
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "--resume" in said
    assert "Traceback" not in said
    assert helo.load(tmp_path / "run").sample("the ", 5, seed=1)


def test_a_run_begins_with_anothers_weights_symbols_and_options(text, tmp_path, monkeypatch):
    first = helo.train("lm", text, out=tmp_path / "first", steps=40, **SMALL)
    other = tmp_path / "other.txt"
    other.write_text("a lazy brown dog jumps over the quick fox, and the fox runs.\n" * 60)
    monkeypatch.setattr(Optimiser, "step", lambda self, factor: None)  # what it begins with is what it ends with
    second = helo.train("lm", other, out=tmp_path / "second", start=first.path, steps=2)
    assert weights(second) == weights(first)
    assert second.about["training"]["rate"] == pytest.approx(first.about["training"]["rate"] / 10)
    assert second.about["options"] == first.about["options"]
    with pytest.raises(HeloError, match=re.escape(str(first.path))):
        helo.train("lm", other, out=tmp_path / "third", start=first.path, hidden=8, steps=2)
    other.write_text("text with a ☃ in it\n" * 60)
    with pytest.raises(HeloError, match="☃"):
        helo.train("lm", other, out=tmp_path / "third", start=first.path, steps=2)
    with pytest.raises(HeloError, match=r"first.*\blm\b.*\bclassify\b"):
        helo.train("classify", other, out=tmp_path / "third", start=first.path, steps=2)


def test_what_others_have_trained_learns_slower():
    given = {"encoder.bias": torch.ones(3), "head.bias": torch.ones(3)}
    parameters = {n: p.requires_grad_() for n, p in given.items()}
    optimiser = Optimiser(parameters, Options(), torch.float32, {"encoder": 0.01})
    for p in parameters.values():
        p.grad = torch.ones(3)
    optimiser.step(1.0)
    moved = {n: 1 - p.detach()[0].item() for n, p in parameters.items()}
    assert moved["encoder.bias"] == pytest.approx(0.01 * moved["head.bias"], rel=1e-3)
