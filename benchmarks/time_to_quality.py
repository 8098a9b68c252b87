"""Seconds of training to reach 1.88, 1.60, 1.50 and 1.4697 nats on tiny Shakespeare, in one run:
helo (a schedule as long as each goal needs is not known beforehand, so several budgets are tried and the shortest that
reaches it counts), the usual torch loop, and the same model in keras on torch.

    python benchmarks/time_to_quality.py [--most SECONDS]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from common import SHARED, pace, read, report, usual_loop

GOALS = (1.88, 1.60, 1.50, 1.4697)
BUDGETS = (4, 8, 12, 20, 40, 60)  # seconds on the reference machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=float, default=120, help="seconds for the others, on the reference machine")
    slow, arguments = pace(), parser.parse_args()
    text = read(SHARED / "tinyshakespeare.txt")
    results = {
        "helo": helo(slow),
        "usual loop": usual(text, arguments.most * slow),
        "keras": keras(text, arguments.most * slow),
    }
    rows = []
    for name, found in results.items():
        rows.append({"what": name, **{f"{g} nats, s": found.get(g, "not reached") for g in GOALS}})
    print(f"pace {slow:.2f} times the reference machine; seconds of this machine")
    report("time_to_quality", rows)


def helo(slow: float) -> dict[float, float]:
    import helo

    found: dict[float, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for budget in BUDGETS:
            run = helo.train(
                "lm", SHARED / "tinyshakespeare.txt", out=Path(folder) / str(budget), minutes=budget * slow / 60
            )
            nats, seconds = run.figures["nats"], run.about["seconds"]
            print(f"helo, {budget} s stretched: {nats:.4f} nats in {seconds:.1f} s", flush=True)
            for goal in GOALS:
                if nats <= goal:
                    found.setdefault(goal, seconds)
    return found


def usual(text: str, most: float) -> dict[float, float]:
    found: dict[float, float] = {}

    def tell(seconds: float, nats: float) -> bool:
        for goal in GOALS:
            if nats <= goal:
                found.setdefault(goal, seconds)
        return GOALS[-1] in found

    nats = usual_loop(text, most, every=most / 40, tell=tell)
    print(f"usual loop: {nats:.4f} nats at the end of {most:.0f} s", flush=True)
    return found


def keras(text: str, most: float) -> dict[float, float | str]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras as k  # pyright: ignore[reportMissingImports]
    except ImportError:
        return dict.fromkeys(GOALS, "keras not installed")
    import numpy as np

    symbols = sorted(set(text))
    index = {c: i for i, c in enumerate(symbols)}
    ids = np.array([index[c] for c in text])
    cut, chunk, v = int(len(ids) * 0.9), 100, len(symbols)
    model = k.Sequential([
        k.layers.Embedding(v, 64), k.layers.LSTM(256, return_sequences=True), k.layers.Dense(v),
    ])  # fmt: skip
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=k.optimizers.Adam(2e-3, clipnorm=1.0), loss=loss)
    rng, found, trained, nats = np.random.default_rng(0), {}, 0.0, float("nan")
    valid = ids[cut:][: (len(ids) - cut) // 1001 * 1001].reshape(-1, 1001)  # blocks of 1,000 with their next symbols
    while trained < most and GOALS[-1] not in found:
        at = rng.integers(cut - chunk - 1, size=32 * 100)
        window = np.stack([ids[i : i + chunk + 1] for i in at])
        start = time.perf_counter()
        model.fit(window[:, :-1], window[:, 1:], batch_size=32, epochs=1, verbose=0)
        trained += time.perf_counter() - start
        nats = float(model.evaluate(valid[:, :-1], valid[:, 1:], batch_size=16, verbose=0))
        for goal in GOALS:
            if nats <= goal:
                found.setdefault(goal, trained)
    print(f"keras: {nats:.4f} nats at the end of {trained:.0f} s", flush=True)
    return found


if __name__ == "__main__":
    main()
