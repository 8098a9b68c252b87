"""What is unusual in series: a forecaster's surprise against a running z-score, on the Numenta anomaly benchmark.

    python benchmarks/nab.py FOLDER          # realAWSCloudwatch/*.csv, realTraffic/*.csv, windows.json

Each file is learned from its first 15 % and judged on the rest, with numbered steps (the files' own times have gaps). Areas
under precision and recall and VUS-PR (Paparrizos et al. 2022), the mean over all files that have a labelled window in the rest
and enough values to learn from.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import helo

from helo.errors import HeloError
from helo.inspection import alarms

LEARNED, HORIZON, RUNNING = 0.15, 48, 288  # a day has 288 values
WINDOWS = (1, HORIZON)  # values in a row whose mean is judged


def z_scores(values: np.ndarray, first: int) -> np.ndarray:
    """Distance of each value from the mean of the RUNNING before it, over their deviation."""
    found = np.zeros(len(values))
    for i in range(first, len(values)):
        before = values[max(0, i - RUNNING) : i]
        found[i] = abs(values[i] - before.mean()) / (before.std() + 1e-9 * (1 + abs(before.mean())))
    return found


def _means(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of each value and those before it, so many in all."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(sums))
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def main() -> None:
    folder = Path(sys.argv[1])
    windows = json.loads((folder / "windows.json").read_text())
    rows = []
    for file in sorted([*folder.glob("realAWSCloudwatch/*.csv"), *folder.glob("realTraffic/*.csv")]):
        name = f"{file.parent.name}/{file.name}"
        table = list(csv.DictReader(file.open()))
        values, times = np.array([float(r["value"]) for r in table]), [r["timestamp"] for r in table]
        labels = np.array([any(a[:19] <= t <= b[:19] for a, b in windows.get(name, ())) for t in times], int)
        first = int(LEARNED * len(values))
        if not labels[first:].any():
            continue
        found: dict[str, object] = {"file": name, "share": labels[first:].mean()}
        with tempfile.TemporaryDirectory() as place:
            whole, known, marks = (Path(place) / n for n in ("whole.csv", "known.csv", "labels"))
            text = [f"{i},{v!r}" for i, v in enumerate(values.tolist())]
            whole.write_text("\n".join(["step,value", *text]) + "\n")
            known.write_text("\n".join(["step,value", *text[:first]]) + "\n")
            marks.write_text("".join(f"{y}\n" for y in labels))
            try:
                # What is held out and what is learned from have to fit behind a day of values.
                horizon = max(1, min(HORIZON, (first - RUNNING) // 2))
                how = [
                    "--time",
                    "step",
                    "--target",
                    "value",
                    "--frequency",
                    "5min",
                    "--horizon",
                    horizon,
                    "--steps",
                    100,
                ]
                helo("train", "forecast", known, *how, "--out", Path(place) / "run", "--quiet", "--seed", 1)
            except HeloError as error:
                print(f"{name:50} left out: {error}")
                continue
            said = json.loads(helo("surprise", Path(place) / "run", whole, "--json"))
        nats = np.full(len(values), np.nan)
        for value in said["values"]:
            nats[value["step"] - 1] = value["nats"]
        nats = np.where(np.isnan(nats), np.nanmin(nats), nats)
        for window in WINDOWS:
            scores = {"helo": _means(nats, window)[first:], "z": _means(z_scores(values, first), window)[first:]}
            for who, score in scores.items():
                figures = alarms.figures(labels[first:], score, None)
                found |= {f"{who} {window} {f}": figures[f] for f in ("auc_pr", "vus_pr")}
        rows.append(found)
        print(f"{name:50} " + "  ".join(f"{k} {v:.3f}" for k, v in found.items() if isinstance(v, float)))
    for key in rows[0]:
        if key != "file":
            print(f"{key:16} {statistics.mean(float(str(r[key])) for r in rows):.3f}  mean of {len(rows)}")


if __name__ == "__main__":
    main()
