"""Laws about what a cell is: its parameters, its state, its shapes, and what it may use."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from helo import cells
from helo.cells import Cell, LinearCell
from helo.cells.functions import VOCABULARY
from helo.laws.base import Trial, law, once
from helo.laws.forms import NUMPY
from helo.laws.tracing import Traced, tracing


@law(once)
def same_seed(t: Trial) -> None:
    """The same generator gives the same parameters, bit for bit; another gives others."""
    one, two, other = (t.cell.init(np.random.default_rng(s), t.case.inputs, t.hidden) for s in (5, 5, 6))
    for name in one:
        t.same_bits(f"{name} of two generators with the same seed", two[name], one[name])
    if all(np.array_equal(one[n], other[n]) for n in one):
        raise t.broken("parameters of two generators with different seeds are the same")


@law(once)
def blocks(t: Trial) -> None:
    """What `blocks` and `recurrent` name are matrices among the parameters, and their rows are so many maps."""
    kind = type(t.cell)
    named = dict(kind.blocks) | {
        n: 1 for n in kind.recurrent if kind.recurrent != Cell.recurrent and n not in kind.blocks
    }
    for name, maps in named.items():
        shape = t.fresh[name].shape if name in t.fresh else ()
        if len(shape) != 2:
            raise t.broken(f"blocks or recurrent names {name}, and there is no such matrix: {', '.join(t.fresh)}")
        if maps < 1 or shape[0] % maps:
            raise t.broken(f"blocks says {maps} maps of {name}, which has {shape[0]} rows")


@law(once)
def constant_state(t: Trial) -> None:
    """The state has one size and dtype, however long the sequence."""
    fresh = t.cell.state(t.parameters, t.case.batch)
    for time in (1, 2, 50):
        _, last = t.run(t.normal(5, t.case.batch, time, t.case.inputs))
        if [(s.shape, s.dtype) for s in last] != [(s.shape, s.dtype) for s in fresh]:
            raise t.broken(f"the state is {_sizes(last)} after {time} steps and {_sizes(fresh)} before the first")


@law(cases=1)
def shapes(t: Trial) -> None:
    """The shapes and dtypes that the contract states are those of a real call."""
    c, dtype = t.case, np.dtype(t.dtype)
    if not dataclasses.is_dataclass(t.cell) or not type(t.cell).__dataclass_params__.frozen:  # pyright: ignore[reportAttributeAccessIssue]
        raise t.broken("the cell is no frozen dataclass: @dataclass(frozen=True)")
    for name, p in t.cell.init(t.rng(0), c.inputs, t.hidden).items():
        if not isinstance(p, np.ndarray) or p.dtype != np.float32:
            raise t.broken(
                f"init gives {name} as {getattr(p, 'dtype', type(p).__name__)}, not as a float32 array of NumPy"
            )
    outputs, last = t.run(t.xs)
    _is(t, "outputs", outputs, (c.batch, c.time, t.hidden), dtype)
    with t.form.quiet():
        weights, xs = t.form.arrays(t.parameters), t.form.array(t.xs)
        state = t.cell.state(weights, c.batch)
        new, output = cells.step(t.cell, weights, state, xs[:, 0])
        projected = t.cell.project(weights, xs)
        for what, given in (("state", state), ("step, the state of it", new)):
            if not isinstance(given, tuple):
                raise t.broken(f"{what} is a {type(given).__name__}, not a tuple of arrays")
        _is(t, "the output of a step", t.form.numpy(output), (c.batch, t.hidden), dtype)
        if tuple(projected.shape[:2]) != (c.batch, c.time):
            raise t.broken(
                f"project gives {tuple(projected.shape)} for inputs {t.xs.shape}, not (batch, time, anything)"
            )
        if isinstance(t.cell, LinearCell):
            for what, x in zip("ab", t.cell.coefficients(weights, projected), strict=True):
                _is(t, f"coefficients' {what}", t.form.numpy(x), (c.batch, c.time, t.hidden), dtype)
    for i, (fresh, stepped, end) in enumerate(zip(state, new, last, strict=True)):
        fresh = t.form.numpy(fresh)
        if fresh.shape[:1] != (c.batch,):
            raise t.broken(f"state {i} has shape {fresh.shape}, not (batch, …) with a batch of {c.batch}")
        kind = dtype if np.issubdtype(fresh.dtype, np.floating) else fresh.dtype
        for what, x in (("", fresh), (" after a step", t.form.numpy(stepped)), (" after a scan", end)):
            _is(t, f"state {i}{what}", x, fresh.shape, kind)


def _is(t: Trial, what: str, x: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if x.shape != shape or x.dtype != dtype:
        raise t.broken(f"{what}: {x.dtype} {x.shape}, where {dtype} {shape} was due")


def _sizes(state: Any) -> str:
    return ", ".join(f"{s.dtype} {tuple(s.shape)}" for s in state)


@law()
def purity(t: Trial) -> None:
    """A step changes nothing that it is given, and gives the same when asked the same again, bit for bit."""
    with t.form.quiet():
        weights, xs, state = t.form.arrays(t.parameters), t.form.array(t.xs[:, 0]), t.form.arrays(t.start)
        one, two = (cells.step(t.cell, weights, state, xs) for _ in range(2))
    one, two = ((tuple(map(t.form.numpy, s)), t.form.numpy(output)) for s, output in (one, two))
    t.same_bits("the inputs, after a step that was given them,", t.form.numpy(xs), t.xs[:, 0])
    for name, p in t.parameters.items():
        t.same_bits(f"{name}, after a step that was given it,", t.form.numpy(weights[name]), p)
    for i, s in enumerate(t.start):
        t.same_bits(f"state {i}, after a step that was given it,", t.form.numpy(state[i]), s)
        t.same_bits(f"state {i} of the same step asked twice", two[0][i], one[0][i])
    t.same_bits("outputs of the same step asked twice", two[1], one[1])


@law(budget=2)
def saved_and_loaded(t: Trial) -> None:
    """Parameters and state, saved and loaded (safetensors), go on bit for bit as those that never left memory."""
    from safetensors.numpy import load, save

    _, state = t.run(t.xs, t.start)
    arrays = t.parameters | {f"{i:04}.state": s for i, s in enumerate(state)}
    back = load(save({n: np.ascontiguousarray(x) for n, x in arrays.items()}))
    loaded = {n: x for n, x in back.items() if not n.endswith(".state")}
    want, end = t.run(t.xs, state)
    got, last = t.run(t.xs, tuple(back[n] for n in sorted(back) if n.endswith(".state")), parameters=loaded)
    t.same_bits("outputs", got, want)
    for i, (s, e) in enumerate(zip(last, end, strict=True)):
        t.same_bits(f"state {i}", s, e)


@law(once)
def vocabulary(t: Trial) -> None:
    """A cell uses only the functions in cells.functions.VOCABULARY, which every engine has."""
    weights = {n: Traced(p) for n, p in t.parameters.items()}
    with tracing() as used:
        state = t.cell.state(weights, t.case.batch)
        for time in range(min(t.case.time, 3)):
            state, _ = cells.step(t.cell, weights, state, Traced(t.xs[:, time]))
    if outside := sorted(used - VOCABULARY):
        raise t.broken(f"uses {', '.join(outside)}: not among {', '.join(sorted(VOCABULARY))}")


@law(lambda cell, form, dtype: form == NUMPY, forward=(1e-5, 1e-12), needs="array_api_strict")
def array_standard(t: Trial) -> None:
    """Steps on array-api-strict, which allows the standard and nothing else, give what NumPy's give."""
    import array_api_strict as strict  # pyright: ignore[reportMissingImports]

    weights = {n: strict.asarray(p) for n, p in t.parameters.items()}
    state = tuple(strict.asarray(s) for s in t.start)
    fresh = t.cell.state(weights, t.case.batch)
    t.nears("the fresh state", [np.from_dlpack(s) for s in fresh], t.cell.state(t.parameters, t.case.batch))
    outputs = []
    for time in range(t.case.time):
        state, output = cells.step(t.cell, weights, state, strict.asarray(t.xs[:, time]))
        outputs.append(np.from_dlpack(output))
    t.agree((np.stack(outputs, 1), [np.from_dlpack(s) for s in state]), t.run(t.xs, t.start))
