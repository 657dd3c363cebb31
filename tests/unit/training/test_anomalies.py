"""Training of equipment's detectors: gathered, fitted, judged, registered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest

from industrial_brain.domain.equipment import Labels, Span
from industrial_brain.domain.errors import BundleError, InputError, NothingToTrainError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND
from models.anomaly.equipment.bundle import AnomalyBundle
from models.anomaly.equipment.frames import FrameScorer
from models.anomaly.equipment.grid import LONGEST_GAP, runs_of, slot_of, step_of
from tests.fakes.equipment import MINUTE, FakeEquipment
from tests.fakes.registry import FakeRegistry
from tests.machines import normal_run
from training.anomaly_gate import judge_anomalies, shortcomings
from training.anomaly_pipeline import AnomalyReport, anomaly_fingerprint, gather, train_anomalies
from training.executors import InProcess
from training.pipeline import Provenance

A = TypeVar("A")
B = TypeVar("B")

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
END = int(NOW.timestamp()) * MICROS_PER_SECOND
NO_SPANS = np.empty((0, 2), np.int64)


class Backwards:
    """A mapper that finishes the last piece first."""

    def each(self, function: Callable[[A], B], pieces: Iterable[A]) -> Iterator[tuple[A, B]]:
        for piece in reversed(list(pieces)):
            yield piece, function(piece)


def pumps(count: int = 2, rows: int = 700) -> FakeEquipment:
    store = FakeEquipment()
    for number in range(count):
        store.add(f"pump-{number}", normal_run(rows, seed=number), END)
    return store


def registry(root: Path) -> FakeRegistry:
    return FakeRegistry(root, lambda: NOW, "ib-anomaly")


def trained(
    store: FakeEquipment,
    where: FakeRegistry,
    *,
    labels: Labels | None = None,
    equipment: str | None = None,
    vintage: dt.datetime = NOW,
    mapper: InProcess | Backwards | None = None,
) -> AnomalyReport:
    return train_anomalies(
        store=store,
        labels=labels or Labels(),
        equipment=equipment,
        vintage=vintage,
        provenance=Provenance(0, "code", "sha", "lock"),
        executor=mapper or InProcess(),
        registry=where,
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> AnomalyReport:
    return trained(pumps(), registry(tmp_path_factory.mktemp("registry")))


def test_a_class_is_trained_judged_and_promoted(report: AnomalyReport) -> None:
    assert report.verdict.passed, report.verdict.reason
    assert report.version.aliases == ("champion",)
    assert report.version.tags["series"] == "2"
    assert report.metrics["found"] > 0.3
    assert report.metrics["false_alarms"] < 0.05
    pump = report.bundle.classes["pump"]
    assert pump.equipment.sensors == ("a", "b", "c", "d")
    assert pump.step == MINUTE
    assert list(pump.equipment.detectors) == ["plant/pump-0", "plant/pump-1"]


def test_the_bundle_reads_back_equal_and_damage_is_named(report: AnomalyReport, tmp_path: Path) -> None:
    report.bundle.write(tmp_path)
    assert not list(tmp_path.glob("*.pkl"))
    back = AnomalyBundle.read(tmp_path)
    one, other = (b.classes["pump"].equipment.arrays() for b in (report.bundle, back))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert judge_anomalies(back, None) == judge_anomalies(report.bundle, None)
    (tmp_path / "class-0.npz").write_bytes(b"half a file")
    with pytest.raises(BundleError, match="damaged"):
        AnomalyBundle.read(tmp_path)
    with pytest.raises(BundleError, match="does not hold a bundle"):
        AnomalyBundle.read(tmp_path / "nowhere")


def test_whichever_machine_is_done_first_the_version_is_the_same(report: AnomalyReport, tmp_path: Path) -> None:
    again = trained(pumps(), registry(tmp_path), mapper=Backwards())
    one, other = (r.bundle.classes["pump"].equipment.arrays() for r in (report, again))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert again.version.tags["data"] == report.version.tags["data"]


def test_a_class_that_is_not_asked_for_is_carried_over(tmp_path: Path) -> None:
    where, store = registry(tmp_path), pumps(1)
    store.add("fan-0", normal_run(700, seed=7), END, equipment="fan")
    first = trained(store, where)
    second = trained(store, where, equipment="fan", vintage=NOW + dt.timedelta(minutes=5))
    assert set(second.bundle.classes) == {"fan", "pump"}
    assert second.bundle.classes["pump"].vintage == first.version.vintage
    assert second.bundle.classes["fan"].vintage == second.version.vintage
    assert second.version.aliases == ("champion",)


def test_machines_that_cant_be_trained_are_named_and_stop_nobody(tmp_path: Path) -> None:
    store = pumps(2)
    store.add("young", normal_run(50), END)
    mute = normal_run(700)
    mute[:, 1] = np.nan
    store.add("mute", mute, END)
    found = trained(store, registry(tmp_path))
    reasons = {one.series: one.reason for one in found.bundle.failures()}
    assert "50 normal rows" in reasons["plant/young"]
    assert "no reading of b" in reasons["plant/mute"]
    assert len(found.bundle.classes["pump"].equipment.detectors) == 2


def test_nothing_is_trained_where_nothing_is_declared_or_nothing_has_rows(tmp_path: Path) -> None:
    with pytest.raises(NothingToTrainError, match="No device of class 'fan'") as nothing:
        trained(pumps(), registry(tmp_path), equipment="fan")
    page, section = nothing.value.next_step.split("see ")[1].rstrip(".").split(", ")
    assert f"## {section}\n" in Path(page).read_text(encoding="utf-8")
    with pytest.raises(NothingToTrainError, match="50 normal rows"):
        trained(pumps(1, rows=50), registry(tmp_path))


def test_labelled_faults_are_not_learnt_from_and_are_looked_for() -> None:
    run = normal_run(1200)
    run[900:960, 2] += 8.0 * run[:, 2].std()
    store = FakeEquipment()
    store.add("pump-0", run, END)
    fault = Span("plant/pump-0", END - 300 * MINUTE, END - 241 * MINUTE)
    (rows,) = gather(store, Labels(true=(fault,)), None, NOW)
    before, after = rows.machines["plant/pump-0"]
    assert np.array_equal(before, run[:900])
    assert np.array_equal(after, run[960:])
    (labelled,) = rows.labelled["plant/pump-0"]
    assert np.array_equal(labelled[-60:], run[900:960])
    (rows,) = gather(store, Labels(maintenance=(fault,)), None, NOW)
    assert len(rows.machines["plant/pump-0"]) == 2
    assert rows.labelled["plant/pump-0"] == []
    (rows,) = gather(store, Labels(false=(fault,)), None, NOW)
    assert np.array_equal(rows.machines["plant/pump-0"][0], run)


def test_labels_and_readings_change_the_fingerprint() -> None:
    store = pumps(1)
    plain = anomaly_fingerprint(gather(store, Labels(), None, NOW), "code")
    span = Span("plant/pump-0", END - 300 * MINUTE, END - 250 * MINUTE)
    assert anomaly_fingerprint(gather(store, Labels(), None, NOW), "code") == plain
    assert anomaly_fingerprint(gather(store, Labels(true=(span,)), None, NOW), "code") != plain
    assert anomaly_fingerprint(gather(store, Labels(), None, NOW - dt.timedelta(minutes=2)), "code") != plain


def test_a_version_that_finds_less_than_the_champion_is_refused(report: AnomalyReport) -> None:
    bundle = report.bundle
    pump = bundle.classes["pump"]
    assert pump.trial is not None
    cases = pump.trial.cases * 3  # as many machines as a comparison needs
    marks = replace(
        pump.trial.marks,
        false=np.tile(pump.trial.marks.false, 3),
        found=np.tile(pump.trial.marks.found, (3, 1)),
    )
    whole = replace(bundle, classes={"pump": replace(pump, trial=replace(pump.trial, cases=cases, marks=marks))})
    assert judge_anomalies(whole, bundle).passed
    poor = replace(marks, found=0.4 * marks.found)
    weak = replace(bundle, classes={"pump": replace(pump, trial=replace(pump.trial, cases=cases, marks=poor))})
    verdict = judge_anomalies(weak, bundle)
    assert [check.name for check in verdict.checks if not check.passed] == ["pump: beside the champion"]


def test_a_class_that_cries_wolf_or_sees_nothing_is_not_fit_for_use(report: AnomalyReport) -> None:
    pump = report.bundle.classes["pump"]
    assert pump.trial is not None
    assert shortcomings("pump", pump) == ""
    marks = pump.trial.marks
    loud = replace(pump, trial=replace(pump.trial, marks=replace(marks, false=marks.false + 0.2)))
    blind = replace(pump, trial=replace(pump.trial, marks=replace(marks, found=0.0 * marks.found)))
    assert "15% are allowed" in shortcomings("pump", loud)
    assert "It marks 0%" in shortcomings("pump", blind)


def test_an_older_vintage_is_historical_and_leaves_the_champion(tmp_path: Path) -> None:
    where = registry(tmp_path)
    first = trained(pumps(1), where)
    older = trained(pumps(1), where, vintage=NOW - dt.timedelta(minutes=30))
    assert older.version.status == "historical"
    champion = where.current()
    assert champion is not None
    assert champion.version == first.version.version


def test_a_frame_of_readings_is_scored_as_the_detector_scores_its_rows(report: AnomalyReport) -> None:
    run = normal_run(150, seed=11)
    frame = pd.concat(
        [
            pd.DataFrame(
                {"device": "plant/pump-1", "equipment": "pump", "ts": np.arange(150) * MINUTE, "metric": m, "value": v}
            )
            for m, v in zip("abcd", run.T, strict=True)
        ]
    ).sample(frac=1.0, random_state=0)
    found = FrameScorer(report.bundle).score_frame(frame)
    detector = report.bundle.classes["pump"].equipment.of("plant/pump-1")
    judged, _ = detector.score(detector.begin(), run)
    assert found["p"].to_numpy()[::4] == pytest.approx(
        report.bundle.classes["pump"].equipment.p_values(judged.surprise)
    )
    assert found.groupby("ts")["share"].sum().to_numpy() == pytest.approx(np.ones(150))
    with pytest.raises(InputError, match="no class 'fan'"):
        FrameScorer(report.bundle).score_frame(frame.assign(equipment="fan"))
    with pytest.raises(InputError, match="no column value"):
        FrameScorer(report.bundle).score_frame(frame.drop(columns="value"))


def test_the_slowest_sensor_sets_the_grid() -> None:
    assert step_of([0.98, 0.2]) == MICROS_PER_SECOND
    assert step_of([60.0, 5.0]) == MINUTE
    assert step_of([]) == MINUTE


def test_a_long_silence_ends_a_run_and_a_short_one_leaves_a_gap() -> None:
    ts = np.array([0, 1, 3, 3 + LONGEST_GAP + 1], dtype=np.int64) * MINUTE
    runs, firsts = runs_of([slot_of(ts, MINUTE)], [np.array([1.0, 2.0, 3.0, 4.0])], NO_SPANS)
    assert firsts == [0, 3 + LONGEST_GAP + 1]
    assert np.array_equal(runs[0][:, 0], [1.0, 2.0, np.nan, 3.0], equal_nan=True)
    assert runs[1].tolist() == [[4.0]]


def test_of_several_readings_in_a_row_of_the_grid_the_last_counts() -> None:
    ts = np.array([0, 20, 59, 60], dtype=np.int64) * MICROS_PER_SECOND
    runs, _ = runs_of([slot_of(ts, MINUTE)], [np.array([1.0, 2.0, 3.0, 4.0])], NO_SPANS)
    assert runs[0][:, 0].tolist() == [3.0, 4.0]
