"""Where training runs: on which device, and as which of several processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from helo.engines.device import Device
from helo.errors import HeloError, wrap
from helo.training.options import Options

MEETING = timedelta(minutes=10)  # in which all processes have to come
WAITING = timedelta(days=1)  # for the first process while it validates; one that is gone is known at once
PARTING = 1.0  # seconds in which the first process says what is wrong, before whoever started all ends all


@dataclass
class Machine:
    """One process of a training. Under `torchrun` there are `world` of them, and this one is number `rank`."""

    device: Device
    rank: int
    world: int
    threads: int = field(default_factory=torch.get_num_threads)  # that torch had before

    @classmethod
    def here(cls, options: Options) -> Machine:
        """The fastest device there is, or the one that is asked for; and this process's place under torchrun."""
        rank, world = _place()
        device = Device.here(options.device, options.precision, _number("LOCAL_RANK", 0))
        if world > 1 and not dist.is_initialized():
            _meet(device, rank, world)
        if world > 1 and not device.accelerator and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(max(1, torch.get_num_threads() // _number("LOCAL_WORLD_SIZE", world)))
        return cls(device, rank, world)

    @property
    def writes(self) -> bool:
        """Whether this process writes the run folder: the first one does."""
        return self.rank == 0

    def add(self, gradients: Mapping[str, Tensor], *numbers: float) -> list[float]:
        """Sum gradients over all processes, in place, and numbers beside them: those in double precision, in which a
        count loses no digits.
        """
        if self.world == 1:
            return list(numbers)
        sums = torch.tensor(numbers, dtype=torch.float64, device=self.device.at)
        flat = torch.cat([g.flatten() for g in gradients.values()])
        with _together():
            waiting = dist.all_reduce(sums, async_op=True)
            dist.all_reduce(flat)
            if waiting is not None:
                waiting.wait()
        at = 0
        for g in gradients.values():
            g.copy_(flat[at : at + g.numel()].view_as(g))
            at += g.numel()
        return sums.tolist()

    def agreed(self, value: Any) -> Any:
        """The first process's value, in all."""
        if self.world == 1:
            return value
        box = [value]
        with _together():
            dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def gathered(self, value: Any) -> list[Any]:
        """Every process's value, in order of rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        with _together():
            dist.all_gather_object(values, value)
        return values

    @contextmanager
    def alike(self) -> Iterator[None]:
        """What is done inside is done by all processes or by none: one's bad input ends them all, and one of them says
        what it was. Raises the HeloError in the first process, and SystemExit(2) in all others.
        """
        error = None
        try:
            yield
        except HeloError as found:
            error = found
        errors = self.gathered(None if error is None else str(error))
        first = next((rank for rank, said in enumerate(errors) if said is not None), None)
        if first is None:
            return
        if error is None or self.rank > 0:
            error = HeloError(f"process {first}: {errors[first]}")
        raise self.refused(error) from None

    def refused(self, error: HeloError) -> BaseException:
        """What each process raises where all come upon one and the same error: the first one says it."""
        return error if self.writes else self.silent(2)

    def silent(self, code: int) -> SystemExit:
        """The end of a process for which the first one speaks."""
        with suppress(KeyboardInterrupt):  # whoever started all ends this one too, which needs no word more
            time.sleep(PARTING)
        return SystemExit(code)

    def rest(self) -> None:
        """Leave, and let torch be as it was."""
        self.leave()
        torch.set_num_threads(self.threads)

    def leave(self) -> None:
        """End this process's part."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


def _together() -> AbstractContextManager[None]:
    """Raises HeloError where another process is gone."""
    mend = "its message says why; --resume continues from the last save"
    return wrap(RuntimeError, "another process of this training ended", mend=mend)


def _number(name: str, otherwise: int) -> int:
    """A whole number of the environment."""
    text = os.environ.get(name, str(otherwise))
    with wrap(ValueError, repr(text), expected="a whole number", where=name):
        return int(text)


def _place() -> tuple[int, int]:
    """This process's number and how many there are, as torchrun or a person says them in the environment."""
    rank, world = _number("RANK", 0), _number("WORLD_SIZE", 1)
    if world < 1:
        raise HeloError(f"{world}", expected="1 or more", where="WORLD_SIZE")
    needed = ("RANK", "WORLD_SIZE", *(("MASTER_ADDR", "MASTER_PORT") if world > 1 else ()))
    missing = [name for name in needed if not os.environ.get(name)]
    if len(missing) < 2 + 2 * (world > 1) and missing and ("RANK" in os.environ or world > 1):
        raise HeloError(
            f"{missing[0]} is not set", expected=f"{', '.join(needed)} together",
            mend="start the processes with torchrun, which sets them, or unset RANK and WORLD_SIZE",
            where="RANK" if "RANK" in os.environ else "WORLD_SIZE",
        )  # fmt: skip
    if not 0 <= rank < world:
        raise HeloError(f"{rank}", expected=f"0 to {world - 1}, as WORLD_SIZE is {world}", where="RANK")
    return rank, world


def _meet(device: Device, rank: int, world: int) -> None:
    """Find the other processes. Objects go over gloo, which waits without computing, gradients over NCCL on GPUs."""
    try:
        store, _, _ = next(rendezvous("env://", rank, world, timeout=MEETING))
        backend = "cpu:gloo,cuda:nccl" if device.captures else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=WAITING)
    except (RuntimeError, ValueError) as error:
        raise HeloError(
            f"the {world} processes could not connect ({str(error).splitlines()[0]})",
            expected="every RANK once, and MASTER_ADDR and MASTER_PORT of the first process, free and reachable",
            where=f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}",
        ) from error
