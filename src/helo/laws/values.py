"""Laws about outputs and states: a sequence gives the same however it is run."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.laws.base import Case, Trial, law
from helo.laws.forms import NUMPY


@law(forward=(1e-5, 1e-12), budget=2)
def steps_are_scan(t: Trial) -> None:
    """A scan from the beginning gives the outputs and the last state of the cell's steps, one input at a time."""
    t.agree(t.run(t.xs), t.one_by_one(t.xs))


@law(lambda cell, form, dtype: form.name == "steps", forward=(1e-5, 1e-12))
def numpy_is_torch(t: Trial) -> None:
    """Steps on tensors give what steps on NumPy arrays give, from the beginning and from a state."""
    other = t.at(form=NUMPY)
    for state in (None, t.start):
        t.agree(t.run(t.xs, state), other.run(t.xs, state))


@law(forward=(1e-5, 1e-12), budget=2)
def carried_state(t: Trial) -> None:
    """Any cutting into chunks, with the state carried from one to the next, gives what the whole sequence gives."""
    outputs, state = [], None
    for chunk in np.split(t.xs, t.case.cuts, axis=1):
        output, state = t.run(chunk, state)
        outputs.append(output)
    assert state is not None
    where = f", cut at {', '.join(map(str, t.case.cuts)) or 'no place'},"
    t.agree((np.concatenate(outputs, 1), state), t.run(t.xs), where)


@law(forward=(1e-5, 1e-12), budget=2)
def alone_in_company(t: Trial) -> None:
    """A row gives alone what it gives in company: beside fresh rows and old ones, and rows with extreme inputs."""
    rows = t.case.batch + 3  # every kind: fresh or not, with inputs as usual or extreme
    extreme = np.arange(rows) % 4 >= 2
    size = 1e3 if t.dtype == "float32" else 1e4
    xs = t.normal(3, rows, t.case.time, t.case.inputs) * np.where(extreme, size, 1)[:, None, None].astype(t.dtype)
    start = t.warm([0 if row % 2 == 0 else 2 for row in range(rows)])
    outputs, last = t.run(xs, start)
    for row in range(rows):
        own = slice(row, row + 1)
        alone = t.run(xs[own], tuple(s[own] for s in start))
        kind = ("a fresh row" if row % 2 == 0 else "an old row") + (" with extreme inputs" if extreme[row] else "")
        room = size if extreme[row] else 1.0  # sums of large numbers that cancel leave so many digits less
        t.agree((outputs[own], [s[own] for s in last]), alone, f" of {kind} in company", room)


@law(forward=(1e-5, 1e-12), backward=(1e-4, 1e-10), budget=4)
def padding(t: Trial) -> None:
    """What stands after a sequence's end changes no output, no state and no gradient: a padded row = the row alone."""
    lengths, junk = t.case.lengths, np.array(t.xs)
    for row, n in enumerate(lengths):
        junk[row, n:] = 100 * t.normal(2, t.case.time - n, t.case.inputs)
    outputs, last = t.run(junk, t.start, lengths)
    weights = t.loss_weights
    found = t.gradients(junk, t.start, weights, lengths) if t.form.differentiates else {}
    total: dict[str, Any] = {n: np.zeros_like(p) for n, p in t.parameters.items()}
    for row, n in enumerate(lengths):
        start, what = tuple(s[row : row + 1] for s in t.start), f"of a row of length {n} in {t.case.time}"
        t.near(f"outputs {what}, after its end,", outputs[row, n:], 0 * outputs[row, n:])
        want = t.run(t.xs[row : row + 1, :n], start) if n else (outputs[row : row + 1, :0], start)
        t.agree((outputs[row : row + 1, :n], [s[row : row + 1] for s in last]), want, f" {what}")
        if not found:
            continue
        t.near(f"gradient {what}, after its end,", found["xs"][row, n:], 0 * found["xs"][row, n:], backward=True)
        own = [w[row : row + 1] for w in weights]
        if not n:  # nothing is read: the loss sees the state that came, and nothing else
            for i, w in enumerate(own[1:]):
                t.near(f"gradient of state {i} {what}", found[f"state {i}"][row : row + 1], w, backward=True)
            continue
        alone = t.gradients(t.xs[row : row + 1, :n], start, [own[0][:, :n], *own[1:]])
        t.near(f"gradient of inputs {what}", found["xs"][row : row + 1, :n], alone["xs"], backward=True)
        for name, g in alone.items():
            if name in total:
                total[name] = total[name] + g
            elif name != "xs":
                t.near(f"gradient of {name} {what}", found[name][row : row + 1], g, backward=True)
    for name, g in total.items():
        if name in found:
            t.near(f"gradient of {name} over rows of lengths {lengths}", found[name], g, backward=True)


@law(forward=(1e-6, 1e-13), backward=(1e-6, 1e-13), budget=2)
def causality(t: Trial) -> None:
    """No output feels what comes after it, and no gradient goes there."""
    want, _ = t.run(t.xs, t.start)
    for cut in t.case.cuts:
        other = np.array(t.xs)
        other[:, cut:] = 100 * t.normal(4, t.case.batch, t.case.time - cut, t.case.inputs)
        got, _ = t.run(other, t.start)
        t.near(f"outputs before step {cut}, with other inputs from there on,", got[:, :cut], want[:, :cut])
        if t.form.differentiates:
            first, *rest = t.loss_weights
            weights = [np.where(np.arange(t.case.time)[:, None] < cut, first, 0), *(0 * w for w in rest)]
            later = t.gradients(t.xs, t.start, weights)["xs"][:, cut:]
            t.near(f"gradient of outputs before step {cut}, in inputs after it,", later, 0 * later, backward=True)


@law(
    lambda cell, form, dtype: dtype == "float32" or not form.steps,
    forward=(3e-5, 1e-9), cases=0, budget=12,
)  # fmt: skip
def long_sequences(t: Trial) -> None:
    """A sequence of length 1 and one of 10,000 (20,000 where the form is a scan) give what float64 steps give."""
    for time in (1, t.form.longest):
        one = t.at(batch=2, time=time, inputs=2, hidden=4)
        one.agree(one.run(one.xs), exact(one))


@law(forward=(2e-5, 1e-12), cases=0, budget=6)
def awkward_sizes(t: Trial) -> None:
    """Sizes of 1, primes and large ones, and a batch of 1, give what float64 steps give."""
    for batch, time, inputs, hidden in ((1, 1, 1, 1), (1, 3, 1, 13), (3, 2, 7, 1), (1, 2, 31, 64), (2, 3, 101, 67)):
        one = t.at(batch=batch, time=time, inputs=inputs, hidden=hidden)
        if one.hidden == hidden:  # the cell allows the size
            one.agree(one.run(one.xs, one.start), exact(one, one.start))


def exact(t: Trial, state: Any = None) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The trial's sequence by NumPy steps in float64, from the numbers that its own dtype holds."""
    other = Trial(t.law, t.cell, NUMPY, "float64", t.case)
    other.parameters = {n: p.astype(np.float64) for n, p in t.parameters.items()}
    if state is not None:
        state = [s.astype(np.float64) if np.issubdtype(s.dtype, np.floating) else s for s in state]
    return other.one_by_one(t.xs.astype(np.float64), state)


@law(
    lambda cell, form, dtype: type(cell).__name__ in ("RNN", "LSTM", "GRU"),
    forward=(1e-5, 1e-12), backward=(1e-4, 1e-10), budget=3, needs="torch",
)  # fmt: skip
def equal_to_torch(t: Trial) -> None:
    """Where torch.nn has the cell, its module with the same weights gives the same outputs, state and gradients."""
    import torch

    c: Case = t.case
    options = {"nonlinearity": t.cell.nonlinearity} if hasattr(t.cell, "nonlinearity") else {}  # pyright: ignore[reportAttributeAccessIssue]
    kind = getattr(torch.nn, type(t.cell).__name__)
    bias = "bias_ih" in t.parameters
    module = kind(c.inputs, t.hidden, bias=bias, batch_first=True, dtype=getattr(torch, t.dtype), **options)
    module.load_state_dict({f"{n}_l0": torch.from_numpy(np.array(p)) for n, p in t.parameters.items()})
    xs = torch.from_numpy(np.array(t.xs)).requires_grad_()
    start = [torch.from_numpy(np.array(s))[None] for s in t.start]
    outputs, last = module(xs, tuple(start) if len(start) > 1 else start[0])
    last = [s[0] for s in (last if isinstance(last, tuple) else (last,))]
    t.agree(t.run(t.xs, t.start), (outputs.detach().numpy(), [s.detach().numpy() for s in last]))
    if t.form.differentiates:
        weights = t.loss_weights
        loss: Any = sum((t.form.array(w) * y).sum() for w, y in zip(weights, (outputs, *last), strict=True))
        loss.backward()
        found = t.gradients(t.xs, t.start, weights)
        for name in t.parameters:
            theirs = module.get_parameter(f"{name}_l0").grad.numpy()
            t.near(f"gradient of {name}", found[name], theirs, backward=True)
        t.near("gradient of inputs", found["xs"], xs.grad.numpy(), backward=True)  # pyright: ignore[reportOptionalMemberAccess]
