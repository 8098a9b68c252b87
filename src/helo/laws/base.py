"""What a law is, what it is tried on, and how it compares.

Case      the numbers of one small problem: sizes, lengths, cuts, seed; hypothesis makes and shrinks them
Trial     one law on one form of one cell, with the case's arrays made ready
Law       a plain function of a trial, its name, where it applies, its tolerances and its budget of time
Broken    what a law raises: its name and a sentence with the numbers
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from helo import cells
from helo.cells import Cell
from helo.errors import HeloError
from helo.laws.forms import NUMPY, Form, missing

DTYPES = ("float32", "float64")
GRADIENT_FLOOR = 0.1  # gradients below this are compared absolutely: sums that cancel keep no relative digits


Run = tuple[np.ndarray, Sequence[np.ndarray]]  # outputs `(batch, time, hidden)` and the state after the last step


class Broken(Exception):
    """A law that does not hold: which, and a sentence with the numbers."""

    def __init__(self, law: str, sentence: str):
        super().__init__(f"{law}: {sentence}")
        self.law, self.sentence = law, sentence


@dataclass(frozen=True)
class Case:
    """The numbers of one small problem. lengths: one a row, 0 to time. cuts: where chunks end, 0 < cut < time."""

    batch: int = 3
    time: int = 9
    inputs: int = 3
    hidden: int = 5
    lengths: tuple[int, ...] = (9, 4, 0)
    cuts: tuple[int, ...] = (2, 3, 7)
    seed: int = 0

    def __str__(self) -> str:
        return f"batch {self.batch}, time {self.time}, inputs {self.inputs}, hidden {self.hidden}, seed {self.seed}"


def cases(seed: int, count: int) -> list[Case]:
    """One case that has a bit of everything, and random ones after it."""
    rng = np.random.default_rng(seed)
    made = [Case(seed=seed)]
    while len(made) < count:
        batch, time, inputs, hidden = (int(rng.integers(1, n)) for n in (5, 13, 7, 9))
        lengths = tuple(int(n) for n in rng.integers(0, time + 1, batch))
        cuts = tuple(t for t in range(1, time) if rng.random() < 0.3)
        made.append(Case(batch, time, inputs, hidden, lengths, cuts, int(rng.integers(1 << 30))))
    return made[:count]


class Trial:
    """One law on one form of one cell. Arrays here are NumPy's, of `dtype`; `run` and `gradients` convert them.

    worst: the comparison that came nearest to what is allowed, as (difference, allowed).
    """

    def __init__(self, law: Law, cell: Cell, form: Form, dtype: str, case: Case):
        self.law, self.cell, self.form, self.dtype, self.case = law, cell, form, dtype, case
        self.worst = [(0.0, 0.0)]
        self.hidden, self.fresh = self._init()

    def _init(self) -> tuple[int, dict[str, np.ndarray]]:
        """Parameters of the case's size, or of the next one that the cell allows: one that needs an even number of
        units refuses the others with a HeloError.
        """
        refusal = ""
        for hidden in range(self.case.hidden, self.case.hidden + 64):
            try:
                return hidden, self.cell.init(self.rng(0), self.case.inputs, hidden)
            except HeloError as error:
                refusal = refusal or str(error)
        raise self.broken(f"init refuses this hidden size and the 63 after it: {refusal}")

    def at(self, **changes: Any) -> Trial:
        """The same trial with other numbers or another form; what it compares counts here."""
        form = changes.pop("form", self.form)
        other = Trial(self.law, self.cell, form, self.dtype, dataclasses.replace(self.case, **changes))
        other.worst = self.worst
        return other

    def rng(self, which: int) -> np.random.Generator:
        return np.random.default_rng([self.case.seed, which])

    def normal(self, which: int, *shape: int) -> np.ndarray:
        return self.rng(which).standard_normal(shape).astype(self.dtype)

    @cached_property
    def parameters(self) -> dict[str, np.ndarray]:
        """Fresh ones, with numbers in place of the zeros of vectors: a bias of 0 hides its faults."""
        rng = self.rng(6)
        noise = {n: 0.3 * rng.standard_normal(p.shape) if p.ndim == 1 else 0.0 for n, p in self.fresh.items()}
        return {n: np.where(p == 0, noise[n], p).astype(self.dtype) for n, p in self.fresh.items()}

    @cached_property
    def xs(self) -> np.ndarray:
        """Inputs `(batch, time, inputs)`."""
        return self.normal(1, self.case.batch, self.case.time, self.case.inputs)

    @cached_property
    def start(self) -> tuple[np.ndarray, ...]:
        """A state in the middle of things, one row in three of it fresh."""
        return self.warm([(row + 1) % 3 for row in range(self.case.batch)])

    def warm(self, steps: Sequence[int]) -> tuple[np.ndarray, ...]:
        """The state that each row reaches alone, so many steps after its beginning (0: a fresh row)."""
        rows = []
        for row, n in enumerate(steps):
            state = self.cell.state(self.parameters, 1)
            for x in self.normal(100 + row, n, 1, self.case.inputs):
                state, _ = cells.step(self.cell, self.parameters, state, x)
            rows.append(state)
        return tuple(np.concatenate(s) for s in zip(*rows, strict=True))

    def run(
        self,
        xs: np.ndarray,
        state: Sequence[np.ndarray] | None = None,
        lengths: Sequence[int] | None = None,
        parameters: dict[str, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The form's outputs and last state, without gradients."""
        form = self.form
        ns = None if lengths is None else form.array(np.asarray(lengths, np.int64))
        with self.form.quiet():
            weights = form.arrays(self.parameters if parameters is None else parameters)
            outputs, last = form.run(self.cell, weights, form.array(xs), form.arrays(state), ns)
        return form.numpy(outputs), tuple(form.numpy(s) for s in last)

    def one_by_one(
        self, xs: np.ndarray, state: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """What `run` should give: the cell's own step, one input at a time, in the form's library."""
        outputs = []
        with self.form.quiet():
            weights, inputs = self.form.arrays(self.parameters), self.form.array(xs)
            last = self.cell.state(weights, len(xs)) if state is None else self.form.arrays(state)
            for t in range(xs.shape[1]):
                last, output = cells.step(self.cell, weights, last, inputs[:, t])
                outputs.append(self.form.numpy(output))
        return np.stack(outputs, 1), tuple(self.form.numpy(s) for s in last)

    def leaves(self, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """Tensors that a gradient is asked for, where their numbers are real ones."""
        made = self.form.arrays(arrays)
        return {n: x.requires_grad_() if x.is_floating_point() else x for n, x in made.items()}

    def gradients(
        self,
        xs: np.ndarray,
        state: Sequence[np.ndarray],
        weights: Sequence[np.ndarray],
        lengths: Sequence[int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Of Σ weights ∘ (outputs, *last state), by parameter, "xs", "state 0", …; 0 where there is none."""
        import torch

        parameters = self.leaves(self.parameters)
        others = self.leaves({"xs": xs} | {f"state {i}": s for i, s in enumerate(state)})
        ns = None if lengths is None else self.form.array(np.asarray(lengths, np.int64))
        start = tuple(others[f"state {i}"] for i in range(len(state)))
        outputs, last = self.form.run(self.cell, parameters, others["xs"], start, ns)
        loss: Any = sum(
            (self.form.array(w) * y).sum() for w, y in zip(weights, (outputs, *last), strict=True) if y.requires_grad
        )
        wanted = {n: x for n, x in (parameters | others).items() if x.requires_grad}
        if not isinstance(loss, torch.Tensor):
            return {n: np.zeros_like(self.form.numpy(x)) for n, x in wanted.items()}
        found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True, materialize_grads=True)
        return {n: g.numpy() for n, g in zip(wanted, found, strict=True)}

    @cached_property
    def loss_weights(self) -> list[np.ndarray]:
        """Random weights for the outputs and each array of the state, so that a loss sees all of them."""
        shapes = [(self.case.batch, self.case.time, self.hidden), *(s.shape for s in self.start)]
        return [self.normal(200 + i, *shape) for i, shape in enumerate(shapes)]

    def near(self, what: str, got: Any, want: Any, *, backward: bool = False, times: float = 1.0) -> None:
        """Broken unless two arrays are equal within the law's tolerance, relative to the largest of `want`."""
        allowed = (self.law.backward if backward else self.law.forward)[DTYPES.index(self.dtype)] * times
        got, want = np.asarray(got), np.asarray(want)
        if got.shape != want.shape:
            raise self.broken(f"{what} have shape {got.shape} where {want.shape} was due")
        if not want.size:
            return
        exact = got.astype(np.float64), want.astype(np.float64)
        finite = np.abs(exact[1])[np.isfinite(exact[1])]
        scale = max(GRADIENT_FLOOR if backward else 1.0, float(finite.max(initial=0)))
        same = (exact[0] == exact[1]) | (np.isnan(exact[0]) & np.isnan(exact[1]))
        gap = np.where(same, 0.0, np.abs(exact[0] - exact[1]) / scale)
        gap = np.where(np.isnan(gap), np.inf, gap)
        at = np.unravel_index(int(gap.argmax()), gap.shape)
        if gap[at] > allowed:
            place = f" at {tuple(int(i) for i in at)}" if at else ""
            numbers = f"{got[at]:.9g}{place} where {want[at]:.9g} was due, off by {gap[at]:.1e}, {allowed:.0e} allowed"
            raise self.broken(f"{what.removesuffix(',')}: {numbers}")
        if allowed and gap[at] / allowed >= self.worst[0][0] / (self.worst[0][1] or 1):
            self.worst[0] = (float(gap[at]), allowed)

    def nears(self, what: str, got: Sequence[Any], want: Sequence[Any], **options: Any) -> None:
        """The same for two tuples of states."""
        if len(got) != len(want):
            raise self.broken(f"{what} has {len(got)} arrays where {len(want)} were due")
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            self.near(f"{what} {i}", g, w, **options)

    def agree(self, got: Run, want: Run, where: str = "", times: float = 1.0) -> None:
        """The same for two runs: their outputs and last states."""
        self.near(f"outputs{where}", got[0], want[0], times=times)
        self.nears(f"last state{where}", got[1], want[1], times=times)

    def same_bits(self, what: str, got: Any, want: Any) -> None:
        """Broken unless two arrays are the same bit for bit."""
        got, want = np.ascontiguousarray(got), np.ascontiguousarray(want)
        if (got.dtype, got.shape, got.tobytes()) != (want.dtype, want.shape, want.tobytes()):
            raise self.broken(f"{what} {_differing(got, want)}")

    def broken(self, sentence: str) -> Broken:
        return Broken(self.law.name, f"{sentence} ({self.case})")


def _differing(got: np.ndarray, want: np.ndarray) -> str:
    if (got.dtype, got.shape) != (want.dtype, want.shape):
        return f"are {got.dtype} {got.shape} where {want.dtype} {want.shape} was due"
    gap = np.abs(got.astype(np.float64) - want.astype(np.float64))
    return f"differ by {np.nanmax(gap, initial=0):.1e} where not one bit may"


def everywhere(cell: Cell, form: Form, dtype: str) -> bool:
    return True


def once(cell: Cell, form: Form, dtype: str) -> bool:
    """For what no engine and no dtype changes."""
    return form == NUMPY and dtype == "float32"


@dataclass(frozen=True)
class Law:
    """What holds for every cell, as a function of a trial that raises Broken where it does not.

    where: the (cell, form, dtype) that it is tried on. forward, backward: the differences allowed in values and in
    gradients, float32 and float64. cases: how many a check tries; 0 for a law that makes its own, once. budget: seconds
    that it may take over all instances and forms of one cell; reported, never asserted. needs: a package beside NumPy.
    """

    name: str
    holds: Callable[[Trial], None]
    where: Callable[[Cell, Form, str], bool]
    forward: tuple[float, float]
    backward: tuple[float, float]
    cases: int
    budget: float
    needs: str

    @property
    def missing(self) -> str:
        """Why it cannot be tried here, or nothing."""
        return missing(self.needs) if self.needs else ""

    @property
    def about(self) -> str:
        """What it says, in one sentence."""
        return " ".join((self.holds.__doc__ or "").split("\n\n")[0].split())

    def __call__(self, cell: Cell, form: Form, dtype: str, case: Case | None = None) -> tuple[float, float]:
        """Try it. Returns the largest difference and what was allowed there; raises Broken."""
        case = case or Case()
        try:
            with np.errstate(all="ignore"), form.one_thread():
                trial = Trial(self, cell, form, dtype, case)
                self.holds(trial)
        except Broken:
            raise
        except Exception as error:  # whatever a stranger's cell raises
            raise Broken(self.name, f"raises {type(error).__name__}: {error} ({case})") from error
        return trial.worst[0]


LAWS: dict[str, Law] = {}


def law(
    where: Callable[[Cell, Form, str], bool] = everywhere,
    forward: tuple[float, float] = (0.0, 0.0),
    backward: tuple[float, float] = (0.0, 0.0),
    cases: int = 2,
    budget: float = 1.0,
    needs: str = "",
) -> Callable[[Callable[[Trial], None]], Law]:
    """Make a function of a trial a law, named as the function is."""

    def made(holds: Callable[[Trial], None]) -> Law:
        LAWS[holds.__name__] = Law(holds.__name__, holds, where, forward, backward, cases, budget, needs)
        return LAWS[holds.__name__]

    return made
