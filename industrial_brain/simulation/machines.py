"""Simulated machines: what a pump, a gas line, a power meter, a valve and a gateway measure, minute after minute.

Each class draws its own load (a daily and weekly profile, a slow drift, a lively rest) and derives its sensors from it, so that
they hang together as those of a real machine do. docs/reference/simulator.md has the equations. Values are arrays
`[metric, device, step]`; state is carried from block to block, so that a long history is made in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from industrial_brain.domain.panel import Floats
from industrial_brain.simulation.sensors import METRICS, Equipment

Flags = npt.NDArray[np.bool_]

#: share of full load at each hour, on a working day; hours are local
_FACTORY_HOURS = (
    *(0.42, 0.40, 0.38, 0.38, 0.40, 0.48, 0.62, 0.80, 0.95, 0.98, 0.96, 0.90),
    *(0.82, 0.88, 0.96, 0.98, 0.96, 0.92, 0.86, 0.80, 0.72, 0.62, 0.54, 0.47),
)
_GAS_HOURS = (
    *(0.30, 0.26, 0.24, 0.24, 0.28, 0.42, 0.70, 0.84, 0.66, 0.56, 0.64, 0.84),
    *(0.90, 0.68, 0.54, 0.52, 0.60, 0.80, 0.98, 1.00, 0.84, 0.66, 0.50, 0.38),
)
_FACTORY_WEEKEND, _GAS_WEEKEND = 0.62, 1.08

#: a minute's persistence of what is left of the load and of a sensor's error
_PERSISTENCE = 0.9
_LIVELINESS = 0.08  # standard deviation of the load around its profile
_DRIFT_DAYS, _DRIFT_SIZE = 3.0, 0.03

_DAY, _MINUTE = 86_400.0, 60.0


@dataclass(frozen=True, slots=True)
class Clock:
    """The steps of a block: local hours since a Monday's midnight, and seconds from step to step."""

    hours: Floats
    every: float


class Machines(Protocol):
    """All devices of one class."""

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        """The next steps: `[metric, device, step]`, before rounding.

        Args:
            apart: per metric, `[device, step]`: where it follows a load of its own, as if it belonged to another machine.
        """
        ...


def build(kind: Equipment, count: int, every: float, rng: np.random.Generator) -> Machines:
    """`count` machines of a class, of log-normal sizes."""
    return _CLASSES[kind](count, every, rng)


class _Autoregression:
    """Errors of unit variance, Student t with 4 degrees of freedom, that fade by `_PERSISTENCE` a minute, or in `seconds`."""

    def __init__(self, shape: tuple[int, ...], every: float, rng: np.random.Generator, seconds: float | None = None):
        self._phi = _PERSISTENCE ** (every / _MINUTE) if seconds is None else float(np.exp(-every / seconds))
        self._last = rng.standard_normal(shape)

    def run(self, steps: int, rng: np.random.Generator) -> Floats:
        shocks = rng.standard_t(4, (*self._last.shape, steps)) * np.sqrt((1 - self._phi**2) / 2)  # t4 has variance 2
        made, _ = lfilter([1.0], [1.0, -self._phi], shocks, axis=-1, zi=self._phi * self._last[..., None])
        self._last = made[..., -1]
        return np.asarray(made)


class _Lag:
    """What follows its cause with a time constant, as heat does."""

    def __init__(self, start: Floats, every: float, seconds: float) -> None:
        self._phi = float(np.exp(-every / seconds))
        self._last = start

    def run(self, cause: Floats) -> Floats:
        made, _ = lfilter([1 - self._phi], [1.0, -self._phi], cause, axis=-1, zi=self._phi * self._last[..., None])
        self._last = made[..., -1]
        return np.asarray(made)


class _Load:
    """Share of full load of each device: profile times drift, plus a lively rest."""

    def __init__(
        self, count: int, every: float, rng: np.random.Generator, hours: tuple[float, ...], weekend: float
    ) -> None:
        self._hours, self._weekend = np.asarray((*hours, hours[0])), weekend
        self._shift = rng.uniform(-0.75, 0.75, count)
        self._depth = rng.uniform(0.6, 1.0, count)
        self._drift = _Autoregression((count,), every, rng, seconds=_DRIFT_DAYS * _DAY)
        self._rest = _Autoregression((count,), every, rng)

    def run(self, clock: Clock, rng: np.random.Generator) -> Floats:
        hours = clock.hours[None, :] + self._shift[:, None]
        profile = np.interp(hours % 24, np.arange(25), self._hours)
        profile *= np.where(hours % 168 >= 120, self._weekend, 1.0)
        profile = 0.7 + self._depth[:, None] * (profile - 0.7)
        steps = len(clock.hours)
        return np.asarray(
            np.clip(
                profile * (1 + _DRIFT_SIZE * self._drift.run(steps, rng)) + _LIVELINESS * self._rest.run(steps, rng),
                0.05,
                1.4,
            )
        )


class _Pumps:
    """Centrifugal pumps: flow follows speed, pressure its square, current their product, heat the current; see the docs."""

    def __init__(self, count: int, every: float, rng: np.random.Generator) -> None:
        self._load = _Load(count, every, rng, _FACTORY_HOURS, _FACTORY_WEEKEND)
        self._other = _Load(count, every, rng, _FACTORY_HOURS, _FACTORY_WEEKEND)
        self._size = _sizes(count, rng)
        self._errors = _Autoregression((5, count), every, rng)
        self._heat = _Lag(np.full(count, 0.6), every, seconds=1200.0)

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        load, other = self._load.run(clock, rng), self._other.run(clock, rng)
        errors = self._errors.run(len(clock.hours), rng)
        size = self._size[:, None]
        heat = self._heat.run(_pump_current(load) ** 2)
        day = 22.0 + 4.0 * np.sin(2 * np.pi * (clock.hours % 24 - 9.0) / 24)
        loads = [np.where(apart[metric], other, load) if apart and metric in apart else load for metric in range(5)]
        return np.stack(
            [
                6.0 * (0.3 + 0.7 * loads[0] ** 2) * (1 + 0.01 * errors[0]),
                80.0 * size * loads[1] * (1 + 0.015 * errors[1]),
                day + 30.0 * heat + 0.3 * errors[2],
                2.0 * (0.4 + 0.6 * loads[3] ** 2) * (1 + 0.06 * errors[3]),
                45.0 * size * _pump_current(loads[4]) * (1 + 0.015 * errors[4]),
            ]
        )


def _pump_current(load: Floats) -> Floats:
    return 0.25 + 0.75 * load * (0.3 + 0.7 * load**2)


class _PowerMeters:
    """Power follows the load; energy is its sum, which wraps."""

    def __init__(self, count: int, every: float, rng: np.random.Generator) -> None:
        self._load = _Load(count, every, rng, _FACTORY_HOURS, _FACTORY_WEEKEND)
        self._size = _sizes(count, rng)
        self._errors = _Autoregression((count,), every, rng)
        (self._wraps_at,) = (metric.wraps_at for metric in METRICS[Equipment.POWER_METER] if metric.wraps_at)
        self._count = rng.uniform(0.0, self._wraps_at, count)

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        load = self._load.run(clock, rng)
        power = 150.0 * self._size[:, None] * load * (1 + 0.01 * self._errors.run(len(clock.hours), rng))
        total = self._count[:, None] + np.cumsum(power, axis=-1) * clock.every / 3600.0
        energy = total % self._wraps_at
        self._count = energy[:, -1]
        return np.stack([power, energy])


class _Valves:
    """Open for 40 minutes and shut for 20, on average, each time for a random time; the position follows in half a minute."""

    def __init__(self, count: int, every: float, rng: np.random.Generator) -> None:
        self._open = rng.random(count) < 2 / 3
        self._errors = _Autoregression((count,), every, rng)
        self._lag = _Lag(self._open.astype(np.float64), every, seconds=30.0)

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        draws = rng.random((len(self._open), len(clock.hours)))
        opens, shuts = (1 - np.exp(-clock.every / seconds) for seconds in (1200.0, 2400.0))
        states = np.empty(draws.shape)
        for step in range(draws.shape[1]):  # all valves at once; a state needs the one before
            self._open = np.where(self._open, draws[:, step] >= shuts, draws[:, step] < opens)
            states[:, step] = self._open
        position = 100.0 * self._lag.run(states) + 0.3 * self._errors.run(len(clock.hours), rng)
        return np.stack([states, position])


class _GasLines:
    """Regulated lines: pressures droop with the flow's square, methane stays near the ground."""

    def __init__(self, count: int, every: float, rng: np.random.Generator) -> None:
        self._load = _Load(count, every, rng, _GAS_HOURS, _GAS_WEEKEND)
        self._size = _sizes(count, rng)
        self._errors = _Autoregression((4, count), every, rng)

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        load = self._load.run(clock, rng)
        errors = self._errors.run(len(clock.hours), rng)
        return np.stack(
            [
                0.42 - 0.03 * load**2 + 0.003 * errors[0],
                220.0 - 16.0 * load**2 + 0.8 * errors[1],
                380.0 * self._size[:, None] * load * (1 + 0.012 * errors[2]),
                np.maximum(0.10 + 0.02 * errors[3], 0.0),
            ]
        )


class _Gateways:
    """Strength of the radio signal."""

    def __init__(self, count: int, every: float, rng: np.random.Generator) -> None:
        self._level = rng.uniform(-75.0, -55.0, count)
        self._errors = _Autoregression((count,), every, rng)

    def run(self, clock: Clock, rng: np.random.Generator, apart: Mapping[int, Flags] | None = None) -> Floats:
        signal = self._level[:, None] + 2.0 * self._errors.run(len(clock.hours), rng)
        return np.minimum(signal, -30.0)[None]


def _sizes(count: int, rng: np.random.Generator) -> Floats:
    return np.exp(rng.normal(0.0, 0.35, count))


_CLASSES: Mapping[Equipment, type[_Pumps | _PowerMeters | _Valves | _GasLines | _Gateways]] = {
    Equipment.GATEWAY: _Gateways,
    Equipment.PUMP: _Pumps,
    Equipment.POWER_METER: _PowerMeters,
    Equipment.VALVE: _Valves,
    Equipment.GAS_LINE: _GasLines,
}
