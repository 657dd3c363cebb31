"""From published series to the cube that targeting learns from: a value for every district, cluster and year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.specialisation import Flags
from industrial_brain.domain.city import Region, Tier
from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.indicators import Aggregation, SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.targeting import ChainLink
from models.targeting.cube import ActivityCube

#: periods in a year, of the frequencies that a year's value can be added up from
PERIODS = {Frequency.MONTHLY: 12, Frequency.QUARTERLY: 4, Frequency.YEARLY: 1}

#: share of a year's periods that must be known for its value to be worked out of them
ENOUGH = 0.5

#: mean radius of the Earth in kilometres
_EARTH = 6371.0

#: series that a note names one by one
_NAMED = 20

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """A cube, and what a reader must know of how it was made.

    Attributes:
        unit: of its values (UCUM), a year's.
        periods: of a year.
        simulated: whether any of its series is, or a link of the chain among its clusters.
        there: pairs that have a series, (regions, activities).
    """

    cube: ActivityCube
    indicator: str
    unit: str
    periods: int
    simulated: bool
    notes: tuple[str, ...]
    there: Flags


def pairs_of(infos: Mapping[str, SeriesInfo], indicator: str) -> list[SeriesInfo]:
    """The series of an indicator that are of one district and one cluster, in order.

    Raises:
        NothingToTrainError: there are none that could be added up over a year.
    """
    found = [
        info
        for info in infos.values()
        if info.indicator == indicator and info.cluster and info.tier is Tier.DISTRICT and info.frequency in PERIODS
    ]
    found = [info for info in found if info.aggregation is Aggregation.SUM]
    if not found:
        raise NothingToTrainError(
            f"No series of '{indicator}' is of a district and a cluster, and adds up over a year.",
            "Import monthly, quarterly or yearly values as INDICATOR:DISTRICT:CLUSTER, or name another indicator.",
        )
    return sorted(found, key=lambda info: info.id)


def gather(
    panels: Sequence[Panel],
    series: Sequence[SeriesInfo],
    regions: Mapping[str, Region],
    links: Sequence[ChainLink],
    year: int,
) -> Gathered:
    """The cube of these series until the last year before `year`, the one under way.

    A year's value is the sum of its periods. Where some are missing it is their mean times the periods of a year, if at least
    half of them are there; a pair with fewer is unknown in that year, and a year in which a pair that reports before and
    after is unknown is left out for all. A pair that has no series, or none yet, or no longer, counts as 0.

    What is late has not ended: a series that stops in the newest year with fewer than half of its periods, and a district of
    which nothing has come for that year though all of the year before has, leave the year unknown. Notes name what ended.

    Args:
        panels: as they were known, `series` among them; periods of a future year are left out.
        links: the production chain; of clusters without values they are left out.

    Raises:
        NothingToTrainError: no year is known, or there are fewer than three districts or clusters.
    """
    first, sums, missing, early = _sums(panels, series, year)
    years = np.arange(first, first + len(sums))
    known = ~np.isnan(sums).any(axis=1)
    notes = []
    if early:
        ended = ", ".join(f"{series[place].id} ({last})" for place, last in list(early.items())[:_NAMED])
        more = f" and {len(early) - _NAMED} more" if len(early) > _NAMED else ""
        notes.append(
            f"{len(early)} series end before {year - 1} does; they count as 0 in the years after their last, where those "
            f"aren't left out: {ended}{more}."
        )
    if missing:
        notes.append(f"{missing} yearly values are worked out of at least half of their periods.")
    if not known.all():
        left = ", ".join(str(one) for one in years[~known])
        notes.append(f"Left out, because pairs have too few of its periods: {left}.")
    if not known.any():
        raise NothingToTrainError("No year is known in full.", "Import more of the history.")
    districts = sorted({info.region for info in series if info.region})
    clusters = sorted({info.cluster for info in series if info.cluster})
    if len(districts) < 3 or len(clusters) < 3:
        raise NothingToTrainError(
            f"{len(districts)} districts and {len(clusters)} clusters have values; a ranking compares at least three of each.",
            "Import values of more of them.",
        )
    values = np.zeros((int(known.sum()), len(districts), len(clusters)))
    there = np.zeros(values.shape[1:], dtype=np.bool_)
    for column, info in enumerate(series):
        place = districts.index(str(info.region)), clusters.index(str(info.cluster))
        values[:, *place], there[place] = sums[known, column], True
    empty = len(districts) * len(clusters) - len(series)
    if empty:
        notes.append(f"{empty} of {len(districts) * len(clusters)} pairs have no series and count as 0.")
    cube = ActivityCube(
        values,
        tuple(years[known].tolist()),
        tuple(districts),
        tuple(clusters),
        distance=_distances([regions[code] for code in districts]),
        supplies=_supplies(clusters, links),
    )
    return Gathered(
        cube,
        str(series[0].indicator),
        series[0].unit,
        PERIODS[series[0].frequency],
        any(info.simulated for info in series) or any(link.simulated for link in _among(clusters, links)),
        tuple(notes),
        there,
    )


def intensity(gathered: Gathered, other: Gathered, *, stock: bool) -> Floats:
    """How much of another indicator comes with a unit of a year's value, by cluster (activities,), in the newest year.

    Of the pairs that have series of both. NaN where it is unknown.

    Args:
        stock: whether the other one is a level, such as employment, of which a year has the mean and not the sum.
    """
    found = np.full(len(gathered.cube.activities), np.nan)
    year = gathered.cube.years[-1]
    if year not in other.cube.years:
        return found
    ours, theirs = _shared(gathered, other)
    both = gathered.there[ours] & other.there[theirs]
    value = np.where(both, gathered.cube.values[-1][ours], 0.0).sum(axis=0)
    amount = np.where(both, other.cube.values[other.cube.years.index(year)][theirs], 0.0).sum(axis=0)
    known = value > 0.0
    found[ours[1].ravel()[known]] = amount[known] / value[known] / (other.periods if stock else 1)
    return found


def coverage(gathered: Gathered, other: Gathered) -> str | None:
    """A note where another indicator has series of only a part of the pairs; None where it has of all."""
    ours, theirs = _shared(gathered, other)
    both, pairs = int((gathered.there[ours] & other.there[theirs]).sum()), int(gathered.there.sum())
    if both == pairs:
        return None
    return f"'{other.indicator}' has series of {both} of {pairs} pairs: what comes with a unit of output is of these alone."


def _shared(one: Gathered, other: Gathered) -> tuple[tuple[Indices, Indices], tuple[Indices, Indices]]:
    """Where both have a district and a cluster, in the tables of each."""
    _, rows, other_rows = np.intersect1d(one.cube.regions, other.cube.regions, return_indices=True)
    _, columns, other_columns = np.intersect1d(one.cube.activities, other.cube.activities, return_indices=True)
    ours, theirs = np.ix_(rows, columns), np.ix_(other_rows, other_columns)
    return (ours[0], ours[1]), (theirs[0], theirs[1])


def _among(clusters: Sequence[str], links: Sequence[ChainLink]) -> list[ChainLink]:
    """Links of which both ends are among the clusters."""
    return [one for one in links if one.supplier in clusters and one.customer in clusters]


def _supplies(clusters: Sequence[str], links: Sequence[ChainLink]) -> Floats | None:
    """How much each cluster supplies to each; None without any link among them."""
    place = {code: row for row, code in enumerate(clusters)}
    table = np.zeros((len(clusters), len(clusters)))
    for link in _among(clusters, links):
        table[place[link.supplier], place[link.customer]] = link.weight
    return table if table.any() else None


def _sums(panels: Sequence[Panel], series: Sequence[SeriesInfo], year: int) -> tuple[int, Floats, int, dict[int, int]]:
    """First year; sums (years, series), NaN where unknown and 0 where a series says nothing; how many were worked out; the last
    year of each series that ended before the newest year did."""
    column = {info.id: place for place, info in enumerate(series)}
    reaches = np.zeros(len(series), dtype=np.bool_)
    parts: list[tuple[int, npt.NDArray[np.int64], Floats, npt.NDArray[np.int64], int]] = []
    for panel in panels:
        for name, start, values in zip(panel.ids, panel.start.tolist(), panel, strict=True):
            if name not in column or not len(values):
                continue
            starts = panel.freq.starts(np.arange(start, start + len(values) + 1, dtype=np.int64))
            bounds = starts.astype("datetime64[Y]").astype(np.int64) + 1970
            of_year, there = bounds[:-1], np.isfinite(values)
            reaches[column[name]] = (bounds[1:][there] >= year).any()
            parts.append((column[name], of_year, values, there.astype(np.int64), PERIODS[panel.freq]))
    parts = [part for part in parts if (part[1] < year).any()]
    if not parts:
        raise NothingToTrainError(f"No value is known from before {year}.", "Import the years before.")
    first = min(int(part[1][0]) for part in parts)
    total, count = (np.zeros((year - first, len(series))) for _ in range(2))
    periods = np.ones(len(series))
    for place, of_year, values, there, a_year in parts:
        rows = of_year < year
        np.add.at(total[:, place], of_year[rows] - first, np.nan_to_num(values[rows]))
        np.add.at(count[:, place], of_year[rows] - first, there[rows])
        periods[place] = a_year
    share = count / periods
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(share >= ENOUGH, total / share, np.nan)
    reporting = share > 0.0
    before = np.logical_or.accumulate(reporting, axis=0)
    after = np.logical_or.accumulate(reporting[::-1], axis=0)[::-1]
    begins = before & ~np.vstack([np.zeros(len(series), dtype=bool), before[:-1]])
    ends = after & ~np.vstack([after[1:], np.zeros(len(series), dtype=bool)])
    silent = ~(before & after)
    # the year in which a pair begins or ends is often a part of one: what is there is what there was
    edge = (begins | ends) & (share < ENOUGH)
    found = np.where(silent, 0.0, np.where(edge, total, found))
    found[-1, _late(share, begins, before, reaches, series)] = np.nan
    last = len(share) - 1 - np.argmax(reporting[::-1], axis=0)
    ended = before[-1] & ~reaches & (share[-1] < ENOUGH)
    # where all end alike, the data do
    early = {} if ended.all() else {int(place): int(first + last[place]) for place in np.flatnonzero(ended)}
    # where the data begin or end within a year, that year is a part of one for nearly all
    partial = np.array(
        [there.any() and np.median(one[there]) < ENOUGH for one, there in zip(share, reporting, strict=True)]
    )
    found[partial] = np.nan
    return first, found, int(((share >= ENOUGH) & (share < 1.0)).sum()), early


def _late(share: Floats, begins: Flags, before: Flags, reaches: Flags, series: Sequence[SeriesInfo]) -> Flags:
    """Which series are unknown in the newest year, (series,): they stop within it, or skip it, or are all that their district
    had in the year before, and none of it has come."""
    short = share[-1] < ENOUGH
    late = short & np.where(begins[-1], ~reaches, before[-1] & ((share[-1] > 0.0) | reaches))
    if len(share) > 1:
        gone = (share[-2] > 0.0) & (share[-1] == 0.0) & ~reaches
        region = np.array([info.region for info in series])
        heard = np.unique(region[(share[-1] > 0.0) | reaches])
        late |= gone & ~np.isin(region, heard)
    return np.asarray(late)


def _distances(regions: Sequence[Region]) -> Floats | None:
    """Kilometres between label points, (n, n), by the haversine formula; None where one has none."""
    points = [(one.longitude, one.latitude) for one in regions]
    if any(longitude is None or latitude is None for longitude, latitude in points):
        return None
    longitude, latitude = np.radians(np.array(points, dtype=np.float64)).T
    half = np.sin((latitude[:, None] - latitude) / 2.0) ** 2
    half += np.cos(latitude)[:, None] * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2.0) ** 2
    return np.asarray(2.0 * _EARTH * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))
