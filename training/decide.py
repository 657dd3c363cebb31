"""Deciding how members are weighed at one origin: the rule, corrected by what was learnt elsewhere. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.descriptors import describe
from features.scales import mase_scale
from industrial_brain.domain.panel import Floats, Panel
from training.evidence import evidence
from training.expectations import rule_of_thumb
from training.meta_learner import MetaLearner
from training.weighing import log_weights, shares


@dataclass(frozen=True, slots=True)
class Decision:
    """How one list of members is weighed, for forecasts of one horizon.

    Attributes:
        learner: what was learnt elsewhere; it has seen nothing of the series.
        members: names, the fallback among them.
    """

    learner: MetaLearner
    members: tuple[str, ...]
    horizon: int

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
