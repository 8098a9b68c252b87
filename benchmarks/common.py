"""What the benchmarks share: the usual loop, the pace of the machine, a table and its JSON."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from helo.engines.device import Device
from helo.errors import HeloError

HERE = Path(__file__).parent
SHARED = HERE.parent.parent / "shared" / "data" / "text"
REFERENCE_MS = 33.0  # a chunk of 100 by 32 through an LSTM of 256, on the machine where the figures were found


def helo(*words: object) -> str:
    """What a command writes; raises HeloError where it fails."""
    done = subprocess.run([sys.executable, "-m", "helo", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise HeloError(done.stderr.strip()[-300:])
    return done.stdout


def read(path: Path) -> str:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.decode("utf-8", errors="ignore")


def plain(path: Path, folder: Path) -> Path:
    """A text file without .gz, in a folder."""
    to = folder / path.name.removesuffix(".gz")
    to.write_text(read(path), encoding="utf-8")
    return to


def pace() -> float:
    """How much slower this machine is than the reference, in float32 where it has no bfloat16."""
    model, x = nn.LSTM(64, 256, batch_first=True), torch.randn(32, 100, 64)
    half = Device.here("cpu").precision == torch.bfloat16

    def one() -> float:
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model(x)[0].float().square().mean()
        loss.backward()
        return time.perf_counter() - start

    times = sorted(one() for _ in range(25))
    return min(3.0, max(0.7, 1e3 * times[12] / REFERENCE_MS))  # beside much other work it says nothing


class Usual(nn.Module):
    """The model of the usual tutorial: embedding, nn.LSTM, linear."""

    def __init__(self, vocabulary: int, hidden: int = 256, embedding: int = 64):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, ids, state=None):
        xs, state = self.lstm(self.embedding(ids), state)
        return self.head(xs), state


def usual_loop(
    text: str, seconds: float, every: float = 0, tell: Callable[[float, float], bool] = lambda s, n: False
) -> float:
    """The usual loop: Adam 2e-3, float32, 32 random windows of 100 from a state of zeros, clip 1. Nats on the last 10 %
    as one stream with carried state. tell(seconds, nats): called every so many seconds of training; True ends it.
    """
    torch.manual_seed(0)
    symbols = sorted(set(text))
    index = {c: i for i, c in enumerate(symbols)}
    ids = torch.tensor([index[c] for c in text])
    cut = int(len(ids) * 0.9)
    train, valid = ids[:cut], ids[cut:]
    chunk = min(100, len(train) - 2)
    model = Usual(len(symbols))
    adam = torch.optim.Adam(model.parameters(), lr=2e-3)
    trained, next_tell = 0.0, every
    while trained < seconds:
        start = time.perf_counter()
        at = torch.randint(len(train) - chunk - 1, (32,))
        window = torch.stack([train[i : i + chunk + 1] for i in at])
        scores, _ = model(window[:, :-1])
        loss = cross_entropy(scores.flatten(0, 1), window[:, 1:].flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        trained += time.perf_counter() - start
        if every and trained >= next_tell:
            next_tell += every
            if tell(trained, stream_loss(model, valid, 16)):
                break
    return stream_loss(model, valid)


@torch.no_grad()
def stream_loss(model: nn.Module, ids: torch.Tensor, rows: int = 1) -> float:
    """Nats a symbol over a text, with carried state; in `rows` stretches side by side."""
    length = (len(ids) - 1) // rows
    inputs, targets = (ids[o : o + rows * length].view(rows, length) for o in (0, 1))
    total, state = 0.0, None
    for t in range(0, length, 2048):
        scores, state = model(inputs[:, t : t + 2048], state)
        total += cross_entropy(scores.flatten(0, 1), targets[:, t : t + 2048].flatten(), reduction="sum").item()
    return total / (rows * length)


def report(name: str, rows: list[dict[str, object]]) -> None:
    """Print rows as one table and keep them as JSON."""
    keys = list(rows[0])
    cells = [[f"{r[k]:.4g}" if isinstance(r[k], float) else str(r[k]) for k in keys] for r in rows]
    widths = [max(len(k), *(len(c[i]) for c in cells)) for i, k in enumerate(keys)]
    for line in ([*keys], *cells):
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)))
    (HERE / "results").mkdir(exist_ok=True)
    out = {"when": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "numpy": np.__version__, "rows": rows}
    (HERE / "results" / f"{name}.json").write_text(json.dumps(out, indent=1) + "\n")
