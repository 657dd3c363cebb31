"""The training run of nowcasts, from a store's vintages to a champion."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.calendar import Calendar
from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.forecasts import Failed, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.nowcasts import NowcastTarget
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.nowcast.bundle import NowcastBundle
from models.nowcast.fitted import FittedNowcast, Record
from tests.fakes.economy import START, TARGET, Economy, economy
from tests.fakes.registry import FakeRegistry
from training.executors import InProcess
from training.nowcast_gate import judge_nowcasts, ratio
from training.nowcast_pipeline import NowcastReport, gather, gather_today, nowcast_fingerprint, train_nowcasts
from training.nowcasting import fit_one, no_record, spread
from training.pipeline import Provenance

NOW = dt.datetime(2026, 1, 10, tzinfo=dt.UTC)
_NO_DAYS = np.empty(0, dtype=np.int64)
PLAIN = Calendar("US", holidays=_NO_DAYS, workdays=_NO_DAYS, festivals=_NO_DAYS)


class Desk:
    """A store that knows each value 40 days after its period's end, and a registry."""

    def __init__(self, folder: Path, town: Economy) -> None:
        self.town = town
        self.registry = FakeRegistry(folder, lambda: NOW, "ib-forecasting-nowcast")
        self.asked: list[dt.datetime] = []
        self.infos = {
            name: SeriesInfo(name, Frequency.QUARTERLY if name == TARGET else Frequency.MONTHLY, "{CNY}", name)
            for name in (TARGET, *town.ids)
        }

    def read(self, as_of: dt.datetime, series: Sequence[str]) -> list[Panel]:
        self.asked.append(as_of)
        found = []
        for panel in self.town.panels():
            rows = [row for row, name in enumerate(panel.ids) if name in series]
            last = panel.freq.ordinal(as_of - dt.timedelta(days=40)) - 1  # the newest period that had ended then
            kept = panel.take(rows)
            late = int(np.clip(kept.last.max() - last, 0, kept.lengths.max())) if rows else 0
            if rows and late < kept.lengths.max():
                found.append(kept.without_last(late))
        return found

    def train(self, *targets: NowcastTarget, vintage: dt.datetime = NOW, promote: bool = True) -> NowcastReport:
        return train_nowcasts(
            targets=targets or (self.town.target,),
            read=self.read,
            infos=self.infos,
            calendar=PLAIN,
            vintage=vintage,
            provenance=Provenance(0, "code", "sha", "lock"),
            executor=InProcess(),
            registry=self.registry,
            promote=promote,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, economy())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, NowcastReport]:
    """A desk with a first version, and one target that is not there."""
    desk = Desk(tmp_path_factory.mktemp("registry"), economy())
    return desk, desk.train(desk.town.target, NowcastTarget("nowhere:1", (TARGET,)))


def test_a_first_version_beats_the_naive_and_becomes_champion(trained: tuple[Desk, NowcastReport]) -> None:
    desk, report = trained
    assert report.version.aliases == ("champion",) and report.verdict.passed
    assert report.metrics["rmse_ratio"] < 0.8 and 0.5 < report.metrics["coverage80"] <= 1.0
    read = NowcastBundle.read(desk.registry.load(1))
    np.testing.assert_array_equal(read.targets[TARGET].record.mean, report.bundle.targets[TARGET].record.mean)


def test_the_replay_sees_the_stores_vintages(trained: tuple[Desk, NowcastReport]) -> None:
    desk, report = trained
    record = report.bundle.targets[TARGET].record
    assert (record.real == 1.0).all() and len(record.month) > 20
    assert len(desk.asked) == 49 and all(moment <= NOW for moment in desk.asked)


def test_where_the_store_knows_no_past_the_version_says_so(desk: Desk) -> None:
    everything = desk.read

    def only_today(as_of: dt.datetime, series: Sequence[str]) -> list[Panel]:
        return everything(as_of, series) if as_of == NOW else []

    desk.read = only_today  # type: ignore[method-assign]
    fitted = desk.train().bundle.targets[TARGET]
    assert (fitted.record.real == 0.0).all() and len(fitted.record.month) > 10
    assert any("knows no vintage" in note for note in fitted.notes)


def test_a_target_that_fails_is_named_and_the_others_are_fitted(trained: tuple[Desk, NowcastReport]) -> None:
    desk, report = trained
    notes = report.bundle.targets[TARGET].notes
    assert report.outcomes == (
        Trained(TARGET, "dynamic factor model", None, notes),
        Failed("nowhere:1", "There is no series 'nowhere:1'."),
    )
    with (desk.registry.load(1).parent / "outcomes.csv").open() as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["trained", "failed"]


def test_unknown_indicators_and_values_of_the_future_are_left_out_and_said(desk: Desk) -> None:
    target = replace(desk.town.target, indicators=(*desk.town.ids, "nothing:1"))
    pieces, _ = gather(
        [target], lambda _as_of, _series: desk.town.panels(), desk.infos, PLAIN, dt.datetime(2025, 6, 30, tzinfo=dt.UTC)
    )
    assert "nothing:1 is left out: there is no such series." in pieces[0].notes
    assert "i0:1 has values of the future: they are left out." in pieces[0].notes
    assert np.isnan(pieces[0].table.over(START + 90, START + 96).values).all()


def test_without_a_declaration_or_a_fit_there_is_nothing_to_train(desk: Desk) -> None:
    with pytest.raises(NothingToTrainError, match="declared"):
        train_nowcasts(
            targets=(), read=desk.read, infos=desk.infos, calendar=PLAIN, vintage=NOW, provenance=Provenance(0, "", "", ""),
            executor=InProcess(), registry=desk.registry,
        )  # fmt: skip
    with pytest.raises(NothingToTrainError, match="There is no series"):
        desk.train(NowcastTarget("nowhere:1", (TARGET,)))
    assert desk.registry.history() == []


def test_equal_data_and_declarations_have_equal_fingerprints(desk: Desk) -> None:
    target = desk.town.target
    pieces, _ = gather([target], desk.read, desk.infos, PLAIN, NOW)
    today = gather_today([target], desk.read, desk.infos, PLAIN, NOW)
    assert nowcast_fingerprint(pieces, "x") == nowcast_fingerprint(today, "x")
    other = gather_today([replace(target, most_related=2)], desk.read, desk.infos, PLAIN, NOW)
    assert nowcast_fingerprint(other, "x") != nowcast_fingerprint(today, "x") != nowcast_fingerprint(today, "y")


def test_an_older_vintage_is_kept_for_questions_about_the_past(desk: Desk, trained: tuple[Desk, NowcastReport]) -> None:
    earlier, report = trained
    desk.registry.promote(
        desk.registry.save(earlier.registry.load(1), vintage=NOW, metrics={}, tags={}, artifacts={}).version
    )
    report = desk.train(vintage=dt.datetime(2025, 9, 1, tzinfo=dt.UTC))
    assert report.version.status == "historical" and report.version.aliases == ()


@pytest.fixture(scope="module")
def fitted() -> FittedNowcast:
    town = economy()
    return fit_one(town.target, Frequency.QUARTERLY, "1", {}, town.table(months=91, quarters=30), START + 91, 3)


def _record(error: float, naive: float, n: int = 20) -> Record:
    rows = np.arange(n, dtype=np.float64)
    signs = np.where(rows % 2 == 0, 1.0, -1.0)
    one = np.ones(n)
    return Record(rows, rows, one, 0 * one, error * signs, one, naive * signs, 2 * naive * signs, one)


def _bundle(fitted: FittedNowcast, error: float, naive: float = 1.0, *failed: Failed) -> NowcastBundle:
    return NowcastBundle(NOW, {TARGET: replace(fitted, record=_record(error, naive))}, failed)


def test_the_gate_refuses_what_the_better_naive_method_beats(fitted: FittedNowcast) -> None:
    assert judge_nowcasts(_bundle(fitted, 0.9), None).passed
    assert "1.10 of the better naive" in judge_nowcasts(_bundle(fitted, 1.1), None).reason
    assert ratio(_bundle(fitted, 0.5).targets[TARGET]) == pytest.approx(0.5)


def test_the_gate_refuses_what_is_much_worse_than_the_champion(fitted: FittedNowcast) -> None:
    champion = _bundle(fitted, 0.5)
    assert judge_nowcasts(_bundle(fitted, 0.52), champion).passed
    assert "1.20 of the champion's" in judge_nowcasts(_bundle(fitted, 0.6), champion).reason


def test_the_gate_refuses_a_lost_target_and_an_older_vintage(fitted: FittedNowcast) -> None:
    champion = _bundle(fitted, 0.5)
    lost = NowcastBundle(NOW, {"other": replace(fitted, record=no_record())}, (Failed(TARGET, "gone"),))
    assert TARGET in judge_nowcasts(lost, champion).reason
    older = replace(_bundle(fitted, 0.5), vintage=NOW - dt.timedelta(days=1))
    assert "older" in judge_nowcasts(older, champion).reason


def test_few_replayed_nowcasts_decide_nothing(fitted: FittedNowcast) -> None:
    few = NowcastBundle(NOW, {TARGET: replace(fitted, record=_record(3.0, 1.0, n=5))})
    assert judge_nowcasts(few, None).passed


def test_intervals_are_stretched_by_the_replays_errors() -> None:
    found = spread(_record(3.0, 1.0, n=200))
    assert found[0] == pytest.approx(3.0, rel=0.1) and found[1] == found[2] == 1.0
