"""helo's loop against the same model and optimiser in a bare torch loop, in one run: python benchmarks/throughput.py"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from common import SHARED, report
from torch.nn.functional import cross_entropy, dropout

from helo import cells, tasks
from helo.engines import scan
from helo.tasks.base import Budget
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Silent

STEPS, ROUNDS = 25, 6


def main() -> None:
    rows = []
    for cell in cells.names():
        with tempfile.TemporaryDirectory() as folder:
            kind = tasks.find("lm")
            options = kind.Options(cell=cell, hidden=256, dropout=0.1)
            task = kind.read([SHARED / "tinyshakespeare.txt"], [], options, Path(folder))
            task.settle(Budget(steps=1000))
            training = Training(
                task, Path(folder), Options(steps=1000), Machine.here(Options()), Silent(), time.monotonic()
            )
            training.progress.total = 1000
            bare = Bare(cell, training)
            ours, theirs = [], []
            for step in (training.step, bare.step):
                for _ in range(5):
                    step()
            for _ in range(ROUNDS):  # in turn, so that a change of the machine's speed meets both
                ours.append(_seconds(training.step))
                theirs.append(_seconds(bare.step))
        ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
        a, b = sorted(ours)[ROUNDS // 2], sorted(theirs)[ROUNDS // 2]
        rows.append({"cell": cell, "helo ms/step": 1e3 * a, "bare ms/step": 1e3 * b,
                     "helo's throughput of bare": ratios[ROUNDS // 2], "symbols/s": round(2048 / a)})  # fmt: skip
    report("throughput", rows)


class Bare:
    """No run folder, no reports, no carry of counters: the model, the loss, the optimiser."""

    def __init__(self, cell: str, training: Training):
        self.cell = cells.find(cell)
        self.parameters = {n: p.detach().clone().requires_grad_() for n, p in training.parameters.items()}
        self.optimiser = Optimiser(self.parameters, Options(), torch.float32, blocks=self.cell.blocks)
        self.own = {
            n.removeprefix("recurrent.0."): p for n, p in self.parameters.items() if n.startswith("recurrent.0.")
        }
        ids = torch.from_numpy(training.task.symbols.ids[: 32 * 30_000].astype("int64")).view(32, 30_000)
        self.ids, self.t, self.state, self.machine = ids, 0, None, training.machine

    def step(self) -> None:
        p = self.parameters
        xs, ys = self.ids[:, self.t : self.t + 64], self.ids[:, self.t + 1 : self.t + 65]
        self.t += 64
        with self.machine.products():
            hs, state = scan(self.cell, self.own, torch.nn.functional.embedding(xs, p["embedding"]), self.state)
            scores = dropout(hs, 0.1) @ p["head.weight"].T + p["head.bias"]
            loss = cross_entropy(scores.flatten(0, 1).float(), ys.flatten())
        loss.backward()
        self.state = tuple(s.detach().float() for s in state)
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        self.optimiser.step(1.0)
        for w in p.values():
            w.grad = None


def _seconds(step) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    main()
