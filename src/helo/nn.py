"""Any cell in place of torch.nn.LSTM, GRU and RNN."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from helo import cells, engines
from helo.errors import HeloError, door, wrap
from helo.progress import unbroken

with unbroken():
    import torch
    from torch import Tensor, nn
    from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class Recurrent(nn.Module):
    """Layers of a cell, in place of `torch.nn.LSTM`, `GRU` and `RNN`: the same arguments after the cell, the same shapes,
    the same names of parameters, so that `load_state_dict(theirs.state_dict())` loads their weights.

    Differences: it is batch first unless `batch_first=False`; it also takes `lengths`; `proj_size` is rejected;
    initial weights are the cell's own (an LSTM's forget gate starts open), from `seed`; bad input is a `HeloError`.
    It can be compiled (`torch.compile`) and exported (`torch.onnx.export`) like theirs; `torch.jit.script` does not work.

    Parameters are the cell's, with the layer after each name: `weight_ih_l0`, `weight_hh_l1`, and with `bidirectional`
    also `weight_ih_l0_reverse`, …

    >>> import helo, torch
    >>> model = helo.nn.Recurrent("gru", 16, 32, num_layers=2)
    >>> outputs, state = model(torch.randn(8, 100, 16))
    >>> outputs.shape, state.shape
    (torch.Size([8, 100, 32]), torch.Size([2, 8, 32]))
    """

    @door
    def __init__(
        self,
        cell: cells.Cell | str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool | None = None,
        batch_first: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        nonlinearity: str | None = None,
        seed: int | None = None,
    ):
        """cell: a cell, or what `helo.cells.find` takes: "lstm", "rnn,nonlinearity=relu", "file.py:Name".

        bias, nonlinearity: options of the cell, where it has them; None leaves them as the cell says. dropout: between
        layers, in training. seed: of the parameters; None draws one from torch's own generator.
        Raises HeloError for what a cell of this kind cannot be given.
        """
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise HeloError(repr(value), expected="a whole number, 1 or more", where=name)
        for name, flag in (("bias", bias), ("batch_first", batch_first), ("bidirectional", bidirectional)):
            if not isinstance(flag, bool | None) or (flag is None and name != "bias"):
                raise HeloError(repr(flag), expected="True or False", where=name)
        if isinstance(dropout, bool) or not isinstance(dropout, Real) or not 0 <= dropout <= 1:
            raise HeloError(repr(dropout), expected="a share from 0 to 1", where="dropout")
        if proj_size:
            raise HeloError(
                f"{proj_size}", expected="0: helo's cells return their whole state", where="proj_size",
                mend="use torch.nn.LSTM, or a linear layer after this one",
            )  # fmt: skip
        if dropout and num_layers == 1:
            warnings.warn(f"dropout={dropout} stands between layers, and there is one layer", stacklevel=2)
        cell = cells.find(cell) if isinstance(cell, str) else cell
        if not isinstance(cell, cells.Cell):
            raise HeloError(f"{cell!r:.80}", expected='a cell, or its name: "lstm", "file.py:Name"', where="cell")
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise HeloError(f"{dtype!r:.80}", expected="a floating-point torch.dtype, torch.float32", where="dtype")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0):
            raise HeloError(f"{seed!r:.80}", expected="a whole number, 0 or more, or None", where="seed")
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError, TypeError) as error:
            found = str(error).splitlines()[0][:200]
            raise HeloError(f"{device!r:.80}: {found}", expected="an available device", where="device") from error
        self.cell = _with(cell, bias=bias, nonlinearity=nonlinearity)
        self.input_size, self.hidden_size, self.num_layers = int(input_size), int(hidden_size), int(num_layers)
        self.bias: bool = getattr(self.cell, "bias", True)
        self.batch_first, self.dropout, self.bidirectional = batch_first, float(dropout), bidirectional
        self.proj_size = 0
        #: Of every layer, and with `bidirectional` of its two ways after each other: the cell's names and ours.
        self.names: list[dict[str, str]] = []
        ways = ("", "_reverse") if bidirectional else ("",)
        for at, fresh in enumerate(self._fresh(seed)):
            self.names.append({name: f"{name}_l{at // len(ways)}{ways[at % len(ways)]}" for name in fresh})
            for name, p in fresh.items():
                if "." in name:
                    raise HeloError(
                        f"a parameter {name!r}", expected="a name without a dot", where=type(self.cell).__name__
                    )
                empty = torch.empty(p.shape, device=device, dtype=dtype)
                self.register_parameter(self.names[-1][name], nn.Parameter(empty))
                self._set(self.names[-1][name], p)

    def reset_parameters(self, seed: int | None = None) -> None:
        """Initialise all parameters again as the cell does; without a seed, from torch's own generator."""
        for own, fresh in zip(self.names, self._fresh(seed), strict=True):
            for name, p in fresh.items():
                self._set(own[name], p)

    def _fresh(self, seed: int | None) -> Iterator[dict[str, np.ndarray]]:
        """A layer and a way at a time: the first reads the inputs, each other the layer below."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), device="cpu")) if seed is None else seed)
        ways = 2 if self.bidirectional else 1
        for at in range(self.num_layers * ways):
            inputs = self.input_size if at < ways else self.hidden_size * ways
            yield self.cell.init(rng, inputs, self.hidden_size)

    @torch.no_grad()
    def _set(self, name: str, p: np.ndarray) -> None:
        getattr(self, name).copy_(torch.from_numpy(p))

    def forward(
        self, input: Tensor | PackedSequence, hx: Any = None, lengths: Tensor | np.ndarray | Sequence[int] | None = None
    ) -> tuple[Any, Any]:
        """input: `(batch, time, input_size)`, or `(time, batch, input_size)` where not batch first; one sequence alone,
        `(time, input_size)`; or a PackedSequence. hx: a state as returned; None for the initial one. lengths: of each row, whole
        numbers from 0 on any device; the rest is padding.

        Returns outputs in the form of the input, `hidden_size` wide, twice that when bidirectional, 0 in the padding; and
        the state at each row's own end: tensors `(layers, batch, …)` (without the batch where the input is one sequence),
        twice as many layers when bidirectional; a tuple of them if the cell has several (the LSTM's h and c), otherwise
        one. A row of length 0 keeps its state. Raises HeloError if sizes or dtypes do not fit.
        """
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise HeloError("lengths with a PackedSequence", expected="one of them: it has its own")
            return self._packed(input, hx)
        if not isinstance(input, Tensor) or input.layout != torch.strided:
            found = f"{input.layout}" if isinstance(input, Tensor) else type(input).__name__
            raise HeloError(f"inputs of type {found}", expected="a dense tensor, or a PackedSequence")
        alone = input.ndim == 2
        self._fits(input)
        xs = input[None] if alone else input if self.batch_first else input.transpose(0, 1)
        if alone and lengths is not None:
            raise HeloError("lengths with a single sequence", expected="a batch: (batch, time, input_size)")
        state = self._state(hx, xs, alone)
        outputs, last = self._run(xs, state, None if lengths is None else _lengths(lengths, xs))
        outputs = outputs[0] if alone else outputs if self.batch_first else outputs.transpose(0, 1)
        return outputs, self._given(tuple(s[:, 0] for s in last) if alone else last)

    def _run(
        self, xs: Tensor, state: tuple[Tensor, ...] | None, lengths: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """All layers, batch first: state and result `(layers, batch, …)`."""
        ways = 2 if self.bidirectional else 1
        if lengths is not None:  # whatever stands in the padding, NaN too, reaches no output and no gradient
            inside = torch.arange(xs.shape[1], device=xs.device) < lengths[:, None]
            xs = xs.masked_fill(~inside[..., None], 0)
        last: list[tuple[Any, ...]] = []
        for i in range(self.num_layers):
            if i and self.dropout:
                xs = nn.functional.dropout(xs, self.dropout, self.training)
            outputs = []
            for way in range(ways):
                at = i * ways + way
                start = None if state is None else tuple(s[at] for s in state)
                parameters = {name: getattr(self, ours) for name, ours in self.names[at].items()}
                read = _reversed(xs, lengths) if way else xs
                out, after = engines.scan(self.cell, parameters, read, start, lengths)
                outputs.append(_reversed(out, lengths) if way else out)
                last.append(after)
            xs = torch.cat(outputs, -1) if ways == 2 else outputs[0]
        return xs, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    def _packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        """As torch does: rows come out packed as they came in, the state in the order of the rows before packing."""
        xs, lengths = pad_packed_sequence(packed, batch_first=True)
        self._fits(xs)
        outputs, last = self._run(xs, self._state(hx, xs, False), _lengths(lengths, xs))
        order = packed.sorted_indices
        if order is not None:
            outputs, lengths = outputs[order], lengths[order.cpu()]
        data, sizes, _, _ = pack_padded_sequence(outputs, lengths, batch_first=True)
        return PackedSequence(data, sizes, order, packed.unsorted_indices), self._given(last)

    def _given(self, state: tuple[Tensor, ...]) -> Any:
        return state[0] if len(state) == 1 else state

    def _fits(self, xs: Tensor) -> None:
        rows = "batch, time" if self.batch_first else "time, batch"
        if xs.ndim not in (2, 3) or xs.shape[-1] != self.input_size:
            raise HeloError(
                f"inputs of shape {tuple(xs.shape)}",
                expected=f"({rows}, {self.input_size}), or (time, {self.input_size}) for one sequence",
            )
        first = getattr(self, next(iter(self.names[0].values())))
        if xs.device != first.device:
            raise HeloError(f"inputs on {xs.device}", expected=f"{first.device}, where the parameters are")
        if xs.dtype != first.dtype and not (torch.is_autocast_enabled(xs.device.type) and xs.is_floating_point()):
            raise HeloError(
                f"inputs of {xs.dtype}", expected=f"{first.dtype}, as the parameters",
                mend=f"convert them, .to({first.dtype}), or the model, .to({xs.dtype})",
            )  # fmt: skip

    def _state(self, hx: Any, xs: Tensor, alone: bool) -> tuple[Tensor, ...] | None:
        """A state that a person gives, as `(layers, batch, …)`. Raises HeloError where the number of its layers is another;
        the rest is looked at where each layer is run.
        """
        if hx is None:
            return None
        parts: Any = (hx,) if isinstance(hx, Tensor) else hx
        if not isinstance(parts, Sequence) or isinstance(parts, str):
            raise HeloError(f"a state of type {type(hx).__name__}", expected="a tensor, a tuple of them, or None")
        rows = self.num_layers * (2 if self.bidirectional else 1)
        for s in parts:
            if not isinstance(s, Tensor) or tuple(s.shape[:1]) != (rows,):
                found = f"of shape {tuple(s.shape)}" if isinstance(s, Tensor) else repr(type(s).__name__)
                batch = "" if alone else f"{xs.shape[0]}, "
                raise HeloError(
                    f"a state {found}", expected=f"tensors ({rows}, {batch}…): one row for every layer and direction"
                )
        return tuple(s[:, None] for s in parts) if alone else tuple(parts)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, one list per layer and direction."""
        return [[getattr(self, ours) for ours in own.values()] for own in self.names]

    def flatten_parameters(self) -> None:
        """Does nothing; it is here for code written for torch's modules. The engine arranges weights when a kernel needs it."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any, **more: Any) -> None:
        """Earlier versions named parameters `layers.0.weight_ih`, a number for every layer and direction."""
        for at, own in enumerate(self.names):
            for name, ours in own.items():
                if f"{prefix}layers.{at}.{name}" in state_dict:
                    state_dict[prefix + ours] = state_dict.pop(f"{prefix}layers.{at}.{name}")
        super()._load_from_state_dict(state_dict, prefix, *rest, **more)

    def load_torch(self, other: nn.RNNBase) -> None:
        """Load the weights of torch's own module with the same cell and sizes: `load_state_dict(other.state_dict())`."""
        if getattr(self.cell, "nonlinearity", None) != getattr(other, "nonlinearity", None):
            raise HeloError(f"{other}", expected="the same cell, sizes, layers and biases")
        with wrap(RuntimeError, f"{other}", expected="the same cell, sizes, layers and biases"):
            self.load_state_dict(other.state_dict())

    def extra_repr(self) -> str:
        said = {"num_layers": 1, "batch_first": True, "dropout": 0.0, "bidirectional": False}
        given = [f"{name}={getattr(self, name)}" for name, usual in said.items() if getattr(self, name) != usual]
        return ", ".join([str(self.cell), str(self.input_size), str(self.hidden_size), *given])


def _with(cell: cells.Cell, **options: Any) -> cells.Cell:
    """The cell with the options that are not None. A cell without a bias to leave out may be asked for one."""
    fields = {f.name for f in dataclasses.fields(cell)} if dataclasses.is_dataclass(cell) else set()
    for name, value in options.items():
        if value is None or getattr(cell, name, None) == value or (name not in fields and value is True):
            continue
        if name not in fields:
            raise HeloError(f"{value!r}", expected=f"None: {type(cell).__name__} has no such option", where=name)
        if name == "nonlinearity" and value not in ("tanh", "relu"):
            raise HeloError(f"{value!r}", expected="'tanh' or 'relu'", where=name)
        cell = dataclasses.replace(cell, **{name: value})  # pyright: ignore[reportArgumentType]
    return cell


def _lengths(lengths: Any, xs: Tensor) -> Tensor:
    """Lengths as whole numbers `(batch,)` beside xs `(batch, time, …)`. Raises HeloError for what cannot be lengths."""
    if not isinstance(lengths, Tensor):
        try:
            found = np.asarray(lengths)
        except ValueError:  # rows of several lengths
            found = np.asarray("")
        if found.size and found.dtype.kind not in "iu":
            raise HeloError(f"lengths {lengths!r:.80}", expected="whole numbers, one per row")
        lengths = torch.from_numpy(found.astype(np.int64))  # what is beyond them becomes less than 0, and is refused
    if lengths.dtype.is_floating_point or lengths.dtype.is_complex or lengths.dtype == torch.bool:
        raise HeloError(f"lengths of {lengths.dtype}", expected="whole numbers")
    lengths = lengths.to(torch.int64)
    if lengths.shape != xs.shape[:1]:
        raise HeloError(f"lengths of shape {tuple(lengths.shape)}", expected=f"({xs.shape[0]},): one per row")
    # On another device, looking would wait for all that was asked for before; in a graph, there is nothing to see yet.
    seen = lengths.device.type == "cpu" and len(lengths) and not torch.compiler.is_compiling()
    if seen and not torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        least, most = int(lengths.min()), int(lengths.max())
        if least < 0 or most > xs.shape[1]:
            raise HeloError(f"a length of {least if least < 0 else most}", expected=f"0 to {xs.shape[1]} steps")
    if lengths.is_meta and not xs.is_meta:
        raise HeloError(f"lengths on {lengths.device}", expected=f"{xs.device}, or the CPU")
    return lengths.to(device=xs.device)


def _reversed(xs: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row backwards within its own length; padding stays behind. `gather`, as ONNX has it."""
    if lengths is None:
        return xs.flip(1)
    times = torch.arange(xs.shape[1], device=xs.device)
    order = torch.where(times < lengths[:, None], lengths[:, None] - 1 - times, times)
    return xs.gather(1, order[..., None].expand_as(xs))
