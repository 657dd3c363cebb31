"""How well a ranking found the pairs that entered: ROC AUC, PR AUC, precision at k, and how sure of it one can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.specialisation import Flags
from industrial_brain.domain.panel import Floats

METRICS = ("roc_auc", "pr_auc", "precision_at_50")

#: of the ranking that a planner looks at
TOP = 50

#: resamples of the regions
DRAWS = 500

#: pairs above which fewer resamples are drawn, so that no scoring takes minutes
_MANY = 20_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the central 95% of its bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scored:
    """What one method reached on one question.

    Attributes:
        figures: by metric.
        gain: by metric, what the method that is asked about has more than this one; absent for itself.
    """

    figures: Mapping[str, Interval]
    gain: Mapping[str, Interval]


def roc_auc(hit: Flags, score: Floats) -> float:
    """Probability that a hit is ranked above a miss, ties counting half; 0.5 is chance. NaN without both kinds."""
    return float(figures_of_draws(hit, score, np.ones((1, len(hit))))["roc_auc"][0])


def pr_auc(hit: Flags, score: Floats) -> float:
    """Average precision; the share of hits is chance. NaN without a hit."""
    return float(figures_of_draws(hit, score, np.ones((1, len(hit))))["pr_auc"][0])


def precision_at(hit: Flags, score: Floats, k: int = TOP) -> float:
    """Share of hits among the `k` pairs that are ranked highest (among all, where there are fewer). Pairs that tie for the last
    places share them.

    >>> precision_at(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]), k=2)
    0.75
    """
    return float(figures_of_draws(hit, score, np.ones((1, len(hit))), k)["precision_at_50"][0])


def figures_of_draws(hit: Flags, score: Floats, times: Floats, k: int = TOP) -> dict[str, Floats]:
    """Every metric for each of several draws, (draws,) each.

    Args:
        times: (draws, n) how often each pair was drawn.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(score[order]) != 0.0]))  # of pairs that tie
    drawn = np.add.reduceat(times[:, order], starts, axis=1)
    hits = np.add.reduceat(times[:, order] * hit[order], starts, axis=1)
    misses = drawn - hits
    all_hits, all_misses = hits.sum(axis=1), misses.sum(axis=1)
    so_far, hits_so_far = drawn.cumsum(axis=1), hits.cumsum(axis=1)
    below = all_misses[:, None] - misses.cumsum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        auc = (hits * (below + 0.5 * misses)).sum(axis=1) / (all_hits * all_misses)
        precision = np.divide(hits_so_far, so_far, out=np.zeros_like(drawn), where=so_far > 0.0)
        average = (hits * precision).sum(axis=1) / all_hits
        places = np.minimum(k, so_far[:, -1])
        last = (so_far < places[:, None]).sum(axis=1)[:, None]  # the group that has the last place
        before = np.take_along_axis(so_far - drawn, last, axis=1)[:, 0]
        hits_before = np.take_along_axis(hits_so_far - hits, last, axis=1)[:, 0]
        rate = np.take_along_axis(hits / drawn, last, axis=1)[:, 0]
        top = (hits_before + rate * (places - before)) / places
    return {"roc_auc": auc, "pr_auc": average, "precision_at_50": top}


def score_methods(
    hit: Flags,
    scores: Mapping[str, Floats],
    region: npt.NDArray[np.int64],
    ours: str,
    seed: int = 0,
    top: int = TOP,
) -> dict[str, Scored]:
    """Every method's figures with 95% intervals by a bootstrap of whole regions, and what `ours` gains over each.

    Whole regions are drawn because the pairs of one region share their luck; all methods are scored on the same draws.

    Args:
        hit: (n,) at least one of each kind.
        scores: (n,) by method, finite.
        region: (n,) which region each pair is of.
        top: pairs at the head that precision (`precision_at_50`, whatever this is) is measured on.
    """
    names, place = np.unique(region, return_inverse=True)
    rng = np.random.default_rng(seed)
    draws = DRAWS if len(hit) <= _MANY else max(50, DRAWS * _MANY // len(hit))
    times = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), draws).astype(np.float64)[:, place]
    once = np.ones((1, len(hit)))
    value = {(m, f): float(v[0]) for m, s in scores.items() for f, v in figures_of_draws(hit, s, once, top).items()}
    table = {(m, f): v for m, s in scores.items() for f, v in figures_of_draws(hit, s, times, top).items()}
    found = {}
    for method in scores:
        figures = {f: _interval(value[method, f], table[method, f]) for f in METRICS}
        gain = {}
        if method != ours:
            for metric in METRICS:
                more = table[ours, metric] - table[method, metric]
                gain[metric] = _interval(value[ours, metric] - value[method, metric], more)
        found[method] = Scored(figures, gain)
    return found


def in_words(scored: Mapping[str, Scored], ours: str, hits: int, pairs: int) -> str:
    """One sentence on what a ranking is worth: beside chance, and beside the best baseline."""
    auc = scored[ours].figures["roc_auc"]
    start = f"{hits} of {pairs} pairs entered; AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
    if not auc.low > 0.5:
        return f"{start}: no better than chance."
    others = [name for name in scored if name != ours]
    best = max(others, key=lambda name: scored[name].figures["roc_auc"].value)
    gain = scored[best].gain["roc_auc"]
    versus = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) beside {best}, the best baseline"
    return f"{start}, {versus}{'.' if gain.low > 0.0 else ': not clearly better than that.'}"


def _interval(value: float, draws: Floats) -> Interval:
    draws = draws[np.isfinite(draws)]  # a draw of regions without any entry scores nothing
    if len(draws) < 10:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, float(low), float(high))
