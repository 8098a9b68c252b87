"""The same defaults on many texts, against the usual loop given the same seconds.

    python benchmarks/corpora.py [SECONDS [NAMES]]

Seconds are those of the reference machine, stretched by the pace of this one. C is the headers that Python ships.
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from pathlib import Path

from common import SHARED, pace, plain, read, report, usual_loop


def main() -> None:
    import helo

    slow, seconds = pace(), float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    wanted = sys.argv[2:]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        headers = "".join(
            f.read_text(errors="ignore") for f in sorted(Path(sysconfig.get_path("include")).rglob("*.h"))
        )
        (folder / "c.txt").write_text(headers)
        files = [plain(f, folder) for f in sorted(SHARED.glob("*.txt*"))] + [folder / "c.txt"]
        for file in files:
            if wanted and file.stem not in wanted:
                continue
            run = helo.train("lm", file, out=folder / "run", overwrite=True, minutes=seconds * slow / 60)
            theirs = usual_loop(read(file), run.about["seconds"])
            o = run.about["options"]
            rows.append({
                "text": file.stem, "KB": file.stat().st_size // 1000, "hidden": o["hidden"], "dropout": o["dropout"],
                "seconds": run.about["seconds"], "helo nats": run.figures["nats"], "usual nats": theirs,
                "better by": theirs - run.figures["nats"],
            })  # fmt: skip
            print(rows[-1], flush=True)
    report("corpora", rows)


if __name__ == "__main__":
    main()
