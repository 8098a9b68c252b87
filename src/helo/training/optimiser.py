"""Muon for the matrices inside the recurrence, AdamW for everything else, one learning-rate factor for both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from helo.errors import HeloError
from helo.training.options import Options

lists: Any = torch  # its functions over lists of tensors, with which its own optimisers are written


class Optimiser:
    """Updates parameters in place from their gradients.

    Muon (Jordan et al. 2024; Liu et al. 2025) makes each update orthogonal: every direction in the matrix learns at
    one speed. A gate's matrix is a map of its own, so the stacked gates are orthogonalised each by itself, all those
    of one shape in one batched product. Embedding, head and biases, where rows are symbols, stay with AdamW.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        options: Options,
        precision: torch.dtype,
        lr_scale: Mapping[str, float] | None = None,
        blocks: Mapping[str, int] | None = None,
    ):
        """lr_scale: what the rates of the parameters below a dotted name are multiplied by. blocks: `Cell.blocks` of the
        cell. A parameter that no gradient reaches is left as it is.
        """
        self.options, self.precision = options, precision
        self.lr_scale = {n: f for n in parameters for name, f in (lr_scale or {}).items() if n.startswith(f"{name}.")}
        inside = {n: p for n, p in parameters.items() if INSIDE & set(n.split(".")) and p.ndim == 2}
        self.groups: dict[tuple[int, int, int], list[str]] = defaultdict(list)
        for name, p in inside.items():
            self.groups[_blocks(name, p, blocks or {})].append(name)
        self.matrices = inside
        self.rest = {n: p for n, p in parameters.items() if n not in inside}
        self.paces: dict[float, list[str]] = defaultdict(list)  # of the rest, those that learn at one rate
        for name in self.rest:
            self.paces[self.lr_scale.get(name, 1.0)].append(name)
        self.momentum = {n: torch.zeros_like(p, requires_grad=False) for n, p in parameters.items()}
        self.square = {n: torch.zeros_like(p, requires_grad=False) for n, p in self.rest.items()}
        # A tensor, as is the rate's factor: a step that is captured is the same step every time.
        self.count = torch.zeros((), device=next(iter(parameters.values())).device)

    @torch.no_grad()
    def step(self, factor: float | Tensor) -> None:
        """One update, the learning rates times `factor`. What has no gradient stays as it is."""
        factor = factor if isinstance(factor, Tensor) else torch.full_like(self.count, factor)
        self.count += 1
        self._muon(self.options.rate * factor)
        self._adam(self.options.adam_rate * factor)

    def _muon(self, rate: Tensor) -> None:
        for (blocks, rows, columns), group in self.groups.items():
            names = [n for n in group if self.matrices[n].grad is not None]
            updates = []
            for name in names:
                gradient, momentum = self.matrices[name].grad, self.momentum[name]
                assert gradient is not None
                momentum.lerp_(gradient, 1 - MOMENTUM)
                updates.append(gradient.lerp(momentum, MOMENTUM).view(blocks, rows, columns))  # Nesterov
            if not updates:
                continue
            steps = orthogonalised(torch.cat(updates) if len(updates) > 1 else updates[0], self.precision)
            size = 0.4 * max(1.0, rows / columns) ** 0.5
            for name, step in zip(names, steps.split(blocks), strict=True):
                p = self.matrices[name]
                own = rate * self.lr_scale.get(name, 1.0)
                p.mul_(1 - own * self.options.weight_decay)
                p.sub_(step.reshape(p.shape) * (own * size))

    def _adam(self, rate: Tensor) -> None:
        """Loshchilov and Hutter 2019. Written out: torch's own class takes seconds to import."""
        one, two = BETAS
        for pace, group in self.paces.items():
            names = [n for n in group if self.rest[n].grad is not None]
            if not names:
                continue
            weights, gradients = [self.rest[n] for n in names], [self.rest[n].grad for n in names]
            momentum, square = [self.momentum[n] for n in names], [self.square[n] for n in names]
            lists._foreach_lerp_(momentum, gradients, 1 - one)
            lists._foreach_mul_(square, two)
            lists._foreach_addcmul_(square, gradients, gradients, 1 - two)
            own = rate * pace
            size = own / (1 - one**self.count)
            # The step is size · momentum / (√(square / (1 - two^count)) + ε), here with the size inside the root.
            scale, least, kept = (
                1 / ((1 - two**self.count) * size * size),
                1e-8 / size,
                1 - own * self.options.weight_decay,
            )
            usual = [(s * scale).sqrt_().add_(least) for s in square]
            for w in weights:
                w.mul_(kept)
            lists._foreach_addcdiv_(weights, momentum, usual, -1.0)

    def tensors(self) -> dict[str, Tensor]:
        """All that the next step depends on, by name."""
        out = {f"momentum.{n}": m for n, m in self.momentum.items()} | {
            f"square.{n}": s for n, s in self.square.items()
        }
        return out | {"count": self.count}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up what `tensors` gave."""
        for kind, own in (("momentum", self.momentum), ("square", self.square)):
            for name, p in own.items():
                p.copy_(tensors[f"{kind}.{name}"])
        self.count.copy_(tensors["count"].reshape(()))


INSIDE = {"recurrent", "dense"}  # matrices below these names map hidden numbers to hidden numbers
BETAS = 0.9, 0.99
MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 3  # five bring singular values closer to one and buy nothing here


def orthogonalised(matrices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """Each of `(n, rows, columns)` with its singular values brought near one, by Newton-Schulz iteration
    x ← a x + (b x xᵀ + c (x xᵀ)²) x (Jordan et al. 2024).
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(precision)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


def _blocks(name: str, p: Tensor, blocks: Mapping[str, int]) -> tuple[int, int, int]:
    """A matrix as (maps, rows, columns): a cell's as the cell says, every other as the one that it is."""
    own = [n for part, n in blocks.items() if name.endswith(f".{part}")] if "recurrent" in name.split(".") else []
    maps = own[0] if own else 1
    if p.shape[0] % maps:
        raise HeloError(
            f"{name} has {p.shape[0]} rows", expected=f"a multiple of {maps}, as its cell's `blocks` says",
            mend="correct `blocks` in the cell's class",
        )  # fmt: skip
    return maps, p.shape[0] // maps, p.shape[1]
