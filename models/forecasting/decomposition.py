"""Decomposition: what a forecast is made of, in parts that add up to it, and what its history is made of.

A member that can say what its path is made of is `Decomposable`; a member whose season can be told from its history is
`SeasonalAdjuster` too. Both are optional: what a member can't name is shown as `other`, never guessed. Parts are weighed as the
forecast is, so they add up as it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from features.smoothing import local_line
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.combination import Combination

#: names of parts. A member may also name `covariate:NAME`, and `season@N` for a season of N periods beside its main one
LEVEL, TREND, SEASON, CALENDAR, OTHER, REMAINDER = "level", "trend", "season", "calendar", "other", "remainder"

#: name of a season by frequency and periods
_SEASON_NAMES: Mapping[tuple[Frequency, int], str] = {
    (Frequency.QUARTERLY, 4): "year",
    (Frequency.MONTHLY, 12): "year",
    (Frequency.WEEKLY, 52): "year",
    (Frequency.DAILY, 7): "week",
    (Frequency.DAILY, 365): "year",
    (Frequency.HOURLY, 24): "day",
    (Frequency.HOURLY, 168): "week",
}


@runtime_checkable
class Decomposable(Protocol):
    """A fitted forecaster that can say what its mean is made of."""

    def decompose(self, horizon: int) -> Mapping[str, Floats]:
        """Parts of `forecast(horizon).mean`, float64 (n, horizon) each, which add up to it.

        `level` is where the series stands at its end, `trend` what is added from there, `season` (or `season@N`) the additive
        effect of the season, also where the model multiplies, `calendar` and `covariate:NAME` the effects of those.
        """
        ...


@runtime_checkable
class SeasonalAdjuster(Protocol):
    """A fitted forecaster that can say what the season was in a history."""

    def past_season(self, panel: Panel) -> Floats:
        """The additive effect of the season in each period of the panel that it was fitted on: float64, like `panel.values`."""
        ...


def decompose_forecast(model: Combination, horizon: int, season: int, freq: Frequency) -> dict[str, Floats]:
    """Parts of the combination's mean, float64 (n, horizon) each, by name.

    What members without a decomposition forecast, and what rounding leaves, is `other`; it is left out where there is none.

    Args:
        season: periods in the panel's main season, which members mean by `season`.
    """
    whole = model.forecast(horizon).mean
    parts: dict[str, Floats] = {}
    for weight, name, member in _weighed(model):
        if not isinstance(member, Decomposable):
            continue
        for part, values in member.decompose(horizon).items():
            key = part_name(part, _season_of(name, season), freq)
            parts[key] = parts.get(key, 0.0) + np.where(weight == 0.0, 0.0, weight * values)
    named = sum(parts.values(), np.zeros_like(whole))
    other = whole - named
    if (np.abs(other) > 1e-9 * (np.abs(whole) + np.abs(named))).any():
        parts[OTHER] = other
    return parts


def decompose_history(model: Combination, panel: Panel, row: int) -> dict[str, Floats]:
    """Parts of one row's history, float64 (length,) each: `level`, the season by name, and `remainder`.

    The season is the members' own, those that tell one, weighed as in the forecast. The level is a robust local line through
    what is left, over a season to both sides (Cleveland 1979); the remainder is the rest. Gaps are NaN in the remainder.
    """
    alone = panel.take([row])
    observed = alone.values
    parts: dict[str, Floats] = {}
    told = 0.0
    for weight, name, member in _weighed(model.take(np.array([row]))):
        if weight[0, 0] > 0.0 and isinstance(member, SeasonalAdjuster):
            key = part_name(SEASON, _season_of(name, panel.season), panel.freq)
            parts[key] = parts.get(key, 0.0) + weight[0, 0] * member.past_season(alone)
            told += float(weight[0, 0])
    parts = {key: values / told for key, values in parts.items() if np.any(values != 0.0)}
    adjusted = observed - sum(parts.values(), np.zeros_like(observed))
    level = local_line(adjusted, max(panel.season, 4))
    return {LEVEL: level, **parts, REMAINDER: adjusted - level}


def part_name(part: str, season: int, freq: Frequency) -> str:
    """The name that a reader gets: seasons by what they are.

    >>> part_name("season", 12, Frequency.MONTHLY), part_name("season@168", 24, Frequency.HOURLY)
    ('season:year', 'season:week')
    """
    base, _, periods = part.partition("@")
    if base != SEASON:
        return part
    length = int(periods) if periods else season
    return f"{SEASON}:{_SEASON_NAMES.get((freq, length), f'{length} {freq.noun}s')}"


def _season_of(member: str, season: int) -> int:
    """What this member means by its season; `theta@168` sees 168 periods."""
    _, _, own = member.partition("@")
    return int(own) if own else season


def _weighed(model: Combination) -> Iterator[tuple[Floats, str, object]]:
    for k, (name, member) in enumerate(model.members.items()):
        if (model.weights[:, k] > 0.0).any():
            yield model.weights[:, k, None], name, member
