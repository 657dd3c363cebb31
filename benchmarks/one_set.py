"""Measuring one forecasting set: every method runs, refusals are stood in for, and what came of it is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import Progress

from benchmarks.forecasting_scores import score, set_incoherence
from benchmarks.forecasting_sets import ForecastingSet
from benchmarks.isolation import measure
from benchmarks.methods import Answer, Method
from benchmarks.origins import Origin, Piece, Positions, rolling_origins
from benchmarks.peers import average
from benchmarks.refusals import answer_refused
from benchmarks.table import Row
from industrial_brain.domain.panel import Floats

#: series of the frozen sample that the slow peer gets, and the slice that it makes
SAMPLE_SIZE = 100
SAMPLE = f"sample{SAMPLE_SIZE}"

#: too slow for whole sets: measured on the sample alone
SLOW = "arima"


@dataclass(frozen=True, slots=True)
class SetResult:
    """What one set adds to the table.

    Attributes:
        points: actuals that were scored, over all origins.
        cpu_seconds: by method, those of all its fits and forecasts; the slow peer is not among them.
        folded: as in `BenchmarkTable`.
        answers: of the last origin, by method; NaN for series that the method was not asked for.
    """

    points: int
    cpu_seconds: Mapping[str, float]
    rows: tuple[Row, ...]
    folded: frozenset[tuple[str, str]]
    notes: tuple[str, ...]
    answers: Mapping[str, Answer]


def measure_set(one: ForecastingSet, methods: Mapping[str, Method], origins: int, bar: Progress) -> SetResult:
    """Run the methods, which include `naive2`, one after the other. `theta+ets` joins where both of them run.

    When `arima` is among them, all methods are scored on its sample too.
    """
    rolling = rolling_origins(one, origins)
    everyone = np.arange(len(one.ids))
    sample = frozen_sample(one.ids)
    runs: dict[str, _Run] = {}
    for name, method in methods.items():
        rows = sample if name == SLOW else everyone
        runs[name] = _run_method(name, method, rolling, rows, f"{one.name} · {name}", bar)
        if name == "ets" and "theta" in runs:
            runs["theta+ets"] = _mean_of_theta_and_ets(runs["theta"], runs["ets"])

    notes = _set_notes(one, rolling)
    answers: dict[str, tuple[Answer, ...]] = {}
    for name, run in runs.items():
        others = {other: found.answers for other, found in runs.items() if other != name}
        answers[name], counts = answer_refused(run.answers, others)
        asked = sum(len(piece.rows) for origin in run.asked for piece in origin)
        notes += [f"{one.name}, {name}: {times} of {asked} forecasts are by {by}." for by, times in counts.items()]

    slices = {"all": everyone, **_frequency_slices(one)}
    if SLOW in runs:
        slices[SAMPLE] = sample
    rows_out = []
    for name, run in runs.items():
        home = SAMPLE if name == SLOW else "all"
        for part, members in slices.items():
            if name == SLOW and part != SAMPLE:
                continue
            figures = {} if one.blind else score(rolling, answers[name], answers["naive2"], members)
            figures["cpu_ms_per_series"] = 1000.0 * float(run.cpu_seconds[members].mean())
            if part == home:
                figures["peak_mb"] = run.peak_mb
            if part == "all" and one.hierarchy:
                figures["incoherence"] = set_incoherence(one.ids, one.hierarchy, answers[name])
            rows_out += [Row(one.name, name, part, metric, v) for metric, v in figures.items() if np.isfinite(v)]
    return SetResult(
        points=sum(int(np.count_nonzero(~np.isnan(origin.actual))) for origin in rolling),
        cpu_seconds={name: run.total_seconds for name, run in runs.items() if name != SLOW},
        rows=tuple(rows_out),
        folded=frozenset((one.name, f) for f in _frequency_slices(one) if len(slices[f]) == len(everyone)),
        notes=tuple(notes),
        answers={name: given[0] for name, given in answers.items()},
    )


def frozen_sample(ids: Sequence[str]) -> Positions:
    """Positions of `SAMPLE_SIZE` series (all, where there are fewer), the same whatever order the ids come in."""
    ranked = sorted(range(len(ids)), key=lambda i: hashlib.sha256(ids[i].encode()).digest())
    return np.array(sorted(ranked[:SAMPLE_SIZE]), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Run:
    """What one method did on one set.

    Attributes:
        asked: pieces, an origin each.
        answers: one an origin, with a row for every series of the set.
        total_seconds: CPU of all fits and forecasts.
        cpu_seconds: shape (series of the set,): what one fit and one forecast of a series of its group took; NaN for
            those that were not asked for.
    """

    asked: tuple[tuple[Piece, ...], ...]
    answers: tuple[Answer, ...]
    total_seconds: float
    cpu_seconds: Floats
    peak_mb: float


def _run_method(
    name: str, method: Method, rolling: Sequence[Origin], rows: Positions, label: str, bar: Progress
) -> _Run:
    asked = tuple(origin.only(rows) for origin in rolling)
    pieces = [piece for some in asked for piece in some]
    line = bar.add_task(label, total=sum(len(piece.rows) for piece in pieces))
    try:
        measured = measure(name, method, [p.task for p in pieces], lambda done, total: bar.update(line, completed=done))
    finally:
        bar.remove_task(line)
    remaining = iter(measured.answers)
    answers = tuple(
        origin.gather(some, tuple(next(remaining) for _ in some)) for origin, some in zip(rolling, asked, strict=True)
    )
    groups = [piece.group for piece in pieces]
    spent = np.bincount(groups, weights=measured.cpu_seconds)
    fits = np.bincount(groups, weights=[len(piece.rows) for piece in pieces])
    each = np.full(len(rolling[0].actual), np.nan)
    for piece in pieces:
        each[piece.rows] = spent[piece.group] / fits[piece.group]
    return _Run(asked, answers, sum(measured.cpu_seconds), each, measured.peak_mb)


def _mean_of_theta_and_ets(theta: _Run, ets: _Run) -> _Run:
    return _Run(
        asked=theta.asked,
        answers=tuple(average(a, b, ("theta", "ets")) for a, b in zip(theta.answers, ets.answers, strict=True)),
        total_seconds=theta.total_seconds + ets.total_seconds,
        cpu_seconds=theta.cpu_seconds + ets.cpu_seconds,
        peak_mb=max(theta.peak_mb, ets.peak_mb),
    )


def _frequency_slices(one: ForecastingSet) -> dict[str, Positions]:
    names = np.repeat([str(group.train.freq) for group in one.groups], [len(group.train) for group in one.groups])
    return {str(freq): np.flatnonzero(names == freq) for freq in dict.fromkeys(names)}


def _set_notes(one: ForecastingSet, rolling: Sequence[Origin]) -> list[str]:
    """What a reader must know of a set's figures, whatever the method."""
    notes = []
    present = [np.isin(np.arange(len(one.ids)), np.concatenate([p.rows for p in o.pieces])) for o in rolling]
    if one.blind:
        notes.append(f"{one.name}: blind: predictions and costs, no scores.")
    if len(rolling) > 1:
        notes.append(f"{one.name}: means over {len(rolling)} rolling origins, one horizon apart.")
    gaps = sum(bool(np.isnan(values).any()) for group in one.groups for values in group.train)
    if gaps:
        notes.append(f"{one.name}: series with gaps: {gaps}; peers and naive2 see them bridged in a straight line.")
    unscaled = max(int(np.isnan(o.scale[there]).sum()) for o, there in zip(rolling, present, strict=True))
    if unscaled:
        notes.append(
            f"{one.name}: series without a MASE scale (constant, or no two values a season apart): {unscaled}; they are "
            "left out of MASE, CRPS, MSIS and of OWA's second half."
        )
    absent = max((len(there) - int(there.sum()) for there in present[1:]), default=0)
    if absent:
        notes.append(f"{one.name}: series too short for the earliest origin, scored on later ones: {absent}.")
    return notes
