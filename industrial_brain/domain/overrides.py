"""Overrides: a planner's word against a forecast, with a name, a reason and an end; and the forecast that it replaces."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from industrial_brain.domain.forecasts import AppliedOverride
from industrial_brain.domain.periods import Frequency


class OverrideState(StrEnum):
    ACTIVE = "active"  # forecasts are held at it
    EXPIRED = "expired"  # its end has come; the actual has not
    WITHDRAWN = "withdrawn"  # somebody took it back
    SCORED = "scored"  # its last period has an actual


@dataclass(frozen=True, slots=True)
class StatisticalForecast:
    """What was forecast for an override's periods when it was made. Kept with it, so that its value can be told later.

    Attributes:
        mean: without any override.
        low, high: ends of the central 80% interval.
        version: of the model that answered. vintage: the moment up to which it had seen data.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    version: int
    vintage: dt.datetime


@dataclass(frozen=True, slots=True)
class Override:
    """One override. Its values never change: who changes his mind withdraws it and makes another.

    Attributes:
        start: ordinal of the first period; one value a period follows.
        values: what the series is held at, in its unit.
        change: how they were given: `set`, `add 5` or `multiply 1.1`.
        expires_at: from then on, forecasts no longer follow it.
        actual_at: when the first actual of its last period became known; None before.
    """

    id: str
    series: str
    freq: Frequency
    start: int
    values: tuple[float, ...]
    change: str
    author: str
    reason: str
    created_at: dt.datetime
    expires_at: dt.datetime
    statistical: StatisticalForecast
    withdrawn_at: dt.datetime | None = None
    withdrawn_by: str | None = None
    actual_at: dt.datetime | None = None

    @property
    def last(self) -> int:
        """Ordinal of the last period."""
        return self.start + len(self.values) - 1

    def in_force(self, moment: dt.datetime) -> bool:
        """Whether forecasts followed it at this moment."""
        withdrawn = self.withdrawn_at is not None and self.withdrawn_at <= moment
        return self.created_at <= moment < self.expires_at and not withdrawn

    def state(self, moment: dt.datetime) -> OverrideState:
        """Its state at this moment, which is not before it was made."""
        if self.withdrawn_at is not None and self.withdrawn_at <= moment:
            return OverrideState.WITHDRAWN
        if self.actual_at is not None and self.actual_at <= moment:
            return OverrideState.SCORED
        return OverrideState.ACTIVE if moment < self.expires_at else OverrideState.EXPIRED

    def value_at(self, ordinal: int) -> float | None:
        """What the series is held at in a period, if it is."""
        return self.values[ordinal - self.start] if self.start <= ordinal <= self.last else None

    def applied(self) -> AppliedOverride:
        """As an answer names it."""
        return AppliedOverride(self.id, self.series, self.author, self.reason, self.expires_at)


@dataclass(frozen=True, slots=True)
class RepeatableRequest:
    """A request that may come twice, as a client's `Idempotency-Key` names it, and a digest of what it asks."""

    key: str
    digest: str
