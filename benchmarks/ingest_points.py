"""The points of the ingest benchmark: who measures what and when is a function of numbers, and so are the bodies that say it.

Device `d` belongs to site `d mod SITES`, and sends once a minute, each at a moment of its own. Fields have fixed widths, so
that a body is a picture of bytes into which digits are painted column by column: the load generator takes next to nothing from
the machine that it shares with the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Picture = npt.NDArray[np.uint8]

SITES = 64
METRIC = "sensors.temperature"
MINUTE_MS = 60_000

_DEVICE_DIGITS, _MS_DIGITS = 8, 13
_ZERO = ord("0")


class Format(StrEnum):
    JSON = "json"
    COLUMNS = "columns"
    ARROW = "arrow"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Points:
    """All points of a run.

    Attributes:
        devices: how many there are.
        batch: readings of one request, all of one site.
        start_ms: the moment at which minute 0 begins, milliseconds since 1970.
    """

    devices: int
    batch: int
    start_ms: int

    @property
    def requests_a_minute(self) -> int:
        return sum(-(-len(self._of_site(site)) // self.batch) for site in range(SITES))

    def request(self, number: int) -> tuple[int, Ints, Ints]:
        """Of the n-th request: its site, its devices, and their moments in milliseconds since 1970."""
        minute, place = divmod(number, self.requests_a_minute)
        site = place % SITES
        turn = place // SITES
        devices = np.asarray(self._of_site(site)[turn * self.batch : (turn + 1) * self.batch], np.int64)
        return site, devices, self.start_ms + minute * MINUTE_MS + devices * MINUTE_MS // self.devices

    def _of_site(self, site: int) -> range:
        return range(site, self.devices, SITES)


def site_name(site: int) -> str:
    """The site of that number."""
    return f"F{site:03}"


def value_of(devices: Ints, ms: Ints) -> Ints:
    """What each measures, in thousandths: a level of its own, and noise that the moment decides."""
    mixed = (devices * 2_654_435_761 + ms * 40_503) & 0x7FFFFFFF
    return 20_000 + devices % 5_000 + (mixed >> 8) % 200


def body_of(form: Format, devices: Ints, ms: Ints) -> bytes:
    """The readings of some devices at some moments, in a format."""
    value = value_of(devices, ms)
    match form:
        case Format.LINE:
            row = b"sensors,device=d00000000 temperature=00.000 0000000000000000000\n"
            return _painted(row, (row.index(b"=d") + 2, devices), (row.index(b"=00") + 1, value), (44, ms))[:-1]
        case Format.JSON:
            row = b'{"device":"d00000000","metric":"sensors.temperature","ts":0000000000000,"value":00.000},'
            places = (
                (row.index(b"d0000") + 1, devices),
                (row.index(b'"value":') + 8, value),
                (row.index(b'"ts":') + 5, ms),
            )
            return b"[" + _painted(row, *places)[:-1] + b"]"
        case Format.COLUMNS:
            names = _painted(b'"d00000000",', (2, devices), None, None)[:-1]
            times = _painted(b"0000000000000,", None, None, (0, ms))[:-1]
            values = _painted(b"00.000,", None, (0, value), None)[:-1]
            return b'{"device":[%s],"metric":"%s","ts":[%s],"value":[%s]}' % (names, METRIC.encode(), times, values)
        case Format.ARROW:
            return _arrow(devices, ms, value)


def _arrow(devices: Ints, ms: Ints, value: Ints) -> bytes:
    count = len(devices)
    names = _painted(b"d00000000", (1, devices), None, None)
    offsets = np.arange(count + 1, dtype=np.int32) * 9
    table = pa.table(
        {
            "device": pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(names)),
            "metric": pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), [METRIC]),
            "ts": pa.array(ms, pa.timestamp("ms", "UTC")),
            "value": value / 1000,
        }
    )
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return bytes(out.getvalue())


_Place = tuple[int, Ints] | None


def _painted(row: bytes, device: _Place, value: _Place, ms: _Place) -> bytes:
    """`row`, once for each reading, with the digits of each at their places."""
    count = len(next(place[1] for place in (device, value, ms) if place is not None))
    picture = np.tile(np.frombuffer(row, np.uint8), (count, 1))
    if device is not None:
        _paint(picture, device[0], _DEVICE_DIGITS, device[1])
    if value is not None:
        _paint(picture, value[0], 2, value[1] // 1000)
        _paint(picture, value[0] + 3, 3, value[1] % 1000)
    if ms is not None:
        _paint(picture, ms[0], _MS_DIGITS, ms[1])
    return picture.tobytes()


def _paint(picture: Picture, column: int, digits: int, numbers: Ints) -> None:
    for k in range(digits - 1, -1, -1):
        picture[:, column + k] = _ZERO + numbers % 10
        numbers = numbers // 10
