"""Any cell in place of torch.nn.LSTM, GRU and RNN."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helo import cells, engines
from helo.errors import HeloError
from helo.layers import stack


class Recurrent(nn.Module):
    """Layers of a cell, called as `torch.nn.LSTM(…, batch_first=True)` is.

    Parameters are named `layers.0.weight_ih`, `layers.1.weight_hh`, … by layer; with `bidirectional`, each layer is two
    of these, forwards and then backwards.

    >>> import helo, torch
    >>> model = helo.nn.Recurrent("gru", 16, 32, num_layers=2)
    >>> outputs, state = model(torch.randn(8, 100, 16))
    >>> outputs.shape, state.shape
    (torch.Size([8, 100, 32]), torch.Size([2, 8, 32]))
    """

    def __init__(
        self,
        cell: cells.Cell | str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        seed: int | None = None,
    ):
        """cell: a cell, or what `helo.cells.find` takes: "lstm", "rnn,nonlinearity=relu", "file.py:Name".

        dropout: between layers, in training. seed: of the parameters; None draws one from torch's own generator.
        """
        super().__init__()
        self.cell = cells.find(cell) if isinstance(cell, str) else cell
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.dropout, self.bidirectional = dropout, bidirectional
        rng = np.random.default_rng(int(torch.randint(2**31, ())) if seed is None else seed)
        ways = 2 if bidirectional else 1
        self.layers = nn.ModuleList()
        for i in range(num_layers * ways):
            layer = nn.Module()
            inputs = input_size if i < ways else hidden_size * ways
            for name, p in self.cell.init(rng, inputs, hidden_size).items():
                layer.register_parameter(name, nn.Parameter(torch.from_numpy(p).clone()))
            self.layers.append(layer)

    def forward(self, xs: Tensor, state: Any = None, lengths: Tensor | None = None) -> tuple[Tensor, Any]:
        """xs `(batch, time, input_size)`; state as it came out; lengths `(batch,)`: what lies behind is padding.

        Gives outputs `(batch, time, hidden_size)`, twice as wide when bidirectional, and the state at each row's end:
        tensors `(layers, batch, …)`, a tuple of them where the cell has several (the LSTM's h and c), else the one.
        """
        if xs.ndim != 3 or xs.shape[-1] != self.input_size:
            raise HeloError(f"inputs of shape {tuple(xs.shape)}", expected=f"(batch, time, {self.input_size})")
        if state is not None and isinstance(state, Tensor):
            state = (state,)
        ways = 2 if self.bidirectional else 1
        last: list[tuple[Any, ...]] = []
        for i in range(self.num_layers):
            if i and self.dropout:
                xs = nn.functional.dropout(xs, self.dropout, self.training)
            outputs = []
            for way in range(ways):
                at = i * ways + way
                start = None if state is None else tuple(s[at] for s in state)
                parameters = dict(self.layers[at].named_parameters())
                read = _reversed(xs, lengths) if way else xs
                out, after = engines.scan(self.cell, parameters, read, start, lengths)
                outputs.append(_reversed(out, lengths) if way else out)
                last.append(after)
            xs = torch.cat(outputs, -1) if ways == 2 else outputs[0]
        joined = [torch.stack(parts) for parts in zip(*last, strict=True)]
        return xs, tuple(joined) if len(joined) > 1 else joined[0]

    def load_torch(self, other: nn.RNNBase) -> None:
        """Take the weights of torch's own module of the same cell and sizes."""
        ways = 2 if self.bidirectional else 1
        kinds = [getattr(m, "nonlinearity", None) for m in (self.cell, other)]
        if kinds[0] != kinds[1] or len(list(self.parameters())) != len(list(other.parameters())):
            raise HeloError(f"{other}", expected="the same cell, sizes, layers and biases")
        with torch.no_grad():
            for at, layer in enumerate(self.layers):
                for name, p in layer.named_parameters():
                    theirs = f"{name}_l{at // ways}" + ("_reverse" if at % ways else "")
                    value = getattr(other, theirs, None)
                    if value is None or value.shape != p.shape:
                        found = "no " + theirs if value is None else f"{theirs} of shape {tuple(value.shape)}"
                        raise HeloError(found, expected=f"{tuple(p.shape)}: the same cell, sizes, layers and biases")
                    p.copy_(value)

    def extra_repr(self) -> str:
        return f"{self.cell}, {self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


def _reversed(xs: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row backwards within its own length; padding stays behind."""
    return xs.flip(1) if lengths is None else stack.turned(xs, lengths)
