"""How much each member's word counts: learnt on cases that none of them had seen (stacked generalisation, Wolpert 1992)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags

#: log odds beyond this say no more: one member's certainty does not silence the others
BOUND = 9.0

#: how firmly weights are held at equal shares, in cases: few cases leave them there
_RIDGE = 10.0


def stack_weights(log_odds: Floats, harmed: Flags) -> Floats:
    """(members + 1,) weights, none below 0, and a shift: the log loss of their sum is least, held at equal shares by a ridge.

    Args:
        log_odds: (n, members) each told by a fit that had not seen the case.
    """
    log_odds = np.clip(log_odds, -BOUND, BOUND)
    members = log_odds.shape[1]
    equal = np.append(np.full(members, 1.0 / members), 0.0)
    hits = harmed.astype(np.float64)

    def loss(values: Floats) -> tuple[float, Floats]:
        eta = log_odds @ values[:-1] + values[-1]
        gap = expit(eta) - hits
        pull = (values - equal) * np.append(np.ones(members), 0.0)
        value = np.sum(np.logaddexp(0.0, eta) - hits * eta) + 0.5 * _RIDGE * pull @ pull
        return float(value), np.append(log_odds.T @ gap, gap.sum()) + _RIDGE * pull

    bounds = [(0.0, None)] * members + [(None, None)]
    return np.asarray(minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=bounds).x)


def stacked(log_odds: Floats, weights: Floats) -> Floats:
    """(n,) the weighted sum of members' log odds (n, members)."""
    return np.asarray(np.clip(log_odds, -BOUND, BOUND) @ weights[:-1] + weights[-1])
