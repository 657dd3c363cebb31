"""How clusters come to districts, and how they decline there: the truth that a ranking of targets can be scored against.

docs/reference/simulator.md has the equations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.chain import chain_neighbours
from features.relatedness import density, proximity
from features.specialisation import Flags
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.simulation.places import Places, typical_mass
from industrial_brain.simulation.streams import stream

#: rates a year at which an absent cluster comes: by chance, where all is related, and where the whole chain is there
CHANCE, RELATED, CHAIN = 0.003, 0.04, 0.065
#: and at which one that is there begins to decline: by chance, and where neither of the two holds it
_LUCKLESS, _LONELY = 0.005, 0.08
#: what a cluster begins with and what a decline leaves, as parts of its full size
_SEED, _REMNANT = 0.05, 0.06
_RAMP_MONTHS = 36
_YEAR = 12


@dataclass(frozen=True, slots=True)
class Move:
    """A cluster that came to a district, or began to decline there.

    Attributes:
        pair: district and cluster, as positions.
        month: from the start of the history.
        cause: `chance`, `relatedness` or `chain` for one that came; `chance` or `loneliness` for one that declines.
    """

    pair: tuple[int, int]
    month: int
    came: bool
    cause: str


@dataclass(frozen=True, slots=True)
class Odds:
    """What decided on one year's moves, (districts, clusters) each.

    Attributes:
        month: the first month of the year.
        present: whether the cluster was there, and not in decline.
        relatedness: relatedness density, 0 to 1.
        chain: mean of the parts of its suppliers and of its customers that the district has, 0 to 1.
        probability: that it comes within the year, or begins to decline where it is present.
    """

    month: int
    present: Flags
    relatedness: Floats
    chain: Floats
    probability: Floats


@dataclass(frozen=True, slots=True)
class Presence:
    """Which cluster is in which district, month by month.

    Attributes:
        pairs: (n, 2) districts and clusters as positions: those of the beginning, then newcomers in the order of their coming.
        mass: (n,) full size; the first ones' sum to 1.
        founders: how many were there at the beginning.
        begins: (n,) month from which on a pair exists.
        log_size: (n, months) part of the full size that is there, in logs; -inf before a pair exists.
        moves, odds: the truth.
    """

    pairs: npt.NDArray[np.int64]
    mass: Floats
    founders: int
    begins: npt.NDArray[np.int64]
    log_size: Floats
    moves: tuple[Move, ...]
    odds: tuple[Odds, ...]


def plan_presence(seed: int, places: Places, links: tuple[ChainLink, ...], months: int) -> Presence:
    """Who comes and who declines over the months, year by year.

    Each year sees who is present at its beginning, so that one move makes others likelier. Districts keep at least one cluster,
    and clusters one district. What has declined doesn't come back.
    """
    rng = stream(seed, "presence")
    supplies = supply_table(places, links)
    present = np.zeros((len(places.districts), len(places.clusters)), dtype=np.bool_)
    present[tuple(places.pairs.T)] = True
    ever = present.copy()
    moves: list[Move] = []
    odds: list[Odds] = []
    for first in range(0, months, _YEAR):
        related = density(present, proximity(present))
        chain = np.mean(chain_neighbours(supplies, present), axis=0)
        causes = _rates(present, ever, related, chain)
        probability = 1.0 - np.exp(-sum(causes.values(), np.zeros(present.shape)))
        odds.append(Odds(first, present.copy(), related, chain, probability))
        happens = rng.random(present.shape) < probability
        when = first + rng.integers(_YEAR, size=present.shape)
        lot = rng.random(present.shape)
        for row, column in np.argwhere(happens):
            came = not present[row, column]
            if not came and (present[row].sum() == 1 or present[:, column].sum() == 1):
                continue
            cause = _drawn({name: float(rate[row, column]) for name, rate in causes.items()}, float(lot[row, column]))
            present[row, column] = ever[row, column] = came
            ever[row, column] = True
            if when[row, column] < months:
                moves.append(Move((int(row), int(column)), int(when[row, column]), came, cause))
    moves.sort(key=lambda move: (move.month, move.pair))
    return _built(rng, places, moves, odds, months)


def supply_table(places: Places, links: tuple[ChainLink, ...]) -> Floats:
    """How much each cluster supplies to each, (clusters, clusters); links of clusters that the city lacks are left out."""
    position = {cluster.code: place for place, cluster in enumerate(places.clusters)}
    table = np.zeros((len(position), len(position)))
    for link in links:
        if link.supplier in position and link.customer in position:
            table[position[link.supplier], position[link.customer]] = link.weight
    return table


def _rates(present: Flags, ever: Flags, related: Floats, chain: Floats) -> dict[str, Floats]:
    """Rates a year by cause: of coming where a cluster never was, of decline where it is; 0 where it has declined."""
    absent = ~ever
    held = np.maximum(related, chain)
    return {
        "chance": np.where(absent, CHANCE, np.where(present, _LUCKLESS, 0.0)),
        "relatedness": np.where(absent, RELATED * related**2, 0.0),
        "chain": np.where(absent, CHAIN * chain**2, 0.0),
        "loneliness": np.where(present, _LONELY * np.maximum(1.0 - held, 0.0) ** 2, 0.0),
    }


def _drawn(rates: dict[str, float], lot: float) -> str:
    names = list(rates)
    reach = np.cumsum([rates[name] for name in names])
    return names[int(np.searchsorted(reach, lot * reach[-1], side="right"))]


def _built(rng: np.random.Generator, places: Places, moves: list[Move], odds: list[Odds], months: int) -> Presence:
    came = [move for move in moves if move.came]
    founders = len(places.pairs)
    pairs = np.concatenate([places.pairs, np.array([m.pair for m in came], dtype=np.int64).reshape(-1, 2)])
    luck = 0.4 + rng.gamma(1.5, 1.0, len(came))  # as founders were specialised
    newcomers = pairs[founders:]
    mass = np.concatenate([places.pair_mass, typical_mass(places)[tuple(newcomers.T)] * luck / 1.9])
    log_size = np.zeros((len(pairs), months))
    begins = np.zeros(len(pairs), dtype=np.int64)
    row_of = {(int(a), int(b)): row for row, (a, b) in enumerate(pairs)}
    for move in moves:
        row = row_of[move.pair]
        grown = np.clip((np.arange(months) - move.month) / _RAMP_MONTHS, 0.0, 1.0)
        if move.came:
            begins[row] = move.month
            log_size[row] = np.where(np.arange(months) < move.month, -np.inf, (1.0 - grown) * np.log(_SEED))
        else:
            log_size[row] += grown * np.log(_REMNANT)
    return Presence(pairs, mass, founders, begins, log_size, tuple(moves), tuple(odds))
