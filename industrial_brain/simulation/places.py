"""Where the city is: real districts and clusters from the shipped tables, made-up towns, and what is where."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.city import Cluster, ClusterClass, Region, Tier
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.simulation.streams import stream

CITY = Region("500000", "重庆市", "Chongqing", Tier.MUNICIPALITY, None, 106.551556, 29.563009)

#: economic mass of a district by zone, before its own luck: the core counts four times the mountains
_ZONE_MASS = {"core": 2.0, "ring": 1.3, "northeast": 0.8, "southeast": 0.5}
_CLASS_MASS = {
    ClusterClass.LEADING: 8.0,
    ClusterClass.PILLAR: 4.0,
    ClusterClass.SPECIALTY: 2.0,
    ClusterClass.RISING: 0.7,
}
#: share of the districts in which a cluster of a class has firms
_CLASS_SPREAD = {
    ClusterClass.LEADING: 0.55,
    ClusterClass.PILLAR: 0.42,
    ClusterClass.SPECIALTY: 0.26,
    ClusterClass.RISING: 0.16,
}
#: real towns are numbered from 001, 100 and 200: numbers from 901 collide with none
_FIRST_TOWN = 901
_MOST_TOWNS = 99
_PIPED_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Places:
    """The map of the city.

    Attributes:
        districts: real districts and counties, in order of code.
        mass: one positive weight a district, summing to 1.
        towns: made-up towns, in order of code.
        town_mass: one positive weight a town, summing to 1; a district's towns sum to its mass.
        piped: whether each town has a gas network.
        pairs: (district, cluster) positions in which a cluster has firms.
        pair_mass: one positive weight a pair, summing to 1.
    """

    districts: tuple[Region, ...]
    mass: Floats
    towns: tuple[Region, ...]
    town_mass: Floats
    piped: npt.NDArray[np.bool_]
    clusters: tuple[Cluster, ...]
    pairs: npt.NDArray[np.int64]
    pair_mass: Floats

    @property
    def regions(self) -> tuple[Region, ...]:
        return (CITY, *self.districts, *self.towns)


def build_places(seed: int, *, districts: int, towns: int, clusters: int) -> Places:
    """The first so many districts and clusters, with that many towns between them.

    Raises ValueError when there are not so many districts or clusters, or a district can't number its towns.
    """
    rows = _shipped("districts.csv")[:districts]
    groups = _shipped("clusters.csv")[:clusters]
    if len(rows) < districts or len(groups) < clusters or min(districts, clusters) < 1 or towns < districts:
        raise ValueError("the city has 38 districts and 30 clusters, and a district has a town")
    real = tuple(
        Region(
            row["code"],
            row["name"],
            row["name_en"],
            Tier.DISTRICT,
            CITY.code,
            float(row["longitude"]),
            float(row["latitude"]),
        )
        for row in rows
    )
    luck = stream(seed, "districts").lognormal(0.0, 0.3, len(rows))
    mass = _shares(np.array([_ZONE_MASS[row["zone"]] for row in rows]) * luck)
    made_up, owner = _towns(seed, real, mass, towns)
    rng = stream(seed, "town mass")
    town_luck = rng.lognormal(0.0, 0.4, len(made_up))
    town_mass = mass[owner] * town_luck / np.bincount(owner, town_luck)[owner]
    piped = rng.random(len(made_up)) < _PIPED_SHARE
    piped[np.unique(owner, return_index=True)[1]] = True  # a district's first town is its seat, and has a network
    known = tuple(Cluster(row["code"], row["name"], row["name_en"], ClusterClass(row["class"])) for row in groups)
    pairs, pair_mass = _pairs(seed, mass, known)
    return Places(real, mass, made_up, town_mass, piped, known, pairs, pair_mass)


def typical_mass(places: Places) -> Floats:
    """Mass (districts, clusters) that a pair of typical specialisation has beside those of `places.pairs`."""
    class_mass = np.array([_CLASS_MASS[c.cluster_class] for c in places.clusters])
    raw = np.sqrt(places.mass)[:, None] * class_mass
    return np.asarray(raw / raw[tuple(places.pairs.T)].sum())


def shipped_chain() -> tuple[ChainLink, ...]:
    """The made-up production chain between the clusters."""
    return tuple(
        ChainLink(row["supplier"], row["customer"], float(row["weight"]), "Industrial Brain city simulator", True)
        for row in _shipped("chain.csv")
    )


def apportion(total: int, shares: Floats, *, least: int = 1) -> npt.NDArray[np.int64]:
    """Whole numbers that sum to `total` in proportion to `shares` (largest remainders), none under `least`."""
    exact = (total - least * len(shares)) * shares / shares.sum()
    counts = np.floor(exact).astype(np.int64)
    missing = total - least * len(shares) - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:missing]] += 1
    return np.asarray(counts + least)


def scatter(rng: np.random.Generator, around: Sequence[Region], spread: float) -> Floats:
    """Points (n, 2) of longitude and latitude around regions that have a label point; `spread` in degrees."""
    centres = np.array([(region.longitude, region.latitude) for region in around], dtype=np.float64)
    return np.asarray(np.round(centres + rng.normal(0.0, spread, centres.shape), 6))


def _shipped(name: str) -> list[dict[str, str]]:
    table = resources.files("industrial_brain") / "data" / "chongqing" / name
    with table.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _shares(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())


def _towns(
    seed: int, districts: tuple[Region, ...], mass: Floats, towns: int
) -> tuple[tuple[Region, ...], npt.NDArray[np.int64]]:
    counts = apportion(towns, np.sqrt(mass))  # rural districts have many small towns
    if counts.max() > _MOST_TOWNS:
        raise ValueError(f"a district can number at most {_MOST_TOWNS} towns")
    owner = np.repeat(np.arange(len(districts)), counts)
    points = scatter(stream(seed, "town points"), [districts[i] for i in owner], 0.1)
    number = np.concatenate([np.arange(1, count + 1) for count in counts])
    regions = tuple(
        Region(
            code=f"{districts[i].code}{_FIRST_TOWN - 1 + n:03d}",
            name=f"{districts[i].name}模拟镇{n:02d}",
            name_en=f"{districts[i].name_en}, simulated town {n:02d}",
            tier=Tier.TOWN,
            parent=districts[i].code,
            longitude=float(x),
            latitude=float(y),
            simulated=True,
        )
        for i, n, (x, y) in zip(owner, number, points, strict=True)
    )
    return regions, owner


def _pairs(seed: int, mass: Floats, clusters: tuple[Cluster, ...]) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where clusters have firms. Big districts attract more of them; every district gets one."""
    rng = stream(seed, "clusters")
    active = np.zeros((len(mass), len(clusters)), dtype=np.bool_)
    for column, cluster in enumerate(clusters):
        homes = max(1, round(_CLASS_SPREAD[cluster.cluster_class] * len(mass)))
        active[rng.choice(len(mass), homes, replace=False, p=mass), column] = True
    for row in np.flatnonzero(~active.any(axis=1)):
        active[row, rng.integers(len(clusters))] = True
    pairs = np.argwhere(active)
    class_mass = np.array([_CLASS_MASS[c.cluster_class] for c in clusters])
    # a floor under the specialisation keeps the smallest pair well above the last published decimal
    specialisation = 0.4 + rng.gamma(1.5, 1.0, len(pairs))
    return pairs, _shares(np.sqrt(mass[pairs[:, 0]]) * class_mass[pairs[:, 1]] * specialisation)
