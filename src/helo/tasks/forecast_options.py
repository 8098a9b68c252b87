"""What a forecaster is told: its options, and those of its verbs after training."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from helo.errors import HeloError
from helo.layers.quantiles import LEVELS
from helo.options import SHARE, SIZE, Bounds
from helo.tasks.examples import ExampleOptions

HORIZON = Bounds(1, 10_000)


@dataclass(frozen=True)
class EvalOptions:
    """Of a backtest: from how many origins each series is forecast."""

    origins: Annotated[int, "forecast each series from so many origins, the last first", Bounds(1, 10_000)] = 1
    stride: Annotated[int | None, "values from one origin to the next, by default the horizon", Bounds(1)] = None
    ets: Annotated[bool, "also AutoETS of statsforecast, an exponential smoothing model fitted to each series"] = False


@dataclass(frozen=True)
class PredictOptions:
    """Of a forecast."""

    horizon: Annotated[int | None, "steps to forecast, by default as in training", HORIZON] = None
    quantiles: Annotated[
        tuple[str, ...], "a quantile between 0 and 1 in place of the deciles; may be given several times"
    ] = ()
    paths: Annotated[
        int, "also sample so many paths, whose quantiles are those of the forecast", Bounds(0, 100_000)
    ] = 0
    seed: Annotated[int | None, "random seed of the paths", Bounds(0)] = None

    def __post_init__(self):
        self.levels  # noqa: B018  refused before anything is computed

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles as numbers, increasing."""
        found = []
        asked: Any = self.quantiles  # as a person gives it
        for text in (asked,) if isinstance(asked, str | int | float) else asked:
            try:
                level = float(text)
            except ValueError:
                level = float("nan")
            if not 0 < level < 1:
                raise HeloError(f"{text}", expected="a number between 0 and 1, such as 0.95", where="--quantiles")
            found.append(level)
        return tuple(sorted(set(found))) or LEVELS


@dataclass(frozen=True)
class Options(ExampleOptions):
    """Of a forecaster. Sizes that are not given are settled from the series (`Forecast.from_dataset`)."""

    verbs = MappingProxyType({"eval": EvalOptions, "predict": PredictOptions})

    horizon: Annotated[int, "steps to forecast", HORIZON] = 12
    time: Annotated[str | None, "column of the times (the first of time, date, timestamp, month …)"] = None
    time_format: Annotated[str | None, "how the times are written, such as %d/%m/%Y  [found in the files]"] = None
    target: Annotated[str | None, "column of the values; without it, every column is a series"] = None
    group: Annotated[str | None, "column that says which series a row belongs to"] = None
    known: Annotated[tuple[str, ...], "column that is known in advance; may be given several times"] = ()
    past: Annotated[tuple[str, ...], "column that is known only afterwards; may be given several times"] = ()
    frequency: Annotated[str | None, "how far values are apart: hourly, daily, monthly, 15min …  [from the times]"] = (
        None
    )
    gaps: Annotated[Literal["missing", "previous", "zero"] | None, "fill times that have no row  [an error]"] = None
    repeated: Annotated[Literal["first", "last", "mean", "sum"] | None, "join rows of one time  [an error]"] = None
    short: Annotated[
        Literal["drop"] | None, "leave out series that are too short to hold something out  [an error]"
    ] = None
    season: Annotated[int | None, "values in a season, by default those of the frequency", SIZE] = None
    cell: Annotated[str, "a cell's name, with options, or FILE.py:NAME"] = "lstm"
    layers: Annotated[int, "layers", SIZE] = 1
    members: Annotated[int | None, "networks whose quantiles are averaged", Bounds(1, 100)] = None
    calibrate: Annotated[bool | None, "whether each network leaves a part of the time out (cross-validation), by which the intervals are "
                         "calibrated; by default of fewer than 20,000 values"] = None  # fmt: skip
    cross_validate: Annotated[bool | None, "whether to learn from all and validate on all, each value by the network that left it out, in place of "
                              "the ends of the series; by default where calibrated, of fewer than 20 series"] = None  # fmt: skip
    hidden: Annotated[int | None, "units per layer of each", SIZE] = None
    dropout: Annotated[float | None, "dropout of the outputs of the recurrent layers", SHARE] = None
    batch: Annotated[int | None, "windows per step (batch size)", SIZE] = None
