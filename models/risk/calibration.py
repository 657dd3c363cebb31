"""From log odds to probabilities that mean what they say, chosen on cases that the model did not learn from.

`none` leaves the log odds; `platt` stretches and shifts them (Platt 1999); `beta` stretches both ends on their own (Kull et al.
2017); `isotonic` is any rising step function (Zadrozny and Elkan 2002), and needs many cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Integers

#: nearest to 0 and 1 that a probability comes
EDGE = 1e-5

#: folds that kinds of calibration are compared on
_FOLDS = 5

#: strength of the ridge that holds stretches at 1 and shifts at 0, in cases
_RIDGE = 1.0

#: fewer cases of harm than this bear no step function
_FOR_STEPS = 200


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising function of log odds.

    Attributes:
        kind: `none`, `platt`, `beta` or `isotonic`.
        values: (2,) stretch and shift; (3,) stretches of log p and of -log(1-p), and shift; (2, knots) log odds and
            probabilities; empty for `none`.
    """

    kind: str
    values: Floats

    @classmethod
    def choose(cls, log_odds: Floats, harmed: Flags, group: Integers | None = None) -> Self:
        """The kind with the lowest log loss on held-out folds, fitted on all; a more complicated one has to be better by more
        than chance (one standard error of the difference)."""
        kinds = ["none", "platt", "beta"] + (["isotonic"] if min(harmed.sum(), (~harmed).sum()) >= _FOR_STEPS else [])
        fold = _folds(len(harmed), group)
        best, best_loss = "none", _loss(harmed, expit(log_odds))
        for kind in kinds[1:]:
            prob = np.empty(len(harmed))
            for number in range(_FOLDS):
                held = fold == number
                if held.any():
                    prob[held] = cls.fit(kind, log_odds[~held], harmed[~held]).apply(log_odds[held])
            gain = best_loss - _loss(harmed, prob)
            if gain.mean() > gain.std() / np.sqrt(len(gain)):
                best, best_loss = kind, _loss(harmed, prob)
        return cls.fit(best, log_odds, harmed)

    @classmethod
    def fit(cls, kind: str, log_odds: Floats, harmed: Flags) -> Self:
        return cls(kind, _FITS[kind](log_odds, harmed.astype(np.float64)))

    def apply(self, log_odds: Floats) -> Floats:
        """(n,) probabilities, EDGE to 1 - EDGE."""
        if self.kind == "none":
            prob = expit(log_odds)
        elif self.kind == "platt":
            prob = expit(self.values[0] * log_odds + self.values[1])
        elif self.kind == "beta":
            prob = expit(_beta_sides(log_odds) @ self.values[:2] + self.values[2])
        else:
            prob = np.interp(log_odds, self.values[0], self.values[1])
        return np.asarray(np.clip(prob, EDGE, 1.0 - EDGE))


def _fit_none(log_odds: Floats, harmed: Floats) -> Floats:
    return np.empty(0)


def _fit_platt(log_odds: Floats, harmed: Floats) -> Floats:
    return _rising(log_odds[:, None], harmed)


def _fit_beta(log_odds: Floats, harmed: Floats) -> Floats:
    return _rising(_beta_sides(log_odds), harmed)


def _fit_isotonic(log_odds: Floats, harmed: Floats) -> Floats:
    """The steps, their corners joined by lines, so that equal probabilities are rare and the ranking is kept."""
    fitted = IsotonicRegression().fit(log_odds, harmed)
    odds, prob = fitted.X_thresholds_, fitted.y_thresholds_
    middles, inverse = np.unique(prob, return_inverse=True)
    centres = np.bincount(inverse, odds) / np.bincount(inverse)
    ends = np.array([log_odds.min(), log_odds.max()])
    least = 1.0 / (len(harmed) + 2.0)
    knots = np.concatenate([ends[:1] - 1.0, centres, ends[1:] + 1.0])
    values = np.concatenate([middles[:1], middles, middles[-1:]])
    return np.stack([knots, np.clip(values, least, 1.0 - least)])


def _rising(sides: Floats, harmed: Floats) -> Floats:
    """Logistic regression with stretches of 0 or more, held at 1 (both sides of beta, and Platt's) by a small ridge."""
    start = np.append(np.ones(sides.shape[1]), 0.0)

    def loss(values: Floats) -> tuple[float, Floats]:
        eta = sides @ values[:-1] + values[-1]
        gap = expit(eta) - harmed
        pull = values - start
        value = np.sum(np.logaddexp(0.0, eta) - harmed * eta) + 0.5 * _RIDGE * pull @ pull
        return float(value), np.append(sides.T @ gap, gap.sum()) + _RIDGE * pull

    bounds = [(0.0, None)] * sides.shape[1] + [(None, None)]
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def _beta_sides(log_odds: Floats) -> Floats:
    return np.column_stack([-np.logaddexp(0.0, -log_odds), np.logaddexp(0.0, log_odds)])


_FITS: Mapping[str, Callable[[Floats, Floats], Floats]] = MappingProxyType(
    {"none": _fit_none, "platt": _fit_platt, "beta": _fit_beta, "isotonic": _fit_isotonic}
)


def log_odds_of(prob: Floats) -> Floats:
    return np.asarray(logit(np.clip(prob, EDGE, 1.0 - EDGE)))


def _loss(harmed: Flags, prob: Floats) -> Floats:
    held = np.clip(prob, EDGE, 1.0 - EDGE)
    return -np.log(np.where(harmed, held, 1.0 - held))


def _folds(rows: int, group: Integers | None) -> Integers:
    """(n,) a fold a row: whole groups in one. Drawn from a fixed seed; the order of rows means nothing."""
    rng = np.random.default_rng(0)
    if group is None:
        return np.asarray(rng.permutation(rows) % _FOLDS)
    names, place = np.unique(group, return_inverse=True)
    return np.asarray((rng.permutation(len(names)) % _FOLDS)[place])
