"""What a method of the anomaly benchmark is asked and answers, and how each protocol is played."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.anomaly_metrics import Flags
from benchmarks.anomaly_sets import AnomalySeries, AnomalySet
from industrial_brain.domain.panel import Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """One method's judgement of one set.

    Attributes:
        scores: a series each, `n` rows: 0 to 1, high is anomalous; NaN on rows that were not asked about.
        alarms: the same rows, by the threshold that the method itself sets, with no look at labels.
        seconds: what scoring took, without fitting.
        notes: what to know of it.
    """

    scores: tuple[Floats, ...]
    alarms: tuple[Flags, ...]
    seconds: float
    notes: tuple[str, ...] = ()


Method = Callable[[AnomalySet], Answer]

#: scores a run of rows; the first `known` of them are context that needs no score
Scorer = Callable[[Floats], Floats]

#: learns from normal runs, (rows, channels) each
Fit = Callable[[Sequence[Floats]], Scorer]


def normal_runs(one: AnomalySet, series: AnomalySeries) -> list[Floats]:
    """What may be learnt from before a series is scored: its own rows that are not asked about, else every run of the
    set without a row that is."""
    own = series.values[~series.asked]
    if len(own):
        return [own]
    return [other.values for other in one.series if not other.asked.any()]


def fitted_each(fit: Fit, alarm_at: float) -> Method:
    """The method that fits each series on its normal runs, or all of those that share them together, then scores it.

    Args:
        alarm_at: scores above it are alarms.
    """

    def method(one: AnomalySet) -> Answer:
        scores, seconds = [], 0.0
        shared: Scorer | None = None
        for series in one.series:
            if not series.asked.any():
                scores.append(np.full(len(series.values), np.nan))
                continue
            if (~series.asked).any():
                scorer = fit(normal_runs(one, series))
            else:
                scorer = shared = shared or fit(normal_runs(one, series))
            begun = time.perf_counter()
            found = scorer(series.values)
            seconds += time.perf_counter() - begun
            scores.append(np.where(series.asked, found, np.nan))
        with np.errstate(invalid="ignore"):
            return Answer(tuple(scores), tuple(score > alarm_at for score in scores), seconds)

    return method
