"""A person's minutes as steps: settled from the first few, and settled again as it goes, since no machine is ever idle.

Everything counts, from the command to the page of the run: reading, validations, the final figures.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable

import torch

from helo.tasks.base import Parameters, Task
from helo.training import schedule
from helo.training.checkpoint import Progress
from helo.training.machine import Machine

FIRST, AGAIN = 0.03, 0.02  # of the time: until the steps are settled, and until they are settled again
WATCHING = 0.15  # of the time may go into validations while it trains
ENDING = 0.3  # of the time may go into the final figures, where those of all validation data would take longer
PAGE = 0.3  # seconds for the curve and the page at the end
LEAST = 8  # examples or symbols on which something is validated at least


class Minutes:
    """What the time given is spent on. The first process measures and decides, and tells the others."""

    def __init__(self, task: Task, seconds: float, elapsed: Callable[[], float]):
        """elapsed: seconds since the person's minutes began, earlier sittings too."""
        self.task, self.seconds, self.elapsed = task, seconds, elapsed
        self.each = 0.0  # seconds a step takes by now
        self.report = 0.0  # seconds a report takes
        self.final = 0.0  # seconds the final figures on all validation data would take
        self.steps, self.since, self.reported = 0, elapsed(), 0.0
        self.begun: float | None = None

    @property
    def deadline(self) -> float:
        """When the steps have to be over."""
        return self.seconds - min(self.final, ENDING * self.seconds) - PAGE - self.report

    def step(self) -> None:
        """A step was made."""
        now = self.elapsed()
        if self.begun is None:  # the first step warms up, and reading goes before it
            self.begun = self.since = now
        else:
            self.steps += 1

    def due(self, p: Progress, trying: bool) -> bool:
        """Whether it is time to settle the steps. trying: numbers of threads are being tried, and tell little."""
        now = self.elapsed()
        if now >= self.deadline:
            return True
        if p.total is None:
            return self.steps >= 3 and now - self.since >= FIRST * self.seconds and not trying
        return self.steps > 0 and now - self.since >= AGAIN * self.seconds

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
            self.each = (self.each + mean) / 2 if self.each else mean
        self.steps, self.since = 0, now
        if now >= self.deadline or not self.each:
            return p.step if now >= self.deadline else p.step + 1
        done = p.over or 0.0
        left = self.deadline - now
        reports = math.ceil(schedule.VALIDATIONS * (1 - done)) - 1  # beside the last
        left -= min(reports * self.report, WATCHING * left)
        ahead = [self.task.weight(done + (1 - done) * (i + 0.5) / 64) for i in range(64)]
        each = self.each * sum(ahead) / 64 / self.task.weight(done)
        return max(p.step + 1, min(p.step + round(left / each), most))  # pyright: ignore[reportReturnType]

    def told(self, began: float) -> None:
        """A report is made that was begun at `began`; it was no step."""
        now = self.elapsed()
        self.report = now - began if not self.report else max(now - began, (self.report + now - began) / 2)
        self.since += now - began
        self.reported = now

    def probe(self, parameters: Parameters, final: Parameters, seen: int, glance: int) -> int:
        """Measure what validations cost, on a few examples. seen: symbols or examples of the whole training. Returns
        on how many it is validated while it trains, which stays what it is once it is settled (`glance`).
        """
        began = self.elapsed()
        self.final = self.task.held * self._cost(lambda most: self.task.validate(final, most))
        if not glance:
            with torch.no_grad():
                one = self._cost(lambda most: self.task.validate(parameters, most, brief=True))
            room = WATCHING * self.seconds / schedule.VALIDATIONS / max(one, 1e-9)
            glance = max(min(LEAST, self.task.held), min(self.task.glance(seen), int(room)))
            self.report = self.report or one * glance
        self.since += self.elapsed() - began
        return glance

    def _cost(self, validate: Callable[[int], object]) -> float:
        """Seconds an example or symbol takes."""
        most = max(LEAST, self.task.held // 1000)
        while True:
            began = time.monotonic()
            validate(min(most, self.task.held))
            took = time.monotonic() - began
            if most >= self.task.held or took >= 0.002 * self.seconds:
                return took / min(most, self.task.held)
            most *= 4

    def ending(self) -> int | None:
        """On how many examples or symbols the final figures are to be, so that the time is kept; None for all."""
        room = max(self.seconds - PAGE - self.elapsed(), ENDING * self.seconds)
        return None if self.final <= room else max(LEAST, int(self.task.held * room / self.final))


class Threads:
    """With how many threads a step is computed: as few as are nearly as fast as the fastest, measured on the steps
    themselves. Two threads wait for each other many times a step, and a third process that takes a core away makes
    them a hundred times slower, where one thread goes on beside it.
    """

    NEARLY = 1.1
    SLOW, HOPELESS = 1.5, 4.0  # times as long as usual: tried again, and given up at once

    def __init__(self, machine: Machine, seconds: float, elapsed: Callable[[], float], now: int = 0):
        """now: the number that a run goes on with; 0 where it is still to be found."""
        self.elapsed, self.seconds = elapsed, seconds
        self.most = torch.get_num_threads()
        alone = machine.world == 1 and machine.device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ
        self.fixed = not alone or self.most == 1
        self.now = min(now or 1, self.most)
        self.usual: float | None = None  # seconds of a step with them
        self.tries: list[int] = []
        self.slow = self.steps = 0
        self.spent, self.again = 0.0, math.inf
        self.found: dict[int, list[float]] = defaultdict(list)
        if not self.fixed:
            torch.set_num_threads(self.now)
            if not now:
                self._try([n for n in (1, 2, 4, 8, 16, 32, 64) if n < self.most] + [self.most])
            else:
                self.again = elapsed() + 0.05 * seconds

    @property
    def trying(self) -> bool:
        return bool(self.tries)

    def _try(self, numbers: list[int]) -> None:
        """Each number of threads in its turn, twice: the machine may change while they are tried."""
        self.tries, self.found, self.began = numbers * 2, defaultdict(list), self.elapsed()
        self._turn()

    def _turn(self) -> None:
        self.warm, self.block = 1, 0.0
        torch.set_num_threads(self.tries[0] if self.tries else self.now)

    def step(self, spent: float) -> None:
        """A step took so many seconds."""
        if self.fixed:
            return
        if self.tries:
            self._tried(spent)
            return
        assert self.usual is None or self.usual > 0
        self.steps, self.spent = self.steps + 1, self.spent + spent
        mean = self.spent / self.steps
        if self.usual is None:
            self.usual = mean if self.steps >= 5 else None
            return
        self.slow = self.slow + 1 if spent > self.HOPELESS * self.usual else 0
        if (self.spent >= 0.02 * self.seconds and self.steps >= 5) or self.slow >= 2:
            self.steps, self.spent = 0, 0.0
            if self.now > 1 and (self.slow >= 2 or mean > self.SLOW * self.usual):
                self._try(sorted({1, self.now // 2, self.now} - {0}))
            elif self.now < self.most and self.elapsed() >= self.again:
                self._try([self.now, min(2 * self.now, self.most)])
            else:
                self.usual = mean
            self.slow = 0

    def _tried(self, spent: float) -> None:
        now = self.tries[0]
        best = min((sum(t) / len(t) for n, t in self.found.items() if n != now), default=math.inf)
        hopeless = spent > self.HOPELESS * best
        if hopeless or not self.warm:
            self.found[now].append(spent)
        self.block += spent if not self.warm else 0.0
        self.warm = 0
        if hopeless:
            self.tries = [n for n in self.tries if n < now]
        elif len(self.found[now]) >= 2 and (self.block >= 0.003 * self.seconds or len(self.found[now]) >= 64):
            self.tries = self.tries[1:]
        else:
            return
        if not self.tries:
            means = {n: sum(t) / len(t) for n, t in self.found.items() if t}
            self.now = min(n for n, mean in means.items() if mean <= self.NEARLY * min(means.values()))
            self.usual = means[self.now]
            lost = sum(sum(t) - len(t) * self.usual for t in self.found.values())
            self.again = self.elapsed() + max(0.05 * self.seconds, 30 * lost)
        self._turn()

    def leave(self) -> None:
        """As it was before."""
        if not self.fixed:
            torch.set_num_threads(self.most)
