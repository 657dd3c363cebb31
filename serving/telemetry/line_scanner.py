"""One pass over InfluxDB line protocol, compiled: bytes in, columns of numbers and offsets out.

    measurement,tag=value,tag=value field=1.5,other=2i 1700000000000000000

A line that is not as the protocol has it gives no row; the scan goes on behind the next line feed. Names are written into
buffers of their own, unescaped. Everything that is kept of the body is bounded by the number of rows that are wanted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# what may be wrong, in the order of `serving.telemetry.lines.REASONS`
MEASUREMENT, TAG, TAG_TWICE, MANY_TAGS, FIELD, STRING, TIME, LONG_NAME, NO_DEVICE, NUMBER, RANGE = range(11)

LONGEST = 255  # bytes of a name
MOST_TAGS = 64
KEPT_ERRORS = 1_000

# instead of the code of a unit
NO_UNIT, LONG_UNIT = -1, -2

_SPACE, _TAB, _FEED, _RETURN = 0x20, 0x09, 0x0A, 0x0D
_COMMA, _EQUALS, _BACKSLASH, _QUOTE, _HASH, _POINT = 0x2C, 0x3D, 0x5C, 0x22, 0x23, 0x2E
_PLUS, _MINUS, _ZERO, _NINE = 0x2B, 0x2D, 0x30, 0x39

_POWERS = 10.0 ** np.arange(23)  # exact in binary
_EXACT = 2**53

_GOOD, _LATER, _NO_NUMBER, _TOO_BIG = 0, 1, 2, 3

_DEVICE = np.frombuffer(b"device", np.uint8)
_UNIT = np.frombuffer(b"unit", np.uint8)
_MOST_UNSIGNED = np.frombuffer(b"18446744073709551615", np.uint8)


class Scan(NamedTuple):
    """What was found. A row is a field of a line; `line` leads from a row to the columns of lines.

    Attributes:
        value: float64, rows; where `later_end` is not 0, the number is still to be read from `later_start` to there.
        metric: code of each row, into names that lie end to end in `metrics` at `metric_offsets`.
        device: bytes; line `k`'s name is at `device_offsets[k]` to `device_offsets[k + 1]`.
        unit: code of each line, into names as for metrics; or `NO_UNIT`, `LONG_UNIT`.
        time, timed: of each line, as it is written.
        place: number of each line in the body, from 0; blank lines and comments count.
        error_*: of the first errors: number of the line, what is wrong, and at which byte of the body.
        errors: how many there are.
        full: whether there were more rows than wanted.
    """

    line: Ints
    metric: Codes
    value: Floats
    later_start: Ints
    later_end: Ints
    metrics: Bytes
    metric_offsets: Ints
    device: Bytes
    device_offsets: Ints
    unit: Codes
    units: Bytes
    unit_offsets: Ints
    time: Ints
    timed: Flags
    place: Ints
    error_place: Ints
    error_kind: Ints
    error_at: Ints
    errors: int
    full: bool


@compiled
def _name_end(data: Bytes, at: int, equals: bool) -> int:
    """Where a name ends: at a comma, a space or a line's end that is not escaped, and if `equals` at such a sign too."""
    while at < len(data):
        byte = data[at]
        if byte == _BACKSLASH and at + 1 < len(data) and data[at + 1] in (_COMMA, _SPACE, _EQUALS):
            at += 2
            continue
        if byte in (_COMMA, _SPACE, _FEED) or (equals and byte == _EQUALS):
            return at
        if byte == _RETURN and (at + 1 == len(data) or data[at + 1] == _FEED):
            return at
        at += 1
    return at


@compiled
def _copy(data: Bytes, start: int, end: int, out: Bytes, to: int) -> int:
    """Copy a name without its escapes; returns where it ends, or -1 where it is too long."""
    first = to
    at = start
    while at < end:
        if data[at] == _BACKSLASH and at + 1 < end and data[at + 1] in (_COMMA, _SPACE, _EQUALS):
            at += 1
        if to - first == LONGEST:
            return -1
        out[to] = data[at]
        to += 1
        at += 1
    return to


@compiled
def _equal(data: Bytes, start: int, end: int, word: Bytes) -> bool:
    if end - start != len(word):
        return False
    for k in range(len(word)):  # noqa: SIM110  # as a machine does it
        if data[start + k] != word[k]:
            return False
    return True


@compiled
def _compare(data: Bytes, start: int, end: int, other: int, other_end: int) -> int:
    """Sign of the first stretch of bytes against the second, in the order of bytes."""
    for k in range(min(end - start, other_end - other)):
        difference = int(np.int64(data[start + k]) - np.int64(data[other + k]))  # not int(): that stays unsigned
        if difference != 0:
            return difference
    return (end - start) - (other_end - other)


@compiled
def _code(names: Bytes, offsets: Ints, count: int, table: Codes, end: int) -> int:
    """The code of the name that was written behind the last one: an old one's, or `count` for a new one."""
    start = offsets[count]
    mark = np.int64(-3750763034362895579)  # FNV-1a
    for at in range(start, end):
        mark = (mark ^ np.int64(names[at])) * np.int64(1099511628211)
    slot = (mark ^ (mark >> 29)) & (len(table) - 1)
    while table[slot] >= 0:
        code = int(table[slot])
        first = offsets[code]
        if offsets[code + 1] - first == end - start:
            same = True
            for k in range(end - start):
                if names[first + k] != names[start + k]:
                    same = False
                    break
            if same:
                return code
        slot = (slot + 1) & (len(table) - 1)
    table[slot] = count
    offsets[count + 1] = end
    return count


@compiled
def _whole(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """A decimal integer: whether it is good, and its value."""
    negative = start < end and data[start] == _MINUS
    at = start + 1 if start < end and data[start] in (_MINUS, _PLUS) else start
    if at == end:
        return _NO_NUMBER, 0
    value = 0
    for k in range(at, end):
        digit = int(np.int64(data[k]) - _ZERO)
        if digit < 0 or digit > 9:
            return _NO_NUMBER, 0
        if value > 922337203685477580 or (value == 922337203685477580 and digit > 7):
            return _TOO_BIG, 0
        value = value * 10 + digit
    return _GOOD, -value if negative else value


@compiled
def _fits_unsigned(data: Bytes, start: int, end: int) -> bool:
    """Whether decimal digits are less than 2 to the 64th."""
    at = start
    while at < end and data[at] in (_PLUS, _ZERO):
        at += 1
    if end - at != len(_MOST_UNSIGNED):
        return end - at < len(_MOST_UNSIGNED)
    for k in range(len(_MOST_UNSIGNED)):
        if data[at + k] != _MOST_UNSIGNED[k]:
            return bool(data[at + k] < _MOST_UNSIGNED[k])
    return True


@compiled
def _truth(data: Bytes, start: int, end: int) -> int:
    """1 and 0 for the words of truth, in lower case, upper case, or with a capital; else -1."""
    length = end - start
    first = data[start] | 0x20
    if length == 1:
        return 1 if first == 0x74 else 0 if first == 0x66 else -1
    word = b"true" if first == 0x74 else b"false"
    if length != len(word):
        return -1
    upper = data[start] < 0x60 and data[start + 1] < 0x60
    for k in range(length):
        wanted = np.int64(word[k]) - (0x20 if upper else 0)
        if k == 0:
            if (data[start] | 0x20) != word[0]:
                return -1
        elif data[start + k] != wanted:
            return -1
    return 1 if first == 0x74 else 0


@compiled
def _number(data: Bytes, start: int, end: int) -> tuple[int, float]:
    """What a field's value means: `_GOOD` and the number; `_LATER` where the nearest double needs longer arithmetic."""
    if start == end:
        return _NO_NUMBER, 0.0
    last = data[end - 1]
    if last in (0x69, 0x75):  # i, u
        if last == 0x75 and data[start] == _MINUS:
            return _NO_NUMBER, 0.0
        kind, number = _whole(data, start, end - 1)
        if kind == _TOO_BIG and last == 0x75 and _fits_unsigned(data, start, end - 1):
            return _LATER, 0.0
        return kind, float(number)
    if last > _NINE:
        truth = _truth(data, start, end)
        return (_GOOD, float(truth)) if truth >= 0 else (_NO_NUMBER, 0.0)
    negative = data[start] == _MINUS
    at = start + 1 if data[start] in (_MINUS, _PLUS) else start
    mantissa, digits, seen, power = np.int64(0), 0, 0, 0
    pointed = False
    while at < end:
        byte = data[at]
        if byte == _POINT and not pointed:
            pointed = True
        elif _ZERO <= byte <= _NINE:
            seen += 1
            if digits > 0 or byte != _ZERO:
                digits += 1
            if digits <= 18:
                mantissa = mantissa * 10 + (byte - _ZERO)
                power -= 1 if pointed else 0
        else:
            break
        at += 1
    if seen == 0:
        return _NO_NUMBER, 0.0
    if at < end:
        if data[at] not in (0x65, 0x45):  # e, E
            return _NO_NUMBER, 0.0
        kind, exponent = _whole(data, at + 1, end)
        if kind == _NO_NUMBER:
            return _NO_NUMBER, 0.0
        if kind == _TOO_BIG or exponent > 400 or exponent < -400:
            return _LATER, 0.0
        power += exponent
    if digits > 18 or mantissa > _EXACT or power > 22 or power < -22:
        return _LATER, 0.0
    value = mantissa * _POWERS[power] if power >= 0 else mantissa / _POWERS[-power]
    return _GOOD, -value if negative else value


@compiled
def scan_lines(data: Bytes, most: int) -> Scan:  # long: a parser in one pass, whose parts share their state
    """Read line protocol. `most`: rows that are wanted at most."""
    room = 1
    for byte in data:
        room += byte == _EQUALS
    room = min(room, most) + 1
    size = 64
    while size < 2 * room:
        size *= 2
    line, metric, value = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.float64)
    later_start, later_end = np.zeros(room, np.int64), np.zeros(room, np.int64)
    metrics, metric_offsets = np.empty((room + 1) * (LONGEST + 1), np.uint8), np.zeros(room + 2, np.int64)
    metric_table = np.full(size, -1, np.int32)
    device, device_offsets = np.empty(len(data) + LONGEST + 1, np.uint8), np.zeros(room + 1, np.int64)
    unit, units, unit_offsets = (
        np.empty(room, np.int32),
        np.empty(len(data) + LONGEST + 1, np.uint8),
        np.zeros(room + 2, np.int64),
    )
    unit_table = np.full(size, -1, np.int32)
    time, timed, place = np.zeros(room, np.int64), np.zeros(room, np.bool_), np.empty(room, np.int64)
    error_place, error_kind = np.empty(KEPT_ERRORS, np.int64), np.empty(KEPT_ERRORS, np.int64)
    error_at = np.empty(KEPT_ERRORS, np.int64)
    tags = np.empty((MOST_TAGS, 4), np.int64)  # starts and ends of keys and values
    measurement = np.empty(LONGEST + 1, np.uint8)
    rows = lines = metric_count = unit_count = errors = 0
    number, at = 0, 0
    full = False
    while at < len(data):
        while at < len(data) and data[at] in (_SPACE, _TAB, _RETURN):
            at += 1
        if at == len(data):
            break
        start, first_row, wrong, where = at, rows, -1, at
        if data[at] == _HASH or data[at] == _FEED:
            while at < len(data) and data[at] != _FEED:
                at += 1
            at += 1
            number += 1
            continue
        feeds = 0  # inside quoted strings
        end = _name_end(data, at, False)
        length = _copy(data, at, end, measurement, 0)
        if end == at:
            wrong = MEASUREMENT
        elif length < 0:
            wrong = LONG_NAME
        at = end
        tag_count, device_tag, unit_tag = 0, -1, -1
        while wrong < 0 and at < len(data) and data[at] == _COMMA:
            where = at
            key_end = _name_end(data, at + 1, True)
            if key_end == at + 1 or key_end >= len(data) or data[key_end] != _EQUALS:
                wrong = TAG
                break
            tag_end = _name_end(data, key_end + 1, True)
            if tag_end == key_end + 1 or (tag_end < len(data) and data[tag_end] == _EQUALS):
                wrong = TAG
                break
            if tag_count == MOST_TAGS:
                wrong = MANY_TAGS
                break
            slot = tag_count  # kept in order of their keys
            while slot > 0:
                order = _compare(data, at + 1, key_end, tags[slot - 1, 0], tags[slot - 1, 1])
                if order == 0:
                    wrong = TAG_TWICE
                if order >= 0:
                    break
                for k in range(4):
                    tags[slot, k] = tags[slot - 1, k]
                slot -= 1
            tags[slot, 0], tags[slot, 1], tags[slot, 2], tags[slot, 3] = at + 1, key_end, key_end + 1, tag_end
            tag_count += 1
            at = tag_end
        to = device_offsets[lines]
        if wrong < 0:
            for k in range(tag_count):
                if _equal(data, tags[k, 0], tags[k, 1], _DEVICE):
                    device_tag = k
                elif _equal(data, tags[k, 0], tags[k, 1], _UNIT):
                    unit_tag = k
            if device_tag >= 0:
                to = _copy(data, tags[device_tag, 2], tags[device_tag, 3], device, to)
            else:
                for k in range(tag_count):
                    if k == unit_tag:
                        continue
                    if to > device_offsets[lines]:
                        device[to] = _COMMA
                        to += 1
                    if to - device_offsets[lines] + tags[k, 3] - tags[k, 0] > LONGEST:
                        to = -1
                        break
                    for source in range(tags[k, 0], tags[k, 3]):
                        device[to] = data[source]
                        to += 1
            if to < 0:
                wrong = LONG_NAME
            else:
                where = at
                if at >= len(data) or data[at] != _SPACE:
                    wrong = FIELD
                elif to == device_offsets[lines]:
                    wrong = NO_DEVICE
        while wrong < 0:  # fields, one after the other
            while at < len(data) and data[at] == _SPACE:
                at += 1
            where = at
            key_end = _name_end(data, at, True)
            if key_end == at or key_end >= len(data) or data[key_end] != _EQUALS:
                wrong = FIELD
                break
            name_end = metric_offsets[metric_count]
            for k in range(length):
                metrics[name_end + k] = measurement[k]
            metrics[name_end + length] = _POINT
            name_end = (
                _copy(data, at, min(key_end, at + 2 * LONGEST), metrics, name_end + length + 1)
                if length < LONGEST
                else -1
            )
            if name_end < 0 or name_end - metric_offsets[metric_count] > LONGEST:
                wrong = LONG_NAME
                break
            at = key_end + 1
            kind, found, text = _NO_NUMBER, 0.0, at
            if at < len(data) and data[at] == _QUOTE:
                at += 1
                while at < len(data) and data[at] != _QUOTE:
                    feeds += data[at] == _FEED
                    at += 2 if data[at] == _BACKSLASH else 1
                if at >= len(data):
                    wrong = STRING
                    break
                at += 1
                if at < len(data) and data[at] not in (_COMMA, _SPACE, _FEED, _RETURN):
                    wrong = STRING
                    break
            else:
                while at < len(data) and data[at] not in (_COMMA, _SPACE, _FEED, _RETURN):
                    at += 1
                if at == text:
                    wrong = FIELD
                    break
                kind, found = _number(data, text, at)
            if kind in (_GOOD, _LATER):
                if rows == room - 1:
                    full = True
                    break
                code = _code(metrics, metric_offsets, metric_count, metric_table, name_end)
                metric_count += code == metric_count
                line[rows], metric[rows], value[rows] = lines, code, found
                later_start[rows] = text
                later_end[rows] = at if kind == _LATER else 0
                rows += 1
            else:
                if errors < KEPT_ERRORS:
                    error_place[errors], error_at[errors] = number, where
                    error_kind[errors] = NUMBER if kind == _NO_NUMBER else RANGE
                errors += 1
            if at < len(data) and data[at] == _COMMA:
                at += 1
                if at < len(data) and data[at] == _SPACE:
                    wrong, where = FIELD, at
                continue
            break
        if full:
            break
        has_time, moment = False, 0
        if wrong < 0:
            while at < len(data) and data[at] == _SPACE:
                at += 1
            if at < len(data) and data[at] not in (_FEED, _RETURN):
                where = text = at
                while at < len(data) and data[at] not in (_SPACE, _FEED, _RETURN):
                    at += 1
                kind, moment = _whole(data, text, at)
                has_time = True
                if kind != _GOOD:
                    wrong = TIME
            while wrong < 0 and at < len(data) and data[at] in (_SPACE, _RETURN):
                at += 1
            if wrong < 0 and at < len(data) and data[at] != _FEED:
                wrong, where = TIME, at
        if wrong >= 0:
            rows = first_row
            if errors < KEPT_ERRORS:
                error_place[errors], error_kind[errors], error_at[errors] = number, wrong, where
            errors += 1
            at = start
            while at < len(data) and data[at] != _FEED:
                at += 1
            feeds = 0
        elif rows > first_row:
            unit[lines] = NO_UNIT
            if unit_tag >= 0:
                name_end = _copy(data, tags[unit_tag, 2], tags[unit_tag, 3], units, unit_offsets[unit_count])
                if name_end >= 0:
                    code = _code(units, unit_offsets, unit_count, unit_table, name_end)
                    unit_count += code == unit_count
                    unit[lines] = code
                else:
                    unit[lines] = LONG_UNIT
            time[lines], timed[lines], place[lines] = moment, has_time, number
            lines += 1
            device_offsets[lines] = to
        at += 1
        number += 1 + feeds
    kept = min(errors, KEPT_ERRORS)
    return Scan(
        line[:rows],
        metric[:rows],
        value[:rows],
        later_start[:rows],
        later_end[:rows],
        metrics[: metric_offsets[metric_count]],
        metric_offsets[: metric_count + 1],
        device[: device_offsets[lines]],
        device_offsets[: lines + 1],
        unit[:lines],
        units[: unit_offsets[unit_count]],
        unit_offsets[: unit_count + 1],
        time[:lines],
        timed[:lines],
        place[:lines],
        error_place[:kept],
        error_kind[:kept],
        error_at[:kept],
        errors,
        full,
    )


@compiled
def gather(data: Bytes, starts: Ints, ends: Ints) -> tuple[Bytes, Ints]:
    """Stretches of bytes, laid end to end, with their offsets."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + ends[row] - starts[row]
    out = np.empty(offsets[-1], np.uint8)
    for row in range(len(starts)):
        out[offsets[row] : offsets[row + 1]] = data[starts[row] : ends[row]]
    return out, offsets
