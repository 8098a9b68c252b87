"""Seconds that pictures take, and what beams are worth: python benchmarks/pictures.py RUN [photographs]

RUN is a captioner of Flickr8k's photographs (recipes/flickr8k.sh). Photographs never seen are told of in a store of
features that is empty before each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from common import SHARED, report

import helo

FLICKR = SHARED.parent / "flickr8k"
FEW = 200


def main(run: str, count: int = 1_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        photos = _unpacked(Path(folder) / "photos", count)
        some = Path(folder) / "some"
        some.mkdir()
        for photo in photos[:FEW]:
            (some / photo.name).symlink_to(photo)
        rows: list[dict[str, Any]] = [
            _row(f"features of {count} photographs", _encoded(photos, Path(folder) / "store"), count),
            _row("a photograph never seen, start to finish", min(_told(run, photos[:1]) for _ in range(3)), 1),
            _row(f"{FEW} never seen, in one command", _told(run, [some]), FEW),
        ]
        for beam in (1, 3, 5):
            rows.append(_beam(run, beam))
    report("pictures", rows)


def _row(what: str, seconds: float, count: int) -> dict[str, Any]:
    return {"what": what, "seconds": seconds, "each": seconds / count, "bleu_1": "", "bleu_4": "", "cider": ""}


def _unpacked(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    out: list[Path] = []
    for tar in sorted(FLICKR.glob("*.tar")):
        with tarfile.open(tar) as members:
            for member in members:
                if len(out) == count:
                    return out
                file = members.extractfile(member)
                if file is not None and member.name.endswith(".jpg"):
                    out.append(folder / Path(member.name).name)
                    out[-1].write_bytes(file.read())
    return out


def _encoded(photos: list[Path], store: Path) -> float:
    """Seconds of reading and encoding into an empty store, in a process of its own."""
    lines = (
        "import sys, time; from helo import encoders; from helo.data.readers import photos\n"
        "network, found = encoders.find('efficientnet-lite0'), photos.find(sys.argv[1:])\n"
        "start = time.monotonic(); encoders.features(network, found, network.rows); print(time.monotonic() - start)"
    )
    done = subprocess.run(
        [sys.executable, "-c", lines, str(photos[0].parent)],
        env=os.environ | {"HELO_DATA": str(store)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def _told(run: str, what: list[Path]) -> float:
    """Seconds of `helo predict`, start to finish, with an empty store."""
    with tempfile.TemporaryDirectory() as store:
        start = time.monotonic()
        subprocess.run(["helo", "predict", run, *map(str, what), "--quiet"],
                       env=os.environ | {"HELO_DATA": store}, capture_output=True, check=True)  # fmt: skip
        return time.monotonic() - start


def _beam(run: str, beam: int) -> dict[str, Any]:
    """Figures of a run on its own validation pictures, searched with so wide a beam."""
    model = helo.load(run)
    task = model.task
    examples = task.source.recorded(task, model.about["data"])
    start = time.monotonic()
    answers = task.predict(model.parameters, examples, beam=beam)
    seconds = time.monotonic() - start
    from helo.metrics.captions import score
    from helo.tasks.self_critical import CUTS

    figures = score([a["text"] for a in answers], examples.labels, *CUTS[task.cut_by]())
    return _row(f"{len(answers)} validation pictures, a beam of {beam}", seconds, len(answers)) | {
        k: figures[k] for k in ("bleu_1", "bleu_4", "cider")
    }


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
