"""Why a forecast is what it is: its parts, who made it, how wrong that was before, and what is odd about the data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from industrial_brain.domain.periods import Frequency


@dataclass(frozen=True, slots=True)
class DataFlag:
    """Something odd in a history that a reader should know of before believing a forecast.

    Attributes:
        kind: `break`, `unit`, `outlier`, `gap`, `constant`, `stale` or `revision`.
        period: label of the period where it is, or begins.
        periods: how many periods it covers.
        size: how large, in the series' unit; for `unit` the factor, for `gap`, `constant` and `stale` the periods.
        words: one sentence.
    """

    kind: str
    period: str
    periods: int
    size: float
    words: str


@dataclass(frozen=True, slots=True)
class History:
    """The recent past and its parts, which add up to `observed`. None where a period has no value."""

    start: str
    observed: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class MemberEvidence:
    """One member of the ensemble: what it forecasts by itself, how wrong it was, and why it has its weight.

    Attributes:
        mase: at each backtested origin, oldest first; None where it was not tried.
    """

    name: str
    weight: float
    mean: tuple[float, ...]
    mase: tuple[float | None, ...]
    why: str


@dataclass(frozen=True, slots=True)
class StepErrors:
    """How wrong forecasts of one horizon were, over the backtest's origins. Relative to the actual, as shares.

    Attributes:
        horizon: periods ahead.
        count: forecasts that an actual came for.
        typical: median of the absolute errors.
        bias: mean error, actual less forecast: above zero, forecasts were too low.
        worst: the error of largest size, signed, and the period that it was made for.
        relative: `typical`, `bias`, `worst` as shares of the actual; None where an actual is zero.
    """

    horizon: int
    count: int
    typical: float
    bias: float
    worst: float
    worst_period: str
    relative_typical: float | None
    relative_bias: float | None
    relative_worst: float | None


@dataclass(frozen=True, slots=True)
class SimilarSeries:
    """A series that behaves alike, and how wrong its forecasts were: MASE over the backtest, shares at `horizon`."""

    series: str
    distance: float
    mase: float | None
    horizon: int
    relative_typical: float | None
    relative_worst: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that a version knows about why it forecasts what it does for one series.

    Attributes:
        start: label of the first period forecast.
        mean: the answer.
        parts: name of a part to one value a period; over the parts, they add up to `mean`.
        past_errors: of this series, by horizon.
        words: the past errors and the largest parts, in sentences.
    """

    series: str
    freq: Frequency
    unit: str
    start: str
    mean: tuple[float, ...]
    parts: Mapping[str, tuple[float, ...]]
    history: History
    members: tuple[MemberEvidence, ...]
    past_errors: tuple[StepErrors, ...]
    similar: tuple[SimilarSeries, ...]
    flags: tuple[DataFlag, ...]
    method: str
    fallback: str | None
    notes: tuple[str, ...]
    words: tuple[str, ...]
    vintage: dt.datetime
    simulated: bool
