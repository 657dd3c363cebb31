"""Economic complexity of regions (ECI) and of activities (PCI), after Hidalgo and Hausmann (2009)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from features.specialisation import Flags, diversity, ubiquity
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals

#: two eigenvalues nearer than this are one: their vectors may be turned into each other, so neither means anything
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Complexity:
    """Both indices, standardised over what was ranked, and what could not be.

    Attributes:
        eci: (regions,) mean 0, standard deviation 1; NaN for regions outside the largest connected part.
        pci: (activities,) the same.
        note: what a reader must know; empty when all were ranked.
    """

    eci: Floats
    pci: Floats
    note: str = ""


def complexity(present: Flags) -> Complexity:
    """ECI and PCI by eigenvectors: the second of the matrix that averages over neighbours twice (Hausmann et al. 2014).

    *Sign*: the ECI correlates positively with diversity; where that correlation is zero, the region with the largest index is
    positive. *Parts*: regions that share no activity, however indirectly, can't be compared; the largest part (by regions,
    then by activities, then the one with the first region) is ranked, the rest is NaN. *Ties*: where the second eigenvalue
    is a double one there is no single ranking, so that all is NaN and the note says so. Regions with the same activities
    have the same index.

    The smaller side is decomposed: 500 x 1,200 takes a fraction of a second.
    """
    regions, activities = present.shape
    eci, pci = np.full(regions, np.nan), np.full(activities, np.nan)
    rows, columns = _largest_part(present)
    if len(rows) < 3 or len(columns) < 3:
        return Complexity(eci, pci, "Fewer than three regions or activities are connected: nothing to rank.")
    part = present[np.ix_(rows, columns)]
    left, right = np.sqrt(diversity(part)), np.sqrt(ubiquity(part))
    scaled = part / left[:, None] / right[None, :]
    tall = len(rows) > len(columns)  # the smaller side is decomposed, the other follows from it
    squares, vectors = np.linalg.eigh(scaled.T @ scaled if tall else scaled @ scaled.T)
    if squares[-2] < _TIE or squares[-2] - squares[-3] < _TIE:
        return Complexity(eci, pci, "The second eigenvalue is not a single one: there is no one ranking by complexity.")
    small = vectors[:, -2]
    large = (scaled @ small if tall else scaled.T @ small) / np.sqrt(squares[-2])
    first, second = (large / left, small / right) if tall else (small / left, large / right)
    sign = _sign(first, diversity(part))
    eci[rows], pci[columns] = _standard(sign * first), _standard(sign * second)
    left_out = regions - len(rows), activities - len(columns)
    note = f"Not connected, so not ranked: {left_out[0]} regions and {left_out[1]} activities." if any(left_out) else ""
    return Complexity(eci, pci, note)


def reflections(present: Flags, rounds: int = 18) -> tuple[Floats, Floats]:
    """ECI and PCI by the method of reflections, standardised: `rounds` (even) averages over neighbours, begun with diversity
    and ubiquity (Hidalgo and Hausmann 2009).

    It tends to `complexity`'s vectors as rounds grow and drowns in rounding after some thirty; use it to compare with older
    papers. Regions and activities without any partner are NaN; parts that aren't connected are *not* told apart here.

    Raises ValueError for a number of rounds that is odd or below 2.
    """
    if rounds < 2 or rounds % 2:
        raise ValueError(f"{rounds} is not an even number of rounds")
    places = present.astype(np.float64)
    some, many = diversity(present), ubiquity(present)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_region, by_activity = places / some[:, None], places.T / many[:, None]
    by_region, by_activity = np.nan_to_num(by_region), np.nan_to_num(by_activity)
    region, activity = some, many
    for _ in range(rounds):
        region, activity = by_region @ activity, by_activity @ region
    eci = np.where(some > 0.0, region, np.nan)
    pci = np.where(many > 0.0, activity, np.nan)
    eci, pci = _standard(eci), _standard(pci)
    # an even number of steps from diversity ends among regions with the sign of diversity; PCI takes its sign from the ECI
    sign = _sign(eci[some > 0.0], some[some > 0.0])
    mean_eci = np.divide(np.nan_to_num(sign * eci) @ places, many, out=np.zeros_like(many), where=many > 0.0)
    return sign * eci, pci * _sign(np.nan_to_num(pci), mean_eci)


def _largest_part(present: Flags) -> tuple[Ordinals, Ordinals]:
    regions, activities = present.shape
    row, column = np.nonzero(present)
    links = csr_array((np.ones(len(row)), (row, regions + column)), shape=(regions + activities,) * 2)
    _, label = connected_components(links, directed=False)
    first, second = label[:regions], label[regions:]
    parts = np.arange(label.max() + 1) if len(label) else np.empty(0, dtype=np.int64)
    sizes = [(int((first == part).sum()), int((second == part).sum()), -int(part)) for part in parts]
    if not sizes:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    chosen = -max(sizes)[2]
    return np.flatnonzero(first == chosen), np.flatnonzero(second == chosen)


def _sign(vector: Floats, towards: Floats) -> float:
    """+1 or -1, so that the vector correlates with `towards`, or its largest entry is positive."""
    covariance = float(((vector - vector.mean()) * (towards - towards.mean())).sum())
    scale = float(np.abs(vector).max() * np.abs(towards).max()) * len(vector)
    if abs(covariance) > 1e-12 * scale:
        return float(np.sign(covariance))
    return float(np.sign(vector[np.argmax(np.abs(vector))]) or 1.0)


def _standard(vector: Floats) -> Floats:
    spread = float(np.nanstd(vector))
    return np.asarray((vector - np.nanmean(vector)) / (spread if spread > 0.0 else 1.0))
