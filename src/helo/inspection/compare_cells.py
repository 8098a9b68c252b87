"""Cells side by side on a person's own files: each trained with several seeds, and how sure their difference is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helo import cells as registered
from helo.data.readers import given
from helo.data.readers.files import named
from helo.errors import HeloError, door
from helo.inspection import bootstrap
from helo.inspection.compare import MOST, compare
from helo.inspection.several import Bar, Stopped, reusable
from helo.saved import as_figure
from helo.training import Interrupted, free_place, train
from helo.training.report import reporter as shown_by

CELLS, SEEDS = ("lstm", "gru", "mingru"), 3


@door
def compare_cells(
    task: str,
    files: Any = (),
    valid: Any = (),
    out: str | Path | None = None,
    *,
    cells: str | Sequence[str] = CELLS,
    seeds: int = SEEDS,
    test: Any = (),
    quiet: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Train each cell with each of the seeds 1, 2, …, and compare them: what `helo.compare` returns.

    out: a folder in which each has its run, `CELL-SEED`; the same again goes on where it was stopped. test: files or data that the
    figures are of, in place of what is held out. task, files, valid, options: as for `helo.train`, minutes, epochs and steps of
    each run. Raises HeloError for bad input, and Interrupted after Ctrl-C.
    """
    cells = split_cells(cells) if isinstance(cells, str) else [c for c in cells if c]
    if "cell" in options or "seed" in options:
        name = "cell" if "cell" in options else "seed"
        raise HeloError(f"both {name} and {name}s", expected=f"{name}s alone")
    if not cells or len(set(cells)) < len(cells):
        raise HeloError(f"{','.join(cells) or 'no cell'}", expected="names of different cells", where="--cells")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
        raise HeloError(f"{seeds}", expected="a number of seeds, 1 or more", where="--seeds")
    if not 2 <= len(cells) * seeds <= MOST:
        raise HeloError(f"{len(cells)} cells with {seeds} seeds", expected=f"2 to {MOST} runs", where="--seeds")
    for cell in cells:
        registered.find(cell)
    files, valid, tested = reusable(files), reusable(valid), reusable(test)
    named([] if given.anything(tested) else tested)  # they are there, before anything is trained
    home = Path(out) if out is not None else free_place("compared")
    names = dict(zip(cells, _names(cells), strict=True))
    runs = [(cell, seed, home / f"{names[cell]}-{seed}") for seed in range(1, seeds + 1) for cell in cells]
    bar = shown_by(quiet)
    try:
        for n, (cell, seed, path) in enumerate(runs, 1):
            told = Bar(bar, f"{cell}, seed {seed} ({n} of {len(runs)})")
            own = options | {"cell": cell, "seed": seed}
            try:
                run = train(task, files, valid, path, resume=True, quiet=True, reporter=told, **own)
            except Interrupted as stopped:
                raise Stopped(stopped.path, stopped.step) from None
            if n == 1 and tested:
                bootstrap.parts(run, tested)  # whatever is wrong with it is not said at the end alone
            figures = (
                f"{k.replace('_', ' ')} {as_figure(v)}, " for k, v in run.figures.items() if isinstance(v, float)
            )
            bar.say(f"{told.name}: {next(figures, '')}{run.about['seconds']:,.0f} s")
    finally:
        bar.close()
    return compare([path for *_, path in runs], test=tested)


def _names(cells: Sequence[str]) -> list[str]:
    """What the folders of cells are called."""
    short = [re.sub(r"[^\w.=-]+", "-", Path(c).name).strip("-.") or "cell" for c in cells]
    return [n if short.count(n) == 1 else f"{n}-{i}" for i, n in enumerate(short)]


def split_cells(text: str) -> list[str]:
    """`lstm,forget_bias=1,gru` as cells with their options: lstm,forget_bias=1 and gru."""
    found: list[str] = []
    for piece in filter(None, (p.strip() for p in text.split(","))):
        if found and "=" in piece and ":" not in piece.split("=")[0]:
            found[-1] += f",{piece}"
        else:
            found.append(piece)
    return found
