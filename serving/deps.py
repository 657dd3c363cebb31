"""What the routes are given: the ports, the clock and the limits, built once by whoever starts the server."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from fastapi import Depends, Request

from industrial_brain.domain.access import ApiKey
from industrial_brain.domain.anomalies import EpisodeStore
from industrial_brain.domain.devices import DeclarationStore
from industrial_brain.domain.jobs import JobStore
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.domain.protocols import Catalogue, KeyStore, ObservationStore, OverrideStore, Registry
from industrial_brain.domain.risks import RiskTask
from industrial_brain.domain.targeting import ChainStore, LeadStore
from serving.jobs.launch import Launch
from serving.live import ForecastModel, LiveModels
from serving.problems import Fault, FieldsError, pointer_to
from serving.worker import SpawnedWorker, Worker
from streaming.class_watch import Detectors
from streaming.replaying import Replayed
from streaming.runtime import Telemetry

#: ordinals of texts, and whether each names a period of the frequency
PeriodReader = Callable[[Frequency, Sequence[str]], tuple[Ordinals, npt.NDArray[np.bool_]]]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the HTTP door stands on.

    Attributes:
        registry: versions of `ib-forecasting`.
        nowcast_registry: versions of `ib-forecasting-nowcast`.
        risk_registries: versions of `ib-risk-TASK`, for every task.
        target_registry: versions of `ib-targeting`; chain and leads: what targets stand beside.
        load_bundle: reads a version's folder.
        read_periods: what texts mean as periods; a function of a module, because it is called in another process.
        clock: now, with a time zone.
        monotonic: seconds of a clock that never goes back; for durations only.
        poll_seconds: how soon a new champion is noticed.
        key_seconds: for how long a key is believed without asking the store; so long a revoked one may still work.
        max_body_bytes: longest request body.
        stall_seconds: longest silence within a request body, and longest wait for a reader of events.
        max_series_per_request: most series that one forecast request may name.
        alarms_per_day: budget of readings that somebody has scored and not kept.
        stream_seconds: how long a stream of events lasts; its reader asks for another one then.
        versions_kept: older versions that stay in memory for questions `as_of`.
        max_adhoc_body_bytes: longest body of a request that brings its own series.
        worker: where such series are fitted.
        nowcast_worker: where nowcasts are computed; apart, so that neither waits for the other.
        jobs: jobs that are kept; jobs_folder: their files, a folder a job; launch_job: begins to work on one.
        episodes: anomalies, and what people say of them.
        replay: finds one again, of these sites, if no more readings than these have to be scored for it.
        jobs_kept: how long a finished job and its results are kept.
        max_jobs_per_key, max_jobs: unfinished ones at once.
        max_job_body_bytes: longest body of a forecast job.
        anomaly_registry: versions of `ib-anomaly`; None where equipment is not watched. detectors: is told the one that judges.
        telemetry: takes readings, and answers for them; it starts and stops with the server.
        declarations: what operators say of devices.
        refuse_unknown_devices: whether only devices that were declared may begin to send.
        max_telemetry_body_bytes: longest body of readings, as it is sent and as it is when it is opened.
        max_telemetry_held_bytes: bytes of such bodies that may be under way at once; more are told to come later.
    """

    catalogue: Catalogue
    observations: ObservationStore
    overrides: OverrideStore
    keys: KeyStore
    registry: Registry
    nowcast_registry: Registry
    target_registry: Registry
    risk_registries: Mapping[RiskTask, Registry]
    chain: ChainStore
    leads: LeadStore
    load_bundle: Callable[[Path], ForecastModel]
    read_periods: PeriodReader
    clock: Callable[[], dt.datetime]
    jobs: JobStore
    jobs_folder: Path
    launch_job: Launch
    episodes: EpisodeStore
    replay: Callable[[str, Sequence[str] | None, int], Replayed]
    telemetry: Telemetry
    declarations: DeclarationStore
    anomaly_registry: Registry | None = None
    detectors: Detectors = field(default_factory=Detectors)
    monotonic: Callable[[], float] = time.monotonic
    poll_seconds: float = 2.0
    key_seconds: float = 5.0
    max_body_bytes: int = 1_048_576
    stall_seconds: float = 20.0
    max_series_per_request: int = 5_000
    versions_kept: int = 2
    max_adhoc_body_bytes: int = 16 * 1_048_576
    alarms_per_day: float = 10.0
    stream_seconds: float = 3_600.0
    worker: Worker = field(default_factory=SpawnedWorker)
    nowcast_worker: Worker = field(default_factory=SpawnedWorker)
    jobs_kept: dt.timedelta = dt.timedelta(days=7)
    max_jobs_per_key: int = 4
    max_jobs: int = 64
    max_job_body_bytes: int = 128 * 1_048_576
    refuse_unknown_devices: bool = False
    max_telemetry_body_bytes: int = 32 * 1_048_576
    max_telemetry_held_bytes: int = 256 * 1_048_576


# Dependencies are async so that they run where they are called: a thread for two attribute reads would be waste.


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _live(request: Request) -> LiveModels[ForecastModel]:
    live: LiveModels[ForecastModel] = request.app.state.live
    return live


async def _key(request: Request) -> ApiKey:
    key: ApiKey = request.scope["state"]["key"]
    return key


async def each_parameter_once(request: Request) -> None:
    """Refuse a query that names a parameter twice: which of the two was meant can't be known."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise FieldsError(
            "A parameter is given more than once.",
            "Give each parameter once.",
            [Fault("query", pointer_to(name), "It is given more than once.") for name in repeated],
        )


async def no_parameters(request: Request) -> None:
    """Refuse any query: the route has no parameters, and a misspelt one must not pass for an answered one."""
    if request.query_params:
        raise FieldsError(
            "This address takes no parameters.",
            "Leave out the query.",
            [
                Fault("query", pointer_to(name), "There is no parameter of this name here.")
                for name in request.query_params
            ],
        )


ServicesDep = Annotated[Services, Depends(_services)]
KeyDep = Annotated[ApiKey, Depends(_key)]
LiveDep = Annotated[LiveModels[ForecastModel], Depends(_live)]
