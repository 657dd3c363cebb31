"""The shapes of investment targets, the chain, and leads. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from industrial_brain.domain.targeting import LeadStatus
from models.targeting.ranking import Among, Objective, Question
from serving.schemas import Moment, MomentIn, PageOut, Paging

#: a code of a region or cluster
Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f:]*$")]
#: region:cluster
TargetId = Annotated[str, Field(min_length=3, max_length=81, pattern=r"^[^\x00-\x1f\x7f/]*$")]
_Number = Annotated[float, Field(strict=True)]
_Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
_Weight = Annotated[float, Field(strict=True, ge=0.0, le=1_000_000.0)]
_Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False)


class ConstraintsIn(In):
    """Pairs outside these are left out."""

    least_quotient: _Number | None = None
    most_quotient: _Number | None = None
    least_probability: _Share | None = None
    least_jobs: _Number | None = None
    most_energy: _Number | None = None
    most_risk: _Share | None = None
    excluded: list[Code] = Field(default=[], max_length=2000, description="Clusters that aren't wanted.")


class RankIn(In):
    regions: list[Code] = Field(default=[], max_length=2000, description="Codes of districts; all, unless given.")
    clusters: list[Code] = Field(default=[], max_length=2000, description="Codes of clusters; all, unless given.")
    among: Among = Field(
        default=Among.BELOW,
        description="`below` the threshold (what may enter), `absent` (no value yet), `above` (what may be kept).",
    )
    horizon: Annotated[int, Field(strict=True, ge=1, le=100)] | None = Field(
        default=None, description="Years ahead; the longest that the version answers, unless given."
    )
    weights: dict[Objective, _Weight] = Field(
        default={Objective.PROBABILITY: 1.0}, description="What counts how much. Percentiles are weighed."
    )
    policy: list[TargetId | Code] = Field(
        default=[], max_length=2000, description="Clusters or targets that are wanted."
    )
    land: dict[Code, Annotated[float, Field(strict=True, ge=0.0)]] = Field(
        default={}, description="What each cluster needs, in any unit."
    )
    constraints: ConstraintsIn = ConstraintsIn()
    top: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(default=20, description="How many are told.")
    as_of: MomentIn | None = Field(default=None, description="By the newest version that saw nothing later.")

    def question(self) -> Question:
        bounds = self.constraints
        return Question(
            among=self.among,
            regions=tuple(self.regions),
            clusters=tuple(self.clusters),
            horizon=self.horizon,
            weights=self.weights,
            policy=frozenset(self.policy),
            land=self.land,
            excluded=frozenset(bounds.excluded),
            least_quotient=bounds.least_quotient,
            most_quotient=bounds.most_quotient,
            least_probability=bounds.least_probability,
            least_jobs=bounds.least_jobs,
            most_energy=bounds.most_energy,
            most_risk=bounds.most_risk,
        )


class TargetQuery(In):
    horizon: Annotated[int, Field(ge=1, le=100)] | None = Field(default=None, description="Years ahead.")
    as_of: MomentIn | None = Field(default=None, description="By the newest version that saw nothing later.")


class ModelOut(Out):
    name: str
    version: int
    vintage: Moment


class AboutOut(Out):
    model: ModelOut
    indicator: str
    unit: str
    simulated: bool
    year: int = Field(description="The last year known; the horizon counts from it.")
    horizon: int


class NamedOut(Out):
    id: str
    region: str
    region_name: str
    cluster: str
    cluster_name: str


class OddsOut(Out):
    quotient: float | None = Field(description="Location quotient now; null where region or cluster sum to zero.")
    probability: float | None = Field(
        description="Of standing at a quotient of 1 or more at the horizon's end; null where a single year is known."
    )
    probability_low: float | None = Field(
        description="Of the bootstrap by regions, the central 80%; null where the order was not learned."
    )
    probability_high: float | None
    growth: float | None = Field(description="Expected, log points a year above all together.")


class ReasonOut(Out):
    measure: str
    words: str
    effect: float = Field(description="What it adds to the log odds, beside an average pair.")


class RankedOut(NamedOut, OddsOut):
    rank: int
    rank_low: int | None = Field(
        description="Of the bootstrap by regions, the central 80%; null without one, or where the order was not learned."
    )
    rank_high: int | None
    rank_words: str
    moved_low: int | None = Field(description="Ranks where weights are halved to doubled; null with one weight.")
    moved_high: int | None
    front: bool = Field(description="On the Pareto front of the weighed objectives.")
    score: float
    objectives: dict[str, float | None]
    reasons: list[ReasonOut]


class SensitivityOut(Out):
    objective: Objective
    without: float = Field(description="Part of the first ten that stays without it.")
    doubled: float


class FigureOut(Out):
    value: float
    low: float | None
    high: float | None


class WindowOut(Out):
    start: int
    end: int
    pairs: int
    entered: int
    expected: float
    chance: float | None
    top: int = Field(
        description="Pairs at the head that `precision` is of: 50, or a quarter of the pairs if that is less."
    )
    figures: dict[str, dict[str, FigureOut]] = Field(
        description="By method: `brain` is ours, the others are baselines."
    )
    gain: dict[str, dict[str, FigureOut]] = Field(description="By baseline: what ours has more.")
    words: str


class BacktestOut(Out):
    words: str
    horizon: int
    windows: list[WindowOut]
    notes: list[str]


class RankOut(AboutOut):
    among: Among
    weights: dict[Objective, float]
    candidates: int
    targets: list[RankedOut]
    front: list[str]
    sensitivity: list[SensitivityOut]
    backtest: BacktestOut
    notes: list[str]


class HorizonOut(OddsOut):
    horizon: int


class YearOut(Out):
    year: int
    value: float
    quotient: float | None


class CaseOut(NamedOut):
    start: int
    end: int
    quotient_before: float
    quotient_after: float
    stands_today: bool | None
    had: dict[str, float | None]


class PeersOut(Out):
    compared: int = Field(description="Pairs of the past that were most like this one.")
    entered: int
    cases: list[CaseOut] = Field(description="Those that entered, the likest first.")


class MissingLinkOut(Out):
    side: str
    cluster: str
    cluster_name: str
    share: float
    source: str
    simulated: bool


class CandidateOut(Out):
    id: str
    name: str
    region: str
    region_name: str
    cluster: str
    employees: int
    why: str
    simulated: bool


class RiskOut(Out):
    risk: str
    value: float
    words: str


class TargetOut(AboutOut, NamedOut, OddsOut):
    by_horizon: list[HorizonOut]
    objectives: dict[str, float | None]
    history: list[YearOut]
    reasons: list[ReasonOut]
    measures: dict[str, float | None]
    peers: PeersOut
    missing_links: list[MissingLinkOut]
    enterprises: list[CandidateOut]
    risks: list[RiskOut]
    notes: list[str]


class ChainQuery(In):
    region: Code | None = Field(default=None, description="A district; the whole city, unless given.")


class FirmOut(Out):
    id: str
    name: str
    region: str
    employees: int


class NodeOut(Out):
    cluster: str
    name: str
    class_: str = Field(alias="class")
    present: bool
    value: float | None
    quotient: float | None
    concentration: float | None = Field(description="Herfindahl index over the city's districts.")
    suppliers: float | None = Field(description="Part of its supplies, by weight, whose supplier is there.")
    customers: float | None
    enterprises: list[FirmOut] = Field(description="The largest ones.")
    enterprise_count: int
    employees: int
    largest: float | None = Field(description="Part of the employees that the largest enterprise has.")
    gap: bool


class LinkOut(Out):
    supplier: str
    customer: str
    weight: float
    source: str
    simulated: bool


class GapOut(Out):
    cluster: str
    name: str


class SinglePointOut(Out):
    cluster: str
    reason: str
    holder: str
    dependents: list[str]


class ChainOut(Out):
    region: str | None
    region_name: str | None
    simulated: bool
    year: int | None
    nodes: list[NodeOut]
    links: list[LinkOut]
    gaps: list[GapOut]
    single_points: list[SinglePointOut]


class LeadIn(In):
    target: TargetId
    note: _Note = ""


class AdvanceIn(In):
    status: LeadStatus
    note: _Note = ""


class LeadsQuery(Paging):
    status: LeadStatus | None = None
    region: Code | None = None
    cluster: Code | None = None


class LeadEventOut(Out):
    status: LeadStatus
    author: str
    at: Moment
    note: str


class LeadOut(Out):
    id: str
    target: str
    region: str
    cluster: str
    status: LeadStatus
    author: str
    created_at: Moment
    changed_at: Moment
    history: list[LeadEventOut]


class LeadPage(PageOut[LeadOut]):
    """Leads, in the order in which they were proposed."""
