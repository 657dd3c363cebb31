"""A planner's question answered: candidates, weighed by objectives, with how sure the order is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from features.specialisation import Flags
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.targeting.bundle import LEVEL, TargetBundle
from models.targeting.cube import ActivityCube
from models.targeting.measures import COLUMN

Indices = npt.NDArray[np.int64]


class Among(StrEnum):
    """Which pairs are ranked."""

    BELOW = "below"  # below the threshold: what may enter
    ABSENT = "absent"  # without any value at all
    ABOVE = "above"  # at or above the threshold: what may be kept


class Objective(StrEnum):
    """What a pair may be wanted for. More is better of the first four and of `policy`, less of the others."""

    PROBABILITY = "probability"  # of standing at the threshold or above it after the horizon
    GROWTH = "growth"  # expected, log points a year above that of all
    COMPLEXITY = "complexity"  # of the activity: PCI
    JOBS = "jobs"  # persons, with the region's average share in the activity
    RISK = "risk"  # expected rate at which what stands above falls below: of the activity, or of the pair where it is above
    ENERGY = "energy"  # units of the energy series for a unit of a year's value
    LAND = "land"  # as the question has it
    POLICY = "policy"  # 1 on the policy list, else 0


LESS_IS_BETTER = frozenset({Objective.RISK, Objective.ENERGY, Objective.LAND})

#: how far weights are moved to see what the order owes to them: from half to double
_MOVED = 2.0
_MOVES, _MOVES_OF_MANY, _MANY = 200, 20, 20_000

#: of the order's head, that is compared where a weight is left out or doubled
_HEAD = 10

#: pairs of a rate that the activity's own is drawn towards
_PRIOR = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        regions, clusters: codes, all where empty.
        weights: of the objectives, not negative; at least one is positive.
        policy: clusters (`C01`) or targets (`500103:C01`) that policy wants.
        land: what a cluster needs, in any unit, by code.
        excluded: clusters that aren't wanted.
        least_quotient, most_quotient, least_probability, least_jobs, most_energy, most_risk: bounds; pairs outside are left
            out, and so are those of which the figure is unknown.
    """

    among: Among = Among.BELOW
    regions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    horizon: int | None = None
    weights: Mapping[Objective, float] = field(default_factory=lambda: {Objective.PROBABILITY: 1.0})
    policy: frozenset[str] = frozenset()
    land: Mapping[str, float] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    least_quotient: float | None = None
    most_quotient: float | None = None
    least_probability: float | None = None
    least_jobs: float | None = None
    most_energy: float | None = None
    most_risk: float | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What the head of the order (ten, or as many as there are) keeps when one weight is left out, or doubled: shares."""

    objective: Objective
    without: float
    doubled: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """`n` candidates, best first.

    Attributes:
        region, activity: (n,) positions in the cube.
        score: (n,) weighted mean of percentiles, 0 to 1.
        low, high: (n,) ranks, the central 80% of the bootstrap by regions; 1 is best. None where there is no bootstrap.
        moved_low, moved_high: (n,) ranks, the central 80% where each weight is moved between half and double; None with a
        single one.
        front: (n,) on the Pareto front of the weighed objectives: none is at least as good in all and better in one.
        values: by objective, (n,), in its own unit; NaN where unknown.
        sensitivity: one a weighed objective; empty with a single one.
        notes: what a reader must know.
    """

    region: Indices
    activity: Indices
    score: Floats
    low: Indices | None
    high: Indices | None
    moved_low: Indices | None
    moved_high: Indices | None
    front: Flags
    values: Mapping[Objective, Floats]
    sensitivity: tuple[Move, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.region)


def rank(bundle: TargetBundle, question: Question, seed: int = 0) -> Ranking:
    """Candidates by the weighted mean of their percentiles in each objective.

    Percentiles, not values, are weighed, so that no unit decides; among the candidates of the question. An unknown value has
    the lowest percentile. Ties share their rank's mean.

    Raises:
        HorizonError, UnknownIdError: the version does not answer so far ahead, or does not know a code.
        InputError: no objective has a weight, one that is weighed is not known for any pair, or nothing is left to rank.
    """
    horizon = bundle.require_horizon(question.horizon)
    weights = {one: weight for one, weight in question.weights.items() if weight > 0.0}
    if not weights:
        raise InputError("No objective has a weight.", "Give at least one a weight above 0.", pointer="/weights")
    _require_known(question, bundle.cube)
    for name in ("least_probability", "most_risk"):
        if getattr(question, name) is not None and not bundle.has_probability:
            raise InputError(
                "A single year gives no probability and no risk to bound.",
                "Leave the bound out, or import more years and train a new version.",
                pointer=f"/constraints/{name}",
            )
    tables = _tables(bundle, question, horizon)
    row, column = np.nonzero(_candidates(bundle, question, tables))
    if not len(row):
        raise InputError(
            "No pair of region and cluster is left to rank.",
            "Ask for more regions or clusters, or widen the constraints.",
        )
    values = {one: table[row, column] for one, table in tables.items()}
    notes = [*_unknown(weights, values)]
    names = list(weights)
    share = np.array([weights[one] for one in names])
    share = share / share.sum()
    percentile = np.stack([_percentile(values[one], one) for one in names], axis=1)
    score = percentile @ share
    order = np.lexsort((column, row, -values[Objective.PROBABILITY], -score))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    bootstrap = _bootstrap(bundle, horizon, row, column, percentile, names, share)
    if bootstrap is None:
        why = (
            "There is no bootstrap by regions" if bundle.ranker.learned else "The order was not learned: too few years"
        )
        notes.append(f"{why}; how sure it is isn't known.")
    moved, sensitivity = (None, ()) if len(names) == 1 else _moved(percentile, share, names, seed)
    front = _front(np.stack([_upwards(values[one], one) for one in names], axis=1))
    low, high = _bounds(bootstrap, ranks)
    moved_low, moved_high = _bounds(moved, ranks)
    return Ranking(
        region=row[order],
        activity=column[order],
        score=score[order],
        low=None if low is None else low[order],
        high=None if high is None else high[order],
        moved_low=None if moved_low is None else moved_low[order],
        moved_high=None if moved_high is None else moved_high[order],
        front=front[order],
        values={one: value[order] for one, value in values.items()},
        sensitivity=sensitivity,
        notes=tuple(notes),
    )


def objectives_of(bundle: TargetBundle, horizon: int, row: int, column: int) -> dict[Objective, float]:
    """What is known of one pair, land and policy aside."""
    tables = _tables(bundle, Question(), horizon)
    left_out = (Objective.LAND, Objective.POLICY)
    found = {one: float(table[row, column]) for one, table in tables.items() if one not in left_out}
    return found if bundle.has_probability else {**found, Objective.PROBABILITY: float("nan")}


def leaving(bundle: TargetBundle, horizon: int) -> Floats:
    """Expected rate at which the regions that stand above fall below, by activity, drawn towards that of all; (activities,)."""
    away = 1.0 - bundle.above[horizon - 1]
    there = bundle.quotient >= 1.0
    overall = float(away[there].mean()) if there.any() else 0.5
    total = np.where(there, np.nan_to_num(away), 0.0).sum(axis=0)
    return np.asarray((total + _PRIOR * overall) / (there.sum(axis=0) + _PRIOR))


def _tables(bundle: TargetBundle, question: Question, horizon: int) -> dict[Objective, Floats]:
    """Each objective for all pairs, (regions, activities)."""
    cube, shape = bundle.cube, bundle.quotient.shape
    now = cube.values[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        average = now.sum(axis=1, keepdims=True) * now.sum(axis=0) / now.sum()  # a quotient of 1
    columns = bundle.history.measures(cube.years[-1]).columns
    pci = columns[..., COLUMN["activity_complexity"]].astype(np.float64)
    risk = np.where(bundle.quotient >= 1.0, 1.0 - bundle.above[horizon - 1], leaving(bundle, horizon))
    if not bundle.has_probability:
        risk = np.full(shape, np.nan)
    land = np.array([question.land.get(code, np.nan) for code in cube.activities], dtype=np.float64)
    wanted = np.array(
        [[{code, f"{region}:{code}"} & question.policy != set() for code in cube.activities] for region in cube.regions]
        if question.policy
        else np.zeros(shape)
    )
    return {
        Objective.PROBABILITY: bundle.above[horizon - 1],
        Objective.GROWTH: bundle.growth[horizon - 1],
        Objective.COMPLEXITY: pci,
        Objective.JOBS: average * bundle.jobs,
        Objective.RISK: risk,
        Objective.ENERGY: np.broadcast_to(bundle.energy, shape),
        Objective.LAND: np.broadcast_to(land, shape),
        Objective.POLICY: wanted.astype(np.float64),
    }


def _candidates(bundle: TargetBundle, question: Question, tables: Mapping[Objective, Floats]) -> Flags:
    quotient, cube = bundle.quotient, bundle.cube
    with np.errstate(invalid="ignore"):
        match question.among:
            case Among.BELOW:
                chosen = quotient < 1.0
            case Among.ABSENT:
                chosen = quotient == 0.0
            case Among.ABOVE:
                chosen = quotient >= 1.0
        chosen &= _named(question.regions, cube.regions, "region", "/regions")[:, None]
        chosen &= _named(question.clusters, cube.activities, "cluster", "/clusters")
        if question.excluded:
            chosen &= ~_named(tuple(sorted(question.excluded)), cube.activities, "cluster", "/constraints/excluded")
        bounds = (
            (quotient, question.least_quotient, question.most_quotient),
            (tables[Objective.PROBABILITY], question.least_probability, None),
            (tables[Objective.JOBS], question.least_jobs, None),
            (tables[Objective.ENERGY], None, question.most_energy),
            (tables[Objective.RISK], None, question.most_risk),
        )
        for table, least, most in bounds:
            if least is not None:
                chosen &= table >= least
            if most is not None:
                chosen &= table <= most
    return np.asarray(chosen)


def _require_known(question: Question, cube: ActivityCube) -> None:
    """Raise InputError for a code of the policy list or of land that the version does not know."""
    named = [one.rpartition(":") for one in sorted(question.policy)]
    _named(tuple(region for region, colon, _ in named if colon), cube.regions, "region", "/policy")
    _named(tuple(cluster for *_, cluster in named), cube.activities, "cluster", "/policy")
    _named(tuple(sorted(question.land)), cube.activities, "cluster", "/land")


def _named(asked: tuple[str, ...], known: tuple[str, ...], noun: str, pointer: str) -> Flags:
    """Which of the known are asked for; all where nothing is. Raises InputError for what is not known."""
    if not asked:
        return np.ones(len(known), dtype=np.bool_)
    unknown = sorted(set(asked) - set(known))
    if unknown:
        raise InputError(
            f"This version has no values of the {noun} '{unknown[0]}'.",
            f"It ranks {len(known)} of them; a new one needs a new version, once it has values.",
            pointer=pointer,
        )
    return np.isin(np.array(known), np.array(asked))


def _unknown(weights: Mapping[Objective, float], values: Mapping[Objective, Floats]) -> list[str]:
    """A note for each weighed objective that is unknown of some candidates. Raises InputError where it is so of all."""
    notes = []
    for one in weights:
        missing = int((~np.isfinite(values[one])).sum())
        if missing == len(values[one]):
            steps = {
                Objective.GROWTH: "What has no value yet has no growth: give it no weight, or rank other pairs.",
                Objective.LAND: "No series tells it: give `land`, what each cluster needs.",
                Objective.JOBS: "Import `employment` by district and cluster, and train a new version.",
                Objective.ENERGY: "Import `electricity` by district and cluster, and train a new version.",
            }
            raise InputError(
                f"Nothing is known of '{one}'.", steps.get(one, "Give it no weight."), pointer=f"/weights/{one}"
            )
        if missing:
            notes.append(f"'{one}' is unknown of {missing} pairs: they rank last in it.")
    return notes


def _upwards(value: Floats, one: Objective) -> Floats:
    """Values that are better when larger; the unknown is worst."""
    signed = -value if one in LESS_IS_BETTER else value
    return np.asarray(np.where(np.isfinite(signed), signed, -np.inf))


def _percentile(value: Floats, one: Objective) -> Floats:
    return _ranked(_upwards(value, one))


def _ranked(value: Floats) -> Floats:
    return np.asarray(rankdata(value, method="average") / len(value))


def _bootstrap(
    bundle: TargetBundle,
    horizon: int,
    row: Indices,
    column: Indices,
    percentile: Floats,
    names: list[Objective],
    share: Floats,
) -> Indices | None:
    """Ranks of each candidate in each resample, (draws, n). Only what is predicted is drawn; what is known stays."""
    if not bundle.resampled:
        return None
    draws = len(bundle.draws_above)
    found = np.empty((draws, len(row)), dtype=np.int64)
    for draw in range(draws):
        table = percentile.copy()
        for place, one in enumerate(names):
            if one in (Objective.PROBABILITY, Objective.GROWTH):
                drawn = bundle.draws_above if one is Objective.PROBABILITY else bundle.draws_growth
                table[:, place] = _percentile(drawn[draw, horizon - 1][row, column].astype(np.float64), one)
        found[draw] = _places(table @ share)
    return found


def _moved(percentile: Floats, share: Floats, names: list[Objective], seed: int) -> tuple[Indices, tuple[Move, ...]]:
    """Ranks where weights are moved, (moves, n); and what the head keeps when one is left out or doubled."""
    rng = np.random.default_rng(seed)
    count = _MOVES if len(percentile) <= _MANY else _MOVES_OF_MANY
    factors = _MOVED ** rng.uniform(-1.0, 1.0, (count, len(share)))
    ranks = np.stack([_places(percentile @ (share * factor)) for factor in factors])
    head = min(_HEAD, len(percentile))
    first = _places(percentile @ share) <= head

    def kept(weights: Floats) -> float:
        return float((first & (_places(percentile @ weights) <= head)).sum() / head)

    moves = []
    for place, one in enumerate(names):
        without, doubled = share.copy(), share.copy()
        without[place], doubled[place] = 0.0, 2.0 * share[place]
        moves.append(Move(one, kept(without), kept(doubled)))
    return ranks, tuple(moves)


def _places(score: Floats) -> Indices:
    """Ranks, 1 for the highest."""
    found = np.empty(len(score), dtype=np.int64)
    found[np.argsort(-score, kind="stable")] = np.arange(1, len(score) + 1)
    return found


def _bounds(drawn: Indices | None, ranks: Indices) -> tuple[Indices | None, Indices | None]:
    """The central part of drawn ranks, the rank itself at least."""
    if drawn is None:
        return None, None
    tails = (50.0 - LEVEL / 2.0, 50.0 + LEVEL / 2.0)
    low, high = np.percentile(drawn, tails, axis=0)
    low, high = np.floor(low).astype(np.int64), np.ceil(high).astype(np.int64)
    return np.minimum(low, ranks), np.maximum(high, ranks)


def _front(values: Floats) -> Flags:
    """Which rows are dominated by none; (n, objectives), larger is better."""
    left = np.arange(len(values))
    front = np.zeros(len(values), dtype=np.bool_)
    order = np.lexsort(tuple(-values[:, place] for place in range(values.shape[1] - 1, -1, -1)))
    left = left[order]  # a row is dominated only by rows before it
    while len(left):
        best = left[0]
        front[best] = True
        rest = values[left]
        dominated = (rest <= values[best]).all(axis=1) & (rest < values[best]).any(axis=1)
        dominated[0] = True
        left = left[~dominated]
    return front
