"""The ranker: how likely a pair enters (comes to stand above the threshold), leaves, and how fast it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize
from scipy.special import expit

from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.targeting import LeadOutcome
from models.targeting.cube import ActivityCube
from models.targeting.measures import Table, as_good_as_absent
from models.targeting.members import (
    FEWEST,
    BoostedCrossing,
    BoostedShift,
    Distance,
    Level,
    Newcomers,
    PairModel,
    boost,
    predict,
)
from models.targeting.pairs import History, Pairs, labelled, windows_of

#: members that are fitted once, and those that learn crossings, fitted for entry and for exit
SHIFTS: Mapping[str, PairModel] = MappingProxyType(
    {"distance": Distance(), "level": Level(), "boosted_shift": BoostedShift()}
)
CROSSINGS: Mapping[str, PairModel] = MappingProxyType({"boosted_crossing": BoostedCrossing()})

#: who answers for pairs without any value, where enough of them have come
NEWCOMERS: Mapping[str, PairModel] = MappingProxyType({"newcomers": Newcomers()})

#: votes of the members, chosen on earlier windows of the public sets: more weight on what learns gains more where the years
#: ahead are like those before, and loses to the bare level where they are not.
VOTES: Mapping[str, float] = MappingProxyType(
    {"distance": 2.0, "level": 1.0, "boosted_shift": 1.0, "boosted_crossing": 0.5, "newcomers": 1.0}
)

#: what answers where there are too few earlier years to hold some out
UNLEARNED = ("distance", "level")


@dataclass(frozen=True, slots=True)
class Side:
    """One question: of pairs on one side of the threshold, which will stand above it?

    Attributes:
        members: fitted, by name.
        centre, spread: of the members' scores on the training pairs, which make them comparable.
        slope, level: of the logistic curve that turns the members' vote into a probability (Platt 1999).
    """

    members: Mapping[str, PairModel]
    centre: Floats
    spread: Floats
    slope: float = 1.0
    level: float = 0.0

    @property
    def votes(self) -> Floats:
        votes = np.array([VOTES[name] for name in self.members])
        return np.asarray(votes / votes.sum())

    @property
    def learned(self) -> bool:
        """Whether any member learned the order from data, so that a resample can move it."""
        return not set(self.members) <= set(UNLEARNED)

    def score(self, measures: Table) -> Floats:
        """The members' standard scores, averaged by their votes, (n,)."""
        raw = np.stack([member.scores(measures) for member in self.members.values()], axis=1)
        return np.asarray(((raw - self.centre) / self.spread) @ self.votes)

    def probability(self, measures: Table) -> Floats:
        """That a pair ends above the threshold, (n,)."""
        return np.asarray(expit(self.level + self.slope * self.score(measures)))

    def reasons(self, measures: Table) -> Floats:
        """What each measure adds to the log odds of a pair, (n, measures), beside what an average pair has.

        Exact for the members that don't learn, TreeSHAP (Lundberg et al. 2020) for the trees. The expected scatter is taken
        as given.
        """
        found = np.zeros(measures.shape)
        for place, member in enumerate(self.members.values()):
            part = member.reasons(measures, self.centre[place])
            found += part * (self.slope * self.votes[place] / self.spread[place])
        return found


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected of every pair of a cube, `horizon` years after its last year; (regions, activities) each.

    Attributes:
        quotient: the location quotient now; NaN where it can't be known, and so is everything else there.
        entry: probability that a pair below 1 comes to stand at 1 or more; NaN for pairs above.
        exit: probability that a pair above falls below 1; NaN for pairs below.
        growth: log points a year above that of all activities together.
    """

    quotient: Floats
    entry: Floats
    exit: Floats
    growth: Floats


@dataclass(frozen=True, slots=True)
class TargetRanker:
    """Learns from every pair of years that a cube holds. Immutable once fitted.

    Attributes:
        horizon: years ahead.
        absent: entry of pairs without any value; None where too few of them came to learn from, and `entry` answers for them.
        notes: what a reader must know of this fit.
    """

    horizon: int
    entry: Side | None = None
    exit: Side | None = None
    absent: Side | None = None
    trees_of_growth: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def learned(self) -> bool:
        """Whether the order was learned. Where it was not, resamples agree because they repeat it, not because it is sure."""
        return self.entry is not None and self.entry.learned

    def fit(
        self,
        cube: ActivityCube,
        seed: int = 0,
        weights: Floats | None = None,
        history: History | None = None,
        outcomes: Sequence[LeadOutcome] = (),
    ) -> Self:
        """Learn from all windows within the cube, which ends where knowledge ends.

        Args:
            weights: of the regions; a bootstrap by region gives whole numbers.
            history: of this very cube, where its measures are at hand already.
            outcomes: closed leads: pairs that were followed up, and built or not. They are labels beside what the table says.

        Where years are too few to learn from, less answers, and `notes` says so.
        """
        history = history or History(cube)
        years = cube.years
        everything = windows_of(years, self.horizon)
        if not everything:
            return self._fallback(history)
        pairs = labelled(history, history.pairs(everything, self.horizon, seed), outcomes)
        split = years[(len(years) - 1) // 2]
        older = [w for w in everything if w.end <= split]
        newer = [w for w in everything if w.start >= split]
        if weights is not None:
            pairs = pairs.weighted(weights)
        known = pairs.take(np.isfinite(pairs.growth))
        growth = boosted_growth(known, seed) if len(known) >= FEWEST else None
        if not (older and newer):
            shifts = {name: SHIFTS[name] for name in UNLEARNED}
            sides = [
                _calibrated(_voting(_at(pairs, above), shifts, seed, ()), _at(pairs, above)) for above in (False, True)
            ]
            note = (
                "Too few years to hold some out: level and volatility answer alone, calibrated on what they were fitted to; "
                "how sure that is isn't known."
            )
            return replace(self, entry=sides[0], exit=sides[1], trees_of_growth=growth, notes=(note,))
        learn, check = (history.pairs(some, self.horizon, seed) for some in (older, newer))
        if weights is not None:
            learn, check = learn.weighted(weights), check.weighted(weights)
        shifts = {name: member.fit(pairs, pairs.end >= 0.0, seed) for name, member in SHIFTS.items()}
        before = {name: member.fit(learn, learn.end >= 0.0, seed) for name, member in SHIFTS.items()}
        sides = []
        for above in (
            False,
            True,
        ):  # the curve comes from where nothing was learned: the newer half, by a fit of the older
            side = _voting(_at(pairs, above), shifts, seed)
            rehearsed = _calibrated(_voting(_at(learn, above), before, seed), _at(check, above))
            sides.append(replace(side, slope=rehearsed.slope, level=rehearsed.level))
        absent = _newcomers(pairs, learn, check, seed)
        return replace(self, entry=sides[0], exit=sides[1], absent=absent, trees_of_growth=growth)

    def predict(self, cube: ActivityCube, history: History | None = None) -> Prediction:
        """What is expected after the cube's last year, which may lie behind the years that were learned from."""
        history = history or History(cube)
        quotient = history.quotients[-1]
        table = history.measures(cube.years[-1]).at(self.horizon)
        entry, leave, growth = (np.full(quotient.shape, np.nan) for _ in range(3))
        below, above = quotient < 1.0, quotient >= 1.0
        assert self.entry is not None and self.exit is not None, "an unfitted ranker predicts nothing"
        entry[below] = self.entry.probability(table[below])
        absent = below & as_good_as_absent(table)
        if self.absent is not None and absent.any():
            entry[absent] = self.absent.probability(table[absent])
        leave[above] = 1.0 - self.exit.probability(table[above])
        if self.trees_of_growth is not None:
            there = below | above
            growth[there] = predict(self.trees_of_growth, table[there])
        return Prediction(quotient, entry, leave, growth)

    def _fallback(self, history: History) -> Self:
        quotient = history.quotients[-1]
        if not np.isfinite(quotient).any():
            raise NothingToTrainError("No pair of region and activity has a location quotient.", "Bring more data.")
        table = history.measures(history.cube.years[-1]).at(self.horizon)
        members = {"level": SHIFTS["level"]}
        sides = []
        for rows in (quotient < 1.0, quotient >= 1.0):
            raw = members["level"].scores(table[rows]) if rows.any() else np.zeros(1)
            sides.append(Side(members, np.array([raw.mean()]), np.array([raw.std() or 1.0])))
        note = (
            "There is a single year, and so no window to learn from: the level alone gives the order, no probability is given, "
            "and how sure the order is isn't known."
        )
        return replace(self, entry=sides[0], exit=sides[1], notes=(note,))


def _at(pairs: Pairs, above: bool) -> Pairs:
    """The pairs that began at or above the threshold, or those that began below it."""
    return pairs.take((pairs.start >= 0.0) == above)


def _voting(
    rows: Pairs, shifts: Mapping[str, PairModel], seed: int, learners: Sequence[str] = tuple(CROSSINGS)
) -> Side:
    """The members' scores on these rows made comparable; crossings are learned where there are a few of them, and of stays."""
    members = dict(shifts)
    crossed = int((rows.end >= 0.0).sum())
    if min(crossed, len(rows) - crossed) >= FEWEST:
        members |= {name: CROSSINGS[name].fit(rows, rows.end >= 0.0, seed) for name in learners}
    count = len(members)
    raw = np.stack([m.scores(rows.measures) for m in members.values()], axis=1) if len(rows) else np.zeros((1, count))
    spread = raw.std(axis=0)
    return Side(members, raw.mean(axis=0), np.where(spread > 0.0, spread, 1.0))


def _newcomers(pairs: Pairs, learn: Pairs, check: Pairs, seed: int) -> Side | None:
    """What answers for pairs without any value: the curve's slope comes from the newer half, by a fit of the older, its
    level from all, for newcomers are few. None where one half has too few that came, or all came."""
    parts = [part.take(as_good_as_absent(part.measures)) for part in (pairs, learn, check)]
    for part in parts:
        came = int((part.end >= 0.0).sum())
        if min(came, len(part) - came) < FEWEST:
            return None
    fitted = [
        _voting(part, {n: m.fit(part, part.end >= 0.0, seed) for n, m in NEWCOMERS.items()}, seed, ())
        for part in parts[:2]
    ]
    side = replace(fitted[0], slope=_calibrated(fitted[1], parts[2]).slope)
    return replace(side, level=_matching(side, parts[0]))


def _matching(side: Side, rows: Pairs) -> float:
    """The level at which probabilities sum to what happened."""
    score = side.slope * side.score(rows.measures)
    rate = float(np.average(rows.end >= 0.0, weights=rows.weight))
    return float(brentq(lambda at: float(np.average(expit(at + score), weights=rows.weight)) - rate, -100.0, 100.0))


def _calibrated(side: Side, rows: Pairs) -> Side:
    slope, level = platt(side.score(rows.measures), rows.end >= 0.0, rows.weight) if len(rows) else (1.0, 0.0)
    return replace(side, slope=slope, level=level)


def platt(score: Floats, above: npt.NDArray[np.bool_], weight: Floats) -> tuple[float, float]:
    """Slope (not negative) and level of the logistic curve of best likelihood, with Platt's (1999) targets, so that a perfect
    separation asks for no infinite slope."""
    hits = float(above.sum())
    target = np.where(above, (hits + 1.0) / (hits + 2.0), 1.0 / (len(above) - hits + 2.0))
    rate = float(np.average(target, weights=weight))

    def loss(at: Floats) -> tuple[float, Floats]:
        odds = at[0] * score + at[1]
        error = weight * (expit(odds) - target)
        value = float((weight * (np.logaddexp(0.0, odds) - target * odds)).sum())
        return value, np.array([(error * score).sum(), error.sum()])

    start = np.array([1.0, np.log(rate / (1.0 - rate))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)]).x
    return float(found[0]), float(found[1])


def boosted_growth(pairs: Pairs, seed: int) -> bytes:
    """Trees of the growth of values; extremes count as the 1% points."""
    settings = {
        "nthread": 1,
        "tree_method": "hist",
        "max_bin": 64,
        "eta": 0.07,
        "max_depth": 3,
        "min_child_weight": 20,
        "reg_lambda": 10.0,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "verbosity": 0,
        "seed": seed,
    }
    low, high = np.percentile(pairs.growth, [1.0, 99.0])
    return boost(pairs.measures, np.clip(pairs.growth, low, high), pairs.weight, settings)
