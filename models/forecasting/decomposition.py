"""Decomposition: what a forecast is made of, in parts that add up to it, and what its history is made of.

A member that can say what its path is made of is `Decomposable`; a member whose season can be told from its history is
`SeasonalAdjuster` too. Both are optional: the path of a member that says nothing, or what it leaves, is split by moving
averages (`features.splitting`). Parts are weighed as the forecast is, so they add up as it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from features.gaps import bridged
from features.seasonality import LONG_SEASON, MULTIPLICATIVE, NO_SEASON, seasonal_shapes, slotted
from features.smoothing import local_line
from features.splitting import split_path
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Forecaster
from models.forecasting.combination import Combination

#: names of parts. A member may name others (`covariates`), and `season@N` for a season of N periods beside its main one
LEVEL, TREND, SEASON, OTHER, REMAINDER = "level", "trend", "season", "other", "remainder"

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
        """Parts of `forecast(horizon).mean`, float64 (n, horizon) each, which add up to it, or to what can be named of it.

        `level` is where the series stands at its end, `trend` what is added from there, `season` (or `season@N`) the additive
        effect of the season, also where the model multiplies. Others (`covariates`, `calendar`) are shown as they are named.
        """
        ...


@runtime_checkable
class SeasonalAdjuster(Protocol):
    """A fitted forecaster that can say what the season was in a history."""

    def past_season(self, panel: Panel) -> Floats:
        """The additive effect of the season in each period of the panel that it was fitted on: float64, like `panel.values`."""
        ...


def decompose_forecast(model: Combination, panel: Panel, horizon: int) -> dict[str, Floats]:
    """Parts of the combination's mean, float64 (n, horizon) each, by name.

    What can't be split, because there is no history to split it by, is `other`; it is left out where there is none.

    Args:
        panel: the series that the model was fitted on.
    """
    whole = model.forecast(horizon).mean
    history, seasons = bridged(panel), _seasons(panel)
    parts: dict[str, Floats] = {}
    for weight, name, member in _weighed(model):
        for part, values in _parts(member, history, seasons, horizon).items():
            key = part_name(part, _season_of(name, panel.season), panel.freq)
            parts[key] = parts.get(key, 0.0) + np.where(weight == 0.0, 0.0, weight * values)
    named = sum(parts.values(), np.zeros_like(whole))
    other = whole - named
    if (np.abs(other) > 1e-9 * (np.abs(whole) + np.abs(named))).any():
        parts[OTHER] = other
    return {name: values for name, values in parts.items() if name == LEVEL or np.any(values != 0.0)}


def decompose_history(model: Combination, panel: Panel) -> dict[str, Floats]:
    """Parts of one series' history, float64 (length,) each: `level`, the season by name, and `remainder`.

    The season is the members' own, those that tell one, weighed as in the forecast; where none does, the classical one. The
    level is a robust local line through what is left, over a season to both sides (Cleveland 1979); the remainder is the
    rest. Gaps are NaN in the remainder.

    Args:
        panel: the one series that the model was fitted on.
    """
    observed = panel.values
    parts: dict[str, Floats] = {}
    told = 0.0
    for weight, name, member in _weighed(model):
        if isinstance(member, SeasonalAdjuster):
            key = part_name(SEASON, _season_of(name, panel.season), panel.freq)
            parts[key] = parts.get(key, 0.0) + weight[0, 0] * member.past_season(panel)
            told += float(weight[0, 0])
    parts = {key: values / told for key, values in parts.items() if np.any(values != 0.0)}
    if told == 0.0:
        (kind,), factors = seasonal_shapes(panel)
        season = slotted(panel, factors)
        if kind != NO_SEASON:
            effect = observed - observed / season if kind == MULTIPLICATIVE else season
            parts[part_name(SEASON, panel.season, panel.freq)] = np.nan_to_num(effect)
    adjusted = observed - sum(parts.values(), np.zeros_like(observed))
    level = local_line(adjusted, max(panel.season, 4))
    return {LEVEL: level, **parts, REMAINDER: adjusted - level}


def _parts(member: Forecaster, history: Panel, seasons: Sequence[tuple[int, ...]], horizon: int) -> dict[str, Floats]:
    """A member's parts, float64 (n, horizon): its own, and what it leaves, split."""
    longer = horizon + max((season for own in seasons for season in own), default=0)
    mean = member.forecast(longer).mean
    parts = dict(member.decompose(longer)) if isinstance(member, Decomposable) else {}
    left = mean - sum(parts.values(), np.zeros_like(mean))
    if (np.abs(left) > 1e-9 * np.abs(mean)).any():
        for row, own in enumerate(history):
            if not np.isfinite(own).any() or not np.isfinite(left[row]).all():
                continue
            level, trend, effects = split_path(own, left[row], seasons[row])
            found = {LEVEL: np.full(longer, level), TREND: trend}
            found |= {f"{SEASON}@{season}": values for season, values in effects.items()}
            for part, values in found.items():
                parts.setdefault(part, np.zeros_like(mean))
                parts[part] = parts[part].copy()
                parts[part][row] += values
    return {part: values[:, :horizon] for part, values in parts.items()}


def _seasons(panel: Panel) -> list[tuple[int, ...]]:
    """The seasons of each series that are significant, ascending."""
    candidates = [panel.season, LONG_SEASON.get(panel.freq, 0)]
    found: list[tuple[int, ...]] = [()] * len(panel)
    for season in sorted({one for one in candidates if one > 1}):
        kinds, _ = seasonal_shapes(replace(panel, season=season))
        found = [(*own, season) if kind != NO_SEASON else own for own, kind in zip(found, kinds, strict=True)]
    return found


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


def _weighed(model: Combination) -> Iterator[tuple[Floats, str, Forecaster]]:
    for k, (name, member) in enumerate(model.members.items()):
        if (model.weights[:, k] > 0.0).any():
            yield model.weights[:, k, None], name, member
