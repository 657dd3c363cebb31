"""What is known of every region x activity pair in one year: the columns that the ranker learns from.

All of them look back only: the measures of a year are the same whether or not later years are in the cube.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.chain import chain_neighbours
from features.complexity import complexity
from features.relatedness import density, outlook_gain, proximity
from features.specialisation import diversity, herfindahl, specialised, ubiquity
from industrial_brain.domain.panel import Floats
from models.targeting.cube import ActivityCube

Table = npt.NDArray[np.float32]

#: columns by name, with what a reader is told when one of them speaks for a pair
MEASURES = {
    "log_rca": "the level itself: how specialised the region is already",
    "distance": "how far the threshold is, in steps of the pair's own volatility",
    "volatility": "how much the pair's specialisation moves in a year",
    "activity_volatility": "how much the activity moves between regions",
    "region_volatility": "how much the region's activities move",
    "change_1": "its last year",
    "change_3": "its last three years",
    "change_5": "its last five years",
    "recent_high": "how much higher it has been",
    "recent_mean": "where it usually stands",
    "years_above": "how often it was above the threshold",
    "density": "how near the activity is to what the region does",
    "similar_activities": "how strong the region is in activities that are found in the same regions",
    "similar_regions": "how strong regions with the same activities are in it",
    "pattern": "what the broad pattern of all regions and activities lets expect",
    "related_change": "how related activities moved in the region",
    "region_diversity": "how diverse the region is",
    "activity_ubiquity": "how common the activity is",
    "region_complexity": "how complex the region's activities are",
    "activity_complexity": "how complex the activity is",
    "outlook_gain": "which further complex activities it would open",
    "region_size": "how large the region is",
    "activity_size": "how large the activity is",
    "activity_concentration": "how concentrated the activity is in few regions",
    "region_concentration": "how concentrated the region is on few activities",
    "near_threshold": "how many regions stand close to the threshold",
    "activity_spread": "how unequal regions are in the activity",
    "activity_growth": "how the activity grows in all regions",
    "region_growth": "how the region grows in all activities",
    "neighbours": "how strong the regions next to it are in the activity",
    "suppliers": "which part of its suppliers the region has",
    "customers": "which part of its customers the region has",
    "forecast_growth": "what our own forecasts expect of it",
    "risk": "how much at risk its enterprises are",
    "horizon": "how many years there are",
}
NAMES = tuple(MEASURES)
COLUMN = {name: place for place, name in enumerate(NAMES)}

#: measures that are the same for all activities of a region, or for all regions of an activity, and the outlook: a few hundred
#: pairs that cross can't tell them from the luck of the years that were learned from, so models of crossings leave them out
OF_ONE_SIDE = (
    "region_diversity",
    "activity_ubiquity",
    "region_complexity",
    "activity_complexity",
    "outlook_gain",
    "region_size",
    "activity_size",
    "activity_concentration",
    "region_concentration",
    "near_threshold",
    "activity_spread",
    "activity_growth",
    "region_growth",
)

#: quotients outside these say no more than that they are small, or large
_LEAST, _MOST = np.log(0.02), np.log(20.0)

#: what surrounds a pair, which is all that tells of one without any value
SURROUNDINGS = ("density", "similar_activities", "similar_regions", "neighbours", "suppliers", "customers")

#: years of a history that count
_MEMORY = 10

#: years' worth of evidence that the volatility expected of a pair is given beside its own
_PRIOR_YEARS = 6.0

#: mean absolute deviation to standard deviation of a normal law
_TO_DEVIATION = np.sqrt(np.pi / 2.0)


@dataclass(frozen=True, slots=True)
class YearMeasures:
    """The measures of one year, horizon aside: float32 (regions, activities, len(NAMES)); NaN where one can't be computed.

    Attributes:
        volatility: standard deviation of a year's change in log quotient, (regions, activities); NaN in a first year.
    """

    columns: Table
    volatility: Floats

    def at(self, horizon: int) -> Table:
        """The measures for a question `horizon` years ahead, (regions, activities, len(NAMES))."""
        found = self.columns.copy()
        found[..., COLUMN["distance"]] = found[..., COLUMN["log_rca"]] / (self.volatility * np.sqrt(horizon))
        found[..., COLUMN["horizon"]] = horizon
        return found


def log_quotient(quotient: Floats) -> Floats:
    """Log of location quotients, bounded where they say no more than small or large; NaN stays."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.clip(np.log(quotient), _LEAST, _MOST))


def as_good_as_absent(measures: Table) -> npt.NDArray[np.bool_]:
    """Which pairs have no value, or one so small that its level tells nothing, and had none in the years that count, (n,)."""
    lowest = measures[..., COLUMN["log_rca"]] <= np.float32(_LEAST) + 1e-6
    return np.asarray(lowest & ~(measures[..., COLUMN["recent_high"]] > 1e-6))


def measure(cube: ActivityCube) -> YearMeasures:
    """The measures of a cube's last year."""
    first = max(0, len(cube.years) - 1 - _MEMORY)
    values, years = cube.values[first:], np.array(cube.years[first:], dtype=np.float64)
    quotient = cube.quotients[first:]
    logs = log_quotient(quotient)
    now, shape = logs[-1], logs.shape[1:]
    changes = np.diff(logs, axis=0) / np.sqrt(np.diff(years))[:, None, None]
    found = {"log_rca": now}
    volatility = np.full(shape, np.nan)
    if len(changes):
        volatility, by_activity, by_region = _volatility(changes)
        found |= {
            "volatility": np.log(volatility),
            "activity_volatility": np.log(by_activity + 1e-3)[None, :],
            "region_volatility": np.log(by_region + 1e-3)[:, None],
            "recent_high": logs.max(axis=0) - now,
            "recent_mean": logs.mean(axis=0) - now,
            "years_above": (np.nan_to_num(quotient) >= 1.0).mean(axis=0),
        }
        for span in (1, 3, 5):
            before = int(np.searchsorted(years, years[-1] - span, side="right")) - 1
            if before >= 0:
                found[f"change_{span}"] = (now - logs[before]) / np.sqrt(years[-1] - years[before])
    found |= _structure(np.nan_to_num(now), logs) | _relatedness(quotient[-1]) | _sizes(values, years)
    found |= _space_and_chain(cube, np.nan_to_num(now), specialised(quotient[-1]))
    found |= {name: array[-1] for name, array in cube.extra.items() if name in COLUMN}
    columns = np.full((*shape, len(NAMES)), np.nan, dtype=np.float32)
    for name, array in found.items():
        columns[..., COLUMN[name]] = array
    return YearMeasures(columns, volatility)


def _volatility(changes: Floats) -> tuple[Floats, Floats, Floats]:
    """Of pairs, activities and regions: mean absolute changes, a pair's own drawn towards that of its activity and region."""
    moves = np.abs(np.nan_to_num(changes))
    own = moves.mean(axis=0)
    by_activity, by_region, overall = own.mean(axis=0), own.mean(axis=1), max(float(own.mean()), 1e-9)
    expected = by_activity[None, :] * by_region[:, None] / overall
    years = float(len(moves))
    drawn = (years * own + _PRIOR_YEARS * expected) / (years + _PRIOR_YEARS)
    return _TO_DEVIATION * drawn + 1e-3, _TO_DEVIATION * by_activity, _TO_DEVIATION * by_region


def _structure(now: Floats, logs: Floats) -> dict[str, Floats]:
    """What similar activities, similar regions and the broad pattern let expect, less the level itself."""
    regions, activities = now.shape
    by_activity = (now - now.mean(axis=0)) / (now.std(axis=0) + 1e-9)
    like = np.maximum(by_activity.T @ by_activity / regions, 0.0) ** 2
    np.fill_diagonal(like, 0.0)
    weight = like.sum(axis=0) + 1e-9
    by_region = (now - now.mean(axis=1, keepdims=True)) / (now.std(axis=1, keepdims=True) + 1e-9)
    alike = np.maximum(by_region @ by_region.T / activities, 0.0) ** 2
    np.fill_diagonal(alike, 0.0)
    centred = now - now.mean(axis=0)
    kept = max(2, min(regions, activities) // 8)
    _, vectors = np.linalg.eigh(centred @ centred.T)  # the leading left singular vectors, by the smaller problem
    leading = vectors[:, -kept:]
    found = {
        "similar_activities": by_activity @ like / weight - by_activity,
        "similar_regions": alike @ now / (alike.sum(axis=1, keepdims=True) + 1e-9) - now,
        "pattern": leading @ (leading.T @ centred) - centred,
        "near_threshold": (np.abs(now) < 0.5).mean(axis=0)[None, :],
        "activity_spread": now.std(axis=0)[None, :],
    }
    if len(logs) > 1:
        recent = np.nan_to_num(logs[-1] - logs[max(0, len(logs) - 4)])
        found["related_change"] = recent @ like / weight
    return found


def _relatedness(quotient: Floats) -> dict[str, Floats]:
    present = specialised(quotient)
    near, index = proximity(present), complexity(present)
    return {
        "density": density(present, near),
        "region_diversity": (diversity(present) / present.shape[1])[:, None],
        "activity_ubiquity": (ubiquity(present) / present.shape[0])[None, :],
        "region_complexity": index.eci[:, None],
        "activity_complexity": index.pci[None, :],
        "outlook_gain": outlook_gain(present, near, index.pci),
    }


def _sizes(values: Floats, years: Floats) -> dict[str, Floats]:
    now, least = values[-1], 1e-9
    total = now.sum()
    activity, region = now.sum(axis=0) / total, now.sum(axis=1) / total
    found = {
        "region_size": np.log(region + least)[:, None],
        "activity_size": np.log(activity + least)[None, :],
        "activity_concentration": herfindahl(now, axis=0)[None, :],
        "region_concentration": herfindahl(now, axis=1)[:, None],
    }
    before = values[max(0, int(np.searchsorted(years, years[-1] - 3.0, side="right")) - 1)] if len(years) > 1 else now
    if len(years) > 1 and before.sum() > 0.0:
        found["activity_growth"] = np.log((activity + least) / (before.sum(axis=0) / before.sum() + least))[None, :]
        found["region_growth"] = np.log((region + least) / (before.sum(axis=1) / before.sum() + least))[:, None]
    return found


def _space_and_chain(cube: ActivityCube, now: Floats, present: npt.NDArray[np.bool_]) -> dict[str, Floats]:
    found = {}
    if cube.distance is not None:
        apart = cube.distance + np.where(np.eye(len(cube.distance)) > 0, np.inf, 0.0)
        scale = np.median(apart.min(axis=1))  # the nearest neighbour of a typical region
        close = np.nan_to_num(np.exp(-apart / max(float(scale), 1e-9)))
        found["neighbours"] = close @ now / (close.sum(axis=1, keepdims=True) + 1e-12)
    if cube.supplies is not None:
        found["suppliers"], found["customers"] = chain_neighbours(cube.supplies, present)
    return found
