"""How long to train, and how fast at each step."""

from __future__ import annotations

import math

FLOOR = 0.02  # of the learning rate, at the end
VALIDATIONS = 10


def factor(share: float) -> float:
    """The learning rate's factor when a share of the training is over: half a cosine from 1 to FLOOR at the end."""
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def validates(share: float, reports: int) -> bool:
    """Whether to validate when a share of the training is over and so many reports were made: VALIDATIONS times in
    all, evenly.
    """
    return share * VALIDATIONS >= reports + 1 - 1e-9
