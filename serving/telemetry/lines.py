"""InfluxDB line protocol, as Telegraf and the InfluxDB clients write it. One line may hold several readings, a field each.

The metric is `measurement.field`. The device is the tag `device`; without one, all tags, as they are written, in the order of
their keys (`host=a,line=3`). The tag `unit` is the unit of all fields of its line, and never part of the device.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from industrial_brain.domain.telemetry import Coded, Flags, Micros, Submission, Texts
from serving.telemetry.draft import MOST_READINGS, Draft, arrow_texts, digest_of, require_few
from serving.telemetry.faults import Faults
from serving.telemetry.line_scanner import LONG_UNIT, LONGEST, MOST_TAGS, Scan, gather, scan_lines

_MOST = 2**63 - 1


class Precision(StrEnum):
    """What the numbers at the ends of lines count."""

    NANOSECONDS = "ns"
    MICROSECONDS = "us"
    MILLISECONDS = "ms"
    SECONDS = "s"


#: multiply, then divide
_TO_MICROS = {
    Precision.NANOSECONDS: (1, 1000),
    Precision.MICROSECONDS: (1, 1),
    Precision.MILLISECONDS: (1000, 1),
    Precision.SECONDS: (1_000_000, 1),
}

#: what the scanner's numbers of errors mean
REASONS = (
    ("bad-line", "There is no measurement before byte {at}."),
    ("bad-line", "The tag at byte {at} is not `,key=value`."),
    ("bad-line", "The tag at byte {at} is there twice."),
    ("bad-line", f"There are more than {MOST_TAGS} tags."),
    ("bad-line", "At byte {at} a space and then a field, `key=value`, should follow."),
    ("bad-line", "The text that begins at byte {at} never ends, or is followed by more."),
    ("bad-time", "The timestamp at byte {at} is no whole number of 64 bits, or more follows it."),
    ("name-too-long", f"A measurement with its field, or a device, has at most {LONGEST} bytes."),
    ("no-device", "The line has no tag that says which device it is from; give it a tag `device`."),
    ("not-a-number", "The field at byte {at} is neither a number nor a boolean; text is not measured."),
    ("out-of-range", "The integer at byte {at} has more than 64 bits."),
)


def decode_lines(body: bytes, site: str, received_at: int, precision: Precision = Precision.NANOSECONDS) -> Submission:
    """Decode line protocol. A line that is not as it should be is an item error, and the others are taken.

    A line without a timestamp is of the moment of its arrival. Times finer than a microsecond are cut off.

    Args:
        received_at: that moment.

    Raises:
        TooLargeError: too many readings.
    """
    data = np.frombuffer(body, np.uint8)
    scan = scan_lines(data, MOST_READINGS + 1)
    require_few(MOST_READINGS + 1 if scan.full else len(scan.line))
    faults = Faults()
    for kind, (code, detail) in enumerate(REASONS):
        at = scan.error_at[scan.error_kind == kind]
        faults.add(scan.error_place[scan.error_kind == kind], code, _sentence(detail, at))
    faults.add_further(scan.errors - len(scan.error_at))
    rows, index = np.ones(len(scan.line), np.bool_), scan.place[scan.line]
    ts, good = _times(scan, received_at, precision)
    faults.judge(
        rows, ~good[scan.line], index, "bad-time", "The timestamp is beyond what 64 bits of microseconds can tell."
    )
    faults.judge(
        rows, (scan.unit == LONG_UNIT)[scan.line], index, "bad-unit", "A unit is a short UCUM code, such as Cel or kW."
    )
    device = Texts(*gather(scan.device, scan.device_offsets[scan.line], scan.device_offsets[scan.line + 1]))
    metric, unit = _coded(scan.metric, scan.metrics, scan.metric_offsets), _units(scan)
    if not body.isascii():
        for wrong in (
            _not_utf8(scan)[scan.line],
            np.array(["\ufffd" in name for name in metric.names], np.bool_)[metric.codes],
        ):
            faults.judge(rows, wrong, index, "not-utf-8", "The line is not UTF-8.")
    untimed = not scan.timed.all()
    return Draft(
        device=device,
        metric=metric,
        ts=ts[scan.line],
        value=_values(scan, data),
        unit=unit,
        quality=np.zeros(len(rows), np.uint8),
        index=index,
        rows=rows,
        faults=faults,
    ).submission(site, digest_of(body, "lines", site, precision, received_at if untimed else None))


def _sentence(detail: str, at: npt.NDArray[np.int64]) -> Callable[[int], str]:
    return lambda k: detail.format(at=int(at[k]))


def _times(scan: Scan, received_at: int, precision: Precision) -> tuple[Micros, Flags]:
    times, by = _TO_MICROS[precision]
    most = _MOST // times
    good = ~scan.timed | ((scan.time <= most) & (scan.time >= -most))
    return np.where(scan.timed, np.where(good, scan.time, 0) // by * times, received_at), good


def _values(scan: Scan, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Numbers that the scanner left for longer arithmetic are read by Arrow, to the nearest double."""
    later = np.flatnonzero(scan.later_end)
    if len(later):
        starts, ends = scan.later_start[later], scan.later_end[later]
        ends = ends - (data[ends - 1] == ord("u"))
        texts = Texts(*gather(data, starts + (data[starts] == ord("+")), ends))
        scan.value[later] = arrow_texts(texts).cast(pa.float64()).to_numpy()
    return scan.value


def _coded(codes: npt.NDArray[np.int32], names: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> Coded:
    content, ends = names.tobytes(), offsets.tolist()
    words = [content[start:end].decode(errors="replace") for start, end in pairwise(ends)]
    return Coded(codes, tuple(words))


def _units(scan: Scan) -> Coded:
    """Units by row; the code 0 is none."""
    found = _coded(scan.unit, scan.units, scan.unit_offsets)
    return Coded(np.maximum(scan.unit + 1, 0)[scan.line].astype(np.int32), ("", *found.names))


def _not_utf8(scan: Scan) -> Flags:
    wrong = np.zeros(len(scan.place), np.bool_)
    if _is_utf8(scan.device.tobytes()):
        return wrong
    for k in range(len(wrong)):
        wrong[k] = not _is_utf8(scan.device[scan.device_offsets[k] : scan.device_offsets[k + 1]].tobytes())
    return wrong


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
