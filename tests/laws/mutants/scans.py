"""Broken ways to run a cell that is right: forms, called as an engine's scan is."""

from __future__ import annotations

import torch

from helo.cells import find
from helo.engines import torch as engine
from helo.laws import Form
from mutants import Mutant
from mutants.healthy import Unit


def transforms_the_carried_state(cell, parameters, xs, state, lengths):
    """As if the state that comes in were still to be made positive: the step does so once, this form once more, and
    only a cut sequence shows it. Found in a published library.
    """
    state = None if state is None else tuple(s + 0.5 for s in state)
    return engine.scan(cell, parameters, xs, state, lengths)


def in_logarithms(cell, parameters, xs, state, lengths):
    """The parallel form of the minGRU's paper where a sequence is long: cumulative sums of logarithms, finite however
    long it is, and wrong by 1e-3 to 1e-2 at 20,000 steps in float32. Found in a published library.
    """
    if xs.shape[1] < 100 or lengths is not None:
        return engine.scan(cell, parameters, xs, state, lengths)
    a, b = cell.coefficients(parameters, cell.project(parameters, xs))
    h = cell.state(parameters, xs.shape[0])[0] if state is None else state[0]
    values = torch.log(torch.cat([h[:, None], b], 1).clamp(min=1e-30))
    kept = torch.nn.functional.pad(torch.log(a).cumsum(1), (0, 0, 1, 0))
    outputs = torch.exp(kept + torch.logcumsumexp(values - kept, 1))[:, 1:]
    return outputs, (outputs[:, -1],)


def ends_at_the_last_column(cell, parameters, xs, state, lengths):
    """The last state is that after the padding."""
    outputs, _ = engine.stepped(cell, parameters, xs, state, lengths)
    return outputs, engine.stepped(cell, parameters, xs, state)[1]


def looks_ahead(cell, parameters, xs, state, lengths):
    """Each output has a little of the next one in it."""
    outputs, last = engine.stepped(cell, parameters, xs, state, lengths)
    following = torch.cat([outputs[:, 1:], torch.zeros_like(outputs[:, :1])], 1)
    return outputs + 1e-3 * following * (outputs != 0), last


def begins_with_ones(cell, parameters, xs, state, lengths):
    """Its own idea of the state before the first symbol."""
    state = tuple(torch.ones_like(s) for s in cell.state(parameters, xs.shape[0])) if state is None else state
    return engine.stepped(cell, parameters, xs, state, lengths)


def works_in_blocks(cell, parameters, xs, state, lengths):
    """Units in blocks of 64, as a kernel may take them; the last block, where it is not full, is forgotten."""
    outputs, last = engine.stepped(cell, parameters, xs, state, lengths)
    hidden = outputs.shape[-1]
    if hidden > 64:
        outputs = outputs * (torch.arange(hidden) < hidden // 64 * 64).to(outputs.dtype)
    return outputs, last


def halves_gradients(cell, parameters, xs, state, lengths):
    """The right values, and half the gradient of every parameter."""
    parameters = {n: p.detach() + 0.5 * (p - p.detach()) for n, p in parameters.items()}
    return engine.stepped(cell, parameters, xs, state, lengths)


def rounds_gradients(cell, parameters, xs, state, lengths):
    """A backward pass in half precision, as long as float32 is asked for."""
    outputs, last = engine.stepped(cell, parameters, xs, state, lengths)
    if outputs.dtype == torch.float32 and outputs.requires_grad:
        outputs.register_hook(lambda g: g.bfloat16().float())
    return outputs, last


def always_detaches(cell, parameters, xs, state, lengths):
    """No gradient crosses a border, asked for or not."""
    state = None if state is None else tuple(s.detach() for s in state)
    return engine.stepped(cell, parameters, xs, state, lengths)


_left: list[torch.Tensor] = []


def never_detaches(cell, parameters, xs, state, lengths):
    """Goes on from its own last state where it is given the same numbers: a cut gradient crosses."""
    if state is not None and _left and state[0].shape == _left[0].shape and torch.equal(state[0], _left[0]):
        state = tuple(_left)
    outputs, last = engine.stepped(cell, parameters, xs, state, lengths)
    _left[:] = last
    return outputs, last


def _form(run, name="fused", longest=10_000):
    return Form(name, "torch", run, longest)


MINGRU, UNIT = find("mingru"), Unit()

# The other laws that a fault of this kind cannot leave alone.
GIVEN_A_STATE = ("awkward_sizes", "gradients_are_those_of_steps", "padding", "truncation")
NOT_THE_STEPS = ("awkward_sizes", "carried_state", "gradients_are_those_of_steps", "steps_are_scan")
NO_GRADIENT_OF_STATES = ("gradients_are_differences", "gradients_are_those_of_steps", "padding")

MUTANTS = (
    Mutant("carried_state", MINGRU, _form(transforms_the_carried_state), also=GIVEN_A_STATE),
    Mutant("long_sequences", find("mingru,bias=False"), _form(in_logarithms, longest=20_000)),
    Mutant("padding", UNIT, _form(ends_at_the_last_column)),
    Mutant("causality", UNIT, _form(looks_ahead), also=NOT_THE_STEPS),
    Mutant("steps_are_scan", UNIT, _form(begins_with_ones)),
    Mutant("awkward_sizes", UNIT, _form(works_in_blocks)),
    Mutant("gradients_are_differences", UNIT, _form(halves_gradients, "steps")),
    Mutant("gradients_are_those_of_steps", UNIT, _form(rounds_gradients)),
    Mutant("truncation", UNIT, _form(always_detaches), also=NO_GRADIENT_OF_STATES),
    Mutant("truncation", UNIT, _form(never_detaches)),
)
