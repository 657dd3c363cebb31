"""A small city for the HTTP door: fakes behind every port, a key for each role, clocks that stand still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from industrial_brain.domain.access import Role
from industrial_brain.domain.anomalies import Episode, EpisodeChange
from industrial_brain.domain.city import Cluster, ClusterClass, Region, Sector, Tier
from industrial_brain.domain.forecasts import Failed, ModelVersion
from industrial_brain.domain.indicators import Aggregation, Indicator, SeriesInfo, Source
from industrial_brain.domain.observations import ObservationBatch
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Progress
from industrial_brain.domain.risks import RiskTask
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.storage.checkpoints import FolderCheckpoints
from industrial_brain.storage.files.periods import read_periods
from industrial_brain.storage.moments import to_microseconds
from models.nowcast.bundle import NowcastBundle
from models.nowcast.fitted import FittedNowcast
from serving.deps import Services
from serving.jobs.runner import JobRunner
from serving.jobs.work import Tools
from serving.live import ForecastModel, LiveModels
from streaming.replaying import Replayed
from streaming.runtime import Sizes, Stores, Telemetry
from tests.fakes.anomalies import FakeEpisodeStore, an_episode
from tests.fakes.declarations import FakeDeclarationStore
from tests.fakes.economy import TARGET, economy
from tests.fakes.forecast_model import ConstantModel, write_constants
from tests.fakes.inbox import FakeInbox
from tests.fakes.jobs import FakeJobStore, InlineLaunch
from tests.fakes.lake import FakeLake, FakeSnapshots
from tests.fakes.overrides import FakeOverrideStore
from tests.fakes.registry import FakeRegistry
from tests.fakes.risks import small_risk
from tests.fakes.stores import FakeCatalogue, FakeKeyStore, FakeObservationStore
from tests.fakes.targeting import FakeChainStore, FakeLeadStore, small_targets
from tests.fakes.worker import InlineWorker
from training.executors import InProcess
from training.nowcasting import fit_one
from training.vintages import VintageBacktest, backtest_vintages

#: the sites that each role's key speaks for
SITES: Mapping[Role, tuple[str, ...]] = {**dict.fromkeys(Role, ()), Role.FACTORY: ("plant",)}
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SOURCE = Source("the town", "CC0-1.0", simulated=True)


@cache
def _fitted() -> FittedNowcast:
    town = economy()
    table = town.table(months=96, quarters=31)
    fitted = fit_one(town.target, Frequency.QUARTERLY, "1", {}, table, table.end - 1, 4)
    return replace(fitted, simulated=True)


class SmallCity:
    """The ports that `Services` needs, filled, and hands to change what they say.

    Attributes:
        secrets: an API key's secret a role; `keys` knows them.
        seconds: what the monotonic clock shows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now = NOW
        self.seconds = 0.0
        self.catalogue = FakeCatalogue()
        self.observations = FakeObservationStore(self.catalogue)
        self.overrides = FakeOverrideStore(self.catalogue, self.observations)
        self.episodes = FakeEpisodeStore()
        self.keys = FakeKeyStore(lambda: self.now)
        self.registry = FakeRegistry(folder / "registry", lambda: self.now)
        self.nowcast_registry = FakeRegistry(folder / "nowcasts", lambda: self.now, "ib-forecasting-nowcast")
        self.target_registry = FakeRegistry(folder / "targets", lambda: self.now, "ib-targeting")
        self.risk_registries = {
            task: FakeRegistry(folder / f"risk-{task}", lambda: self.now, f"ib-risk-{task}") for task in RiskTask
        }
        self.chain = FakeChainStore(self.catalogue)
        self.leads = FakeLeadStore(self.catalogue, lambda: self.now)
        self.secrets = {role: self.keys.create(role, role, SITES[role])[1] for role in Role}
        self.jobs = FakeJobStore()
        self.launch = InlineLaunch(self._tools)
        self.declarations = FakeDeclarationStore()
        self.inbox = FakeInbox()
        stores = Stores(self.inbox, FakeLake(), FakeSnapshots())
        self.telemetry = Telemetry(
            stores, lambda: to_microseconds(self.now), sizes=Sizes(most_channels=10_000, drain_seconds=3600)
        )
        self._fill()

    @property
    def folder(self) -> Path:
        return self._folder

    def runner(self) -> JobRunner:
        """What runs the jobs of `services`, step by step."""
        return JobRunner(
            self.jobs,
            self._folder / "jobs",
            self.launch,
            lambda: self.now,
            kept=dt.timedelta(days=7),
            poll_seconds=3600.0,
        )

    def _tools(self) -> Tools:
        """What a job works with: these fakes, and the real arithmetic."""

        def version_for(as_of: dt.datetime | None) -> tuple[ModelVersion, ForecastModel]:
            live = LiveModels(
                self.registry, ConstantModel.read, self.observations, lambda: self.now, poll_seconds=3600.0
            )
            live.poll()
            loaded = live.current() if as_of is None else live.as_of(as_of)
            return loaded.version, loaded.model

        def backtest(
            origins: Sequence[dt.datetime], series: Sequence[str] | None, by_series: bool, progress: Progress
        ) -> VintageBacktest:
            return backtest_vintages(
                origins,
                lambda moment: self.observations.read_panels(moment, series),
                self.catalogue.series(series),
                now=self.now,
                executor=InProcess(),
                by_series=by_series,
                progress=progress,
            )

        return Tools(
            catalogue=self.catalogue,
            version_for=version_for,
            overrides=lambda as_of: self.overrides.in_force(as_of or self.now),
            backtest=backtest,
            read_periods=read_periods,
            checkpoints=lambda folder: FolderCheckpoints(folder, lambda: self.now),
            clock=lambda: self.now,
        )

    def services(self, **limits: float) -> Services:
        """The services over these ports; `limits` are those of `Services`. The registry is polled hourly: call `poll`."""
        chosen: dict[str, float] = {"poll_seconds": 3600.0, **limits}
        return Services(
            catalogue=self.catalogue,
            observations=self.observations,
            overrides=self.overrides,
            keys=self.keys,
            registry=self.registry,
            nowcast_registry=self.nowcast_registry,
            target_registry=self.target_registry,
            risk_registries=self.risk_registries,
            chain=self.chain,
            leads=self.leads,
            load_bundle=ConstantModel.read,
            read_periods=read_periods,
            worker=InlineWorker(),
            nowcast_worker=InlineWorker(),
            clock=lambda: self.now,
            jobs=self.jobs,
            jobs_folder=self._folder / "jobs",
            launch_job=self.launch,
            episodes=self.episodes,
            replay=lambda name, sites, _: Replayed(self.episodes.get(name, sites).id, 0, 1, 2, ()),
            telemetry=self.telemetry,
            declarations=self.declarations,
            refuse_unknown_devices=bool(chosen.get("refuse_unknown_devices", False)),
            max_job_body_bytes=int(chosen.get("max_job_body_bytes", 100_000)),
            max_telemetry_body_bytes=int(chosen.get("max_telemetry_body_bytes", 1_000_000)),
            max_telemetry_held_bytes=int(chosen.get("max_telemetry_held_bytes", 8_000_000)),
            monotonic=lambda: self.seconds,
            poll_seconds=chosen["poll_seconds"],
            max_body_bytes=int(chosen.get("max_body_bytes", 10_000)),
            max_series_per_request=int(chosen.get("max_series_per_request", 3)),
            stream_seconds=chosen.get("stream_seconds", 0.0),
            stall_seconds=chosen.get("stall_seconds", 20.0),
        )

    def find_anomaly(self, name: str, site: str, **facts: Any) -> Episode:
        """An episode of a pump at this site."""
        made = replace(an_episode(site), id=name, **facts)
        self.episodes.keep("main", self.episodes.taken("main") + 1, [EpisodeChange(made, ())])
        return made

    def release_nowcast(self) -> None:
        """A champion that nowcasts `gdp:1`, and the values that it looks at, known 40 days after each period's end."""
        town = economy()
        names = [TARGET, *town.ids]
        self.catalogue.put_series(
            SeriesInfo(name, Frequency.QUARTERLY if name == TARGET else Frequency.MONTHLY, "1", name, simulated=True)
            for name in names
        )
        for panel in town.panels():
            periods = np.concatenate([np.arange(a, b + 1) for a, b in zip(panel.start, panel.last, strict=True)])
            known = panel.freq.starts(periods + 1) + np.timedelta64(40, "D")
            self.observations.append(
                ObservationBatch(
                    np.repeat(np.array(panel.ids, dtype=object), panel.lengths),
                    periods,
                    panel.values,
                    known.astype("datetime64[us]"),
                ),
                SOURCE,
            )
        moment = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
        bundle = NowcastBundle(moment, {TARGET: _fitted()}, (Failed("gdp:2", "It has 3 values."),))
        folder = self._folder / f"nowcast-{len(self.nowcast_registry.history())}"
        bundle.write(folder)
        saved = self.nowcast_registry.save(
            folder, vintage=moment, metrics={"targets": 1.0}, tags={}, artifacts={}, status="candidate"
        )
        self.nowcast_registry.promote(saved.version)

    def release_targets(self) -> None:
        """A champion that ranks `500103` and other made-up districts in `C01`, `C04` and other made-up clusters."""
        bundle = small_targets(dt.datetime(2026, 2, 1, tzinfo=dt.UTC))
        folder = self._folder / f"targets-{len(self.target_registry.history())}"
        bundle.write(folder)
        saved = self.target_registry.save(
            folder, vintage=bundle.vintage, metrics={"precision": 0.4}, tags={}, artifacts={}, status="candidate"
        )
        self.target_registry.promote(saved.version)
        self.chain.put_links([ChainLink("C01", "C04", 2.0, "made up", simulated=True)])

    def release_risks(self) -> None:
        """A champion of the task `gas` that learnt from made-up cases with `age`, `load`, `noise` and `kind`."""
        bundle, registry = small_risk(dt.datetime(2026, 2, 1, tzinfo=dt.UTC)), self.risk_registries[RiskTask.GAS]
        folder = self._folder / f"risk-{len(registry.history())}"
        bundle.write(folder)
        saved = registry.save(
            folder, vintage=bundle.vintage, metrics={"roc_auc": 0.8}, tags={}, artifacts={}, status="candidate"
        )
        registry.promote(saved.version)

    def version(self, vintage: str, constants: Mapping[str, float], status: str = "historical") -> ModelVersion:
        """A version in the registry that has seen data up to midnight of this day."""
        moment = dt.datetime.fromisoformat(vintage).replace(tzinfo=dt.UTC)
        bundle = write_constants(self._folder / f"bundle-{len(self.registry.history())}", moment, constants)
        return self.registry.save(
            bundle, vintage=moment, metrics={"mase": 0.9}, tags={"seed": "7"}, artifacts={}, status=status
        )

    def release(self, vintage: str, constants: Mapping[str, float]) -> ModelVersion:
        """As `version`, and champion at once."""
        saved = self.version(vintage, constants)
        self.registry.promote(saved.version)
        return saved

    def _fill(self) -> None:
        self.catalogue.put_regions(
            [
                Region("500000", "重庆市", "Chongqing", Tier.MUNICIPALITY, longitude=106.55, latitude=29.56),
                Region("500103", "渝中区", "Yuzhong", Tier.DISTRICT, parent="500000"),
                Region("500103001", "七星岗街道", "Qixinggang", Tier.TOWN, parent="500103", simulated=True),
            ]
        )
        self.catalogue.put_clusters(
            [
                Cluster("C01", "智能网联新能源汽车", "Intelligent vehicles", ClusterClass.LEADING),
                Cluster("C04", "智能装备", "Intelligent equipment", ClusterClass.PILLAR),
            ]
        )
        self.catalogue.put_indicators(
            [
                Indicator("output", "工业产值", "Industrial output", "{CNY}", Frequency.MONTHLY, Sector.ECONOMY),
                Indicator("jobs", "就业", "Employment", "{person}", Frequency.YEARLY, Sector.SOCIETY),
            ]
        )
        self.catalogue.put_series(
            [
                _series("output:500000", "output", "500000", Tier.MUNICIPALITY),
                _series("output:500103", "output", "500103", Tier.DISTRICT),
                _series("output:500103:C01", "output", "500103", Tier.DISTRICT, cluster="C01"),
                SeriesInfo("us/retail", Frequency.MONTHLY, "{USD}", "Retail sales"),
            ]
        )
        periods = np.arange(670, 674)  # 2025-11 to 2026-02
        self.observations.append(
            ObservationBatch(
                series=np.array(["output:500103"] * 5, dtype=object),
                periods=np.append(periods, 673),
                values=np.array([40.0, 41.0, 42.0, 43.0, 44.5]),
                known_at=np.array(
                    ["2026-02-01", "2026-02-01", "2026-02-01", "2026-02-20", "2026-02-27"], "datetime64[us]"
                ),
            ),
            Source("simulator", "Apache-2.0", simulated=True),
        )


def _series(name: str, indicator: str, region: str, tier: Tier, cluster: str | None = None) -> SeriesInfo:
    return SeriesInfo(
        id=name,
        frequency=Frequency.MONTHLY,
        unit="{CNY}",
        name=f"Industrial output of {region}",
        indicator=indicator,
        region=region,
        tier=tier,
        cluster=cluster,
        sector=Sector.ECONOMY,
        aggregation=Aggregation.SUM,
        simulated=True,
    )
