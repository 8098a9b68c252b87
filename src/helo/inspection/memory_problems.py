"""Two tasks that only who remembers can solve, learned by small networks in a minute: which cells do, and which do not.

adding   numbers from 0 to 1, two of which are marked, one in each half; at the end their sum (Hochreiter and Schmidhuber
         1997, experiment 4, in the form of Arjovsky, Shah and Bengio 2016)
copying  a few letters, then a stretch of other symbols that say nothing, then the letters again, in their order (Arjovsky,
         Shah and Bengio 2016; that noise stands between, and no blanks, as in experiment 2 of Hochreiter and Schmidhuber)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helo import progress
from helo.errors import HeloError, door
from helo.inspection.gradients import CLIP, check, fits, one_thread, require_torch

CELLS = ("rnn", "lstm", "gru")
# Of copying: letters there are, so many of which are kept, and symbols that say nothing.
LETTERS, KEPT, NOISE = 4, 2, 4
ROWS, STEPS, RATE, EVERY = 64, 1200, 1e-2, 50  # sequences a step of Adam, steps at most, between two looks
CHECKED = 1000  # fresh sequences, always the same ones, on which the error is taken


@dataclass(frozen=True)
class Problem:
    """length: of the stretch over which has to be remembered. inputs, outputs: numbers a step. read: so many of the last
    outputs are the answer. chance: the error of who remembers nothing; solved: it is, below this error.
    """

    length: int
    inputs: int
    outputs: int
    read: int
    chance: float
    solved: float
    error: str
    make: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def adding(length: int = 50) -> Problem:
    """The sum of two marked numbers out of so many."""

    def make(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, marks, row = rng.random((rows, length)), np.zeros((rows, length)), np.arange(rows)
        first, second = rng.integers(0, length // 2, rows), rng.integers(length // 2, length, rows)
        marks[row, first] = marks[row, second] = 1
        sums = numbers[row, first] + numbers[row, second]
        return np.stack([numbers, marks], 2).astype(np.float32), sums[:, None, None].astype(np.float32)

    return Problem(length, 2, 1, 1, 1 / 6, 0.01, "mean squared error", make)


def copying(length: int = 40) -> Problem:
    """Letters, kept over so many symbols that say nothing. Symbol 0 calls for them."""

    def make(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
        letters = rng.integers(0, LETTERS, (rows, KEPT))
        noise = 1 + LETTERS + rng.integers(0, NOISE, (rows, length))
        symbols = np.concatenate([1 + letters, noise, np.zeros((rows, KEPT), np.int64)], 1)
        return np.eye(1 + LETTERS + NOISE, dtype=np.float32)[symbols], letters

    return Problem(length, 1 + LETTERS + NOISE, LETTERS, KEPT, 1 - 1 / LETTERS, 0.01, "share of wrong letters", make)


PROBLEMS: dict[str, Callable[..., Problem]] = {"adding": adding, "copying": copying}


@door
def solve(
    specs: Sequence[str] = CELLS, *, hidden: int = 64, length: int | None = None, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Each problem learned by each cell, with Adam, gradients clipped to norm 1, until it is solved or given up: of each problem its
    length, error (what it is), chance, solved (the error below which it is), and cells: of each steps and errors (a curve),
    solved_at (a step, or None), clipped (the share of steps whose gradient was longer than 1), and seconds.

    length: over how many steps has to be remembered; None: 50 to add, 40 to copy. Raises HeloError for an unknown cell.
    """
    require_torch()
    check("hidden", hidden)
    check("length", length, least=2)
    found: dict[str, dict[str, Any]] = {}
    with one_thread():
        for name, kind in PROBLEMS.items():
            problem = kind() if length is None else kind(length)
            fits(CHECKED, problem.length + 2 * KEPT, 1, hidden)
            found[name] = {k: getattr(problem, k) for k in ("length", "error", "chance", "solved")}
            found[name]["cells"] = {s: _train(f"{name}, {s}", problem, s, hidden, seed) for s in dict.fromkeys(specs)}
    return found


def _train(what: str, problem: Problem, spec: str, hidden: int, seed: int) -> dict[str, Any]:
    import torch

    from helo.nn import Recurrent

    started, rng = time.monotonic(), np.random.default_rng(seed)
    body = Recurrent(spec, problem.inputs, hidden, seed=seed)
    head = torch.nn.Linear(hidden, problem.outputs)
    with torch.no_grad():  # of our own seed, and not of torch's, which is the caller's
        weight = np.random.default_rng(seed + 1).uniform(-1, 1, (problem.outputs, hidden)) * hidden**-0.5
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.zero_()
    parameters = [*body.parameters(), *head.parameters()]
    optimiser = torch.optim.Adam(parameters, RATE)
    checked = tuple(map(torch.from_numpy, problem.make(np.random.default_rng(99), CHECKED)))
    sums = problem.outputs == 1

    def evaluate(xs: Any, targets: Any) -> tuple[Any, Any]:
        """(loss, error)"""
        answers = head(body(xs)[0][:, -problem.read :])
        if sums:
            loss = (answers - targets).square().mean()
            return loss, loss
        loss = torch.nn.functional.cross_entropy(answers.flatten(0, 1), targets.flatten())
        return loss, (answers.argmax(2) != targets).double().mean()

    steps, errors, long = [], [], 0
    for step in range(1, STEPS + 1):
        loss, _ = evaluate(*map(torch.from_numpy, problem.make(rng, ROWS)))
        optimiser.zero_grad()
        loss.backward()
        long += int(torch.nn.utils.clip_grad_norm_(parameters, CLIP) > CLIP)
        optimiser.step()
        if step % EVERY == 0:
            with torch.no_grad():
                error = float(evaluate(*checked)[1])
            if not np.isfinite(error):
                raise HeloError(f"{what}: the error is {error} after {step} steps", mend="try another --cell or --seed")
            steps.append(step)
            errors.append(error)
            progress.tell(what, step, STEPS)
            if error < problem.solved:
                break
    return {
        "steps": steps,
        "errors": errors,
        "solved_at": steps[-1] if errors[-1] < problem.solved else None,
        "clipped": long / steps[-1],
        "seconds": time.monotonic() - started,
    }
