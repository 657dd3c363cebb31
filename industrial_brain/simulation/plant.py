"""The layout of simulated telemetry: factories and gas stations, their devices, and the faults planted in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Declaration
from industrial_brain.simulation.faults import Fault, Kind, plan_faults
from industrial_brain.simulation.sensors import METRICS, Equipment

MOST_SITES = 372  # factories and gas stations of the simulated city

_LINE = 10  # devices of one production line, its gateway included

#: classes of a line's devices after its gateway, in turn
_FACTORY_LINE = (Equipment.PUMP, Equipment.PUMP, Equipment.POWER_METER, Equipment.VALVE)
_STATION_LINE = (Equipment.GAS_LINE, Equipment.GAS_LINE, Equipment.POWER_METER, Equipment.GAS_LINE, Equipment.VALVE)


@dataclass(frozen=True, slots=True)
class Device:
    """One simulated device; its site and its name both say so.

    Attributes:
        parent: number of its gateway, -1 for a gateway.
    """

    site: str
    name: str
    equipment: Equipment
    parent: int


@dataclass(frozen=True, slots=True)
class Plant:
    """Devices, the span of time that they report on, and the faults planted in it.

    Attributes:
        start: of the span, microseconds since 1970, UTC.
        steps: readings that each sensor makes.
        every: seconds from one to the next.
        metrics, units: names that `Readings` codes.
    """

    seed: int
    devices: tuple[Device, ...]
    faults: tuple[Fault, ...]
    start: int
    steps: int
    every: float
    metrics: tuple[str, ...]
    units: tuple[str, ...]

    @classmethod
    def of(
        cls,
        *,
        seed: int,
        devices: int,
        sites: int,
        start: int,
        minutes: float,
        every: float = 60.0,
        faults: int = 0,
        kinds: tuple[Kind, ...] = tuple(Kind),
    ) -> Plant:
        """Lay out `devices` over `sites` (factories and gas stations by turns), gateways included, and plan the faults.

        Raises:
            InputError: a number is out of its range, or there is no room for so many faults.
        """
        if seed < 0:
            raise InputError(f"A seed is a whole number from 0 on, not {seed}.", "Choose another seed.")
        if not 1 <= sites <= MOST_SITES:
            raise InputError(f"The simulated city has 1 to {MOST_SITES} sites, not {sites}.", "Choose another --sites.")
        if devices < 2 * sites:
            raise InputError(
                f"{sites} sites need at least {2 * sites} devices: each has a gateway.", "Raise --devices."
            )
        steps = int(minutes * 60 // every) if every > 0 else 0
        if steps < 1:
            raise InputError(f"Nothing is read in {minutes:g} minutes, every {every:g} s.", "Raise --minutes.")
        laid = _lay_out(devices, sites)
        parents = np.array([device.parent for device in laid])
        known = [metric for sensors in METRICS.values() for metric in sensors]
        units = [metric.unit for metric in known] + [metric.other.unit for metric in known if metric.other]
        return cls(
            seed,
            laid,
            plan_faults(seed, faults, [device.equipment for device in laid], parents, steps, kinds),
            start,
            steps,
            every,
            tuple(dict.fromkeys(metric.name for metric in known)),
            tuple(dict.fromkeys(units)),
        )

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(device.site for device in self.devices))

    @property
    def channels(self) -> int:
        """How many sensors there are."""
        return sum(len(METRICS[device.equipment]) for device in self.devices)

    def time_of(self, step: int) -> int:
        """Begin of a step, microseconds since 1970, UTC."""
        return self.start + round(step * self.every * MICROS_PER_SECOND)

    def declarations(self) -> Iterator[Declaration]:
        """What an operator would say of the devices and their sensors: class, gateway, rhythm, limits, counters."""
        for device in self.devices:
            parent = self.devices[device.parent].name if device.parent >= 0 else None
            yield Declaration(
                device.site, device.name, seconds=self.every, equipment=device.equipment.value, parent=parent
            )
            for metric in METRICS[device.equipment]:
                yield Declaration(
                    device.site,
                    device.name,
                    metric.name,
                    unit=metric.unit,
                    low=metric.low,
                    high=metric.high,
                    counter=metric.counter,
                    wraps_at=metric.wraps_at,
                    seconds=self.every,
                )


def _lay_out(devices: int, sites: int) -> tuple[Device, ...]:
    laid: list[Device] = []
    for number in range(sites):
        factory = number % 2 == 0
        site = f"sim-F{number // 2 + 1:04d}" if factory else f"sim-G{number // 2 + 1:03d}"
        classes = _FACTORY_LINE if factory else _STATION_LINE
        gateway = -1
        for place in range(devices // sites + (number < devices % sites)):
            line, position = divmod(place, _LINE)
            kind = classes[(position - 1) % len(classes)] if position else Equipment.GATEWAY
            gateway = gateway if position else len(laid)
            name = f"sim-l{line + 1:02d}-{kind}" + (f"-{position:02d}" if position else "")
            laid.append(Device(site, name, kind, gateway if position else -1))
    return tuple(laid)
