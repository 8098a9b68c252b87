"""What a training is worth: the figures now and then, by which the best weights are kept, and those at its end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from helo import drawing, reports
from helo.errors import HeloError
from helo.metrics import LOSS
from helo.reports.base import REST, network
from helo.runs import folder
from helo.runs.arrays import read_arrays, write_arrays
from helo.runs.readme import write_page
from helo.training.report import by_layer, line
from helo.training.schedule import Progress, Speed, factor

if TYPE_CHECKING:
    from helo.training.loop import Training

SHOWN = 500  # letters of a sample that a report keeps


def validate(training: Training, speed: Speed) -> None:
    """Validate, keep the weights if they are the best so far, and write a line for the file and the person."""
    p, task, device, batches = training.progress, training.task, training.device, training.batches
    training.read()
    if training.machine.writes:
        assert p.total is not None
        most = p.glance or task.recipe.validation_subset(task.validation_size, speed.per_step * p.total)
        p.looked = most
        with torch.no_grad(), device.autocast():
            figures = task.validate(training.weights, most, loss_only=True)
        training.protocol = str(figures.get("protocol", "")).partition(" with ")[0]
        weights = device.back(training.weights)
        norms = device.back({"norms": training.norms})["norms"]
        report = {
            "step": p.step,
            "epoch": round(batches.epoch + batches.index / batches.per_epoch, 4),
            "seconds": round(p.seconds, 2),
            "loss": p.loss / p.count,
            "valid": figures["loss"],
            "rate": factor(p.share),
            "norm": p.norm / p.steps,
            "clipped": p.clipped / p.steps,
            "symbols_per_second": round(speed.symbols),
            "norms": by_layer(zip(training.parameters, norms.tolist(), strict=True)),
        }
        key, cost = task.scoring.monitor, task.scoring.cost(figures)
        report |= {} if key == LOSS else {key: figures[key]}
        better = cost < p.best or figures["loss"] < p.lowest
        p.lowest, p.idle = min(p.lowest, figures["loss"]), 0 if better else p.idle + 1
        best = cost < p.best or (key != LOSS and cost == p.best) or (not training.chooses and cost < math.inf)
        if best:
            p.best = cost
            keep(training, figures, weights)
        shown = training.shown.progress(weights, np.random.default_rng(p.step)) if training.options.samples else ""
        report |= {"sample": shown[:SHOWN]} if training.options.samples else {}
        folder.append(training.home / "metrics.jsonl", json.dumps(report))
        training.reporter.report(report)
        training.reporter.say(line(p, report, best, key, training.shown))
        if training.options.samples:
            training.reporter.say(f"    {shown}")
    p.reports, p.loss, p.count, p.norm, p.steps, p.clipped = p.reports + 1, 0.0, 0, 0.0, 0, 0
    training.sums.zero_()


def keep(training: Training, figures: dict[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """The weights as they are, as the run's own."""
    write_arrays(training.home / "weights.safetensors", weights)
    about = folder.read_json(training.home / "run.json")
    figures = {k: v for k, v in figures.items() if k != "loss"}
    about |= {"figures": figures, "steps": training.progress.step, "seconds": round(training.progress.seconds, 2)}
    folder.write_json(training.home / "run.json", about)
    training.move_into_place()


def most_looked_at(training: Training) -> int:
    """On how many symbols or examples the last validation was, while it trained."""
    task, p = training.task, training.progress
    return p.glance or p.looked or task.validation_size


def share(n: int | None, size: int, noun: str) -> str:
    """Of how many of all."""
    return f"all {size:,} {noun}" if n is None or n >= size else f"{n:,} of {size:,} {noun}"


def finish(training: Training, end: Progress, page: bool = True) -> None:
    """What a run folder has when its training is over. page: its report and pictures too. Raises HeloError where no weights
    were kept.
    """
    path, task = training.path, training.task
    if training.home != path or not (path / "weights.safetensors").exists():
        raise HeloError("no validation loss was finite, so no weights were saved", mend="lower --rate", where=path)
    weights = read_arrays(path / "weights.safetensors")[0]
    with training.device.answering(weights) as parameters:
        figures = task.validate(parameters, end.ending)
    if end.ending is not None:
        training.reporter.say(
            f"validated on {end.ending:,} of {task.validation_size:,} for lack of time; helo eval {path} uses all"
        )
    about = folder.read_json(path / "run.json")
    final, best = figures.pop("loss", None), about["steps"]
    about |= {"figures": figures, "steps": end.step, "finished": True, "ended_early": end.early}
    if page:
        _show(training, end, weights, about, best, final)
    # Last: who goes on with a run that is not finished makes the rest again. The seconds are from the command to here.
    folder.write_json(path / "run.json", about | {"seconds": round(training.elapsed(), 2)})


def _show(
    training: Training, end: Progress, weights: Mapping[str, np.ndarray], about: dict[str, Any], best: int, final: Any
) -> None:
    """The report and the pictures of a run. about: its run.json to be. best, final: the step of its weights, and their loss."""
    path, task, report = training.path, training.task, reports.of(training.task)
    report.samples = training.options.samples
    size, noun = task.validation_size, "symbols" if report.unit == "symbols" and hasattr(task, "split") else "examples"
    looked = most_looked_at(training)
    data, part = (share(n, size, noun) for n in (end.ending, looked))
    of = f"{data} of the validation data, with the weights of step {best:,}"
    said = str(about["figures"].get("protocol", "")).partition(" with ")[0]
    part += f", {training.protocol}" if training.protocol != said else ""
    if looked < size or training.protocol != said:
        of += f"; those while it trained are of {part}"
        training.reporter.say(f"the figures are of {of}")
    title = f"{about['task']}, {network(task)}"
    unit = report.loss_unit and f"{report.loss_unit} per {report.unit.removesuffix('s')}"
    drawing.loss(path / "loss.png", folder.metrics(path / "metrics.jsonl"), title, unit, part, (best, final, data))
    with training.device.answering(weights) as parameters:
        page = report.write(parameters, about["data"], path, most=end.ending)
    tables, rest, _ = page.partition(REST)
    for row in tables.splitlines() if rest else ():
        training.reporter.say(row)
    options = {k: v for k, v in about["options"].items() if k not in task.options.unused(task)}
    about = about | {"seconds": training.elapsed(), "cell": network(task), "options": options}
    write_page(path, about, report.verb, page, of)
