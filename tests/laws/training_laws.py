"""What holds for the training of every task, as functions of the parts that it is made of.

Each raises Broken where it does not hold. `LAWS` has them by their names.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from helo import cells, engines, reports
from helo.engines.device import Device
from helo.laws.base import Broken
from helo.tasks import find
from helo.tasks.base import Budget
from helo.training import schedule
from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser
from helo.training.options import Options
from helo.training.report import Reporter

TEXT = "What is carried from one chunk to the next is what came before; it is written twice, and it is read once. " * 20
STEPS, STEPS_IN_ALL, SECONDS = 5, 40, 120
NEAR = 1e-5  # of weights after a few steps whose sums were added up in another order


@dataclass(frozen=True)
class Parts:
    """What a training is made of; a mutant is put in the place of one."""

    training: type[Training] = Training
    machine: type[Machine] = Machine
    optimiser: type[Optimiser] = Optimiser


def steps_are_plain(parts: Parts) -> None:
    """The loop's steps give the weights of plain ones: the state goes on from chunk to chunk, the gradient is the mean
    over all symbols, cut to its largest norm, and the optimiser knows the cell's blocks.
    """
    with tempfile.TemporaryDirectory() as folder:
        training = _begun(parts, Path(folder), 0, 1)
        task, options, machine = training.task, training.options, training.machine
        parameters = {n: p.detach().clone().requires_grad_() for n, p in training.parameters.items()}
        for _ in range(STEPS):
            training.step()
            training.progress.step += 1
    optimiser = parts.optimiser(
        parameters, options, machine.device.precision, task.recipe.lr_scale, task.model.cell.blocks
    )
    batches, state = task.batches(options.seed), None
    for step in range(STEPS):
        loss, count, state = task.loss(parameters, machine.device.put(batches.next() or {}), state, None)
        (loss / count).backward()
        state = tuple(tuple(s.detach() for s in layer) for layer in state)
        torch.nn.utils.clip_grad_norm_(parameters.values(), options.clip)
        optimiser.step(schedule.factor(step / STEPS_IN_ALL))
        for p in parameters.values():
            p.grad = None
    _same("steps_are_plain", _arrays(training.parameters), _arrays(parameters))


def processes_are_one(parts: Parts) -> None:
    """Two processes, each with half of every batch, end with the weights of one that has the whole."""
    with tempfile.TemporaryDirectory() as folder:
        whole = _trained(parts, Path(folder), 0, 1)
        fork = multiprocessing.get_context("spawn")
        both = [fork.Process(target=_trained, args=(parts, Path(folder), rank, 2), daemon=True) for rank in range(2)]
        for process in both:
            process.start()
        for process in both:
            process.join(SECONDS)
            process.kill()
        for rank in range(2):
            file = Path(folder) / f"{rank}.npz"
            if not file.exists():
                raise Broken("processes_are_one", f"process {rank} of 2 has not come to its end")
            with np.load(file) as found:
                _same("processes_are_one", dict(found), whole, f", in process {rank} of 2")


def maps_learn_apart(parts: Parts) -> None:
    """A map learns as fast as those that it is stacked on, however small its gradient is beside theirs."""
    for name in cells.names():
        cell = cells.find(name)
        for part, maps in cell.blocks.items():
            rng = torch.Generator().manual_seed(0)
            squares = [torch.linalg.qr(torch.randn(6, 6, generator=rng))[0] * 10.0**-k for k in range(maps)]
            p = torch.zeros(6 * maps, 6, requires_grad=True)
            p.grad = torch.cat(squares)
            optimiser = parts.optimiser({f"recurrent.0.{part}": p}, Options(), torch.float32, None, cell.blocks)
            optimiser.step(1.0)
            sizes = [float(one.norm()) for one in p.detach().split(6)]
            if min(sizes) < 0.9 * max(sizes):
                raise Broken("maps_learn_apart", f"{name}'s {part}: its maps moved by {sizes}")


def weights_decay(parts: Parts) -> None:
    """Where nothing is to be learned, weights shrink by the rate times the decay, inside the recurrence and outside."""
    options = Options(rate=0.2, adam_rate=0.1, weight_decay=0.5)
    for name, rate in (("recurrent.0.weight_hh", options.rate), ("head.weight", options.adam_rate)):
        p = torch.ones(2, 2, requires_grad=True)
        p.grad = torch.zeros(2, 2)
        parts.optimiser({name: p}, options, torch.float32).step(0.5)
        want = 1 - 0.5 * rate * options.weight_decay
        if not torch.allclose(p.detach(), torch.tensor(want)):
            raise Broken("weights_decay", f"{name} is {p.detach()[0, 0]:.6f} of what it was, where {want} was due")


LAWS: dict[str, Callable[[Parts], None]] = {
    law.__name__: law for law in (steps_are_plain, processes_are_one, maps_learn_apart, weights_decay)
}


def _begun(parts: Parts, folder: Path, rank: int, world: int) -> Training:
    """A small language model before its first step. Without dropout: chance is another one in every process."""
    file = folder / f"text-{rank}-{world}.txt"
    file.write_text(TEXT)
    kind, options = (
        find(reports.after("sample")[0]),
        Options(steps=STEPS_IN_ALL, clip=0.3, precision="float32", device="cpu"),
    )
    sizes = kind.Options(hidden=8, embedding=8, streams=4, chunk=8, layers=2, dropout=0.0)
    task = kind.read([file], [], sizes, folder)
    task.infer_defaults(Budget(steps=STEPS_IN_ALL))
    machine = parts.machine(Device(torch.device("cpu"), torch.float32), rank, world)
    return parts.training(task, folder, options, machine, Reporter(), time.monotonic())


def _trained(parts: Parts, folder: Path, rank: int, world: int) -> dict[str, np.ndarray]:
    """The weights after a few steps; of one process of several also as a file."""
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    training = _begun(parts, folder, rank, world)
    for _ in range(STEPS):
        training.step()
        training.progress.step += 1
    found = _arrays(training.parameters)
    if world > 1:
        dist.barrier()
        np.savez(folder / f"{rank}.npz", **found)  # pyright: ignore[reportArgumentType]
        dist.destroy_process_group()
    return found


def _arrays(parameters: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {n: engines.host(p) for n, p in parameters.items()}


def _same(law: str, found: Mapping[str, Any], wanted: Mapping[str, Any], where: str = "") -> None:
    for name, p in wanted.items():
        far = float(np.abs(found[name] - p).max())
        if not far <= NEAR:
            raise Broken(law, f"{name} is off by {far:.2g} after {STEPS} steps{where}; {NEAR:g} is allowed")
