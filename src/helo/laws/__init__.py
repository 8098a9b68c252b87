"""What holds for every cell: plain functions, run by the tests and, on anybody's cell, by `helo check`. What holds for
every task over examples is in `helo.laws.tasks`.

laws.names()                         the laws
laws.check("lstm")                   a list of results, one a law, instance and form
laws.check_functions()               the same for the functions that cells are written with
laws.LAWS["carried_state"](cell, form, "float32", case)      one law once; raises Broken
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from helo import cells
from helo.cells import Cell
from helo.cells import functions as cells_functions
from helo.laws import contract, functions, gradients, values
from helo.laws.base import DTYPES, LAWS, Broken, Case, Law, cases
from helo.laws.forms import Form, forms

__all__ = [
    "DTYPES", "LAWS", "Broken", "Case", "Form", "Law", "Result", "cases", "check", "check_functions", "forms",
    "instances", "label", "names", "subjects",
]  # fmt: skip

ROOMS = (values, gradients, contract)  # whose laws importing them has put into LAWS


@dataclass(frozen=True)
class Result:
    """What came of a law on one instance and one form.

    status: "held"; "broken", and message says with which numbers; "excepted", and message is the reason that the cell
    gives; "not tried", and message says what is missing. difference: the largest found, of what is `allowed` there.
    """

    law: str
    instance: str
    form: str
    status: Literal["held", "broken", "excepted", "not tried"]
    message: str = ""
    difference: float = 0.0
    allowed: float = 0.0
    seconds: float = 0.0


def names() -> list[str]:
    """The laws of cells, in the order in which they are tried."""
    return list(LAWS)


def label(cell: Cell) -> str:
    """A cell as one would type it: `lstm`, `rnn,nonlinearity=relu`; for one from outside, its class's name."""
    kind = type(cell)
    name = kind.__module__.rpartition(".")[2] if kind.__module__.startswith("helo.cells.") else kind.__name__
    fields = dataclasses.fields(cell) if dataclasses.is_dataclass(cell) else ()
    changed = [f"{f.name}={getattr(cell, f.name)}" for f in fields if getattr(cell, f.name) != f.default]
    return ",".join([name, *changed])


def instances(cell: str | Cell) -> list[Cell]:
    """What a cell is tried as: the instances that it names itself, or the one that is given or specified by options."""
    if isinstance(cell, Cell):
        return [cell]
    found = cells.find(cell)
    return [found] if "," in cell else [type(found)(**options) for options in found.instances]


def subjects(law: Law, cell: Cell, of: Sequence[Form] | None = None) -> Iterator[tuple[Form, str]]:
    """The forms and dtypes that a law is tried on. of: these forms in place of those that the engines have."""
    for form in forms(cell) if of is None else of:
        for dtype in DTYPES:
            if law.where(cell, form, dtype):
                yield form, dtype


def check(
    cell: str | Cell,
    on_result: Callable[[Result], None] | None = None,
    *,
    seed: int = 0,
    of: Sequence[Form] | None = None,
    only: Collection[str] | None = None,
) -> list[Result]:
    """Hold a cell to the laws: each, on every instance, form and dtype, over a few cases made from the seed.

    cell: what `cells.find` takes, tried as the instances that its class names; or one Cell, tried as it is.
    of: forms in place of the engines' own. only: names of laws. on_result: called with each result as it comes.
    """
    results: list[Result] = []

    def add(result: Result) -> None:
        results.append(result)
        if on_result is not None:
            on_result(result)

    tried = instances(cell)
    exceptions = tried[0].exceptions
    whole = tried == [type(tried[0])(**options) for options in tried[0].instances]
    for name in sorted(set(exceptions) - set(LAWS)):
        add(
            Result(
                name, label(tried[0]), "", "broken", f"the cell excepts it and there is no such law: {', '.join(LAWS)}"
            )
        )
    for law in LAWS.values():
        if only is not None and law.name not in only:
            continue
        excepted = law.name in exceptions
        broken = 0
        for one in tried:
            for form, dtype in subjects(law, one, of):
                result = _try(law, one, form, dtype, seed)
                if excepted and result.status == "broken":
                    result = dataclasses.replace(result, status="excepted", message=exceptions[law.name])
                    broken += 1
                add(result)
        if excepted and whole and not broken:
            message = f"holds after all; take the exception away ({exceptions[law.name]})"
            add(Result(law.name, label(tried[0]), "", "broken", message))
    return results


def check_functions(on_result: Callable[[Result], None] | None = None) -> list[Result]:
    """Hold the functions of cells/functions.py to their formulas; instance is the function's name."""
    results = []
    for name in functions.names():
        for dtype in DTYPES:
            begun, allowed = time.perf_counter(), functions.FORWARD[dtype]
            try:
                off = functions.right_at_extremes(name, getattr(cells_functions, name), dtype)
                result = Result("right_at_extremes", name, dtype, "held", "", off, allowed)
            except Broken as broken:
                result = Result("right_at_extremes", name, dtype, "broken", broken.sentence)
            results.append(dataclasses.replace(result, seconds=time.perf_counter() - begun))
            if on_result is not None:
                on_result(results[-1])
    return results


def _try(law: Law, cell: Cell, form: Form, dtype: str, seed: int) -> Result:
    made = Result(law.name, label(cell), f"{form.name}-{dtype}", "held")
    if missing := form.missing or law.missing:
        return dataclasses.replace(made, status="not tried", message=missing)
    begun, worst = time.perf_counter(), (0.0, 0.0)
    try:
        for case in cases(seed, max(law.cases, 1)):
            worst = max(worst, law(cell, form, dtype, case), key=lambda w: w[0] / (w[1] or 1))
    except Broken as broken:
        made = dataclasses.replace(made, status="broken", message=broken.sentence)
    return dataclasses.replace(made, difference=worst[0], allowed=worst[1], seconds=time.perf_counter() - begun)
