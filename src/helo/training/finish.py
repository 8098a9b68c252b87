"""The end of a training: the figures of the best weights on the validation data, the picture, the page."""

from __future__ import annotations

from helo import drawing, reports
from helo.errors import HeloError
from helo.runs import folder
from helo.runs.arrays import read_arrays
from helo.runs.readme import write_page
from helo.training.checkpoint import Progress
from helo.training.loop import Training


def finish(training: Training, end: Progress) -> None:
    """What a run folder has when its training is over. Raises HeloError where no weights were kept."""
    path, task = training.path, training.task
    if training.home != path or not (path / "weights.safetensors").exists():
        raise HeloError("no validation loss was finite, so no weights were saved", mend="lower --rate", where=str(path))
    weights = read_arrays(path / "weights.safetensors")[0]
    with training.device.answering(weights) as parameters:
        figures = task.validate(parameters, end.ending)
    if end.ending is not None:
        training.reporter.say(
            f"validated on {end.ending:,} of {task.validation_size:,} for lack of time; helo eval {path} uses all"
        )
    about = folder.read_json(path / "run.json")
    figures.pop("loss", None)
    report = reports.of(task)
    title = f"{about['task']}, {report.body()}"
    unit = report.loss_unit and f"{report.loss_unit} per {report.unit.removesuffix('s')}"
    drawing.loss(path / "loss.png", folder.metrics(path / "metrics.jsonl"), title, unit)
    about |= {"figures": figures, "steps": end.step}
    with training.device.answering(weights) as parameters:
        page = report.write(parameters, about["data"], path, most=end.ending)
    about |= {"seconds": round(training.elapsed(), 2), "finished": True}  # from the command to the figures, all of it
    write_page(path, about | {"cell": report.body()}, report.verb, page)
    folder.write_json(
        path / "run.json", about
    )  # last: who goes on with a run that is not finished makes the rest again
