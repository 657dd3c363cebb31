from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.errors import NothingToTrainError, UnavailableError
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Panel
from models.forecasting.bundle import ForecastBundle
from tests.fakes.checkpoints import FakeCheckpoints
from tests.fakes.registry import FakeRegistry
from tests.panels import awkward_panel, seasonal_panel, walk_panel
from training.executors import Executor, InProcess
from training.fit import FittedPartition
from training.pipeline import Provenance, TrainingReport, train_forecasting
from training.plan import Partition

NOW = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
PROVENANCE = Provenance(seed=0, code="code", git_sha="abc", lock_hash="def")


class Dies:
    """An executor that is lost after some partitions."""

    def __init__(self, after: int) -> None:
        self.after = after

    def run(self, partitions: Iterable[Partition]) -> Iterator[tuple[Partition, FittedPartition]]:
        for done, fitted in enumerate(InProcess().run(partitions)):
            if done == self.after:
                raise UnavailableError("The cluster is lost.")
            yield fitted


class Desk:
    """A registry, checkpoints, and a call that trains with them."""

    def __init__(self, root: Path) -> None:
        self.registry = FakeRegistry(root, lambda: NOW)
        self.checkpoints = FakeCheckpoints()

    def train(
        self,
        *panels: Panel,
        vintage: dt.datetime = NOW,
        executor: Executor | None = None,
        promote: bool = True,
    ) -> TrainingReport:
        infos = {n: SeriesInfo(id=n, frequency=p.freq, unit="t", name=n, simulated=True) for p in panels for n in p.ids}
        return train_forecasting(
            panels=panels,
            infos=infos,
            vintage=vintage,
            provenance=PROVENANCE,
            executor=executor or InProcess(),
            checkpoints=self.checkpoints,
            registry=self.registry,
            promote=promote,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_first_run_becomes_champion_and_says_what_became_of_each_series(desk: Desk) -> None:
    report = desk.train(awkward_panel())
    assert report.version.aliases == ("champion",)
    assert [o.series for o in report.outcomes] == list(awkward_panel().ids)
    assert report.version.tags["failed"] == "3"  # two without a value, one too large
    assert report.version.tags["simulated"] == str(len(awkward_panel()))
    assert report.version.tags["lock_hash"] == "def"


def test_a_bundle_reads_back_what_was_trained(desk: Desk) -> None:
    panel = seasonal_panel(months=96)
    report = desk.train(panel)
    bundle = ForecastBundle.read(desk.registry.load(report.version.version))
    assert bundle.vintage == NOW
    assert bundle.series == panel.ids
    np.testing.assert_array_equal(bundle.panels[panel.freq].panel.values, panel.values)


def test_a_killed_run_goes_on_where_it_stopped_and_ends_as_if_nothing_had_happened(desk: Desk, tmp_path: Path) -> None:
    panel = walk_panel(n=1100, months=40)
    with pytest.raises(UnavailableError):
        desk.train(panel, executor=Dies(after=2))
    assert desk.registry.current() is None
    resumed = desk.train(panel)
    assert (resumed.partitions, resumed.resumed) == (3, 2)
    whole = Desk(tmp_path / "other").train(panel)
    assert resumed.metrics == whole.metrics
    assert desk.checkpoints.kept == {}


def test_a_failed_run_changes_nothing(desk: Desk) -> None:
    champion = desk.train(seasonal_panel(months=96)).version
    with pytest.raises(UnavailableError):
        desk.train(seasonal_panel(seed=1), vintage=NOW + dt.timedelta(days=1), executor=Dies(after=0))
    assert desk.registry.current() == champion
    assert len(desk.registry.history()) == 1


def test_a_new_version_goes_on_from_the_widths_that_the_champion_has_got_to(desk: Desk) -> None:
    later = walk_panel(n=40, months=80)
    first = desk.train(later.without_last(6)).version
    second = desk.train(later, vintage=NOW + dt.timedelta(days=180)).version
    states = [
        ForecastBundle.read(desk.registry.load(version.version)).panels[later.freq].adaptation
        for version in (first, second)
    ]
    assert not states[0].seen.any()
    np.testing.assert_array_equal(states[1].seen[1], [6, 5, 4, 3, 2, 1] + [0] * 6)  # simulated
    assert (states[1].log_width[1, :3] != 0.0).all()
    np.testing.assert_array_equal(states[1].log_width[0], 0.0)


def test_a_refused_version_is_kept_but_does_not_replace_the_champion(desk: Desk) -> None:
    champion = desk.train(seasonal_panel(n=20)).version
    report = desk.train(seasonal_panel(n=2), vintage=NOW + dt.timedelta(days=1))
    assert not report.verdict.passed
    assert report.version.status == "refused"
    now = desk.registry.current()
    assert now is not None
    assert now.version == champion.version


def test_a_newer_vintage_is_promoted_and_the_old_champion_remembered(desk: Desk) -> None:
    first = desk.train(seasonal_panel(months=96).without_last(1)).version
    second = desk.train(seasonal_panel(months=96), vintage=NOW + dt.timedelta(days=31)).version
    assert second.aliases == ("champion",)
    previous = desk.registry.current("previous")
    assert previous is not None
    assert previous.version == first.version


def test_a_version_can_wait_as_challenger(desk: Desk) -> None:
    desk.train(seasonal_panel(months=96))
    report = desk.train(seasonal_panel(months=96), vintage=NOW + dt.timedelta(days=1), promote=False)
    assert report.version.aliases == ("challenger",)


def test_a_vintage_of_the_past_is_kept_for_questions_and_moves_no_alias(desk: Desk) -> None:
    champion = desk.train(seasonal_panel(months=96)).version
    report = desk.train(seasonal_panel(months=96).without_last(12), vintage=NOW - dt.timedelta(days=365))
    assert report.version.aliases == ()
    assert report.version.status == "historical"
    assert desk.registry.current() == champion


def test_metrics_are_given_by_tier_frequency_and_sector(desk: Desk) -> None:
    report = desk.train(seasonal_panel(months=96))
    assert {"mase", "smape", "coverage80", "coverage95", "naive_mase", "series"} <= set(report.metrics)
    assert report.metrics["mase.frequency.M"] == report.metrics["mase"]
    assert 0.0 < report.metrics["mase"] < report.metrics["naive_mase"] * 2


def test_an_empty_store_is_nothing_to_train(desk: Desk) -> None:
    with pytest.raises(NothingToTrainError, match="brain import indicators"):
        desk.train()
