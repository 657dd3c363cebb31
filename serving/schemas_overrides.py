"""The shapes of overrides and of their value added. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from industrial_brain.domain.overrides import OverrideState
from industrial_brain.domain.overriding import LONGEST_REASON
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.value_added import Actual
from serving.schemas import Moment, MomentIn, PageOut, Paging, PeriodIn, SeriesId, Text


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False)


_Number = Annotated[float, Field(strict=True)]


class ChangeIn(In):
    add: _Number | None = Field(default=None, description="What to add to the forecast, in its unit.")
    multiply: _Number | None = Field(default=None, description="What to multiply the forecast by.")

    @model_validator(mode="after")
    def _one_of_two(self) -> ChangeIn:
        if (self.add is None) == (self.multiply is None):
            raise ValueError("Write either {'add': x} or {'multiply': f}.")
        return self


class OverrideIn(In):
    series: SeriesId
    start: PeriodIn = Field(description="First period: 2026-05-01, 2026-05, 2026Q2.")
    values: Annotated[list[_Number], Field(min_length=1, max_length=366)] | None = Field(
        default=None, description="What the series shall be, one value a period."
    )
    change: ChangeIn | None = Field(default=None, description="What the forecast shall be changed by, instead.")
    periods: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None, description="With `change`: over so many periods; 1 unless given."
    )
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, pattern=r"^[^\x00]*$")
    expires: str = Field(max_length=40, description="A moment (RFC 3339), or a period, at whose end it expires.")

    @model_validator(mode="after")
    def _one_way_of_saying(self) -> OverrideIn:
        if (self.values is None) == (self.change is None):
            raise ValueError("Say what the series shall be either by `values` or by `change`.")
        if self.values is not None and self.periods is not None:
            raise ValueError("`periods` goes with `change`; `values` are as many periods as they are.")
        return self


class OverridesQuery(Paging):
    series: Text | None = None
    author: Text | None = None
    state: OverrideState | None = None
    as_of: MomentIn | None = Field(default=None, description="As they stood at this moment; now, unless given.")


class AsOfQuery(In):
    as_of: MomentIn | None = Field(default=None, description="As it stood at this moment; now, unless given.")


class ValueAddedQuery(AsOfQuery):
    actual: Actual = Field(default=Actual.FIRST, description="Actuals as first published, or as known latest.")


class StatisticalOut(Out):
    """The forecast that stood when the override was made."""

    mean: list[float]
    low: list[float] = Field(description="Ends of the central 80% interval.")
    high: list[float]
    version: int
    vintage: Moment


class ScoreOut(Out):
    actual: Actual
    periods: int = Field(description="Periods that have an actual.")
    statistical_mae: float
    override_mae: float
    value_added: float = Field(description="How much smaller the override's error is, in the series' unit.")
    relative: float | None = Field(description="As a share of the statistical error; null where that is zero.")
    points: float | None = Field(description="In percentage points of the actual; null where that is zero.")
    inside: int = Field(description="Periods whose actual lay in the statistical 80% interval.")


class OverrideOut(Out):
    id: str
    series: str
    freq: Frequency
    start: str = Field(description="First period; the others follow at `freq`.")
    values: list[float]
    change: str = Field(description="How the values were given: `set`, `add 5`, `multiply 1.1`.")
    author: str
    reason: str
    created_at: Moment
    expires_at: Moment
    state: OverrideState
    withdrawn_at: Moment | None
    withdrawn_by: str | None
    statistical: StatisticalOut


class ScoredOverrideOut(OverrideOut):
    scores: list[ScoreOut] = Field(description="Once there is an actual: by the first published, and by the latest.")


class OverridePage(PageOut[OverrideOut]):
    pass


class ValueAddedOut(Out):
    group: str
    count: int
    better: int = Field(description="Overrides that came closer to the actual than the statistical forecast.")
    worse: int
    relative: float | None = Field(description="One less the ratio of the errors, each in units of its actual.")
    points: float | None = Field(description="Mean value added, in percentage points of the actual.")
    p_value: float = Field(description="Of the two-sided sign test: how often chance alone would be as lopsided.")
    verdict: str = Field(description="adds value, costs value, or not proven.")


class ValueAddedReport(Out):
    as_of: Moment
    actual: Actual
    all: ValueAddedOut
    by_author: list[ValueAddedOut]
    by_sector: list[ValueAddedOut]
    by_direction: list[ValueAddedOut]
