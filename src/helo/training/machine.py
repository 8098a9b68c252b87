"""Where training runs: on which device, and as which of several processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from helo.engines.device import Device
from helo.training.options import Options


@dataclass
class Machine:
    """One process of a training. Under `torchrun` there are `world` of them, and this one is number `rank`."""

    device: Device
    rank: int
    world: int

    @classmethod
    def here(cls, options: Options) -> Machine:
        """The fastest device there is, or the one that is asked for; and this process's place under torchrun."""
        rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        device = Device.here(options.device, options.precision, int(os.environ.get("LOCAL_RANK", 0)))
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.accelerator else "gloo")
        return cls(device, rank, world)

    @property
    def writes(self) -> bool:
        """Whether this process writes the run folder: the first one does."""
        return self.rank == 0

    def add(self, gradients: Mapping[str, Tensor], *numbers: float) -> list[float]:
        """Sum gradients over all processes, in place, and numbers beside them, in one exchange."""
        if self.world == 1:
            return list(numbers)
        tail = torch.tensor(numbers, dtype=torch.float32, device=self.device.at)
        flat = torch.cat([*(g.flatten() for g in gradients.values()), tail])
        dist.all_reduce(flat)
        at = 0
        for g in gradients.values():
            g.copy_(flat[at : at + g.numel()].view_as(g))
            at += g.numel()
        return flat[at:].tolist()

    def agreed(self, value: Any) -> Any:
        """The first process's value, in all."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, device=self.device.at)
        return box[0]

    def gathered(self, value: Any) -> list[Any]:
        """Every process's value, in order of rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def leave(self) -> None:
        """End this process's part."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
