"""What can be said of a training, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from helo.errors import HeloError
from helo.options import POSITIVE, Bounds, checked

RATE = Bounds(1e-12, 1e6)  # what is far smaller is none in float32, and AdamW's kernel makes NaN of it


@dataclass(frozen=True)
class Options:
    """How long, how fast, on what. One of minutes, epochs and steps; two minutes if none is given."""

    minutes: Annotated[
        float | None, "train for this many minutes (2 if no limit is given)", Bounds(0, 1e7, above=True)
    ] = None
    epochs: Annotated[float | None, "train for this many passes over the data", POSITIVE] = None
    steps: Annotated[int | None, "train for this many steps", Bounds(1, 2**53)] = None
    start: Annotated[
        str | None, "start from this run's weights, symbols and options, with a tenth of its learning rates"
    ] = None
    metric: Annotated[
        str | None,
        "figure or metric, or FILE.py:NAME, that selects the best weights  [the task's own]",
    ] = None
    rate: Annotated[float, "learning rate of the matrices (Muon)", RATE] = 0.05
    adam_rate: Annotated[float, "learning rate of everything else (AdamW)", RATE] = 0.01
    weight_decay: Annotated[
        float, "weight decay: share of the weights subtracted in a step, times the learning rate", Bounds(0, 1e6)
    ] = 0.01
    clip: Annotated[float, "clip the gradient to this norm", Bounds(0, 1e30, above=True)] = 1.0
    early_stop: Annotated[
        bool | None,
        "end when neither the figure nor the loss of a validation is better for half of the training  [with --minutes]",
    ] = None
    device: Annotated[Literal["auto", "cpu", "cuda"], "where to train"] = "auto"
    precision: Annotated[Literal["auto", "float32", "bfloat16"], "precision of matrix multiplication"] = "auto"
    save_seconds: Annotated[float, "longest time between two saves, in seconds", POSITIVE] = 20.0
    tensorboard: Annotated[bool, "also write TensorBoard logs to RUN/tensorboard"] = False
    samples: Annotated[
        bool,
        "show what the model writes or answers while it trains; without it, no text and no held-out example is in logs",
    ] = True
    seed: Annotated[int, "random seed of weights, dropout and order", Bounds(0, 2**63 - 1)] = 0

    def __post_init__(self):
        checked(self)
        given = [n for n in ("minutes", "epochs", "steps") if getattr(self, n) is not None]
        if len(given) > 1:
            raise HeloError(" and ".join(f"--{n}" for n in given), expected="one of them")
