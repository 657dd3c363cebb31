"""Commands of the measuring bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.ingest_points import Format
from industrial_brain.cli.terminal import brain, out
from industrial_brain.domain.access import Role


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Measure the shipped pipeline on your data, beside its peers.", no_args_is_help=True)
    group.callback()(_group)
    group.command("forecasting")(forecasting)
    group.command("targeting")(targeting)
    group.command("anomaly")(anomaly)
    group.command("risk")(risk)
    group.command("nowcast")(nowcast)
    group.command("growth")(growth)
    group.command("members")(members)
    group.command("serving")(serving)
    group.command("ingest")(ingest)
    app.add_typer(group, name="benchmark")


def _group() -> None:
    """Measure the shipped pipeline on your data, beside its peers. Formats: benchmarks/README.md."""


def forecasting(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Sets to measure on, a folder each.")],
    peers: Annotated[bool, typer.Option("--peers", help="Run statsforecast's models beside ours.")] = False,
    slow_peers: Annotated[
        bool, typer.Option("--slow-peers", help="Run AutoARIMA too, on a frozen sample of 100 series a set.")
    ] = False,
    origins: Annotated[
        int | None, typer.Option(help="Rolling origins, a horizon apart; default: 1 for official test parts, else 3.")
    ] = None,
    day_ahead: Annotated[
        bool, typer.Option("--day-ahead/--no-day-ahead", help="Beside an operator's forecasts, where a set has them.")
    ] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Folder for what the scores come from.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Accuracy, calibration and cost of our forecasts on forecasting sets.

    Example: `brain benchmark forecasting data/forecasting/m1 --peers`
    """
    from benchmarks.forecasting import run_forecasting

    run_forecasting(
        folders,
        peers=peers,
        slow_peers=slow_peers,
        origins=origins,
        json_file=json_file,
        predictions=predictions,
        markdown=markdown,
        console=out,
        day_ahead=day_ahead,
    )


def targeting(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Sets to measure on, a folder each.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Folder for what the scores come from.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Whether our ranking of targets would have been right, beside every baseline, on regions x activities x years.

    Example: `brain benchmark targeting data/targeting/us_state_industry`
    """
    from benchmarks.targeting import run_targeting

    run_targeting(folders, json_file=json_file, predictions=predictions, markdown=markdown, console=out)


def anomaly(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR...", help="Sets to measure on, a folder each.")
    ] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Run well-known detectors beside ours.")] = False,
    clean: Annotated[
        int | None,
        typer.Option(min=100, help="Count false alarms, too, on so many simulated devices: 10000 take minutes."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Folder for what the scores come from.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """What our detectors find and how often they cry wolf, on series with labelled anomalies.

    Example: `brain benchmark anomaly data/anomaly/tep --peers`, `brain benchmark anomaly --clean 10000`
    """
    from benchmarks.anomaly import run_anomaly

    run_anomaly(
        folders or [],
        peers=peers,
        json_file=json_file,
        predictions=predictions,
        markdown=markdown,
        clean=clean,
        console=out,
    )


def risk(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Sets to measure on, a folder each.")],
    peers: Annotated[
        bool, typer.Option("--peers", help="Run XGBoost, gradient boosting, a random forest, logistic regression, too.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Folder for what the scores come from.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Folder for reliability diagrams (needs matplotlib).")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """How well our risk engine ranks and how true its probabilities are, on tables of cases, beside peers on the same folds.

    Example: `brain benchmark risk data/risk/ai4i2020 --peers`
    """
    from benchmarks.risk import run_risk

    run_risk(
        folders,
        peers=peers,
        json_file=json_file,
        predictions=predictions,
        pictures=pictures,
        markdown=markdown,
        console=out,
    )


def nowcast(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A monthly panel, such as FRED-MD.")],
    target: Annotated[
        list[str] | None, typer.Option(help="Series taken as quarterly; can be repeated. Default: INDPRO, PAYEMS.")
    ] = None,
    quarters: Annotated[int, typer.Option(min=8, help="How many of the last quarters are nowcast.")] = 60,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Errors of nowcasts by months before the quarter's end, beside what anyone could do, in pseudo-real time.

    Example: `brain benchmark nowcast data/forecasting/fredmd --target INDPRO`
    """
    from benchmarks.nowcasting import TARGETS, run_nowcast

    run_nowcast(
        folder, targets=target or TARGETS, quarters=quarters, json_file=json_file, markdown=markdown, console=out
    )


def growth(
    series: Annotated[
        list[int] | None, typer.Option(help="Number of series; can be repeated. Default: 1000, 10000, 100000.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """What a series costs in a small city and in a large one: CPU and memory of training, on synthetic series.

    Example: `brain benchmark growth --series 1000 --series 10000`
    """
    from benchmarks.growth import SIZES, run_growth

    run_growth(series or SIZES, json_file=json_file, markdown=markdown, console=out)


def members(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Sets to measure on, a folder each.")],
    profile: Annotated[
        bool, typer.Option("--profile", help="Tell, too, where our ensemble's time goes, phase by phase.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """What each member of the ensemble costs, weighs and is worth, and what the meta-learner saves.

    Example: `brain benchmark members data/forecasting/m1 --profile`
    """
    from benchmarks.members import run_members

    run_members(folders, profile=profile, json_file=json_file, markdown=markdown, console=out)


def serving(
    requests: Annotated[int, typer.Option(help="Requests that are counted, for each line of the table.")] = 500,
    clients: Annotated[
        list[int] | None, typer.Option(help="Clients that ask at once; can be repeated. Default: 1 and 4.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """How long forecasts and explanations take at the real server, for this installation's champion.

    A server is started for it, and a key made that is revoked at the end.

    Example: `brain benchmark serving --requests 1000`
    """
    from benchmarks.serving import CLIENTS, questions_about, run_serving, started_server

    wired = brain()
    bundle = wired.bundle(wired.version_for(None))
    failed = {one.series for one in bundle.failures()}
    questions = questions_about([name for name in bundle.series if name not in failed])
    key, secret = wired.keys.create("benchmark", Role.PLANNER)
    try:
        with started_server() as address:
            run_serving(
                address,
                secret,
                questions,
                requests=requests,
                clients=clients or CLIENTS,
                json_file=json_file,
                markdown=markdown,
                console=out,
            )
    finally:
        wired.keys.revoke(key.id)


def ingest(
    devices: Annotated[int, typer.Option(help="Devices; each sends once a minute.")] = 1_000_000,
    seconds: Annotated[int, typer.Option(help="Seconds of the devices' time.")] = 60,
    form: Annotated[Format, typer.Option("--format", help="How readings are sent.")] = Format.COLUMNS,
    batch: Annotated[int, typer.Option(help="Readings of one request.")] = 5_000,
    clients: Annotated[int, typer.Option(help="Connections at once.")] = 4,
    flat_out: Annotated[
        bool, typer.Option("--flat-out", help="Send as fast as it is taken, not in real time.")
    ] = False,
    peer: Annotated[
        str | None, typer.Option(help="Write URL of an InfluxDB that is given the same points afterwards.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """How many readings a second the real server makes durable and scores, and whether each is there afterwards, once.

    A server with a home of its own is started for it, and removed. The readings are simulated.

    Example: `brain benchmark ingest --devices 100000 --format line --flat-out`
    """
    from benchmarks.ingest import Ingest, run_ingest

    run_ingest(
        Ingest(devices, seconds, form, batch, clients, not flat_out),
        peer=peer,
        json_file=json_file,
        markdown=markdown,
        console=out,
    )
