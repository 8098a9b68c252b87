"""A person's minutes as steps: settled from the first few, and settled again as it goes, since no machine is ever idle.

Everything counts, from the command to the page of the run: reading, validations, the final figures.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from helo import drawing, reports
from helo.engines.device import Idle
from helo.tasks.base import Parameters, Task
from helo.training import schedule
from helo.training.machine import Machine
from helo.training.schedule import Progress

ESTIMATE, REESTIMATE = 0.03, 0.02  # of the time: until the steps are settled, and until they are settled again
STANDS = 4.0  # times as long a step as usual: the machine stood still, unless it happens twice
WATCHING = 0.15  # of the time may go into validations while it trains
ENDING = (
    0.3  # of the time after reading may go into the final figures, where those of all validation data would take longer
)
LEAST = 8  # examples or symbols on which something is validated at least


class Minutes:
    """What the time given is spent on. The first process measures and decides, and tells the others."""

    def __init__(self, task: Task, seconds: float, elapsed: Callable[[], float]):
        """elapsed: seconds since the person's minutes began, earlier sittings too."""
        self.task, self.seconds, self.elapsed = task, seconds, elapsed
        self.each = 0.0  # seconds a step takes by now
        self.report = 0.0  # seconds a report takes
        self.each_final: float | None = None  # seconds an example or symbol takes in the final figures, once measured
        self.page = 0.5  # seconds of the pictures and the page at the end
        self.steps, self.since, self.reported = 0, elapsed(), 0.0
        self.stepped, self.longest = self.since, 0.0  # when the last step ended, and seconds of the longest
        self.stood = False  # whether the steps before the last settling were left out
        self.begun: float | None = None

    @property
    def deadline(self) -> float:
        """When the steps have to be over."""
        return self.seconds - min(self._final(self.task.validation_size), self._ending()) - self.page - self.report

    def _ending(self) -> float:
        """Seconds that the final figures may take."""
        return ENDING * max(0.0, self.seconds - (self.begun or 0.0))

    def _final(self, most: int) -> float:
        """Seconds of the final figures on so many examples or symbols, and of the page."""
        return (self.each_final or 0.0) * (most + reports.of(self.task).answered(most))

    def step(self) -> None:
        """A step was made."""
        now = self.elapsed()
        if self.begun is None:  # the first step warms up, and reading goes before it
            self.begun = self.since = now
        else:
            self.steps, self.longest = self.steps + 1, max(self.longest, now - self.stepped)
        self.stepped = now

    def due(self, p: Progress, trying: bool) -> bool:
        """Whether it is time to settle the steps. trying: numbers of threads are being tried, and tell little."""
        now = self.elapsed()
        if now >= self.deadline:
            return True
        if p.total is None:
            return self.steps >= 3 and now - self.since >= ESTIMATE * self.seconds and not trying
        return self.steps > 0 and now - self.since >= REESTIMATE * self.seconds

    def worth(self) -> bool:
        """Whether another report costs little of the time since the one before."""
        return self.elapsed() - self.reported >= self.report * (1 / WATCHING - 1)

    def total(self, p: Progress, usual: float | None, most: float) -> int:
        """How many steps there will be, `most` at most, by what they take now. usual: seconds of one, where known."""
        now = self.elapsed()
        if usual is not None and not self.each:
            self.each = usual
        elif self.steps:
            mean = (now - self.since) / self.steps
            if not self.each and self.steps >= 3:
                others = (now - self.since - self.longest) / (self.steps - 1)
                mean = others if self.longest > STANDS * others else mean
            # A machine that stood still for once tells nothing of what is to come; one that has become slow is so again.
            self.stood = self.each > 0 and mean > STANDS * self.each and not self.stood
            if not self.stood:
                self.each = (self.each + mean) / 2 if self.each else mean
        self.steps, self.since, self.longest = 0, now, 0.0
        if now >= self.deadline or not self.each:
            return p.step if now >= self.deadline else p.step + 1
        done = p.over or 0.0
        left = self.deadline - now
        reports = math.ceil(schedule.VALIDATIONS * (1 - done)) - 1  # beside the last
        left -= min(reports * self.report, WATCHING * left)
        ahead = [self.task.recipe.step_cost(done + (1 - done) * (i + 0.5) / 64) for i in range(64)]
        each = self.each * sum(ahead) / 64 / self.task.recipe.step_cost(done)
        return max(p.step + 1, min(p.step + round(left / each), most))  # pyright: ignore[reportReturnType]

    def report_made(self, began: float) -> None:
        """A report is made that was begun at `began`; it was no step."""
        now = self.elapsed()
        self.report = now - began if not self.report else max(now - began, (self.report + now - began) / 2)
        self.since += now - began
        self.reported = now

    def probe(self, parameters: Parameters, seen: int, glance: int) -> int:
        """Measure what validations cost, on a few examples. seen: symbols or examples of the whole training. Returns
        on how many it is validated while it trains, which stays what it is once it is settled (`glance`).
        """
        began = self.elapsed()
        if not glance:
            with TemporaryDirectory() as folder:
                drawing.loss(Path(folder) / "loss.png", [], "", "")  # loads what draws, which takes as long as the rest
            self.page = self.elapsed() - began
        self.each_final = self._cost(lambda most: self.task.validate(parameters, most))
        if not glance:
            one = self._cost(lambda most: self.task.validate(parameters, most, loss_only=True))
            room = WATCHING * self.seconds / schedule.VALIDATIONS / max(one, 1e-9)
            glance = max(
                min(LEAST, self.task.validation_size),
                min(self.task.recipe.validation_subset(self.task.validation_size, seen), int(room)),
            )
            self.report = self.report or one * glance
        self.since += self.elapsed() - began
        return glance

    def _cost(self, validate: Callable[[int], object]) -> float:
        """Seconds an example or symbol takes, beside what a validation of whatever size takes."""
        most, before, held = max(LEAST, self.task.validation_size // 1000), (0, 0.0), self.task.validation_size
        validate(min(most, held))  # the first warms up
        while True:
            most, began = min(most, held), time.monotonic()
            validate(most)
            took = time.monotonic() - began
            if most == held or took >= 0.005 * self.seconds:
                return max(0.3 * took / most, (took - before[1]) / (most - before[0]))
            most, before = 4 * most, (most, took)

    def ending(self, parameters: Parameters) -> int | None:
        """On how many examples or symbols the final figures are to be, so that the time is kept; None for all."""
        if self.each_final is None:  # a run that went on shortly before its end, or had no time
            if self.elapsed() >= self.seconds:
                return min(LEAST, self.task.validation_size)
            self.each_final = self._cost(lambda most: self.task.validate(parameters, most))
        room = max(self.seconds - self.page - self.elapsed(), self._ending())
        most = self.task.validation_size
        while most > LEAST and self._final(most) > room:
            most = max(LEAST, int(0.9 * most))
        return None if most >= self.task.validation_size else most


class Threads:
    """With how many threads a step is computed: as few as are nearly as fast as the fastest, measured on the steps
    themselves. Two threads wait for each other many times a step, and a third process that takes a core away makes
    them a hundred times slower, where one thread goes on beside it. So it begins with one, tries more where cores are
    idle, and goes back where steps become slow.
    """

    NEARLY = 1.1  # times the fastest: as good
    SLOW, HOPELESS = 1.5, 4.0  # times as long as usual: tried again, and given up at once

    def __init__(self, machine: Machine, seconds: float, elapsed: Callable[[], float], now: int = 0):
        """now: the number that a run goes on with; 0 where it is still to be found."""
        self.elapsed, self.seconds = elapsed, seconds
        self.most = torch.get_num_threads()
        alone = machine.world == 1 and not machine.device.accelerator and "OMP_NUM_THREADS" not in os.environ
        self.fixed = not alone or self.most == 1
        self.now = min(now or 1, self.most)
        self.usual: float | None = None  # seconds of a step with them
        self.tries: list[int] = []
        self.found: dict[int, list[float]] = defaultdict(list)
        self.idle = Idle()
        self.warm, self.block = 1, 0.0
        self.slow = self.steps = 0
        self.spent, self.retry_at = 0.0, elapsed()
        if not self.fixed:
            torch.set_num_threads(self.now)

    @property
    def trying(self) -> bool:
        """Whether steps now tell little of those to come."""
        return not self.fixed and (bool(self.tries) or self.usual is None)

    def step(self, spent: float) -> None:
        """A step took so many seconds."""
        if self.fixed:
            return
        if self.tries:
            self._tried(spent)
            return
        if self.warm:
            self.warm = 0
            return
        self.steps, self.spent = self.steps + 1, self.spent + spent
        mean = self.spent / self.steps
        if self.usual is None:
            if self.steps >= 2 and self.spent >= 0.01 * self.seconds:
                self.usual = mean
                self._raised()
            return
        self.slow = self.slow + 1 if spent > self.HOPELESS * self.usual else 0
        if self.slow >= 2 or (self.spent >= 0.02 * self.seconds and self.steps >= 3):
            if self.now > 1 and (self.slow >= 2 or mean > self.SLOW * self.usual):
                self._try(sorted({1, self.now // 2, self.now}))
            else:
                self.usual = mean
                self._raised()
            self.steps, self.spent, self.slow = 0, 0.0, 0

    def _raised(self) -> None:
        """Try more, where that was not lately in vain."""
        if self.now < self.most and self.elapsed() >= self.retry_at:
            self._try([self.now, min(2 * self.now, self.most)])

    def _try(self, numbers: list[int]) -> None:
        """Each number of threads in its turn, twice: the machine may change while they are tried."""
        self.tries, self.found = numbers * 2, defaultdict(list)
        self._turn()

    def _turn(self) -> None:
        self.warm, self.block = 1, 0.0
        self.idle.mark()
        torch.set_num_threads(self.tries[0] if self.tries else self.now)

    def _tried(self, spent: float) -> None:
        now = self.tries[0]
        best = min((sum(t) / len(t) for n, t in self.found.items() if n != now), default=math.inf)
        hopeless = spent > self.HOPELESS * best
        if hopeless or not self.warm:
            self.found[now].append(spent)
        self.block += 0.0 if self.warm else spent
        self.warm = 0
        if hopeless:
            self.tries = [n for n in self.tries if n < now]
        elif len(self.found[now]) >= 2 and self.block >= max(0.1, 0.003 * self.seconds):
            room = now + self.idle.cores() + 0.3  # a little of a core is always busy with something
            self.tries = [n for n in self.tries[1:] if n <= max(now, room)]
        else:
            return
        if not any(n != now for n in self.tries):
            self.tries = []
            means = {n: sum(t) / len(t) for n, t in self.found.items()}
            before = self.now
            self.now = min(n for n, mean in means.items() if mean <= self.NEARLY * min(means.values()))
            self.usual = means[self.now]
            lost = sum(sum(t) - len(t) * self.usual for t in self.found.values())
            self.retry_at = self.elapsed() + (0 if self.now > before else max(0.03 * self.seconds, 30 * lost))
        self._turn()
