"""The forms of a cell: every way in which an engine runs it.

numpy      steps on NumPy arrays, the reference
steps      the same steps on tensors
fused      torch's own kernel, where it has the cell
scan       the engine's linear scan, where the recurrence is linear
parallel   the same by doubling, as it runs on a GPU
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from helo.cells import Cell, LinearCell
from helo.cells.base import Parameters, State
from helo.cells.functions import Array
from helo.engines import numpy as reference
from helo.progress import unbroken

Run = Callable[[Cell, Parameters, Array, "State | None", "Array | None"], tuple[Array, State]]


@dataclass(frozen=True)
class Form:
    """One way to run a cell: `run(cell, parameters, xs, state, lengths) -> (outputs, state)`, as an engine's `scan`.

    library: whose arrays it takes, "numpy" or "torch". longest: how long a sequence the laws try it with.
    """

    name: str
    library: str
    run: Run
    longest: int = 10_000

    @property
    def steps(self) -> bool:
        """Whether it is the plain steps, and not a faster form of them."""
        return self.name in ("numpy", "steps")

    @property
    def differentiates(self) -> bool:
        """Whether it has gradients."""
        return self.library == "torch"

    @property
    def missing(self) -> str:
        """Why it cannot be tried here, or nothing."""
        return missing(self.library)

    def array(self, x: np.ndarray) -> Array:
        """A copy in the form's own library."""
        if self.library == "numpy":
            return np.array(x)
        import torch

        return torch.from_numpy(np.array(x))

    def numpy(self, x: Array) -> np.ndarray:
        """A copy of one of the form's own arrays in NumPy."""
        return np.array(x if self.library == "numpy" else x.detach().numpy())

    def arrays(self, xs: Any) -> Any:
        """The same for a dict or a tuple of arrays, or for None."""
        if isinstance(xs, dict):
            return {n: self.array(x) for n, x in xs.items()}
        return None if xs is None else tuple(self.array(x) for x in xs)

    def quiet(self) -> Any:
        """Inside, no gradients are kept."""
        if self.library == "numpy":
            return nullcontext()
        import torch

        return torch.no_grad()

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Inside, torch works on one thread: problems as small as these only wait for a second one."""
        if self.library == "numpy":
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def forms(cell: Cell) -> list[Form]:
    """The forms of a cell, the reference first. What torch adds is known only where torch is installed."""
    found = [NUMPY, STEPS]
    if not missing("torch"):
        with unbroken():
            import torch

        from helo.engines import torch as engine

        way = engine.way(cell, {}, torch.zeros(1, 1, 1))[0]
        if way != "steps":
            found.append(Form(way, "torch", SCAN, 20_000 if way == "scan" else 10_000))
    if isinstance(cell, LinearCell):
        found.append(PARALLEL)
    return found


def missing(package: str) -> str:
    """What to say and to type where a package is not installed, or nothing."""
    if _installed(package):
        return ""
    name = "'helo[train]'" if package == "torch" else package.replace("_", "-")
    return f"{package} is not installed (pip install {name})"


@cache
def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _torch(name: str) -> Run:
    """A function of torch's engine, which is imported when it is run."""

    def run(*given: Any) -> tuple[Any, State]:
        from helo.engines import torch as engine

        return getattr(engine, name)(*given)

    return run


def _parallel(cell: Cell, parameters: Parameters, xs: Any, state: State | None, lengths: Any) -> tuple[Any, State]:
    """A linear recurrence by doubling: in the padding h stays, for a = 1 and b = 0."""
    import torch

    from helo.engines import torch as engine

    assert isinstance(cell, LinearCell)
    (h,) = cell.state(parameters, xs.shape[0]) if state is None else state
    a, b = cell.coefficients(parameters, cell.project(parameters, xs))
    if lengths is None:
        outputs = engine.parallel_linear_scan(a, b, h)
        return outputs, (outputs[:, -1],)
    inside = (torch.arange(xs.shape[1]) < lengths[:, None])[..., None]
    held = engine.parallel_linear_scan(torch.where(inside, a, 1.0), torch.where(inside, b, 0.0), h)
    return torch.where(inside, held, 0.0), (held[:, -1],)


NUMPY = Form("numpy", "numpy", reference.scan)
STEPS, SCAN = Form("steps", "torch", _torch("stepped")), _torch("scan")
PARALLEL = Form("parallel", "torch", _parallel, 20_000)
