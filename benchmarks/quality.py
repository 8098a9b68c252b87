"""Nats on the last 10 % of tiny Shakespeare after so many minutes, stretched by the machine's pace:

python benchmarks/quality.py 1 2 10
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import SHARED, pace, report


def main() -> None:
    import helo

    rows = []
    for minutes in map(float, sys.argv[1:] or ["1", "2"]):
        slow = pace()
        with tempfile.TemporaryDirectory() as folder:
            run = helo.train("lm", SHARED / "tinyshakespeare.txt", out=Path(folder) / "run", minutes=minutes * slow)
        o = run.about["options"]
        rows.append({
            "minutes": minutes, "pace": slow, "seconds": run.about["seconds"], "steps": run.about["steps"],
            "hidden": o["hidden"], "dropout": o["dropout"], "streams": o["streams"], "nats": run.figures["nats"],
        })  # fmt: skip
        print(rows[-1], flush=True)
    report("quality", rows)


if __name__ == "__main__":
    main()
