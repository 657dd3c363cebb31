"""What a nowcast is: the declaration of a target, its number today, and what moved it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from industrial_brain.domain.periods import Frequency


class Transformation(IntEnum):
    """How a series is made stationary: the codes of FRED-MD (McCracken and Ng 2016)."""

    LEVEL = 1
    DIFFERENCE = 2
    SECOND_DIFFERENCE = 3
    LOG = 4
    GROWTH = 5  # first difference of logs
    GROWTH_CHANGE = 6  # second difference of logs
    RATE_CHANGE = 7  # first difference of x[t]/x[t-1] - 1


@dataclass(frozen=True, slots=True)
class NowcastTarget:
    """The declaration of a nowcast: which series, from which others.

    Attributes:
        series: id of the target, quarterly or monthly.
        indicators: ids that may tell of it, in order; yearly ones and steps can't.
        most_related: how many of them to choose, by their relation to the target on the training data; None takes all.
        transformations: of the series that are named here; the others get theirs by rule (`models.nowcast.transform`).
        blocks: name of a further factor -> ids that load on it, beside the factor of all.
        factor_order: autoregressive order of the factors.
    """

    series: str
    indicators: tuple[str, ...]
    most_related: int | None = None
    transformations: Mapping[str, Transformation] = field(default_factory=dict)
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    factor_order: int = 1


class NewsKind(StrEnum):
    """Why a nowcast moved."""

    RELEASE = "release"  # a period's first value
    REVISION = "revision"  # another value for a period that had one
    REESTIMATION = "re-estimation"  # another version's parameters, on the same data


@dataclass(frozen=True, slots=True)
class News:
    """One reason why a nowcast moved; `impact` is in the target's unit, and all impacts add up to the move.

    Attributes:
        series, period: what was published; None for a re-estimation.
        measure: what `expected` and `actual` are: `growth` (of logs: 0.01 is about 1%), `difference`, `level`, ...; as
            published, with its season.
        expected: what the model thought beforehand; of a revision, the value before.
        actual: the value that came; None for one that was withdrawn.
        weight: impact of one unit of surprise: `impact = weight * (actual - expected)`.
    """

    kind: NewsKind
    impact: float
    series: str | None = None
    period: str | None = None
    measure: str | None = None
    expected: float | None = None
    actual: float | None = None
    weight: float | None = None


class Tense(StrEnum):
    """Where a period lies, seen from the moment of the answer."""

    BACK = "back"  # it is over, and not published yet
    NOW = "now"  # it is running
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class NowcastPeriod:
    """One period's number: `mean` in the target's unit, quantiles by probability as text (`"0.1"`).

    Where the target is taken in logs, `mean` is the mean of the logs taken back: the median.
    """

    period: str
    tense: Tense
    mean: float
    quantiles: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evolution:
    """The nowcast of one period as it stood at a moment, with the widest interval asked for."""

    as_of: dt.datetime
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class NowcastModelName:
    """Which version's parameters answered."""

    name: str
    version: int
    vintage: dt.datetime


@dataclass(frozen=True, slots=True)
class Nowcast:
    """A target's nowcast as of a moment, and the news since an earlier one.

    Attributes:
        period: label of the period that the top-level figures, `history` and `news` are about.
        periods: every period from the first unpublished one to the next one.
        last: label and value of the newest published period.
        vintage: the moment whose data answers.
        compare_to: the earlier moment; `before` is the number as it stood then.
        notes: treatments that a reader should know of.
    """

    target: str
    freq: Frequency
    unit: str
    period: str
    mean: float
    quantiles: Mapping[str, float]
    periods: tuple[NowcastPeriod, ...]
    last_period: str
    last_value: float
    history: tuple[Evolution, ...]
    compare_to: dt.datetime
    before: float
    news: tuple[News, ...]
    vintage: dt.datetime
    simulated: bool
    model: NowcastModelName
    model_before: NowcastModelName
    notes: tuple[str, ...]
