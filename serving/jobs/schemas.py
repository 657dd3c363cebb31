"""What comes in and goes out where jobs are about."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from industrial_brain.domain.errors import InputError
from serving.schemas import (
    JOB_SERIES,
    JOB_VALUES,
    AdhocColumns,
    AdhocRow,
    AdhocRows,
    AdhocSizes,
    FailedOut,
    FaultOut,
    ForecastOut,
    ForecastsIn,
    In,
    Moment,
    MomentIn,
    Out,
    PageOut,
    Paging,
    PathCount,
    PeriodIn,
    SeriesFilter,
    SeriesId,
    ValueIn,
    distinct,
)

#: rows that a job's body may hold; columns hold more in less memory
JOB_ROWS = 500_000

#: origins of one backtest, and days between two of them, at most
MOST_ORIGINS, LONGEST_PAUSE = 24, 3660


class JobForecastsIn(ForecastsIn):
    """A question about stored series, of any number."""

    paths: PathCount | None = Field(default=None, description="Not in a job: POST /v1/forecasts answers with paths.")

    @field_validator("paths")
    @classmethod
    def _no_paths(cls, paths: int | None) -> int | None:
        if paths is not None:
            raise ValueError(
                "A job answers with no sample paths, which would be too many: leave `paths` out, or ask "
                "POST /v1/forecasts for some of the series."
            )
        return paths


class JobRows(AdhocRows):
    """Series to fit, as a long frame of rows."""

    rows: list[AdhocRow] = Field(min_length=1, max_length=JOB_ROWS)


class JobColumns(AdhocColumns):
    """Series to fit, as a long frame of columns."""

    unique_id: list[SeriesId] = Field(min_length=1, max_length=JOB_VALUES)
    ds: list[PeriodIn] = Field(max_length=JOB_VALUES)
    y: list[ValueIn] = Field(max_length=JOB_VALUES)


class JobSizes(AdhocSizes):
    """Series to fit, without names or dates: one behind the other, counted in steps from 0."""

    sizes: list[Annotated[int, Field(strict=True, ge=0, le=JOB_VALUES)]] = Field(min_length=1, max_length=JOB_SERIES)
    y: list[ValueIn] = Field(max_length=JOB_VALUES)


class BacktestsIn(In):
    """A track record to make: at which origins, and of which series (all, unless given)."""

    as_of: Annotated[list[MomentIn], AfterValidator(distinct)] = Field(
        default_factory=list, max_length=MOST_ORIGINS, description="The origins; else `origins` and `every` say them."
    )
    origins: Annotated[int, Field(strict=True, ge=1, le=MOST_ORIGINS)] = Field(
        default=3, description="How many origins; the newest is a year ago."
    )
    every: Annotated[int, Field(strict=True, ge=1, le=LONGEST_PAUSE)] = Field(
        default=182, description="Days between two origins."
    )
    series: Annotated[list[SeriesId], AfterValidator(distinct)] = Field(default_factory=list, min_length=1)
    filter: SeriesFilter = Field(default=SeriesFilter(), description="The keys of GET /v1/indicators.")
    by_series: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Keep figures of each series too."
    )

    @model_validator(mode="after")
    def _one_way_of_naming(self) -> BacktestsIn:
        if {"series", "filter"} <= self.model_fields_set:
            raise ValueError("Name the series either by `series` or by `filter`.")
        return self

    def require_past(self, now: dt.datetime) -> None:
        """Raises InputError: an origin has not passed yet."""
        for place, origin in enumerate(self.as_of):
            if origin >= now:
                raise InputError(
                    "An origin must lie in the past.", "Give moments that have passed.", pointer=f"/as_of/{place}"
                )

    def moments(self, now: dt.datetime) -> list[dt.datetime]:
        """The origins, oldest first."""
        if self.as_of:
            return sorted(self.as_of)
        newest = now - dt.timedelta(days=365)
        return [newest - dt.timedelta(days=self.every * back) for back in range(self.origins)][::-1]


class ProgressOut(Out):
    done: int = Field(description="Series that are done; of a backtest, partitions of its origins.")
    total: int | None = Field(description="Of how many; null before that is known.")
    per_second: float | None = Field(description="In this attempt; null before it can be said.")
    eta_seconds: float | None = Field(description="Until all are done, at this rate.")


class CountsOut(Out):
    forecast: int = 0
    fallback: int = 0
    failed: int = 0


class JobOut(Out):
    id: str
    kind: Literal["forecast", "backtest"]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    expires_at: Moment | None = Field(description="When the job and its results are deleted.")
    attempts: int = Field(description="How often it was begun; more than once where a process or a server was lost.")
    progress: ProgressOut
    counts: CountsOut = Field(description="What became of the series.")
    reason: str | None = Field(description="Why it failed, or was begun again.")
    errors: list[FaultOut] = Field(description="What is wrong with the request, if that is the reason.")


class JobPage(PageOut[JobOut]):
    pass


class JobForecastsQuery(Paging):
    format: Literal["json", "csv", "parquet"] = Field(
        default="json", description="Pages of JSON; or all results as one file, a row a series and period."
    )


class JobForecastsOut(Out):
    forecasts: list[ForecastOut]
    failed: list[FailedOut]
    next_page_token: str | None = Field(description="Continues the results; null on the last page.")
    total: int = Field(description="Series of the job; forecasts and failed share the pages, in the order asked.")


class ScoresOut(Out):
    slice: str = Field(description="Empty for all; else `tier.district`, `frequency.M`, ..., steps ahead `step.M.3`.")
    series: int = Field(description="Forecasts, over all origins.")
    scored: int = Field(description="Those with an actual by now.")
    mase: float | None
    naive_mase: float | None = Field(description="The seasonal naive's, on the same periods.")
    coverage80: float | None
    coverage95: float | None


class BacktestOut(JobOut):
    scores: list[ScoresOut] | None = Field(description="Null until it is done.")


class SeriesScoresOut(Out):
    series: str
    as_of: Moment
    mase: float | None
    naive_mase: float | None
    coverage80: float | None
    coverage95: float | None


class SeriesScoresPage(PageOut[SeriesScoresOut]):
    pass


class RemarkOut(Out):
    series: str
    as_of: Moment
    outcome: Literal["failed", "fallback"]
    reason: str


class RemarkPage(PageOut[RemarkOut]):
    pass
