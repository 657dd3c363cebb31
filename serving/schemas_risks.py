"""Questions and answers about risks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from industrial_brain.domain.risks import Grade, Outlook, RiskTask
from models.risk.conformal import HIGHEST_LEVEL
from serving.schemas import In, Out

#: cases in one request
MOST_CASES = 1_000

Value = Annotated[float, Field(strict=True)] | Annotated[str, Field(max_length=200)] | None


class RisksScoreIn(In):
    """Cases to be told of. A case has each column that the version learnt from; null where its value is missing."""

    task: RiskTask
    cases: list[dict[str, Value]] = Field(min_length=1, max_length=MOST_CASES)
    level: float = Field(
        default=90.0,
        gt=0.0,
        le=HIGHEST_LEVEL,
        description="Percent of cases of each kind whose outlook holds the truth.",
    )
    reasons: int = Field(default=3, ge=0, le=20, description="How many are given for each case.")


class ReasonOut(Out):
    feature: str
    sources: list[str] = Field(description="Columns that the feature is made of.")
    value: float | None
    share: float | None = Field(description="Of the known cases that are below the value.")
    added: float = Field(description="To the log odds, before calibration.")
    words: str


class RiskOut(Out):
    prob: float = Field(description="Of harm.")
    grade: Grade
    outlook: Outlook = Field(description="`unknown`: both may come; `neither`: it is like no known case.")
    reasons: list[ReasonOut]


class RiskModelOut(Out):
    name: str
    version: int


class RisksScoreOut(Out):
    model: RiskModelOut
    simulated: bool = Field(description="Whether the version learnt from simulated cases.")
    source: str
    ignored: list[str] = Field(description="Columns of the cases that the version does not use.")
    risks: list[RiskOut]
