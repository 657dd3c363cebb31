"""From bottom values to what is published: parents, preliminary values, gaps, late values and typing errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.observations import Moments
from industrial_brain.domain.panel import Floats
from industrial_brain.simulation.calendar import Timeline
from industrial_brain.simulation.events import Event, Kind, targeted
from industrial_brain.simulation.indicators import Grain, Spec
from industrial_brain.simulation.places import CITY, Places
from industrial_brain.simulation.presence import Presence

#: values in units of an indicator's last published decimal, so that sums are exact
Units = npt.NDArray[np.int64]

REVISION_DAYS = 30
_PRELIMINARY_ERROR = 0.02


@dataclass(frozen=True, slots=True)
class Grid:
    """The places of a grain: its bottom, and the parents that add up from it.

    Attributes:
        places: `region` or `region:cluster` of each bottom series.
        shares: (n,) part of the city's level.
        clusters: (n,) position of each series' cluster, or None.
        rollups: parents' names, and for each bottom series the position of its parent among them.
        begins: (n,) month from which on each bottom series exists, or None where all do from the beginning.
        log_size: (n, months) part of its share that each has, in logs, or None where all have the whole.
    """

    places: tuple[str, ...]
    shares: Floats
    clusters: npt.NDArray[np.int64] | None
    rollups: tuple[tuple[tuple[str, ...], npt.NDArray[np.int64]], ...]
    begins: npt.NDArray[np.int64] | None = None
    log_size: Floats | None = None

    @property
    def published(self) -> tuple[str, ...]:
        """The bottom, then every parent."""
        return (*self.places, *(name for names, _ in self.rollups for name in names))

    @property
    def founders(self) -> tuple[str, ...]:
        """The bottom series that exist from the beginning."""
        return self.places if self.begins is None else tuple(np.array(self.places)[self.begins == 0].tolist())


@dataclass(frozen=True, slots=True)
class Values:
    """An indicator's values before anything goes wrong with their publication: (places, periods) in last decimals.

    `first` differs from `final` where the first publication was preliminary.
    """

    places: tuple[str, ...]
    first: Units
    final: Units

    def at(self, places: Sequence[str]) -> Values:
        row = {name: i for i, name in enumerate(self.places)}
        rows = [row[name] for name in places]
        return Values(tuple(places), self.first[rows], self.final[rows])


@dataclass(frozen=True, slots=True)
class Rows:
    """Published rows of one indicator as columns, ordered by series, period and knowledge.

    Attributes:
        series, periods: positions in `ids` and on `timeline`.
        units: values in last decimals.
        known_at: `datetime64[s]`, UTC.
    """

    spec: Spec
    ids: tuple[str, ...]
    timeline: Timeline
    series: npt.NDArray[np.int64]
    periods: npt.NDArray[np.int64]
    units: Units
    known_at: Moments


def grids(places: Places, presence: Presence) -> dict[Grain, Grid]:
    districts = tuple(region.code for region in places.districts)
    position = {code: i for i, code in enumerate(districts)}
    clusters = tuple(cluster.code for cluster in places.clusters)
    home, trade = presence.pairs[:, 0], presence.pairs[:, 1]
    active = np.unique(trade)  # in a small city, a cluster may have no firm
    whole_city = (CITY.code,)

    def towns(of: npt.NDArray[np.bool_]) -> Grid:
        chosen = [town for town, here in zip(places.towns, of, strict=True) if here]
        mass = places.town_mass[of]
        owner = np.array([position[str(town.parent)] for town in chosen])
        return Grid(
            tuple(town.code for town in chosen),
            mass / mass.sum(),
            None,
            ((districts, owner), (whole_city, np.zeros_like(owner))),
        )

    return {
        Grain.CITY: Grid(whole_city, np.ones(1), None, ()),
        Grain.PAIR: Grid(
            tuple(f"{districts[i]}:{clusters[k]}" for i, k in presence.pairs),
            presence.mass,
            trade,
            (
                (districts, home),
                (tuple(f"{CITY.code}:{clusters[k]}" for k in active), np.searchsorted(active, trade)),
                (whole_city, np.zeros_like(home)),
            ),
            presence.begins,
            presence.log_size,
        ),
        Grain.DISTRICT: Grid(districts, places.mass, None, ((whole_city, np.zeros(len(districts), dtype=np.int64)),)),
        Grain.PLACE: Grid((*districts, CITY.code), np.ones(len(districts) + 1), None, ()),
        Grain.TOWN: towns(np.ones(len(places.towns), dtype=np.bool_)),
        Grain.PIPED_TOWN: towns(places.piped),
    }


def with_preliminary(final: Units, share: float, rng: np.random.Generator) -> Units:
    """What was published first: a share of the values is an estimate, 2% off on average."""
    estimated = rng.random(final.shape) < share
    error = rng.normal(0.0, _PRELIMINARY_ERROR, final.shape)
    return np.where(estimated, np.rint(final * (1.0 + error)).astype(np.int64), final)


def add_up(grid: Grid, first: Units, final: Units) -> Values:
    """The bottom and the sums of its parents, exact in whole numbers."""
    return Values(
        grid.published,
        np.concatenate([first, *(_sums(first, owner, len(names)) for names, owner in grid.rollups)]),
        np.concatenate([final, *(_sums(final, owner, len(names)) for names, owner in grid.rollups)]),
    )


def average(grid: Grid, first: Units, final: Units, weights: Values) -> Values:
    """The bottom and the weighted means of its parents, rounded to the last decimal."""
    bottom = weights.at(grid.places)
    weighted = add_up(grid, first * bottom.first, final * bottom.final)
    total = add_up(grid, bottom.first, bottom.final)
    return divide(grid.published, weighted, total, 0)


def divide(places: Sequence[str], numerator: Values, denominator: Values, shift: int) -> Values:
    """Quotients at these places; `shift` moves the parts' decimals to the ratio's."""
    above, below = numerator.at(places), denominator.at(places)
    scale = 10.0**shift

    def quotient(top: Units, bottom: Units) -> Units:
        return np.rint(top / np.maximum(bottom, 1) * scale).astype(np.int64)

    return Values(tuple(places), quotient(above.first, below.first), quotient(above.final, below.final))


def publish(
    spec: Spec,
    timeline: Timeline,
    values: Values,
    events: Iterable[Event],
    until: np.datetime64,
    begins: npt.NDArray[np.int64] | None = None,
) -> Rows:
    """The rows that were known by `until`, with what the events did to their publication.

    Args:
        begins: (bottom places,) first period of each; none is published before.
    """
    ids = tuple(f"{spec.code}:{place}" for place in values.places)
    shape = values.final.shape
    shown = values.first.copy()
    present = np.ones(shape, dtype=np.bool_)
    if begins is not None:
        present[: len(begins)] = np.arange(len(timeline)) >= begins[:, None]
    known = np.broadcast_to(timeline.known(spec.lag), shape).copy()
    corrected = known + np.timedelta64(REVISION_DAYS, "D")
    for event in events:
        rows = targeted(event, ids)
        where = slice(event.first, event.last + 1)
        match event.kind:
            case Kind.MISSING:
                present[rows, where] = False
            case Kind.LATE:
                known[rows, where] = event.known_at
                corrected[rows, where] = known[rows, where] + np.timedelta64(REVISION_DAYS, "D")
            case Kind.REVISED_ERROR:
                shown[rows, where] = values.final[rows, where] * int(event.size)
                corrected[rows, where] = event.corrected_at
            case _:
                pass  # the values have it already
    first = np.argwhere(present & (known <= until))
    second = np.argwhere(present & (shown != values.final) & (corrected <= until))
    at = np.concatenate([first, second])
    units = np.concatenate([shown[tuple(first.T)], values.final[tuple(second.T)]])
    moments = np.concatenate([known[tuple(first.T)], corrected[tuple(second.T)]])
    order = np.lexsort((moments, at[:, 1], at[:, 0]))
    return Rows(spec, ids, timeline, at[order, 0], at[order, 1], units[order], moments[order])


def _sums(units: Units, owner: npt.NDArray[np.int64], parents: int) -> Units:
    out = np.zeros((parents, units.shape[1]), dtype=np.int64)
    np.add.at(out, owner, units)
    return out
