"""The hash tables behind the channel index, as compiled kernels: names of devices to numbers, (device, metric) to keys.

Open addressing with linear probing; a slot holds a number or -1. A hit is a comparison of the names' bytes, never of hashes
alone. The tables belong to one writer; others may look names up meanwhile: a number is put into its slot last.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Uint8s = npt.NDArray[np.uint8]

#: of a row in `resolve` that has no key
ABSENT = -1


@compiled
def _mixed(x: np.uint64) -> np.uint64:
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


@compiled
def _name_hash(data: Uint8s, start: int, end: int, site: int, seed: np.uint64) -> np.uint64:
    h = _mixed(seed ^ np.uint64(site))
    for i in range(start, end):
        h = (h ^ np.uint64(data[i])) * np.uint64(0x100000001B3)
    return _mixed(h)


@compiled
def _pair_hash(device: int, metric: int, seed: np.uint64) -> np.uint64:
    return _mixed(seed ^ ((np.uint64(device) << np.uint64(32)) | np.uint64(metric)))


@compiled
def _device(
    data: Uint8s,
    start: int,
    end: int,
    site: int,
    seed: np.uint64,
    slots: Int32s,
    names: Uint8s,
    ends: Int64s,
    sites: Int32s,
) -> tuple[int, int]:
    """The device's number, or -1; and its slot, or the free one where it belongs."""
    mask = np.uint64(len(slots) - 1)
    at = _name_hash(data, start, end, site, seed) & mask
    length = end - start
    while True:
        number = slots[at]
        if number < 0:
            return -1, int(np.int64(at))
        begin = ends[number]
        if sites[number] == site and ends[number + 1] - begin == length:
            same = True
            for i in range(length):
                if names[begin + i] != data[start + i]:
                    same = False
                    break
            if same:
                return int(number), int(np.int64(at))
        at = (at + np.uint64(1)) & mask


@compiled
def _channel(
    device: int, metric: int, seed: np.uint64, slots: Int32s, devices: Int32s, metrics: Int32s
) -> tuple[int, int]:
    mask = np.uint64(len(slots) - 1)
    at = _pair_hash(device, metric, seed) & mask
    while True:
        key = slots[at]
        if key < 0:
            return -1, int(np.int64(at))
        if devices[key] == device and metrics[key] == metric:
            return int(key), int(np.int64(at))
        at = (at + np.uint64(1)) & mask


@compiled
def _is_channel(
    key: int,
    data: Uint8s,
    start: int,
    end: int,
    metric: int,
    site: int,
    names: Uint8s,
    ends: Int64s,
    sites: Int32s,
    devices: Int32s,
    metrics: Int32s,
) -> bool:
    """Whether a channel has this name."""
    device = devices[key]
    begin = ends[device]
    if metrics[key] != metric or ends[device + 1] - begin != end - start or sites[device] != site:
        return False
    at = end - start - 1
    while at >= 0 and names[begin + at] == data[start + at]:  # names differ at their ends
        at -= 1
    return bool(at < 0)


@compiled
def resolve(
    data: Uint8s,
    offsets: Int64s,
    metric: Int32s,
    unit: Int32s,
    wanted: npt.NDArray[np.bool_],
    site: int,
    room: int,
    seed: np.uint64,
    device_slots: Int32s,
    channel_slots: Int32s,
    names: Uint8s,
    ends: Int64s,
    sites: Int32s,
    first: Int32s,
    devices: Int32s,
    metrics: Int32s,
    units: Int32s,
    following: Int32s,
    device_count: int,
    channel_count: int,
    key: Int32s,
) -> tuple[int, int]:
    """Write the key of every wanted row to `key`, giving new ones to names never seen while there is `room`.

    Senders keep an order: the channel that began after the last row's is tried first, then the last row's own, before the
    tables are asked. What is in order is then read in order, which costs the same with ten million channels as with ten.

    Rows beyond the room, rows with a negative metric and rows not wanted get `ABSENT`. The tables have space for one new
    device and channel a row. Returns how many devices and channels there are now.
    """
    last = -1
    for row in range(len(metric)):
        key[row] = ABSENT
        if not wanted[row] or metric[row] < 0:
            continue
        start, end = offsets[row], offsets[row + 1]
        if last >= 0:
            place = (data, start, end, metric[row], site, names, ends, sites, devices, metrics)
            if last + 1 < channel_count and _is_channel(last + 1, *place):
                last += 1
                key[row] = last
                continue
            if _is_channel(last, *place):
                key[row] = last
                continue
        device, slot = _device(data, start, end, site, seed, device_slots, names, ends, sites)
        if device < 0:
            if room <= 0:
                continue
            device = device_count
            begin = ends[device]
            for i in range(end - start):
                names[begin + i] = data[start + i]
            ends[device + 1] = begin + end - start
            sites[device] = site
            first[device] = -1
            device_slots[slot] = device
            device_count += 1
        found, slot = _channel(device, metric[row], seed, channel_slots, devices, metrics)
        if found < 0:
            if room <= 0:
                continue
            found = channel_count
            devices[found] = device
            metrics[found] = metric[row]
            units[found] = unit[row]
            following[found] = first[device]
            first[device] = found
            channel_slots[slot] = found
            channel_count += 1
            room -= 1
        key[row] = last = found
    return device_count, channel_count


@compiled
def find_device(
    data: Uint8s, site: int, seed: np.uint64, slots: Int32s, names: Uint8s, ends: Int64s, sites: Int32s
) -> int:
    """The number of the device of this name, or -1."""
    return _device(data, 0, len(data), site, seed, slots, names, ends, sites)[0]


@compiled
def refill_devices(slots: Int32s, count: int, seed: np.uint64, names: Uint8s, ends: Int64s, sites: Int32s) -> None:
    """Put every device into new, empty slots."""
    mask = np.uint64(len(slots) - 1)
    for number in range(count):
        at = _name_hash(names, ends[number], ends[number + 1], sites[number], seed) & mask
        while slots[at] >= 0:
            at = (at + np.uint64(1)) & mask
        slots[at] = number


@compiled
def refill_channels(slots: Int32s, count: int, seed: np.uint64, devices: Int32s, metrics: Int32s) -> None:
    """Put every channel into new, empty slots."""
    mask = np.uint64(len(slots) - 1)
    for key in range(count):
        at = _pair_hash(devices[key], metrics[key], seed) & mask
        while slots[at] >= 0:
            at = (at + np.uint64(1)) & mask
        slots[at] = key


@compiled
def gather(data: Uint8s, ends: Int64s, rows: Int32s, out: Uint8s, offsets: Int64s) -> None:
    """Write the texts of these rows one after the other; `offsets` is given, and `out` as long as they say."""
    for i in range(len(rows)):
        begin, at = ends[rows[i]], offsets[i]
        for j in range(offsets[i + 1] - at):
            out[at + j] = data[begin + j]
