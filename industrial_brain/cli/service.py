"""Commands about the running service: serve, demo, doctor."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from industrial_brain.cli.city import last_full_month
from industrial_brain.cli.doctor import examine
from industrial_brain.cli.forecasting import print_answer, print_training, run_training
from industrial_brain.cli.nowcast import print_nowcast, print_report, train
from industrial_brain.cli.targets import TARGET_YEARS, print_ranking, print_target_training, run_target_training
from industrial_brain.cli.terminal import brain, err, number, out, progress_bar, waiting
from industrial_brain.composition import Brain, shipped_profiles
from industrial_brain.domain.access import Role
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.risks import RiskTask
from industrial_brain.domain.scenarios import read_scenario
from industrial_brain.settings import UnknownDevices

if TYPE_CHECKING:
    from fastapi import FastAPI

    from models.forecasting.bundle import ForecastBundle

#: the real series, and the simulated one, that the demo answers for
_REAL, _SIMULATED = "CEU0500000001:US", "output:500000"

#: what the demo asks: a series that depends on the weather, and a winter that is warmer by two degrees
_HEATED, _WARMER = "gas_piped:500000", "temperature+2"

_SEED = 20260101
_DEMO_KEY = "demo"


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
    app.command()(serve)
    app.command()(doctor)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to answer at; 0.0.0.0 for every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.")] = 8000,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Answer over HTTP until told to stop. New champions are picked up while it runs."""
    from serving.run import serve as run

    wired = brain()
    run(_app(wired), host, port, log_level, on_ready=lambda address: err.print(f"Serving at {address}"))


def demo(
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="End in a running server, or do all but serve.")
    ] = True,
    host: Annotated[str, typer.Option(help="Address to answer at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.")] = 8000,
) -> None:
    """The whole of it, once: a simulated city and a real panel in, models trained on Ray, a version, an answer; a day of
    simulated telemetry, what is wrong in it, detectors of pumps; a server.

    What an earlier call has done is kept, so a second call is fast.
    """
    wired = brain()
    with waiting("Preparing the database"):
        wired.initialise()
    _load_city(wired)
    _train_if_needed(wired)
    version = wired.version_for(None)
    for series in (_REAL, _SIMULATED):
        answer = wired.bundle(version).forecast([series], 12, [80, 95])[0]
        print_answer(wired, answer, version, chart=out.is_terminal)
    _what_if(wired, version)
    _nowcast_if_declared(wired)
    _rank_targets(wired)
    from industrial_brain.cli.demo_telemetry import show_telemetry

    show_telemetry(wired)
    if serve_after:
        _serve_demo(wired, host, port)


def doctor() -> None:
    """Say what is wrong with this installation, and what to do about it. Exit code 1 if something is."""
    with waiting("Looking at everything"):
        findings = examine(brain())
    for finding in findings:
        colour = {"ok": "green", "warn": "yellow", "fail": "red"}[finding.state]
        out.print(f"{finding.state:<4} ", style=colour, end="")
        out.print(f"{finding.subject}: {finding.detail}", soft_wrap=True)
        if finding.next_step:
            out.print(f"     {finding.next_step}", soft_wrap=True)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


def _app(wired: Brain) -> FastAPI:
    from industrial_brain.storage.files.periods import read_periods
    from serving.app import create_app
    from serving.deps import Services
    from serving.jobs.tools import launcher
    from serving.telemetry.rehearsal import rehearse

    rehearse()
    return create_app(
        Services(
            catalogue=wired.catalogue,
            observations=wired.observations,
            overrides=wired.overrides,
            keys=wired.keys,
            registry=wired.registry,
            nowcast_registry=wired.nowcast_registry,
            target_registry=wired.target_registry,
            risk_registries={task: wired.risk_registry(task) for task in RiskTask},
            chain=wired.chain,
            leads=wired.leads,
            load_bundle=_rehearsed,
            read_periods=read_periods,
            clock=wired.clock,
            jobs=wired.jobs,
            jobs_folder=wired.settings.jobs,
            launch_job=launcher(wired.settings),
            episodes=wired.episodes,
            replay=wired.replay,
            alarms_per_day=wired.settings.alarms_per_day,
            telemetry=wired.telemetry,
            anomaly_registry=wired.anomaly_registry,
            detectors=wired.detectors,
            declarations=wired.declarations,
            refuse_unknown_devices=wired.settings.unknown_devices is UnknownDevices.REFUSE,
        )
    )


def _rehearsed(folder: Path) -> ForecastBundle:
    """A version's bundle that has answered each kind of question once: what is compiled is loaded now, not while a planner
    waits."""
    from models.forecasting.bundle import ForecastBundle

    bundle = ForecastBundle.read(folder)
    for fitted in bundle.panels.values():
        leading = fitted.model.weights.argmax(axis=0).tolist()  # of each member, the series that listens to it most
        names = sorted({fitted.panel.ids[row] for row in leading})
        bundle.with_paths(bundle.forecast(names), 1, seed=0)
        for name in names:
            bundle.explain(name)
    return bundle


def _load_city(wired: Brain) -> None:
    from industrial_brain.simulation import write_city
    from industrial_brain.storage.profile import load_profile

    city = wired.settings.demo / "chongqing-simulated"
    if not city.exists():
        with progress_bar("Simulating a city", "indicators") as progress:
            write_city(city, seed=_SEED, last_month=last_full_month(wired.clock()), progress=progress)
    known = wired.catalogue.series([_REAL, _SIMULATED])
    for folder, probe in ((city, _SIMULATED), (shipped_profiles()[0], _REAL)):
        if probe in known:
            continue
        with progress_bar(f"Loading {folder.name}") as progress:
            load_profile(
                folder,
                catalogue=wired.catalogue,
                observations=wired.observations,
                chain=wired.chain,
                now=wired.clock(),
                progress=progress,
            )
    counts = wired.catalogue.counts()
    out.print("The database has " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) + ".")


def _train_if_needed(wired: Brain) -> None:
    with waiting("Looking for news"):
        champion = wired.registry.current()
        news = champion is None or wired.has_news(champion)
    if champion is not None and not news:
        out.print(f"Version {champion.version} was trained on just this data, by just this code: nothing to train.")
        return
    print_training(run_training(wired))


def _what_if(wired: Brain, version: ModelVersion) -> None:
    """One scenario beside its baseline."""
    out.print(f"What if: brain forecast {_HEATED} --horizon 6 --scenario {_WARMER}", soft_wrap=True)
    answer = wired.bundle(version).forecast([_HEATED], 6, [80, 95], read_scenario([_WARMER]))[0]
    print_answer(wired, answer, version, chart=False)


def _nowcast_if_declared(wired: Brain) -> None:
    """Train the nowcasts that the city declares, if anything is new, and show the first one with its news."""
    targets = list(wired.catalogue.nowcasts())
    if not targets:
        return
    with waiting("Looking for news"):
        champion = wired.nowcast_registry.current()
        news = champion is None or wired.has_nowcast_news(champion)
    if champion is None or news:
        print_report(train(wired, ray=None))
    if wired.nowcast_registry.current() is None:
        return  # the gate has said why
    with waiting("Nowcasting"):
        told = wired.nowcast(targets[0])
    print_nowcast(wired, told, chart=out.is_terminal)


def _rank_targets(wired: Brain) -> None:
    """Train the targets, if anything is new, and show those of one district, the city's largest, with their reasons."""
    from models.targeting.ranking import Question
    from serving.targeting import Names, ranking_record

    with waiting("Looking for news"):
        champion = wired.target_registry.current()
        news = champion is None or wired.has_target_news(champion, TARGET_YEARS)
    if champion is None or news:
        print_target_training(run_target_training(wired))
    if wired.target_registry.current() is None:
        return  # the gate has said why
    bundle, version = wired.targets()
    district = bundle.cube.regions[int(bundle.cube.values[-1].sum(axis=1).argmax())]
    out.print(f"Targets: brain targets --region {district} --top 5")
    question = Question(regions=(district,))
    print_ranking(ranking_record(bundle, version, question, 5, Names.of(wired.catalogue)), chart=out.is_terminal)


def _serve_demo(wired: Brain, host: str, port: int) -> None:
    """Serve, ask the server one question over HTTP, and leave it running."""
    from serving.run import serve as run

    for key in wired.keys.list_keys():  # an earlier demo's key is not left lying about
        if key.name == _DEMO_KEY and key.revoked_at is None:
            wired.keys.revoke(key.id)
    _, secret = wired.keys.create(_DEMO_KEY, Role.ADMIN)

    def introduce(address: str) -> None:
        out.print(f"Serving at {address} (Ctrl-C stops it). Admin key, shown once: {secret}", soft_wrap=True)
        out.print(
            f"  curl -s {address}/v1/forecasts -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' "
            f"""-d '{{"series": ["{_REAL}"], "horizon": 3}}'""",
            soft_wrap=True,
            markup=False,
        )
        threading.Thread(target=_ask_once, args=(address, secret), daemon=True).start()

    run(_app(wired), host, port, "warning", on_ready=introduce)


def _ask_once(address: str, secret: str) -> None:
    body = json.dumps({"series": [_REAL], "horizon": 1}).encode()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/v1/forecasts", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)["forecasts"][0]
    except OSError as error:
        err.print(f"The server did not answer its first question: {error}.")
        return
    out.print(
        f"It answers: {answer['series']} in {answer['start'][:7]} is {number(answer['mean'][0])}, "
        f"80% between {number(answer['quantiles']['0.1'][0])} and {number(answer['quantiles']['0.9'][0])} {answer['unit']}.",
        soft_wrap=True,
        markup=False,
    )
    sys.stdout.flush()
