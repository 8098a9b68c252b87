"""Several processes: they give the model of one, whatever their number, and one of them speaks for all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import helo
from helo.data.buckets import Buckets
from helo.inputs.dialogue import Dialogue
from helo.inputs.numbers import Numbers
from helo.inputs.words import Words

NEAR = 1e-5  # of weights: additions in another order
SMALL = ["--hidden", "8", "--dropout", "0", "--precision", "float32", "--seed", "1", "--quiet"]


def data(task: str, folder: Path) -> list[str]:
    """A small file of each shape, and the flags that go with it."""
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(["cat", "sat", "on", "mats", "dogs", "ran"], rng.integers(1, 9))) for _ in range(60)]
    file = folder / "data"
    if task == "lm":
        file = file.with_suffix(".txt")
        file.write_text("\n".join(words * 5))
        return [str(file), "--streams", "5", "--chunk", "16"]
    if task == "classify":
        file = file.with_suffix(".tsv")
        file.write_text("text\tlabel\n" + "".join(f"{w}\t{'ab'[len(w) % 2]}\n" for w in words))
        return [str(file), "--batch", "7"]
    if task == "series":
        file = file.with_suffix(".csv")
        rows = [
            f"{i},{t},{rng.standard_normal() + i % 2:.4f},{'ab'[i % 2]}" for i in range(60) for t in range(3 + i % 7)
        ]
        file.write_text("\n".join(["id,t,x,label", *rows]) + "\n")
        return [str(file), "--group", "id", "--order", "t", "--batch", "7"]
    if task == "tag":
        file = file.with_suffix(".conll")
        file.write_text("\n".join("".join(f"{w}\t{w[0].upper()}\n" for w in s.split()) for s in words))
        return [str(file), "--batch", "7"]
    if task == "translate":
        file = file.with_suffix(".tsv")
        file.write_text("source\ttarget\n" + "".join(f"{w}\t{w[::-1]}\n" for w in words))
        return [str(file), "--batch", "7"]
    from PIL import Image

    (folder / "pictures").mkdir()
    for i in range(12):
        Image.new("RGB", (8, 8), (20 * i, 0, 200 - 10 * i)).save(folder / "pictures" / f"{i}.png")
    file = file.with_suffix(".txt")
    file.write_text("".join(f"{i}.png\t{words[i]}\n{i}.png\t{words[i + 20]}\n" for i in range(12)))
    return [str(file), "--images", str(folder / "pictures"), "--encoder", "small", "--batch", "4"]


def port() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def command(world: int, *words: Any) -> list[str]:
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", str(world), "--master-port", port()]
    return [sys.executable, *(torchrun if world > 1 else []), "-m", "helo", *map(str, words)]


def run(world: int, *words: Any, code: int = 0) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command(world, *words), env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done


def apart(a: Path, b: Path) -> float:
    """The largest difference between the weights of two runs."""
    first, second = helo.load(a).parameters, helo.load(b).parameters
    assert first.keys() == second.keys()
    return max(float(np.abs(first[n] - second[n]).max()) for n in first)


@pytest.mark.parametrize("task", ["lm", "classify", "series", "tag", "translate", "caption"])
def test_two_processes_are_one_and_a_run_goes_on_with_another_number(task, tmp_path):
    words = ["train", "classify" if task == "series" else task, *data(task, tmp_path), *SMALL, "--steps", 24]
    # The first gradients of convolutions are so small that what AdamW makes of them is larger than their rounding.
    near = 10 * NEAR if task == "series" else NEAR
    one, two, changing = (tmp_path / name for name in ("one", "two", "changing"))
    run(1, *words, "--out", one)
    run(2, *words, "--out", two)
    assert apart(one, two) < near
    for world, steps in ((1, 8), (2, 16)):
        stopped(world, steps, *words, "--out", changing)
    run(1, *words, "--out", changing, "--resume")
    assert json.loads((changing / "run.json").read_text())["finished"]
    assert apart(one, changing) < near


STOPPING = """
import sys
from helo.training.loop import Training
from helo.cli import main
at, step = int(sys.argv.pop(1)), Training.step
def stopping(self):
    self.stop = self.machine.writes and self.progress.step + 1 == at
    return step(self)
Training.step = stopping
main()
"""


def stopped(world: int, at: int, *words: Any, script: str = STOPPING) -> None:
    """A training that is stopped in its middle, by a script that each process runs."""
    file = Path(words[words.index("--out") + 1]).with_suffix(".py")
    file.write_text(script)
    start = command(world, at, *words, "--resume")
    start[start.index("helo") - 1 : start.index("helo") + 1] = [str(file)]
    done = subprocess.run(start, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == (130 if world == 1 else 1), done.stderr  # torchrun has a code of its own
    assert done.stderr.count("helo: stopped at ") == 1


def test_a_signal_that_reaches_one_process_late_stops_all(tmp_path):
    """It comes after that process has told the others that there was none: all end after the next step."""
    late = STOPPING.replace("self.stop = ", "late = ").replace(
        "    return step(self)", "    step(self)\n    self.stop = late or self.stop"
    )
    words = ["train", "lm", *data("lm", tmp_path), *SMALL, "--steps", 24, "--out", tmp_path / "run"]
    stopped(2, 8, *words, script=late)
    run(1, *words, "--resume")
    assert json.loads((tmp_path / "run/run.json").read_text())["finished"]


def alone(rank: int, world: int, at: str, *words: Any) -> subprocess.Popen[str]:
    """One process of several, as a person starts it by hand."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "RANK": str(rank), "WORLD_SIZE": str(world)}
    env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": at}
    return subprocess.Popen(command(1, *words), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_are_started_by_hand(tmp_path):
    """A batch may have fewer examples than there are processes; only the first one speaks; too many are refused."""
    words = ["train", "classify", *data("classify", tmp_path), *SMALL, "--steps", 4]
    run(1, *words, "--out", tmp_path / "one", "--batch", 2)
    at = port()
    several = [alone(r, 2, at, *words, "--out", tmp_path / "two", "--batch", 2, "--json") for r in range(2)]
    said = [p.communicate(timeout=120) for p in several]
    assert [p.returncode for p in several] == [0, 0], said
    assert json.loads(said[0][0])["steps"]
    assert said[1] == ("", "")
    assert apart(tmp_path / "one", tmp_path / "two") < NEAR

    at = port()
    several = [alone(r, 2, at, *words, "--out", tmp_path / "none", "--batch", 1) for r in range(2)]
    said = [p.communicate(timeout=120)[1] for p in several]
    assert [p.returncode for p in several] == [2, 2], said
    assert len(said[0].splitlines()) == 1
    assert "--batch" in said[0]
    assert said[1] == ""
    assert not (tmp_path / "none" / "run.json").exists()


def test_what_one_process_cannot_read_all_are_refused(tmp_path):
    words, at = (
        ["train", "classify", *data("classify", tmp_path), *SMALL, "--steps", 4, "--out", tmp_path / "run"],
        port(),
    )
    elsewhere = [*words[:2], tmp_path / "missing.tsv", *words[3:]]
    several = [alone(0, 2, at, *words), alone(1, 2, at, *elsewhere)]
    said = [p.communicate(timeout=120)[1] for p in several]
    assert [p.returncode for p in several] == [2, 2], said
    assert "process 1: " in said[0]
    assert "missing.tsv" in said[0]
    assert said[1] == ""
    assert len(said[0].splitlines()) == 1


@pytest.mark.parametrize(
    "env, named",
    [({"RANK": "x"}, "RANK"), ({"RANK": "0"}, "WORLD_SIZE"), ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK"),
     ({"RANK": "-1", "WORLD_SIZE": "1"}, "RANK"), ({"WORLD_SIZE": "2"}, "RANK"), ({"WORLD_SIZE": "0"}, "WORLD_SIZE"),
     ({"RANK": "1", "WORLD_SIZE": "2"}, "MASTER_ADDR"), ({"RANK": "1", "WORLD_SIZE": "1.5"}, "WORLD_SIZE")],
)  # fmt: skip
def test_a_place_that_is_none_is_refused_by_name(env, named, monkeypatch, tmp_path):
    from helo.training.machine import Machine
    from helo.training.options import Options

    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(helo.HeloError, match=named):
        Machine.here(Options())


def test_a_process_that_dies_ends_the_others_with_a_line(tmp_path):
    words, at = (
        ["train", "classify", *data("classify", tmp_path), *SMALL, "--steps", 100_000, "--out", tmp_path / "run"],
        port(),
    )
    several = [alone(r, 2, at, *words) for r in range(2)]
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    several[1].send_signal(signal.SIGKILL)
    said = several[0].communicate(timeout=60)[1]
    several[1].communicate()
    assert several[0].returncode == 2
    assert len(said.splitlines()) == 1
    assert "--resume" in said


def test_noise_is_that_of_the_whole_batch_however_it_is_dealt_out():
    rng = np.random.default_rng(0)
    said = [[f"w{rng.integers(30)}" for _ in range(rng.integers(1, 9))] for _ in range(20)]
    talk = [[("a" if t % 2 else "b", " ".join(said[(i + t) % 20])) for t in range(1 + i % 4)] for i in range(20)]
    from helo.data.dataset import Dataset

    def examples(kind: str, inputs: Any) -> Dataset:
        return Dataset(kind, inputs, None, lambda i, *step: f"input {i}")

    frames = examples("frames", [rng.standard_normal((1 + i % 5, 3)) for i in range(20)])
    words, turns = Words.learn(said, 4), examples("dialogue", talk)
    dialogue = Dialogue.learn(turns, 4, 4, 0.0)
    for encoded in (
        words.encode(examples("tokens", said)),
        Numbers.learn(frames).encode(frames),
        dialogue.encode(turns),
    ):
        batches = [
            Buckets(encoded.lengths, 8, lambda rows, rng, mine, e=encoded: e.batch(rows, rng, mine), 1, rank, world)
            for rank, world in ((0, 1), (0, 2), (1, 2))
        ]
        for _ in range(3):
            whole, *parts = (_spelled(b.next()) for b in batches)
            assert all(part == whole[rank::2] for rank, part in enumerate(parts))


def _spelled(batch: dict[str, np.ndarray]) -> list[list[Any]]:
    """Each row of a batch as what its steps are, without the padding."""
    if "xs" in batch:
        steps = batch["xs"].tolist()
    elif "forms" in batch:
        steps = batch["forms"][batch["index"]].tolist()
    else:
        said = _spelled({n.removeprefix("words."): a for n, a in batch.items() if n.startswith("words.")})
        steps = [[said[t] for t in row] for row in batch["turns"]]
    return [row[:n] for row, n in zip(steps, batch["lengths"], strict=True)]
