"""Milliseconds a step of helo's training, batches and copies included, against the same model in torch's own modules
with its fused AdamW, in one run:

    python benchmarks/throughput.py [--device cpu|cuda] [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import SHARED, report
from torch.nn.functional import cross_entropy

from helo import tasks
from helo.engines.device import Device
from helo.tasks.base import Budget
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.options import Options
from helo.training.report import Reporter

HERE = Path(__file__).parent
SIZES = [  # cell, layers, hidden, streams, chunk
    ("lstm", 1, 256, 32, 64),
    ("lstm", 1, 512, 32, 64),
    ("gru", 1, 256, 32, 64),
    ("rnn", 1, 256, 32, 64),
    ("mingru", 1, 256, 32, 64),
    (f"{HERE / 'peephole.py'}:Peephole", 1, 256, 32, 64),
    ("lstm", 2, 1024, 128, 128),
    ("mingru", 2, 1024, 128, 128),
]
BARE = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--text", default=str(SHARED / "tinyshakespeare.txt"))
    parser.add_argument("--quick", action="store_true", help="without the large ones")
    arguments = parser.parse_args()
    device = Device.here(arguments.device)
    rounds, steps = (5, 100) if device.accelerator else (6, 25)
    rows = []
    for cell, layers, hidden, streams, chunk in SIZES[:6] if arguments.quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            training = begun(device, Path(folder), arguments.text, cell, layers, hidden, streams, chunk)
            ways = {"helo": training.step}
            if cell in BARE:
                ways["bare"] = Bare(BARE[cell], training, device).step
            with device.busy():
                for step in ways.values():
                    for _ in range(12):
                        step()
                found = {name: [] for name in ways}
                for _ in range(rounds):  # in turn, so that a change of the machine's speed meets both
                    for name, step in ways.items():
                        found[name].append(seconds(step, steps, device))
        middle = {name: sorted(times)[rounds // 2] for name, times in found.items()}
        row = {"cell": cell.rpartition("/")[2], "size": f"{layers} x {hidden}, {streams} x {chunk}"}
        row |= {f"{name} ms": 1e3 * t for name, t in middle.items()}
        if "bare" in middle:
            row["bare / helo"] = middle["bare"] / middle["helo"]
        rows.append(row | {"symbols/s": round(streams * chunk / middle["helo"])})
        print(rows[-1], flush=True)
    print(device)
    report("throughput", rows)


def begun(device, folder, text, cell, layers, hidden, streams, chunk) -> Training:
    """A training as `helo train lm` begins it."""
    kind = tasks.find("lm")
    options = kind.Options(cell=cell, layers=layers, hidden=hidden, streams=streams, chunk=chunk, dropout=0.1)
    task = kind.read([text], [], options, folder)
    task.infer_defaults(Budget(steps=100_000))
    options = Options(steps=100_000, save_seconds=1e6)
    training = Training(task, folder, options, Machine(device, 0, 1), Reporter(), time.monotonic())
    training.progress.total = options.steps
    return training


class Bare:
    """A person's own loop: torch's module, dropout, cross entropy, clipping, fused AdamW; the data lie on the device."""

    def __init__(self, kind, training: Training, device: Device):
        task: Any = training.task
        o, v, self.device = task.options, len(task.vocab), device
        self.embedding = torch.nn.Embedding(v, o.embedding).to(device.at)
        self.body = kind(o.embedding, o.hidden, o.layers, batch_first=True).to(device.at)
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(o.hidden, v)).to(device.at)
        self.parameters = [p for m in (self.embedding, self.body, self.head) for p in m.parameters()]
        self.optimiser = torch.optim.AdamW(self.parameters, 1e-3, fused=True)
        ids = task.symbols.ids
        length = len(ids) // o.streams
        ids = torch.from_numpy(ids[: o.streams * length].astype("int64")).view(o.streams, length)
        self.ids, self.chunk, self.t, self.state = ids.to(device.at), o.chunk, 0, None

    def step(self) -> None:
        if self.t + self.chunk + 1 > self.ids.shape[1]:
            self.t = 0
        xs, ys = self.ids[:, self.t : self.t + self.chunk], self.ids[:, self.t + 1 : self.t + self.chunk + 1]
        self.t += self.chunk
        with self.device.autocast():
            hs, state = self.body(self.embedding(xs), self.state)
            loss = cross_entropy(self.head(hs).flatten(0, 1).float(), ys.flatten())
        loss.backward()
        self.state = tuple(s.detach().float() for s in state) if isinstance(state, tuple) else state.detach().float()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()


def seconds(step, steps: int, device: Device) -> float:
    """Of one step, waiting for the device at the end."""
    wait = torch.cuda.synchronize if device.captures else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    wait()
    return (time.perf_counter() - start) / steps


if __name__ == "__main__":
    main()
