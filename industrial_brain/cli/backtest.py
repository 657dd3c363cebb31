"""The command that shows a track record: backtest."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import ExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from industrial_brain.cli.terminal import brain, err, moment, out, plural, progress_bar, table, waiting, written
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Failed

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
    for origin in moments:  # before Ray is started for nothing
        if not wired.observations.read_panels(origin):
            raise InputError(
                f"Nothing was known yet at {origin:%Y-%m-%d}.",
                "Values count as known from their import on, unless the file or --known-at says since when.",
            )
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Backtesting", "partitions") as progress:
            result = wired.backtest(executor, moments, progress=progress)
    if as_json:
        remarks = [{"as_of": at.isoformat(), "outcome": type(o).__name__, **asdict(o)} for at, o in result.remarks]
        figures = [_finite(asdict(one)) for one in result.scores]
        out.print_json(json.dumps({"origins": [m.isoformat() for m in moments], "scores": figures, "remarks": remarks}))
        return
    out.print(f"{plural(len(moments), 'origin')}: " + ", ".join(written(m) for m in moments), soft_wrap=True)
    shown = table("slice", "forecasts#", "scored#", "MASE#", "naive MASE#", "80% covers#", "95% covers#")
    for one in result.scores:
        figures_out = [f"{one.mase:.3f}", f"{one.naive_mase:.3f}", f"{one.coverage80:.1%}", f"{one.coverage95:.1%}"]
        cells = figures_out if one.scored else ["-"] * 4
        shown.add_row(one.slice or "all", f"{one.series:,}", f"{one.scored:,}", *cells)
    out.print(shown)
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


def _finite(figures: dict[str, object]) -> dict[str, object]:
    return {key: None if isinstance(value, float) and value != value else value for key, value in figures.items()}
