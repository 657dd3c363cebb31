"""Machines and their history in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from industrial_brain.domain.equipment import History, Machine
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Micros

MINUTE = 60 * MICROS_PER_SECOND


class FakeEquipment:
    """`EquipmentStore` of machines that are added."""

    def __init__(self) -> None:
        self._machines: list[Machine] = []
        self._readings: dict[int, tuple[Micros, Floats]] = {}

    def add(
        self, device: str, rows: Floats, end: int, *, equipment: str = "pump", site: str = "plant", step: int = MINUTE
    ) -> Mapping[str, int]:
        """A machine whose last row was read a step before `end`; keys by metric (`a`, `b`, ...). NaN was not read."""
        channels = {}
        ts = end - step * np.arange(len(rows), 0, -1, dtype=np.int64)
        for sensor in range(rows.shape[1]):
            key = len(self._readings)
            there = ~np.isnan(rows[:, sensor])
            self._readings[key] = ts[there], rows[there, sensor]
            channels["abcdefgh"[sensor]] = key
        self._machines.append(Machine(site, device, equipment, channels))
        return channels

    def machines(self, equipment: str | None = None) -> list[Machine]:
        found = [one for one in self._machines if equipment is None or one.equipment == equipment]
        return sorted(found, key=lambda one: one.name)

    def history(self, channels: Sequence[int], start: int, end: int) -> History:
        parts = []
        for key in sorted(set(channels)):
            ts, value = self._readings[key]
            inside = (ts >= start) & (ts < end)
            parts.append((np.full(int(inside.sum()), key, np.int32), ts[inside], value[inside]))
        columns = [np.concatenate(part) for part in zip(*parts, strict=True)]
        return History(columns[0], columns[1], columns[2])
