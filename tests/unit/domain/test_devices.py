"""Which declarations make sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from industrial_brain.domain.devices import checked
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import Declaration

GOOD = Declaration("F1", "pump-1", "starts", "1", low=0.0, high=9.0, counter=True, wraps_at=10.0, seconds=60.0)


def test_a_declaration_that_makes_sense_stays_as_it_is() -> None:
    assert checked(GOOD) is GOOD
    device = Declaration("F1", "pump-1", equipment="pump", parent="gateway")
    assert checked(device) is device


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"site": ""}, "site"),
        ({"device": "x" * 256}, "device"),
        ({"device": "a\tb"}, "device"),
        ({"device": "\ud800"}, "device"),
        ({"metric": ""}, "metric"),
        ({"unit": "x" * 65}, "unit"),
        ({"low": float("nan")}, "low"),
        ({"high": float("inf")}, "high"),
        ({"low": 9.0}, "low"),
        ({"counter": False}, "wraps_at"),
        ({"wraps_at": -1.0}, "wraps_at"),
        ({"seconds": 0.0}, "seconds"),
        ({"equipment": "pump"}, "equipment"),
        ({"parent": "gateway"}, "parent"),
        ({"metric": None}, "unit"),
    ],
)
def test_one_that_does_not_names_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refusal:
        checked(replace(GOOD, **change))  # type: ignore[arg-type]
    assert refusal.value.pointer == f"/{field}"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        (Declaration("F1", "pump-1", parent="pump-1"), "parent"),
        (Declaration("F1", "pump-1", low=1.0), "low"),
        (Declaration("F1", "pump-1", counter=True), "counter"),
    ],
)
def test_a_device_is_not_its_own_parent_and_has_no_limits(said: Declaration, field: str) -> None:
    with pytest.raises(InputError) as refusal:
        checked(said)
    assert refusal.value.pointer == f"/{field}"
