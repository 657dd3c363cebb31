"""Enterprises, factories, gas stations and their service points: all made up, and named so that one sees it."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.city import Enterprise, Region, Site, SiteKind
from industrial_brain.domain.panel import Floats
from industrial_brain.simulation.places import Places, apportion, scatter
from industrial_brain.simulation.streams import stream

_AROUND_DISTRICT = 0.06  # degrees; about 6 km
_AROUND_TOWN = 0.015


def build_enterprises(seed: int, places: Places, count: int) -> tuple[Enterprise, ...]:
    """Firms of the clusters, where the clusters are; head counts are log-normal with a median of 120."""
    rng = stream(seed, "enterprises")
    homes = places.pairs[np.sort(rng.choice(len(places.pairs), count, p=places.pair_mass))]
    heads = np.rint(np.exp(rng.normal(np.log(120.0), 1.0, count))).astype(np.int64) + 5
    return tuple(
        Enterprise(
            id=f"E{number:05d}",
            name=f"模拟企业{number:05d}（{places.districts[district].name}）",
            region=places.districts[district].code,
            cluster=places.clusters[cluster].code,
            employees=int(employees),
            simulated=True,
        )
        for number, ((district, cluster), employees) in enumerate(zip(homes, heads, strict=True), 1)
    )


def build_sites(
    seed: int, places: Places, enterprises: tuple[Enterprise, ...], *, factories: int, stations: int, points: int
) -> tuple[Site, ...]:
    """Factories of the largest enterprises, a gas station or more in each district, and their service points.

    Raises ValueError when there are fewer enterprises than factories, or fewer stations than districts.
    """
    if factories > len(enterprises) or stations < len(places.districts) or points < stations:
        raise ValueError("a factory needs an enterprise, a district a station, a station a service point")
    plants = _factories(seed, places, enterprises, factories)
    fillers = _stations(seed, places, stations)
    return (*plants, *fillers, *_service_points(seed, places, fillers, points))


def _factories(seed: int, places: Places, enterprises: tuple[Enterprise, ...], count: int) -> list[Site]:
    district = {region.code: region for region in places.districts}
    largest = sorted(enterprises, key=lambda firm: (-firm.employees, firm.id))[:count]
    owners = sorted(largest, key=lambda firm: firm.id)
    spots = scatter(stream(seed, "factories"), [district[firm.region] for firm in owners], _AROUND_DISTRICT)
    return [
        _site(
            f"F{number:04d}", f"模拟工厂{number:04d}", SiteKind.FACTORY, district[firm.region], spot, enterprise=firm.id
        )
        for number, (firm, spot) in enumerate(zip(owners, spots, strict=True), 1)
    ]


def _stations(seed: int, places: Places, count: int) -> list[Site]:
    homes = np.repeat(np.arange(len(places.districts)), apportion(count, places.mass))
    spots = scatter(stream(seed, "stations"), [places.districts[i] for i in homes], _AROUND_DISTRICT)
    return [
        _site(f"G{number:03d}", f"模拟储配站{number:03d}", SiteKind.GAS_STATION, places.districts[home], spot)
        for number, (home, spot) in enumerate(zip(homes, spots, strict=True), 1)
    ]


def _service_points(seed: int, places: Places, stations: list[Site], count: int) -> list[Site]:
    """Points in the towns of their station's district."""
    rng = stream(seed, "service points")
    towns: dict[str, list[Region]] = {}
    for town in places.towns:
        towns.setdefault(town.code[:6], []).append(town)
    parents = np.repeat(np.arange(len(stations)), apportion(count, rng.gamma(4.0, 1.0, len(stations))))
    homes = [towns[stations[i].region][int(rng.integers(len(towns[stations[i].region])))] for i in parents]
    spots = scatter(rng, homes, _AROUND_TOWN)
    return [
        _site(
            f"P{number:05d}",
            f"模拟供应点{number:05d}",
            SiteKind.GAS_SERVICE_POINT,
            home,
            spot,
            parent=stations[parent].id,
        )
        for number, (parent, home, spot) in enumerate(zip(parents, homes, spots, strict=True), 1)
    ]


def _site(
    code: str,
    name: str,
    kind: SiteKind,
    region: Region,
    spot: Floats,
    *,
    enterprise: str | None = None,
    parent: str | None = None,
) -> Site:
    longitude, latitude = (float(x) for x in spot)
    return Site(
        id=code,
        name=f"{name}（{region.name}）",
        kind=kind,
        region=region.code,
        enterprise=enterprise,
        parent=parent,
        longitude=longitude,
        latitude=latitude,
        simulated=True,
    )
