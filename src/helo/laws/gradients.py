"""Laws about gradients: that they are right, and that they stop where they should."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.laws.base import Trial, law
from helo.laws.forms import STEPS

WIDTH = 1e-6  # of a finite difference: rounding costs 1e-9 of the value, the curvature less


@law(lambda cell, form, dtype: form.differentiates and dtype == "float64", backward=(0.0, 1e-6), budget=2)
def gradients_are_differences(t: Trial) -> None:
    """Gradients are finite differences along random directions, in parameters, inputs and state (float64)."""
    weights = t.loss_weights
    point = t.parameters | {"xs": t.xs} | {f"state {i}": s for i, s in enumerate(t.start)}
    gradients = t.gradients(t.xs, t.start, weights)
    for i, (what, names) in enumerate({
        "parameters": list(t.parameters), "inputs": ["xs"], "state": [f"state {j}" for j in range(len(t.start))],
    }.items()):  # fmt: skip
        direction = {n: t.normal(300 + 10 * i + j, *point[n].shape) for j, n in enumerate(names) if n in gradients}
        value = [_loss(t, point, weights, direction, sign * WIDTH) for sign in (1, -1)]
        slope = sum(float(np.sum(gradients[n] * d)) for n, d in direction.items())
        t.near(f"slope along a direction of the {what}", slope, (value[0] - value[1]) / (2 * WIDTH), backward=True)


def _loss(
    t: Trial, point: dict[str, np.ndarray], weights: list[np.ndarray], direction: dict[str, Any], by: float
) -> float:
    at = {n: x + by * direction[n] if n in direction else x for n, x in point.items()}
    state = [at[f"state {i}"] for i in range(len(t.start))]
    outputs, last = t.run(at["xs"], state, parameters={n: at[n] for n in t.parameters})
    return float(sum(np.sum(w * y) for w, y in zip(weights, (outputs, *last), strict=True)))


@law(lambda cell, form, dtype: form.differentiates and not form.steps, backward=(1e-4, 1e-10), budget=2)
def gradients_are_those_of_steps(t: Trial) -> None:
    """A faster form gives the gradients of the steps, in every parameter, the inputs and the state."""
    weights = t.loss_weights
    found = t.gradients(t.xs, t.start, weights)
    for name, want in t.at(form=STEPS).gradients(t.xs, t.start, weights).items():
        t.near(f"gradient of {name}", found[name], want, backward=True)


@law(lambda cell, form, dtype: form.differentiates, backward=(1e-4, 1e-10), budget=3)
def truncation(t: Trial) -> None:
    """No gradient crosses the border of a chunk whose state is detached; where it is not, all of it does."""
    import torch

    outputs_weight, *rest = t.loss_weights
    for cut in t.case.cuts:
        given = t.leaves({"xs": t.xs} | {f"state {i}": s for i, s in enumerate(t.start)})
        start = tuple(given[f"state {i}"] for i in range(len(t.start)))
        weights, first, second = t.form.arrays(t.parameters), given["xs"][:, :cut], given["xs"][:, cut:]
        after = np.where(np.arange(t.case.time)[:, None] < cut, 0, outputs_weight)
        whole = t.gradients(t.xs, t.start, [after, *(0 * w for w in rest)])

        _, state = t.form.run(t.cell, weights, first, start, None)
        for detached in (True, False):
            carried = tuple(s.detach() for s in state) if detached else state
            outputs, _ = t.form.run(t.cell, weights, second, carried, None)
            loss = (t.form.array(outputs_weight[:, cut:]) * outputs).sum()
            wanted = {n: x for n, x in given.items() if x.requires_grad}
            found = torch.autograd.grad(
                loss, list(wanted.values()), allow_unused=True, materialize_grads=True, retain_graph=detached
            )
            for (name, _), g in zip(wanted.items(), found, strict=True):
                want = whole[name].copy()
                if detached and name == "xs":
                    want = np.concatenate([0 * want[:, :cut], want[:, cut:]], 1)
                elif detached:
                    want = 0 * want
                how = "detached" if detached else "carried"
                what = f"gradient of the outputs after step {cut} in {name}, the state {how} there,"
                t.near(what, g.numpy(), want, backward=True)
