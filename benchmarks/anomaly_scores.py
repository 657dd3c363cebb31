"""Figures of one method on one set, out of its scores and alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np

from benchmarks import anomaly_metrics as metrics
from benchmarks.anomaly_methods import Answer
from benchmarks.anomaly_metrics import Counts, Flags
from benchmarks.anomaly_sets import AnomalySeries, AnomalySet
from benchmarks.nab import PROFILES, best_threshold, nab_score
from benchmarks.table import OURS, Row
from industrial_brain.domain.errors import InputError

#: our own method at the alarm budget that it ships with, where `brain` gets NAB's threshold
AT_BUDGET = f"{OURS}@budget"

#: the run without a fault that sets every method's threshold, where a set has one: the Tennessee Eastman process does
NORMAL_RUN, NORMAL_QUANTILE = "fault00", 0.99

#: faults of that process that hardly show in any sensor; they have slices, and stay out of `all`
HIDDEN_FAULTS = ("fault03", "fault09", "fault15")

METRICS = {
    "nab_standard": "NAB",
    "nab_low_fp": "NAB low FP",
    "nab_low_fn": "NAB low FN",
    "vus_pr": "VUS-PR",
    "event_f1": "event F1",
    "point_f1": "point F1",
    "far": "FAR %",
    "mar": "MAR %",
    "detection_rate": "detected",
    "delay": "delay",
    "us_per_reading": "µs/reading",
    "alarms_per_day": "alarms/day",
    "p_inflation": "p inflation",
}


def final_answers(one: AnomalySet, method: str, answer: Answer) -> dict[str, Answer]:
    """The answers that are scored and written: with the alarms of the threshold that the protocol asks for.

    A stream with labelled windows gets NAB's own threshold; our method is then judged again as it ships. A set with
    a run without a fault gets its threshold there. Everywhere else the method's own alarms stand.
    """
    normal = [series.name for series in one.series].index(NORMAL_RUN) if _has_normal_run(one) else None
    if normal is not None:
        threshold = float(np.nanquantile(answer.scores[normal], NORMAL_QUANTILE))
        return {method: replace(answer, alarms=tuple(score > threshold for score in answer.scores))}
    if one.protocol != "stream" or one.blind or any(series.windows is None for series in one.series):
        return {method: answer}
    threshold, _ = best_threshold(answer.scores, _windows(one), PROFILES["nab_standard"])
    found = {method: replace(answer, alarms=tuple(score >= threshold for score in answer.scores))}
    return found | ({AT_BUDGET: answer} if method == OURS else {})


def score_set(one: AnomalySet, method: str, answer: Answer) -> list[Row]:
    """Every figure of one method. Scores are averaged over the series that have an anomaly; rows and events are pooled."""
    asked = [(series, k) for k, series in enumerate(one.series) if series.asked.any()]
    readings = sum(np.isfinite(series.values[series.asked]).sum() for series, _ in asked)
    found: dict[str, float] = {}
    if not one.blind:
        if one.protocol == "stream" and all(series.windows is not None for series in one.series):
            found |= _nab(one, method, answer)
        volumes = [metrics.vus_pr(answer.scores[k][s.asked], _label(s)) for s, k in asked]
        found["vus_pr"] = _mean(volumes)
        hidden = HIDDEN_FAULTS if _has_normal_run(one) else ()
        found |= _by_rows([(s, answer.alarms[k]) for s, k in asked if s.name not in hidden])
    found["us_per_reading"] = 1e6 * answer.seconds / max(readings, 1)
    rows = [
        Row(one.name, method, "all", name, float(found[name]))
        for name in METRICS
        if np.isfinite(found.get(name, np.nan))
    ]
    if _has_normal_run(one) and not one.blind:
        rows += _by_fault(one, method, answer)
    return rows


def _by_rows(judged: Sequence[tuple[AnomalySeries, Flags]]) -> dict[str, float]:
    counts: Counts = reduce(add, (metrics.count(alarm[s.asked], _label(s)) for s, alarm in judged))
    late = [metrics.delay(alarm[s.asked], _label(s)) for s, alarm in judged]
    late = [one for one in late if not np.isnan(one)]
    rates = [metrics.detection_rate(metrics.count(alarm[s.asked], _label(s))) for s, alarm in judged]
    return {
        "event_f1": metrics.event_f1(counts),
        "point_f1": metrics.point_f1(counts),
        "far": metrics.far(counts),
        "mar": metrics.mar(counts),
        "detection_rate": _mean(rates),
        "delay": float(np.median(late)) if late else float("nan"),
    }


def _by_fault(one: AnomalySet, method: str, answer: Answer) -> list[Row]:
    rows = []
    for series, alarm in zip(one.series, answer.alarms, strict=True):
        if not series.asked.any():
            continue
        found = _by_rows([(series, alarm)])
        rows += [
            Row(one.name, method, series.name, name, found[name])
            for name in ("far", "detection_rate", "delay")
            if np.isfinite(found[name])
        ]
    return rows


def _nab(one: AnomalySet, method: str, answer: Answer) -> dict[str, float]:
    windows = _windows(one)
    try:
        if method == AT_BUDGET:
            said = [alarm.astype(np.float64) for alarm in answer.alarms]
            return {name: nab_score(said, windows, profile, 1.0) for name, profile in PROFILES.items()}
        return {name: best_threshold(answer.scores, windows, profile)[1] for name, profile in PROFILES.items()}
    except InputError:  # nothing in the set has a window
        return {}


def _windows(one: AnomalySet) -> list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    return [series.windows for series in one.series if series.windows is not None]


def _has_normal_run(one: AnomalySet) -> bool:
    return any(series.name == NORMAL_RUN and series.asked.all() for series in one.series)


def _label(series: AnomalySeries) -> Flags:
    if series.label is None:
        raise InputError(f"{series.name} has no labels.", "Score a set that has them.")
    return series.label[series.asked]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
