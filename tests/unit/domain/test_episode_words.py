"""Episodes as people would say them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from industrial_brain.domain.anomalies import WHOLE_SITE, EpisodeState, Kind, Sensor
from industrial_brain.domain.episode_words import duration, probability, quantity, tell
from industrial_brain.domain.telemetry import Cause
from tests.fakes.anomalies import an_episode

START = 1_700_000_000_000_000
LATER = START + 14 * 60_000_000


def told(cause: Cause, **facts: Any) -> str:
    plain = {"metric": "pressure", "expected": 4.1, "end": LATER, "p": 3.2e-9}
    return tell(an_episode("plant", cause=cause, **{**plain, **facts}))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause.LEVEL, "Pressure 8.2 bar at 22:13 UTC, expected 4.1; p = 3e-9; 14 minutes"),
        (Cause.RATE, "Pressure jumped to 8.2 bar at 22:13 UTC, expected 4.1; p = 3e-9; 14 minutes"),
        (Cause.STUCK, "Pressure has not moved from 8.2 bar by 22:13 UTC; p = 3e-9; 14 minutes"),
        (
            Cause.LIMIT,
            "Pressure 8.2 bar at 22:13 UTC, outside its declared limits; expected 4.1; p = 3e-9; 14 minutes",
        ),
        (Cause.SHIFT, "Pressure has moved to 8.2 bar by 22:13 UTC, from 4.1; p = 3e-9; 14 minutes"),
        (Cause.CLOCK, "The clock of pump 7 was off at 22:13 UTC; p = 3e-9; 14 minutes"),
        (Cause.PATTERN, "Sensors of pump 7 no longer fit together at 22:13 UTC; p = 3e-9; 14 minutes"),
    ],
)
def test_each_cause_has_its_words(cause: Cause, words: str) -> None:
    assert told(cause) == words


def test_silence_says_who_and_for_how_long() -> None:
    silent: dict[str, Any] = {"kind": Kind.SILENT, "value": math.nan, "expected": math.nan}
    assert told(Cause.SILENT, **silent) == "pump 7 fell silent, noticed at 22:13 UTC; p = 3e-9"
    assert (
        told(Cause.SILENT, **silent, state=EpisodeState.CLOSED)
        == "pump 7 fell silent, noticed at 22:13 UTC; back after 14 minutes"
    )
    assert told(Cause.SILENT, **silent, device_count=41).startswith("pump 7 and 40 devices behind it fell silent")
    assert told(Cause.SILENT, **silent, device=WHOLE_SITE, device_count=41).startswith("41 devices of plant fell")


def test_sensors_that_contribute_are_named_by_their_share() -> None:
    sensors = [
        Sensor(n, "pump 7", metric, "", Cause.PATTERN, START, 1e-9, 1.0, 2.0, share)
        for n, (metric, share) in enumerate((("vibration", 0.62), ("Temp", 0.2), ("current", 0.1), ("flow", 0.08)))
    ]
    words = tell(an_episode("plant", cause=Cause.PATTERN, sensor_count=4), sensors)
    assert words.startswith("Vibration (62%), Temp (20%), Current (10%) and 1 more no longer fit together")
    words = tell(an_episode("plant", cause=Cause.PATTERN, sensor_count=2), sensors[:2])
    assert words.startswith("Vibration (62%) and Temp (20%) no longer fit together")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "one moment"),
        (1, "1 second"),
        (59, "59 seconds"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (7_199, "119 minutes"),
        (7_200, "2 hours"),
        (172_800, "2 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (8.2, "bar", "8.2 bar"),
        (float("nan"), "bar", "?"),
        (1234567.0, "m3", "1,234,567 m³"),
        (21.55, "Cel", "21.55 °C"),
        (3.0, "{rpm}", "3 rpm"),
        (0.5, "1", "0.5"),
    ],
)
def test_quantities(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words


@pytest.mark.parametrize(("p", "words"), [(3.2e-9, "3e-9"), (0.04, "0.04"), (1e-45, "1e-45"), (9.6e-13, "1e-12")])
def test_probabilities(p: float, words: str) -> None:
    assert probability(p) == words
