"""What it costs a training to be watched: the same steps without --watch and with it and a page that asks each second, in
turn. Milliseconds a step between the first report and the last, and processor seconds of both processes.

    python benchmarks/watched.py [TEXT] [--steps 300] [--pairs 6]
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from statistics import median

from common import SHARED, report


def polled(address: str, stop: threading.Event) -> None:
    """A page that is open."""
    while not stop.wait(1.0):
        try:
            urllib.request.urlopen(f"{address}now?layer=&unit=", timeout=10).read()
        except OSError:
            return


def trained(text: Path, out: Path, steps: int, watch: bool) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "helo",
        "train",
        "lm",
        str(text),
        "--steps",
        str(steps),
        "--hidden",
        "256",
        "--out",
        str(out),
    ]
    before, stop = resource.getrusage(resource.RUSAGE_CHILDREN), threading.Event()
    flags = ["--watch", "--no-browser"] if watch else []
    with subprocess.Popen(command + flags, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://\S+/", line):
                threading.Thread(target=polled, args=(found[0], stop), daemon=True).start()
    stop.set()
    if process.returncode:
        raise SystemExit(f"training ended with {process.returncode}")
    reports = [json.loads(x) for x in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    spent = reports[-1]["seconds"] - reports[0]["seconds"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "ms": 1e3 * spent / (reports[-1]["step"] - reports[0]["step"]),
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="?", type=Path, default=SHARED / "tinyshakespeare.txt")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=6)
    asked = parser.parse_args()
    found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(asked.pairs):
            for watch in (False, True) if i % 2 else (True, False):
                one = trained(asked.text, Path(folder) / f"{i}-{watch}", asked.steps, watch)
                found[watch].append(one)
                print(f"{'watched' if watch else 'alone':8} {one['ms']:.2f} ms a step", flush=True)
                time.sleep(3)
    ratios = [b["ms"] / a["ms"] for a, b in zip(found[False], found[True], strict=True)]
    rows = [
        {
            "what": "watched" if watch else "alone",
            "ms a step, median": median(x["ms"] for x in found[watch]),
            "least": min(x["ms"] for x in found[watch]),
            "processor, s": median(x["cpu"] for x in found[watch]),
        }
        for watch in (False, True)
    ]
    report("watched", rows)
    print(
        f"watched beside alone, pair by pair: {' '.join(f'{r:.3f}' for r in sorted(ratios))}, median {median(ratios):.3f}"
    )


if __name__ == "__main__":
    main()
