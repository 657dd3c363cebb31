"""Anomalies at the command line, over a real database."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from industrial_brain.cli.app import app
from industrial_brain.composition import Brain
from industrial_brain.domain.anomalies import EpisodeChange, EpisodeState, Kind, Sensor, Severity
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.telemetry import Cause
from industrial_brain.settings import Settings
from tests.fakes.anomalies import an_episode


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Brain:
    """An installation with an open anomaly of a pump, and an old one of a valve."""
    monkeypatch.setenv("BRAIN_HOME", str(tmp_path))
    monkeypatch.delenv("BRAIN_DATABASE_URL", raising=False)
    brain = Brain(Settings(), lambda: dt.datetime.now(dt.UTC))
    brain.initialise()
    sensor = Sensor(1, "pump 7", "pressure", "bar", Cause.LEVEL, 1_700_000_000_000_000, 3.25e-9, 8.2, 4.1)
    changes = [
        EpisodeChange(an_episode("plant", metric="pressure", expected=4.1), (sensor,)),
        EpisodeChange(
            an_episode(
                "plant",
                "valve",
                -60,
                kind=Kind.STUCK,
                cause=Cause.STUCK,
                state=EpisodeState.CLOSED,
                severity=Severity.BLUE,
            ),
            (),
        ),
    ]
    brain.episodes.keep("main", 1, changes)
    return brain


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["anomalies", *words], catch_exceptions=False)


PUMP = an_episode("plant").id


def test_a_list_tells_why(home: Brain) -> None:
    lines = call("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [PUMP, an_episode("plant", "valve", -60, kind=Kind.STUCK).id]
    assert "Pressure 8.2 bar at 22:13 UTC, expected 4.1; p = 3e-9; 1 minute" in lines[1]
    assert len(call("list", "--state", "open").stdout.splitlines()) == 2
    (only,) = json.loads(call("list", "--cause", "stuck", "--json").stdout)
    assert (only["device"], only["severity"]) == ("valve", "blue")
    assert call("list", "--site", "mill").stdout == ""
    with pytest.raises(InputError, match="no cause"):
        call("list", "--cause", "bad luck")


def test_one_is_shown_with_its_sensors_and_what_was_said(home: Brain) -> None:
    call("ack", PUMP, "--note", "On my way.", "--author", "ann")
    assert "labelled true by ann" in call("label", PUMP, "true", "--author", "ann").stdout
    text = call("show", PUMP).stdout
    for part in (
        "orange pump 7 at plant, open, acknowledged",
        "8.2 bar",
        "ann acknowledged it: On my way.",
        "called it true",
    ):
        assert part in text
    told = json.loads(call("show", PUMP, "--json").stdout)
    assert [one["label"] for one in told["words"]] == [None, "true"]
    assert [one["metric"] for one in told["sensors"]] == ["pressure"]
    with pytest.raises(UnknownIdError):
        call("show", "nothing")


def test_changes_are_followed(home: Brain) -> None:
    lines = call("watch", "--since", "0", "--seconds", "0", "--site", "plant").stdout.splitlines()
    assert ["opened" in line for line in lines] == [True, True]
    assert call("watch", "--seconds", "0").stdout == ""
    call("label", PUMP, "maintenance")
    (line,) = call("watch", "--since", "2", "--seconds", "0", "--json").stdout.splitlines()
    assert (json.loads(line)["change"], json.loads(line)["label"]) == ("labelled", "maintenance")
