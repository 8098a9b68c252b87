"""Where training runs: device, precision, and this process's place among its peers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from helo.errors import HeloError
from helo.training.options import Options


@dataclass
class Machine:
    """One process of a training. Under `torchrun` there are `world` of them, and this one is number `rank`."""

    device: torch.device
    precision: torch.dtype
    rank: int
    world: int

    @classmethod
    def here(cls, options: Options) -> Machine:
        """The fastest device there is, or the one that is asked for; and this process's place under torchrun."""
        cuda = torch.cuda.is_available()
        if options.device == "cuda" and not cuda:
            raise HeloError("there is no CUDA device here", mend="leave --device out", where="--device cuda")
        world = _told("WORLD_SIZE", 1, 1, 1 << 20)
        rank = _told("RANK", 0, 0, world - 1)
        device = torch.device("cuda" if cuda and options.device != "cpu" else "cpu")
        if device.type == "cuda":
            device = torch.device("cuda", _told("LOCAL_RANK", 0, 0, torch.cuda.device_count() - 1))
            torch.cuda.set_device(device)
            torch.backends.cuda.matmul.allow_tf32 = True
        if world > 1 and not dist.is_initialized():
            try:
                dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
            except (RuntimeError, ValueError) as error:
                raise HeloError(
                    f"the {world} processes do not find each other: {error}", mend="torchrun starts them",
                    where="WORLD_SIZE",
                ) from error  # fmt: skip
        return cls(device, precision(options.precision, device), rank, world)

    @property
    def writes(self) -> bool:
        """Whether this process writes the run folder: the first one does."""
        return self.rank == 0

    def products(self) -> AbstractContextManager[Any]:
        """Products in the chosen precision; parameters, states and sums stay in float32."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def add(self, gradients: Mapping[str, Tensor], *numbers: float) -> list[float]:
        """Sum gradients over all processes, in place, and numbers beside them, in one exchange."""
        if self.world == 1:
            return list(numbers)
        tail = torch.tensor(numbers, dtype=torch.float32, device=self.device)
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
        dist.broadcast_object_list(box, device=self.device)
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


def _told(name: str, default: int, least: int, most: int) -> int:
    """A whole number that torchrun puts into the environment. Raises HeloError where something else stands there."""
    value = os.environ.get(name, default)
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise HeloError(
            f"{value!r}", expected=f"a whole number from {least} to {most}, as torchrun gives it",
            mend=f"unset {name}, for one process", where=name,
        )  # fmt: skip
    return number


def precision(asked: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it natively (AMX or AVX-512 BF16; Ampere or later) and the fused
    recurrent kernel really runs in it; float32 elsewhere, where it would only be emulated.
    """
    if asked == "float32":
        return torch.float32
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        native = bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    if native or asked == "bfloat16":
        if _kernel_runs(device):
            return torch.bfloat16
        if asked == "bfloat16":
            raise HeloError(
                "this processor's kernels have no bfloat16", mend="leave --precision out", where="--precision bfloat16"
            )
    return torch.float32


def _kernel_runs(device: torch.device) -> bool:
    x = torch.zeros(2, 3, 8, device=device)
    model = torch.nn.LSTM(8, 16, batch_first=True).to(device)
    try:
        with torch.autocast(device.type, torch.bfloat16):
            model(x)[0].sum().backward()
    except RuntimeError:
        return False
    return True


def products_per_second(machine: Machine) -> float:
    """Multiplications a second of this machine in a fused recurrent layer, forward and backward, measured."""
    hidden, inputs, rows, steps = 256, 64, 32, 32
    model = torch.nn.LSTM(inputs, hidden, batch_first=True).to(machine.device)
    x = torch.randn(rows, steps, inputs, device=machine.device)
    times = []
    random = torch.get_rng_state()
    for _ in range(6):
        start = time.perf_counter()
        with machine.products():
            loss = model(x)[0].float().square().mean()
        loss.backward()
        loss.item()
        times.append(time.perf_counter() - start)
    torch.set_rng_state(random)
    return 3 * 4 * hidden * (hidden + inputs) * rows * steps / min(times)
