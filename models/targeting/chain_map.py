"""The production chain of a place: what is there, what lacks between what is there, and what hangs on a single thread."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.chain import chain_gaps, chain_neighbours
from features.specialisation import herfindahl
from industrial_brain.domain.city import Cluster, Enterprise
from industrial_brain.domain.targeting import ChainLink

#: a supplier that a customer has at least this part of its supplies from is one that it depends on
DEPENDS = 0.5

#: an enterprise with at least this part of a cluster's employees is its single thread
THREAD = 0.8


@dataclass(frozen=True, slots=True)
class Stand:
    """How a cluster stands in a place.

    Attributes:
        value: of the last year, None where none is known; quotient: its location quotient there; None of the whole city.
        concentration: Herfindahl index of its value over the city's regions, 0 to 1; None where no value is known.
    """

    value: float | None = None
    quotient: float | None = None
    concentration: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster in a place.

    Attributes:
        present: it has a value or an enterprise there.
        suppliers, customers: parts of its supplies and of its sales, by weight, whose partners are present; None without any.
        enterprises, employees: of the place; largest: the part of the employees that the largest enterprise has, None
        without any.
        gap: it is absent, and a supplier and a customer of it are there.
    """

    cluster: Cluster
    stand: Stand
    present: bool
    suppliers: float | None
    customers: float | None
    enterprises: tuple[Enterprise, ...]
    employees: int
    largest: float | None
    gap: bool


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """A cluster that others depend on and that hangs on one thread.

    Attributes:
        reason: `one enterprise`, or `one region` (of the whole city).
        holder: the enterprise's id, or the region's code.
        dependents: present customers with at least half of their present supplies from it.
    """

    cluster: str
    reason: str
    holder: str
    dependents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChainMap:
    nodes: tuple[Node, ...]
    links: tuple[ChainLink, ...]
    gaps: tuple[str, ...]
    single_points: tuple[SinglePoint, ...]


def chain_map(
    links: Sequence[ChainLink],
    clusters: Mapping[str, Cluster],
    enterprises: Collection[Enterprise],
    stands: Mapping[str, Stand],
    regions: Mapping[str, Collection[str]],
) -> ChainMap:
    """The chain as it is in one place.

    Args:
        enterprises: of the place.
        stands: by cluster; what is missing is unknown.
        regions: for the whole city, the regions that each cluster has a value or an enterprise in; empty for a single place.
    """
    codes = sorted(clusters)
    place = {code: row for row, code in enumerate(codes)}
    table = np.zeros((len(codes), len(codes)))
    for link in links:
        table[place[link.supplier], place[link.customer]] = link.weight
    of: dict[str, list[Enterprise]] = {code: [] for code in codes}
    for one in enterprises:
        of.setdefault(one.cluster, []).append(one)
    there = np.array(
        [bool(of[code]) or (stands.get(code, Stand()).value or 0.0) > 0.0 for code in codes], dtype=np.bool_
    )
    upstream, downstream = (part[0] for part in chain_neighbours(table, there[None, :]))
    gaps = chain_gaps(table > 0.0, there[None, :])[0]
    nodes = []
    for row, code in enumerate(codes):
        firms = tuple(sorted(of[code], key=lambda one: (-one.employees, one.id)))
        heads = sum(one.employees for one in firms)
        nodes.append(
            Node(
                cluster=clusters[code],
                stand=stands.get(code, Stand()),
                present=bool(there[row]),
                suppliers=float(upstream[row]) if table[:, row].any() else None,
                customers=float(downstream[row]) if table[row].any() else None,
                enterprises=firms,
                employees=heads,
                largest=firms[0].employees / heads if heads else None,
                gap=bool(gaps[row]),
            )
        )
    local = table * there[:, None] * there
    bought = local.sum(axis=0)
    share = np.divide(local, bought, out=np.zeros_like(local), where=bought > 0.0)
    points = []
    for row, node in enumerate(nodes):
        dependents = tuple(codes[column] for column in np.flatnonzero(share[row] >= DEPENDS))
        if dependents:
            points += _threads(node, dependents, regions.get(codes[row], ()))
    return ChainMap(tuple(nodes), tuple(links), tuple(codes[row] for row in np.flatnonzero(gaps)), tuple(points))


def concentration(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    """Herfindahl index of a cluster's values over regions; None where they sum to zero."""
    found = float(herfindahl(values))
    return found if np.isfinite(found) else None


def _threads(node: Node, dependents: tuple[str, ...], regions: Collection[str]) -> list[SinglePoint]:
    code = node.cluster.code
    found = []
    if node.largest is not None and node.largest >= THREAD:
        found.append(SinglePoint(code, "one enterprise", node.enterprises[0].id, dependents))
    if len(regions) == 1:
        found.append(SinglePoint(code, "one region", next(iter(regions)), dependents))
    return found
