"""The live detector of every channel. How it works and when not to believe it: docs/reference/anomalies.md."""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Cause, Declaration, Keys, Scored
from models.anomaly.kernel import judge, silent
from models.anomaly.state import BYTES_A_CHANNEL, CHANNEL, HAS_LIMITS, HAS_RHYTHM, IS_COUNTER, Channels
from models.anomaly.tails import Pools
from models.anomaly.watched import Watched

SCHEMA = 2

#: p under which a silence is reported
SILENCE = 1e-12

#: seconds without any batch after which the service was away, and can't blame channels for their silence
AWAY = 300

#: laws are read off the counts anew after so many readings, then after twice as many, and so on up to MOST_APART more
FIRST_REFIT, MOST_APART = 4_096, 262_144

#: of float32
LARGEST = float(np.finfo(np.float32).max)

#: bytes from which on large pages are asked for
_HUGE = 64 << 20


class LiveFleet:
    """The live state of every channel: 256 bytes each, updated by every reading. Implements `Fleet`.

    Not safe to share between threads: one scorer owns it. Equal batches in equal order give equal bytes, however the rows
    are divided into batches (of one receive time).

    Args:
        watch_all: watch every channel closely, as if it had been declared so: for a handful of them.
    """

    def __init__(self, capacity: int = 1_024, *, watch_all: bool = False) -> None:
        self._channels = _empty(capacity)
        self._size = 0
        self._pools = Pools()
        self._judged = 0
        self._next_refit = FIRST_REFIT
        self._wrap_keys: Keys = np.zeros(0, np.int32)
        self._wrap_ats: npt.NDArray[np.float64] = np.zeros(0)
        self._watched = Watched()
        self._watch_all = watch_all
        self._clock = 0
        self._resumed = 0

    def __len__(self) -> int:
        return self._size

    def score(self, batch: Batch) -> Scored:
        """Judge a batch, then learn from it. One judgement a row, in order."""
        self._pass_time(batch.received_at)
        n = len(batch)
        p, expected, score = (np.empty(n, np.float32) for _ in range(3))
        cause = np.empty(n, np.uint8)
        if n:
            self._grow(int(batch.channel.max()) + 1)
        value = np.clip(batch.value, -LARGEST, LARGEST).astype(np.float32)
        done = 0
        while done < n:
            # laws change after a number of *rows*, wherever a batch ends
            upto = min(n, done + self._next_refit - self._judged)
            pools = self._pools
            judge(
                self._channels, pools.tails, pools.counts, pools.joint_tails, pools.joint_counts,
                self._wrap_keys, self._wrap_ats,
                batch.received_at, done, upto,
                batch.channel, batch.ts, batch.value, batch.quality, batch.late, p, cause, expected, score,
            )  # fmt: skip
            self._judged += upto - done
            done = upto
            if self._judged == self._next_refit:
                pools.refit()
                self._next_refit += min(self._next_refit, MOST_APART)
        if self._watch_all:
            self._watched.add(batch.channel)
        if len(self._watched):
            self._watched.judge(batch, p, cause, score)
        return Scored(batch.seq, batch.channel, batch.ts, p, cause, value, expected, score)

    def look(self, seq: int, now: int) -> Scored:
        """Channels that have been silent for too long at `now` (microseconds): only those, each once until it speaks again."""
        self._pass_time(now)
        keys = np.empty(self._size, np.int32)
        p = np.empty(self._size, np.float32)
        found = silent(self._channels[: self._size], now, self._resumed, math.log(SILENCE), keys, p)
        nothing = np.full(found, np.nan, np.float32)
        return Scored(
            seq=seq,
            channel=keys[:found].copy(),
            ts=np.full(found, now, np.int64),
            p=p[:found].copy(),
            cause=np.full(found, Cause.SILENT, np.uint8),
            value=nothing,
            expected=nothing.copy(),
            score=np.ones(found, np.float32),
        )

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        """Take over what operators said of these channels. A channel that turns into a counter is learnt anew."""
        if not keys:
            return
        self._grow(max(keys) + 1)
        wraps = dict(zip(self._wrap_keys.tolist(), self._wrap_ats.tolist(), strict=True))
        merged = _merged(keys, declarations)
        for key, declared in merged.items():
            channel = self._channels[key]
            flags = int(channel["flags"]) & ~(HAS_LIMITS | HAS_RHYTHM)
            if declared.low is not None or declared.high is not None:
                flags |= HAS_LIMITS
                channel["low"] = _outwards(declared.low, -math.inf)
                channel["high"] = _outwards(declared.high, math.inf)
            if declared.seconds is not None:
                flags |= HAS_RHYTHM
                channel["interval"] = declared.seconds
                channel["gap"] = max(float(channel["gap"]), declared.seconds)
            if declared.counter != bool(flags & IS_COUNTER):
                flags ^= IS_COUNTER
                channel["learnt"] = 0
            channel["flags"] = flags
            wraps.pop(key, None)
            if declared.counter and declared.wraps_at is not None:
                wraps[key] = declared.wraps_at
        watched = [
            key for key, declared in zip(keys, declarations, strict=True) if declared.watch and not declared.counter
        ]
        self._watched.remove(np.setdiff1d(keys, watched).astype(np.int32))
        self._watched.add(np.array(watched, np.int32))
        self._wrap_keys = np.array(sorted(wraps), np.int32)
        self._wrap_ats = np.array([wraps[key] for key in sorted(wraps)], np.float64)

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as arrays, by name: channels as bytes, `(n, 256)`.

        These are no copy: a city's are 1.7 GB. Write them down before the next batch is scored, or copy them.
        """
        return {
            "schema": np.array([SCHEMA], np.int64),
            "channels": self._channels[: self._size].view(np.uint8).reshape(-1, BYTES_A_CHANNEL),
            "numbers": np.array([self._judged, self._next_refit, self._clock, self._resumed], np.int64),
            "wrap_keys": self._wrap_keys.copy(),
            "wrap_ats": self._wrap_ats.copy(),
            **self._watched.save(),
            "counts": self._pools.counts.copy(),
            "joint_counts": self._pools.joint_counts.copy(),
            "tails": self._pools.tails.copy(),
            "joint_tails": self._pools.joint_tails.copy(),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. Raises BundleError."""
        try:
            if arrays["schema"].tolist() != [SCHEMA]:
                raise ValueError
            saved = np.ascontiguousarray(arrays["channels"], np.uint8).reshape(-1, BYTES_A_CHANNEL)
            channels = _empty(max(len(saved), len(self._channels)))
            channels.view(np.uint8).reshape(-1, BYTES_A_CHANNEL)[: len(saved)] = saved
            numbers = [int(x) for x in arrays["numbers"].astype(np.int64)]
            wrap_keys, wrap_ats = arrays["wrap_keys"].astype(np.int32), arrays["wrap_ats"].astype(np.float64)
            pools, watched = Pools(), Watched.of(arrays)
            for name in ("counts", "joint_counts", "tails", "joint_tails"):
                getattr(pools, name)[:] = arrays[name]
        except (LookupError, ValueError) as error:
            raise BundleError(
                "this is not a state of the live detectors that this version can read",
                "Start without it: it is learnt again from readings.",
            ) from error
        self._channels, self._size, self._pools = channels, len(saved), pools
        self._judged, self._next_refit, self._clock, self._resumed = numbers
        self._wrap_keys, self._wrap_ats, self._watched = wrap_keys, wrap_ats, watched

    def _pass_time(self, now: int) -> None:
        if self._clock == 0 or now - self._clock > AWAY * MICROS_PER_SECOND:
            self._resumed = now
        self._clock = max(self._clock, now)

    def _grow(self, size: int) -> None:
        if size > len(self._channels):
            grown = _empty(max(size, 2 * len(self._channels)))
            grown[: self._size] = self._channels[: self._size]
            self._channels = grown
        self._size = max(self._size, size)


def _merged(keys: Sequence[int], declarations: Sequence[Declaration]) -> dict[int, Declaration]:
    """One declaration a channel: what a later one leaves open (of a device, then of its metric) an earlier one says."""
    merged: dict[int, Declaration] = {}
    for key, said in zip(keys, declarations, strict=True):
        before = merged.get(key, said)
        merged[key] = replace(
            said,
            low=before.low if said.low is None else said.low,
            high=before.high if said.high is None else said.high,
            wraps_at=before.wraps_at if said.wraps_at is None else said.wraps_at,
            seconds=before.seconds if said.seconds is None else said.seconds,
            counter=before.counter or said.counter,
            watch=before.watch or said.watch,
        )
    return merged


def _empty(capacity: int) -> Channels:
    """Records of zeros that begin on a cache line. Pages that were never touched take no memory."""
    memory = mmap.mmap(-1, max(capacity, 1) * BYTES_A_CHANNEL, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE") and len(memory) >= _HUGE:
        # a channel is found by one look-up of an address instead of three
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, CHANNEL)


def _outwards(limit: float | None, missing: float) -> np.float32:
    """A limit as float32, rounded away from what it allows."""
    if limit is None:
        return np.float32(missing)
    single = np.float32(limit)
    if (missing < 0.0) == (float(single) > limit) and float(single) != limit:
        single = np.nextafter(single, np.float32(missing))
    return single
