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

from helo import reports
from helo.data.ragged import few_shapes
from helo.errors import HeloError
from helo.metrics import LOSS
from helo.runs import folder, writer
from helo.runs.arrays import write_arrays
from helo.tasks.base import Task
from helo.training import checkpoint, minutes, schedule
from helo.training.checkpoint import Progress
from helo.training.machine import Machine
from helo.training.minutes import Minutes, Threads
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Reporter, by_layer, line
from helo.training.speed import Speed

SAVE, SETTLE, REPORT = 1, 2, 4
SHOWN = 500  # letters of a sample that a report keeps
READ_SECONDS = 0.2  # between two looks at how an accelerator is doing


class Training:
    """A task, its parameters, and where it stands."""

    def __init__(self, task: Task, path: Path, options: Options, machine: Machine, reporter: Reporter, started: float):
        """started: `time.monotonic()` when the person's minutes began."""
        self.task, self.path, self.options, self.machine, self.reporter = task, path, options, machine, reporter
        self.device, self.shown = machine.device, reports.of(task)
        torch.manual_seed(options.seed + 1_000_003 * machine.rank)
        fresh = task.model.init(np.random.default_rng(options.seed))
        for name, p in fresh.items():
            if p.dtype != np.float32:
                raise HeloError(f"{name} is {p.dtype}", expected="float32 from `init`", where=task.options.cell)
        self.parameters = {n: self.device.own(p).requires_grad_() for n, p in fresh.items()}
        self.optimiser = Optimiser(
            self.parameters, options, self.device.precision, task.recipe.lr_scale, task.model.cell.blocks
        )
        self.batches = task.batches(options.seed, machine.rank, machine.world)
        self.home = path  # where it is written; beside `path` until it is whole
        self.state: Any = None
        self.steps = self.device.steps(self._step)
        # Since the last report: loss, count, norm, steps that were clipped; and the last step's loss and count.
        self.sums = self.device.own(np.zeros(6))
        self.norms = self.device.own(
            np.zeros(len(self.parameters), np.float32)
        )  # of the last step's gradient, one a parameter
        self.reading: Any = None  # of these sums, on their way back
        self.read_at = 0.0
        self.last = (0.0, 0)  # the last step's loss and count, as far as they are known
        self.progress = Progress(
            total=options.steps, passes=task.recipe.max_epochs if task.recipe.max_epochs < math.inf else None
        )
        self.before = 0.0  # seconds of earlier sittings
        self.started = started
        self.stop = False  # set from outside: save, and end
        self.stops = False  # the same as all processes know it: one that ended alone would leave the others waiting
        self.due = 0  # what the first process finds that it is time for: SAVE, SETTLE, REPORT
        self.minutes: Minutes | None = None
        self.threads: Threads | None = None
        self.probed = 0  # by how many reports it was measured what the final figures cost
        self.saved = time.monotonic()

    @property
    def size(self) -> int:
        """How many numbers the model has."""
        return sum(p.numel() for p in self.parameters.values())

    def describe(self) -> str:
        """What is about to be trained, in a line."""
        return f"{self.shown.describe()}; {self.size:,} parameters; {self.device}"

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Another run's weights in place of fresh ones. Raises HeloError where they are of another model."""
        ours = {n: tuple(p.shape) for n, p in self.parameters.items()}
        for name in sorted({*ours, *weights}, key=lambda n: (n in ours and n in weights, n)):
            theirs = weights[name].shape if name in weights else None
            if theirs != ours.get(name):
                raise HeloError(
                    f"{name} is {theirs or 'missing'}", expected=f"{ours.get(name) or 'no such array'}, as the options say",
                    mend="use the options and files of the run in --start", where=str(self.options.start),
                )  # fmt: skip
            with torch.no_grad():
                self.parameters[name].copy_(self.device.own(weights[name]))

    # One step.

    def step(self) -> None:
        """Read a batch, go forward and back through it, update. What comes of it stays on the device: `_read`."""
        share = self.progress.share
        self.task.recipe.on_progress(share)
        fresh = self.batches.fresh
        with few_shapes(self.device.captures):
            batch = self.batches.next()
        factor = np.array(schedule.factor(share), np.float32)
        self.steps((batch or {}) | {"factor": factor}, fresh, self.task.recipe.static_graph and self.machine.world == 1)

    def _step(self, batch: dict[str, Any], fresh: bool) -> None:
        """All of a step that is computed, on tensors alone. fresh: no state is carried into it."""
        factor, batch = batch["factor"], {n: a for n, a in batch.items() if n != "factor"}
        with self.device.autocast():
            if batch:
                loss, count, state = self.task.loss(self.parameters, batch, None if fresh else self.state, noise)
            else:
                loss, count, state = self._nothing(), 0, None
        loss.backward()
        self._carry(state)

        if self.progress.step == 0 and (idle := sorted(n for n, p in self.parameters.items() if p.grad is None)):
            self.reporter.say(f"{', '.join(idle)}: gets no gradient and is left unchanged")
        loss = loss.detach()
        count = torch.full_like(loss, count) if isinstance(count, int) else count.to(loss.dtype)
        if self.machine.world > 1:
            loss, count = self._exchanged(loss, count)
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        for g in gradients:
            g.div_(count)  # from a sum to a mean, over all processes
        norm = self._clip(gradients)
        self.optimiser.step(factor)
        for p in self.parameters.values():
            p.grad = None
        now = torch.stack([x.double() for x in (loss, count, norm, norm > self.options.clip)])
        self.sums[:4] += now
        self.sums[4:] = now[:2]

    def _clip(self, gradients: list[Tensor]) -> Tensor:
        """Bring the gradient's norm down to `clip`, as `torch.nn.utils.clip_grad_norm_` does, and give what it was before. The
        norms of its parts, which that computes and drops, are kept for the report.
        """
        none = torch.zeros_like(self.norms[0])
        parts = [none if p.grad is None else torch.linalg.vector_norm(p.grad) for p in self.parameters.values()]
        self.norms.copy_(torch.stack(parts))
        norm = torch.linalg.vector_norm(self.norms)
        share = (self.options.clip / (norm + 1e-6)).clamp(max=1.0)
        for g in gradients:
            g.mul_(share)
        return norm

    def _exchanged(self, loss: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients, loss and count summed over all processes, and what the first one finds that it is time for."""
        for p in self.parameters.values():  # one that this process's rows did not touch may be touched in another
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        gradients = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        total, counted, stop, due = self.machine.add(gradients, loss.item(), count.item(), self.stop, self._due())
        self.stops, self.due = bool(stop), int(due)
        return torch.full_like(loss, total), torch.full_like(count, counted)

    def _nothing(self) -> Tensor:
        """The loss of a process that has no row of a batch: it gives no gradient, and takes part all the same."""
        return 0.0 * torch.stack([p.sum() for p in self.parameters.values()]).sum()

    def _carry(self, state: Any) -> None:
        """The chunk's border: the state goes on as numbers, where it was, and no gradient crosses."""
        if not state:
            return
        if self.state is None:
            self.state = tuple(tuple(s.detach().float().clone() for s in layer) for layer in state)
            return
        with torch.no_grad():
            for own, new in zip(self.state, state, strict=True):
                for mine, s in zip(own, new, strict=True):
                    mine.copy_(s)

    def _read(self, now: bool = True) -> None:
        """Take in the sums, or, unless it has to be now, those that were asked for a while ago and have come.

        Raises HeloError where they are no numbers any more: before anything is kept or saved of such weights.
        """
        p = self.progress
        if now or self.reading is None:
            soon = (
                self.device.accelerator and self.machine.world == 1 and time.monotonic() - self.read_at < READ_SECONDS
            )
            if not now and soon and self.last[1]:
                return
            self.reading, self.read_at = self.device.later(self.sums), time.monotonic()
        if not now and not self.reading.ready and self.last[1] and self.machine.world == 1:
            return
        p.loss, count, p.norm, clipped, loss, last = self.reading.numbers()
        self.reading = None
        p.count, p.clipped, self.last = round(count), round(clipped), (loss, round(last))
        if not math.isfinite(p.loss) or not math.isfinite(p.norm):
            raise self.machine.refused(
                HeloError(
                    f"the loss is {loss / max(1, last)} at step {p.step}",
                    mend=f"the last good weights are saved; lower --rate ({self.options.rate}) or --clip ({self.options.clip})",
                    where=str(self.path),
                )
            )

    # The whole.

    def run(self) -> Progress:
        """Train to the end, or until `stop` is set; then save, and say where it stands."""
        with self.device.busy():
            return self._run()

    def _run(self) -> Progress:
        p, speed = self.progress, Speed()
        p.total = p.total or self._steps_of_epochs()
        if self.options.steps is None and self.options.epochs is None:
            seconds, p.over = 60 * (self.options.minutes or 2.0), p.over or 0.0
            self.minutes = Minutes(self.task, seconds, self.elapsed)
            self.threads = Threads(self.machine, seconds, self.elapsed, p.threads)
        while p.total is None or p.step < p.total:
            self.step()
            p.step, p.steps = p.step + 1, p.steps + 1
            if self.machine.world == 1:
                self.due = self._due()
            self._read(now=False)
            p.seconds = self.elapsed()
            loss, count = self.last
            self._passed(speed.step(count))
            self.reporter.step(p.step, p.total, loss / max(1, count), speed.symbols, speed.left(p))
            if self.due & SETTLE and p.step != p.total:  # what is over is not settled again: it has its report
                self._settle(speed)
            if p.total is not None and (
                p.step == p.total or (self.due & REPORT and schedule.validates(p.share, p.reports - p.earlier))
            ):
                began = self.elapsed()
                self._report(speed)
                if self.minutes is not None and self.machine.writes and p.step == p.total:
                    with self.device.answers():
                        p.ending = self.minutes.ending(self.parameters)
                self.save()
                if self.minutes is not None:
                    self.minutes.report_made(began)
                speed.pause()
            elif self.due & SAVE:
                self.save()
            if self.stop if self.machine.world == 1 else self.stops:
                self._keep_something()
                self.save()
                break
        return p

    def elapsed(self) -> float:
        """Seconds since the person's minutes began, earlier sittings too."""
        return self.before + time.monotonic() - self.started

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

    def _settle(self, speed: Speed) -> None:
        """Under --minutes: how many steps there will be, settled after the first few and again as it goes. Between two
        settlings it is a number of steps, recorded with all that was decided, so that going on is exact.
        """
        p, most = self.progress, math.inf
        assert self.minutes is not None
        assert self.threads is not None
        first = p.total is None
        if p.passes is not None:
            most = max(p.step + 1, round(p.passes * self.batches.per_epoch))
        if self.machine.writes:
            total = self.minutes.total(p, self.threads.usual if first else None, most)
            unknown = self.minutes.each_final is None or (p.reports in (3, 7) and self.probed < p.reports)
            if total == p.step:  # the time is over
                p.glance = p.glance or min(minutes.LEAST, self.task.validation_size)
            elif unknown:
                self.probed = p.reports
                with self.device.answers():
                    p.glance = self.minutes.probe(self.parameters, speed.per_step * total, p.glance)
                total = self.minutes.total(p, None, most)
            p.total = total
        p.total, p.glance = self.machine.agreed((p.total, p.glance))
        if first:
            self.save()
        speed.pause()

    def resume(self) -> bool:
        """Take up what was saved. False where nothing was yet."""
        zero = getattr(self.task.model, "zero_state", None)  # of a task that carries one from step to step
        like = zero(self.parameters, 1) if zero else ()
        found = checkpoint.load(self.path, self.machine, self.parameters, self.optimiser, self.batches, like)
        if found is not None:
            self.state, self.progress = found
            p = self.progress
            self.sums.copy_(self.device.own(np.array([p.loss, p.count, p.norm, p.clipped, 0, 0], float)))
            self.before = p.seconds
        if self.machine.writes:
            checkpoint.cut_metrics(self.path / "metrics.jsonl", self.progress.reports)
        return found is not None

    def save(self) -> None:
        """Where training stands, whole."""
        self._read()
        self.saved = time.monotonic()
        checkpoint.save(
            self.home, self.machine, self.parameters, self.optimiser, self.batches, self.state, self.progress
        )

    def arrive(self) -> None:
        """What was written beside the run folder's files takes their place."""
        if self.home != self.path:
            if self.machine.writes:
                writer.take_place(self.path)
            self.home = self.path

    def _due(self) -> int:
        """What the first process finds that it is time for, and tells the others."""
        if not self.machine.writes:
            return 0
        due = SAVE * (time.monotonic() - self.saved > self.options.save_seconds)
        if self.minutes is None or self.threads is None:
            return due + REPORT
        return due + SETTLE * self.minutes.due(self.progress, self.threads.trying) + REPORT * self.minutes.worth()

    # What is reported.

    def _report(self, speed: Speed) -> None:
        """Validate, keep the weights if they are the best so far, and write a line for the file and the person."""
        p = self.progress
        self._read()
        if self.machine.writes:
            assert p.total is not None
            most = p.glance or self.task.recipe.validation_subset(self.task.validation_size, speed.per_step * p.total)
            with torch.no_grad(), self.device.autocast():
                figures = self.task.validate(self.parameters, most, loss_only=True)
            weights = self.device.back(self.parameters)
            norms = self.device.back({"norms": self.norms})["norms"]
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
                "norms": by_layer(zip(self.parameters, norms.tolist(), strict=True)),
            }
            key, cost = self.task.scoring.monitor, self.task.scoring.cost(figures)
            report |= {} if key == LOSS else {key: figures[key]}
            best = cost < p.best or (key != LOSS and cost == p.best)
            if best:
                p.best = cost
                self.keep(figures, weights)
            shown = self.shown.progress(weights, np.random.default_rng(p.step))
            folder.append(self.home / "metrics.jsonl", json.dumps(report | {"sample": shown[:SHOWN]}))
            self.reporter.say(line(p, report, best, key, self.shown))
            self.reporter.say(f"    {shown}")
            self._tensorboard(report)
        p.reports, p.loss, p.count, p.norm, p.steps, p.clipped = p.reports + 1, 0.0, 0, 0.0, 0, 0
        self.sums.zero_()

    def _tensorboard(self, report: dict[str, Any]) -> None:
        """The report for TensorBoard, if it is asked for."""
        if self.options.tensorboard:
            from torch.utils.tensorboard.writer import SummaryWriter

            with SummaryWriter(str(self.home / "tensorboard")) as writer:
                for key in ("loss", "valid", "rate", "norm", "clipped", "symbols_per_second"):
                    writer.add_scalar(key, report[key], report["step"])

    def keep(self, figures: dict[str, Any], weights: Mapping[str, np.ndarray]) -> None:
        """The weights as they are, as the run's own."""
        write_arrays(self.home / "weights.safetensors", weights)
        about = folder.read_json(self.home / "run.json")
        figures = {k: v for k, v in figures.items() if k != "loss"}
        about |= {"figures": figures, "steps": self.progress.step, "seconds": round(self.progress.seconds, 2)}
        folder.write_json(self.home / "run.json", about)
        self.arrive()

    def _keep_something(self) -> None:
        """A run that stops before its first validation has weights too."""
        if self.machine.writes and not (self.home / "weights.safetensors").exists():
            self._read()
            self.keep({}, self.device.back(self.parameters))

    def _epochs(self) -> float:
        return self.batches.epoch + self.batches.index / self.batches.per_epoch
