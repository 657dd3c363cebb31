"""Values so far out that no model should learn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals

#: half the width of the window whose median a value is compared with, in periods
REACH = 3

#: how many typical steps from that median are absurd: a slip of the decimal point, not a bad month
ABSURD = 1000.0

#: values below which two steps, to a slip and back, are too many of all steps to tell it by
FEWEST = 6
#: how many robust standard deviations from that median are an outlier: what a reader should look at, and a model may learn from
OUTLYING = 5.0

#: share of a series' values that can be slips, beside one; where more are far out, that is how the series is
SLIPS = 0.02


def without_absurd(panel: Panel) -> tuple[Panel, Ordinals]:
    """The panel with absurd values as gaps, and how many each series had: int64 (n,).

    A Hampel filter (Pearson 2002) with a threshold that only slips of the pen reach: a value further from the median of its
    neighbourhood than `ABSURD` times the series' median step. Where that is zero (mostly constant, or mostly zero counts),
    the yardstick is the median step that is not, beside the steps to and from the value itself; where there is none, the
    typical size of the values; of zeros alone, nothing is absurd. Series with many values far out are left alone, and so are
    level shifts, which take their neighbourhood with them. A series needs `FEWEST` values to be judged.
    """
    values, counts = _cleaned(panel.values, panel.indptr)
    return replace(panel, values=values), counts


def outlying(values: Floats) -> tuple[Ordinals, Floats]:
    """Places of one series' outliers, and how far each is from the median of its neighbourhood, signed.

    A Hampel filter (Pearson 2002) over `REACH` values to both sides, much milder than `without_absurd`: further out than
    `OUTLYING` robust standard deviations (1.4826 times the median) of all such distances, and than as many of the steps'.
    Where most values equal their neighbours, the root mean square takes the place of the robust deviation: one value apart
    is an outlier there, many are how the series is. Take the season out first. A series needs fourteen values to be judged.

    >>> outlying(np.array([5.0, 6, 5, 7, 5, 6, 50, 5, 6, 7, 5, 6, 7, 5]))[0].tolist()
    [6]
    """
    known = np.flatnonzero(np.isfinite(values))
    place, distance = _outlying(np.ascontiguousarray(values[known]))
    return known[place], distance


@compiled
def _outlying(y: Floats) -> tuple[Ordinals, Floats]:
    n = len(y)
    if n < 2 * (2 * REACH + 1):
        return np.empty(0, np.int64), np.empty(0)
    distance = np.empty(n)
    for k in range(n):
        first = max(0, min(k - REACH, n - 2 * REACH - 1))
        distance[k] = y[k] - np.median(y[first : first + 2 * REACH + 1])
    steps = np.diff(y)
    typical = max(np.median(np.abs(distance)), np.median(np.abs(steps - np.median(steps))))
    if typical <= 1e-12 * np.abs(y).max():
        typical = np.sqrt(np.mean(distance**2)) / 1.4826
    if typical <= 0.0:
        return np.empty(0, np.int64), np.empty(0)
    place = np.flatnonzero(np.abs(distance) > OUTLYING * 1.4826 * typical)
    return place, distance[place]


@compiled
def _yardstick(known: Floats, steps: Floats, suspect: int) -> float:
    """What is usual beside the suspect: its neighbours' steps that are not zero, or else the size of the values."""
    others = np.ones(len(steps), np.bool_)
    others[max(0, suspect - 1) : suspect + 1] = False
    moved = steps[others & (steps > 0.0)]
    return np.median(moved) if len(moved) else np.median(np.abs(known))


@compiled
def _cleaned(values: Floats, indptr: Ordinals) -> tuple[Floats, Ordinals]:
    out = values.copy()
    counts = np.zeros(len(indptr) - 1, np.int64)
    for i in range(len(counts)):
        y = values[indptr[i] : indptr[i + 1]]
        known = np.flatnonzero(np.isfinite(y))
        if len(known) < FEWEST:
            continue
        deviation = np.empty(len(known))
        for k in range(len(known)):
            first = max(0, min(k - REACH, len(known) - 2 * REACH - 1))
            deviation[k] = abs(y[known[k]] - np.median(y[known[first : first + 2 * REACH + 1]]))
        steps = np.abs(np.diff(y[known]))
        typical = np.median(steps)
        if typical <= 0.0:
            typical = _yardstick(y[known], steps, int(np.argmax(deviation)))
        if typical <= 0.0:
            continue
        absurd = known[deviation > ABSURD * typical]
        if 0 < len(absurd) <= max(1.0, SLIPS * len(known)):
            counts[i] = len(absurd)
            out[indptr[i] + absurd] = np.nan
    return out, counts
