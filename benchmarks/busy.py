"""What is left of a training beside another program: each task for the same minutes alone, beside a program that
computes without a pause on one core, and with one that begins in the middle. Steps, and seconds from the command to the figures.

    python benchmarks/busy.py [TASK...] [--minutes 0.5]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from common import HERE, plain, report

DATA = HERE.parent.parent / "shared" / "data"
BUSY = "while True: pass"


def commands(folder: Path) -> dict[str, list[str]]:
    """What is trained, by task."""
    for side in ("en", "de"):
        lines = plain(DATA / "multi30k" / f"train.{side}.gz", folder).read_text(encoding="utf-8").splitlines()[:8000]
        (folder / f"a.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "lm": ["lm", str(DATA / "text" / "tinyshakespeare.txt")],
        "classify": [
            "classify",
            str(plain(DATA / "sst2" / "train.tsv.gz", folder)),
            "--valid",
            str(DATA / "sst2" / "dev.tsv"),
        ],
        "tag": ["tag", str(plain(DATA / "ewt" / "en_ewt-ud-train.conllu.gz", folder)), "--column", "upos"],
        "translate": ["translate", "--source", str(folder / "a.en"), "--target", str(folder / "a.de")],
        "caption": ["caption", str(photographs(folder)), "--images", str(folder / "photographs"), "--encoder", "small"],
    }


def photographs(folder: Path) -> Path:
    """300 photographs of Flickr8k and what is said of them."""
    import tarfile

    into = folder / "photographs"
    with tarfile.open(DATA / "flickr8k" / "images-00.tar") as tar:
        chosen = [m for m in tar.getmembers() if m.isfile()][:300]
        tar.extractall(into, chosen, filter="data")
    names = {Path(m.name).name for m in chosen}
    told = folder / "captions.txt"
    with gzip.open(DATA / "flickr8k" / "captions.en.txt.gz", "rt", encoding="utf-8") as lines:
        told.write_text("".join(line for line in lines if line.split("#")[0] in names), encoding="utf-8")
    return told


def trained(words: list[str], out: Path, minutes: float, busy: float | None) -> dict[str, object]:
    """A training; busy: after so many seconds another program begins."""
    others: list[subprocess.Popen[bytes]] = []
    timer = threading.Timer(busy or 0, lambda: others.append(subprocess.Popen([sys.executable, "-c", BUSY])))
    if busy is not None:
        timer.start()
    command = [sys.executable, "-m", "helo", "train", *words, "--minutes", str(minutes), "--out", str(out)]
    env = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    try:
        done = subprocess.run([*command, "--quiet", "--json"], env=env, capture_output=True, text=True, check=True)
    finally:
        timer.cancel()
        for other in others:
            other.kill()
            other.wait()
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--minutes", type=float, default=0.5)
    asked, rows = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as folder:
        for task, words in commands(Path(folder)).items():
            if asked.tasks and task not in asked.tasks:
                continue
            row: dict[str, object] = {"task": task, "asked, s": 60 * asked.minutes}
            for name, busy in (("alone", None), ("beside", 0.0), ("half", 30 * asked.minutes)):
                found = trained(words, Path(folder) / f"{task}-{name}", asked.minutes, busy)
                row |= {f"{name}: steps": found["steps"], f"{name}: s": found["seconds"]}
            row["share beside"] = int(str(row["beside: steps"])) / max(1, int(str(row["alone: steps"])))
            print(row, flush=True)
            rows.append(row)
    report("busy", rows)


if __name__ == "__main__":
    main()
