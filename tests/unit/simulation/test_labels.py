"""The ground truth as a file, and how detections are held against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.simulation.faults import Kind
from industrial_brain.simulation.labels import Episode, Label, Truth, agreement, read_truth, truth_of, write_truth
from industrial_brain.simulation.plant import Plant

MINUTE = 60_000_000
SPIKE = Label("a", Kind.SPIKE, "sim-F0001", "sim-pump", frozenset({"sim-pump"}), ("flow",), 100 * MINUTE, 102 * MINUTE)
OUTAGE = Label(
    "b", Kind.OUTAGE, "sim-F0001", "sim-gw", frozenset({"sim-gw", "sim-meter"}), (), 300 * MINUTE, 330 * MINUTE
)
TRUTH = Truth(1, ("sim-F0001",), 0, 1440 * MINUTE, 60.0, 10, 30, (SPIKE, OUTAGE))


def seen(device: str, start: int, end: int, site: str = "sim-F0001") -> Episode:
    return Episode(site, device, start * MINUTE, end * MINUTE, "level")


def test_the_file_gives_back_what_was_planted(tmp_path: Path) -> None:
    plant = Plant.of(seed=5, devices=80, sites=2, start=1_764_000_000_000_000, minutes=600, faults=12)
    truth = truth_of(plant, history_until=plant.start + MINUTE)
    assert len(truth.labels) == 12
    outage = next(label for label in truth.labels if label.kind is Kind.OUTAGE)
    assert outage.device in outage.devices
    assert len(outage.devices) == 10
    write_truth(tmp_path / "labels.json", truth)
    assert read_truth(tmp_path / "labels.json") == truth


def test_telemetry_that_stopped_early_has_the_faults_of_its_time() -> None:
    plant = Plant.of(seed=5, devices=80, sites=2, start=0, minutes=600, faults=12)
    whole = truth_of(plant)
    cut = whole.labels[5].start + MINUTE
    part = truth_of(plant, cut)
    assert [label.id for label in part.labels] == [label.id for label in whole.labels if label.start < cut]
    assert max(label.end for label in part.labels) <= part.end == cut


def test_a_fault_is_found_by_an_episode_of_its_device_and_time() -> None:
    found = agreement(TRUTH, [seen("sim-pump", 101, 105), seen("sim-meter", 310, 312)])
    assert (found.found, found.planted, found.right, found.episodes) == (2, 2, 2, 2)
    assert [(kind.kind, kind.delay) for kind in found.kinds] == [(Kind.SPIKE, 60.0), (Kind.OUTAGE, 600.0)]
    assert found.kinds[0].causes == ("level",)


def test_a_silence_inside_a_history_is_no_miss() -> None:
    spike = seen("sim-pump", 101, 105)
    sent_at_once = agreement(replace(TRUTH, history_until=TRUTH.end), [spike])
    assert (sent_at_once.found, sent_at_once.planted, sent_at_once.hidden, sent_at_once.recall) == (1, 1, 1, 1.0)
    assert [(kind.kind, kind.planted, kind.hidden) for kind in sent_at_once.kinds] == [
        (Kind.SPIKE, 1, 0),
        (Kind.OUTAGE, 0, 1),
    ]
    for until in (None, OUTAGE.start, OUTAGE.end):  # it was still silent when readings began to be sent as they came
        as_it_came = agreement(replace(TRUTH, history_until=until), [spike])
        assert (as_it_came.planted, as_it_came.hidden, as_it_came.recall) == (2, 0, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [seen("sim-other", 101, 105), seen("sim-pump", 10, 99), seen("sim-pump", 133, 140)],
    ids=["another device", "too early", "too late"],
)
def test_other_episodes_are_false(wrong: Episode) -> None:
    found = agreement(TRUTH, [wrong])
    assert (found.found, found.right, found.episodes) == (0, 0, 1)
    assert (found.precision, found.recall) == (0.0, 0.0)
    assert found.false_per_device_day == pytest.approx(0.1)


def test_what_a_fault_leaves_behind_is_not_false() -> None:
    assert agreement(TRUTH, [seen("sim-pump", 131, 131)]).right == 1


def test_an_episode_that_began_before_the_fault_is_not_early() -> None:
    (spike, _) = agreement(TRUTH, [seen("sim-pump", 90, 120)]).kinds
    assert spike.delays == (0.0,)


def test_other_sites_and_times_do_not_count() -> None:
    elsewhere = [seen("sim-pump", 101, 105, "plant-7"), seen("sim-pump", 5_000, 5_001)]
    assert agreement(TRUTH, elsewhere).episodes == 0


def test_nothing_found_and_nothing_planted_have_no_rates() -> None:
    assert agreement(TRUTH, []).precision is None
    assert agreement(replace(TRUTH, labels=()), []).recall is None


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_truth(tmp_path / "absent.json")
    (tmp_path / "other.json").write_text('{"faults": [{}]}')
    with pytest.raises(FileFormatError):
        read_truth(tmp_path / "other.json")
