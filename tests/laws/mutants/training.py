"""Parts of a training, each broken on purpose; none of them shows in a loss that falls."""

from __future__ import annotations

import dataclasses

from training_laws import Parts

from helo.training.loop import Training
from helo.training.machine import Machine
from helo.training.optimiser import Optimiser


class ForgetsItsState(Training):
    """Each chunk begins anew."""

    def step(self):
        self.state = None
        return super().step()


class ExchangesNothing(Machine):
    """Each process learns from its own share alone."""

    def add(self, *given, **more):
        return Machine(self.device, 0, 1).add(*given, **more)


class TakesAllForOneMap(Optimiser):
    """Gates are made orthogonal together: the one with the largest gradient is heard, the others hardly."""

    def __init__(self, parameters, options, precision, slower=None, blocks=None):
        super().__init__(parameters, options, precision, slower)


class NeverDecays(Optimiser):
    def __init__(self, parameters, options, *more):
        super().__init__(parameters, dataclasses.replace(options, weight_decay=0.0), *more)


#: By the law that a fault is planted for: what is put in place, and the laws that cannot hold either.
MUTANTS = {
    "steps_are_plain": (Parts(training=ForgetsItsState), set()),
    "processes_are_one": (Parts(machine=ExchangesNothing), set()),
    "maps_learn_apart": (Parts(optimiser=TakesAllForOneMap), {"steps_are_plain"}),
    "weights_decay": (Parts(optimiser=NeverDecays), {"steps_are_plain"}),
}
