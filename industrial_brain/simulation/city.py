"""The whole city: from a seed to a profile folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.indicators import Aggregation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Progress, no_progress
from industrial_brain.simulation.calendar import HISTORY_MONTHS, History, Timeline
from industrial_brain.simulation.events import Event, effects, plan_events, plan_shocks
from industrial_brain.simulation.indicators import CATALOGUE, Grain, Spec
from industrial_brain.simulation.places import CITY, Places, build_places, shipped_chain
from industrial_brain.simulation.presence import Presence, plan_presence
from industrial_brain.simulation.process import (
    World,
    build_world,
    gas_weights,
    periods_of,
    simulate,
    simulate_shares,
    split_by_day,
)
from industrial_brain.simulation.publication import (
    Grid,
    Rows,
    Units,
    Values,
    add_up,
    average,
    divide,
    grids,
    publish,
    with_preliminary,
)
from industrial_brain.simulation.sites import build_enterprises, build_sites
from industrial_brain.simulation.streams import stream
from industrial_brain.simulation.writer import (
    ObservationFiles,
    write_catalogue,
    write_presence,
    write_profile,
    write_truth,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CitySize:
    """How much of the city to simulate. Districts and clusters are the first of the real lists."""

    districts: int
    towns: int
    clusters: int
    enterprises: int
    factories: int
    gas_stations: int
    service_points: int


FULL = CitySize(
    districts=38, towns=1000, clusters=30, enterprises=2000, factories=300, gas_stations=72, service_points=1364
)
#: about 200 series: for tests, and to look at the files by eye
SMALL = CitySize(districts=3, towns=6, clusters=3, enterprises=20, factories=5, gas_stations=4, service_points=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class CitySummary:
    """How many rows of each kind were written."""

    regions: int
    clusters: int
    indicators: int
    series: int
    observations: int
    enterprises: int
    sites: int
    events: int


@dataclass(frozen=True, slots=True)
class City:
    """A city before its observations: places, days, and what is planned to happen."""

    seed: int
    size: CitySize
    places: Places
    world: World
    presence: Presence
    grids: dict[Grain, Grid]
    timelines: dict[Frequency, Timeline]
    events: tuple[Event, ...]


def write_city(
    directory: Path, *, seed: int, last_month: str, size: CitySize = FULL, progress: Progress = no_progress
) -> CitySummary:
    """Write a simulated city as a profile folder: ten years of history that end with `last_month` (`YYYY-MM`).

    The same arguments write the same bytes. The folder appears when it is whole: a run that was killed leaves none.
    The values are made up: they say nothing about the real Chongqing, and every row says so.

    Raises:
        InputError: the seed is negative, the month can't be simulated, or the folder is in use or can't be written.
    """
    city = plan_city(seed=seed, last_month=last_month, size=size)
    directory = directory.absolute()
    partial = directory.with_name(f".{directory.name}.partial")
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise InputError(f"'{directory}' exists and is not an empty folder.", "Name a folder that does not exist.")
        if partial.exists():  # left by a run that was killed
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        summary = _write_files(partial, city, last_month, progress)
        if directory.exists():
            directory.rmdir()
        partial.rename(directory)
    except OSError as error:
        raise InputError(
            f"'{directory}' can't be written: {error.strerror or error}.",
            "Choose a folder that you may write, on a disk with room.",
        ) from error
    return summary


def plan_city(*, seed: int, last_month: str, size: CitySize) -> City:
    """Everything that is decided before the first value is drawn.

    Raises:
        InputError: the seed is negative, or the month can't be simulated.
    """
    if seed < 0:
        raise InputError(f"A seed is a whole number from 0 on, not {seed}.", "Choose another seed.")
    history = History.ending(last_month)
    places = build_places(seed, districts=size.districts, towns=size.towns, clusters=size.clusters)
    frequencies = sorted({spec.indicator.frequency for spec in CATALOGUE})
    timelines = {frequency: Timeline.of(frequency, history) for frequency in frequencies}
    presence = plan_presence(seed, places, shipped_chain(), HISTORY_MONTHS)
    layout = grids(places, presence)
    events = plan_shocks(seed, places, timelines[Frequency.MONTHLY])
    for spec in CATALOGUE:
        # ratios have no luck of their own, and nothing happens to a thermometer
        if spec.indicator.aggregation is not Aggregation.RATIO and not spec.weather:
            ids = [f"{spec.code}:{place}" for place in layout[spec.grain].founders]
            events += plan_events(seed, spec, ids, timelines[spec.indicator.frequency])
    world = build_world(seed, history, len(places.clusters))
    return City(seed, size, places, world, presence, layout, timelines, tuple(events))


def simulate_rows(city: City) -> Iterator[Rows]:
    """Published rows, one indicator after the other, in the order of the catalogue."""
    known: dict[str, Values] = {}
    by_indicator = _by_indicator(city.events)
    for spec in CATALOGUE:
        timeline = city.timelines[spec.indicator.frequency]
        events = by_indicator.get(spec.code, [])
        known[spec.code] = _values(city, spec, timeline, events, known)
        begins = city.grids[spec.grain].begins
        yield publish(spec, timeline, known[spec.code], events, city.world.history.published, begins)


def _write_files(folder: Path, city: City, last_month: str, progress: Progress) -> CitySummary:
    size, places = city.size, city.places
    enterprises = build_enterprises(city.seed, places, size.enterprises)
    sites = build_sites(
        city.seed,
        places,
        enterprises,
        factories=size.factories,
        stations=size.gas_stations,
        points=size.service_points,
    )
    write_profile(folder, seed=city.seed, last_month=last_month)
    indicators = [spec.indicator for spec in CATALOGUE]
    known = {cluster.code for cluster in places.clusters}
    links = [one for one in shipped_chain() if {one.supplier, one.customer} <= known]
    write_catalogue(folder, places.regions, places.clusters, indicators, enterprises, sites, links)
    write_truth(folder, city.events, city.timelines, city.world)
    write_presence(folder, places, city.presence, city.timelines[Frequency.MONTHLY])
    series = observations = 0
    with ObservationFiles(folder) as files:
        for done, rows in enumerate(simulate_rows(city), 1):
            files.write(rows)
            series += len(np.unique(rows.series))
            observations += len(rows.series)
            progress(done, len(CATALOGUE))
    return CitySummary(
        regions=len(places.regions),
        clusters=len(places.clusters),
        indicators=len(CATALOGUE),
        series=series,
        observations=observations,
        enterprises=len(enterprises),
        sites=len(sites),
        events=len(city.events),
    )


def _by_indicator(events: Iterable[Event]) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.target.partition(":")[0], []).append(event)
    return groups


def _values(city: City, spec: Spec, timeline: Timeline, events: Iterable[Event], known: dict[str, Values]) -> Values:
    grid = city.grids[spec.grain]
    definition = spec.indicator
    if definition.numerator is not None and definition.denominator is not None:
        shift = spec.decimals - _decimals(definition.numerator) + _decimals(definition.denominator)
        return divide(
            (*(region.code for region in city.places.districts), CITY.code),
            known[definition.numerator],
            known[definition.denominator],
            shift,
        )
    rng = stream(city.seed, f"values of {spec.code}")
    final = _bottom(city, spec, timeline, events, known, rng)
    first = with_preliminary(final, spec.preliminary, rng)
    if definition.weight is not None:
        return average(grid, first, final, known[definition.weight])
    return add_up(grid, first, final)


def _bottom(
    city: City,
    spec: Spec,
    timeline: Timeline,
    events: Iterable[Event],
    known: dict[str, Values],
    rng: np.random.Generator,
) -> Units:
    grid = city.grids[spec.grain]
    if spec.split_of is not None:
        totals = known[spec.split_of].at(grid.places).final
        weights = gas_weights(city.world, len(grid.places), rng)
        return split_by_day(totals, city.timelines[Frequency.MONTHLY], weights)
    if spec.total_of is not None:
        quarters = known[spec.total_of].at(grid.places).final
        year = city.timelines[Frequency.QUARTERLY].ordinals // 4
        return np.stack([quarters[:, year == one].sum(axis=1) for one in timeline.ordinals], axis=1)
    if spec.weather:
        return _rounded(timeline.mean(city.world.temperature)[None, :] * 10.0**spec.decimals)
    if spec.process is None:
        raise ValueError(f"{spec.code} is neither simulated nor derived")
    if spec.process.part_of is not None:
        whole = known[spec.process.part_of].at(grid.places).final
        return _rounded(whole * simulate_shares(spec.process, len(grid.places), timeline, rng))
    ids = [f"{spec.code}:{place}" for place in grid.places]
    if spec.activity:
        months = city.timelines[Frequency.MONTHLY]
        own = simulate(
            spec.process,
            shares=grid.shares,
            clusters=None,
            timeline=months,
            world=city.world,
            effects=np.zeros((len(grid.places), len(months))),
            rng=rng,
        )
        parts = [(share, known[code].at(grid.places).final.astype(np.float64)) for code, share in spec.activity.items()]
        error = effects(events, ids, timeline) + spec.measured * rng.standard_normal((len(ids), len(timeline)))
        parts.append((1.0 - sum(spec.activity.values()), own))
        sums = periods_of(parts, spec.process.level * grid.shares, months, timeline, error)
        return _rounded(sums * 10.0**spec.decimals)
    shares = grid.shares if spec.indicator.aggregation is Aggregation.SUM else np.ones(len(grid.places))
    planned = effects(events, ids, timeline)
    if grid.log_size is not None:
        planned += grid.log_size
    values = simulate(
        spec.process,
        shares=shares,
        clusters=grid.clusters,
        timeline=timeline,
        world=city.world,
        effects=planned,
        rng=rng,
    )
    return _rounded(values * 10.0**spec.decimals)


def _decimals(code: str) -> int:
    return next(spec.decimals for spec in CATALOGUE if spec.code == code)


def _rounded(values: Floats) -> Units:
    return np.rint(values).astype(np.int64)
