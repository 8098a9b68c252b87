"""All steps of a training: when it saves, when it validates, when it is over."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

from helo import reports
from helo.runs import writer
from helo.tasks.base import Task
from helo.training import checkpoint, minutes, schedule
from helo.training.machine import Machine
from helo.training.minutes import Minutes, Threads
from helo.training.options import Options
from helo.training.report import Reporter
from helo.training.schedule import Progress, Speed
from helo.training.step import Learner
from helo.training.validation import keep, validate

SAVE, SETTLE, REPORT = 1, 2, 4


class Training(Learner):
    """A learner, and where it stands."""

    def __init__(self, task: Task, path: Path, options: Options, machine: Machine, reporter: Reporter, started: float):
        """started: `time.monotonic()` when the person's minutes began."""
        super().__init__(task, path, options, machine, reporter)
        self.shown = reports.of(task)
        self.home = path  # where it is written; beside `path` until it is whole
        self.before = 0.0  # seconds of earlier sittings
        self.started = started
        self.minutes: Minutes | None = None
        self.threads: Threads | None = None
        self.probed = 0  # by how many reports it was measured what the final figures cost
        self.saved = time.monotonic()
        self.protocol = ""  # how the last validation was made, where that is said

    def describe(self) -> str:
        """What is about to be trained, in a line."""
        return f"{self.shown.describe()}; {self.size:,} parameters; {self.device}"

    @property
    def chooses(self) -> bool:
        """Whether there is enough to validate on that the best weights can be known, or a person says by which figure."""
        return self.task.validation_size >= self.task.recipe.enough or self.task.scoring.chosen is not None

    @property
    def ends_early(self) -> bool:
        """Whether it may end before its time: where that is an amount of time, unless a person says. It does not while what is
        minimised changes as it goes.
        """
        o = self.options
        timed = o.steps is None and o.epochs is None
        return self.task.recipe.steady and (timed and self.chooses if o.early_stop is None else o.early_stop)

    def run(self) -> Progress:
        """Train to the end, or until `stop` is set; then save, and say where it stands."""
        with self.device.busy():
            return self._run()

    def _run(self) -> Progress:
        p, speed = self.progress, Speed()
        if p.total is None and self.options.epochs is not None:
            p.total = max(1, round(self.options.epochs * self.batches.per_epoch))
        if self.options.steps is None and self.options.epochs is None:
            seconds, p.over = 60 * (self.options.minutes or 2.0), p.over or 0.0
            self.minutes = Minutes(self.task, seconds, self.elapsed)
            self.threads = Threads(self.machine, seconds, self.elapsed, p.threads)
        while p.total is None or p.step < p.total:
            self._next_step(speed)
            if self.due & SETTLE and p.step != p.total:  # what is over is not settled again: it has its report
                self._settle(speed)
            if p.total is not None and (
                p.step == p.total or (self.due & REPORT and schedule.validates(p.share, p.reports - p.earlier))
            ):
                self._validate(speed)
            elif self.due & SAVE:
                self.save()
            if self.stop if self.machine.world == 1 else self.stops:
                if self.machine.writes and not (self.home / "weights.safetensors").exists():
                    self.read()
                    keep(self, {}, self.device.back(self.weights))  # stopped before its first validation
                self.save()
                break
        return p

    def _next_step(self, speed: Speed) -> None:
        """A step, and what is known of it."""
        p = self.progress
        self.step()
        p.step, p.steps = p.step + 1, p.steps + 1
        if self.machine.world == 1:
            self.due = self.time_for()
        self.read(now=False)
        p.seconds = self.elapsed()
        loss, count = self.last
        self._count_time(speed.step(count))
        self.reporter.step(p.step, p.total, loss / max(1, count), speed.symbols, speed.left(p))

    def _validate(self, speed: Speed) -> None:
        began, p = self.elapsed(), self.progress
        validate(self, speed)
        if self.ends_early:
            p.early = self.machine.agreed(p.idle >= schedule.PATIENCE) and p.step != p.total
            if p.early:
                self.reporter.say(
                    f"ends early at step {p.step:,} of {p.total:,}: the last {schedule.PATIENCE} validations are no better; "
                    "--no-early-stop trains on"
                )
                p.total = p.step
        if self.minutes is not None and self.machine.writes and p.step == p.total:
            with self.device.answers():
                p.ending = self.minutes.ending(self.parameters)
        self.save()
        if self.minutes is not None:
            self.minutes.report_made(began)
        speed.pause()

    def elapsed(self) -> float:
        """Seconds since the person's minutes began, earlier sittings too."""
        return self.before + time.monotonic() - self.started

    def _count_time(self, spent: float) -> None:
        """A step was made in so many seconds: what of it counts under --minutes."""
        p = self.progress
        if self.minutes is None or self.threads is None or p.over is None:
            return
        if p.total is not None:  # evenly over the steps that are left, so that no settling makes the rates jump
            p.over = min(1.0, p.over + (1 - p.over) / max(1, p.total - p.step + 1))
        self.minutes.step()
        self.threads.step(spent)
        p.threads = self.threads.now

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
        found = checkpoint.load(self)
        if found:
            p = self.progress
            self.sums.copy_(self.device.own(np.array([p.loss, p.count, p.norm, p.clipped, 0, 0], float)))
            self.before = p.seconds
        if self.machine.writes:
            checkpoint.cut_metrics(self.path / "metrics.jsonl", self.progress.reports)
        return found

    def save(self) -> None:
        """Where training stands, whole."""
        self.read()
        self.saved = time.monotonic()
        checkpoint.save(self, self.home)

    def move_into_place(self) -> None:
        """What was written beside the run folder's files takes their place."""
        if self.home != self.path:
            if self.machine.writes:
                writer.take_place(self.path)
            self.home = self.path

    def time_for(self):
        if not self.machine.writes:
            return 0
        due = SAVE * (time.monotonic() - self.saved > self.options.save_seconds)
        if self.minutes is None or self.threads is None:
            return due + REPORT
        return due + SETTLE * self.minutes.due(self.progress, self.threads.trying) + REPORT * self.minutes.worth()
