"""Passes over bytes, compiled: where the elements of a JSON array begin and end, and what RFC 3339 texts mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_QUOTE, _BACKSLASH, _COMMA, _COLON = 0x22, 0x5C, 0x2C, 0x3A
_OPEN, _CLOSE, _OPEN_BRACE, _CLOSE_BRACE = 0x5B, 0x5D, 0x7B, 0x7D

_MICROS = 1_000_000
_DAY_SECONDS = 86_400


@compiled
def scan_array(data: Bytes, start: int, edges: Ints, names: Ints) -> int:
    """Find the elements of the JSON array that begins at `start`; whether they are JSON is for others to say.

    Args:
        edges: filled with the places of the opening bracket, of each comma between elements, and of the closing bracket.
        names: filled with the number of names at the top of each element, where it is an object.

    Returns:
        How many stretches lie between edges (an empty array has one, of nothing); -1 where the array never ends; -2 where
        there are more than `edges` can hold.
    """
    depth, count, inside = 1, 0, False
    edges[0], names[0] = start, 0
    at = start + 1
    while at < len(data):
        byte = data[at]
        if inside:
            if byte == _BACKSLASH:
                at += 1
            elif byte == _QUOTE:
                inside = False
        elif byte == _QUOTE:
            inside = True
        elif byte == _COMMA:
            if depth == 1:
                if count + 3 > len(edges):
                    return -2
                count += 1
                edges[count], names[count] = at, 0
        elif byte == _COLON:
            if depth == 2:
                names[count] += 1
        elif byte in (_OPEN, _OPEN_BRACE):
            depth += 1
        elif byte in (_CLOSE, _CLOSE_BRACE):
            depth -= 1
            if depth == 0:
                edges[count + 1] = at
                return count + 1
        at += 1
    return -1


@compiled
def _digits(data: Bytes, start: int, count: int) -> int:
    """The number that `count` digits make, or -1."""
    number = 0
    for at in range(start, start + count):
        digit = data[at] - 0x30
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@compiled
def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that begin in March."""
    if month <= 2:
        year -= 1
        month += 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719_469


@compiled
def _moment(data: Bytes, start: int, end: int) -> tuple[bool, int]:
    """Microseconds since 1970 that one text means."""
    if end - start < 20:
        return False, 0
    year, month, day = _digits(data, start, 4), _digits(data, start + 5, 2), _digits(data, start + 8, 2)
    hour, minute, second = _digits(data, start + 11, 2), _digits(data, start + 14, 2), _digits(data, start + 17, 2)
    if min(year, month, day, hour, minute, second) < 0 or hour > 23 or minute > 59 or second > 59:
        return False, 0
    if data[start + 4] != 0x2D or data[start + 7] != 0x2D or data[start + 13] != _COLON or data[start + 16] != _COLON:
        return False, 0
    if data[start + 10] not in (0x54, 0x74, 0x20):  # T, t, or a space
        return False, 0
    if month < 1 or month > 12 or day < 1:
        return False, 0
    length = 30 if month in (4, 6, 9, 11) else 31
    if month == 2:
        length = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    if day > length:
        return False, 0
    at, fraction, unit = start + 19, 0, _MICROS
    if data[at] == 0x2E:
        at += 1
        first = at
        while at < end and 0x30 <= data[at] <= 0x39:
            if unit > 1:
                unit //= 10
                fraction += (data[at] - 0x30) * unit
            at += 1
        if at == first:
            return False, 0
    offset = 0
    if at == end - 1 and data[at] in (0x5A, 0x7A):
        pass
    elif at == end - 6 and data[at] in (0x2B, 0x2D) and data[at + 3] == _COLON:
        hours, minutes = _digits(data, at + 1, 2), _digits(data, at + 4, 2)
        if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
            return False, 0
        offset = (hours * 60 + minutes) * 60
        if data[at] == 0x2D:
            offset = -offset
    else:
        return False, 0
    seconds = _days(year, month, day) * _DAY_SECONDS + (hour * 60 + minute) * 60 + second - offset
    return True, seconds * _MICROS + fraction


@compiled
def read_moments(data: Bytes, offsets: Ints, micros: Ints, good: Flags) -> None:
    """What RFC 3339 texts mean; digits beyond the microsecond are cut off. Fills `micros` and `good`, one a text."""
    for row in range(len(micros)):
        good[row], micros[row] = _moment(data, offsets[row], offsets[row + 1])
