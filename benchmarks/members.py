"""`brain benchmark members`: what each of the ensemble's members costs and is worth, and what the meta-learner saves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.forecasting_sets import read_sets
from benchmarks.isolation import run_alone
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.member_costs import Measured, Tried, measure_members
from benchmarks.metrics import mase, mean_over_series
from benchmarks.origins import Origin, rolling_origins
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import InputError

METRICS = {
    "mase": "MASE",
    "relative": "MASE / brain",
    "fitted": "fitted %",
    "weight": "weight %",
    "cpu_ms_per_series": "CPU ms/series",
    "share": "share %",
}

_NOTES = (
    "ensemble: our pipeline, without what adds up; with every member fitted; and with every member fitted and weighed by its "
    "past errors alone.",
    "member: what it does for the ensemble (fits at all origins and on everything, a forecast), by itself, for every series; "
    "MASE over the series that it answers for, MASE / brain is over the same series; fitted: to how many series the ensemble "
    "fits it; weight: its mean over all series.",
    "(all sets): geometric mean of MASE / brain over the sets, means of fitted and weight over the sets, CPU over all series.",
)

_PHASES_NOTE = (
    "phase: where our ensemble's CPU goes, under a profiler, which makes Python's part look larger than it is: shares are the "
    "figure, milliseconds are an upper bound."
)


def run_members(
    directories: Sequence[Path],
    *,
    profile: bool = False,
    json_file: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
) -> BenchmarkTable:
    """Measure on the test part of each set, print one table and return it.

    Args:
        directories: sets in the format of `benchmarks/README.md`, not blind.
        profile: run our ensemble once more, under a profiler, and tell where its time goes.
        json_file: where to write the figures.

    Raises `FileFormatError` for a malformed set, `InputError` for arguments that make no sense or a blind set, and
    `UnavailableError` when a measuring process dies.
    """
    sets = read_sets(directories)
    blind = [one.name for one in sets if one.blind]
    if blind:
        raise InputError(f"{blind[0]} is blind: its answers are out.", "Name sets whose test rows have values.")
    console, err = console or Console(), Console(stderr=True)
    measured: dict[str, Measured] = {}
    rows: list[Row] = []
    for one in sets:
        (origin,) = rolling_origins(one, 1)
        with err.status(one.name):
            measured[one.name] = run_alone(f"the members on {one.name}", measure_members, origin, profile)
        rows += score(one.name, origin, measured[one.name])
    table = BenchmarkTable(
        "members",
        describe_machine(),
        describe_versions(),
        METRICS,
        compared=(),
        rows=tuple(rows),
        overall=tuple(overall(measured, rows)) if len(sets) > 1 else (),
        notes=(*_NOTES, *((_PHASES_NOTE,) if profile else ())),
    )
    if json_file:
        table.write_json(json_file)
    if markdown:
        command = " ".join(["brain benchmark members", *measured, *(["--profile"] if profile else [])])
        console.print(table.markdown(command, f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def score(name: str, origin: Origin, measured: Measured) -> list[Row]:
    """The figures of one set."""
    ours = mase(origin.actual, measured.ensembles[OURS].mean, origin.scale)
    rows = []
    for part, group in (("ensemble", measured.ensembles), ("member", measured.members)):
        for method, tried in group.items():
            own = mase(origin.actual, tried.mean, origin.scale)
            both = np.isfinite(own) & np.isfinite(ours)
            figures = {"mase": mean_over_series(own)}
            figures["relative"] = own[both].mean() / ours[both].mean() if both.any() else np.nan
            figures |= _use({name: tried}, part) | {"cpu_ms_per_series": 1e3 * tried.cpu_seconds / tried.series}
            rows += [Row(name, method, part, metric, float(v)) for metric, v in figures.items() if np.isfinite(v)]
    series = measured.ensembles[OURS].series
    return rows + _phases(name, measured.phases, series)


def overall(sets: Mapping[str, Measured], rows: Sequence[Row]) -> list[Row]:
    """The figures of all sets together."""
    label, out = "(all sets)", []
    for part in ("ensemble", "member"):
        groups = {name: one.ensembles if part == "ensemble" else one.members for name, one in sets.items()}
        for method in dict.fromkeys(method for group in groups.values() for method in group):
            tried = {name: group[method] for name, group in groups.items() if method in group}
            ratios = [r.value for r in rows if (r.method, r.slice, r.metric) == (method, part, "relative")]
            figures = {"relative": float(np.exp(np.log(ratios).mean()))} if ratios else {}
            seconds, series = (sum(getattr(t, name) for t in tried.values()) for name in ("cpu_seconds", "series"))
            figures |= _use(tried, part) | {"cpu_ms_per_series": 1e3 * seconds / series}
            out += [Row(label, method, part, metric, value) for metric, value in figures.items()]
    phases = [one.phases for one in sets.values()]
    together = {name: sum(spent[name] for spent in phases) for name in phases[0]}
    return out + _phases(label, together, sum(one.ensembles[OURS].series for one in sets.values()))


def _use(tried: Mapping[str, Tried], part: str) -> dict[str, float]:
    """How often a member is fitted and what it weighs, in percent: the mean over sets."""
    if part != "member":
        return {}
    means = {
        "fitted": [one.chosen.mean() for one in tried.values()],
        "weight": [one.weight.mean() for one in tried.values()],
    }
    return {name: 100.0 * float(np.mean(values)) for name, values in means.items()}


def _phases(label: str, seconds: Mapping[str, float], series: int) -> list[Row]:
    total = sum(seconds.values())
    return [
        Row(label, phase, "phase", metric, value)
        for phase, spent in seconds.items()
        for metric, value in (("cpu_ms_per_series", 1e3 * spent / series), ("share", 100.0 * spent / total))
    ]
