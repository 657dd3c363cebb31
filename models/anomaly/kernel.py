"""Judge a reading, then learn from it: the compiled heart of the fleet. See docs/reference/anomalies.md for what and why.

One pass over the rows, in their order: a row touches one channel (four cache lines) and small tables. Scores become
logarithms of p-values by tables of the pools (`tails`), one a detector and age.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.telemetry import Bytes, Cause, Flags, Keys, Micros, Quality
from models.anomaly.state import (
    DETECTORS,
    HAS_LIMITS,
    HAS_RHYTHM,
    HAS_VALUE,
    IS_COUNTER,
    IS_SILENT,
    LEVEL,
    RUN,
    STEP,
    Channels,
)

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

NONE, AT_LEVEL, AT_RATE, AT_STUCK = int(Cause.NONE), int(Cause.LEVEL), int(Cause.RATE), int(Cause.STUCK)
AT_LIMIT, AT_CLOCK, AT_SHIFT = int(Cause.LIMIT), int(Cause.CLOCK), int(Cause.SHIFT)
BAD = int(Quality.BAD)

#: bins of a pool: BODY even ones below a channel's edge, then PER_OCTAVE an octave of (1 + excess / mean excess)
BODY, PER_OCTAVE, OCTAVES = 32, 16, 10
BINS = BODY + PER_OCTAVE * OCTAVES
#: bins of the joint pool, in bits of the smallest p
PER_BIT, BITS = 8, 64
JOINT_BINS = PER_BIT * BITS
#: ages of channels, in readings: each has pools of its own, as the young ones know themselves less well
AGES = 3
AGE_1, AGE_2 = 512, 4_096

#: kinds of tails: the largest excess of a channel so far, in mean excesses, is below each of these, or above all
KINDS = 4
KIND_1, KIND_2, KIND_3 = 6.0, 15.0, 50.0
#: share of a record that is forgotten with every reading
FORGOTTEN = 1e-4

#: readings of a channel before it is judged
WARM_UP = 32
#: share of readings over a channel's edge
OVER_EDGE = 0.05
#: a reading with a smaller p is suspect: it is not learnt from, except ...
SUSPECT = math.log(1e-4)
#: ... by its streak: after so many suspect readings in a row, the change is lasting
LASTING = 100
#: after so many, a streak is no excursion that the laws should know of
EXCURSION = 16
#: deviations are clipped at so many spreads before anything learns from them
CLIP = 3.0
#: readings that come too late, one by one, before the clock is blamed
BEHIND = 30
#: seconds over which level, spread and errors are averaged
SLOW = 2.0 * 86_400.0
LN2 = math.log(2.0)
#: score is 1 from this p on
FULL_SCORE = -math.log(1e-12)
#: values beyond are taken as this one: spreads are kept in single precision
LARGEST = 1e30
#: p of a reading outside its declared limits
OUTSIDE = math.log(1e-30)
SECOND, DAY_SECONDS, HOUR_SECONDS = 1_000_000, 86_400, 3_600


@compiled
def _clipped(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


@compiled
def _bin(score: float, edge: float, excess: float) -> float:
    """Where a score lies in its pool, in bins."""
    if score < edge:
        return BODY * score / edge
    return min(BODY + PER_OCTAVE * math.log2(1.0 + (score - edge) / excess), BINS + 1e6)


@compiled
def _read(table: Floats, place: float) -> float:
    """A table between its nodes; beyond the last one on the line of its last two."""
    last = len(table) - 1
    at = min(int(place), last - 1)
    return float(table[at] + (table[at + 1] - table[at]) * (place - at))


@compiled
def _age(learnt: int) -> int:
    return 0 if learnt < AGE_1 else 1 if learnt < AGE_2 else 2


@compiled
def _kind(record: float) -> int:
    """Channels that have been as far out are pooled: who never was is not expected to be, whatever others do."""
    return 0 if record < KIND_1 else 1 if record < KIND_2 else 2 if record < KIND_3 else 3


@compiled
def _rare(count: float, length: float, longest: float) -> float:
    """Logarithm of the chance that a run (or a pause) becomes this long, if the longest of `count` so far was `longest`.

    Lengths fall off exponentially; then the longest of n is ln(n) means long, and one twice as long has a chance of 1 / n.
    """
    return -math.log(count + 1.0) * max(length / longest - 1.0, 0.0)


@compiled
def _wrapped(key: int, rise: float, value: float, wrap_keys: Keys, wrap_ats: Floats) -> float:
    """By how much a counter rose, when it seems to have fallen: over its wrap, or from 0 after a restart."""
    if rise >= 0.0:
        return rise
    at = np.searchsorted(wrap_keys, key)
    if at < len(wrap_keys) and wrap_keys[at] == key and rise + wrap_ats[at] >= 0.0:
        return float(rise + wrap_ats[at])
    return value


@compiled
def _begin(c: Any, x: float) -> None:
    """A channel's first value."""
    c.level, c.learnt, c.run, c.memory = x, 1, 1, 0.5
    for d in range(DETECTORS):
        c.edge[d], c.excess[d], c.record[d] = 2.6, 1.0, 0.0
    c.edge[RUN], c.excess[RUN] = 0.5, 0.1  # of a mean of sixteen, not of one


@compiled
def judge(
    channels: Channels,
    tails: Floats,
    counts: Floats,
    joint_tails: Floats,
    joint_counts: Floats,
    wrap_keys: Keys,
    wrap_ats: Floats,
    received_at: int,
    begin: int,
    end: int,
    key: Keys,
    ts: Micros,
    value: Floats,
    quality: Bytes,
    late: Flags,
    p: Singles,
    cause: Bytes,
    expected: Singles,
    score: Singles,
) -> int:
    """Judge rows `begin` to `end`; the number that were judged. `p`, `cause`, `expected`, `score` are filled in."""
    judged = 0
    z = np.zeros(DETECTORS)
    place = np.zeros(DETECTORS)
    logs = np.zeros(DETECTORS)
    pool = np.zeros(DETECTORS, np.int64)
    for row in range(begin, end):
        p[row], cause[row], expected[row], score[row] = 1.0, NONE, np.nan, 0.0
        if late[row]:
            continue
        c = channels[key[row]]
        x = _clipped(value[row], LARGEST)
        passed = (ts[row] - c.last_ts) / SECOND
        is_new = c.last_ts == 0
        if passed <= 0.0 and not is_new:
            continue
        c.last_ts = ts[row]
        c.flags = np.uint8(c.flags & ~IS_SILENT)
        if quality[row] == BAD:
            continue
        is_outside = (c.flags & HAS_LIMITS) != 0 and not (c.low <= x <= c.high)
        if is_outside:
            p[row], cause[row], score[row] = math.exp(OUTSIDE), AT_LIMIT, 1.0
        raw, before = x, c.last_value
        is_counter = (c.flags & IS_COUNTER) != 0
        had_value = (c.flags & HAS_VALUE) != 0
        c.last_value = raw
        c.flags = np.uint8(c.flags | HAS_VALUE)
        delay = (received_at - ts[row]) / SECOND
        if is_new:
            c.delay, c.days = delay, 1
        if is_counter and had_value:
            x = _wrapped(key[row], raw - before, raw, wrap_keys, wrap_ats) / max(passed, 1e-6)
        if c.learnt == 0:
            if not is_outside and (had_value or not is_counter):
                _begin(c, x)
            continue

        # -- its rhythm
        n = float(c.learnt)
        fresh = 1.0 / (n + 1.0)
        if c.interval == 0.0:
            c.interval, c.gap = passed, passed
        elif (c.flags & HAS_RHYTHM) == 0:
            c.interval *= 1.0 + max(fresh, 0.01) * (
                1.0 if passed > c.interval else -1.0 if passed < c.interval else 0.0
            )
        interval = max(float(c.interval), 1e-6)
        if passed > c.gap:
            c.gap = min(passed, 4.0 * c.gap)
        else:
            c.gap = max(c.gap * (1.0 - 5e-5), interval)

        # -- its clock: ahead at once; behind only when it lasts, and not for a backlog, whose readings come together
        off = delay - c.delay
        late_by = max(abs(off) / max(c.delay_spread, 1.0) - 3.0, 0.0)
        log_clock = 0.0
        heard = (received_at // 1_000) & 255
        if late_by == 0.0:
            c.behind = np.uint8(0)
        elif off > 0.0 and heard != c.heard:
            c.behind = np.uint8(min(c.behind + 1, 255))
        if late_by > 0.0 and (off < 0.0 or c.behind >= BEHIND):
            log_clock = -4.0 * math.log1p(late_by / 4.0)
        c.heard = np.uint8(heard)
        gain = max(fresh, 0.005)
        c.delay_spread += gain * (min(abs(off), CLIP * max(c.delay_spread, 1.0)) - c.delay_spread)
        c.delay += gain * _clipped(off, CLIP * max(c.delay_spread, 1.0))

        # -- runs of equal values
        is_repeat = x == before if not is_counter else raw == before
        if is_repeat:
            c.run = np.uint16(min(c.run + 1, 65_535))
        else:
            c.longest = max(c.longest, c.run)
            c.runs = np.uint16(min(c.runs + 1, 65_535))
            c.run = np.uint16(1)
        log_stuck = _rare(float(c.runs), float(c.run), c.longest + 3.0) if is_repeat and c.runs > 0 else 0.0

        # -- where it should be: level, profile, and what of the last deviation remains
        second = ts[row] // SECOND
        of_day = second % DAY_SECONDS
        weekday = (second // DAY_SECONDS) % 7
        at = of_day / HOUR_SECONDS - 0.5
        hour_0 = math.floor(at)
        part = at - hour_0
        hour_0 = (hour_0 + 24) % 24
        hour_1 = (hour_0 + 1) % 24
        profile = (1.0 - part) * c.hours[hour_0] + part * c.hours[hour_1] + c.weekdays[weekday]
        share = 0.0
        if c.days > 2 and c.error_with > 0.0:
            share = min(max((c.error_without / c.error_with - 1.02) / 0.08, 0.0), 1.0)
        deviation = x - c.level
        residual = deviation - share * profile
        memory, noise, spread = float(c.memory), float(c.noise), float(c.spread)
        tiny = 1e-9 * abs(c.level) + 1e-30
        steps = passed / interval
        wide = 1.0
        is_steady = 0.5 < steps < 1.5
        remains = memory
        if not is_steady:
            remains = memory**steps if memory > 0.0 else 0.0
            wide = math.sqrt(max((1.0 - remains * remains) / max(1.0 - memory * memory, 1e-3), 0.1))
        error = residual - remains * c.residual
        scaled = error / max(noise * wide, tiny)

        # -- how rare that is
        push = c.push + (_clipped(scaled, CLIP) - c.push) / 16.0
        log_p, which = 0.0, AT_LEVEL
        is_judged = n >= WARM_UP
        age = _age(c.learnt)
        family = age * KINDS
        if is_judged and noise > 0.0:
            z[STEP], z[LEVEL], z[RUN] = abs(scaled), abs(residual) / max(spread, tiny), abs(push)
            for d in range(DETECTORS):
                edge, excess = max(float(c.edge[d]), 1e-3), max(float(c.excess[d]), 1e-4)
                place[d] = _bin(z[d], edge, excess)
                pool[d] = (age * KINDS + _kind(c.record[d])) * DETECTORS + d
                logs[d] = _read(tails[pool[d]], place[d])
            family = pool[STEP] // DETECTORS
            log_p = min(logs[STEP], logs[LEVEL], logs[RUN])
            if logs[STEP] == log_p and logs[LEVEL] > math.log(1e-3):
                which = AT_RATE
            if c.days < 2 or (c.days == 2 and n * interval < DAY_SECONDS):
                log_p = max(log_p, -2.0 * math.log(n + 1.0))  # what it does in a day is not known yet
        elif is_judged and not is_repeat:
            log_p = math.log(fresh)  # it never changed before
        if log_stuck < log_p:
            log_p, which = log_stuck, AT_STUCK
        if log_clock < log_p:
            log_p, which = log_clock, AT_CLOCK
        is_suspect = False
        if is_judged:
            judged += 1
            bits = -log_p / LN2
            joint = _read(joint_tails[family], bits * PER_BIT)
            is_suspect = joint < SUSPECT
            if not is_outside:
                p[row], cause[row] = math.exp(max(joint, -85.0)), which
                score[row] = min(-joint / FULL_SCORE, 1.0)
            forecast = c.level + share * profile + remains * c.residual
            expected[row] = forecast if not is_counter else before + forecast * passed
            if not (is_suspect and c.streak > EXCURSION):
                joint_counts[family, min(int(bits * PER_BIT), JOINT_BINS - 1)] += 1.0
                if noise > 0.0:
                    for d in range(DETECTORS):
                        counts[pool[d], min(int(place[d]), BINS - 1)] += 1.0

        # -- learn
        if is_outside:
            continue
        today = ts[row] // (SECOND * DAY_SECONDS)
        if today != (ts[row] - int(passed * SECOND)) // (SECOND * DAY_SECONDS):
            c.days = np.uint8(min(c.days + 1, 255))
        is_far = is_judged and (
            (is_suspect and which != AT_STUCK and which != AT_CLOCK)
            or abs(residual) > 2.0 * max(c.edge[LEVEL], 1e-3) * max(spread, tiny)
        )
        if is_suspect and is_far and c.streak == 0 and noise > 0.0:
            # an anomaly makes the next one likelier, and does not rule
            for d in range(DETECTORS):
                excess = (z[d] - max(c.edge[d], 1e-3)) / max(c.excess[d], 1e-4)
                c.record[d] = max(c.record[d], min(excess, 3.0 * c.record[d] + 3.0))
        if is_far and noise > 0.0:
            c.streak = np.uint16(c.streak + 1)
            c.moved += (residual - c.moved) / c.streak
            if c.streak >= LASTING:
                cause[row] = AT_SHIFT
                c.level += c.moved
                c.residual = residual - c.moved
                c.learnt = min(c.learnt, 2 * WARM_UP)
                c.streak, c.moved, c.push = 0, 0.0, 0.0
                continue
        else:
            c.streak = np.uint16(max(c.streak - 4, 0))
        residual_before = float(c.residual)
        c.residual, c.push = residual, push
        if not is_repeat:
            if noise == 0.0:
                c.noise, c.spread = abs(error), abs(residual)
            else:
                gain = max(fresh, 1.0 / 512.0)
                c.noise += gain * (min(abs(error) / wide, CLIP * noise) - noise)
                gain = max(fresh, min(passed / SLOW, 1.0 / 64.0))
                c.spread += gain * (min(abs(residual), CLIP * max(spread, tiny)) - spread)
        if is_suspect:
            continue
        slow = max(fresh, min(passed / SLOW, 1.0 / 32.0))
        clip = CLIP * max(spread, tiny) if n > WARM_UP else 1e300
        c.learnt = min(c.learnt + 1, 4_000_000_000)
        # the profile is learnt for two days before it is measured
        gain = max(fresh, min(2.0 * passed / SLOW, 1.0 / 32.0))
        c.error_without += gain * (min(abs(deviation), 1e30) - c.error_without)
        if c.days > 2:
            c.error_with += gain * (min(abs(deviation - profile), 1e30) - c.error_with)
        else:
            c.error_with = c.error_without
        bent = _clipped(deviation - profile, clip + 2.0 * c.error_without)
        young = max(0.15, 1.0 / c.days)
        gain = young * min(passed / HOUR_SECONDS, 1.0)
        c.hours[hour_0] += gain * (1.0 - part) * bent
        c.hours[hour_1] += gain * part * bent
        c.weekdays[weekday] += max(0.15, 7.0 / (c.days + 6.0)) * min(passed / DAY_SECONDS, 1.0) * 0.5 * bent
        c.level += slow * _clipped(residual, clip)
        if is_steady and noise > 0.0:
            old = _clipped(residual_before, CLIP * spread)
            step = max(fresh, 0.004) * _clipped(error, CLIP * noise) * old / (old * old + spread * spread + 1e-300)
            c.memory = min(max(memory + step, -0.5), 0.999)
        if noise > 0.0 and is_judged:
            first = max(8.0 / (n + 16.0), 0.01)
            over = max(1.0 / (OVER_EDGE * n + 4.0), 0.005)
            for d in range(DETECTORS):
                gain = first if d == STEP else max(4.0 / (n + 32.0), 0.005 if d == RUN else 0.0025)
                edge, excess = max(float(c.edge[d]), 1e-3), max(float(c.excess[d]), 1e-4)
                if z[d] >= edge:
                    c.edge[d] = min(edge * (1.0 + gain * (1.0 - OVER_EDGE)), 6.0)
                    c.excess[d] = min(excess + over * (min(z[d] - edge, 6.0 * excess) - excess), 6.0)
                    c.record[d] = max(c.record[d] * (1.0 - FORGOTTEN), (z[d] - edge) / excess)
                else:
                    c.record[d] *= 1.0 - FORGOTTEN
                    c.edge[d] = edge * (1.0 - gain * OVER_EDGE)
    return judged


@compiled
def silent(channels: Channels, now: int, resumed: int, most: float, keys: Keys, p: Singles) -> int:
    """Channels whose silence at `now` has a p under `most` (logarithm), each once: their number; `keys`, `p` are filled in."""
    found = 0
    for key in range(len(channels)):
        c = channels[key]
        if c.learnt < WARM_UP or (c.flags & IS_SILENT) != 0:
            continue
        pause = (now - max(c.last_ts, resumed)) / SECOND - max(float(c.delay), 0.0)
        if pause < 2.0 * c.gap:
            continue
        chance = _rare(min(float(c.learnt), 1e6), pause, max(float(c.gap), 1.0))
        if chance < most:
            c.flags = np.uint8(c.flags | IS_SILENT)
            keys[found], p[found] = key, math.exp(max(chance, -85.0))
            found += 1
    return found
