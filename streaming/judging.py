"""What becomes of each row of a submission: accepted, late, duplicate or refused, as compiled kernels over columns."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Uint8s = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

#: longest name of a device, in bytes
LONGEST_NAME = 256


class Fate(IntEnum):
    """What becomes of a row."""

    ACCEPTED = 0
    OLDER = 1  # than the newest of its channel: late, or a duplicate; what is stored has to be asked
    LATE = 2
    DUPLICATE = 3
    NOT_FINITE = 4
    TOO_OLD = 5
    IN_THE_FUTURE = 6
    BAD_NAME = 7
    TOO_MANY_CHANNELS = 8
    UNIT_CHANGED = 9


_ACCEPTED, _OLDER, _LATE, _DUPLICATE = int(Fate.ACCEPTED), int(Fate.OLDER), int(Fate.LATE), int(Fate.DUPLICATE)
_NOT_FINITE, _TOO_OLD, _FUTURE = int(Fate.NOT_FINITE), int(Fate.TOO_OLD), int(Fate.IN_THE_FUTURE)
_BAD_NAME = int(Fate.BAD_NAME)
_LONGEST = LONGEST_NAME


@compiled
def judge_values(ts: Int64s, value: Float64s, offsets: Int64s, oldest: int, latest: int, fate: Uint8s) -> int:
    """Refuse what no channel could take: write each row's fate, and return how many are not refused."""
    good = 0
    for row in range(len(ts)):
        length = offsets[row + 1] - offsets[row]
        if not np.isfinite(value[row]):
            fate[row] = _NOT_FINITE
        elif ts[row] < oldest:
            fate[row] = _TOO_OLD
        elif ts[row] > latest:
            fate[row] = _FUTURE
        elif length == 0 or length > _LONGEST:
            fate[row] = _BAD_NAME
        else:
            fate[row] = _ACCEPTED
            good += 1
    return good


@compiled
def judge_times(
    key: Int32s,
    ts: Int64s,
    value: Float64s,
    quality: Uint8s,
    fate: Uint8s,
    late: Bools,
    newest_ts: Int64s,
    newest_value: Float64s,
    newest_quality: Uint8s,
    undo_key: Int32s,
    undo_ts: Int64s,
    undo_value: Float64s,
    undo_quality: Uint8s,
) -> int:
    """Compare accepted rows, in order, with the newest of their channels, which they become.

    Equal to the newest is a duplicate; at its time with another value supersedes it (accepted, and late for the live state);
    older ones are `OLDER`. What the newest were before goes to `undo_...`; returns how many that are.
    """
    undone = 0
    for row in range(len(key)):
        if fate[row] != _ACCEPTED:
            continue
        k = key[row]
        before = newest_ts[k]
        if ts[row] < before:
            fate[row] = _OLDER
            continue
        if ts[row] == before:
            if value[row] == newest_value[k] and quality[row] == newest_quality[k]:
                fate[row] = _DUPLICATE
                continue
            fate[row] = _LATE
            late[row] = True
        undo_key[undone] = k
        undo_ts[undone] = before
        undo_value[undone] = newest_value[k]
        undo_quality[undone] = newest_quality[k]
        undone += 1
        newest_ts[k] = ts[row]
        newest_value[k] = value[row]
        newest_quality[k] = quality[row]
    return undone


@compiled
def take_back(
    undo_key: Int32s,
    undo_ts: Int64s,
    undo_value: Float64s,
    undo_quality: Uint8s,
    newest_ts: Int64s,
    newest_value: Float64s,
    newest_quality: Uint8s,
) -> None:
    """Undo `judge_times`, newest first."""
    for i in range(len(undo_key) - 1, -1, -1):
        k = undo_key[i]
        newest_ts[k] = undo_ts[i]
        newest_value[k] = undo_value[i]
        newest_quality[k] = undo_quality[i]


@compiled
def advance(
    key: Int32s,
    ts: Int64s,
    value: Float64s,
    quality: Uint8s,
    newest_ts: Int64s,
    newest_value: Float64s,
    newest_quality: Uint8s,
) -> None:
    """Make stored rows, in the order in which they were stored, the newest of their channels where they are not older."""
    for row in range(len(key)):
        k = key[row]
        if ts[row] >= newest_ts[k]:
            newest_ts[k] = ts[row]
            newest_value[k] = value[row]
            newest_quality[k] = quality[row]


@compiled
def _slot(key: int, ts: int, mask: int) -> int:
    h = np.uint64(ts) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(key) * np.uint64(0xC2B2AE3D27D4EB4F)
    return int(np.int64((h ^ (h >> np.uint64(29))) & np.uint64(mask)))


@compiled
def index_moments(key: Int32s, ts: Int64s, slots: Int32s) -> Int32s:
    """Number the distinct (key, ts) of these rows: the first row of each goes into `slots` (a power of two, all -1).

    Returns, a row, the first row of the same moment.
    """
    mask = len(slots) - 1
    first = np.empty(len(key), np.int32)
    for row in range(len(key)):
        at = _slot(key[row], ts[row], mask)
        while slots[at] >= 0 and (key[slots[at]] != key[row] or ts[slots[at]] != ts[row]):
            at = (at + 1) & mask
        if slots[at] < 0:
            slots[at] = row
        first[row] = slots[at]
    return first


@compiled
def find_moments(
    stored_key: Int32s,
    stored_ts: Int64s,
    stored_value: Float64s,
    stored_quality: Uint8s,
    key: Int32s,
    ts: Int64s,
    slots: Int32s,
    seen: Bools,
    value: Float64s,
    quality: Uint8s,
) -> None:
    """Note for moments that `index_moments` numbered what is stored there: the last of the stored rows counts."""
    mask = len(slots) - 1
    for i in range(len(stored_key)):
        at = _slot(stored_key[i], stored_ts[i], mask)
        while slots[at] >= 0:
            row = slots[at]
            if key[row] == stored_key[i] and ts[row] == stored_ts[i]:
                seen[row] = True
                value[row] = stored_value[i]
                quality[row] = stored_quality[i]
                break
            at = (at + 1) & mask


@compiled
def judge_older(
    first: Int32s, value: Float64s, quality: Uint8s, seen: Bools, at_value: Float64s, at_quality: Uint8s, fate: Uint8s
) -> None:
    """Tell late rows from duplicates, in order: each late one is what is stored at its moment from then on."""
    for row in range(len(first)):
        moment = first[row]
        if seen[moment] and at_value[moment] == value[row] and at_quality[moment] == quality[row]:
            fate[row] = _DUPLICATE
        else:
            fate[row] = _LATE
            seen[moment] = True
            at_value[moment] = value[row]
            at_quality[moment] = quality[row]
