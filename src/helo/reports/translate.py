"""What people see of a translator: texts beside their translations and the references."""

from __future__ import annotations

from typing import Any

import numpy as np

from helo.reports.base import TextReport


class TranslateReport(TextReport):
    """Of a text for a text."""

    unit = "symbols"
    example = "--source train.en --target train.de"

    def describe(self):
        o, n = self.task.options, self.task.data["examples"]
        return (
            f"{n['train']:,} pairs for training, {n['valid']:,} for validation, {len(self.task.vocab):,} {o.units}; "
            f"{o.cell} {o.layers} + 2 x {o.hidden}, attention {o.attention}, dropout {o.dropout:g}, {o.batch} pairs per step"
        )

    def progress(self, parameters, rng):
        task = self.task
        row = int(rng.integers(len(task.valid[0].lengths)))
        answer = task.predict(parameters, task.shown.take(np.array([row])), beam=1)[0]
        return f"{task.shown.inputs[row][:60]} → {answer['text'][:60]} (reference: {task.valid[1].texts[row][:60]})"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        """An answer for a terminal."""
        if "n_best" in answer:
            return "\n".join(f"{h['score']:.3f}\t{h['text']}" for h in answer["n_best"])
        return answer["text"]
