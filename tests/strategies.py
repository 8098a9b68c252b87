"""What hypothesis generates for the tests: small problems, shrunk when a law breaks on one."""

from __future__ import annotations

from hypothesis import strategies as st

from helo.laws import Case


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Sizes, a length a row, cuts and a seed; the simplest is one row of one step, uncut."""
    batch, time = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    lengths = draw(st.lists(st.integers(0, time), min_size=batch, max_size=batch))
    cuts = draw(st.sets(st.integers(1, time - 1), max_size=4)) if time > 1 else ()
    return Case(
        batch=batch,
        time=time,
        inputs=draw(st.integers(1, 6)),
        hidden=draw(st.integers(1, 8)),
        lengths=tuple(lengths),
        cuts=tuple(sorted(cuts)),
        seed=draw(st.integers(0, 1 << 20)),
    )
