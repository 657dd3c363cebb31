"""How good probabilities of harm are: do they rank (ROC AUC, PR AUC), are they near (Brier), are they true (ECE)?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Integers
from training.targeting.scores import figures_of_draws

METRICS = ("roc_auc", "pr_auc", "brier", "ece")

#: metrics that are better when higher
RISING = frozenset({"roc_auc", "pr_auc"})

#: equal-mass bins of the expected calibration error
BINS = 15

#: resamples, and simulations of a perfectly calibrated model
DRAWS = 1000

#: numbers of one block of resamples: bounds the memory
_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the central 95% of its bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RiskScore:
    """What one method reached.

    Attributes:
        figures: by metric.
        ece_bound: the 95% point of `ece` of a model with the same probabilities that is perfectly calibrated: an `ece` below
            it is no sign of miscalibration.
        gain: by metric, by how much the method that is asked about is better than this one (above 0: better, also for Brier and
            ECE); empty for itself.
    """

    figures: Mapping[str, Interval]
    ece_bound: float
    gain: Mapping[str, Interval]


def brier(harmed: Flags, prob: Floats) -> float:
    """Mean squared distance between probability and what came (Brier 1950)."""
    return float(np.mean((prob - harmed) ** 2))


def expected_calibration_error(harmed: Flags, prob: Floats, bins: int = BINS) -> float:
    """Mean distance between probability and frequency, over bins of (nearly) equal numbers of cases in order of probability.

    It is biased upwards where cases are few (a perfect model's is not 0): compare it with `calibration_bound`.

    >>> expected_calibration_error(np.array([True, False]), np.array([0.5, 0.5]), bins=1)
    0.0
    """
    order = np.argsort(prob, kind="stable")
    return float(_ece((harmed - prob)[order][None], _starts(len(prob), bins))[0] / len(prob))


def calibration_bound(prob: Floats, bins: int = BINS, draws: int = DRAWS, seed: int = 0) -> float:
    """The 95% point, by simulation, of the expected calibration error of cases that come to harm with these probabilities."""
    rng = np.random.default_rng(seed)
    sorted_prob, starts = np.sort(prob), _starts(len(prob), bins)
    found = [
        _ece((rng.random((count, len(prob))) < sorted_prob) - sorted_prob, starts)
        for count in _blocks(draws, len(prob))
    ]
    return float(np.quantile(np.concatenate(found) / len(prob), 0.95))


def score_risks(
    harmed: Flags, probs: Mapping[str, Floats], ours: str, group: Integers | None = None, seed: int = 0
) -> dict[str, RiskScore]:
    """Every method's figures with 95% intervals by a bootstrap, and by how much `ours` is better than each.

    Args:
        harmed: (n,) at least one of each kind.
        probs: (n,) by method.
        group: (n,) rows that share their luck; whole groups are drawn then, rows without.
    """
    rows = len(harmed)
    names, place = (rows, np.arange(rows)) if group is None else _places(group)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[dict[str, Floats]]] = {method: [] for method in probs}
    for count in _blocks(DRAWS, rows):
        times = rng.multinomial(names, np.full(names, 1.0 / names), count).astype(np.float64)[:, place]
        for method, prob in probs.items():
            drawn[method].append(_figures(harmed, prob, times))
    once = np.ones((1, rows))
    value = {method: {m: float(v[0]) for m, v in _figures(harmed, p, once).items()} for method, p in probs.items()}
    draws = {method: {m: np.concatenate([one[m] for one in some]) for m in METRICS} for method, some in drawn.items()}
    found = {}
    for method, prob in probs.items():
        figures = {m: _interval(value[method][m], draws[method][m]) for m in METRICS}
        gain = {}
        if method != ours:
            for m in METRICS:
                sign = 1.0 if m in RISING else -1.0
                more = sign * (draws[ours][m] - draws[method][m])
                gain[m] = _interval(sign * (value[ours][m] - value[method][m]), more)
        found[method] = RiskScore(figures, calibration_bound(prob, seed=seed), gain)
    return found


def score_lives(
    life: Floats, told: Mapping[str, Floats], ours: str, seed: int = 0
) -> dict[str, tuple[Interval, Interval | None]]:
    """Root mean squared error of remaining lives, a row a unit, and by how much `ours` errs less; intervals by a bootstrap."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(life), np.full(len(life), 1.0 / len(life)), DRAWS) / len(life)
    square = {method: (some - life) ** 2 for method, some in told.items()}
    draws = {method: np.sqrt(times @ some) for method, some in square.items()}
    value = {method: float(np.sqrt(some.mean())) for method, some in square.items()}
    found: dict[str, tuple[Interval, Interval | None]] = {}
    for method in told:
        less = _interval(value[method] - value[ours], draws[method] - draws[ours]) if method != ours else None
        found[method] = (_interval(value[method], draws[method]), less)
    return found


def _figures(harmed: Flags, prob: Floats, times: Floats) -> dict[str, Floats]:
    """Every metric for each of several draws, (draws,) each, of rows drawn `times` (draws, n) often."""
    ranked = figures_of_draws(harmed, prob, times)
    total = times.sum(axis=1)
    order = np.argsort(prob, kind="stable")
    gap = times[:, order] * (harmed - prob)[order]
    return {
        "roc_auc": ranked["roc_auc"],
        "pr_auc": ranked["pr_auc"],
        "brier": times @ (prob - harmed) ** 2 / total,
        "ece": _ece(gap, _starts(len(prob), BINS)) / total,
    }


def _ece(gap: Floats, starts: Integers) -> Floats:
    """(draws,) sum over bins of the absolute sums of what came less what was told."""
    return np.asarray(np.abs(np.add.reduceat(gap, starts, axis=1)).sum(axis=1))


def _starts(rows: int, bins: int) -> Integers:
    """Where each bin begins: as even as whole rows allow, the larger ones first (as `numpy.array_split`)."""
    count = min(bins, rows)
    sizes = np.full(count, rows // count)
    sizes[: rows % count] += 1
    return np.concatenate([[0], sizes.cumsum()[:-1]])


def _blocks(draws: int, rows: int) -> Iterator[int]:
    most = max(1, _BLOCK // max(rows, 1))
    for first in range(0, draws, most):
        yield min(most, draws - first)


def _places(group: Integers) -> tuple[int, Integers]:
    names, place = np.unique(group, return_inverse=True)
    return len(names), place


def _interval(value: float, draws: Floats) -> Interval:
    draws = draws[np.isfinite(draws)]  # a draw without both kinds scores nothing
    if len(draws) < 10:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, float(low), float(high))
