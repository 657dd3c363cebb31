"""Simulated streams for the tests of detectors, and how to send them through a fleet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import Batch
from models.anomaly.fleet import LiveFleet

#: Tuesday, 14 November 2023, 00:00 UTC
START = 1_699_920_000_000_000
MINUTE = 60_000_000

Floats = npt.NDArray[np.float64]


def batch(
    seq: int,
    channel: npt.ArrayLike,
    ts: npt.ArrayLike,
    value: npt.ArrayLike,
    *,
    received_at: int | None = None,
    late: bool = False,
) -> Batch:
    """Readings of one moment; `ts` of one number is everybody's."""
    keys = np.atleast_1d(np.asarray(channel, np.int32))
    times = np.broadcast_to(np.asarray(ts, np.int64), keys.shape).copy()
    return Batch(
        seq=seq,
        received_at=int(times.max()) if received_at is None else received_at,
        channel=keys,
        ts=times,
        value=np.broadcast_to(np.asarray(value, float), keys.shape).copy(),
        quality=np.zeros(len(keys), np.uint8),
        late=np.full(len(keys), late),
    )


@dataclass
class Replay:
    """Judgements of one series, reading by reading."""

    p: Floats
    cause: npt.NDArray[np.uint8]
    expected: Floats


def replay(
    values: npt.ArrayLike, fleet: LiveFleet | None = None, *, every: int = MINUTE, start: int = START, key: int = 0
) -> Replay:
    """Send a series through a fleet, one reading a batch; NaN is a reading that never came."""
    fleet = LiveFleet() if fleet is None else fleet
    series = np.asarray(values, float)
    steps = np.flatnonzero(~np.isnan(series)).tolist()
    out = [fleet.score(batch(step, key, start + step * every, series[step])) for step in steps]
    return Replay(
        np.array([scored.p[0] for scored in out]),
        np.array([scored.cause[0] for scored in out]),
        np.array([scored.expected[0] for scored in out]),
    )


def noise(n: int, seed: int = 0, *, memory: float = 0.9) -> Floats:
    """Autoregressive, with Student's t4 innovations."""
    rng = np.random.default_rng(seed)
    innovations = rng.standard_t(4, n)
    out = np.zeros(n)
    for step in range(1, n):
        out[step] = memory * out[step - 1] + innovations[step]
    return out
