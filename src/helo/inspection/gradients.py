"""Where the gradient goes: dL_T/dh_{T-k}, lag by lag, out of the real backward pass; of fresh cells, and of a trained model.

dL_T/dh_{T-k} = dL_T/dh_T · J_T · J_{T-1} · … · J_{T-k+1} with J_t = dh_t/dh_{t-1}: a product of k Jacobians, which fades or
explodes about as the k-th power of their size (Hochreiter 1991; Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and
Bengio 2013). torch is needed, and imported inside: it is what goes backwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral, Real
from types import ModuleType
from typing import Any

import numpy as np

from helo import cells, engines
from helo.cells import Cell
from helo.errors import HeloError, door
from helo.layers import part, stack
from helo.progress import unbroken

CELLS = ("rnn", "lstm", "gru", "mingru")
ROWS = 16  # random sequences, over which norms are averaged
ROOM = 4e9  # bytes that the steps of one backward pass may fill
SAVED = 16  # arrays of a state's size that the backward pass of a step keeps, about
MOST = {"layers": 32, "hidden": 1024, "length": 5000, "chunk": 5000}
CLIP = 1.0  # as `helo train` clips
OF = (
    "norm of dL_T/ds_{T-k}, the gradient of L_T = v · y_T with respect to the whole state s that a step hands on "
    f"(LSTM: h and c together), v standard normal, of the top layer, mean over {ROWS} random sequences"
)


def require_torch() -> ModuleType:
    """torch, or a HeloError that says how to get it."""
    try:
        with unbroken():
            import torch
    except ImportError as error:
        raise HeloError("gradients need torch", mend="pip install 'helo[train]'") from error
    return torch


def check(flag: str, value: Any, least: float = 1) -> None:
    """Raises HeloError for a value of --flag that is out of its bounds, or no whole number where it must be one; None: not
    given.
    """
    kind, most = (Integral, MOST[flag]) if flag in MOST else (Real, 1e6)
    if value is None and flag in MOST:
        return
    number: Any = value if isinstance(value, kind) and not isinstance(value, bool) else -1
    if least <= number <= most:
        return
    bounds = f"above 0, up to {most:,.0f}" if 0 < least < 1 else f"from {least:g} to {most:,.0f}"
    raise HeloError(f"{value!r}", expected=f"a {'whole ' if flag in MOST else ''}number {bounds}", where=f"--{flag}")


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of small sizes are not shared out: beside other work, threads that wait for each other take minutes."""
    torch = require_torch()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@door
def gradient_norms(
    specs: Sequence[str] = CELLS,
    *,
    layers: int = 1,
    hidden: int = 64,
    length: int = 200,
    scales: Sequence[float] = (1.0,),
    chunk: int | None = None,
    clip: float = CLIP,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """How far the gradient reaches back in fresh cells: of each, and each scale, what `backpropagate` gives, by the cell's
    specification (and the scale, where there are several).

    Raises HeloError for a cell that is not known, and for numbers that grow beyond all bounds on the way.
    """
    require_torch()
    for flag, value in (("layers", layers), ("hidden", hidden), ("length", length), ("chunk", chunk)):
        check(flag, value)
    check("clip", clip, least=5e-324)
    for scale in scales:
        check("scale", scale, least=0)
    fits(ROWS, length, layers, hidden)
    found: dict[str, dict[str, Any]] = {}
    for spec in dict.fromkeys(specs):
        cell = cells.find(spec)
        for scale in dict.fromkeys(scales):
            name = spec if len(set(scales)) == 1 else f"{spec}, scale {scale:g}"
            rng = np.random.default_rng(seed)
            parameters = stack.init(rng, cell, layers, hidden, hidden)
            parameters = {n: p * scale if _recurs(cell, n) else p for n, p in parameters.items()}
            xs = rng.standard_normal((ROWS, length, hidden))
            towards = rng.standard_normal((ROWS, hidden))
            with one_thread():
                found[name] = backpropagate(cell, layers, parameters, xs, towards, chunk, name) | {"scale": scale}
            found[name]["clipped"] = min(found[name]["parameter_gradient"], clip)
    return found


def _recurs(cell: Cell, name: str) -> bool:
    """Whether a layer's parameter, `0.weight_hh`, multiplies the state."""
    return name.partition(".")[2] in cell.recurrent


def backpropagate(
    cell: Cell,
    layers: int,
    parameters: Mapping[str, np.ndarray],
    xs: np.ndarray,
    towards: np.ndarray,
    chunk: int | None = None,
    name: str = "",
) -> dict[str, Any]:
    """The gradient of L_T = v · y_T, y_T the top layer's output at the last step of xs `(batch, time, inputs)`, with
    v = towards `(batch, hidden)`: what a loss at T sends back, whatever loss it is.

    norms: ‖dL_T/ds_{T-k}‖ for k = 0, 1, …, time - 1, of the whole state s that a step hands on (of an LSTM h and c
    together), of the top layer, averaged over the rows; layers: the same of every layer, the lowest first.
    spectral_radius: the largest of the matrices that multiply the state, None where there is none; radii: of each, and of
    each gate, a list a matrix. factor: by which a step multiplies the norm on the way back, on average.
    parameter_gradient: the norm of the gradient of the mean of L_T over the rows with respect to all parameters.

    chunk: the state is handed on without its gradient at each border of chunks of so many steps, the last of which ends
    with T: truncated backpropagation as in training. In double precision, in which 1e-300 is still a number.
    """
    torch = require_torch()
    own = {n: torch.from_numpy(np.asarray(p, np.float64)).requires_grad_() for n, p in parameters.items()}
    trace = trace_of(layers, own)
    inputs, time = torch.from_numpy(np.asarray(xs, np.float64)), xs.shape[1]
    state = outputs = None
    # The last chunk ends with the text, and the first may be shorter.
    borders = sorted({0, time, *(range(time, 0, -chunk) if chunk else ())})
    with engines.tapped(trace):
        for start, stop in pairwise(borders):
            state = state and tuple(tuple(s.detach() for s in layer) for layer in state)
            outputs, state = stack.run(cell, layers, own, inputs[:, start:stop], state)
    assert outputs is not None
    (outputs[:, -1] * torch.from_numpy(towards)).sum().backward()
    norms = trace.norms().mean(2)
    gradients = [p.grad for p in own.values() if p.grad is not None]
    total = float(torch.stack([g.norm() for g in gradients]).norm()) / len(xs) if gradients else 0.0
    if not np.isfinite(norms).all() or not math.isfinite(total):
        raise HeloError(
            f"{name or type(cell).__name__}: the numbers overflow within {time} steps",
            mend="use a smaller --scale or --length",
        )
    return summary(cell, parameters, norms) | {"parameter_gradient": total}


def summary(cell: Cell, parameters: Mapping[str, np.ndarray], norms: np.ndarray) -> dict[str, Any]:
    """Of norms `(layers, lags)` and of the matrices that multiply the state: as `backpropagate` has it."""
    radii = {n: r for n, p in parameters.items() if _recurs(cell, n) and (r := radius(p)) is not None}
    top = norms[-1]
    last = int(np.flatnonzero(top).max(initial=0))  # beyond a chunk's border there is nothing
    return {
        "norms": top.tolist(),
        "layers": norms.tolist(),
        "factor": float(np.exp((np.log(top[last]) - np.log(top[0])) / last)) if last and top[0] else None,
        "spectral_radius": max((r for rs in radii.values() for r in rs), default=None),
        "radii": radii,
    }


def fits(rows: int, time: int, layers: int, hidden: int) -> None:
    """Raises HeloError where the way back would fill more than there is room for."""
    need = 8.0 * rows * time * layers * hidden * SAVED
    if need > ROOM:
        raise HeloError(
            f"{time:,} steps of {layers} x {hidden} units, whose backward pass needs about {need / 1e9:,.0f} GB",
            expected=f"at most {ROOM / 1e9:.0f} GB", mend="use a smaller --length, --hidden or --layers",
        )  # fmt: skip


def radius(matrix: np.ndarray) -> list[float] | None:
    """The spectral radius (the largest |eigenvalue|) of each square map of a matrix `(gates · n, n)`; None where it is none."""
    if matrix.ndim != 2 or not matrix.shape[1] or matrix.shape[0] % matrix.shape[1]:
        return None
    maps = np.asarray(matrix, np.float64).reshape(-1, matrix.shape[1], matrix.shape[1])
    return [float(np.abs(np.linalg.eigvals(m)).max()) for m in maps]


def trace_of(layers: int, parameters: Mapping[str, Any], steps: bool = True) -> Any:
    """A tap that keeps, of every step of every layer of a stack, what it hands on, with its gradient, and of the lowest layer
    the inputs. parameters: of the stack, `0.weight_hh`. steps: whether states are kept; without, fast kernels run.
    """
    torch = require_torch()
    layer_of = {id(p): i for i in range(layers) for p in part(parameters, str(i)).values()}

    class Trace(engines.Tap):
        def __init__(self):
            self.nodes: list[list[list[Any]]] = [[] for _ in range(layers)]
            self.inputs: list[Any] = []

        def begin(self, cell, parameters, xs, state):
            if self._layer(parameters) == 0:
                xs = xs.detach().requires_grad_()
                self.inputs.append(xs)
            return xs, state

        def step(self, cell, parameters, before, x, after, output):
            layer = self._layer(parameters)
            if layer is None:
                return after, output
            # What leaves a step stands there once, however often it is used: state and output are often one array.
            once = {id(s): s.view_as(s) for s in (*after, output)}
            for s in once.values():
                if s.requires_grad:
                    s.retain_grad()
            self.nodes[layer].append(list(once.values()))
            return tuple(once[id(s)] for s in after), once[id(output)]

        def _layer(self, parameters) -> int | None:
            """None of a scan that belongs to no layer of the stack."""
            return layer_of.get(next((id(p) for p in parameters.values()), 0))

        def norms(self) -> np.ndarray:
            """‖gradient‖ of the states, `(layers, lags, rows)`, lag 0 being the last step."""
            return np.stack([np.stack([_norm(torch, step) for step in reversed(own)]) for own in self.nodes])

        def input_norms(self) -> np.ndarray:
            """‖gradient‖ of the inputs of the last scan, `(rows, time)`."""
            return self.inputs[-1].grad.norm(dim=2).numpy()

    trace = Trace()
    trace.steps = steps
    return trace


def _norm(torch: ModuleType, nodes: Sequence[Any]) -> np.ndarray:
    """‖gradient‖ of all that a step hands on, a row each; where no gradient came it is 0, exactly."""
    rows = [torch.zeros(len(s), 1, dtype=s.dtype) if s.grad is None else s.grad.flatten(1) for s in nodes]
    whole = torch.cat(rows, 1)
    most = whole.abs().amax(1)  # the square of 1e-200 is no number any more
    return (most * (whole / most.clamp(min=5e-324)[:, None]).norm(dim=1)).numpy()
