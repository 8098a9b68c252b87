"""How long to train, and how fast at each step."""

from __future__ import annotations

import math

FLOOR = 0.02  # of the learning rate, at the end
VALIDATIONS = 10
MEASURE = 0.03  # of the minutes given, at the start, tells how many steps fit into the rest
OVERHEAD = 0.05  # of the minutes left are for validation, saving and the pictures


def factor(step: int, steps: int | None) -> float:
    """The learning rate's factor: half a cosine from 1 to FLOOR at the last step; 1 while the end is not settled."""
    if steps is None:
        return 1.0
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))


def validates(step: int, steps: int) -> bool:
    """Whether to validate after `step` steps: VALIDATIONS times in all, evenly, the last time at the end."""
    every = max(1, -(-steps // VALIDATIONS))
    return step == steps or (step % every == 0 and steps - step >= every // 2)


def settled(done: int, elapsed: float, stepping: float, seconds: float) -> int:
    """The number of steps for a training of `seconds`, of which `elapsed` are over, after `done` steps of which the
    measured ones took `stepping` seconds each.
    """
    left = (seconds - elapsed) * (1 - OVERHEAD)
    return done + (max(1, round(left / stepping)) if left > 0 and stepping > 0 else 1)
