"""Where a training stands, saved whole in one file, so that going on is the same as never having stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helo.runs import folder
from helo.tasks.base import Batches
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser

FILE = "last/state.safetensors"


@dataclass
class Progress:
    """The counters. total: steps in all, None until it is settled. loss, count, clipped: since the last report."""

    step: int = 0
    total: int | None = None
    seconds: float = 0.0
    best: float = float("inf")
    loss: float = 0.0
    count: int = 0
    steps: int = 0
    clipped: int = 0
    norm: float = 0.0
    reports: int = 0


def save(
    path: Path,
    machine: Machine,
    parameters: dict[str, Tensor],
    optimiser: Optimiser,
    batches: Batches,
    state: Any,
    progress: Progress,
) -> None:
    """Write everything that the rest of the training depends on. All processes call it; the first one writes."""
    peers = machine.gathered((_host(state), _random(machine)))
    if not machine.writes:
        return
    arrays = {f"weights.{n}": p for n, p in parameters.items()} | optimiser.tensors()
    arrays = {n: _numpy(p) for n, p in arrays.items()}
    for rank, (own, random) in enumerate(peers):
        arrays[f"random.{rank}"] = random
        arrays |= {f"state.{rank}.{i}.{j}": s for i, layer in enumerate(own) for j, s in enumerate(layer)}
    about = asdict(progress) | {"epoch": batches.epoch, "index": batches.index, "world": machine.world}
    folder.write_arrays(path / FILE, arrays, about)


def load(
    path: Path, machine: Machine, parameters: dict[str, Tensor], optimiser: Optimiser, batches: Batches
) -> tuple[Any, Progress] | None:
    """Take up what was saved: the carried state and the counters; None where nothing was saved yet.

    With another number of processes than before, the streams' states are dealt out anew; only dropout's noise differs.
    """
    if not (path / FILE).exists():
        return None
    arrays, about = folder.read_arrays(path / FILE)
    tensors = {n: torch.from_numpy(a) for n, a in arrays.items()}
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(tensors[f"weights.{name}"])
    optimiser.load(tensors)
    batches.epoch, batches.index = about.pop("epoch"), about.pop("index")
    world = about.pop("world")
    if world == machine.world:
        _set_random(arrays[f"random.{machine.rank}"], machine)
    rows: dict[tuple[int, int], list[np.ndarray]] = {}
    for rank in range(world):
        for name in sorted(n for n in arrays if n.startswith(f"state.{rank}.")):
            i, j = map(int, name.split(".")[2:])
            rows.setdefault((i, j), []).append(arrays[name])
    layers = [
        [
            torch.from_numpy(_dealt(s, machine)).clone().to(machine.device)
            for (k, _), s in sorted(rows.items())
            if k == i
        ]
        for i in sorted({i for i, _ in rows})
    ]
    return tuple(tuple(layer) for layer in layers) or None, Progress(**about)


def _dealt(parts: list[np.ndarray], machine: Machine) -> np.ndarray:
    """This process's rows of a state that lies in parts, one a process: row r of all belongs to process r mod world."""
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    for rank, p in enumerate(parts):
        whole[rank :: len(parts)] = p
    return np.ascontiguousarray(whole[machine.rank :: machine.world])


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()


def _host(state: Any) -> list[list[np.ndarray]]:
    return [[_numpy(s.float()) for s in layer] for layer in state or ()]


def _random(machine: Machine) -> np.ndarray:
    if machine.device.type == "cuda":
        return torch.cuda.get_rng_state(machine.device).numpy()
    return torch.get_rng_state().numpy()


def _set_random(saved: np.ndarray, machine: Machine) -> None:
    if machine.device.type == "cuda":
        torch.cuda.set_rng_state(torch.from_numpy(saved), machine.device)
    else:
        torch.set_rng_state(torch.from_numpy(saved))


def cut_metrics(path: Path, reports: int) -> None:
    """Keep the first `reports` lines of metrics.jsonl: what came after the save is made again."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()[:reports]
        with folder.replacing(path) as beside:
            beside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def metrics(path: Path) -> list[dict[str, Any]]:
    """All reports of a run; a last line that a kill cut short is left out."""
    reports = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            reports.append(json.loads(line))
        except ValueError:
            break
    return reports
