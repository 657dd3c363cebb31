"""Simulated telemetry: the readings of a plant, block by block of time, with its faults in them.

A function of the plant and of how its time is cut: equal ones give equal readings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Keys, Micros
from industrial_brain.simulation.faults import Fault, Kind, Worked
from industrial_brain.simulation.machines import Clock, Flags, Machines, build
from industrial_brain.simulation.plant import Plant
from industrial_brain.simulation.sensors import METRICS, Equipment
from industrial_brain.simulation.streams import stream

#: steps
LONGEST_BLOCK = 240

_MISSING = 0.05
_JITTER = 0.002  # of the interval
_LOCAL_HOURS = 8.0  # Chongqing's clock, ahead of UTC
_MONDAY = 4 * 24.0  # 1970-01-05, hours after the epoch
_CELLS = 2_000_000  # values that a block holds in memory, about


@dataclass(frozen=True, slots=True)
class Readings:
    """A block of readings of one site, in the order of their event times by the device's clock.

    Attributes:
        device: numbers of devices in the plant.
        metric, unit: codes into the plant's `metrics` and `units`.
        ts: microseconds since 1970, UTC, by the device's clock.
        until: true time of the block's end: no reading of it is sent earlier than this, when time is real.
    """

    site: str
    device: Keys
    metric: Keys
    unit: Keys
    ts: Micros
    value: Floats
    until: int

    def __len__(self) -> int:
        return len(self.ts)


def blocks(plant: Plant, longest: int = LONGEST_BLOCK, live_from: int | None = None) -> Iterator[tuple[Readings, ...]]:
    """All readings in the order of time: one entry a block, in it one part a site. What is read depends on the cuts.

    Args:
        longest: most steps a block, at most `LONGEST_BLOCK`.
        live_from: from this step on, a block is one step.
    """
    steps = int(np.clip(_CELLS // plant.channels, 1, np.clip(longest, 1, LONGEST_BLOCK)))
    live_from = plant.steps if live_from is None else live_from
    making = _Making(plant)
    first = 0
    while first < plant.steps:
        many = min(steps, live_from - first) if first < live_from else 1
        yield making.block(first, min(many, plant.steps - first))
        first += many


class _Making:
    """The state from which the next block is made."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._members: dict[Equipment, npt.NDArray[np.int64]] = {}
        self._machines: dict[Equipment, Machines] = {}
        self._place = np.zeros(len(plant.devices), np.int64)  # of a device within its class
        for kind in Equipment:
            numbers = np.array([i for i, device in enumerate(plant.devices) if device.equipment is kind], np.int64)
            if len(numbers):
                self._members[kind] = numbers
                self._place[numbers] = np.arange(len(numbers))
                self._machines[kind] = build(kind, len(numbers), plant.every, stream(plant.seed, f"machines {kind}"))
        self._worked = {kind: self._worked_of(kind) for kind in self._members}
        self._phase = stream(plant.seed, "phases").uniform(0.0, 0.9, len(plant.devices)) * plant.every
        sites = {site: code for code, site in enumerate(plant.sites)}
        self._site = np.array([sites[device.site] for device in plant.devices])
        self._unit = {unit: code for code, unit in enumerate(plant.units)}
        self._metric = {metric: code for code, metric in enumerate(plant.metrics)}
        self._skews, self._silences = self._by_device()

    def _worked_of(self, kind: Equipment) -> list[Worked]:
        plant = self._plant
        return [Worked(plant.seed, fault) for fault in plant.faults if plant.devices[fault.device].equipment is kind]

    def _by_device(self) -> tuple[list[Fault], list[tuple[Fault, npt.NDArray[np.int64]]]]:
        """Clocks that are off, and silences with the devices that they silence."""
        skews: list[Fault] = []
        silences: list[tuple[Fault, npt.NDArray[np.int64]]] = []
        parents = np.array([device.parent for device in self._plant.devices])
        for fault in self._plant.faults:
            if fault.kind is Kind.CLOCK_SKEW:
                skews.append(fault)
            elif fault.kind is Kind.DROPOUT:
                silences.append((fault, np.array([fault.device])))
            elif fault.kind is Kind.OUTAGE:
                silences.append((fault, np.append(np.flatnonzero(parents == fault.device), fault.device)))
        return skews, silences

    def block(self, first: int, steps: int) -> tuple[Readings, ...]:
        plant = self._plant
        rng = stream(plant.seed, f"block {first}")
        begins = plant.start / MICROS_PER_SECOND + (first + np.arange(steps)) * plant.every
        clock = Clock(np.asarray(begins / 3600.0 + _LOCAL_HOURS - _MONDAY), plant.every)
        times = self._times(first, steps, rng)
        heard = self._heard(first, steps)
        columns: list[tuple[npt.NDArray[np.generic], ...]] = []
        for kind, members in self._members.items():
            values, units = self._values(kind, clock, first, rng)
            sent = (rng.random(values.shape) >= _MISSING) & heard[members][None]
            metrics = np.array([self._metric[metric.name] for metric in METRICS[kind]], np.int32)
            columns.append(
                (
                    np.broadcast_to(members[None, :, None], values.shape)[sent],
                    np.broadcast_to(metrics[:, None, None], values.shape)[sent],
                    units[sent],
                    np.broadcast_to(times[members][None], values.shape)[sent],
                    values[sent],
                )
            )
        device, metric, unit, ts, value = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        site = self._site[device]
        order = np.lexsort((metric, device, ts, site))
        cuts = np.searchsorted(site[order], np.arange(len(plant.sites) + 1))
        until = plant.time_of(first + steps)
        return tuple(
            Readings(
                name,
                device[rows].astype(np.int32),
                metric[rows],
                unit[rows],
                ts[rows],
                value[rows],
                until,
            )
            for name, low, high in zip(plant.sites, cuts[:-1], cuts[1:], strict=True)
            for rows in (order[low:high],)
        )

    def _values(
        self, kind: Equipment, clock: Clock, first: int, rng: np.random.Generator
    ) -> tuple[Floats, npt.NDArray[np.int32]]:
        """What a class measures, faults worked in and rounded, and the units that it names."""
        sensors, members, steps = METRICS[kind], self._members[kind], len(clock.hours)
        apart: dict[int, Flags] = {}
        for worked in self._worked[kind]:
            one = worked.apart(first, steps)
            if one is not None:
                flags = apart.setdefault(one[0], np.zeros((len(members), steps), bool))
                flags[self._place[worked.fault.device]] |= one[1]
        values = self._machines[kind].run(clock, rng, apart)
        units = np.empty(values.shape, np.int32)
        units[:] = np.array([self._unit[sensor.unit] for sensor in sensors], np.int32)[:, None, None]
        for worked in self._worked[kind]:
            fault, place = worked.fault, self._place[worked.fault.device]
            worked.spoil(values[:, place], first, sensors)
            here = fault.within(first, steps)
            if fault.named and here is not None:
                units[fault.metrics[0], place, here] = self._unit[fault.unit]
        for row, sensor in enumerate(sensors):
            np.round(values[row], sensor.decimals, out=values[row])
        return values, units

    def _times(self, first: int, steps: int, rng: np.random.Generator) -> Micros:
        """When each device reads, by its own clock: `[device, step]`."""
        plant = self._plant
        jitter = rng.uniform(0.0, _JITTER, (len(plant.devices), steps)) * plant.every
        offsets = (first + np.arange(steps)) * plant.every + self._phase[:, None] + jitter
        for fault in self._skews:
            here = fault.within(first, steps)
            if here is not None:
                offsets[fault.device, here] += fault.size
        # milliseconds, as devices tell them
        return plant.start + np.rint(offsets * 1000).astype(np.int64) * (MICROS_PER_SECOND // 1000)

    def _heard(self, first: int, steps: int) -> Flags:
        heard = np.ones((len(self._plant.devices), steps), bool)
        for fault, devices in self._silences:
            here = fault.within(first, steps)
            if here is not None:
                heard[devices, here] = False
        return heard
