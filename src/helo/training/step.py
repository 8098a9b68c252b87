"""One step: a batch in, weights changed. It never asks which task it trains."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import dropout as noise

from helo.data.ragged import few_shapes
from helo.errors import HeloError
from helo.tasks.base import Task
from helo.training import schedule
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Reporter
from helo.training.schedule import Progress

AVERAGED = 0.02  # of averaged weights is the newest step's
READ_SECONDS = 0.2  # between two looks at how an accelerator is doing


class Learner:
    """A task, its parameters, and what a step changes."""

    def __init__(self, task: Task, path: Path, options: Options, machine: Machine, reporter: Reporter):
        self.task, self.path, self.options, self.machine, self.reporter = task, path, options, machine, reporter
        self.device = machine.device
        torch.manual_seed(options.seed + 1_000_003 * machine.rank)
        fresh = task.model.init(np.random.default_rng(options.seed))
        for name, p in fresh.items():
            if p.dtype != np.float32:
                raise HeloError(f"{name} is {p.dtype}", expected="float32 from `init`", where=task.options.cell)
        fixed = tuple(f"{name}." for name, scale in task.recipe.lr_scale.items() if scale == 0)
        self.parameters = {n: self.device.own(p).requires_grad_(not n.startswith(fixed)) for n, p in fresh.items()}
        self.optimiser = Optimiser(
            self.parameters, options, self.device.precision, task.recipe.lr_scale, task.model.cell.blocks
        )
        own = {n: p.detach().clone() for n, p in self.parameters.items()} if task.recipe.averaged else {}
        self.averaged = own  # of the last steps, where a task is answered with them
        self.batches = task.batches(options.seed, machine.rank, machine.world)
        self.state: Any = None
        self.progress = Progress(
            total=options.steps, passes=task.recipe.max_epochs if task.recipe.max_epochs < math.inf else None
        )
        self.stop = False  # set from outside: save, and end
        self.stops = False  # the same as all processes know it: one that ended alone would leave the others waiting
        self.due = 0  # what the first process finds that it is time for
        self.steps = self.device.steps(self._step)
        # Since the last report: loss, count, norm, steps that were clipped; and the last step's loss and count.
        self.sums = self.device.own(np.zeros(6))
        self.norms = self.device.own(
            np.zeros(len(self.parameters), np.float32)
        )  # of the last gradient, one a parameter
        self.reading: Any = None  # of these sums, on their way back
        self.read_at = 0.0
        self.last = (0.0, 0)  # the last step's loss and count, as far as they are known

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """What is validated and kept."""
        return self.averaged or self.parameters

    @property
    def size(self) -> int:
        """How many numbers the model has."""
        return sum(p.numel() for p in self.parameters.values())

    def time_for(self) -> int:
        """What the first process finds that it is time for, and tells the others."""
        return 0

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        """Another run's weights in place of fresh ones. Raises HeloError where they are of another model."""
        ours = {n: tuple(p.shape) for n, p in self.parameters.items()}
        for name in sorted({*ours, *weights}, key=lambda n: (n in ours and n in weights, n)):
            theirs = weights[name].shape if name in weights else None
            if theirs != ours.get(name):
                raise HeloError(
                    f"{name} is {theirs or 'missing'}", expected=f"{ours.get(name) or 'no such array'}, as the options say",
                    mend="use the options and files of the run in --start", where=self.options.start,
                )  # fmt: skip
            with torch.no_grad():
                self.parameters[name].copy_(self.device.own(weights[name]))

    def step(self) -> None:
        """Read a batch, go forward and back through it, update. What comes of it stays on the device: `read`."""
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
                loss, count, state = self._empty_loss(), 0, None
        loss.backward()
        self._carry_state(state)

        if self.progress.step == 0:
            idle = sorted(n for n, p in self.parameters.items() if p.requires_grad and p.grad is None)
            if idle:
                self.reporter.say(f"{', '.join(idle)}: gets no gradient and is left unchanged")
        loss = loss.detach()
        count = torch.full_like(loss, count) if isinstance(count, int) else count.to(loss.dtype)
        if self.machine.world > 1:
            loss, count = self._all_reduced(loss, count)
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        for g in gradients:
            g.div_(count)  # from a sum to a mean, over all processes
        norm = self._clip(gradients)
        self.optimiser.step(factor)
        for p in self.parameters.values():
            p.grad = None
        # At first of few steps, so that a short training is not held back by its beginning.
        share = (10 / (9 + self.optimiser.count)).clamp(min=AVERAGED)
        for name, p in self.averaged.items():
            p.lerp_(self.parameters[name].detach(), share)
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

    def _all_reduced(self, loss: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients, loss and count summed over all processes, and what the first one finds that it is time for."""
        for p in self.parameters.values():  # one that this process's rows did not touch may be touched in another
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        gradients = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        total, counted, stop, due = self.machine.add(gradients, loss.item(), count.item(), self.stop, self.time_for())
        self.stops, self.due = bool(stop), int(due)
        return torch.full_like(loss, total), torch.full_like(count, counted)

    def _empty_loss(self) -> Tensor:
        """The loss of a process that has no row of a batch: it gives no gradient, and takes part all the same."""
        return 0.0 * torch.stack([p.sum() for p in self.parameters.values()]).sum()

    def _carry_state(self, state: Any) -> None:
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

    def read(self, now: bool = True) -> None:
        """Take in the sums, or, unless it has to be now, those that were asked for a while ago and have come.

        Raises HeloError where they are no numbers any more: before anything is kept or saved of such weights.
        """
        p, alone = self.progress, self.machine.world == 1
        if now or self.reading is None:
            lately = self.device.accelerator and alone and time.monotonic() - self.read_at < READ_SECONDS
            if not now and lately and self.last[1]:
                return
            self.reading, self.read_at = self.device.later(self.sums), time.monotonic()
        if not now and not self.reading.ready and self.last[1] and alone:
            return
        p.loss, count, p.norm, clipped, loss, last = self.reading.numbers()
        self.reading = None
        p.count, p.clipped, self.last = round(count), round(clipped), (loss, round(last))
        if not math.isfinite(p.loss) or not math.isfinite(p.norm):
            error = HeloError(
                f"the loss is {loss / max(1, last)} at step {p.step}",
                mend=f"the last good weights are saved; lower --rate ({self.options.rate}) or --clip ({self.options.clip})",
                where=self.path,
            )
            raise self.machine.refused(error)
