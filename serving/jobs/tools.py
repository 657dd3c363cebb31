"""What jobs work with in the process where they run: the product, wired anew there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from industrial_brain.composition import Brain
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.jobs import JobKind
from industrial_brain.domain.protocols import Progress
from industrial_brain.settings import Settings
from industrial_brain.storage.checkpoints import FolderCheckpoints
from industrial_brain.storage.files.periods import read_periods
from serving.jobs.launch import Launch
from serving.jobs.process import SpawnedJob
from serving.jobs.work import Tools
from serving.live import ForecastModel
from training.executors import InProcess
from training.vintages import VintageBacktest


def launcher(settings: Settings) -> Launch:
    """Begins jobs in processes of their own, on this installation."""

    def launch(kind: JobKind, folder: Path) -> SpawnedJob:
        return SpawnedJob(kind, folder, partial(_tools, settings))

    return launch


def _tools(settings: Settings) -> Tools:
    wired = Brain(settings, _now)

    def version_for(as_of: dt.datetime | None) -> tuple[ModelVersion, ForecastModel]:
        version = wired.version_for(as_of)
        return version, wired.updated_bundle(version, as_of)

    def backtest(
        origins: Sequence[dt.datetime], series: Sequence[str] | None, by_series: bool, progress: Progress
    ) -> VintageBacktest:
        return wired.backtest(InProcess(), origins, series=series, by_series=by_series, progress=progress)

    return Tools(
        catalogue=wired.catalogue,
        version_for=version_for,
        overrides=lambda as_of: wired.overrides.in_force(as_of or wired.clock()),
        backtest=backtest,
        read_periods=read_periods,
        checkpoints=lambda folder: FolderCheckpoints(folder, wired.clock),
        clock=wired.clock,
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
