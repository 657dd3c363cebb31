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
from training.expectations import rule_of_thumb
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

    def worth_fitting(self, known: Panel) -> npt.NDArray[np.bool_]:
        """Which members to fit to which series, by features alone: bool (n, members).

        A costly member is left out where less than `worth` of an equal share of the weight is expected of it. `known` ends
        before the first origin, so that no origin is forecast by members that were chosen after it; a series that is too short
        by then for what it is like to show gets all.
        """
        expected = self.learner.expect(describe(known, self.horizon), self.members, rule_of_thumb(self.members, known))
        short = known.lengths < SEASONS_NEEDED * max(known.season, SHORTEST_HISTORY)
        return np.asarray(worthy(expected, self.members, self.worth) | short[:, None], dtype=np.bool_)

    def weights(self, known: Panel, mae: Floats, mean: Floats, scale: Floats) -> Floats:
        """Weights of each series' members: float64 (n, members), rows adding up to 1; a row of zeros where none answers.

        Args:
            known: the series up to the origin.
            mae: float64 (n, origins, members), errors at the origins before; NaN where an origin was not used.
            mean, scale: float64 (n, members, horizon), what the members say at this origin. A member that leaves a number out
                has no weight.
        """
        answered = np.isfinite(mean).all(axis=2) & np.isfinite(scale).all(axis=2)
        rule = np.where(answered, rule_of_thumb(self.members, known), np.inf)
        weighed = np.isfinite(rule)
        past = np.where(weighed[:, None, :], mae, np.nan)
        heard = np.where(weighed[:, :, None], 1.0, np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            told = evidence(past, heard * mean, heard * scale, mase_scale(known))
        descriptors = describe(known, self.horizon)
        by_errors = log_weights(past, self.learner.expect(descriptors, self.members, rule))
        return shares(self.learner.correct(by_errors, descriptors, told, self.members))


def worthy(expected: Floats, members: Sequence[str], worth: float = WORTH) -> npt.NDArray[np.bool_]:
    """Which members are cheap, or expected to weigh at least `worth` of an equal share: bool, like `expected` (n, members)."""
    logarithms = -STEEPNESS * expected
    raw = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    equal = 1.0 / np.isfinite(logarithms).sum(axis=1, keepdims=True)
    cheap = np.array([name.partition("@")[0] not in COSTLY for name in members])
    return np.asarray(cheap[None, :] | (raw / raw.sum(axis=1, keepdims=True) >= worth * equal), dtype=np.bool_)
