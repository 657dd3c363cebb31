"""A machine's detector: what it finds, which sensors it names, and that it repeats itself."""

from __future__ import annotations

import numpy as np
import pytest

from industrial_brain.domain.errors import InputError
from models.anomaly.equipment.classes import EquipmentClass, common_detector, fit_machine, pieces_of
from models.anomaly.equipment.detector import EquipmentDetector
from models.anomaly.equipment.members import Members
from models.anomaly.equipment.replays import alarm_level, pooled, replay_lengths
from tests.machines import normal_run

NORMAL = normal_run(1200)
DETECTOR = EquipmentDetector.fit([NORMAL])


def faulty_run() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A sensor that stands still by and by: usual values that no longer follow the others."""
    run = normal_run(400, seed=5)
    run[200:, 2] = run[199, 2] + 3.0 * run[:, 2].std()
    return run


def test_a_fault_is_surprising_and_the_rows_before_it_are_not() -> None:
    judged, _ = DETECTOR.score(DETECTOR.warmed(NORMAL), faulty_run())
    assert (judged.p[:200] < 0.01).mean() < 0.08
    assert (judged.p[230:] < 0.01).mean() > 0.95


def test_the_sensor_at_fault_contributes_most() -> None:
    shares = DETECTOR.explain(DETECTOR.warmed(NORMAL), faulty_run())
    assert shares.shape == (400, 4)
    assert shares.sum(axis=1) == pytest.approx(np.ones(400))
    assert (shares[230:].argmax(axis=1) == 2).mean() > 0.95


def test_a_small_shift_is_found_because_it_lasts() -> None:
    shifted = normal_run(600, seed=6)
    shifted[200:, 0] += 0.7 * NORMAL[:, 0].std()
    judged, _ = DETECTOR.score(DETECTOR.warmed(NORMAL), shifted)
    assert np.median(judged.surprise[300:]) > np.median(judged.surprise[:200]) + 1.0


def test_rows_in_many_calls_are_judged_as_in_one() -> None:
    run = faulty_run()
    whole, end = DETECTOR.score(DETECTOR.begin(), run)
    state, parts = DETECTOR.begin(), []
    for piece in np.array_split(run, 23):
        judged, state = DETECTOR.score(state, piece)
        parts.append(judged.surprise)
    assert np.concatenate(parts) == pytest.approx(whole.surprise, rel=1e-6, abs=1e-9)
    assert state.drift == pytest.approx(end.drift)
    assert state.rows == pytest.approx(end.rows)


def test_a_slow_drift_moves_the_centre_and_a_fault_does_not() -> None:
    rows = normal_run(3000, seed=8)
    drifting = rows + np.linspace(0.0, 1.0, 3000)[:, None] * NORMAL.std(axis=0)
    _, state = DETECTOR.score(DETECTOR.warmed(NORMAL), drifting)
    assert (state.drift > 0.4).all()
    jumped = rows + 10.0 * NORMAL.std(axis=0)
    _, state = DETECTOR.score(DETECTOR.warmed(NORMAL), jumped)
    assert state.drift == pytest.approx(np.zeros(4), abs=0.2)


def test_gaps_are_held_and_a_silent_sensor_is_refused() -> None:
    holes = normal_run(300, seed=9)
    holes[::7, 1] = np.nan
    holes[100:110] = np.nan
    judged, _ = DETECTOR.score(DETECTOR.warmed(NORMAL), holes)
    assert np.isfinite(judged.surprise).all()
    silent = NORMAL.copy()
    silent[:, 3] = np.nan
    with pytest.raises(InputError, match="Sensor 3 has no value"):
        EquipmentDetector.fit([silent])
    with pytest.raises(InputError, match="too few"):
        EquipmentDetector.fit([NORMAL[:100]])


def test_a_constant_machine_can_be_learnt_and_any_move_of_it_shows() -> None:
    still = np.full((400, 2), 5.0)
    detector = EquipmentDetector.fit([still])
    moved = still.copy()
    moved[200:, 1] = 6.0
    judged, _ = detector.score(detector.warmed(still), moved)
    assert judged.surprise[:200].max() < judged.surprise[210:].min()


def test_fitting_leaves_its_rows_as_they_were_and_repeats() -> None:
    rows = NORMAL.copy()
    again = EquipmentDetector.fit([rows])
    assert (rows == NORMAL).all()
    for name, array in again.arrays().items():
        assert np.array_equal(array, DETECTOR.arrays()[name]), name


def test_a_detector_of_its_arrays_gives_equal_numbers() -> None:
    back = EquipmentDetector.of_arrays(DETECTOR.arrays())
    one, other = (d.score(d.begin(), faulty_run())[0] for d in (DETECTOR, back))
    assert np.array_equal(one.surprise, other.surprise)
    assert np.array_equal(one.expected, other.expected)


def test_a_forest_may_vote_and_survives_the_arrays() -> None:
    members = Members.fit([NORMAL], 0, forest=True)
    back = Members.of_arrays(4, members.arrays())
    assert np.array_equal(members.statistics(NORMAL)["forest"], back.statistics(NORMAL)["forest"])
    assert members.contributions(NORMAL, slice(0, 5))["forest"].shape == (5, 4)


def test_the_expected_values_are_in_the_sensors_own_units() -> None:
    judged, _ = DETECTOR.score(DETECTOR.warmed(NORMAL), normal_run(200, seed=4))
    error = np.abs(judged.expected - normal_run(200, seed=4)).mean(axis=0)
    assert (error < NORMAL.std(axis=0)).all()


def test_a_class_has_a_detector_a_machine_and_a_level_from_replays() -> None:
    machines = {f"pump-{k}": [normal_run(1300, seed=k)] for k in range(3)}
    fitted = [fit_machine(piece) for piece in pieces_of(machines, 0)]
    one = EquipmentClass.assemble(("a", "b", "c", "d"), fitted, common_detector(machines, 0))
    assert list(one.detectors) == list(machines)
    assert one.of("unknown") is one.common
    assert one.in_use is not None
    back = EquipmentClass.of_arrays(one.sensors, tuple(one.detectors), one.arrays())
    surprise = DETECTOR.score(DETECTOR.begin(), faulty_run())[0].surprise
    assert np.array_equal(back.p_values(surprise), one.p_values(surprise))
    assert back.level == one.level


def test_a_machine_with_too_few_rows_is_named_with_the_reason() -> None:
    (piece,) = pieces_of({"pump": [NORMAL[:50]]}, 0)
    fitted = fit_machine(piece)
    assert fitted.detector is None
    assert fitted.reason is not None
    assert "too few" in fitted.reason


def test_replays_are_as_long_as_a_machine_has_rows_where_one_run_has_room() -> None:
    assert replay_lengths([400, 400, 9405]) == (400, 800)
    assert replay_lengths([1500, 1500]) == (500, 1000)
    assert replay_lengths([500]) == (0, 0)
    assert replay_lengths([]) == (0, 0)


def test_the_level_of_replays_finds_faults_and_spares_normal_rows() -> None:
    fitted = [fit_machine(piece) for piece in pieces_of({"pump": [normal_run(3000)], "x": [normal_run(700)]}, 0)]
    replays = [replay for one in fitted for replay in one.replays]
    score, label = pooled(replays)
    level = alarm_level(replays)
    assert (score[~label] >= level).mean() <= 0.2
    assert (score[label] >= level).mean() > 0.5
