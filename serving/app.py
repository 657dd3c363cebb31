"""The HTTP application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

import industrial_brain
from industrial_brain.domain.errors import BrainError
from industrial_brain.domain.telemetry import Submission
from models.anomaly.equipment.bundle import AnomalyBundle
from models.nowcast.bundle import NowcastBundle
from models.risk.bundle import RiskBundle
from models.targeting.bundle import TargetBundle
from serving import problems
from serving.access import AccessMiddleware, Keyring
from serving.bodies import BodyLimitMiddleware
from serving.deps import Services
from serving.devices import DeviceDesk
from serving.feed import AnomalyFeed
from serving.jobs.desk import JobDesk
from serving.jobs.runner import JobRunner
from serving.live import LiveModels
from serving.metrics import Metrics
from serving.nowcasting import NowcastDesk
from serving.observe import ObserveMiddleware
from serving.routers import (
    anomalies,
    city,
    devices,
    forecasts,
    health,
    indicators,
    influx,
    jobs,
    models,
    nowcasts,
    operations,
    overrides,
    readings,
    risks,
    targets,
    telemetry,
)
from serving.schemas import ProblemOut
from serving.telemetry.reception import Reception
from serving.telemetry.strangers import without_strangers
from streaming.declaring import DeclarationFollower

_DESCRIPTION = """\
Indicators of a city and their forecasts.

Every address but /health needs `Authorization: Bearer KEY`. Errors are RFC 9457 problem details. Unknown parameters
and fields are refused. Moments are RFC 3339; answers give them in UTC. What comes from a simulator says so.
"""


def create_app(services: Services) -> FastAPI:
    """The application over these ports. It follows the champion from its start to its end (ASGI lifespan).

    Several apps may live in one process: they share nothing but the services given to them.
    """
    live = LiveModels(
        services.registry,
        services.load_bundle,
        services.observations,
        services.clock,
        poll_seconds=services.poll_seconds,
        kept=services.versions_kept,
    )
    live_nowcasts = LiveModels(
        services.nowcast_registry,
        NowcastBundle.read,
        None,
        services.clock,
        poll_seconds=services.poll_seconds,
        kept=services.versions_kept,
        training="brain train forecasting --task nowcast",
    )
    live_targets = LiveModels(
        services.target_registry,
        TargetBundle.read,
        None,
        services.clock,
        poll_seconds=services.poll_seconds,
        kept=services.versions_kept,
        training="brain train targeting",
    )
    live_detectors = _followed_detectors(services)
    live_risks = {
        task: LiveModels(
            registry,
            RiskBundle.read,
            None,
            services.clock,
            poll_seconds=services.poll_seconds,
            kept=services.versions_kept,
            training=f"brain train risk --task {task}",
        )
        for task, registry in services.risk_registries.items()
    }
    runner = JobRunner(
        services.jobs,
        services.jobs_folder,
        services.launch_job,
        services.clock,
        kept=services.jobs_kept,
        poll_seconds=services.poll_seconds,
    )
    declaring = DeclarationFollower(services.declarations, services.telemetry, poll_seconds=services.poll_seconds)
    metrics = Metrics(live, services.telemetry)
    feed = AnomalyFeed(services.episodes)
    keyring = Keyring(services.keys, services.key_seconds, services.monotonic)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await anyio.to_thread.run_sync(live.start)
        await anyio.to_thread.run_sync(live_nowcasts.start)
        await anyio.to_thread.run_sync(live_targets.start)
        if live_detectors is not None:
            await anyio.to_thread.run_sync(live_detectors.start)
        for one in live_risks.values():
            await anyio.to_thread.run_sync(one.start)
        try:
            await anyio.to_thread.run_sync(services.telemetry.start)
        except BrainError as refusal:
            app.state.refusal = refusal  # whoever serves the app tells it as a sentence
            raise
        declaring.start()
        runner.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(declaring.stop)
            await anyio.to_thread.run_sync(services.telemetry.stop)
            await anyio.to_thread.run_sync(runner.stop)
            await anyio.to_thread.run_sync(live.stop)
            await anyio.to_thread.run_sync(live_nowcasts.stop)
            await anyio.to_thread.run_sync(live_targets.stop)
            if live_detectors is not None:
                await anyio.to_thread.run_sync(live_detectors.stop)
            for one in live_risks.values():
                await anyio.to_thread.run_sync(one.stop)
            await anyio.to_thread.run_sync(services.worker.stop)
            await anyio.to_thread.run_sync(services.nowcast_worker.stop)

    app = _Documented(
        title="Industrial Brain",
        version=industrial_brain.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # our own route, behind the same table of roles
        redirect_slashes=False,
        middleware=[  # outermost first
            Middleware(ObserveMiddleware, metrics=metrics, monotonic=services.monotonic),
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=5),
            Middleware(AccessMiddleware, keyring=keyring),
            Middleware(
                BodyLimitMiddleware,
                max_bytes=services.max_body_bytes,
                stall_seconds=services.stall_seconds,
                exceptions={
                    forecasts.ADHOC_PATH: services.max_adhoc_body_bytes,
                    jobs.FORECAST_JOBS_PATH: services.max_job_body_bytes,
                    anomalies.SCORE_PATH: services.max_adhoc_body_bytes,
                    risks.SCORE_PATH: services.max_adhoc_body_bytes,
                    telemetry.TELEMETRY_PATH: services.max_telemetry_body_bytes,
                    influx.WRITE_PATH: services.max_telemetry_body_bytes,
                },
            ),
        ],
    )
    app.state.refusal = None
    app.state.services = services
    app.state.live = live
    app.state.live_nowcasts = live_nowcasts
    app.state.live_targets = live_targets
    app.state.live_risks = live_risks
    app.state.desk = NowcastDesk(services, live_nowcasts)
    app.state.metrics = metrics
    app.state.keyring, app.state.feed = keyring, feed
    app.state.jobs = JobDesk(
        services.jobs,
        runner,
        services.jobs_folder,
        services.clock,
        most_of_owner=services.max_jobs_per_key,
        most_of_all=services.max_jobs,
        kept=services.jobs_kept,
    )
    app.state.devices = DeviceDesk(services.telemetry, services.declarations, declaring.poll)
    app.state.reception = Reception(
        services.telemetry,
        services.max_telemetry_body_bytes,
        services.max_telemetry_held_bytes,
        _screen_of(services),
    )
    problems.install(app)
    for part in (
        health,
        operations,
        city,
        indicators,
        forecasts,
        overrides,
        nowcasts,
        targets,
        risks,
        models,
        jobs,
        anomalies,
        telemetry,
        influx,
        readings,
        devices,
    ):
        app.include_router(part.router)
    return app


def _followed_detectors(services: Services) -> LiveModels[AnomalyBundle] | None:
    """Equipment's champion, which the stream takes over when it is loaded."""
    if services.anomaly_registry is None:
        return None
    live = LiveModels(
        services.anomaly_registry,
        AnomalyBundle.read,
        None,
        services.clock,
        poll_seconds=services.poll_seconds,
        kept=services.versions_kept,
        training="brain train anomaly",
    )

    def champion() -> tuple[int, AnomalyBundle] | None:
        loaded = live.champion
        return None if loaded is None else (loaded.version.version, loaded.model)

    services.detectors.follow(champion)
    return live


def _screen_of(services: Services) -> Callable[[Submission], Submission]:
    if services.refuse_unknown_devices:
        return lambda submission: without_strangers(submission, services.telemetry.channels, services.declarations)
    return lambda submission: submission


class _Documented(FastAPI):
    """FastAPI, with what its description would lack: bearer keys, problem documents, bodies that another process reads."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            description = super().openapi()
            _, ours = models_json_schema(
                [
                    (ProblemOut, "serialization"),
                    *(
                        (shape, "validation")
                        for shape in (
                            *forecasts.ADHOC_SHAPES,
                            *jobs.JOB_SHAPES,
                            *telemetry.TELEMETRY_SHAPES,
                            *anomalies.SCORE_SHAPES,
                        )
                    ),
                ],
                ref_template="#/components/schemas/{model}",
            )
            parts = description["components"]
            parts["schemas"] |= ours["$defs"]
            for unused in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(unused, None)
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            description["security"] = [{"key": []}]
            for path, operations_there in description["paths"].items():
                if path.startswith("/health/"):
                    for operation in operations_there.values():
                        operation["security"] = []
        assert self.openapi_schema is not None
        return self.openapi_schema
