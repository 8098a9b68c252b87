"""What people see of a translator: texts beside their translations and the references."""

from __future__ import annotations

from typing import Any

from helo.reports.base import TextReport


class TranslateReport(TextReport):
    """Of a text for a text."""

    column = "target"
    unit = "symbols"
    example = "--source train.en --target train.de"

    def describe(self):
        o, n = self.task.options, self.task.data["examples"]
        return (
            f"{n['train']:,} pairs for training, {n['valid']:,} for validation, {len(self.task.vocab):,} {o.units}; "
            f"{o.cell} {o.layers} + 2 x {o.hidden}, attention {o.attention}, dropout {o.dropout:g}, {o.batch} pairs per step"
        )

    def progress(self, parameters, rng):
        examples = self.task.splits.examples
        one = examples.take(rng.integers(len(examples), size=1))
        answer = self.task.predict(parameters, one, beam=1)[0]
        return f"{one.inputs[0][:60]} → {answer['text'][:60]} (reference: {one.labels[0][:60]})"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        if "n_best" in answer:
            return "\n".join(f"{h['score']:.3f}\t{h['text']}" for h in answer["n_best"])
        return answer["text"]
