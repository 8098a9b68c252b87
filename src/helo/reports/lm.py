"""What people see of a language model: what it writes by now."""

from __future__ import annotations

import numpy as np

from helo.decoding.sampling import Choice, write
from helo.reports.base import Report


class LMReport(Report):
    """Of the next symbol of a text."""

    unit = "symbols"
    example = "novel.txt"
    verb = "sample"

    def describe(self):
        o, symbols = self.task.options, self.task.data["symbols"]
        return (
            f"{symbols['train']:,} {o.units} for training, {symbols['valid']:,} for validation; "
            f"{o.cell} {o.layers} x {o.hidden}, dropout {o.dropout:g}, {o.streams} streams, chunks of {o.chunk}"
        )

    def progress(self, parameters, rng):
        last, state = np.array([self.task.data["start"]]), None

        def step(last: np.ndarray) -> np.ndarray:
            nonlocal state
            scores, state = self.task.model.forward(parameters, last[:, None], state)
            scores = np.array(scores[:, 0])
            scores[:, list(self.task.vocab.silent)] = -np.inf
            return scores

        out = [int(i[0]) for i in write(step, last, 100, Choice(), rng)]
        return " ".join(self.task.vocab.decode(out).decode(errors="ignore").split())

    def answered(self, most):
        return 0

    def write(self, parameters, data, folder, files=(), most=None, **said):
        return ""
