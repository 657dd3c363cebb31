"""`brain benchmark forecasting`: our shipped pipeline, and on request its peers, over forecasting sets in folders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.day_ahead import measure_day_ahead, read_day_ahead
from benchmarks.forecasting_scores import COMPARED, METRICS
from benchmarks.forecasting_sets import read_sets
from benchmarks.hierarchies import measure_hierarchy
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.methods import Method, brain
from benchmarks.naive2 import naive2
from benchmarks.one_set import SetResult, measure_set
from benchmarks.peers import Peer, require_peers
from benchmarks.predictions import write_predictions
from benchmarks.table import OURS, BenchmarkTable, Row
from industrial_brain.domain.errors import InputError

#: origins of a set whose test part is not an official one
DEFAULT_ORIGINS = 3


def run_forecasting(
    directories: Sequence[Path],
    *,
    peers: bool = False,
    slow_peers: bool = False,
    origins: int | None = None,
    json_file: Path | None = None,
    predictions: Path | None = None,
    markdown: bool = False,
    console: Console | None = None,
    ours: Method = brain,
    day_ahead: bool = True,
) -> BenchmarkTable:
    """Measure, print one table to `console` (as Markdown, on request) and return it. Progress goes to standard error.

    Args:
        directories: sets in the format of `benchmarks/README.md`; their folders' names tell them apart.
        peers: run statsforecast's models beside us.
        slow_peers: run AutoARIMA too, on a frozen sample of 100 series a set; every method is then scored on it as well.
        origins: rolling origins, one horizon apart; by default 1 for official test parts and 3 for others.
        json_file: where to write the figures; rewritten after each set, so that an interrupted run leaves what it had.
        day_ahead: forecast sets with an operator's forecasts one day ahead, too, over a year; a minute or two a set.
        predictions: folder for `forecasting_SET.parquet`, what the scores of the last origin come from.

    Raises `FileFormatError` for a malformed set, `InputError` for arguments that make no sense, and `UnavailableError`
    when peers are asked for and not installed, or when a method's process dies. All sets are read before any is measured.
    """
    if origins is not None and origins < 1:
        raise InputError(f"{origins} is not a number of origins.", "Give --origins a whole number from 1 up.")
    if peers or slow_peers:
        require_peers()
    sets = read_sets(directories)
    daily = {d.name: found for d in directories if day_ahead and (found := read_day_ahead(d.resolve())) is not None}

    console = console or Console()
    methods = _methods(ours, peers, slow_peers)
    table = BenchmarkTable("forecasting", describe_machine(), describe_versions(), METRICS, COMPARED, rows=())
    results = []
    with _progress_bar() as bar:
        for one in sets:
            if ours is brain:
                methods = {**methods, OURS: partial(brain, hierarchy=one.hierarchy)}
            rolling = origins or (1 if one.official else DEFAULT_ORIGINS)
            result = measure_set(one, methods, rolling, bar)
            if one.name in daily:
                rows, notes = measure_day_ahead(daily[one.name], bar)
                result = replace(result, rows=result.rows + rows, notes=result.notes + notes)
            if ours is brain and one.hierarchy:
                result = replace(result, rows=result.rows + measure_hierarchy(one, rolling, bar))
            results.append(result)
            table = replace(
                table,
                rows=table.rows + result.rows,
                folded=table.folded | result.folded,
                notes=table.notes + result.notes,
                overall=_overall(results),
            )
            if json_file:
                table.write_json(json_file)
            if predictions:
                write_predictions(predictions / f"forecasting_{one.name}.parquet", one, result.answers)
    if markdown:
        command = _command([one.name for one in sets], peers, slow_peers, origins)
        console.print(table.markdown(command, dt.datetime.now(dt.UTC).date().isoformat()), markup=False, soft_wrap=True)
    else:
        table.render(console)
    return table


def _methods(ours: Method, peers: bool, slow_peers: bool) -> dict[str, Method]:
    """In the order in which they run and are printed."""
    methods: dict[str, Method] = {OURS: ours}
    if peers:
        methods |= {name: Peer(name) for name in ("seasonal_naive", "theta", "ets", "ces")}
    if slow_peers:
        methods["arima"] = Peer("arima")
    return methods | {"naive2": naive2}


def _overall(results: Sequence[SetResult]) -> tuple[Row, ...]:
    """Coverage pooled over the points of all sets, and the CPU that each method took for all of them."""
    rows = []
    for method in results[0].cpu_seconds:
        for metric in ("coverage80", "coverage95"):
            found = [(r.points, row.value) for r in results for row in r.rows if _is_whole(row, method, metric)]
            if found:
                pooled = sum(points * value for points, value in found) / sum(points for points, _ in found)
                rows.append(Row("(all sets)", method, "all", metric, pooled))
        rows.append(Row("(all sets)", method, "all", "cpu_seconds", sum(r.cpu_seconds[method] for r in results)))
    return tuple(rows)


def _is_whole(row: Row, method: str, metric: str) -> bool:
    return (row.method, row.slice, row.metric) == (method, "all", metric)


def _command(names: Sequence[str], peers: bool, slow_peers: bool, origins: int | None) -> str:
    """What was run, with each set by its name: where the folders stood means nothing to a reader elsewhere."""
    flags = [flag for flag, given in (("--peers", peers), ("--slow-peers", slow_peers)) if given]
    if origins is not None:
        flags += ["--origins", str(origins)]
    return " ".join(["brain benchmark forecasting", *names, *flags])


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
