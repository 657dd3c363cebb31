"""Commands about forecasts: train, forecast."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from industrial_brain.cli import equipment
from industrial_brain.cli.adhoc import FittedFile, fitted_file, write_forecasts, write_paths
from industrial_brain.cli.chart import draw_forecast
from industrial_brain.cli.nowcast import print_report, train
from industrial_brain.cli.risks import train_risk
from industrial_brain.cli.targets import train_targeting
from industrial_brain.cli.terminal import (
    brain,
    err,
    moment,
    now,
    number,
    out,
    plural,
    progress_bar,
    standing,
    table,
    waiting,
    written,
)
from industrial_brain.composition import Brain, Task
from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.forecasts import Failed, Forecast, Judgement, ModelVersion, Trained
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.scenarios import read_scenario

if TYPE_CHECKING:
    from models.forecasting.bundle import ForecastBundle
    from training.pipeline import TrainingReport


class Total(StrEnum):
    """What totals are asked for."""

    QUARTERS = "Q"
    YEARS = "Y"


#: seasons, or at least this many periods, of history in a chart
_CHARTED_SEASONS, _CHARTED_PERIODS = 4, 24

#: series of a file that get a table each; more are a summary
_TABLES = 3


def add_to(app: typer.Typer) -> None:
    train = typer.Typer(help="Train a new version.", no_args_is_help=True)
    train.callback()(_train_group)
    train.command("forecasting")(train_forecasting)
    equipment.add_to(train)
    train.command("targeting")(train_targeting)
    train.command("risk")(train_risk)
    app.add_typer(train, name="train")
    app.command()(forecast)


def _train_group() -> None:
    """Train a new version of a task's model on Ray, judge it, and promote it if it passes."""


def train_forecasting(
    as_of: Annotated[
        str | None, typer.Option(help="Train on what was known then: a date, or an RFC 3339 moment. Default: now.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: BRAIN_RAY_ADDRESS, or this machine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that draws.")] = 0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Train though neither data nor code have changed.")] = False,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Make the version champion if it passes the gate.")
    ] = True,
    task: Annotated[
        Task,
        typer.Option(help="What to train: `series`, every series; `nowcast`, the nowcasts that a profile declares."),
    ] = Task.SERIES,
) -> None:
    """Fit every series, register a version, judge it beside the champion, and promote it if it passes.

    A killed run goes on where it stopped when the same command runs again. A failed run changes nothing.

    Example: `brain train forecasting --as-of 2025-12-31`

    Example: `brain train forecasting --task nowcast`
    """
    if task not in (Task.SERIES, Task.NOWCAST):
        raise InputError(f"'{task}' is trained by a command of its own.", f"Run `{task.training}`.")
    wired = brain()
    vintage = moment(as_of) if as_of else None
    if as_of == f"{now():%Y-%m-%d}":
        vintage = now()  # a date means its end, and today's has not come
    wired.require_database()  # before Ray is started for nothing
    with waiting("Looking for news"):
        champion = wired.versions_of(task).current()
        news = champion is None or vintage is not None or anyway or _has_news(wired, champion, task, seed)
    if champion is not None and not news:
        out.print(f"Version {champion.version} was trained on just this data, by just this code: nothing to train.")
        err.print("Train all the same with --anyway.")
        return
    if task is Task.NOWCAST:
        print_report(train(wired, ray=ray, as_of=vintage, seed=seed, promote=promote))
    else:
        print_training(run_training(wired, ray=ray, as_of=vintage, seed=seed, promote=promote))


def forecast(
    series: Annotated[
        list[str] | None, typer.Argument(help="One or more series ids; see `brain indicators`. With --csv: all.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Periods ahead; default: one season for months, see docs/reference.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="Interval in percent; can be repeated. Default: 80, 95.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Answer as of then: with the newest version trained by that moment.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")] = False,
    chart: Annotated[
        bool | None, typer.Option("--chart/--no-chart", help="Draw a chart; default: in a terminal.")
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="What if: temperature+2, price-10%, price*0.9, temperature=3,4,5; can be repeated."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--csv", help="Fit the series of this CSV or Parquet file instead; keeps nothing.")
    ] = None,
    freq: Annotated[
        Frequency | None, typer.Option(help="With --csv: frequency of the series; default: as their dates have it.")
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="With --csv: a column that the series depend on; rows behind the last y are known ahead."),
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="With --csv: ISO 3166 code of the country whose holidays the series keep.")
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out", help="With --csv: write the forecasts to this CSV. With --paths: the paths, CSV or Parquet."
        ),
    ] = None,
    paths: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Write so many sample paths that add up, to --out FILE.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the paths.")] = 0,
    aggregate: Annotated[
        Total | None, typer.Option(help="Answer in totals of quarters (Q) or years (Y), of what adds up and flows.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update/--no-update", help="Go on from the newest observations, or from the training's.")
    ] = True,
    overrides: Annotated[
        bool, typer.Option("--overrides/--no-overrides", help="Follow planners' overrides, or the models alone.")
    ] = True,
) -> None:
    """Forecast series from the champion, or from the version that answers as of a date; or a file's, without any version.

    Example: `brain forecast CEU0500000001:US --horizon 12`

    Example: `brain forecast --csv examples/indicators-long.csv --horizon 6`

    Example: `brain forecast --csv gas.csv --covariate temperature --country CN`
    """
    if level is not None and not level:
        raise InputError("No level was given.", "Levels are percentages, for instance --level 80 --level 95.")
    if paths is not None and out_file is None:
        raise InputError("Paths are many rows.", "Name a file for them with --out FILE.csv or FILE.parquet.")
    charted = (out.is_terminal if chart is None else chart) and aggregate is None
    changes = read_scenario(scenario or [])
    if changes and (paths is not None or aggregate is not None):
        raise InputError(
            "--scenario is answered with means and quantiles.", "Leave out --paths and --aggregate, or the scenario."
        )
    if file is not None:
        if changes:
            raise InputError(
                "--scenario asks a version, and --csv has none.",
                "Write the scenario's values into the column of --covariate, behind the last y.",
            )
        if as_of is not None:
            raise InputError("--as-of asks for a version, and --csv for none.", "Leave out one of them.")
        with fitted_file(file, freq, now(), covariate or [], country, horizon) as fitted:
            _forecast_file(
                fitted, series or [], horizon, level or [80, 95], as_json, charted, out_file, paths, seed, aggregate
            )
        return
    if freq is not None or covariate or country is not None or (out_file is not None and paths is None):
        raise InputError(
            "--freq, --covariate, --country and --out go with --csv, and --out with --paths.",
            "Leave them out, or name a file.",
        )
    if not series:
        raise InputError("No series was named.", "Find ids with `brain indicators SEARCH`, or give a file with --csv.")
    wired = brain()
    known = wired.catalogue.series(series)
    for name in series:
        if name not in known:
            raise UnknownIdError(f"There is no series '{name}'.", "Find ids with `brain indicators SEARCH`.")
    then = moment(as_of) if as_of else None
    version = wired.version_for(then)
    bundle = wired.updated_bundle(version, then) if update else wired.bundle(version)
    answers = bundle.forecast(series, horizon, level or [80, 95], changes or None)
    if overrides and not changes:  # a scenario is answered by the models alone
        answers = bundle.judged(answers, wired.overrides.in_force(then or now()))
    if aggregate is not None:
        from models.forecasting.totals import why_not_summed  # the bundle has loaded it

        reasons = {name: why_not_summed(info, Frequency(aggregate)) for name, info in known.items()}
        answers = [
            Failed(one.series, reason) if (reason := reasons.get(one.series)) is not None else one for one in answers
        ]
    answers = _with_paths(bundle, answers, level or [80, 95], paths, seed, aggregate)
    if out_file is not None:
        write_paths(out_file, answers)
    if as_json:
        out.print_json(
            json.dumps({"model": {"name": version.name, "version": version.version}, "answers": _plain(answers)})
        )
    else:
        for answer in answers:
            print_answer(wired, answer, version, chart=charted)
    _require_one(answers)


def _with_paths(
    bundle: ForecastBundle,
    answers: list[Forecast | Failed],
    levels: Sequence[float],
    paths: int | None,
    seed: int,
    aggregate: Total | None,
) -> list[Forecast | Failed]:
    if aggregate is not None:
        return bundle.totals(answers, Frequency(aggregate), levels, paths, seed)
    return answers if paths is None else bundle.with_paths(answers, paths, seed)


def run_training(
    wired: Brain,
    *,
    ray: str | None = None,
    as_of: dt.datetime | None = None,
    seed: int = 0,
    promote: bool = True,
) -> TrainingReport:
    """Train with signs of life: a spinner while Ray starts, a bar while it fits."""
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Training", "series") as progress:
            return wired.train_forecasting(executor, as_of=as_of, seed=seed, promote=promote, progress=progress)


def print_training(report: TrainingReport) -> None:
    """What a run did: counts, figures by frequency, the gate's verdict, failures and fallbacks by name."""
    methods = Counter(o.method for o in report.outcomes if isinstance(o, Trained))
    failed = [o for o in report.outcomes if isinstance(o, Failed)]
    fallbacks = [o for o in report.outcomes if isinstance(o, Trained) and o.fallback]
    resumed = f", {report.resumed} of them kept from a run that was stopped" if report.resumed else ""
    out.print(
        f"Trained {sum(methods.values()):,} series in {plural(report.partitions, 'partition')}{resumed}: "
        + ", ".join(f"{count:,} {method}" for method, count in methods.most_common())
        + f"; {len(failed):,} failed.",
        soft_wrap=True,
    )
    figures = table("slice", "series#", "scored#", "MASE#", "naive MASE#", "sMAPE %#", "80% covers#", "95% covers#")
    for key in sorted(k.removeprefix("series") for k in report.metrics if k.startswith("series")):
        cells = [report.metrics.get(f"{m}{key}") for m in ("mase", "naive_mase", "smape")]
        covers = [report.metrics.get(f"coverage{level}{key}") for level in (80, 95)]
        figures.add_row(
            key.removeprefix(".") or "all",
            f"{report.metrics[f'series{key}']:,.0f}",
            f"{report.metrics[f'scored{key}']:,.0f}",
            *("-" if cell is None else f"{cell:.3f}" for cell in cells),
            *("-" if cell is None else f"{cell:.1%}" for cell in covers),
        )
    out.print(figures)
    for what, names in (("Failed", failed), ("Fell back", fallbacks)):
        for outcome in names[:5]:
            reason = outcome.reason if isinstance(outcome, Failed) else outcome.fallback
            out.print(f"{what}: {outcome.series}: {reason}", soft_wrap=True)
        if len(names) > 5:
            out.print(f"{what}: and {len(names) - 5:,} more; the run's outcomes.csv lists all.")
    for check in report.verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    out.print(f"Version {report.version.version} of {report.version.name} is {standing(report.version)}.")


def print_answer(wired: Brain, answer: Forecast | Failed, version: ModelVersion | None, *, chart: bool) -> None:
    """A table, and a chart where one looks rather than reads. Without a version: fitted on the spot."""
    if isinstance(answer, Failed):
        err.print(f"{answer.series}: {answer.reason}", soft_wrap=True)
        return
    info = wired.catalogue.series([answer.series])[answer.series]
    keys = list(answer.quantiles)
    without = answer.scenario.baseline if answer.scenario else None
    shown = table("period", *(["without#"] if without else []), "mean#", *(f"{_percent(key)}#" for key in keys))
    first = answer.freq.ordinal_of_label(answer.start)
    for step, mean in enumerate(answer.mean):
        before = [number(without[step])] if without else []
        quantiles = (number(answer.quantiles[k][step]) for k in keys)
        shown.add_row(answer.freq.label(first + step), *before, number(mean), *quantiles)
    out.print(f"{answer.series}: {info.name}, in {info.unit}", style="bold", soft_wrap=True)
    if answer.simulated:
        out.print("Simulated data: these numbers say nothing about a real city.", style="yellow")
    if chart:
        periods = max(_CHARTED_PERIODS, _CHARTED_SEASONS * answer.freq.season)
        history = wired.observations.read_one(answer.series, answer.vintage)[-min(periods, 400) :]
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        out.print(draw_forecast(history, answer, first, width), highlight=False, soft_wrap=True)
    out.print(shown)
    for name, assumed in (answer.scenario.covariates if answer.scenario else {}).items():
        then, now_ = (sum(values) / len(values) for values in (assumed.assumed, assumed.expected))
        partly = f"{assumed.known} periods known, then {assumed.basis}"
        basis = partly if 0 < assumed.known < len(assumed.expected) else assumed.basis
        out.print(f"Scenario: {name} is {number(then)} on average, not {number(now_)} ({basis}).", soft_wrap=True)
    by = ", ".join(f"{name} {weight:.0%}" for name, weight in answer.weights.items())
    model = f"version {version.version} of {version.name}" if version else "fitted on the spot"
    trained = answer.parameters_vintage
    since = f" (trained on what was known at {written(trained)})" if trained and trained != answer.vintage else ""
    out.print(f"By {by}; {model}, on what was known at {written(answer.vintage)}{since}.", soft_wrap=True)
    measured = {level: [v for v in values if v is not None] for level, values in answer.coverage.items()}
    held_by_level = [f"{level}% intervals held {sum(v) / len(v):.1f}%" for level, v in measured.items() if v]
    if held_by_level:
        kind = "simulated" if answer.simulated else "real"
        out.print(
            f"In the backtest, {' and '.join(held_by_level)} of what came, over all {kind} series by the {answer.freq.noun}.",
            soft_wrap=True,
        )
    if answer.judgement is not None:
        for held in answer.judgement.held_by:
            out.print(
                f"Held by override {held.id} of {held.author}, until {written(held.expires_at)}: {held.reason}",
                style="yellow",
                soft_wrap=True,
            )
        for other in answer.judgement.moved_by:
            out.print(f"Moved by override {other.id} of {other.series}.", style="yellow", soft_wrap=True)
        out.print("`--no-overrides` shows the models' own forecast.", style="yellow")
    for line in ([f"Fallback: {answer.fallback}"] if answer.fallback else []) + [f"Note: {n}" for n in answer.notes]:
        out.print(line, style="yellow", soft_wrap=True)


def _has_news(wired: Brain, champion: ModelVersion, task: Task, seed: int) -> bool:
    return wired.has_nowcast_news(champion) if task is Task.NOWCAST else wired.has_news(champion, seed=seed)


def _forecast_file(
    fitted: FittedFile,
    series: Sequence[str],
    horizon: int | None,
    levels: Sequence[float],
    as_json: bool,
    chart: bool,
    out_file: Path | None,
    paths: int | None,
    seed: int,
    aggregate: Total | None,
) -> None:
    answers = _with_paths(fitted.bundle, fitted.forecast(series, horizon, levels), levels, paths, seed, aggregate)
    failed = [answer for answer in answers if isinstance(answer, Failed)]
    if out_file is not None:
        (write_forecasts if paths is None else write_paths)(out_file, answers)
    if as_json:
        out.print_json(json.dumps({"model": {"name": "ad-hoc", "version": None}, "answers": _plain(answers)}))
    elif out_file is None and len(answers) <= _TABLES:
        for answer in answers:
            print_answer(fitted.wired, answer, None, chart=chart)
    else:
        out.print(
            f"Forecast {len(answers) - len(failed):,} of {plural(len(answers), 'series', 'series')}; "
            + ("name some, or write all with --out FILE.csv." if out_file is None else f"written to {out_file}."),
            soft_wrap=True,
        )
        for one in failed[:_TABLES]:
            err.print(f"{one.series}: {one.reason}", soft_wrap=True)
        if len(failed) > _TABLES:
            err.print(f"and {len(failed) - _TABLES:,} more failed; --json lists all.")
    _require_one(answers)


def _require_one(answers: Sequence[Forecast | Failed]) -> None:
    if all(isinstance(answer, Failed) for answer in answers):
        raise StateError("No series could be forecast.", "The reasons are above.")


def _percent(key: str) -> str:
    return f"{float(key) * 100:g}%"


def _plain(answers: Sequence[Forecast | Failed]) -> list[dict[str, object]]:
    return [
        {"series": a.series, "reason": a.reason}
        if isinstance(a, Failed)
        else {
            **asdict(a),
            "vintage": a.vintage.isoformat(),
            "parameters_vintage": a.parameters_vintage.isoformat() if a.parameters_vintage else None,
            "judgement": _plain_judgement(a.judgement),
        }
        for a in answers
    ]


def _plain_judgement(judgement: Judgement | None) -> dict[str, object] | None:
    if judgement is None:
        return None
    named = {
        name: [{**asdict(one), "expires_at": one.expires_at.isoformat()} for one in ours]
        for name, ours in (("held_by", judgement.held_by), ("moved_by", judgement.moved_by))
    }
    return {"statistical_mean": judgement.statistical_mean, **named}
