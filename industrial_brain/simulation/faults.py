"""Faults that are planted in simulated telemetry on purpose: planned, labelled, and worked into the values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.simulation.machines import Flags
from industrial_brain.simulation.sensors import METRICS, Equipment, Metric
from industrial_brain.simulation.streams import stream


class Kind(StrEnum):
    """What can go wrong. docs/reference/simulator.md tells each one's size and length."""

    SPIKE = "spike"
    LEVEL_SHIFT = "level-shift"
    DRIFT = "drift"
    STUCK = "stuck"
    NOISE = "noise"
    DROPOUT = "dropout"
    OUTAGE = "gateway-outage"
    CLOCK_SKEW = "clock-skew"
    UNIT_CHANGE = "unit-change"
    BROKEN_RELATION = "broken-relation"
    LEAK = "leak"


#: readings that a fault lasts, least and most; never more than a quarter of the history
_LENGTHS = {
    Kind.SPIKE: (1, 3),
    Kind.LEVEL_SHIFT: (60, 180),
    Kind.DRIFT: (120, 360),
    Kind.STUCK: (60, 180),
    Kind.NOISE: (60, 180),
    Kind.DROPOUT: (30, 120),
    Kind.OUTAGE: (20, 60),
    Kind.CLOCK_SKEW: (30, 90),
    Kind.UNIT_CHANGE: (60, 180),
    Kind.BROKEN_RELATION: (120, 360),
    Kind.LEAK: (60, 240),
}

#: spreads that the value is moved by, or its noise multiplied
_SIZES = {Kind.SPIKE: (8.0, 15.0), Kind.LEVEL_SHIFT: (4.0, 8.0), Kind.DRIFT: (6.0, 12.0), Kind.NOISE: (4.0, 6.0)}

_BEHIND_SECONDS, _AHEAD_SECONDS = (1_800.0, 5_400.0), (120.0, 240.0)
_LEAK_SHARE = (0.15, 0.35)  # of the line's flow at full load
_LEAK_RAMP = 10  # readings until a leak is fully open

#: the first third of the history is free of faults: there, a detector learns
_CLEAN_SHARE = 1 / 3

#: sensors of a pump that can lose their relation to the others: pressure, flow, vibration, current
_RELATED = (0, 1, 3, 4)


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault, the ground truth.

    Attributes:
        device: number of the device in the plant.
        metrics: positions, among the sensors of the device's class, of those that show it; all where the whole device does.
        first, last: steps, both in it.
        size: spreads, a factor, seconds or m3/h, as `unit` says; 0 where a size means nothing.
        named: of a unit change: whether readings name their new unit, or go on naming the old one.
    """

    id: str
    kind: Kind
    device: int
    metrics: tuple[int, ...]
    first: int
    last: int
    size: float = 0.0
    unit: str = ""
    named: bool = False

    def within(self, first: int, steps: int) -> slice | None:
        """Its steps in a block that begins at `first`, counted from the block's begin; None if it has none."""
        begin, end = max(self.first - first, 0), min(self.last + 1 - first, steps)
        return slice(begin, end) if begin < end else None


def plan_faults(
    seed: int,
    count: int,
    classes: Sequence[Equipment],
    parents: npt.NDArray[np.int64],
    steps: int,
    kinds: Sequence[Kind] = tuple(Kind),
) -> tuple[Fault, ...]:
    """`count` faults of these kinds in turn, at most one a device, none in the first third of the history.

    Args:
        classes: of each device.
        parents: number of each device's gateway, -1 for gateways.

    Raises:
        InputError: the devices or the history are too few for so many.
    """
    if count < 0:
        raise InputError(f"{count} faults can't be planted.", "Name a number from 0 on.")
    rng = stream(seed, "faults")
    first_allowed = int(np.ceil(steps * _CLEAN_SHARE))
    if count and steps - first_allowed < 4:
        raise InputError(f"A history of {steps} readings is too short for faults.", "Raise --minutes, or plant none.")
    free = np.ones(len(classes), bool)
    turn = [kinds[i] for i in rng.permutation(len(kinds))]
    # first, while there are gateways with nothing wrong behind them
    turn.sort(key=lambda kind: kind is not Kind.OUTAGE)
    faults: list[Fault] = []
    while len(faults) < count and turn:
        kind = turn.pop(0)
        able = [i for i, equipment in enumerate(classes) if free[i] and equipment in _able(kind)]
        if kind is Kind.OUTAGE:
            able = [i for i in able if free[parents == i].all()]
        if not able:
            continue  # this kind has nowhere left to happen
        device = able[int(rng.integers(len(able)))]
        free[device] = False
        if kind is Kind.OUTAGE:
            free[parents == device] = False
        low, high = (min(length, max(steps // 4, 1)) for length in _LENGTHS[kind])
        length = int(rng.integers(low, high + 1))
        first = int(rng.integers(first_allowed, max(steps - length, first_allowed) + 1))
        faults.append(_fault(rng, f"sim-fault-{len(faults) + 1:04d}", kind, classes[device], device, first, length))
        turn.append(kind)
    if len(faults) < count:
        raise InputError(
            f"There is room for {len(faults)} faults, not {count}: at most one a device.",
            "Name more devices, or fewer faults.",
        )
    return tuple(sorted(faults, key=lambda fault: (fault.first, fault.id)))


def _able(kind: Kind) -> tuple[Equipment, ...]:
    """Classes that a kind happens to."""
    if kind is Kind.OUTAGE:
        return (Equipment.GATEWAY,)
    if kind is Kind.LEAK:
        return (Equipment.GAS_LINE,)
    if kind is Kind.BROKEN_RELATION:
        return (Equipment.PUMP,)
    analogue = (Equipment.PUMP, Equipment.POWER_METER, Equipment.GAS_LINE)
    return (*analogue, Equipment.VALVE) if kind in (Kind.DROPOUT, Kind.CLOCK_SKEW) else analogue


def _fault(
    rng: np.random.Generator, name: str, kind: Kind, equipment: Equipment, device: int, first: int, length: int
) -> Fault:
    metrics = METRICS[equipment]
    shown: tuple[int, ...] = tuple(range(len(metrics)))
    size, unit, named = 0.0, "", False
    if kind in _SIZES:
        shown = (_one(rng, [i for i, metric in enumerate(metrics) if metric.spread]),)
        size, unit = float(rng.uniform(*_SIZES[kind])), metrics[shown[0]].unit
        size *= metrics[shown[0]].spread * (1.0 if kind is Kind.NOISE or rng.random() < 0.5 else -1.0)
    elif kind is Kind.STUCK:
        shown = (_one(rng, [i for i, metric in enumerate(metrics) if metric.spread]),)
    elif kind is Kind.UNIT_CHANGE:
        shown = (_one(rng, [i for i, metric in enumerate(metrics) if metric.other]),)
        named = bool(rng.random() < 0.5)
        other = metrics[shown[0]].other
        size, unit = (other.factor, other.unit) if other else (1.0, "")
    elif kind is Kind.CLOCK_SKEW:
        behind = rng.random() < 0.5
        size = -float(rng.uniform(*_BEHIND_SECONDS)) if behind else float(rng.uniform(*_AHEAD_SECONDS))
        unit = "s"
    elif kind is Kind.BROKEN_RELATION:
        shown = (_one(rng, _RELATED),)
    elif kind is Kind.LEAK:
        shown, size, unit = (1, 2, 3), float(rng.uniform(*_LEAK_SHARE)) * 380.0, "m3/h"
    return Fault(name, kind, device, shown, first, first + length - 1, size, unit, named)


def _one(rng: np.random.Generator, among: Sequence[int]) -> int:
    return among[int(rng.integers(len(among)))]


class Worked:
    """A fault at work on its device's values, block after block."""

    def __init__(self, seed: int, fault: Fault) -> None:
        self.fault = fault
        self._rng = stream(seed, fault.id)
        self._held = 0.0

    def apart(self, first: int, steps: int) -> tuple[int, Flags] | None:
        """The sensor that follows a load of its own, and at which steps; None if this fault does no such thing now."""
        here = self.fault.within(first, steps)
        if self.fault.kind is not Kind.BROKEN_RELATION or here is None:
            return None
        flags = np.zeros(steps, bool)
        flags[here] = True
        return self.fault.metrics[0], flags

    def spoil(self, values: Floats, first: int, metrics: Sequence[Metric]) -> None:
        """Change `values` (`[metric, step]`, of this device) in place."""
        fault = self.fault
        here = fault.within(first, values.shape[1])
        if here is None:
            return
        one = values[fault.metrics[0]]
        since = np.arange(first + here.start, first + here.stop) - fault.first
        length = fault.last - fault.first + 1
        if fault.kind in (Kind.SPIKE, Kind.LEVEL_SHIFT):
            one[here] += fault.size
        elif fault.kind is Kind.DRIFT:
            one[here] += fault.size * (since + 1) / length
        elif fault.kind is Kind.NOISE:
            one[here] += fault.size * self._rng.standard_normal(len(since))
        elif fault.kind is Kind.STUCK:
            if since[0] == 0:
                self._held = float(one[here.start])
            one[here] = self._held
        elif fault.kind is Kind.UNIT_CHANGE:
            other = metrics[fault.metrics[0]].other
            if other is not None:
                one[here] = one[here] * other.factor + other.offset
        elif fault.kind is Kind.LEAK:
            share = np.minimum((since + 1) / _LEAK_RAMP, 1.0)
            outlet, flow, methane = fault.metrics
            values[flow, here] += fault.size * share
            values[outlet, here] -= 0.08 * fault.size * share
            values[methane, here] += 0.02 * fault.size * share
