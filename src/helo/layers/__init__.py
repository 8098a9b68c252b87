"""What stands round a cell: plain functions of (parameters, inputs, state, noise).

Parameters are one flat dict with dotted names, which is the file they are saved in. Dropout takes its noise from the
caller, a function `noise(x, rate)` that returns x with some of it dropped; without noise there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from helo.cells.functions import namespace

Noise = Callable[[Any, float], Any]


def part(parameters: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The parameters below a dotted name, under their own names: `part(p, "recurrent.0")["weight_ih"]`."""
    prefix += "."
    return {name.removeprefix(prefix): p for name, p in parameters.items() if name.startswith(prefix)}


def under(prefix: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters below a dotted name, which `part` takes off again."""
    return {f"{prefix}.{name}": p for name, p in parameters.items()}


def dropped(x: Any, rate: float, noise: Noise | None) -> Any:
    """x with a share `rate` of it dropped, if there is noise."""
    return noise(x, rate) if noise is not None and rate > 0 else x


def variational_dropout(xs: Any, rate: float, noise: Noise | None) -> Any:
    """xs `(batch, time, features)` with a share of the features dropped, the same ones at every step of a row: what is
    dropped cannot be read off the step before (Gal and Ghahramani 2016; the name is Merity, Keskar and Socher's).
    """
    if noise is None or rate <= 0:
        return xs
    return xs * noise(namespace(xs).ones_like(xs[:, :1]), rate)
