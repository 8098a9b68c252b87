"""What units of trained models know: two seeds on tiny Shakespeare and on C, and how long the page takes.

    python benchmarks/inspect_units.py [MINUTES [NAMES]]

C is the headers of the machine and of Python. Looked at are the last 200,000 characters, of which a tenth of the text is held out.
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from common import SHARED, read, report

WANTED = (
    "inside comment",
    "inside if",
    "inside quotes",
    "bracket depth",
    "indentation",
    "position in line",
    "capital run",
)


def main() -> None:
    import helo
    from helo.inspection import inspect

    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    names = sys.argv[2:] or ["shakespeare", "c"]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for text in names:
            file = folder / f"{text}.txt"
            file.write_text(read(SHARED / "tinyshakespeare.txt") if text == "shakespeare" else headers())
            held = folder / f"held-{text}.txt"
            held.write_text(file.read_text()[-200_000:])
            for seed in (1, 2):
                run = helo.train("lm", file, out=folder / "run", overwrite=True, minutes=minutes, hidden=256, seed=seed)
                start = time.perf_counter()
                found = inspect(run, held)
                found.save(folder / "page.html")
                row = {
                    "text": text, "seed": seed, "nats": run.figures["nats"], "seconds": time.perf_counter() - start,
                    "MB": (folder / "page.html").stat().st_size / 1e6,
                }  # fmt: skip
                for what in WANTED:
                    if (p := found.properties.get(what)) is not None:
                        best = p["units"][0]
                        one, several = f"{best['score']:.2f}/{p['needed']:.2f}", p["set"]
                        row[what] = (
                            f"{'*' if best['found'] else ' '}{one} set {'*' if several['found'] else ' '}{several['score']:.2f}"
                        )
                rows.append(row)
                print(row, flush=True)
    report("inspect_units", rows)


def headers(most: int = 2_000_000) -> str:
    out = ""
    for root in ("/usr/include", sysconfig.get_path("include")):
        for file in sorted(Path(root).rglob("*.h")):
            if len(out) < most:
                out += file.read_text(errors="ignore")
    return "".join(c for c in out[:most] if ord(c) < 128)


if __name__ == "__main__":
    main()
