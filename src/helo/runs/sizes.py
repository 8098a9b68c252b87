"""Which weights a model has, known without making them: names, shapes and types, as `init` gives them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helo.errors import HeloError
from helo.tasks.base import Task


class _Blank(np.ndarray):
    """All zeros, and one number in memory. Of a square that is asked for its orthogonal part nothing is computed."""

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.linalg.qr:
            return args[0], args[0]
        return super().__array_function__(func, types, args, kwargs)


class _Sizes(np.random.Generator):
    """Draws nothing, and stops where more would be drawn than a model of so many numbers in so many arrays could need."""

    def __init__(self, numbers: int, arrays: int):
        super().__init__(np.random.PCG64(0))
        self.numbers, self.draws = 2 * numbers + 100_000, 20 * arrays + 200

    def _blank(self, size: Any) -> Any:
        shape = () if size is None else tuple(size) if isinstance(size, list | tuple) else (size,)
        self.numbers -= math.prod(map(int, shape))
        self.draws -= 1
        if self.numbers < 0 or self.draws < 0:
            raise HeloError("a model larger than its weights", mend="restore it from an undamaged copy of the run")
        return np.broadcast_to(np.zeros(()), shape).view(_Blank) if shape else 0.0

    def standard_normal(self, size=None, dtype=np.float64, out=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._blank(size)

    def normal(self, loc=0.0, scale=1.0, size=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._blank(size)

    def uniform(self, low=0.0, high=1.0, size=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._blank(size)

    def random(self, size=None, dtype=np.float64, out=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._blank(size)


def expected(task: Task, numbers: int, arrays: int) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each of a task's weights. numbers, arrays: of the file that they are to be compared with: a model
    that needs many more raises HeloError before it takes any memory.
    """
    with np.errstate(all="ignore"):
        found = task.model.init(_Sizes(numbers, arrays))
    return {name: (p.shape or (1,), p.dtype) for name, p in found.items()}
