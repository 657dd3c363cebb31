"""Deciding how members are weighed at one origin: the rule, corrected by what was learnt elsewhere. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.descriptors import describe
from features.scales import mase_scale
from features.seasonality import SEASONS_NEEDED
from industrial_brain.domain.panel import Floats, Panel
from models.catalogue import COSTLY
from models.forecasting.state import SHORTEST_HISTORY
from training.evidence import evidence
from training.expectations import rule_of_thumb, told_ahead
from training.weighing import STEEPNESS, log_weights, shares

#: share of an equal weight below which a costly member is not worth its fit
WORTH = 0.25


class Learner(Protocol):
    """What was learnt elsewhere; see `training.meta_learner.MetaLearner`."""

    def expect(self, descriptors: Floats, members: Sequence[str], rule: Floats) -> Floats: ...
    def correct(self, logarithms: Floats, descriptors: Floats, evidence: Floats, members: Sequence[str]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """How one list of members is weighed, for forecasts of one horizon.

    Attributes:
        learner: what was learnt elsewhere; it has seen nothing of the series.
        members: names, the fallback among them.
        worth: share of an equal weight that must be expected of a costly member for it to be fitted; 0 fits all.
    """

    learner: Learner
    members: tuple[str, ...]
    horizon: int
    worth: float = WORTH

    def at(self, known: Panel) -> Moment:
        """The moment at which this is all that is known."""
        rule = rule_of_thumb(self.members, known)
        return Moment(self, known, describe(known, self.horizon), rule, told_ahead(self.members, known, self.horizon))


@dataclass(frozen=True, slots=True)
class Moment:
    """Series as they are known at some time, and the decisions that can be taken then: their features are made once.

    Attributes:
        known: the series up to then.
        descriptors: float64 (n, len(DESCRIPTORS)).
        rule: float64 (n, members), what anyone would expect.
        advantage: float64 (n, members), what covariates that are known ahead take off it.
    """

    decision: Decision
    known: Panel
    descriptors: Floats
    rule: Floats
    advantage: Floats

    def worth_fitting(self) -> npt.NDArray[np.bool_]:
        """Which members to fit to which series, by features alone: bool (n, members).

        A costly member is left out where less than the decision's `worth` of an equal share of the weight is expected of it.
        This is asked at the first origin, so that no origin is forecast by members that were chosen after it; a series that
        is too short by then for what it is like to show gets all.
        """
        by = self.decision
        expected = by.learner.expect(self.descriptors, by.members, self.rule)
        short = self.known.lengths < SEASONS_NEEDED * max(self.known.season, SHORTEST_HISTORY)
        return np.asarray(worthy(expected, by.members, by.worth) | short[:, None], dtype=np.bool_)

    def weights(self, mae: Floats, mean: Floats, scale: Floats) -> Floats:
        """Weights of each series' members: float64 (n, members), rows adding up to 1; a row of zeros where none answers.

        Args:
            mae: float64 (n, origins, members), errors at the origins before; NaN where an origin was not used.
            mean, scale: float64 (n, members, horizon), what the members say now. A member that leaves a number out has no
                weight.
        """
        by = self.decision
        answered = np.isfinite(mean).all(axis=2) & np.isfinite(scale).all(axis=2)
        rule = np.where(answered, self.rule - self.advantage, np.inf)
        weighed = np.isfinite(rule)
        past = np.where(weighed[:, None, :], mae, np.nan)
        heard = np.where(weighed[:, :, None], 1.0, np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            told = evidence(past, heard * mean, heard * scale, mase_scale(self.known))
        by_errors = log_weights(past, by.learner.expect(self.descriptors, by.members, rule))
        return shares(by.learner.correct(by_errors, self.descriptors, told, by.members))


def worthy(expected: Floats, members: Sequence[str], worth: float = WORTH) -> npt.NDArray[np.bool_]:
    """Which members are cheap, or expected to weigh at least `worth` of an equal share: bool, like `expected` (n, members)."""
    logarithms = -STEEPNESS * expected
    raw = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    equal = 1.0 / np.isfinite(logarithms).sum(axis=1, keepdims=True)
    cheap = np.array([name.partition("@")[0] not in COSTLY for name in members])
    return np.asarray(cheap[None, :] | (raw / raw.sum(axis=1, keepdims=True) >= worth * equal), dtype=np.bool_)
