"""The shapes of an explanation. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from industrial_brain.domain.periods import Frequency
from serving.schemas import ModelName, Moment, MomentIn, SeriesId


class ExplainIn(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    series: SeriesId
    horizon: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None, description="Periods ahead; each frequency has its own default and its own longest."
    )
    as_of: MomentIn | None = Field(default=None, description="Explain the newest version that saw nothing later.")


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False)


class HistoryOut(Out):
    start: str = Field(description="First period shown.")
    observed: list[float | None] = Field(description="Null: no value.")
    parts: dict[str, list[float | None]] = Field(description="Over the parts, they add up to `observed`.")


class MemberOut(Out):
    name: str
    weight: float
    mean: list[float] = Field(description="Its own forecast.")
    mase: list[float | None] = Field(description="Its error at each backtested origin, oldest first; null: not tried.")
    why: str


class StepErrorsOut(Out):
    horizon: int
    count: int = Field(description="Forecasts that an actual came for.")
    typical: float = Field(description="Median of the absolute errors, in the series' unit.")
    bias: float = Field(description="Mean of actual less forecast: above zero, forecasts were too low.")
    worst: float = Field(description="The error of largest size, signed.")
    worst_period: str
    relative_typical: float | None = Field(description="As a share of the actual; null where one is zero.")
    relative_bias: float | None
    relative_worst: float | None


class SimilarOut(Out):
    series: str
    distance: float
    mase: float | None
    horizon: int
    relative_typical: float | None
    relative_worst: float | None


class DataFlagOut(Out):
    kind: str = Field(description="break, unit, outlier, gap, constant, stale or revision.")
    period: str
    periods: int
    size: float
    words: str


class ExplanationOut(Out):
    series: str
    freq: Frequency
    unit: str
    start: str = Field(description="First period forecast; the others follow at `freq`.")
    mean: list[float]
    parts: dict[str, list[float]] = Field(description="Over the parts, they add up to `mean`.")
    history: HistoryOut
    members: list[MemberOut]
    past_errors: list[StepErrorsOut] = Field(description="How wrong forecasts of this series were, by horizon.")
    similar: list[SimilarOut] = Field(
        description="How wrong forecasts of series were that behave alike, nearest first."
    )
    flags: list[DataFlagOut] = Field(description="What is odd in the history.")
    method: str
    fallback: str | None
    notes: list[str]
    words: list[str] = Field(description="The most telling of it, in sentences.")
    model: ModelName
    vintage: Moment
    simulated: bool
