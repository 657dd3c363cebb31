"""The command that shows a track record: backtest."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from industrial_brain.cli.terminal import brain, err, moment, out, plural, progress_bar, table, waiting, written
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.periods import Frequency

if TYPE_CHECKING:
    from training.vintages import SeriesScores

#: failures and fallbacks that are printed; JSON has all
_SHOWN = 10

#: days between two origins, at most
_LONGEST = 3660

#: origins that one command trains for, at most
_MOST = 24


def add_to(app: typer.Typer) -> None:
    app.command()(backtest)


def backtest(
    as_of: Annotated[
        list[str] | None, typer.Option(help="An origin: a date or an RFC 3339 moment; can be repeated.")
    ] = None,
    origins: Annotated[int, typer.Option(help="Without --as-of: how many origins, the newest a year ago.")] = 3,
    every: Annotated[int, typer.Option(help="Without --as-of: days between the origins.")] = 182,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: BRAIN_RAY_ADDRESS, or here.")
    ] = None,
    series: Annotated[list[str] | None, typer.Option(help="Of these series alone; can be repeated.")] = None,
    indicator: Annotated[str | None, typer.Option(help="Of this indicator's series alone.")] = None,
    region: Annotated[str | None, typer.Option(help="Of this region's series alone.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Of this cluster's series alone.")] = None,
    freq: Annotated[Frequency | None, typer.Option(help="Of series of this frequency alone.")] = None,
    by: Annotated[str | None, typer.Option(help="`series`: figures of each series too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every slice and every failure.")] = False,
) -> None:
    """What would have been forecast then, on what was known then, beside what came and the seasonal naive.

    Trains from nothing on each origin's vintage; nothing is registered, and no version changes.

    Example: `brain backtest --as-of 2024-12-31 --as-of 2025-06-30`
    """
    wired = brain()
    now = wired.clock()
    if not 1 <= (len(as_of) if as_of else origins) <= _MOST:
        raise InputError("So many origins can't be backtested.", f"Ask for 1 to {_MOST}.")
    moments = [moment(text) for text in as_of] if as_of else _spread(now, origins, every)
    for origin in moments:
        if origin >= now:
            raise InputError(f"{origin:%Y-%m-%d} has not passed yet.", "An origin must lie in the past.")
    if by not in (None, "series"):
        raise InputError(f"Figures can't be shown by {by}.", "Leave --by out, or write --by series.")
    chosen = _chosen(wired, series, indicator=indicator, region=region, cluster=cluster, frequency=freq)
    for origin in moments:  # before Ray is started for nothing
        if not wired.observations.read_panels(origin, chosen):
            raise InputError(
                f"Nothing was known yet at {origin:%Y-%m-%d}.",
                "Values count as known from their import on, unless the file or --known-at says since when.",
            )
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Backtesting", "partitions") as progress:
            result = wired.backtest(executor, moments, series=chosen, by_series=by is not None, progress=progress)
    if as_json:
        remarks = [{"as_of": at.isoformat(), "outcome": type(o).__name__, **asdict(o)} for at, o in result.remarks]
        found = {"origins": [m.isoformat() for m in moments], "scores": result.score_rows(), "remarks": remarks}
        out.print_json(json.dumps(found | ({"series": result.series_rows()} if by else {})))
        return
    out.print(f"{plural(len(moments), 'origin')}: " + ", ".join(written(m) for m in moments), soft_wrap=True)
    shown = table("slice", "forecasts#", "scored#", "MASE#", "naive MASE#", "80% covers#", "95% covers#")
    for one in result.scores:
        figures_out = [f"{one.mase:.3f}", f"{one.naive_mase:.3f}", f"{one.coverage80:.1%}", f"{one.coverage95:.1%}"]
        cells = figures_out if one.scored else ["-"] * 4
        shown.add_row(one.slice or "all", f"{one.series:,}", f"{one.scored:,}", *cells)
    out.print(shown)
    if by:
        out.print(_table_of_series(result.series))
    for at, outcome in result.remarks[:_SHOWN]:
        what = f"failed: {outcome.reason}" if isinstance(outcome, Failed) else f"fell back: {outcome.fallback}"
        out.print(f"{outcome.series} at {written(at)} {what}", soft_wrap=True)
    if len(result.remarks) > _SHOWN:
        err.print(f"The first {_SHOWN} of {len(result.remarks):,} failures and fallbacks; --json lists all.")


def _spread(now: dt.datetime, origins: int, every: int) -> list[dt.datetime]:
    """Origins of the past, oldest first; the newest leaves a year for what came."""
    if not 1 <= every <= _LONGEST:
        raise InputError(f"{every} days can't lie between two origins.", f"Give --every 1 to {_LONGEST} days.")
    newest = now - dt.timedelta(days=365)
    return [newest - dt.timedelta(days=every * back) for back in range(origins)][::-1]


def _chosen(wired: Brain, series: list[str] | None, **wanted: str | Frequency | None) -> list[str] | None:
    """Ids of the series that are asked for; None for all."""
    if not series and not any(wanted.values()):
        return None
    found = wired.catalogue.series(series) if series else wired.catalogue.series()
    unknown = [name for name in series or [] if name not in found]
    if unknown:
        raise UnknownIdError(f"There is no series '{unknown[0]}'.", "Find ids with `brain indicators SEARCH`.")
    chosen = [
        name for name, info in found.items() if all(v is None or getattr(info, key) == v for key, v in wanted.items())
    ]
    if not chosen:
        raise InputError("No series is like that.", "Find ids with `brain indicators`, which has the same options.")
    return chosen


def _table_of_series(scores: Sequence[SeriesScores]) -> Table:
    shown = table("series", "origin", "MASE#", "naive MASE#", "80% covers#", "95% covers#")
    for one in scores:
        figures = [f"{one.mase:.3f}", f"{one.naive_mase:.3f}", f"{one.coverage80:.0%}", f"{one.coverage95:.0%}"]
        shown.add_row(one.series, written(one.as_of), *(["-"] * 4 if math.isnan(one.mase) else figures))
    return shown
