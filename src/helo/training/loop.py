"""The one loop: batches in, weights out. It never asks which task it trains."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import dropout as noise

from helo.errors import HeloError
from helo.runs import folder
from helo.tasks.base import Task
from helo.training import checkpoint, schedule
from helo.training.checkpoint import Progress
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Reporter


class Training:
    """A task, its parameters, and where it stands."""

    def __init__(self, task: Task, path: Path, options: Options, machine: Machine, reporter: Reporter, started: float):
        """started: `time.monotonic()` when the person's minutes began."""
        self.task, self.path, self.options, self.machine, self.reporter = task, path, options, machine, reporter
        torch.manual_seed(options.seed + 1_000_003 * machine.rank)
        fresh = task.init(np.random.default_rng(options.seed))
        # Cloned into torch's own memory: a kernel may add in another order where the alignment is another.
        self.parameters = {n: torch.from_numpy(p).clone().to(machine.device).requires_grad_() for n, p in fresh.items()}
        self.optimiser = Optimiser(self.parameters, options, machine.precision, task.slower)
        self.batches = task.batches(options.seed, machine.rank, machine.world)
        self.home = path  # where it is written; beside `path` until it is whole
        self.state: Any = None
        self.progress = Progress(total=options.steps)
        self.before = 0.0  # seconds of earlier sittings
        self.started = started
        self.stop = False  # set from outside: save, and end
        self.due = False  # it is time to save
        self.saved = time.monotonic()

    @property
    def size(self) -> int:
        """How many numbers the model has."""
        return sum(p.numel() for p in self.parameters.values())

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Another run's weights in place of fresh ones. Raises HeloError where they are of another model."""
        ours = {n: tuple(p.shape) for n, p in self.parameters.items()}
        for name in sorted({*ours, *weights}, key=lambda n: (n in ours and n in weights, n)):
            theirs = weights[name].shape if name in weights else None
            if theirs != ours.get(name):
                raise HeloError(
                    f"{name} is {theirs or 'not there'}", expected=f"{ours.get(name) or 'no such part'}, as the options give it",
                    mend="give the options and files of the run that it begins with", where=str(self.options.start),
                )  # fmt: skip
            with torch.no_grad():
                self.parameters[name].copy_(torch.from_numpy(weights[name]))

    # One step.

    def step(self) -> tuple[float, int, float]:
        """Read a batch, go forward and back through it, update: (loss sum in nats, over how many, gradient norm)."""
        self.task.at(self.progress.step / self.progress.total if self.progress.total else 0.0)
        batch = self.batches.next()
        with self.machine.products():
            loss, count, state = self.task.loss(self.parameters, batch, self.state, noise)
        loss.backward()
        # The chunk's border: the state goes on as numbers, and no gradient crosses.
        self.state = tuple(tuple(s.detach().float() for s in layer) for layer in state) if state else None

        gradients = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        total, counted, stop, due = self.machine.add(gradients, loss.detach().item(), count, self.stop, self._due())
        self.stop, self.due = bool(stop), bool(due)
        for g in gradients.values():
            g.div_(counted)  # from a sum to a mean, over all processes
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.options.clip).item()
        if not math.isfinite(total) or not math.isfinite(norm):
            raise HeloError(
                f"the loss is {total / counted} at step {self.progress.step + 1}",
                mend=f"the last good weights stand; lower --rate ({self.options.rate}) or --clip ({self.options.clip})",
                where=str(self.path),
            )
        self.optimiser.step(schedule.factor(self.progress.step, self.progress.total))
        for p in self.parameters.values():
            p.grad = None
        return total, int(counted), norm

    # The whole.

    def run(self) -> Progress:
        """Train to the end, or until `stop` is set; then save, and say where it stands."""
        p, speed = self.progress, _Speed()
        p.total = p.total or self._steps_of_epochs()
        while p.total is None or p.step < p.total:
            loss, count, norm = self.step()
            p.step += 1
            p.loss, p.count, p.norm, p.steps = p.loss + loss, p.count + count, p.norm + norm, p.steps + 1
            p.clipped += norm > self.options.clip
            p.seconds = self.before + time.monotonic() - self.started
            speed.step(count)
            self.reporter.step(p.step, p.total, loss / count, speed.symbols, speed.left(p))
            if p.total is None:
                self._settle(speed)
            elif schedule.validates(p.step, p.total):
                self._report(speed)
                self.save()
                speed.pause()
            elif self.due:
                self.save()
            if self.stop:
                self._keep_something()
                self.save()
                break
        return p

    def _steps_of_epochs(self) -> int | None:
        if self.options.epochs is None:
            return None
        return max(1, round(self.options.epochs * self.batches.per_epoch))

    def _settle(self, speed: _Speed) -> None:
        """Under --minutes: after the first few steps, how many there will be. From here on it is a number of steps,
        so that going on after a stop gives the same weights as never having stopped.
        """
        p, seconds = self.progress, 60 * (self.options.minutes or 2.0)
        total = None
        if (speed.measured >= 20 and speed.measuring >= schedule.MEASURE * seconds) or p.seconds >= seconds:
            total = schedule.settled(
                p.step, p.seconds, self.task.heavier * speed.measuring / max(1, speed.measured), seconds
            )
            if self.task.passes < math.inf:
                total = min(total, max(p.step + 1, round(self.task.passes * self.batches.per_epoch)))
        p.total = self.machine.agreed(total)
        if p.total is not None:
            self.save()

    def resume(self) -> bool:
        """Take up what was saved. False where nothing was yet."""
        zero = getattr(self.task, "zero_state", None)  # of a task that carries one from step to step
        like = zero(self.parameters, 1) if zero else ()
        found = checkpoint.load(self.path, self.machine, self.parameters, self.optimiser, self.batches, like)
        if found is not None:
            self.state, self.progress = found
            self.before = self.progress.seconds
        if self.machine.writes:
            checkpoint.cut_metrics(self.path / "metrics.jsonl", self.progress.reports)
        return found is not None

    def save(self) -> None:
        """Where training stands, whole."""
        self.saved = time.monotonic()
        checkpoint.save(
            self.home, self.machine, self.parameters, self.optimiser, self.batches, self.state, self.progress
        )

    def arrive(self) -> None:
        """What was written beside the run folder's files takes their place."""
        if self.home != self.path:
            if self.machine.writes:
                folder.take_place(self.path)
            self.home = self.path

    def _due(self) -> bool:
        """Whether the first process finds that it is time to save."""
        return self.machine.writes and time.monotonic() - self.saved > self.options.save_seconds

    # What is reported.

    def _report(self, speed: _Speed) -> None:
        """Validate, keep the weights if they are the best so far, and write a line for the file and the person."""
        p = self.progress
        if self.machine.writes:
            assert p.total is not None
            most = max(4096, speed.per_step * p.total // schedule.VALIDATIONS // 10)
            with torch.no_grad():
                figures = self.task.validate(self.parameters, most)
            report = {
                "step": p.step,
                "epoch": round(self._epochs(), 4),
                "seconds": round(p.seconds, 2),
                "loss": p.loss / p.count,
                "valid": figures["loss"],
                "rate": schedule.factor(p.step, p.total),
                "norm": p.norm / p.steps,
                "clipped": p.clipped / p.steps,
                "symbols_per_second": round(speed.symbols),
            }
            key = self.task.best
            report |= {} if key == "loss" else {key: figures[key]}
            badness = figures[key] if key == "loss" else -figures[key]
            best = badness < p.best or (key != "loss" and badness == p.best)
            if best:
                p.best = badness
                self.keep(figures)
            folder.append(self.home / "metrics.jsonl", json.dumps(report))
            self.reporter.say(_line(p, report, best, key, self.task.unit))
            weights = {n: w.detach().cpu().numpy() for n, w in self.parameters.items()}
            self.reporter.say(f"    {self.task.show(weights, np.random.default_rng(p.step))}")
            self._tensorboard(report)
        p.reports, p.loss, p.count, p.norm, p.steps, p.clipped = p.reports + 1, 0.0, 0, 0.0, 0, 0

    def _tensorboard(self, report: dict[str, Any]) -> None:
        """The report for TensorBoard, if it is asked for."""
        if self.options.tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            with SummaryWriter(str(self.home / "tensorboard")) as writer:
                for key in ("loss", "valid", "rate", "norm", "clipped", "symbols_per_second"):
                    writer.add_scalar(key, report[key], report["step"])

    def keep(self, figures: dict[str, Any]) -> None:
        """The weights as they are, as the run's own."""
        weights = {n: w.detach().cpu().numpy() for n, w in self.parameters.items()}
        folder.write_arrays(self.home / "weights.safetensors", weights)
        about = folder.read_json(self.home / "run.json")
        figures = {k: v for k, v in figures.items() if k != "loss"}
        about |= {"figures": figures, "steps": self.progress.step, "seconds": round(self.progress.seconds, 2)}
        folder.write_json(self.home / "run.json", about)
        self.arrive()

    def _keep_something(self) -> None:
        """A run that stops before its first validation has weights too."""
        if self.machine.writes and not (self.home / "weights.safetensors").exists():
            self.keep({})

    def _epochs(self) -> float:
        return self.batches.epoch + self.batches.index / self.batches.per_epoch


class _Speed:
    """Steps and symbols per second, from the time between steps; the first few, which warm up, are left out."""

    WARM = 10

    def __init__(self):
        self.taken = self.measured = 0
        self.measuring = self.symbols = 0.0
        self.per_step = 0
        self.last = time.monotonic()

    def step(self, count: int) -> None:
        now = time.monotonic()
        spent, self.last = now - self.last, now
        self.taken += 1
        self.per_step = count
        if self.taken > self.WARM:
            self.measured, self.measuring = self.measured + 1, self.measuring + spent
            rate = count / max(spent, 1e-9)
            self.symbols = rate if not self.symbols else 0.97 * self.symbols + 0.03 * rate

    def pause(self) -> None:
        """What was done since the last step was not a step."""
        self.last = time.monotonic()

    def left(self, progress: Progress) -> float | None:
        """Seconds to the end."""
        if progress.total is None or not self.symbols:
            return None
        return (progress.total - progress.step) * self.per_step / self.symbols


def _line(p: Progress, report: dict[str, Any], best: bool, key: str, unit: str) -> str:
    """A report for a person."""
    figure = "" if key == "loss" else f"  {key.replace('_', ' ')} {report[key]:.4f}"
    return (
        f"step {p.step:>6,}/{p.total:,}  epoch {report['epoch']:.2f}  {_clock(p.seconds)}  "
        f"loss {report['loss']:.3f}  valid {report['valid']:.3f} nats{figure}{'' if best else ' (not the best)'}  "
        f"clipped {report['clipped']:.0%}  {report['symbols_per_second']:,} {unit}/s"
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
