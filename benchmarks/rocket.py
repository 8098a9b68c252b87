"""A minute of helo's defaults against aeon's RocketClassifier and RocketRegressor, in the same run.

    python -m venv apart && apart/bin/pip install "aeon>=1" ".[train]" && apart/bin/python benchmarks/rocket.py FILES_TRAIN.ts

An environment apart, since aeon's numba asks for an older NumPy than helo's own. Beside each NAME_TRAIN.ts lies NAME_TEST.ts. The minutes are not
stretched.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import helo, report


def rocket(train: Path, test: Path) -> dict[str, float]:
    """Its accuracy, or its root mean squared error, on the test file, and its seconds. Series of several lengths are padded with zeros."""
    from aeon.classification.convolution_based import RocketClassifier  # pyright: ignore[reportMissingImports]
    from aeon.datasets import load_from_ts_file  # pyright: ignore[reportMissingImports]
    from aeon.regression.convolution_based import RocketRegressor  # pyright: ignore[reportMissingImports]

    (x, y), (other, truth) = (load_from_ts_file(str(f)) for f in (train, test))
    if isinstance(x, list) or isinstance(other, list):
        longest = max(a.shape[1] for a in (*x, *other))
        x, other = (np.stack([np.pad(a, ((0, 0), (0, longest - a.shape[1]))) for a in some]) for some in (x, other))
    numeric, began = "@targetlabel true" in train.read_text().lower(), time.monotonic()
    model: Any = (RocketRegressor if numeric else RocketClassifier)(random_state=0, n_jobs=2)
    answers = model.fit(x, y).predict(other)
    seconds = time.monotonic() - began
    if numeric:
        return {"rmse": float(np.sqrt(np.mean((answers - truth.astype(float)) ** 2))), "seconds": seconds}
    return {"accuracy": float(np.mean(answers == truth)), "seconds": seconds}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=Path)
    options.add_argument("--minutes", type=float, default=1)
    options.add_argument("--seed", type=int, default=1)
    asked, rows = options.parse_args(), []
    for train in asked.files:
        test = train.with_name(train.name.replace("_TRAIN", "_TEST"))
        theirs = rocket(train, test)
        figure = "rmse" if "rmse" in theirs else "accuracy"
        with tempfile.TemporaryDirectory() as place:
            run, began = Path(place) / "run", time.monotonic()
            task = "regress" if figure == "rmse" else "classify"
            helo("train", task, train, "--minutes", asked.minutes, "--seed", asked.seed, "--out", run, "--quiet")
            seconds = time.monotonic() - began
            figures = json.loads(helo("eval", run, test, "--json"))["figures"]
        rows.append({"set": train.name.replace("_TRAIN.ts", ""), "figure": figure, "helo": figures[figure], "seconds": seconds,
                     "rocket": theirs[figure], "rocket_seconds": theirs["seconds"], "coverage_80": figures.get("coverage_80")})  # fmt: skip
        print(rows[-1], flush=True)
    right = [r for r in rows if r["figure"] == "accuracy"]
    if right:
        print({who: round(statistics.mean(r[who] for r in right), 4) for who in ("helo", "rocket")})
    report("rocket", rows)


if __name__ == "__main__":
    main()
