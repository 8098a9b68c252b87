"""One sitting of a training: the machine, who is told of it, the folder that is held, and what a signal stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helo import progress
from helo.runs import writer
from helo.tasks.base import Task
from helo.training import before
from helo.training.loggers import TensorBoard
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.options import Options
from helo.training.report import Reporter, Several
from helo.training.request import Request


@dataclass
class Session:
    """path: the run folder, into which nobody else writes. training: what a signal asks to save and end."""

    machine: Machine
    reporter: Reporter
    started: float
    path: Path = Path()
    training: Training | None = None

    def trains(self, task: Task, options: Options) -> Training:
        """A training of this sitting; the time that its task took for what is kept for ever after does not count."""
        started = self.started + task.recipe.cached_seconds
        if options.tensorboard and self.machine.writes:
            self.reporter = Several([self.reporter, TensorBoard()])
        self.training = Training(task, self.path, options, self.machine, self.reporter, started)
        return self.training


@contextmanager
def opened(request: Request, reporter: Reporter, started: float) -> Iterator[Session]:
    """A sitting in the folder of the request. started: `time.monotonic()` when the person's minutes began."""
    before.check(request.task_options, request.options)
    machine = Machine.here(request.options)
    reporter = reporter if machine.writes else Reporter()
    session = Session(machine, reporter, started)
    try:
        with (
            _signals(session),
            progress.listening(reporter.work, reporter.say),
            _held(request, machine) as session.path,
        ):
            yield session
    finally:
        session.reporter.close()
        machine.rest()


@contextmanager
def _held(request: Request, machine: Machine) -> Iterator[Path]:
    """The run folder, into which no other training writes meanwhile; all processes wait until the first one has it."""
    with ExitStack() as stack:
        path = request.out
        with machine.alike():
            while machine.writes:
                path = request.out or request.free_place()
                try:
                    stack.enter_context(writer.held(path, request.out is None))
                    break
                except FileExistsError:  # another training took the name at the same moment
                    pass
        yield machine.agreed(path)


@contextmanager
def _signals(session: Session) -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP ask the training to save and end; a second one, or where there is none yet, ends it at once."""
    received = False

    def receive(number: int, frame: Any) -> None:
        nonlocal received
        if received or session.training is None:
            raise KeyboardInterrupt
        received = session.training.stop = True

    with progress.handling(receive):
        yield
