"""The demo's telemetry part, which no other test runs: from readings to a named fault and a version of detectors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from industrial_brain.cli.demo_telemetry import show_telemetry
from industrial_brain.cli.terminal import now
from industrial_brain.composition import Brain
from industrial_brain.settings import Settings


def test_a_planted_fault_is_found_detectors_are_trained_and_a_second_time_nothing_is_left_to_do(
    tmp_path: Path, ray_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wired = Brain(Settings(home=tmp_path, ray_address=ray_address), now)
    wired.initialise()
    show_telemetry(wired)
    told = " ".join(capsys.readouterr().out.split())
    assert re.search(r"Simulated telemetry: [\d,]+ readings of 24 devices at sim-F0001 and sim-G001", told)
    assert re.search(r"Found: sim-l\d\d-\S+ at sim-\S+: .*p = ", told)
    assert "Version 1 of ib-anomaly is champion" in told
    later = Brain(Settings(home=tmp_path, ray_address=ray_address), now)
    show_telemetry(later)
    told = " ".join(capsys.readouterr().out.split())
    assert told == "Version 1 of ib-anomaly has seen just these readings: nothing to train."
