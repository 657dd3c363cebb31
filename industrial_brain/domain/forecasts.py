"""What a forecast is, once it leaves the models; and what training says of each series."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import ScenarioAnswer


@dataclass(frozen=True, slots=True)
class Trained:
    """A series that can be forecast.

    Attributes:
        method: name of the model that answers for it.
        fallback: why a simpler method than the engine's own choice answers, or None.
        notes: treatments that a reader should know of (gaps bridged for fitting, constant history, ...).
    """

    series: str
    method: str
    fallback: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A series that can't be forecast, and why, in a sentence."""

    series: str
    reason: str


Outcome = Trained | Failed


@dataclass(frozen=True, slots=True)
class AppliedOverride:
    """A planner's override, as an answer that it moved names it."""

    id: str
    series: str
    author: str
    reason: str
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """What planners' overrides did to a forecast.

    Attributes:
        statistical_mean: the mean without them.
        held_by: overrides of this series, whose values it has.
        moved_by: overrides of other series, which it moved with so that sums hold.
    """

    statistical_mean: tuple[float, ...]
    held_by: tuple[AppliedOverride, ...] = ()
    moved_by: tuple[AppliedOverride, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """One series' forecast.

    Attributes:
        start: label of the first period forecast (its start); periods follow each other at `freq`.
        mean: one value a period, in `unit`.
        quantiles: probability as text (`"0.025"`) to one value a period; never crossing.
        method, fallback, notes: as in `Trained`.
        vintage: the moment up to which the model's states had seen data.
        simulated: whether the series comes from a simulator.
        weights: the members that answered and the weight of each; they add up to 1.
        reconciliation_delta: what was added to the models' own mean so that parts and wholes add up, one value a period; None
            for a series that is neither part nor whole.
        scenario: what it would be without the scenario that it was asked under, and what that assumes; None without one.
        judgement: what overrides did; None where none did anything. Means and quantiles hold it already.
        parameters_vintage: the moment up to which data was known when the model was trained; None where it is not a version's.
        paths: sample paths, one value a period each, where they were asked for.
        coverage: level -> percent of the actuals that such intervals held in the backtest, at each lead; over the frequency's
            real series, or its simulated ones. None at a lead where that was not measured; no entry for a level that was not.
    """

    series: str
    freq: Frequency
    unit: str
    start: str
    mean: tuple[float, ...]
    quantiles: Mapping[str, tuple[float, ...]]
    method: str
    fallback: str | None
    notes: tuple[str, ...]
    vintage: dt.datetime
    simulated: bool
    weights: Mapping[str, float] = field(default_factory=dict)
    reconciliation_delta: tuple[float, ...] | None = None
    scenario: ScenarioAnswer | None = None
    judgement: Judgement | None = None
    parameters_vintage: dt.datetime | None = None
    paths: tuple[tuple[float, ...], ...] | None = None
    coverage: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the registry.

    Attributes:
        name: registered model, `ib-AREA[-TASK]`.
        vintage: the moment up to which its data was known (UTC).
        status: `candidate` (passed the gate, never promoted), `served` (is or was champion), `historical` (trained for an
            older vintage than the champion's), `refused` (by the gate), `withdrawn` (rolled back).
        aliases: of `champion`, `challenger`, `previous`.
        metrics: backtest figures over all its series, for instance `{"mase": 0.9}`.
        tags: what else the run recorded: git SHA, lock hash, seed, counts.
    """

    name: str
    version: int
    vintage: dt.datetime
    created_at: dt.datetime
    status: str
    aliases: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def quantile_key(probability: float) -> str:
    """The text that names a quantile: up to six decimals, no trailing zeros.

    >>> quantile_key(0.025), quantile_key(0.5)
    ('0.025', '0.5')
    """
    return f"{probability:.6f}".rstrip("0")
