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
from torch import Tensor
from torch.nn.functional import dropout as noise

from helo.errors import HeloError
from helo.runs import folder
from helo.tasks.base import Task
from helo.training import checkpoint, minutes, schedule
from helo.training.checkpoint import Progress
from helo.training.machine import Machine
from helo.training.minutes import Minutes, Threads
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Reporter

SAVE, SETTLE, REPORT = 1, 2, 4


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
        self.state: Any = None
        self.progress = Progress(total=options.steps)
        self.before = 0.0  # seconds of earlier sittings
        self.started = started
        self.stop = False  # set from outside: save, and end
        self.due = 0  # what the first process finds that it is time for: SAVE, SETTLE, REPORT
        self.minutes: Minutes | None = None
        self.threads: Threads | None = None
        self.probed = 0  # by how many reports it was measured what the final figures cost
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
        self.task.at(self.progress.share)
        batch = self.batches.next()
        with self.machine.products():
            if batch is None:
                loss, count, state = self._nothing(), 0, None
            else:
                loss, count, state = self.task.loss(self.parameters, batch, self.state, noise)
        loss.backward()
        # The chunk's border: the state goes on as numbers, and no gradient crosses.
        self.state = tuple(tuple(s.detach().float() for s in layer) for layer in state) if state else None

        if self.machine.world > 1:
            for p in self.parameters.values():  # one that this process's rows did not touch may be touched in another
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        gradients = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        total, counted, stop, due = self.machine.add(gradients, loss.detach().item(), count, self.stop, self._due())
        self.stop, self.due = bool(stop), int(due)
        for g in gradients.values():
            g.div_(counted)  # from a sum to a mean, over all processes
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.options.clip).item()
        if not math.isfinite(total) or not math.isfinite(norm):
            raise self.machine.refused(
                HeloError(
                    f"the loss is {total / counted} at step {self.progress.step + 1}",
                    mend=f"the last good weights stand; lower --rate ({self.options.rate}) or --clip ({self.options.clip})",
                    where=str(self.path),
                )
            )
        self.optimiser.step(schedule.factor(self.progress.share))
        for p in self.parameters.values():
            p.grad = None
        return total, int(counted), norm

    def _nothing(self) -> Tensor:
        """The loss of a process that has no row of a batch: it gives no gradient, and takes part all the same."""
        return 0.0 * torch.stack([p.sum() for p in self.parameters.values()]).sum()

    # The whole.

    def run(self) -> Progress:
        """Train to the end, or until `stop` is set; then save, and say where it stands."""
        p, speed = self.progress, _Speed()
        p.total = p.total or self._steps_of_epochs()
        if self.options.steps is None and self.options.epochs is None:
            seconds, p.over = 60 * (self.options.minutes or 2.0), p.over or 0.0
            self.minutes = Minutes(self.task, seconds, self.elapsed)
            self.threads = Threads(self.machine, seconds, self.elapsed, p.threads)
        while p.total is None or p.step < p.total:
            loss, count, norm = self.step()
            p.step += 1
            p.loss, p.count, p.norm, p.steps = p.loss + loss, p.count + count, p.norm + norm, p.steps + 1
            p.clipped += norm > self.options.clip
            p.seconds = self.elapsed()
            self._passed(speed.step(count))
            self.reporter.step(p.step, p.total, loss / count, speed.symbols, speed.left(p))
            if self.due & SETTLE:
                self._settle(speed)
            if p.total is not None and (
                p.step == p.total or (self.due & REPORT and schedule.validates(p.share, p.reports))
            ):
                began = self.elapsed()
                self._report(speed)
                self.save()
                if self.minutes is not None:
                    self.minutes.told(began)
                speed.pause()
            elif self.due & SAVE:
                self.save()
            if self.stop:
                self._keep_something()
                self.save()
                break
        if self.minutes is not None:
            p.ending = self.minutes.ending()
        return p

    def elapsed(self) -> float:
        """Seconds since the person's minutes began, earlier sittings too."""
        return self.before + time.monotonic() - self.started

    def arrays(self, weights: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        """Weights on the device that trains, for figures, without gradients."""
        return {n: torch.from_numpy(w).to(self.machine.device) for n, w in weights.items()}

    def _passed(self, spent: float) -> None:
        """A step was made in so many seconds: what of it counts under --minutes."""
        p = self.progress
        if self.minutes is None or self.threads is None or p.over is None:
            return
        if p.total is not None:  # evenly over the steps that are left, so that no settling makes the rates jump
            p.over = min(1.0, p.over + (1 - p.over) / max(1, p.total - p.step + 1))
        self.minutes.step()
        self.threads.step(spent)
        p.threads = self.threads.now

    def _steps_of_epochs(self) -> int | None:
        if self.options.epochs is None:
            return None
        return max(1, round(self.options.epochs * self.batches.per_epoch))

    def _settle(self, speed: _Speed) -> None:
        """Under --minutes: how many steps there will be, settled after the first few and again as it goes. Between two
        settlings it is a number of steps, recorded with all that was decided, so that going on is exact.
        """
        p, most = self.progress, math.inf
        assert self.minutes is not None
        assert self.threads is not None
        first = p.total is None
        if self.task.passes < math.inf:
            most = max(p.step + 1, round(self.task.passes * self.batches.per_epoch))
        if self.machine.writes:
            total = self.minutes.total(p, self.threads.usual if first else None, most)
            unknown = self.minutes.each_final is None or (p.reports in (3, 7) and self.probed < p.reports)
            if total == p.step:  # the time is over
                p.glance = p.glance or min(minutes.LEAST, self.task.held)
            elif unknown:
                self.probed = p.reports
                weights = {n: w.detach() for n, w in self.parameters.items()}
                p.glance = self.minutes.probe(self.parameters, weights, speed.per_step * total, p.glance)
                total = self.minutes.total(p, None, most)
            p.total = total
        p.total, p.glance = self.machine.agreed((p.total, p.glance))
        if first:
            self.save()
        speed.pause()

    def resume(self) -> bool:
        """Take up what was saved. False where nothing was yet."""
        found = checkpoint.load(self.path, self.machine, self.parameters, self.optimiser, self.batches)
        if found is None:
            return False
        self.state, self.progress = found
        self.before = self.progress.seconds
        if self.machine.writes:
            checkpoint.cut_metrics(self.path / "metrics.jsonl", self.progress.reports)
        return True

    def save(self) -> None:
        """Where training stands, whole."""
        self.saved = time.monotonic()
        checkpoint.save(
            self.path, self.machine, self.parameters, self.optimiser, self.batches, self.state, self.progress
        )

    def _due(self) -> int:
        """What the first process finds that it is time for, and tells the others."""
        if not self.machine.writes:
            return 0
        due = SAVE * (time.monotonic() - self.saved > self.options.save_seconds)
        if self.minutes is None or self.threads is None:
            return due + REPORT
        return due + SETTLE * self.minutes.due(self.progress, self.threads.trying) + REPORT * self.minutes.worth()

    # What is reported.

    def _report(self, speed: _Speed) -> None:
        """Validate, keep the weights if they are the best so far, and write a line for the file and the person."""
        p = self.progress
        if self.machine.writes:
            assert p.total is not None
            most = p.glance or self.task.glance(speed.per_step * p.total)
            with torch.no_grad():
                figures = self.task.validate(self.parameters, most, brief=True)
            report = {
                "step": p.step,
                "epoch": round(self._epochs(), 4),
                "seconds": round(p.seconds, 2),
                "loss": p.loss / p.count,
                "valid": figures["loss"],
                "rate": schedule.factor(p.share),
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
            folder.append(self.path / "metrics.jsonl", json.dumps(report))
            self.reporter.say(_line(p, report, best, key, self.task.unit))
            weights = {n: w.detach().cpu().numpy() for n, w in self.parameters.items()}
            self.reporter.say(f"    {self.task.show(weights, np.random.default_rng(p.step))}")
            self._tensorboard(report)
        p.reports, p.loss, p.count, p.norm, p.steps, p.clipped = p.reports + 1, 0.0, 0, 0.0, 0, 0

    def _tensorboard(self, report: dict[str, Any]) -> None:
        """The report for TensorBoard, if it is asked for."""
        if self.options.tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            with SummaryWriter(str(self.path / "tensorboard")) as writer:
                for key in ("loss", "valid", "rate", "norm", "clipped", "symbols_per_second"):
                    writer.add_scalar(key, report[key], report["step"])

    def keep(self, figures: dict[str, Any]) -> None:
        """The weights as they are, as the run's own."""
        weights = {n: w.detach().cpu().numpy() for n, w in self.parameters.items()}
        folder.write_arrays(self.path / "weights.safetensors", weights)
        about = folder.read_json(self.path / "run.json")
        figures = {k: v for k, v in figures.items() if k != "loss"}
        about |= {"figures": figures, "steps": self.progress.step, "seconds": round(self.progress.seconds, 2)}
        folder.write_json(self.path / "run.json", about)

    def _keep_something(self) -> None:
        """A run that stops before its first validation has weights too."""
        if self.machine.writes and not (self.path / "weights.safetensors").exists():
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

    def step(self, count: int) -> float:
        """A step over so many: the seconds that it took."""
        now = time.monotonic()
        spent, self.last = now - self.last, now
        self.taken += 1
        self.per_step = count
        if self.taken > self.WARM:
            self.measured, self.measuring = self.measured + 1, self.measuring + spent
            rate = count / max(spent, 1e-9)
            self.symbols = rate if not self.symbols else 0.97 * self.symbols + 0.03 * rate
        return spent

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
