"""The engine that differentiates: fused kernels where torch has the cell, a parallel scan where the recurrence is
linear, and steps for everything else, on the same parameters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv1d as _conv1d
from torch.nn.functional import conv2d as _conv2d
from torch.nn.functional import cross_entropy as _cross_entropy
from torch.nn.functional import embedding as _embedding
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint as _checkpoint

from helo.cells.base import Cell, LinearCell, Parameters, State
from helo.cells.gru import GRU
from helo.cells.lstm import LSTM
from helo.cells.rnn import RNN
from helo.engines import compiled, recorded
from helo.engines import numpy as reference
from helo.engines import tap as taps
from helo.errors import HeloError

LONGEST = 1 << 16  # steps that a recorded parallel scan can take
_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def way(cell: Cell, parameters: Parameters, xs: Tensor, lengths: Tensor | None = None) -> tuple[str, str]:
    if _kernel(cell) is not None:
        mine = isinstance(cell, LSTM) and torch.backends.mkldnn.enabled  # of the three, oneDNN has the LSTM
        where = "cuDNN" if xs.is_cuda else "oneDNN" if mine else "ATen"
        return "fused", f"torch's {type(cell).__name__} kernel ({where})"
    if isinstance(cell, LinearCell):
        if xs.device.type == "cpu":
            return "scan", "linear recurrence; on a CPU one multiply-add per step is the fastest scan"
        return "scan", "linear recurrence; parallel by doubling"
    return "steps", f"torch has no kernel for {type(cell).__name__}; step by step, as the cell defines it"


def scan(
    cell: Cell, parameters: Parameters, xs: Tensor, state: State | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    state = _initial_state(cell, parameters, xs, state)
    # Nobody looks at what is compiled or exported.
    if (tap := None if _traced() or torch.compiler.is_compiling() else taps.now()) is not None:
        xs, state = tap.begin(cell, parameters, xs, state)
    if tap is not None and tap.steps:
        outputs, last = reference.steps(
            taps.shown(cell, tap), parameters, cell.project(parameters, xs), state, lengths, _each
        )
    else:
        outputs, last = _scan(cell, parameters, xs, state, lengths)
    return outputs, tuple(s.to(first.dtype) for s, first in zip(last, state, strict=True))


def _initial_state(cell: Cell, parameters: Parameters, xs: Tensor, state: State | None) -> State:
    """The state to begin with. Under autocast too it is of the parameters' dtype: what is carried stays exact."""
    if _traced():  # sizes are not numbers there
        return cell.state(parameters, xs.shape[0]) if state is None else state
    kind = xs.device.type
    cast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    state = reference.initial_state(cell, parameters, xs, state, dtypes=not cast)
    return tuple(s.to(f.dtype) for s, f in zip(state, cell.state(parameters, 1), strict=True)) if cast else state


def _scan(cell: Cell, parameters: Parameters, xs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
    kernel = _kernel(cell)
    # An exported graph holds no packed sequence, whose sizes are numbers of its data: there rows are stepped to their ends.
    if kernel is not None and not (lengths is not None and torch.compiler.is_exporting()):
        run = _fused
        if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
            # Neither does torch compile its own modules round these kernels.
            run: Any = torch.compiler.disable(_fused)  # pyright: ignore[reportCallIssue]
        return run(kernel, [parameters[n] for n in _NAMES if n in parameters], xs, state, lengths)
    if isinstance(cell, LinearCell):
        a, b = cell.coefficients(parameters, cell.project(parameters, xs))
        exact = state[0].dtype  # under autocast the products come in half precision; the recurrence itself stays exact
        outputs: Tensor = _Linear.apply(a.to(exact), b.to(exact), state[0])  # pyright: ignore[reportAssignmentType]
        if lengths is None:
            return outputs, (outputs[:, -1],)
        inside = torch.arange(xs.shape[1], device=xs.device) < lengths[:, None]
        last = outputs[torch.arange(xs.shape[0], device=xs.device), (lengths - 1).clamp(min=0)]
        last = torch.where((lengths > 0)[:, None], last, state[0])
        return outputs * inside[..., None].to(outputs.dtype), (last,)
    xs = cell.project(parameters, xs)
    plain = xs.numel() < recorded.LEAST or _traced() or torch.compiler.is_compiling()
    if not plain and (found := recorded.scan(cell, parameters, xs, state, lengths)) is not None:
        return found
    return reference.steps(compiled.fast(cell, xs), parameters, xs, state, lengths, _each)


def _each(xs: Tensor) -> tuple[Tensor, ...]:
    """All steps in one operation: of each taken by itself the gradient is one of the whole, most of it zeros."""
    return xs.unbind(1)


def stepped(
    cell: Cell, parameters: Parameters, xs: Tensor, state: State | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    """The reference itself on tensors: what every faster way is held to."""
    return reference.scan(cell, parameters, xs, state, lengths)


def _traced() -> bool:
    """Whether torch records what is called, for `torch.jit.trace` or an export."""
    return torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]


def _kernel(cell: Cell) -> Callable[..., Any] | None:
    """torch's own kernel for this very equation."""
    match cell:
        case LSTM():
            return torch.lstm
        case GRU():
            return torch.gru
        case RNN(nonlinearity="tanh"):
            return torch.rnn_tanh
        case RNN(nonlinearity="relu"):
            return torch.rnn_relu
    return None


def _fused(
    kernel: Callable[..., Any], weights: list[Tensor], xs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, State]:
    if not _traced() and xs.shape[-1] != weights[0].shape[-1]:  # one of the kernels does not look, and reads beyond
        raise HeloError(f"inputs of {xs.shape[-1]} features", expected=f"{weights[0].shape[-1]}, as the weights have")
    weights = _packed(weights) if xs.is_cuda and not torch.is_autocast_enabled("cuda") else weights
    start = [s[None] for s in state]
    first = start if kernel is torch.lstm else start[0]
    # (biases, layers, dropout, training, bidirectional): training keeps what the backward pass needs, which one that is
    # traced may be asked for.
    settings = (len(weights) == 4, 1, 0.0, torch.is_grad_enabled() or _traced(), False)
    if lengths is None:
        outputs, *last = kernel(xs, first, weights, *settings, True)
        return outputs, tuple(s[0] for s in last)
    # A packed sequence has no empty rows: they are run one step, and then given back the state that they came with.
    some = lengths > 0
    packed = pack_padded_sequence(xs, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    order, back = packed.sorted_indices, packed.unsorted_indices
    first = [s[:, order] for s in start] if kernel is torch.lstm else start[0][:, order]
    data, *last = kernel(packed.data, packed.batch_sizes, first, weights, *settings)
    outputs, _ = pad_packed_sequence(packed._replace(data=data), batch_first=True, total_length=xs.shape[1])
    outputs = torch.where(some[:, None, None], outputs, torch.zeros_like(outputs))
    return outputs, tuple(torch.where(some[:, None], s[0][back], old) for s, old in zip(last, state, strict=True))


def _packed(weights: list[Tensor]) -> list[Tensor]:
    """The same weights one behind the other in memory, as cuDNN reads them; it copies others in each call, and warns.
    Parameters are moved there once and stay; what is computed from them (weights of which some are dropped) is copied.
    Under autocast torch packs them itself, as it casts them.
    """
    at = weights[0].data_ptr()
    if weights[0].untyped_storage().data_ptr() == at:
        for w in weights:
            if w.data_ptr() != at or not w.is_contiguous():
                break
            at += w.numel() * w.element_size()
        else:
            return weights
    # Where a cell has no biases cuDNN's own are zeros behind the weights.
    none = [weights[0].new_zeros(2 * len(weights[0]))] if len(weights) == 2 else []
    leaves = all(w.is_leaf for w in weights)
    with torch.set_grad_enabled(torch.is_grad_enabled() and not leaves):
        flat = torch.cat([w.reshape(-1) for w in (*weights, *none)])
        parts = flat.split([w.numel() for w in (*weights, *none)])
        parts = [p.view(w.shape) for p, w in zip(parts, weights, strict=False)]
    if not leaves:
        return parts
    for w, p in zip(weights, parts, strict=True):
        w.data = p
    return weights


def associative_scan(
    combine: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], tuple[Tensor, ...]], elements: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """All prefixes of an associative `combine(earlier, later)` over axis 1, in log₂(time) rounds (Hillis and Steele
    1986): in round k each place takes in the one 2ᵏ before it.
    """
    # What torch records is run on sequences of other lengths too: rounds enough for any, of which those too many do nothing.
    reach, time = 1, LONGEST if _traced() else elements[0].shape[1]
    while reach < time:
        joined = combine(tuple(e[:, :-reach] for e in elements), tuple(e[:, reach:] for e in elements))
        elements = tuple(torch.cat([e[:, :reach], j], 1) for e, j in zip(elements, joined, strict=True))
        reach *= 2
    return elements


def linear_scan(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """h_t = a_t ∘ h_{t-1} + b_t over axis 1, from h `(batch, hidden)`: outputs like b, `(batch, time, hidden)`."""
    followed = _traced() or torch.compiler.is_compiling()  # into a graph: few operations, and none in place
    if a.device.type == "cpu" and not followed:
        outputs = torch.empty_like(b)
        for t in range(b.shape[1]):
            h = torch.addcmul(b[:, t], a[:, t], h, out=outputs[:, t])
        return outputs
    return parallel_linear_scan(a, b, h)


def parallel_linear_scan(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The same by doubling, for a machine that does many things at once."""
    a, b = associative_scan(lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1]), (a, b))
    return a * h[:, None] + b


class _Linear(torch.autograd.Function):
    """The linear scan with its gradient, which is the same scan backwards: g_t = dL/dh_t + a_{t+1} ∘ g_{t+1}."""

    @staticmethod
    def forward(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
        return linear_scan(a.detach(), b.detach(), h.detach())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        a, _, h = inputs
        ctx.save_for_backward(a, output, h)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, outputs, h = ctx.saved_tensors
        flipped = gradients[0].flip(1)
        later = torch.cat([torch.zeros_like(a[:, :1]), a[:, 1:].flip(1)], 1)
        g: Tensor = _Linear.apply(later, flipped, torch.zeros_like(h)).flip(1)  # pyright: ignore[reportAttributeAccessIssue]
        before = torch.cat([h[:, None], outputs[:, :-1]], 1)
        return g * before, g, g[:, 0] * a[:, 0]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        """Under `torch.vmap`, what is mapped over are further rows of the batch."""
        n = info.batch_size
        many = [
            x.expand(n, *x.shape) if at is None else x.movedim(at, 0) for x, at in zip(inputs, in_dims, strict=True)
        ]
        outputs: Tensor = _Linear.apply(*(x.flatten(0, 1) for x in many))  # pyright: ignore[reportAssignmentType]
        return outputs.unflatten(0, (n, -1)), 0


def embedding(table: Tensor, ids: Tensor) -> Tensor:
    return _embedding(ids, table)


def convolution(xs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    kernel = weight.view(weight.shape[0], 3, 3, -1).permute(0, 3, 1, 2)
    return _conv2d(xs.permute(0, 3, 1, 2), kernel, bias, stride=2, padding=1).permute(0, 2, 3, 1)


def convolution_1d(xs: Tensor, weight: Tensor) -> Tensor:
    return _conv1d(xs.mT, weight, padding=weight.shape[2] // 2).mT


def exact_product(xs: Tensor, weight: Tensor) -> Tensor:
    with torch.autocast(xs.device.type, enabled=False):
        return xs @ weight


def cross_entropy(scores: Tensor, targets: Tensor, inside: Tensor | None = None) -> Tensor:
    if inside is not None:  # marked, not taken out: how many there are is no shape then, and nothing waits for it
        targets = torch.where(inside > 0, targets, -100)
    return _cross_entropy(scores.float().flatten(0, -2), targets.flatten(), reduction="sum", ignore_index=-100)


def array(values: Any, like: Tensor) -> Tensor:
    return values if isinstance(values, Tensor) else moved(torch.from_numpy(values), like.device)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """The one way to a device: from pinned memory, and nothing waits until it has arrived."""
    if device.type == "cpu" or x.device == device:
        return x
    return (x.pin_memory() if device.type == "cuda" else x).to(device, non_blocking=True)


def positions(count: int, like: Tensor) -> Tensor:
    return torch.arange(count, device=like.device)


def constant(x: Tensor) -> Tensor:
    return x.detach()


def recomputed(function: Callable[..., Any], *arrays: Tensor) -> Any:
    # Nothing that is computed twice draws noise; that its state is not saved lets the step be captured.
    return _checkpoint(function, *arrays, use_reentrant=False, preserve_rng_state=False)


def host(x: Tensor) -> Any:
    x = x.detach()
    return (x.float() if x.dtype == torch.bfloat16 else x).cpu().numpy()


def hosts(xs: Sequence[Any]) -> list[Any]:
    out, kinds = list(xs), defaultdict(list)
    for i, x in enumerate(xs):
        if isinstance(x, Tensor):
            kinds[x.dtype, x.device].append(i)
    for places in kinds.values():
        some = [xs[i].detach() for i in places]
        flat = host(torch.cat([x.reshape(-1) for x in some]))
        parts = np.split(flat, np.cumsum([x.numel() for x in some])[:-1])
        for i, x, numbers in zip(places, some, parts, strict=True):
            out[i] = numbers.reshape(tuple(x.shape))
    return out
