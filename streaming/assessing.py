"""Judging submissions: which rows are taken, what is told about the others, and who the channels are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.ingest import Names, Rows
from industrial_brain.domain.telemetry import (
    MICROS_PER_SECOND,
    MOST_ERRORS,
    BackPressureError,
    Batch,
    Bytes,
    Declaration,
    Flags,
    ItemError,
    Keys,
    Micros,
    Receipt,
    Submission,
)
from streaming.channels import NO_UNIT, ChannelIndex
from streaming.judging import (
    LONGEST_NAME,
    Fate,
    advance,
    find_moments,
    index_moments,
    judge_older,
    judge_times,
    judge_values,
    take_back,
)

N = TypeVar("N", bound=np.generic)

_MINUTE = 60 * MICROS_PER_SECOND
#: nothing was measured before: 2000-01-01
_FLOOR = 946_684_800 * MICROS_PER_SECOND

_WORDS = {
    Fate.NOT_FINITE: ("not-finite", "The value is not a finite number: leave the reading out."),
    Fate.TOO_OLD: (
        "too-old",
        "The event time is before 2000, or older than readings are kept: correct the clock or the unit.",
    ),
    Fate.IN_THE_FUTURE: (
        "in-the-future",
        "The event time is ahead of our clock: correct the device's clock, or the unit.",
    ),
    Fate.BAD_NAME: ("bad-name", f"Device, metric and unit have 1 to {LONGEST_NAME} bytes each (a unit may be empty)."),
    Fate.TOO_MANY_CHANNELS: (
        "too-many-channels",
        "No more channels can begin now: send the reading again in a minute, or ask the operator for a higher limit.",
    ),
    Fate.UNIT_CHANGED: (
        "unit-changed",
        "The channel's unit is '{known}', and this is '{named}': convert the value, or declare the right unit.",
    ),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused. Times in microseconds.

    Attributes:
        ahead: how far event times may be ahead of our clock.
        retention: how old event times may be.
        new_per_minute: channels that may begin, a site and minute.
    """

    ahead: int = 10 * _MINUTE
    retention: int = 366 * 24 * 60 * _MINUTE
    new_per_minute: int = 100_000


@dataclass(slots=True)
class Newest:
    """The newest reading of every channel by event time, and the last value stored for that moment. `ts` 0: none yet."""

    ts: Micros
    value: npt.NDArray[np.float64]
    quality: Bytes

    @classmethod
    def reserved(cls, most: int) -> Newest:
        return cls(np.zeros(most, np.int64), np.zeros(most, np.float64), np.zeros(most, np.uint8))

    def advance(self, batch: Batch | Rows) -> None:
        """Take over rows that were stored, in the order in which they were."""
        advance(batch.channel, batch.ts, batch.value, batch.quality, self.ts, self.value, self.quality)


#: what was the newest of channels before: keys, times, values, qualities
_Undo = tuple[Keys, Micros, npt.NDArray[np.float64], Bytes]

#: stored rows of these channels at these event times, among others, in the order in which they were stored
Earlier = Callable[[Keys, Micros], Iterable[Rows]]


@dataclass(slots=True)
class Assessed:
    """A group of submissions, judged.

    Attributes:
        answers: a receipt, or a refusal of the whole, for each submission.
        digests: of requests that had nothing to be judged again.
    """

    channel: Keys
    ts: Micros
    value: npt.NDArray[np.float64]
    quality: Bytes
    late: Flags
    answers: list[Receipt | BackPressureError]
    digests: list[bytes]
    undo: list[_Undo] = field(default_factory=list)


@dataclass(slots=True)
class _Judged:
    """One submission on its way."""

    of: Submission
    key: Keys
    fate: Bytes
    late: Flags


class Assessor:
    """The one who judges what a shard takes. Owned by one thread.

    Args:
        earlier: asked about readings that are older than the newest of their channel.
    """

    def __init__(self, index: ChannelIndex, newest: Newest, limits: Limits, earlier: Earlier) -> None:
        self._index, self.newest, self._limits, self._earlier = index, newest, limits, earlier
        self._stated = len(index)
        self._units_found: list[Keys] = []
        self._begun: dict[str, tuple[int, int]] = {}

    def assess(self, submissions: Sequence[Submission], known: set[bytes], now: int) -> Assessed:
        """Judge submissions in order. The newest readings move on at once: `take_back` undoes that.

        Args:
            known: digests (of `digest_of`) of requests that were taken before.
        """
        undo: list[_Undo] = []
        digests = [digest_of(submission) for submission in submissions]
        judged: list[_Judged | Receipt] = []
        try:
            for submission, digest in zip(submissions, digests, strict=True):
                again = digest in known and not submission.errors
                judged.append(Receipt(duplicate=len(submission)) if again else self._judge(submission, now, undo))
            mine = [one for one in judged if isinstance(one, _Judged)]
            self._judge_older(mine)
        except BaseException:
            self._undo(undo)
            raise
        answers: list[Receipt | BackPressureError] = []
        fresh = []
        for one, digest in zip(judged, digests, strict=True):
            answer = self._answer(one, now) if isinstance(one, _Judged) else one
            answers.append(answer)
            if isinstance(one, _Judged) and isinstance(answer, Receipt) and len(one.of) and not answer.rejected:
                fresh.append(digest)
        taken = [one.fate <= Fate.LATE for one in mine]
        return Assessed(
            _joined([one.key[rows] for one, rows in zip(mine, taken, strict=True)], np.int32),
            _joined([one.of.ts[rows] for one, rows in zip(mine, taken, strict=True)], np.int64),
            _joined([one.of.value[rows] for one, rows in zip(mine, taken, strict=True)], np.float64),
            _joined([one.of.quality[rows] for one, rows in zip(mine, taken, strict=True)], np.uint8),
            _joined([one.late[rows] for one, rows in zip(mine, taken, strict=True)], np.bool_),
            answers,
            list(dict.fromkeys(fresh)),
            undo,
        )

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return len(self._index)

    def take_back(self, assessed: Assessed) -> None:
        """The group was not stored: nothing of it is the newest of anything."""
        self._undo(assessed.undo)

    def _undo(self, undo: list[_Undo]) -> None:
        for keys, ts, value, quality in reversed(undo):
            take_back(keys, ts, value, quality, self.newest.ts, self.newest.value, self.newest.quality)

    def declare(self, declarations: Iterable[Declaration]) -> None:
        """Units that are declared are those of their channels from now on. To be called between groups."""
        self._units_found.append(self._index.declare_units(declarations))

    def unstated(self) -> Names | None:
        """Channels and units that no names block states yet."""
        keys = np.concatenate([np.arange(self._stated, len(self._index), dtype=np.int32), *self._units_found])
        return self._index.names_of(np.unique(keys)) if len(keys) else None

    def stated(self) -> None:
        """What `unstated` gave is stored."""
        self._stated = len(self._index)
        self._units_found.clear()

    def _judge(self, of: Submission, now: int, undo: list[_Undo]) -> _Judged:
        limits, count = self._limits, len(of)
        fate = np.empty(count, np.uint8)
        late = np.zeros(count, np.bool_)
        oldest = max(_FLOOR, now - limits.retention)
        judge_values(of.ts, of.value, of.device.offsets, oldest, now + limits.ahead, fate)
        for names, codes, may_be_empty in (
            (of.metric.names, of.metric.codes, False),
            (of.unit.names, of.unit.codes, True),
        ):
            bad = [
                code
                for code, name in enumerate(names)
                if not (name or may_be_empty) or len(name.encode()) > LONGEST_NAME
            ]
            if bad:
                fate[np.isin(codes, bad) & (fate == Fate.ACCEPTED)] = Fate.BAD_NAME
        begun, used = self._begun.get(of.site, (now, 0))
        if now - begun >= _MINUTE:
            begun, used = now, 0
        before = len(self._index)
        key, unit = self._index.resolve(
            of.site, of.device, of.metric, of.unit, fate == Fate.ACCEPTED, limits.new_per_minute - used
        )
        if len(self._index) > before:
            self._index.expected_units(of.site, before)
            self._begun[of.site] = (begun, used + len(self._index) - before)
        fate[(fate == Fate.ACCEPTED) & (key < 0)] = Fate.TOO_MANY_CHANNELS
        self._judge_units(key, unit, fate)
        undone = (
            np.empty(count, np.int32),
            np.empty(count, np.int64),
            np.empty(count, np.float64),
            np.empty(count, np.uint8),
        )
        newest = self.newest
        many = judge_times(
            key, of.ts, of.value, of.quality, fate, late, newest.ts, newest.value, newest.quality, *undone
        )
        undo.append((undone[0][:many], undone[1][:many], undone[2][:many], undone[3][:many]))
        return _Judged(of, key, fate, late)

    def _judge_units(self, key: Keys, unit: Keys, fate: Bytes) -> None:
        named = np.flatnonzero((unit != NO_UNIT) & (fate == Fate.ACCEPTED))
        if not len(named):
            return
        keys, units = key[named], unit[named]
        known = self._index.unit_numbers(keys)
        first_named = known == NO_UNIT
        if first_named.any():
            found, rows = np.unique(keys[first_named], return_index=True)
            self._index.set_units(found, units[first_named][rows])
            self._units_found.append(found)
            known = self._index.unit_numbers(keys)
        fate[named[known != units]] = Fate.UNIT_CHANGED

    def _judge_older(self, judged: list[_Judged]) -> None:
        rows = [np.flatnonzero(one.fate == Fate.OLDER) for one in judged]
        if not any(len(some) for some in rows):
            return
        pairs = list(zip(judged, rows, strict=True))
        key = np.concatenate([one.key[some] for one, some in pairs])
        ts = np.concatenate([one.of.ts[some] for one, some in pairs])
        slots = np.full(1 << (2 * len(key)).bit_length(), -1, np.int32)
        first = index_moments(key, ts, slots)
        seen = np.zeros(len(key), np.bool_)
        value, quality = np.zeros(len(key)), np.zeros(len(key), np.uint8)
        for stored in self._earlier(key, ts):
            found = (stored.channel, stored.ts, stored.value, stored.quality)
            find_moments(*found, key, ts, slots, seen, value, quality)
        for one in judged:  # what this very group is about to store
            now = one.fate <= Fate.LATE
            now &= one.fate != Fate.OLDER
            pending = (one.key[now], one.of.ts[now], one.of.value[now], one.of.quality[now])
            find_moments(*pending, key, ts, slots, seen, value, quality)
        fate = np.empty(len(key), np.uint8)
        theirs = np.concatenate([one.of.value[some] for one, some in pairs])
        judge_older(
            first, theirs, np.concatenate([one.of.quality[some] for one, some in pairs]), seen, value, quality, fate
        )
        at = 0
        for one, some in pairs:
            one.fate[some] = fate[at : at + len(some)]
            one.late[some] = True
            at += len(some)

    def _answer(self, one: _Judged, now: int) -> Receipt | BackPressureError:
        counts = np.bincount(one.fate, minlength=len(Fate))
        if counts[Fate.TOO_MANY_CHANNELS] and counts[Fate.TOO_MANY_CHANNELS] == len(one.of):
            return self._no_room(one.of.site, now)
        refused = np.flatnonzero(one.fate >= Fate.NOT_FINITE)
        errors = list(one.of.errors)
        for row in refused[:MOST_ERRORS].tolist():
            code, detail = _WORDS[Fate(int(one.fate[row]))]
            if one.fate[row] == Fate.UNIT_CHANGED:
                detail = detail.format(known=self._index.name(int(one.key[row])).unit, named=one.of.unit[row])
            errors.append(ItemError(int(one.of.index[row]), code, detail))
        errors.sort(key=lambda error: error.index)
        return Receipt(
            accepted=int(counts[Fate.ACCEPTED] + counts[Fate.LATE]),
            duplicate=int(counts[Fate.DUPLICATE]),
            late=int(counts[Fate.LATE]),
            rejected=len(refused) + len(one.of.errors),
            errors=tuple(errors[:MOST_ERRORS]),
        )

    def _no_room(self, site: str, now: int) -> BackPressureError:
        if len(self._index) >= self._index.most:
            return BackPressureError(
                f"The service follows {self._index.most:,} channels, which is as many as it may.",
                "Ask the operator for a higher limit.",
                3600,
            )
        begun = self._begun.get(site, (now, 0))[0]
        return BackPressureError(
            f"The site has begun {self._limits.new_per_minute:,} channels within a minute, which is as many as it may.",
            "Send the readings again later; those of known channels are taken meanwhile.",
            max(1, (begun + _MINUTE - now) / MICROS_PER_SECOND),
        )


def digest_of(submission: Submission) -> bytes:
    """16 bytes for a request and the site that it is for."""
    return hashlib.blake2b(submission.digest, digest_size=16, key=submission.site.encode()[:64]).digest()


def _joined(parts: list[npt.NDArray[N]], dtype: type[N]) -> npt.NDArray[N]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
