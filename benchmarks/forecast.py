"""Forecasts against seasonal naive: M4's hourly and weekly series, and the oil temperature of ETTh1.

    python benchmarks/forecast.py FOLDER [--minutes 10] [--only weekly]     # m4/Hourly-train.csv.gz, m4/Weekly-train.csv.gz, ett/ETTh1.csv.gz

M4: the last horizon of each training series is held out, and everything before it learned from. ETTh1: all columns are known up to the
origin; the usual split of 12, 4 and 4 months, learned from the first 12, asked on the last 4, a forecast of 24 hours every 24 hours. The minutes are
stretched by the machine's pace.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

from common import helo, pace, read, report

M4 = {"hourly": ("m4/Hourly-train.csv.gz", 48), "weekly": ("m4/Weekly-train.csv.gz", 13)}
LEARNED, ASKED, DAY = 12 * 30 * 24, 20 * 30 * 24, 24  # hours of ETTh1: months of thirty days


def m4(folder: Path, place: Path, name: str) -> tuple[Path, Path, list[str | int], list[str | int]]:
    """A file to learn from, one that goes on, and the options of training and of evaluation."""
    archive, horizon = M4[name]
    rows = list(csv.reader(read(folder / archive).splitlines()))
    files = place / "history.csv", place / "whole.csv"
    for file, cut in zip(files, (horizon, 0), strict=True):
        with file.open("w") as out:
            writer = csv.writer(out)
            writer.writerow(rows[0])
            for row in rows[1:]:
                values = [v for v in row if v != ""]
                writer.writerow(values[: len(values) - cut])
    return files[0], files[1], ["--horizon", horizon, "--frequency", name], ["--origins", 1]


def etth1(folder: Path, place: Path, name: str) -> tuple[Path, Path, list[str | int], list[str | int]]:
    lines = read(folder / "ett/ETTh1.csv.gz").splitlines()
    files = place / "history.csv", place / "whole.csv"
    for file, count in zip(files, (LEARNED, ASKED), strict=True):
        file.write_text("\n".join(lines[: 1 + count]) + "\n")
    past = [word for column in lines[0].split(",")[1:-1] for word in ("--past", column)]
    origins = (ASKED - 16 * 30 * 24) // DAY
    return files[0], files[1], ["--target", "OT", "--horizon", DAY, *past], ["--origins", origins, "--stride", DAY]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", choices=["hourly", "weekly", "etth1"])
    asked, rows = options.parse_args(), []
    for name in [asked.only] if asked.only else ["hourly", "weekly", "etth1"]:
        with tempfile.TemporaryDirectory() as place:
            made = (etth1 if name == "etth1" else m4)(asked.folder, Path(place), name)
            history, whole, training, evaluation = made
            run, began, slower = Path(place) / "run", time.monotonic(), pace()
            helo(
                "train",
                "forecast",
                history,
                *training,
                "--minutes",
                asked.minutes * slower,
                "--seed",
                asked.seed,
                "--out",
                run,
                "--quiet",
            )
            seconds = time.monotonic() - began
            figures = json.loads(helo("eval", run, whole, *evaluation, "--json"))["figures"]
        for who, found in (("helo", figures), ("seasonal naive", figures["seasonal_naive"])):
            one = {k: found[k] for k in ("wql", "mase", "smape", "mae", "rmse", "coverage_80")}
            took = (
                {"seconds": round(seconds), "pace": round(slower, 2)} if who == "helo" else {"seconds": "", "pace": ""}
            )
            rows.append({"series": name, "forecast": who, **one, **took})
            print(rows[-1], flush=True)
    report("forecast", rows)


if __name__ == "__main__":
    main()
