"""Times of tables: read as people write them, recognised, and counted on."""

from __future__ import annotations

import numpy as np
import pytest

from helo.data import times
from helo.data.times import Clock
from helo.errors import HeloError


@pytest.mark.parametrize(
    ("first", "frequency", "third"),
    [("2020-01", "monthly", "2020-03"), ("2020", "yearly", "2022"), ("1970 Q1", "quarterly", "1970 Q3"), ("Q4 1999", "quarterly", "Q2 2000"), ("2020-02-28", "daily", "2020-03-01"),
     ("2020-01-31", "monthly", "2020-03-31"), ("2020-01-03 23:00", "hourly", "2020-01-04 01:00"), ("2020-01-03", "business", "2020-01-07"),
     ("2020/12/30", "weekly", "2021/01/13"), ("2020-01-01T00:00:00", "15min", "2020-01-01T00:30:00"), ("7", "steps", "9")],
)  # fmt: skip
def test_times_are_counted_on_as_they_are_written(first, frequency, third):
    found, style = times.parse([first], ["x:1"], "t")
    clock = Clock(frequency, style, found[0])
    assert clock.text(0) == first
    assert clock.text(2) == third
    many = clock.at(np.arange(60))
    assert times.recognised(many) == frequency
    assert (clock.index(many) == np.arange(60)).all()


@pytest.mark.parametrize(
    ("style", "frequency", "known"),
    [("%d.%m.%Y", "daily", None), ("%y/%m/%d", "daily", None), ("%Y-%m-%d %I:%M %p", "hourly", None), ("%Y%m", "monthly", None), ("%s", "30s", None), ("%m/%d/%Y", "daily", None), ("%d/%m/%Y", "monthly", None), ("%m/%d/%y", "monthly", None), ("%d/%m/%Y", "business", None),
     ("%Y%m%d", "weekly", None), ("%b %Y", "monthly", None), ("%b-%y", "monthly", None), ("%d-%b-%Y", "daily", None), ("%B %d, %Y", "daily", None),
     ("%m/%Y", "monthly", None), ("%YM%m", "monthly", None), ("%G-W%V", "weekly", None), ("%m/%d/%Y %I:%M %p", "hourly", None),
     ("%d.%m.%Y, %H:%M:%S", "15min", None), ("%s", "hourly", None), ("%s000", "5min", None), ("%s", "secondly", "secondly")],
)  # fmt: skip
def test_times_are_read_as_people_write_them(style, frequency, known):
    clock = Clock(frequency, style, np.datetime64("2024-01-01", "s"))
    texts = [clock.text(i) for i in range(60)]
    found, said = times.parse(texts, texts, "t", known)
    assert said == style
    assert (found == clock.at(np.arange(60))).all()
    assert times.recognised(found) == frequency


def test_days_that_could_be_months_are_asked_for():
    first_days = [f"{day:02d}/01/2024" for day in range(1, 11)]
    with pytest.raises(
        HeloError,
        match=r"^2: '02/01/2024' in the column 't', which is 2024-01-02 or 2024-02-01; .*--time-format '%d/%m/%Y' or '%m/%d/%Y' says which$",
    ):
        times.parse(first_days, [str(i) for i in range(1, 11)], "t")
    assert times.parse(first_days, first_days, "t", None, "%m/%d/%Y")[0][1] == np.datetime64("2024-02-01")
    assert times.parse(["2024-02-01"], ["1"], "t", None, "%m/%d/%Y")[0][0] == np.datetime64(
        "2024-02-01"
    )  # written otherwise now
    found, style = times.parse(first_days, first_days, "t", "daily")  # a run knows its frequency
    assert style == "%d/%m/%Y"
    assert found[1] == np.datetime64("2024-01-02")
    assert times.parse(["01/01/2024"], ["1"], "t")[0] == np.datetime64("2024-01-01")


@pytest.mark.parametrize(
    ("texts", "at"),
    [(["31.01.2024", "32.01.2024"], 2), (["01/31/2024", "31/01/2024"], 2), (["31.01.2024", "01.02.2024 10:00"], 2), (["2024-13-01"], 1), (["2024111"] * 2, None), (["1st of May"], 1), (["2023-W53", "2024-W01"], 1), (["31.01.2024", ""], 2)],
)  # fmt: skip
def test_no_times(texts, at):
    if at is None:
        assert times.parse(texts, texts, "t")[1] == times.STEPS
        return
    with pytest.raises(HeloError, match=rf"^{at}: .* in the column 't'; expected a time (as|such as) "):
        times.parse(texts, [str(i) for i, _ in enumerate(texts, 1)], "t")


def test_numbers_of_rows_are_no_seconds_since_1970():
    ids = [str(1_700_000_000 + i) for i in range(20)]
    assert times.parse(ids, ids, "t")[1] == times.STEPS
    hours = [str(1_700_000_000 + 3600 * i) for i in range(20)]
    assert times.parse(hours, hours, "t", "steps")[1] == times.STEPS
    assert times.parse(hours, hours, "t")[0][0] == np.datetime64("2023-11-14T22:13:20")


@pytest.mark.parametrize(
    ("said", "frequency"),
    [
        ("H", "hourly"),
        ("10_minutes", "10min"),
        ("half_hourly", "30min"),
        ("3 months", "quarterly"),
        ("4_seconds", "4s"),
    ],
)
def test_a_frequency_has_many_spellings(said, frequency):
    assert times.frequency(said) == frequency


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("hourly", 24), ("daily", 7), ("weekly", 1), ("monthly", 12), ("quarterly", 4), ("yearly", 1), ("30min", 48)],
)
def test_seasons(frequency, season):
    assert times.season(frequency) == season
