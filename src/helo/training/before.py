"""What is refused before anything is made: sizes that no memory holds, and a person's own cell that breaks the contract."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helo import cells, registry
from helo.cells import Cell
from helo.errors import HeloError, as_helo_error, wrap
from helo.training.options import Options

BYTES = 16  # a parameter: itself, its gradient, and two numbers of the optimiser, four bytes each
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


def check(task_options: Any, options: Options) -> None:
    """Raises HeloError for what is refused here, and where a package that an option needs is missing."""
    check_memory(task_options)
    check_contract(task_options)
    if options.tensorboard:
        with wrap(ImportError, "--tensorboard needs its package", mend="pip install 'helo[tensorboard]'"):
            import torch.utils.tensorboard.writer  # noqa: F401  # pyright: ignore[reportUnusedImport]


def memory() -> int | None:
    """Bytes of memory that this process may have; None where the system does not say."""
    found = []
    with suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for limit in LIMITS:
        with suppress(OSError, ValueError):
            found.append(int(Path(limit).read_text(encoding="ascii")))
    return min((n for n in found if n > 0), default=None)


def check_memory(options: Any) -> None:
    """Raises HeloError for sizes whose parameters alone are more than the memory here."""
    sizes = {n: v for n in ("hidden", "embedding", "layers", "spelling") if (v := getattr(options, n, None))}
    here = memory()
    if not sizes or here is None:
        return
    count = _count(cells.find(options.cell), sizes, getattr(options, "bidirectional", False))
    if count * BYTES > here:
        name = max(sizes, key=lambda n: sizes[n])
        raise HeloError(
            f"about {_short(count)} parameters, which need {_gigabytes(count * BYTES)} in training",
            expected=f"sizes that fit in {_gigabytes(here)} of memory",
            where=f"--{name} {sizes[name]}",
        )


def _count(cell: Cell, sizes: Mapping[str, int], bidirectional: bool) -> float:
    """How many parameters there will be at least: of the recurrent layers, and of the embedding of two symbols."""
    own = _parameter_count(cell)
    hidden, ways = sizes.get("hidden", 16), 1 + bidirectional
    inputs = sizes.get("embedding", min(hidden, 64))
    layers = own(inputs, hidden) + (sizes.get("layers", 1) - 1) * own(ways * hidden, hidden)
    letters = own(16, sizes["spelling"]) if "spelling" in sizes else 0.0
    return ways * layers + 2 * letters + 2.0 * sizes.get("embedding", 0)


def _parameter_count(cell: Cell) -> Any:
    """The number of a cell's parameters as a function of inputs i and hidden h: a + b i + c h + d i h + e h², found from
    five small instances. Of a cell that has none so small, 0.
    """
    tried = [(8, 8), (16, 8), (8, 16), (16, 16), (8, 24)]

    def terms(i: float, h: float) -> list[float]:
        return [1.0, i, h, i * h, h * h]

    try:
        found = [sum(np.size(p) for p in cell.init(np.random.default_rng(0), *s).values()) for s in tried]
    except Exception:  # `check_contract` says what is wrong
        return lambda i, h: 0.0
    law = np.linalg.solve(np.array([terms(*s) for s in tried]), np.array(found, np.float64)).round(6)
    return lambda i, h: float(law @ terms(float(i), float(h)))


def _gigabytes(n: float) -> str:
    return f"{n / 1e9:,.0f} GB" if n < 1e15 else f"{n / 1e9:.0e} GB"


def _short(n: float) -> str:
    """A large number for people."""
    return f"{n:,.0f}" if n < 1e15 else f"{n:.0e}"


def check_contract(options: Any) -> None:
    """Raises HeloError, with the file's name, where a person's own cell does not keep the contract in a step on tensors.
    What it is worth the laws say (`helo check`); this only tells early, and in words, what would else end somewhere inside.
    """
    cell = cells.find(options.cell)
    file = registry.home(cell)
    if file is None:
        return
    name = f"{file}:{type(cell).__name__}"
    try:
        fault = _fault(cell, getattr(options, "hidden", None) or 64)
    except (Exception, SystemExit) as error:
        found = as_helo_error(error) or HeloError(f"{type(error).__name__}: {error}", where=name)
        raise found from error
    if fault:
        raise HeloError(fault[0], expected=fault[1], mend=f"run helo check {name} for more", where=name)


def _fault(cell: Cell, hidden: int) -> tuple[str, str] | None:
    """(what was found, what was expected) of the first thing that is not as the contract says."""
    inputs, rows = hidden + 3, 2  # of a size of its own, so that none is taken for another
    fresh: Any = cell.init(np.random.default_rng(0), inputs, hidden)
    if not isinstance(fresh, Mapping) or not fresh:
        return f"init gives {_said(fresh)}", "a dict of float32 NumPy arrays"
    for name, p in fresh.items():
        if not isinstance(p, np.ndarray) or p.dtype != np.float32 or not isinstance(name, str):
            return f"init gives {_said(p)} for {name!r}", "a float32 NumPy array"
        if not np.isfinite(p).all():
            return f"init gives NaN or infinity in {name!r}", "numbers"
    parameters = {n: torch.from_numpy(p).clone().requires_grad_() for n, p in fresh.items()}
    state: Any = cell.state(parameters, rows)
    if (wrong := _state(state, rows)) is not None:
        return f"state gives {wrong}", "a tuple of tensors, batch first"
    xs: Any = cell.project(parameters, torch.zeros(rows, 3, inputs))
    if not isinstance(xs, Tensor) or xs.shape[:2] != (rows, 3):
        return f"project gives {_said(xs)} for {(rows, 3, inputs)}", f"a tensor {(rows, 3)} and any more axes"
    stepped: Any = cell.step(parameters, state, xs[:, 0])
    if not isinstance(stepped, tuple) or len(stepped) != 2:
        return f"step gives {_said(stepped)}", "the state and the output"
    after, output = stepped
    if (wrong := _state(after, rows)) is not None:
        return f"step gives {wrong} as the state", "a tuple of tensors, batch first"
    before = [tuple(s.shape) for s in state]
    if [tuple(s.shape) for s in after] != before:
        return f"step gives a state {[tuple(s.shape) for s in after]}", f"{before}, as it was"
    if not isinstance(output, Tensor) or tuple(output.shape) != (rows, hidden):
        return f"step gives {_said(output)} as the output", f"a tensor {(rows, hidden)}"
    for x in (*after, output):
        if x.dtype != torch.float32:
            return f"step gives {x.dtype}", "torch.float32, as the parameters are"
        if not torch.isfinite(x).all():
            return "step gives NaN or infinity for an input of zeros", "numbers"
    return None


def _state(state: Any, rows: int) -> str | None:
    """What is wrong with a state; None where nothing is."""
    if not isinstance(state, tuple):
        return _said(state)
    return next((_said(s) for s in state if not isinstance(s, Tensor) or not s.ndim or s.shape[0] != rows), None)


def _said(x: Any) -> str:
    """A thing by its kind and shape."""
    shape = getattr(x, "shape", None)
    kind = f"{type(x).__module__.partition('.')[0]} array" if isinstance(x, np.ndarray) else type(x).__name__
    return kind if shape is None else f"a {kind} {tuple(shape)} of {getattr(x, 'dtype', '')}"
