"""Classes of simulated devices and their sensors: names, units, physical limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Equipment(StrEnum):
    """Classes of devices; also the names under which they are declared to the server."""

    GATEWAY = "gateway"
    PUMP = "pump"
    POWER_METER = "power-meter"
    VALVE = "valve"
    GAS_LINE = "gas-line"


@dataclass(frozen=True, slots=True)
class OtherUnit:
    """Another unit in which a meter may be set to count: `value * factor + offset`, in UCUM."""

    unit: str
    factor: float
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Metric:
    """One sensor of a class of equipment.

    Attributes:
        unit: UCUM.
        decimals: of its display; values are rounded to them.
        spread: standard deviation around the daily and weekly profile, in `unit`, of a device of median size at working load.
            Faults are sized in spreads. 0 for what only counts or switches.
        low, high: physical limits, in `unit`.
        counter: it only rises, and wraps to 0 at `wraps_at`.
    """

    name: str
    unit: str
    decimals: int
    spread: float = 0.0
    low: float | None = None
    high: float | None = None
    counter: bool = False
    wraps_at: float | None = None
    other: OtherUnit | None = None


METRICS: Mapping[Equipment, tuple[Metric, ...]] = {
    Equipment.GATEWAY: (Metric("signal", "dB[mW]", 1, 2.0, high=0.0),),
    Equipment.PUMP: (
        Metric("pressure", "bar", 3, 0.5, low=0.0, other=OtherUnit("[psi]", 14.5038)),
        Metric("flow", "m3/h", 2, 6.5, low=0.0, other=OtherUnit("L/s", 1 / 3.6)),
        Metric("temperature", "Cel", 2, 2.6, low=-40.0, high=150.0, other=OtherUnit("[degF]", 1.8, 32.0)),
        Metric("vibration", "mm/s", 3, 0.17, low=0.0),
        Metric("current", "A", 2, 4.2, low=0.0, other=OtherUnit("mA", 1000.0)),
    ),
    Equipment.POWER_METER: (
        Metric("power", "kW", 2, 10.0, low=0.0, other=OtherUnit("W", 1000.0)),
        Metric("energy", "kW.h", 2, low=0.0, counter=True, wraps_at=10_000.0),
    ),
    Equipment.VALVE: (
        Metric("open", "1", 0, low=0.0, high=1.0),
        Metric("position", "%", 1, low=-5.0, high=105.0),
    ),
    Equipment.GAS_LINE: (
        Metric("inlet_pressure", "MPa", 4, 0.0043, low=0.0, other=OtherUnit("bar", 10.0)),
        Metric("outlet_pressure", "kPa", 2, 1.9, low=0.0, other=OtherUnit("bar", 0.01)),
        Metric("flow", "m3/h", 1, 30.0, low=0.0, other=OtherUnit("L/s", 1 / 3.6)),
        Metric("methane", "%", 3, 0.02, low=0.0, high=100.0),
    ),
}
