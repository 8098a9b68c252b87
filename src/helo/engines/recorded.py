"""Steps of a cell for which torch has no kernel, on a processor: the same operations, with less between them.

One step and its gradient are recorded once, as lists of torch's own operations. A scan replays them as one node of
autograd: what depends on the parameters alone is computed once a scan, and what a parameter's gradient adds up over the
steps is added up before, not after, all that is linear in it; so a matrix has its gradient in one product for all steps.
A step that cannot be recorded (one that branches on numbers, draws noise or writes in place) is run as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, fx

from helo.cells.base import Cell, Parameters, State
from helo.engines import numpy as reference

Node = Any  # torch.fx.Node, whose arguments are of many kinds
aten = torch.ops.aten
# In one tensor, the first argument; the others are numbers.
LINEAR = {
    aten.t.default, aten.permute.default, aten.transpose.int, aten.view.default, aten._unsafe_view.default,
    aten.unsqueeze.default, aten.squeeze.dim, aten.expand.default, aten.neg.default, aten.sum.dim_IntList,
    aten.sum.default, aten.select_backward.default, aten.slice_backward.default,
}  # fmt: skip
TURNED = {aten.t.default, aten.permute.default, aten.transpose.int}
LEAST = 1 << 15  # numbers that a scan reads, for which recording a step, a twentieth of a second, may pay
QUICK = ("add", "cat", "div", "exp", "maximum", "minimum", "mm", "mul", "neg", "sigmoid", "sub", "sum", "tanh")


def scan(
    cell: Cell, parameters: Parameters, xs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, State] | None:
    """What `steps` gives for xs that are projected; None where the cell's step cannot be recorded."""
    names, weights = tuple(parameters), tuple(parameters.values())
    tensors = (*weights, xs, *state)
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors):
        return None
    if not all(type(t) in (Tensor, torch.nn.Parameter) and t.is_cpu and t.is_floating_point() for t in tensors):
        return None
    if torch._C._are_functorch_transforms_active():
        return None
    cast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
    kinds = [(tuple(t.shape), t.dtype, t.requires_grad) for t in weights]
    kinds += [((*xs.shape[:1], *xs.shape[2:]), xs.dtype if cast is None else weights[0].dtype, xs.requires_grad)]
    kinds += [(tuple(s.shape), s.dtype, True) for s in state]
    if cast is not None:
        xs = xs.to(weights[0].dtype)
        tensors = (*weights, xs, *state)
    try:
        step = _recorded(cell, names, tuple(kinds), lengths is not None, cast)
    except TypeError:  # a cell that has no hash
        return None
    if step is None:
        return None
    outputs, *last = _Scan.apply(step, cell, names, lengths, *tensors)
    return outputs, tuple(last)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, step: Step, cell: Cell, names: tuple[str, ...], lengths: Tensor | None, *tensors: Tensor
    ) -> Any:
        count = len(names)
        weights, xs, state = tensors[:count], tensors[count], list(tensors[count + 1 :])
        with torch.autocast("cpu", enabled=False):  # the products say it themselves
            once = step.once(*weights)
            kept: list[Tensor] = []
            outputs: Any = None
            for t, x in enumerate(xs.unbind(1)):
                inside = () if lengths is None else (t < lengths,)
                values = step.ahead(*once, *weights, *state, x, *inside)
                state, output = values[: len(state)], values[len(state)]
                outputs = _placed(outputs, output, t, xs.shape[1])
                kept += values[len(state) + 1 :]
        ctx.step, ctx.cell, ctx.names = step, cell, names
        ctx.save_for_backward(lengths, *tensors, *once, *kept)
        return outputs, *(s.clone() for s in state)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        step, count = ctx.step, len(ctx.names)
        lengths, *saved = ctx.saved_tensors
        states = len(gradients) - 1
        tensors, rest = saved[: count + 1 + states], saved[count + 1 + states :]
        if torch.is_grad_enabled():  # a gradient of the gradient is asked for: of the steps as they are written
            return None, None, None, None, *_plain(ctx.cell, ctx.names, tensors, lengths, gradients)
        weights, xs = tensors[:count], tensors[count]
        once, kept = rest[: step.constants], rest[step.constants :]
        time, width = xs.shape[1], step.kept
        of_outputs, of_state = gradients[0].unbind(1), gradients[1:]
        sums: list[Tensor] = []
        stacks: list[Any] = [None] * (step.of_x + step.stacked)
        with torch.autocast("cpu", enabled=False):
            for t in range(time - 1, -1, -1):
                found = step.back(*once, *weights, *kept[t * width : (t + 1) * width], *of_state, of_outputs[t])
                of_state, rest = found[:states], found[states:]
                seen: dict[int, Tensor] = {}
                for i, x in enumerate(rest[: len(stacks)]):  # now, while it is near
                    if id(x) in seen:
                        stacks[i] = seen[id(x)]
                    else:
                        stacks[i] = seen[id(x)] = _placed(stacks[i], x, t, time)
                rest = rest[len(stacks) :]
                if sums:
                    for total, x in zip(sums, rest, strict=True):
                        total += x
                else:
                    sums = [x.clone() for x in rest]
            joined = [s.flatten(0, 1) for s in stacks[step.of_x :]]
            of_weights = step.end(*once, *weights, *joined, *sums)
        return None, None, None, None, *of_weights, stacks[0] if step.of_x else None, *of_state


def _placed(whole: Tensor | None, x: Tensor, t: int, time: int) -> Tensor:
    """x as one of all steps `(batch, time, …)`."""
    if whole is None:
        whole = x.new_empty(x.shape[0], time, *x.shape[1:])
    whole[:, t] = x
    return whole


def _plain(cell: Cell, names: Sequence[str], tensors: Sequence[Tensor], lengths: Any, gradients: Any) -> list[Any]:
    count = len(names)
    tensors = [t.view_as(t) for t in tensors]  # some may be computed from others, through which no gradient passes here
    parameters = dict(zip(names, tensors[:count], strict=True))
    outputs, last = reference.steps(cell, parameters, tensors[count], tuple(tensors[count + 1 :]), lengths)
    pairs = [(o, g) for o, g in zip((outputs, *last), gradients, strict=True) if o.requires_grad]
    some = [t for t in tensors if t.requires_grad]
    outs, ends = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outs, some, ends, create_graph=True, allow_unused=True))
    return [next(found) if t.requires_grad else None for t in tensors]


@lru_cache(maxsize=64)
def _recorded(cell: Cell, names: tuple[str, ...], kinds: tuple[Any, ...], masked: bool, cast: Any) -> Step | None:
    """One step for arrays of these shapes, dtypes and wants of a gradient; None where it cannot be recorded."""
    from torch.fx.experimental.proxy_tensor import make_fx

    count = len(names)

    def step(given: Sequence[Tensor], inside: Sequence[Tensor]) -> list[Tensor]:
        parameters, state = dict(zip(names, given, strict=False)), tuple(given[count + 1 :])
        new, output = reference.step(cell, parameters, state, given[count], *inside)
        return [*(n.to(s.dtype) for n, s in zip(new, state, strict=True)), output]  # what is carried stays of its dtype

    def joint(arrays: Sequence[Tensor], inside: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Any]:
        given = [a.detach().requires_grad_(k[2]) for a, k in zip(arrays, kinds, strict=True)]
        with torch.enable_grad():
            results = step(given, inside)
        outs, ends = zip(*((r, g) for r, g in zip(results, gradients, strict=True) if r.requires_grad), strict=True)
        some = [a for a in given if a.requires_grad]
        found = iter(torch.autograd.grad(outs, some, ends, allow_unused=True))
        of = [next(found) if a.requires_grad else None for a in given]
        of[count + 1 :] = [torch.zeros_like(a) if g is None else g for g, a in zip(of, given, strict=True)][count + 1 :]
        return [*results, *of]

    try:
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            arrays = [torch.zeros(shape, dtype=dtype) for shape, dtype, _ in kinds]
            inside = [torch.ones(kinds[count][0][0], dtype=torch.bool)] if masked else []
            results = step(arrays, inside)
            if [r.shape for r in results[:-1]] != [a.shape for a in arrays[count + 1 :]]:
                return None
            graph = make_fx(joint)(arrays, inside, [torch.zeros_like(r) for r in results]).graph
        return Step(graph, count, len(results) - 1, cast)
    except Exception:  # whatever a step of a person's own does: it is run as it is written
        return None


class Step:
    """One step of a cell, parted: `once` a scan, `ahead` and `back` a step, and `end`, the parameters' gradients out of
    what all steps added up. states: of how many parts the state is.
    """

    def __init__(self, graph: fx.Graph, weights: int, states: int, cast: torch.dtype | None):
        for node in graph.nodes:  # the gradient of a maximum fills in place what nobody else sees
            if node.target == aten.masked_fill_.Scalar and len(node.args[0].users) == 1 and _fresh(node.args[0]):
                node.target = aten.masked_fill.Scalar
        if any(_unfit(n) for n in graph.nodes):
            raise NotImplementedError
        _tidy(graph)
        if cast is not None:
            _halve(graph, cast)
        inputs = [n for n in graph.nodes if n.op == "placeholder"]
        own, arrays, gradients = inputs[:weights], inputs[weights : -states - 1], inputs[-states - 1 :]
        outs: Any = next(iter(reversed(graph.nodes))).args[0]
        results, of_weights, of_x, *of_state = outs[: states + 1], *_cut(outs[states + 1 :], weights)
        late = _after(graph, gradients)
        stacked: dict[Node, Node] = {}
        summed: dict[Node, None] = {}
        for of in of_weights:
            if of is not None:
                _part(graph, of, late, stacked, summed)
        varying, late = _after(graph, [*arrays, *gradients]), _after(graph, gradients)
        wanted = [*of_state, *([] if of_x is None else [of_x]), *stacked, *summed]
        forward, behind = _before(results) - late, _before(wanted)
        constants = [
            n for n in graph.nodes
            if n.op == "call_function" and n not in varying and any(u in varying or u.op == "output" for u in n.users)
        ]  # fmt: skip
        # Of what the steps ahead compute, what the steps back read.
        kept = [
            n for n in graph.nodes
            if n in varying and (n in forward or n in arrays) and n not in late
            and (n in wanted or any(u in behind and u not in forward for u in n.users))
        ]  # fmt: skip
        self.once = _made(own, constants)
        self.ahead = _made(
            [*constants, *own, *arrays[1 : 1 + states], arrays[0], *arrays[1 + states :]], [*results, *kept]
        )
        self.back = _made([*constants, *own, *kept, *gradients], wanted)
        self.end = _made([*constants, *own, *stacked.values(), *summed], of_weights)
        self.constants, self.kept, self.stacked, self.of_x = len(constants), len(kept), len(stacked), of_x is not None


def _cut(outs: Sequence[Any], weights: int) -> tuple[Any, ...]:
    return list(outs[:weights]), *outs[weights:]


def _fresh(node: Node) -> bool:
    """Whether its numbers are its own, and not a view of another's."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and all(r.alias_info is None for r in target._schema.returns)


def _unfit(node: Node) -> bool:
    """Whether what it does is more than to give a tensor for tensors, always the same."""
    if node.op in ("placeholder", "output"):
        return False
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return True
    return target._schema.is_mutable or torch.Tag.nondeterministic_seeded in target.tags


def _tidy(graph: fx.Graph) -> None:
    """Without what does nothing; and where parts of a tensor were taken, their gradients are put side by side, not each
    among zeros and all added up.
    """
    for node in list(graph.nodes):
        if node.target in (aten.detach.default, aten.alias.default):
            node.replace_all_uses_with(node.args[0])
    graph.eliminate_dead_code()
    for node in reversed(list(graph.nodes)):
        if node.target == aten.add.Tensor and node.users:
            parts = sorted(_parts(node), key=lambda p: p.args[3] if p else -1)
            sizes, dim = (parts[0].args[1:3]) if parts[0] else ([], 0)
            at = 0
            for p in parts:
                if not p or p.args[1:3] != (sizes, dim) or p.args[3] != at or p.args[5] != 1:
                    break
                at = min(p.args[4], sizes[dim])
            else:
                if at == sizes[dim]:
                    with graph.inserting_before(node):
                        joined = graph.call_function(aten.cat.default, ([p.args[0] for p in parts], dim))
                    joined.meta = node.meta
                    node.replace_all_uses_with(joined)
    graph.eliminate_dead_code()


def _halve(graph: fx.Graph, dtype: torch.dtype) -> None:
    """Products in half precision, and all else as it was: numbers of two kinds in one operation take it long."""
    done: dict[Node, Node] = {}

    def half(x: Node) -> Node:
        if x.target in TURNED:
            return graph.call_function(x.target, (half(x.args[0]), *x.args[1:]))
        if x not in done:
            done[x] = graph.call_function(aten._to_copy.default, (x,), {"dtype": dtype})
        return done[x]

    for node in list(graph.nodes):
        if node.target == aten.mm.default:
            exact = node.meta["tensor_meta"].dtype
            with graph.inserting_before(node):
                product = graph.call_function(aten.mm.default, tuple(half(a) for a in node.args))
                back = graph.call_function(aten._to_copy.default, (product,), {"dtype": exact})
            node.replace_all_uses_with(back)
    graph.eliminate_dead_code()


def _parts(node: Any) -> list[Any]:
    """The gradients of slices of which it is the sum; None among them where another is."""
    if isinstance(node, fx.Node) and node.target == aten.slice_backward.default:
        return [node]
    if isinstance(node, fx.Node) and node.target == aten.add.Tensor and len(node.args) == 2 and not node.kwargs:
        return _parts(node.args[0]) + _parts(node.args[1])
    return [None]


def _part(graph: fx.Graph, node: Node, late: set[Node], stacked: dict[Node, Node], summed: dict[Node, None]) -> None:
    """Where the sum over the steps is taken: as early as all that follows is linear."""
    target, args = node.target, node.args
    if target == aten.add.Tensor and not node.kwargs and all(a in late for a in args):
        for a in args:
            _part(graph, a, late, stacked, summed)
    elif (target in LINEAR or (target == aten._to_copy.default and args[0].target == aten.mm.default)) and args[
        0
    ] in late:
        _part(graph, args[0], late, stacked, summed)
    elif target == aten.mm.default and getattr(args[0], "target", None) in TURNED:
        turn, right = args
        for place in (turn.args[0], right):
            if place not in stacked:
                with graph.inserting_after(place):
                    stacked[place] = graph.call_function(aten.alias.default, (place,))
        with graph.inserting_before(node):
            first = graph.call_function(aten.t.default, (stacked[turn.args[0]],))
        node.args = (first, stacked[right])
    else:
        summed[node] = None


def _after(graph: fx.Graph, nodes: Iterable[Node]) -> set[Node]:
    """These and all that is computed from them."""
    found = set(nodes)
    for node in graph.nodes:
        if node.op == "call_function" and any(a in found for a in node.all_input_nodes):
            found.add(node)
    return found


def _before(nodes: Iterable[Any], given: Iterable[Node] = ()) -> set[Node]:
    """These and all that they are computed from; no further than what is given."""
    found, ahead, given = set(), list(nodes), set(given)
    while ahead:
        if (node := ahead.pop()) not in found:
            found.add(node)
            ahead += () if node in given else node.all_input_nodes
    return found


def _made(inputs: Sequence[Node], outputs: Sequence[Any]) -> Callable[..., Any]:
    """The function of inputs to outputs."""
    graph, needed = fx.Graph(), _before((o for o in outputs if o is not None), inputs)
    there = {n: graph.placeholder(n.name) for n in inputs}
    for node in next(iter(inputs)).graph.nodes if inputs else ():
        if node in needed and node not in there:
            there[node] = copy = graph.node_copy(node, there.__getitem__)
            name = node.target._opname
            if name in QUICK:  # the same, called with less ado
                copy.target = getattr(torch, name)
            if name == "slice" and len(node.args) == 4 and node.args[2] >= 0:
                width = node.meta["tensor_meta"].shape[node.args[1]]
                copy.target, copy.args = torch.narrow, (*copy.args[:3], width)
    graph.output(tuple(o if o is None else there[o] for o in outputs))
    return fx.GraphModule(torch.nn.Module(), graph).forward
