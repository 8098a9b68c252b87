"""What is read of `.ts` files against what aeon reads of them: every value, length and label.

    python -m venv apart && apart/bin/pip install aeon . && apart/bin/python benchmarks/series.py FILES

An environment apart, since aeon's numba asks for an older NumPy than helo's own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from helo.data.readers import files, series


def main() -> None:
    from aeon.datasets import load_from_ts_file  # pyright: ignore[reportMissingImports]

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in map(Path, sys.argv[1:]):
            ours = series.read([name])
            file = Path(folder) / name.name.removesuffix(".gz")
            file.write_text(files.text(name), encoding="utf-8")
            xs, labels = load_from_ts_file(str(file))
            same = [y.lower() for y in ours.labels or ()] == [str(y).lower() for y in labels] and len(ours) == len(xs)
            for mine, theirs in zip(ours.inputs, xs, strict=same):  # theirs: (channels, time)
                same = same and np.array_equal(mine, np.asarray(theirs, np.float32).T, equal_nan=True)
            rows.append({"file": file.name, "series": len(xs), "channels": len(xs[0]), "the same": same})
            print("  ".join(str(v).ljust(w) for v, w in zip(rows[-1].values(), (32, 6, 4, 5), strict=True)))
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "series.json").write_text(json.dumps(rows, indent=1) + "\n")
    if not all(row["the same"] for row in rows):
        raise SystemExit("not all are read alike")


if __name__ == "__main__":
    main()
