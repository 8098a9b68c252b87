"""Laws about the functions that equations are written with: right in value and in gradient, however extreme the input.

Each is held to the formula of its docstring, evaluated in 60 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from helo.cells import functions
from helo.laws.base import Broken
from helo.laws.forms import missing
from helo.progress import unbroken

Numbers = list[Decimal]

POINTS = (0.0, 0.5, -0.5, 3.0, -3.0, 20.0, -20.0, 100.0, -100.0, 1e4, -1e4)
FORWARD = {"float32": 1e-6, "float64": 1e-14}  # relative to the larger of 1 and the value
BACKWARD = {"float32": 2e-6, "float64": 1e-13}


def _each(f: Callable[[Decimal], Decimal]) -> Callable[[Numbers], Numbers]:
    return lambda xs: [f(x) for x in xs]


def _log_softmax(xs: Numbers) -> Numbers:
    total = sum((x.exp() for x in xs), Decimal(0)).ln()
    return [x - total for x in xs]


#: What each function is on paper, over one vector.
FORMULAS: dict[str, Callable[[Numbers], Numbers]] = {
    "sigmoid": _each(lambda x: 1 / (1 + (-x).exp())),
    "relu": _each(lambda x: max(x, Decimal(0))),
    "softplus": _each(lambda x: (1 + x.exp()).ln()),
    "log_sigmoid": _each(lambda x: -(1 + (-x).exp()).ln()),
    "log_softmax": _log_softmax,
}


def names() -> list[str]:
    """The public functions of cells/functions.py."""
    own = vars(functions).items()
    return [
        n
        for n, f in own
        if callable(f) and getattr(f, "__module__", "") == functions.__name__ and n not in ("namespace",)
    ]


def right_at_extremes(name: str, function: Callable[[Any], Any], dtype: str) -> float:
    """Value and gradient are finite and right at ±1e4, ±100 and nearer, where the function's own formula is.

    Returns the largest difference in values; raises Broken. Gradients are tried where torch is installed. At a kink any
    slope between those of its two sides is right.
    """
    law = "right_at_extremes"
    if name not in FORMULAS:
        raise Broken(law, f"{name} has no formula in laws/functions.py that says what it should be")
    whole = name.startswith("log_softmax")
    rows = [list(POINTS[i : i + 3]) for i in range(len(POINTS) - 2)] if whole else [[p] for p in POINTS]
    worst = 0.0
    for row in rows:
        with localcontext() as context:
            context.prec, context.Emax, context.Emin = 60, 10**9, -(10**9)
            xs = [Decimal(x) for x in row]
            want = FORMULAS[name](xs)
            slopes = [_slopes(FORMULAS[name], xs, i) for i in range(len(xs))]
        x = np.array(row, dtype)
        with np.errstate(all="ignore"):
            answers = {"NumPy": function(x)}
        found = []
        if not missing("torch"):
            with unbroken():
                import torch

            point = torch.from_numpy(x).requires_grad_()
            y = function(point)
            weights = torch.arange(1, len(row) + 1, dtype=point.dtype)  # of the outputs, as in `_slopes`
            found = torch.autograd.grad((weights * y).sum(), point)[0].tolist()
            answers["torch"] = y.detach().numpy()
        for library, got in answers.items():
            for g, w in zip(got, want, strict=True):
                off = abs(float(Decimal(float(g)) - w)) / max(1.0, abs(float(w))) if np.isfinite(g) else np.inf
                worst = max(worst, off)
                if off > FORWARD[dtype]:
                    where = f"{name}({_list(row)}) in {dtype}, {library}"
                    raise Broken(law, f"{where}: {g:.9g} where {float(w):.9g} was due, {FORWARD[dtype]:.0e} allowed")
        for g, (left, right) in zip(found, slopes, strict=False):
            room = BACKWARD[dtype] * max(1.0, abs(left))
            if not min(left, right) - room <= g <= max(left, right) + room:
                where = f"gradient of {name}({_list(row)}) in {dtype}"
                raise Broken(law, f"{where}: {g:.9g} where {left:.9g} was due, {BACKWARD[dtype]:.0e} allowed")
    return worst


def _slopes(formula: Callable[[Numbers], Numbers], xs: Numbers, i: int) -> tuple[float, float]:
    """Slopes of Σ (k + 1) · outputₖ in input i, from the left and from the right."""
    width = Decimal("1e-25")
    values = [sum((k + 1) * y for k, y in enumerate(formula([x + by * (i == j) for j, x in enumerate(xs)])))
              for by in (-width, Decimal(0), width)]  # fmt: skip
    return float((values[1] - values[0]) / width), float((values[2] - values[1]) / width)


def _list(row: list[float]) -> str:
    return ", ".join(f"{x:g}" for x in row)
