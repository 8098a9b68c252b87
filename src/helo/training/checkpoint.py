"""Where a training stands, saved whole in one file, so that going on is the same as never having stopped."""

from __future__ import annotations

import os
import typing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helo import saved
from helo.errors import place, wrap
from helo.runs import folder
from helo.runs.arrays import compare, read_arrays, write_arrays
from helo.training.machine import Machine
from helo.training.schedule import Progress
from helo.training.step import Learner

FILE = folder.STATE


def save(learner: Learner, path: Path) -> None:
    """Write everything that the rest of the training depends on. All processes call it; the first one writes."""
    machine, batches = learner.machine, learner.batches
    peers = machine.gathered((_host(learner.state, machine), machine.device.random()))
    if not machine.writes:
        return
    arrays = machine.device.back(_own(learner))
    for rank, (state, random) in enumerate(peers):
        arrays[f"random.{rank}"] = random
        arrays |= {f"state.{rank}.{i}.{j}": s for i, layer in enumerate(state) for j, s in enumerate(layer)}
    about = asdict(learner.progress) | {"epoch": batches.epoch, "index": batches.index, "world": machine.world}
    write_arrays(path / FILE, arrays, about)


def load(learner: Learner) -> bool:
    """Take up what was saved, the carried state and the counters too. False where nothing was saved yet.

    With another number of processes than before, the streams' states are dealt out anew; only dropout's noise differs.
    Raises HeloError for a file that is damaged, or of another run.
    """
    machine, parameters, optimiser, batches = learner.machine, learner.parameters, learner.optimiser, learner.batches
    zero = getattr(learner.task.model, "zero_state", None)  # of a task that carries a state from step to step
    like = zero(parameters, 1) if zero else ()
    file = folder.inside(learner.path, FILE)
    if not os.path.lexists(file):
        return False
    arrays, about = read_arrays(file)
    with place(file):
        with wrap(ValueError, "damaged:", mend=folder.COPY):
            about = {
                "lowest": float("inf"),
                "idle": 0,
                "early": False,
                "looked": 0,
                **about,
            }  # of before there were these
            epoch, index, world, *counters = saved.fields(about, epoch=int, index=int, world=int, **_counters())
            progress = Progress(**dict(zip(_counters(), counters, strict=True)))
            for name in ("best", "lowest"):  # inf: none was kept yet
                if not (isinstance(value := getattr(progress, name), float) and value == value):
                    raise ValueError(f"{name} is {value}")
            if (
                min(epoch, index, progress.step, progress.reports, progress.idle) < 0
                or not 0 < world <= len(arrays)
                or index > 2 * batches.per_epoch  # that of the first pass; others have about as many
            ):
                raise ValueError(
                    f"step {progress.step}, epoch {epoch}, batch {index} of {batches.per_epoch}, {world} processes"
                )
        if not any(n.startswith("averaged.") for n in arrays):
            learner.averaged = {}  # it was begun before its task averaged weights, and goes on as it was
        own = _own(learner)
        shapes = {n: (tuple(p.shape) or (1,), torch.empty(0, dtype=p.dtype).numpy().dtype) for n, p in own.items()}
        streams = getattr(batches, "streams", 0)
        for rank in range(world):
            random = arrays.get(f"random.{rank}")
            shapes[f"random.{rank}"] = ((0,) if random is None else random.shape, np.dtype(np.uint8))
            if any(n.startswith("state.") for n in arrays):
                mine = len(range(rank, streams, world))
                for i, layer in enumerate(like):
                    for j, s in enumerate(layer):
                        shapes[f"state.{rank}.{i}.{j}"] = ((mine, *s.shape[1:]), np.dtype(np.float32))
        compare(arrays, shapes)
    tensors = {n: torch.from_numpy(a) for n, a in arrays.items()}
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(tensors[f"weights.{name}"])
        for name, p in learner.averaged.items():
            p.copy_(tensors[f"averaged.{name}"])
    optimiser.load(tensors)
    batches.epoch, batches.index = epoch, index
    if world == machine.world:
        with place(file), wrap((KeyError, RuntimeError), "damaged: the random state:", mend=folder.COPY):
            machine.device.set_random(arrays[f"random.{machine.rank}"], progress.step)
    rows: dict[tuple[int, int], list[np.ndarray]] = {}
    for rank in range(world):
        for name in sorted(n for n in arrays if n.startswith(f"state.{rank}.")):
            i, j = map(int, name.split(".")[2:])
            rows.setdefault((i, j), []).append(arrays[name])
    layers = [
        [machine.device.own(_dealt(s, machine)) for (k, _), s in sorted(rows.items()) if k == i]
        for i in sorted({i for i, _ in rows})
    ]
    learner.state, learner.progress = tuple(map(tuple, layers)) or None, progress
    return True


def _own(learner: Learner) -> dict[str, torch.Tensor]:
    """What a learner's next step depends on."""
    kinds = {"weights": learner.parameters, "averaged": learner.averaged}
    own = {f"{kind}.{n}": p for kind, tensors in kinds.items() for n, p in tensors.items()}
    return own | learner.optimiser.tensors()


def _counters() -> dict[str, Any]:
    return typing.get_type_hints(Progress) | {"best": Any, "lowest": Any}


def _dealt(parts: list[np.ndarray], machine: Machine) -> np.ndarray:
    """This process's rows of a state that lies in parts, one a process: row r of all belongs to process r mod world."""
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    for rank, p in enumerate(parts):
        whole[rank :: len(parts)] = p
    return np.ascontiguousarray(whole[machine.rank :: machine.world])


def _host(state: Any, machine: Machine) -> list[list[np.ndarray]]:
    names = {(i, j): s.float() for i, layer in enumerate(state or ()) for j, s in enumerate(layer)}
    arrays = machine.device.back({f"{i} {j}": s for (i, j), s in names.items()})
    return [[arrays[f"{i} {j}"] for j in range(len(layer))] for i, layer in enumerate(state or ())]


def cut_metrics(path: Path, reports: int) -> None:
    """Keep the first `reports` lines of metrics.jsonl: what came after the save is made again. From then on it is a file
    of this folder: where it was a link, nothing is written where that leads.
    """
    if os.path.lexists(path):
        lines = folder.content(path).splitlines()[:reports] if path.exists() else []
        with folder.replacing(path) as beside:
            beside.write_bytes(b"".join(line + b"\n" for line in lines))
