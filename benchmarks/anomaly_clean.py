"""False alarms on clean data: does the operator get the rate that was set, and are p-values what they claim to be?

Simulated devices with nothing wrong: each an autoregression of 0.9 with Student's t4 innovations at a level, a scale, a
daily profile (half of them) and a slow drift of its own, a reading a minute, 5% of them missing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.table import OURS, Row
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Cause, Decided
from models.anomaly.decisions import DAY, LiveDecider, Policy
from models.anomaly.fleet import LiveFleet

#: Tuesday, 14 November 2023, 00:00 UTC
START = 1_699_920_000 * MICROS_PER_SECOND
MINUTE = 60 * MICROS_PER_SECOND
MINUTES_A_DAY = DAY // MINUTE
#: levels at which p-values are counted
ALPHAS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


@dataclass(frozen=True, slots=True)
class CleanRates:
    """What a fleet did where nothing was wrong, after its days of warming up.

    Attributes:
        judged: readings with a p-value.
        inflation: by level, the share of p-values at or below it over the level; 1 is right, above 1 is too many.
        expected: by level, how many p-values should have been there; the ratio of a few is chance.
        episodes: by policy's name, episodes of each day.
        us_per_reading: processor time of scoring.
    """

    judged: int
    inflation: Mapping[float, float]
    expected: Mapping[float, float]
    episodes: Mapping[str, tuple[int, ...]]
    us_per_reading: float


def clean_minutes(devices: int, days: float, seed: int) -> Iterator[Batch]:
    """A batch a minute."""
    rng = np.random.default_rng(seed)
    level, scale = rng.normal(0.0, 100.0, devices), np.exp(rng.normal(0.0, 2.0, devices))
    swing = rng.exponential(3.0, devices) * (rng.random(devices) < 0.5)
    phase = rng.uniform(0.0, 2.0 * np.pi, devices)
    drift = rng.normal(0.0, 0.1, devices) / MINUTES_A_DAY
    state = np.zeros(devices)
    keys = np.arange(devices, dtype=np.int32)
    for minute in range(round(days * MINUTES_A_DAY)):
        state = 0.9 * state + rng.standard_t(4, devices)
        value = level + scale * (state + swing * np.sin(2.0 * np.pi * minute / MINUTES_A_DAY + phase) + drift * minute)
        here = rng.random(devices) >= 0.05
        now, count = START + minute * MINUTE, int(here.sum())
        yield Batch(
            seq=minute + 1,
            received_at=now,
            channel=keys[here],
            ts=np.full(count, now, np.int64),
            value=value[here],
            quality=np.zeros(count, np.uint8),
            late=np.zeros(count, bool),
        )


def measure_clean(
    devices: int = 10_000,
    days: int = 10,
    *,
    warm_up: int = 3,
    policies: Mapping[str, Policy] | None = None,
    seed: int = 0,
) -> CleanRates:
    """Run the shipped detector and its decisions over clean data, and count.

    Args:
        days: all of them, of which the first `warm_up` are not counted: a profile needs some days.
        policies: by the name they shall have in the answer; each decides by itself on the same p-values.
    """
    policies = policies or {"10 alarms a day": Policy(alarms_a_day=10.0)}
    fleet, deciders = LiveFleet(devices), {name: LiveDecider(policy) for name, policy in policies.items()}
    last = {name: np.full(devices, np.iinfo(np.int64).min // 2) for name in policies}
    episodes = {name: np.zeros(days, np.int64) for name in policies}
    below, judged, seconds, readings = np.zeros(len(ALPHAS), np.int64), 0, 0.0, 0
    for batch in clean_minutes(devices, days, seed):
        begun = time.thread_time()
        parts = [fleet.score(batch), fleet.look(batch.seq, batch.received_at)]
        seconds, readings = seconds + time.thread_time() - begun, readings + len(batch)
        day = (batch.received_at - START) // DAY
        for name, decider in deciders.items():
            for scored in parts:
                decided = decider.decide(scored, batch.received_at)
                episodes[name][day] += _begun(decided, last[name], policies[name].hold)
        if day >= warm_up:
            p = parts[0].p[parts[0].cause != Cause.NONE]
            judged += len(p)
            below += [int(np.count_nonzero(p <= alpha)) for alpha in ALPHAS]
    return CleanRates(
        judged=judged,
        inflation={alpha: float(n / judged / alpha) for alpha, n in zip(ALPHAS, below, strict=True)},
        expected={alpha: alpha * judged for alpha in ALPHAS},
        episodes={name: tuple(counts[warm_up:].tolist()) for name, counts in episodes.items()},
        us_per_reading=1e6 * seconds / readings,
    )


#: rates that the clean part of the benchmark sets, by the slice that they are printed in
POLICIES = {
    "budget=10": Policy(alarms_a_day=10.0),
    "budget=50": Policy(alarms_a_day=50.0),
    "fdr=0.1": Policy(alarms_a_day=None, fdr=0.1),
}
CLEAN_NOTE = (
    "clean: simulated devices where nothing is wrong, 5 days after 3 of learning: episodes a day beside the rate that was "
    "set, and the share of p-values at or below a level over that level, where a hundred of them are expected."
)


def clean_rows(devices: int) -> tuple[Row, ...]:
    """The clean part of the benchmark as figures."""
    rates = measure_clean(devices, 8, warm_up=3, policies=POLICIES)
    alarms = [Row("clean", OURS, name, "alarms_per_day", float(np.mean(days))) for name, days in rates.episodes.items()]
    inflation = [
        Row("clean", OURS, f"p<={alpha:g}", "p_inflation", ratio)
        for alpha, ratio in rates.inflation.items()
        if rates.expected[alpha] >= 100.0
    ]
    return (*alarms, *inflation, Row("clean", OURS, "all", "us_per_reading", rates.us_per_reading))


def _begun(decided: Decided, last: np.ndarray[tuple[int], np.dtype[np.int64]], hold: float) -> int:
    """How many episodes these alarms begin: an alarm within `hold` seconds of its channel's last one goes on with it."""
    channel, ts = decided.scored.channel[decided.alarm], decided.scored.ts[decided.alarm]
    fresh = len(np.unique(channel[ts - last[channel] > hold * MICROS_PER_SECOND]))
    last[channel] = ts
    return fresh
