"""Commands about nowcasts."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from industrial_brain.cli.chart import draw_evolution
from industrial_brain.cli.terminal import (
    brain,
    err,
    moment,
    number,
    out,
    progress_bar,
    standing,
    table,
    waiting,
    written,
)
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Failed, quantile_key
from industrial_brain.domain.nowcasts import News, Nowcast

if TYPE_CHECKING:
    from training.nowcast_pipeline import NowcastReport

#: rows of the news that are printed; the rest is one line, and --json has all
_ROWS = 15


def add_to(app: typer.Typer) -> None:
    app.command()(nowcast)


def nowcast(
    target: Annotated[str | None, typer.Argument(help="Series that is nowcast; default: list all.")] = None,
    as_of: Annotated[str | None, typer.Option(help="On what was known then, by the version of then.")] = None,
    since: Annotated[
        str | None, typer.Option(help="News since then: a date, or an RFC 3339 moment. Default: 28 days before.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="Start of the period asked about; default: the running one.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="Interval in percent; can be repeated. Default: 80, 95.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")] = False,
    chart: Annotated[
        bool | None, typer.Option("--chart/--no-chart", help="Draw its evolution; default: in a terminal.")
    ] = None,
) -> None:
    """What the running quarter (or month) looks like today, and which release moved it by how much.

    Example: `brain nowcast gdp:500000 --since 2026-10-01`
    """
    wired = brain()
    if target is None:
        if since or period:
            raise InputError("--since and --period are about one target.", "Name one; `brain nowcast` lists them.")
        _list(wired, moment(as_of) if as_of else None)
        return
    with waiting("Looking at the news"):
        told = wired.nowcast(
            target,
            as_of=moment(as_of) if as_of else None,
            since=moment(since) if since else None,
            period=period,
            levels=level or (80, 95),
        )
    if as_json:
        from serving.nowcasting import nowcast_record

        out.print_json(json.dumps(nowcast_record(told), default=_plain))
    else:
        print_nowcast(wired, told, chart=out.is_terminal if chart is None else chart)


def train(
    wired: Brain, *, ray: str | None, as_of: dt.datetime | None = None, seed: int = 0, promote: bool = True
) -> NowcastReport:
    """Train with signs of life."""
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Nowcasting", "targets") as progress:
            return wired.train_nowcasts(executor, as_of=as_of, seed=seed, promote=promote, progress=progress)


def print_report(report: NowcastReport) -> None:
    """What a run did: each target beside the naive methods, the gate's verdict, failures by name."""
    figures = table("target", "indicators#", "EM#", "replayed#", "RMSE / naive#", "80% covers#")
    for name, fitted in report.bundle.targets.items():
        key = name.replace(":", "_")
        ratio, covers = report.metrics.get(f"rmse_ratio.{key}"), report.metrics.get(f"coverage80.{key}")
        figures.add_row(
            name,
            str(len(fitted.layout.ids) - 1),
            f"{fitted.estimate.iterations}{'' if fitted.estimate.converged else '+'}",
            f"{len(fitted.record.month):,}",
            "-" if ratio is None else f"{ratio:.3f}",
            "-" if covers is None else f"{covers:.1%}",
        )
    out.print(figures)
    for outcome in report.outcomes:
        for note in [outcome.reason] if isinstance(outcome, Failed) else outcome.notes[:5]:
            out.print(
                f"{'Failed' if isinstance(outcome, Failed) else 'Note'}: {outcome.series}: {note}", soft_wrap=True
            )
    for check in report.verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    out.print(f"Version {report.version.version} of {report.version.name} is {standing(report.version)}.")


def print_nowcast(wired: Brain, told: Nowcast, *, chart: bool) -> None:
    """The number, its evolution, and the news with totals by kind."""
    info = wired.catalogue.series([told.target])[told.target]
    out.print(f"{told.target}: {info.name}, in {told.unit}", style="bold", soft_wrap=True)
    if told.simulated:
        out.print("Simulated data: these numbers say nothing about a real city.", style="yellow")
    keys = sorted(told.quantiles, key=float)
    numbers = table("period", "", "mean#", *(f"{float(key):.1%}#" for key in keys))
    numbers.add_row(told.last_period, "published", number(told.last_value), *("" for _ in keys))
    for one in told.periods:
        numbers.add_row(one.period, one.tense, number(one.mean), *(number(one.quantiles[key]) for key in keys))
    out.print(numbers)
    if chart and len(told.history) > 1:
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        out.print(f"How the nowcast of {told.period} came about, with its widest interval:")
        out.print(draw_evolution(told.history, width), highlight=False, soft_wrap=True)
    move = told.mean - told.before
    out.print(
        f"Since {written(told.compare_to)}, {told.period} moved by {_signed(move)}: "
        f"{number(told.before)} to {number(told.mean)} {told.unit}.",
        soft_wrap=True,
    )
    if told.news:
        out.print(_news_table(told))
        _print_totals(told)
    out.print(
        f"By version {told.model.version} of {told.model.name}, on what was known at {written(told.vintage)}.",
        soft_wrap=True,
    )
    for note in told.notes:
        out.print(f"Note: {note}", style="yellow", soft_wrap=True)


def _news_table(told: Nowcast) -> object:
    shown = table("series", "period", "kind", "measure", "expected#", "actual#", "weight#", "impact#")
    for part in told.news[:_ROWS]:
        shown.add_row(
            part.series or "(all)",
            part.period or "",
            part.kind,
            part.measure or "parameters",
            _measured(part, part.expected),
            _measured(part, part.actual),
            "" if part.weight is None else f"{part.weight:,.4g}",
            _signed(part.impact),
        )
    return shown


def _print_totals(told: Nowcast) -> None:
    if len(told.news) > _ROWS:
        rest = sum(part.impact for part in told.news[_ROWS:])
        out.print(f"and {len(told.news) - _ROWS:,} smaller ones, together {_signed(rest)} (--json has all).")
    counts = Counter(part.kind for part in told.news)
    sums = {kind: sum(part.impact for part in told.news if part.kind is kind) for kind in counts}
    words = "; ".join(f"{kind}s {_signed(sums[kind])} ({count:,})" for kind, count in counts.items())
    out.print(f"In all: {words}.", soft_wrap=True)


def _list(wired: Brain, as_of: dt.datetime | None) -> None:
    found, failed = wired.nowcasts(as_of)
    key_low, key_high = quantile_key(0.1), quantile_key(0.9)
    listing = table("target", "period", "mean#", "80% from#", "to#", "unit", "data")
    for fitted, running in found:
        listing.add_row(
            fitted.target,
            running.period,
            number(running.mean),
            number(running.quantiles[key_low]),
            number(running.quantiles[key_high]),
            fitted.unit,
            "simulated" if fitted.simulated else "real",
        )
    out.print(listing)
    for one in failed:
        err.print(f"{one.series}: {one.reason}", soft_wrap=True)


def _measured(part: News, value: float | None) -> str:
    if value is None:
        return "withdrawn" if part.kind == "revision" else ""
    return f"{value:+.2%}" if part.measure == "growth" else number(value)


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{number(abs(value))}"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
