"""What comes in and what goes out, as the OpenAPI document shows it. Unknown fields are refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from industrial_brain.domain.city import ClusterClass, Sector, Tier
from industrial_brain.domain.indicators import Aggregation
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import Change

T = TypeVar("T")

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def _read_moment(given: object) -> dt.datetime:
    if not isinstance(given, str) or not _RFC_3339.fullmatch(given):
        raise ValueError("Write a moment as in 2026-01-31T08:00:00Z (in a query, + is written %2B).")
    try:
        return dt.datetime.fromisoformat(given.upper()).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("There is no such moment in the calendar.") from error


def _as_utc(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC)


#: a moment that a caller writes
MomentIn = Annotated[
    dt.datetime,
    BeforeValidator(_read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "RFC 3339, with an offset."}),
]
#: a moment that we write, as UTC with a Z
Moment = Annotated[dt.datetime, AfterValidator(_as_utc)]

_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
#: text to look for; control characters are in no name, and PostgreSQL refuses some
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_CONTROLS)]
#: id of a series
SeriesId = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_CONTROLS)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False)


class Paging(In):
    page_size: int = Field(default=100, ge=1, le=1000)
    page_token: str | None = Field(default=None, max_length=1000, description="`next_page_token` of the page before.")


class PageOut(Out, Generic[T]):
    items: list[T]
    next_page_token: str | None = Field(description="Continues the listing; null on the last page.")
    total: int = Field(description="All that match, on whatever page.")


class RegionsQuery(Paging):
    tier: Tier | None = None
    parent: Text | None = Field(default=None, description="Code of the region that contains it.")
    q: Text | None = Field(default=None, description="Part of a name or code.")


class RegionOut(Out):
    code: str
    name: str
    name_en: str
    tier: Tier
    parent: str | None
    longitude: float | None
    latitude: float | None
    simulated: bool


class RegionPage(PageOut[RegionOut]):
    pass


class ClustersQuery(Paging):
    cluster_class: ClusterClass | None = None
    q: Text | None = Field(default=None, description="Part of a name or code.")


class ClusterOut(Out):
    code: str
    name: str
    name_en: str
    cluster_class: ClusterClass


class ClusterPage(PageOut[ClusterOut]):
    pass


class SeriesFilter(In):
    """Which series: all conditions hold at once; without any, all series."""

    indicator: Text | None = None
    region: Text | None = None
    tier: Tier | None = None
    cluster: Text | None = None
    sector: Sector | None = None
    frequency: Frequency | None = None
    simulated: bool | None = None
    q: Text | None = Field(default=None, description="Part of an id or name.")


class SeriesQuery(SeriesFilter, Paging):
    pass


class SeriesOut(Out):
    id: str
    indicator: str | None
    name: str
    unit: str
    frequency: Frequency
    region: str | None
    tier: Tier | None
    cluster: str | None
    sector: Sector | None
    aggregation: Aggregation
    simulated: bool


class SeriesPage(PageOut[SeriesOut]):
    pass


class ObservationsQuery(Paging):
    as_of: MomentIn | None = Field(default=None, description="What was known at this moment; now, unless given.")


class ObservationOut(Out):
    period: str = Field(description="First day (or hour, or step) of the period.")
    value: float
    known_at: Moment
    source: str
    simulated: bool
    revised: bool = Field(description="Whether another value of this period was known before.")


class ObservationsOut(Out):
    series: str
    unit: str
    frequency: Frequency
    as_of: Moment
    items: list[ObservationOut]
    next_page_token: str | None = Field(description="Goes on as of the same moment; null on the last page.")


Level = Annotated[float, Field(gt=0, le=99, strict=True)]


def distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("It holds the same entry twice.")
    return values


_DISTINCT: dict[str, Any] = {"uniqueItems": True}


#: sample paths of a series, and values of all paths together, that one request may ask for
MOST_PATHS, MOST_PATH_VALUES = 1000, 2_000_000

PathCount = Annotated[int, Field(strict=True, ge=1, le=MOST_PATHS)]


Figure = Annotated[float, Field(strict=True, ge=-1e15, le=1e15)]


class ChangeIn(In):
    """What is to be different about a covariate: times `multiply`, plus `add`; or `values`, one a period."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    add: Figure | None = Field(default=None, description="In the covariate's own unit: `2` is two degrees more.")
    multiply: Figure | None = Field(default=None, description="`0.9` is ten percent less.")
    values: Annotated[list[Figure], Field(min_length=1, max_length=366)] | None = Field(
        default=None, description="One for each period that is forecast, in the place of what is expected."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> ChangeIn:
        given = [name for name in ("add", "multiply", "values") if getattr(self, name) is not None]
        if not given or ("values" in given and len(given) > 1):
            raise ValueError("Give `add`, `multiply` or both; or `values` alone.")
        return self

    def change(self) -> Change:
        return Change(
            add=0.0 if self.add is None else self.add,
            multiply=1.0 if self.multiply is None else self.multiply,
            values=None if self.values is None else tuple(self.values),
        )


class ForecastsIn(In):
    """A question: some series, by `series` or by `filter`, and how far ahead."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["series"]}, {"required": ["filter"]}]})

    series: Annotated[list[SeriesId], AfterValidator(distinct)] = Field(
        default_factory=list, min_length=1, json_schema_extra=_DISTINCT, description="Ids; answered in this order."
    )
    filter: SeriesFilter = Field(default=SeriesFilter(), description="The keys of GET /v1/indicators.")
    horizon: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None, description="Periods ahead; each frequency has its own default and its own longest."
    )
    levels: Annotated[list[Level], AfterValidator(distinct)] = Field(
        default=[80.0, 95.0],
        max_length=20,
        json_schema_extra=_DISTINCT,
        description="Central intervals, in percent: 80 gives the quantiles 0.1 and 0.9. The median is always there.",
    )
    as_of: MomentIn | None = Field(default=None, description="Answer with the newest version that saw nothing later.")
    overrides: bool = Field(
        default=True, strict=True, description="Whether to follow planners' overrides that are (or were then) in force."
    )
    scenario: Annotated[dict[Text, ChangeIn], Field(min_length=1, max_length=10)] | None = Field(
        default=None, description="What if: covariate to what is to be different about it."
    )

    paths: PathCount | None = Field(
        default=None, description="How many sample paths to answer with, beside the quantiles."
    )
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = Field(default=0, description="Of the paths.")
    aggregate: Literal["Q", "Y"] | None = Field(
        default=None, description="Answer in totals of quarters or years: of indicators that add up, and flow."
    )

    @model_validator(mode="after")
    def _one_way_of_naming(self) -> ForecastsIn:
        if ("series" in self.model_fields_set) == ("filter" in self.model_fields_set):
            raise ValueError("Name the series either by `series` or by `filter`.")
        if self.scenario and (self.paths is not None or self.aggregate is not None):
            raise ValueError("A scenario is answered with means and quantiles: leave out `paths` and `aggregate`.")
        return self


#: series, and values or periods with their gaps, that one ad-hoc request may hold
ADHOC_SERIES, ADHOC_VALUES = 200, 200_000

#: the same of one job
JOB_SERIES, JOB_VALUES = 20_000, 4_000_000


def _text_of_number(given: object) -> object:
    return str(given) if type(given) is int else given  # a bool is an int, but no period


#: a period as the import reads it; years and steps may come as numbers
PeriodIn = Annotated[
    str,
    BeforeValidator(_text_of_number),
    Field(max_length=40),
    WithJsonSchema({"type": ["string", "integer"], "maxLength": 40, "description": "2026-01-31, 2026-01, 2026Q1, 7."}),
]
ValueIn = Annotated[float, Field(strict=True)] | None


class _AdhocIn(In):
    freq: Frequency
    horizon: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None, description="Periods ahead; each frequency has its own default and its own longest."
    )
    levels: Annotated[list[Level], AfterValidator(distinct)] = Field(
        default=[80.0, 95.0], max_length=20, json_schema_extra=_DISTINCT, description="Central intervals, in percent."
    )
    season: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None, description="Periods in the main season; the frequency's own unless given."
    )


#: covariates of one ad-hoc series
_COVARIATES = 10

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class _DatedIn(_AdhocIn):
    country: Country | None = Field(
        default=None, description="ISO 3166 code: its holidays and working days are told to the models that know them."
    )


class AdhocRow(In):
    unique_id: SeriesId
    ds: PeriodIn
    y: ValueIn = Field(description="Null: no value.")
    x: Annotated[dict[Text, ValueIn], Field(min_length=1, max_length=_COVARIATES)] | None = Field(
        default=None,
        description="Covariates of this period by name; rows behind the last `y` tell what is known ahead.",
    )


class AdhocRows(_DatedIn):
    """Series to fit on the spot, as a long frame of rows."""

    rows: list[AdhocRow] = Field(min_length=1, max_length=ADHOC_VALUES)


class AdhocColumns(_DatedIn):
    """Series to fit on the spot, as a long frame of columns."""

    unique_id: list[SeriesId] = Field(min_length=1, max_length=ADHOC_VALUES)
    ds: list[PeriodIn] = Field(max_length=ADHOC_VALUES)
    y: list[ValueIn] = Field(max_length=ADHOC_VALUES)
    x: Annotated[dict[Text, list[ValueIn]], Field(min_length=1, max_length=_COVARIATES)] | None = Field(
        default=None, description="Columns of covariates by name; rows behind the last `y` tell what is known ahead."
    )


class AdhocSizes(_AdhocIn):
    """Series to fit on the spot, without names or dates: one behind the other, counted in steps from 0."""

    sizes: list[Annotated[int, Field(strict=True, ge=0, le=ADHOC_VALUES)]] = Field(
        min_length=1, max_length=ADHOC_SERIES, description="Values of each series; the first is answered as `0`."
    )
    y: list[ValueIn] = Field(max_length=ADHOC_VALUES)


class ModelName(Out):
    name: str
    version: int | None = Field(description="Null where the series were fitted on the spot.")


class AppliedOverrideOut(Out):
    id: str
    series: str
    author: str
    reason: str
    expires_at: Moment


class JudgementOut(Out):
    statistical_mean: list[float] = Field(description="The mean without any override.")
    held_by: list[AppliedOverrideOut] = Field(description="Overrides of this series, whose values it has.")
    moved_by: list[AppliedOverrideOut] = Field(
        description="Overrides of other series, which it moved with so that sums hold."
    )


class AssumptionOut(Out):
    basis: str = Field(
        description="What `expected` rests on beyond the known: `normal` for the time of the year, `last value`; or `known`."
    )
    known: int = Field(description="How many of the first values of `expected` are known.")
    expected: list[float] = Field(description="The covariate without the scenario, one value a period.")
    assumed: list[float] = Field(description="The same under the scenario.")


class ScenarioOut(Out):
    baseline: list[float] = Field(description="The mean without the scenario, one value a period.")
    covariates: dict[str, AssumptionOut]


class ForecastOut(Out):
    series: str
    freq: Frequency
    unit: str
    start: str = Field(description="First period forecast; the others follow at `freq`.")
    mean: list[float]
    quantiles: dict[str, list[float]] = Field(description="Probability to one value a period, such as `0.025`.")
    method: str = Field(description="The model that answers; `ensemble` where several do.")
    weights: dict[str, float] = Field(description="The models that answer, with the weight of each.")
    reconciliation_delta: list[float] | None = Field(
        description="What was added to the models' own mean so that parts and wholes add up; null outside a hierarchy."
    )
    judgement: JudgementOut | None = Field(
        description="What overrides moved; null where they moved nothing. Mean and quantiles hold it already."
    )
    fallback: str | None = Field(description="Why a simpler method answers than the engine would choose, or null.")
    notes: list[str] = Field(description="Treatments that a reader should know of.")
    scenario: ScenarioOut | None = Field(
        default=None, description="Beside the answer to a what-if question; else null."
    )
    model: ModelName
    vintage: Moment = Field(description="The model saw nothing that became known later.")
    parameters_vintage: Moment | None = Field(
        description="What the model had seen when it was trained; newer observations moved its states on. Null for ad-hoc."
    )
    simulated: bool
    paths: list[list[float]] | None = Field(description="Sample paths, a value a period each; null unless asked for.")
    coverage: dict[str, list[float | None]] = Field(
        description="Level to the percent of actuals that such intervals held in the backtest, at each lead; null where not "
        "measured. Over the frequency's real series, or its simulated ones."
    )


class FailedOut(Out):
    series: str
    reason: str


class ForecastsOut(Out):
    forecasts: list[ForecastOut]
    failed: list[FailedOut] = Field(description="Known series that this version can't forecast.")


class NowcastIn(In):
    """A question for one nowcast."""

    target: SeriesId
    period: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="Start of the period asked about; the running one, unless given."
    )
    as_of: MomentIn | None = Field(default=None, description="On what was known then, by the version of then.")
    compare_to: MomentIn | None = Field(default=None, description="News since then; 28 days before, unless given.")
    levels: Annotated[list[Level], AfterValidator(distinct)] = Field(
        default=[80.0, 95.0],
        min_length=1,
        max_length=20,
        json_schema_extra=_DISTINCT,
        description="Central intervals, in percent.",
    )


class NowcastPeriodOut(Out):
    period: str
    tense: Literal["back", "now", "next"] = Field(description="`back`: over, and not published yet.")
    mean: float
    quantiles: dict[str, float]


class EvolutionOut(Out):
    as_of: Moment
    mean: float
    low: float
    high: float


class NewsOut(Out):
    kind: Literal["release", "revision", "re-estimation"]
    impact: float = Field(description="In the target's unit; all impacts add up to `mean - before`.")
    series: str | None = Field(description="Null for a re-estimation.")
    period: str | None
    measure: str | None = Field(description="What `expected` and `actual` are: growth (0.01 is 1%), difference, ...")
    expected: float | None
    actual: float | None = Field(description="Null for a value that was withdrawn.")
    weight: float | None = Field(description="impact = weight * (actual - expected).")


class NowcastOut(Out):
    target: str
    freq: Frequency
    unit: str
    period: str
    mean: float
    quantiles: dict[str, float]
    periods: list[NowcastPeriodOut]
    last_period: str = Field(description="The newest published period.")
    last_value: float
    history: list[EvolutionOut] = Field(description="The nowcast of `period` as it stood, week by week.")
    compare_to: Moment
    before: float = Field(description="The number as it stood at `compare_to`.")
    news: list[NewsOut] = Field(description="Largest first.")
    totals: dict[str, float] = Field(description="Impacts by kind.")
    vintage: Moment
    simulated: bool
    model: ModelName
    model_before: ModelName = Field(description="The version that answered at `compare_to`.")
    notes: list[str]


class NowcastListedOut(Out):
    target: str
    freq: Frequency
    unit: str
    period: str
    mean: float
    quantiles: dict[str, float]
    vintage: Moment
    simulated: bool
    model: ModelName


class NowcastsOut(Out):
    nowcasts: list[NowcastListedOut]
    failed: list[FailedOut] = Field(description="Declared targets that have no number, and why.")


class ModelVersionOut(Out):
    name: str
    version: int
    status: str
    aliases: list[str]
    vintage: Moment
    created_at: Moment
    metrics: dict[str, float]
    tags: dict[str, str]


class ModelVersionPage(PageOut[ModelVersionOut]):
    pass


class LiveOut(Out):
    status: Literal["live"] = "live"


class ReadyOut(Out):
    status: Literal["ready", "not ready"]
    reasons: list[str] = Field(description="What is missing, when it is not ready.")
    warnings: list[str] = Field(description="What is wrong although it answers.")


class FaultOut(Out):
    place: Literal["body", "query", "path", "header"] = Field(alias="in")
    pointer: str = Field(description="RFC 6901 pointer into the body, or /name of a parameter.")
    detail: str


class ProblemOut(Out):
    """RFC 9457 problem details."""

    type: str = Field(description="Stable: `urn:industrial-brain:problem:` and a name.")
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    next_step: str
    errors: list[FaultOut]
