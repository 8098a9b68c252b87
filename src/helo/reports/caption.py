"""What people see of a captioner: pictures with their sentences, in a table and on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from helo.data.dataset import Dataset
from helo.data.readers import captioned
from helo.reports import gallery
from helo.reports.base import TextReport


class CaptionReport(TextReport):
    """Of a sentence for a picture."""

    source = "picture"
    unit = "symbols"
    example = "captions.txt --images photos/"

    def describe(self):
        task, o, n = self.task, self.task.options, self.task.data["examples"]
        looks = f"attention over {task.model.encoder.places} regions" if o.attention == "soft" else "the whole picture"
        beside = "".join(
            f"{n.replace('_', ' ')}: {captioned.few(found)}; " for n in captioned.BESIDE if (found := task.data.get(n))
        )
        return (
            f"{beside}{n['train']:,} pictures for training, {n['valid']:,} for validation, {len(task.vocab):,} {o.units}; "
            f"{o.encoder}, {looks}, {o.cell} 2 x {o.hidden}, dropout {o.dropout:g}, {o.batch} pictures per step"
        )

    def progress(self, parameters, rng):
        task, (encoded, targets) = self.task, self.task.splits.valid
        row = rng.integers(len(encoded.lengths), size=1)
        batch = encoded.batch(row)
        memory = task.model.memory(parameters, batch)
        found = task.search(parameters, memory, task.most(batch), 1)[0][0]
        name = task.splits.examples.inputs[row[0]].name
        return f"{name}: {task.text(found.symbols)[:70]} (reference: {targets.texts[row[0]][0][:70]})"

    @staticmethod
    def line(answer: dict[str, Any]) -> str:
        several = answer.get("n_best", [answer])
        return "\n".join(f"{answer['picture']}\t{h['text']}\t{h['score']:.2f}" for h in several)

    def row(self, source, reference):
        return source.name, reference[0]


def answers_page(
    report: CaptionReport, title: str, examples: Sequence[Dataset], answers: Sequence[dict[str, Any]]
) -> str:
    """All pictures, each with its sentence."""
    about = f"{len(answers):,} picture{'s' * (len(answers) != 1)}, each with the model's answer"
    photos = [x for part in examples for x in part.inputs]
    labels = [y for part in examples for y in part.labels or ()]
    return gallery.page(title, about, photos, answers, labels if len(labels) == len(photos) else None)
