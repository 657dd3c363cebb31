"""The composition root: the one place where adapters are chosen.

Adapters are imported and opened when they are first asked for, so that a command that needs one does not wait for all.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from industrial_brain.domain.anomalies import WHOLE_SITE, Episode, EpisodeStore, Label
from industrial_brain.domain.devices import DeclarationStore
from industrial_brain.domain.equipment import EquipmentStore, Labels, Span, machine_name
from industrial_brain.domain.errors import InputError, NoModelError, StateError, UnknownIdError
from industrial_brain.domain.explanations import Explanation
from industrial_brain.domain.forecasts import Failed, ModelVersion
from industrial_brain.domain.jobs import JobStore
from industrial_brain.domain.nowcasts import Nowcast, NowcastModelName, NowcastPeriod
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import (
    Catalogue,
    KeyStore,
    ObservationStore,
    OverrideStore,
    Progress,
    Registry,
    no_progress,
)
from industrial_brain.domain.risks import RiskCases, RiskListing, RiskTask
from industrial_brain.domain.targeting import ChainStore, LeadStore
from industrial_brain.domain.versions import version_as_of
from industrial_brain.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from models.anomaly.equipment.bundle import AnomalyBundle
    from models.forecasting.bundle import ForecastBundle
    from models.nowcast.answer import Known
    from models.nowcast.bundle import NowcastBundle
    from models.nowcast.fitted import FittedNowcast
    from models.targeting.bundle import TargetBundle
    from streaming.channels import ChannelIndex
    from streaming.class_watch import Detectors
    from streaming.declarations import Declarations
    from streaming.replaying import Replayed
    from streaming.runtime import Stores, Telemetry
    from streaming.scorer import Scorer, Watcher
    from streaming.sharding import Shard
    from training.anomaly_pipeline import AnomalyReport
    from training.executors import Executor, Mapper, Workers
    from training.gates import Verdict
    from training.nowcast_pipeline import NowcastReport
    from training.pipeline import TrainingReport
    from training.risk.pipeline import RiskReport
    from training.targeting.pipeline import Material, TargetReport
    from training.vintages import VintageBacktest

#: the registered model of the forecasting task
FORECASTING = "ib-forecasting"

#: the registered model of its task `nowcast`
NOWCAST = "ib-forecasting-nowcast"

#: the registered model of equipment's detectors
ANOMALY = "ib-anomaly"


#: the registered model of investment targets
TARGETING = "ib-targeting"


#: the registered models of risks, one a task
RISK = "ib-risk"


class Task(StrEnum):
    """What is trained; each task has versions of its own."""

    SERIES = "series"
    NOWCAST = "nowcast"
    ANOMALY = "anomaly"
    TARGETING = "targeting"
    ENTERPRISE = "enterprise"
    GAS = "gas"
    CLUSTER = "cluster"

    @property
    def training(self) -> str:
        """The command that trains it."""
        match self:
            case Task.SERIES:
                return "brain train forecasting"
            case Task.NOWCAST:
                return "brain train forecasting --task nowcast"
            case Task.ANOMALY:
                return "brain train anomaly"
            case Task.TARGETING:
                return "brain train targeting"
            case Task.ENTERPRISE | Task.GAS | Task.CLUSTER:
                return f"brain train risk --task {self}"


_RISKS = frozenset({Task.ENTERPRISE, Task.GAS, Task.CLUSTER})

#: what MLflow reads from the environment, at its import: no reports to its makers, no bars beside ours, and a server that is
#: down is said to be so within seconds
_MLFLOW_MANNERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_UV_AUTO_DETECT": "false",  # what a version needs does not depend on the folder that it was trained in
}

#: the folder that holds our packages
_PACKAGES = Path(__file__).parent.parent

#: what a bundle's reader imports: our domain types, features and models; not the stores, nor the doors
_LOGGED = ("models", "features", "industrial_brain/__init__.py", "industrial_brain/domain")


class Brain:
    """The wired product.

    Args:
        settings: where things are.
        clock: now, with a time zone; the doors pass the machine's.
    """

    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self.settings, self.clock = settings, clock
        self._risk_registries: dict[RiskTask, Registry] = {}

    @cached_property
    def engine(self) -> Engine:
        """The database, its schema checked. Raises NotInitialisedError before `brain init`."""
        from industrial_brain.storage.database import require_schema

        engine = self._unchecked_engine
        require_schema(engine)
        return engine

    @cached_property
    def catalogue(self) -> Catalogue:
        from industrial_brain.storage.catalogue import SqlCatalogue

        return SqlCatalogue(self.engine)

    @cached_property
    def observations(self) -> ObservationStore:
        from industrial_brain.storage.observations import SqlObservationStore

        return SqlObservationStore(self.engine)

    @cached_property
    def overrides(self) -> OverrideStore:
        from industrial_brain.storage.overrides import SqlOverrideStore

        return SqlOverrideStore(self.engine)

    @cached_property
    def episodes(self) -> EpisodeStore:
        from industrial_brain.storage.anomalies import SqlEpisodeStore

        return SqlEpisodeStore(self.engine)

    @cached_property
    def keys(self) -> KeyStore:
        from industrial_brain.storage.keys import SqlKeyStore

        return SqlKeyStore(self.engine, self.clock)

    @cached_property
    def declarations(self) -> DeclarationStore:
        from industrial_brain.storage.declarations import SqlDeclarationStore

        return SqlDeclarationStore(self.engine)

    @cached_property
    def jobs(self) -> JobStore:
        from industrial_brain.storage.jobs import SqlJobStore

        return SqlJobStore(self.engine)

    @cached_property
    def telemetry(self) -> Telemetry:
        """The stream of readings. It takes its inbox when it is started, not here."""
        from industrial_brain.storage.moments import to_microseconds
        from streaming.assessing import Limits
        from streaming.runtime import Sizes, Telemetry

        settings, day = self.settings, 86_400_000_000
        return Telemetry(
            self._telemetry_stores(),
            lambda: to_microseconds(self.clock()),
            scorer=self.live_state,
            shard=self._shard,
            limits=Limits(retention=settings.telemetry_days * day, new_per_minute=settings.telemetry_new_channels),
            sizes=Sizes(
                most_channels=settings.telemetry_channels,
                drain_seconds=settings.telemetry_lake_seconds,
                snapshot_seconds=settings.telemetry_snapshot_seconds,
            ),
            free=lambda: (shutil.disk_usage(settings.home.resolve()).free, settings.free_megabytes * 1_000_000),
        )

    @property
    def _shard(self) -> Shard:
        """Whose ingest sequence the telemetry is."""
        from streaming.sharding import Shard

        return Shard.read(self.settings.shard)

    def live_state(self, index: ChannelIndex, declarations: Declarations) -> Scorer:
        """The live state of a shard, new."""
        from models.anomaly.episodes import Merger
        from streaming.episodes import EpisodeJudge
        from streaming.scorer import Scorer

        shard = self._shard.name
        judge = EpisodeJudge(shard, self.episodes, Merger(shard, index, declarations))
        return Scorer(self._watchers(index, judge.taken), judge, declarations)

    def replay(self, anomaly: str, sites: Sequence[str] | None = None, most_readings: int | None = None) -> Replayed:
        """Find an anomaly again, from a snapshot and the readings of then.

        The readings are only read: a server may run beside it.

        Raises:
            UnknownIdError: there is no such anomaly (of these sites).
            StateError: it is of another shard; or more readings than these lie between.
        """
        from streaming.channels import ChannelIndex
        from streaming.replaying import replay

        episode = self.episodes.get(anomaly, sites)
        if episode.shard != self._shard.name:
            raise StateError(
                f"{episode.id} is of {episode.shard}.", "Ask the server of that shard, or set BRAIN_SHARD."
            )
        sensors = self.episodes.sensors(episode.id, limit=episode.sensor_count)
        if self.telemetry.is_running:
            stores, index = self.telemetry.stores, self.telemetry.channels
        else:
            stores = self._telemetry_stores()
            index = ChannelIndex.restored(stores.inbox.names(), self.settings.telemetry_channels, seed=0)
            stores.lake.look()
        return replay(episode, sensors, stores, index, lambda: self._watchers(index), most_readings)

    def _telemetry_stores(self) -> Stores:
        """Where readings are, not opened."""
        from industrial_brain.storage.database import open_database
        from industrial_brain.storage.inbox import SqlInbox
        from industrial_brain.storage.lake import DeltaLake
        from industrial_brain.storage.lake_places import place_at
        from industrial_brain.storage.snapshots import FolderSnapshots
        from streaming.runtime import Stores

        settings, shard = self.settings, self._shard
        return Stores(
            SqlInbox(open_database(settings.telemetry_database), shard.number, shard.count),
            DeltaLake(place_at(settings.lake, shard.name), shard.name),
            FolderSnapshots(settings.snapshots / shard.name),
        )

    def _watchers(self, index: ChannelIndex, taken: Callable[[], int] | None = None) -> dict[str, Watcher]:
        """What looks at readings, new.

        Args:
            taken: the last seq whose episodes are durable; None for a replay, in which no version takes over but as it did.
        """
        from industrial_brain.storage.takeovers import FileTakeovers
        from models.anomaly.decisions import LiveDecider, Policy
        from models.anomaly.fleet import LiveFleet
        from streaming.class_watch import ClassWatch
        from streaming.watch import Watch

        rate = self.settings.false_discovery_rate
        decider = LiveDecider(Policy(None if rate else self.settings.alarms_per_day, rate))  # one budget for both
        takeovers = FileTakeovers(self.settings.snapshots / f"{self._shard.name}-takeovers.json")
        champion = None if taken is None else self.detectors
        return {
            "watch": Watch(LiveFleet(self.settings.telemetry_channels), decider),
            "classes": ClassWatch(index, champion, self.detectors_of, takeovers, taken or (lambda: 0), decider),
        }

    @cached_property
    def detectors(self) -> Detectors:
        """The version of equipment's detectors that judges; whoever serves says so."""
        from streaming.class_watch import Detectors

        return Detectors()

    def detectors_of(self, version: int) -> AnomalyBundle:
        """The detectors of a version. Raises BundleError where they can't be read."""
        from models.anomaly.equipment.bundle import AnomalyBundle

        return AnomalyBundle.read(self.anomaly_registry.load(version))

    @cached_property
    def chain(self) -> ChainStore:
        from industrial_brain.storage.targeting import SqlChainStore

        return SqlChainStore(self.engine)

    @cached_property
    def leads(self) -> LeadStore:
        from industrial_brain.storage.targeting import SqlLeadStore

        return SqlLeadStore(self.engine, self.clock)

    @cached_property
    def registry(self) -> Registry:
        """Versions of the forecasting task."""
        return self._registry_of(FORECASTING, ("xgboost",))

    @cached_property
    def nowcast_registry(self) -> Registry:
        """Versions of the nowcasts."""
        return self._registry_of(NOWCAST, ("statsmodels", "scipy"))

    @cached_property
    def target_registry(self) -> Registry:
        """Versions of the investment targets."""
        return self._registry_of(TARGETING, ("xgboost", "scipy"))

    def versions_of(self, task: Task) -> Registry:
        """The registry of a task."""
        match task:
            case Task.SERIES:
                return self.registry
            case Task.NOWCAST:
                return self.nowcast_registry
            case Task.ANOMALY:
                return self.anomaly_registry
            case Task.TARGETING:
                return self.target_registry
            case Task.ENTERPRISE | Task.GAS | Task.CLUSTER:
                return self.risk_registry(RiskTask(task))

    @cached_property
    def anomaly_registry(self) -> Registry:
        """Versions of equipment's detectors."""
        columns = (
            ("device", "string"),
            ("equipment", "string"),
            ("ts", "long"),
            ("metric", "string"),
            ("value", "double"),
        )
        return self._registry_of(ANOMALY, ("scipy",), columns)

    @cached_property
    def equipment(self) -> EquipmentStore:
        """Machines and their history, read beside a running server."""
        from industrial_brain.storage.database import open_database
        from industrial_brain.storage.equipment import SqlEquipmentStore
        from industrial_brain.storage.lake import DeltaLake
        from industrial_brain.storage.lake_places import place_at

        settings, shard = self.settings, self._shard
        lake = DeltaLake(place_at(settings.lake, shard.name), shard.name)
        return SqlEquipmentStore(open_database(settings.telemetry_database), lake, shard.number)

    def risk_registry(self, task: RiskTask) -> Registry:
        """Versions of a risk task."""
        if task not in self._risk_registries:
            self._risk_registries[task] = self._registry_of(f"{RISK}-{task}", ("xgboost", "scikit-learn", "scipy"), ())
        return self._risk_registries[task]

    def risk_cases(self, task: RiskTask, folder: Path | None = None) -> RiskCases:
        """Cases of a folder; or those that the product has: real firms that it ships, or a simulated gas network.

        Raises:
            FileFormatError: the folder is malformed.
            InputError: there are none for the task.
        """
        from industrial_brain.simulation.gas_risk import simulated_gas_cases
        from industrial_brain.storage.files.cases import read_cases

        if folder is not None:
            return read_cases(folder)
        if task is RiskTask.ENTERPRISE:
            return read_cases(Path(str(files("industrial_brain") / "data" / "polish_firms")))
        if task is RiskTask.GAS:
            return simulated_gas_cases(0)[0]
        raise InputError(f"There are no cases of task '{task}'.", "Name a folder of your own with --data.")

    def train_risk(
        self,
        executor: Mapper,
        task: RiskTask,
        cases: RiskCases,
        *,
        seed: int = 0,
        promote: bool = True,
        progress: Progress = no_progress,
    ) -> RiskReport:
        """Train a version of a risk task on these cases."""
        from training.pipeline import Provenance
        from training.provenance import code_fingerprint, git_sha, lock_hash
        from training.risk.pipeline import train_risk

        return train_risk(
            task=task,
            cases=cases,
            vintage=self.clock(),
            provenance=Provenance(seed, code_fingerprint(), git_sha(), lock_hash()),
            executor=executor,
            registry=self.risk_registry(task),
            promote=promote,
            progress=progress,
        )

    def risks(
        self,
        task: RiskTask,
        file: Path | None = None,
        folder: Path | None = None,
        *,
        level: float = 90.0,
        top: int = 10,
    ) -> RiskListing:
        """The worst cases of a file, or of a folder of cases (of the task's own, without either) by the task's champion.

        Raises:
            NoModelError: nothing has been trained for the task.
            InputError: the cases lack a column, a level can't be answered, or both a file and a folder are named.
        """
        from industrial_brain.storage.files.cases import read_table
        from models.risk.bundle import RiskBundle
        from training.risk.pipeline import row_keys

        if file is not None and folder is not None:
            raise InputError("Both a file and a folder of cases are named.", "Give one: --csv or --data.")
        registry = self.risk_registry(task)
        version = registry.current()
        if version is None:
            raise NoModelError(f"No risk of task '{task}' has been learnt.", f"Run `brain train risk --task {task}`.")
        bundle = RiskBundle.read(registry.load(version.version))
        known = None
        if file is None:
            cases = self.risk_cases(task, folder)
            table, names = cases.table, cases.names
            known = bundle.held_out_of(row_keys(cases))
        else:
            table = read_table(file, bundle.learnt_from[1])
            names = tuple(f"row {row + 1}" for row in range(len(table)))
        found = bundle.worst(table, top, level=level, prob=known)
        worst = tuple((names[row], answer) for row, answer in found.worst)
        return RiskListing(version, worst, found.counts, len(names), bundle.simulated, known is not None)

    def _registry_of(
        self, model: str, requirements: Sequence[str], inputs: tuple[tuple[str, str], ...] | None = None
    ) -> Registry:
        for name, value in _MLFLOW_MANNERS.items():
            os.environ.setdefault(name, value)
        from industrial_brain.storage.registry import LoggedCode, MlflowRegistry

        code = LoggedCode(_PACKAGES, "serving/pyfunc_model.py", _LOGGED)
        code = replace(code, requirements=(*code.requirements, *requirements))
        if inputs is not None:
            code = replace(code, inputs=inputs, params=())
        return MlflowRegistry(self.settings.mlflow, self.settings.artifacts, model, code, self.settings.downloads)

    def require_database(self) -> None:
        """Raise now what a long command would raise late: NotInitialisedError or UnavailableError."""
        _ = self.engine

    def initialise(self) -> None:
        """Make the database's tables, or bring them up to date."""
        from industrial_brain.storage.database import migrate

        self.settings.home.mkdir(parents=True, exist_ok=True)
        migrate(self._unchecked_engine)

    def schema_state(self) -> str:
        """`absent`, `behind` or `current`."""
        from industrial_brain.storage.database import schema_state

        return schema_state(self._unchecked_engine)

    @contextmanager
    def executor(self, ray_address: str | None = None) -> Iterator[Workers]:
        """Ray, at this address or the settings', or on this machine, for as long as the block runs."""
        from training.ray_jobs import ray_cluster

        with ray_cluster(ray_address or self.settings.ray_address) as executor:
            yield executor

    def panels(self, as_of: dt.datetime, series: Sequence[str] | None = None) -> list[Panel]:
        """These series (all, without names) as they were known at a moment, with what they depend on and the calendar of the
        installation's country."""
        from features.countries import country_calendar
        from industrial_brain.storage.listing import all_regions
        from training.linking import link_covariates, sources_of

        calendar = country_calendar(self.settings.country)
        indicators, infos = self.catalogue.indicators(), self.catalogue.series()
        parents = {region.code: region.parent for region in all_regions(self.catalogue).values()}
        asked = infos if series is None else {name: infos[name] for name in series if name in infos}
        sources = (sources_of(asked, indicators, parents) & infos.keys()) - asked.keys()
        read = None if series is None else [*series, *sorted(sources)]
        panels = [replace(panel, calendar=calendar) for panel in self.observations.read_panels(as_of, read)]
        linked = link_covariates(panels, asked, indicators, parents)
        if series is None:
            return linked
        kept = [panel.take([row for row, name in enumerate(panel.ids) if name in asked]) for panel in linked]
        return [panel for panel in kept if len(panel)]

    def train_forecasting(
        self,
        executor: Executor,
        *,
        as_of: dt.datetime | None = None,
        seed: int = 0,
        promote: bool = True,
        progress: Progress = no_progress,
    ) -> TrainingReport:
        """Train a version on what was known at `as_of` (now, without one)."""
        from industrial_brain.storage.checkpoints import FolderCheckpoints
        from industrial_brain.storage.listing import all_regions
        from training.pipeline import Provenance, train_forecasting
        from training.provenance import code_fingerprint, git_sha, lock_hash

        vintage = self._passed(as_of)
        return train_forecasting(
            panels=self.panels(vintage),
            infos=self.catalogue.series(),
            vintage=vintage,
            provenance=Provenance(seed, code_fingerprint(), git_sha(), lock_hash()),
            executor=executor,
            checkpoints=FolderCheckpoints(self.settings.checkpoints, self.clock),
            registry=self.registry,
            parents={region.code: region.parent for region in all_regions(self.catalogue).values()},
            promote=promote,
            progress=progress,
        )

    def train_nowcasts(
        self,
        executor: Mapper,
        *,
        as_of: dt.datetime | None = None,
        seed: int = 0,
        promote: bool = True,
        progress: Progress = no_progress,
    ) -> NowcastReport:
        """Train a version of the declared nowcasts on what was known at `as_of` (now, without one)."""
        from features.countries import country_calendar
        from training.nowcast_pipeline import train_nowcasts
        from training.pipeline import Provenance
        from training.provenance import code_fingerprint, git_sha, lock_hash

        return train_nowcasts(
            targets=tuple(self.catalogue.nowcasts().values()),
            read=self.observations.read_panels,
            infos=self.catalogue.series(),
            calendar=country_calendar(self.settings.country),
            vintage=self._passed(as_of),
            provenance=Provenance(seed, code_fingerprint(), git_sha(), lock_hash()),
            executor=executor,
            registry=self.nowcast_registry,
            promote=promote,
            progress=progress,
        )

    def train_anomalies(
        self,
        executor: Mapper,
        *,
        equipment: str | None = None,
        as_of: dt.datetime | None = None,
        seed: int = 0,
        promote: bool = True,
        progress: Progress = no_progress,
    ) -> AnomalyReport:
        """Train a version of one class' detectors, or of all, on readings up to `as_of` (now, without one)."""
        from training.anomaly_pipeline import train_anomalies
        from training.pipeline import Provenance
        from training.provenance import code_fingerprint, git_sha, lock_hash

        return train_anomalies(
            store=self.equipment,
            labels=labels_of(self.episodes.labelled()),
            equipment=equipment,
            vintage=self._passed(as_of),
            provenance=Provenance(seed, code_fingerprint(), git_sha(), lock_hash()),
            executor=executor,
            registry=self.anomaly_registry,
            promote=promote,
            progress=progress,
        )

    def has_anomaly_news(self, champion: ModelVersion, equipment: str | None = None) -> bool:
        """Whether training detectors now would see other readings or labels, or run other code, than this version."""
        from training.anomaly_pipeline import anomaly_fingerprint, gather
        from training.provenance import code_fingerprint

        rows = gather(self.equipment, labels_of(self.episodes.labelled()), equipment, self.clock())
        return anomaly_fingerprint(rows, code_fingerprint()) != champion.tags.get("data")

    def has_nowcast_news(self, champion: ModelVersion) -> bool:
        """Whether training nowcasts now would see other data or declarations, or run other code, than this version."""
        from features.countries import country_calendar
        from training.nowcast_pipeline import gather_today, nowcast_fingerprint
        from training.provenance import code_fingerprint

        targets = tuple(self.catalogue.nowcasts().values())
        if not targets:
            return False
        read, infos = self.observations.read_panels, self.catalogue.series()
        pieces = gather_today(targets, read, infos, country_calendar(self.settings.country), self.clock())
        return nowcast_fingerprint(pieces, code_fingerprint()) != champion.tags.get("data")

    def target_material(self, as_of: dt.datetime | None = None, output: str = "output") -> Material:
        """What a version of the targets would learn from, as known at `as_of` (now, without one)."""
        from industrial_brain.domain.targeting import outcomes_of
        from industrial_brain.storage.listing import all_leads, all_regions
        from training.targeting.pipeline import TargetSeries, gather_material

        vintage = self._passed(as_of)
        return gather_material(
            series=TargetSeries(output=output),
            read=self.observations.read_panels,
            infos=self.catalogue.series(),
            regions=all_regions(self.catalogue),
            links=self.chain.links(),
            outcomes=outcomes_of(one for one in all_leads(self.leads) if one.changed_at <= vintage),
            vintage=vintage,
        )

    def train_targets(
        self,
        executor: Mapper,
        *,
        horizon: int,
        as_of: dt.datetime | None = None,
        output: str = "output",
        seed: int = 0,
        promote: bool = True,
        progress: Progress = no_progress,
    ) -> TargetReport:
        """Train a version of the targets on what was known at `as_of` (now, without one)."""
        from training.pipeline import Provenance
        from training.provenance import code_fingerprint, git_sha, lock_hash
        from training.targeting.pipeline import train_targets

        return train_targets(
            self.target_material(as_of, output),
            horizon=horizon,
            vintage=self._passed(as_of),
            provenance=Provenance(seed, code_fingerprint(), git_sha(), lock_hash()),
            executor=executor,
            registry=self.target_registry,
            promote=promote,
            progress=progress,
        )

    def has_target_news(self, champion: ModelVersion, horizon: int, output: str = "output") -> bool:
        """Whether training targets now would see other data, or run other code, than this version."""
        from training.provenance import code_fingerprint

        return self.target_material(None, output).fingerprint(code_fingerprint(), horizon) != champion.tags.get("data")

    def targets(self, as_of: dt.datetime | None = None) -> tuple[TargetBundle, ModelVersion]:
        """The version of the targets that answers (as of that moment). Raises NoModelError where none does."""
        from models.targeting.bundle import TargetBundle

        if as_of is None:
            version = self.target_registry.current()
            if version is None:
                raise NoModelError("No targets have been trained yet.", f"Run `{Task.TARGETING.training}`.")
        else:
            version = version_as_of(self.target_registry.history(), as_of, Task.TARGETING.training)
        return TargetBundle.read(self.target_registry.load(version.version)), version

    def nowcast(
        self,
        target: str,
        *,
        as_of: dt.datetime | None = None,
        since: dt.datetime | None = None,
        period: str | None = None,
        levels: Sequence[float] = (80, 95),
    ) -> Nowcast:
        """One target's number, its evolution, and the news `since` (28 days before, without one).

        Raises:
            NoModelError: no version answers (as of that moment).
            UnknownIdError: it is no target of the version.
            InputError: the target has stopped, or the moments make no sense.
        """
        from models.nowcast.answer import NEWS_DAYS, answer, ask

        moment = self._passed(as_of)
        before = since or moment - dt.timedelta(days=NEWS_DAYS)
        now = self._nowcast_version(as_of)
        try:
            then = self._nowcast_version(before)
        except NoModelError:
            then = None
        return answer(ask(self._known, target, now, then, moment, before, period=period, levels=levels))

    def nowcasts(
        self, as_of: dt.datetime | None = None
    ) -> tuple[list[tuple[FittedNowcast, NowcastPeriod]], list[Failed]]:
        """Each target with its number for the running period; and those that have none, with the reason."""
        from models.nowcast.answer import running, series_of

        moment = self._passed(as_of)
        bundle, _ = self._nowcast_version(as_of)
        found, failed = [], list(bundle.failures())
        for fitted in bundle.targets.values():
            try:
                found.append((fitted, running(fitted, self._known(moment, series_of(fitted)), (0.1, 0.5, 0.9))))
            except InputError as error:
                failed.append(Failed(fitted.target, str(error)))
        return found, failed

    def _nowcast_version(self, as_of: dt.datetime | None) -> tuple[NowcastBundle, NowcastModelName]:
        from models.nowcast.bundle import NowcastBundle

        if as_of is None:
            version = self.nowcast_registry.current()
            if version is None:
                raise NoModelError("No nowcast has been trained yet.", "Run `brain train forecasting --task nowcast`.")
        else:
            version = version_as_of(self.nowcast_registry.history(), as_of, "brain train forecasting --task nowcast")
        bundle = NowcastBundle.read(self.nowcast_registry.load(version.version))
        return bundle, NowcastModelName(version.name, version.version, version.vintage)

    def _known(self, as_of: dt.datetime, series: Sequence[str]) -> Known:
        from models.nowcast.answer import known_at

        return known_at(self.observations.read_panels, as_of, series, tuple(self.catalogue.series(series)))

    def _passed(self, as_of: dt.datetime | None) -> dt.datetime:
        """This moment, or now. Raises InputError for one that has not come."""
        now = self.clock()
        if as_of is not None and as_of > now:
            raise InputError(
                f"Nothing is known yet as of {as_of:%Y-%m-%d %H:%M}Z.", "Give a moment that has passed, or none."
            )
        return as_of or now

    def backtest(
        self,
        executor: Executor,
        origins: Sequence[dt.datetime],
        *,
        series: Sequence[str] | None = None,
        by_series: bool = False,
        progress: Progress = no_progress,
    ) -> VintageBacktest:
        """The track record that today's code would have had at these moments, on what was known then.

        Args:
            series: these alone, or all. What adds up is found among them.
            by_series: whether to keep the figures of each.
        """
        from industrial_brain.storage.listing import all_regions
        from training.vintages import backtest_vintages

        return backtest_vintages(
            origins,
            lambda moment: self.panels(moment, series),
            self.catalogue.series(series),
            now=self.clock(),
            executor=executor,
            parents={region.code: region.parent for region in all_regions(self.catalogue).values()},
            by_series=by_series,
            progress=progress,
        )

    def has_news(self, champion: ModelVersion, *, seed: int = 0) -> bool:
        """Whether training now, on the same seed, would see other data, or run other code, than this version."""
        from training.pipeline import data_fingerprint
        from training.plan import plan_training, simulated_ids
        from training.provenance import code_fingerprint

        panels, simulated = self.panels(self.clock()), simulated_ids(self.catalogue.series())
        plan = plan_training(panels, seed=seed, code=code_fingerprint(), simulated=simulated)
        return data_fingerprint(plan) != champion.tags.get("data")

    def judge(self, version: int, task: Task = Task.SERIES) -> Verdict:
        """What the gate says of a version beside today's champion."""
        if task is Task.ANOMALY:
            from models.anomaly.equipment.bundle import AnomalyBundle
            from training.anomaly_gate import judge_anomalies
            from training.anomaly_pipeline import readable_anomalies

            registry = self.anomaly_registry
            detectors = AnomalyBundle.read(registry.load(version))
            return judge_anomalies(detectors, readable_anomalies(registry, registry.current()))
        if task in _RISKS:
            from models.risk.bundle import RiskBundle
            from training.risk.gate import judge_risk
            from training.risk.pipeline import readable_risk

            registry = self.versions_of(task)
            return judge_risk(RiskBundle.read(registry.load(version)), readable_risk(registry, registry.current()))
        if task is Task.NOWCAST:
            from models.nowcast.bundle import NowcastBundle
            from training.nowcast_gate import judge_nowcasts
            from training.nowcast_pipeline import readable_nowcasts

            challenger = NowcastBundle.read(self.nowcast_registry.load(version))
            champion = readable_nowcasts(self.nowcast_registry, self.nowcast_registry.current())
            return judge_nowcasts(challenger, champion)
        if task is Task.TARGETING:
            from models.targeting.bundle import TargetBundle
            from training.targeting.gate import judge_targets
            from training.targeting.pipeline import readable_targets

            asked = TargetBundle.read(self.target_registry.load(version))
            return judge_targets(asked, readable_targets(self.target_registry, self.target_registry.current()))
        from training.gates import judge
        from training.pipeline import readable_bundle

        return judge(self._read(version), readable_bundle(self.registry, self.registry.current()))

    def version_for(self, as_of: dt.datetime | None) -> ModelVersion:
        """The champion; or the newest version that may answer whose vintage is not after `as_of`.

        Raises:
            NoModelError: there is none.
        """
        if as_of is None:
            champion = self.registry.current()
            if champion is None:
                raise NoModelError("Nothing has been trained yet.", "Run `brain train forecasting`.")
            return champion
        return version_as_of(self.registry.history(), as_of)

    def bundle(self, version: ModelVersion) -> ForecastBundle:
        """A version's bundle, as it was trained."""
        return self._read(version.version)

    def why(self, series: str, horizon: int | None, as_of: dt.datetime | None) -> tuple[Explanation, ModelVersion]:
        """Why a series' forecast is what it is, by the version that answers.

        Raises:
            UnknownIdError: there is no such series.
            NoModelError, HorizonError: as for a forecast.
            StateError: the version can't forecast this series.
        """
        from industrial_brain.storage.listing import peers_of
        from models.forecasting.explanation import revised_since, with_revisions

        info = self.catalogue.series([series]).get(series)
        if info is None:
            raise UnknownIdError(f"There is no series '{series}'.", "Find ids with `brain indicators SEARCH`.")
        version = self.version_for(as_of)
        known = as_of or self.clock()
        found = self.updated_bundle(version, as_of).explain(
            series, horizon, peers_of(self.catalogue, info), self.overrides.in_force(known)
        )
        if isinstance(found, Failed):
            raise StateError(found.reason, "Ask for another series, or train a new version.")
        return with_revisions(
            found, self.observations.read_vintages(series, known, since=revised_since(found))
        ), version

    def updated_bundle(self, version: ModelVersion, as_of: dt.datetime | None) -> ForecastBundle:
        """A version's bundle whose states have seen all that was known at `as_of` (now, without one), and nothing later."""
        bundle = self._read(version.version)
        moment = max(as_of or self.clock(), bundle.vintage)
        return bundle.updated(self.observations.read_panels(moment), moment)

    @cached_property
    def _unchecked_engine(self) -> Engine:
        from industrial_brain.storage.database import open_database

        return open_database(self.settings.database)

    def _read(self, version: int) -> ForecastBundle:
        from models.forecasting.bundle import ForecastBundle

        return ForecastBundle.read(self.registry.load(version))


def labels_of(episodes: Sequence[Episode]) -> Labels:
    """What operators said of episodes, as training reads it. Those of a whole site say nothing of its machines."""
    spans: dict[Label, list[Span]] = {label: [] for label in Label}
    for one in episodes:
        if one.label is not None and one.device != WHOLE_SITE:
            spans[one.label].append(Span(machine_name(one.site, one.device), one.start, one.end))
    return Labels(tuple(spans[Label.TRUE]), tuple(spans[Label.MAINTENANCE]), tuple(spans[Label.FALSE]))


def shipped_profiles() -> Sequence[Path]:
    """Folders of the real data that the product ships, as city profiles."""
    return [Path(str(files("industrial_brain") / "data" / "us_employment"))]
