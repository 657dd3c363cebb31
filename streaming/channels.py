"""The channel index of a shard: who is behind a key, and the other way round.

Memory per channel with a device of its own and a name of 20 bytes: about 75 bytes. Arrays are reserved for `most` channels at
once: pages that were never written cost nothing, and nothing is ever copied in order to grow but the hash tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.devices import DeviceId
from industrial_brain.domain.errors import StateError, UnknownIdError
from industrial_brain.domain.ingest import Names
from industrial_brain.domain.telemetry import ChannelName, Coded, Declaration, Flags, Keys, Texts
from streaming.names_table import find_device, gather, refill_channels, refill_devices, resolve

_FIRST_SLOTS = 1 << 10
_FIRST_BYTES = 1 << 20
#: no unit was ever named
NO_UNIT = 0


class _Words:
    """Numbers for words that are few: sites, metrics, units."""

    def __init__(self, *first: str) -> None:
        self.words = list(first)
        self._numbers = {word: number for number, word in enumerate(first)}

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int:
        """Its number, or -1."""
        return self._numbers.get(word, -1)

    def add(self, word: str) -> int:
        number = self._numbers.setdefault(word, len(self.words))
        if number == len(self.words):
            self.words.append(word)
        return number


class ChannelIndex:
    """`Channels`, growing. One thread adds; any thread may look up.

    Args:
        most: channels that there may ever be.
        seed: of the hash; any number, not known to those who choose names.
    """

    def __init__(self, most: int, seed: int) -> None:
        self.most = most
        self._seed = np.uint64(seed)
        self._sites, self._metrics, self._units = _Words(), _Words(), _Words("")
        self._device_count = self._count = 0
        self._devices_of_site: list[int] = []
        self._expected: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        self._device_slots = np.full(_FIRST_SLOTS, -1, np.int32)
        self._channel_slots = np.full(_FIRST_SLOTS, -1, np.int32)
        self._names = np.zeros(_FIRST_BYTES, np.uint8)
        self._ends = np.zeros(most + 1, np.int64)
        self._device_site = np.zeros(most, np.int32)
        self._first = np.zeros(most, np.int32)
        self._device = np.zeros(most, np.int32)
        self._metric = np.zeros(most, np.int32)
        self._unit = np.zeros(most, np.int32)
        self._next = np.zeros(most, np.int32)

    def __len__(self) -> int:
        return self._count

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return self._device_count

    @classmethod
    def restored(cls, blocks: Iterable[Names], most: int, seed: int) -> ChannelIndex:
        """The index of these names."""
        index = cls(most, seed)
        for block in blocks:
            index.restore(block)
        return index

    # --- the writer's side

    def resolve(
        self, site: str, device: Texts, metric: Coded, unit: Coded, wanted: Flags, room: int
    ) -> tuple[Keys, Keys]:
        """Keys of the wanted rows, `ABSENT` where none could be given; and the numbers of the rows' units.

        Args:
            room: how many new channels may begin.
        """
        room = max(0, min(room, self.most - self._count))
        site_number = self._sites.add(site)
        if site_number == len(self._devices_of_site):
            self._devices_of_site.append(0)
        devices_before = self._device_count
        metrics = self._metric_numbers(metric, wanted, room)
        units = np.array([self._units.add(name) for name in unit.names], np.int32)
        unit_of_row = units[unit.codes]
        new = min(len(device), room)
        self._reserve(new, int(device.offsets[-1] - device.offsets[0]))
        key = np.empty(len(device), np.int32)
        self._device_count, self._count = resolve(
            device.data,
            device.offsets,
            metrics[metric.codes],
            unit_of_row,
            wanted,
            site_number,
            room,
            self._seed,
            self._device_slots,
            self._channel_slots,
            self._names,
            self._ends,
            self._device_site,
            self._first,
            self._device,
            self._metric,
            self._unit,
            self._next,
            self._device_count,
            self._count,
            key,
        )
        self._devices_of_site[site_number] += self._device_count - devices_before
        return key, unit_of_row

    def unit_numbers(self, keys: Keys) -> Keys:
        """The number of each channel's unit; `NO_UNIT` where none was named."""
        return self._unit[keys]

    def set_units(self, keys: Keys, units: Keys) -> None:
        self._unit[keys] = units

    def declare_units(self, declarations: Iterable[Declaration]) -> Keys:
        """Give channels the units that are declared, from now on; those that begin later get them from `expected_units`.

        Returns the keys of channels whose unit changed.
        """
        changed = []
        for one in declarations:
            if one.metric is None:
                continue
            key = self.key(one.site, one.device, one.metric)
            if key < 0:
                self._expected[one.site].pop((one.device, one.metric), None)
            if not one.unit:
                continue
            unit = self._units.add(one.unit)
            if key < 0:
                self._expected[one.site][one.device, one.metric] = unit
            elif self._unit[key] != unit:
                self._unit[key] = unit
                changed.append(key)
        return np.array(changed, np.int32)

    def expected_units(self, site: str, begun: int) -> None:
        """Give a site's channels, from key `begun` on, the units that were declared of them before they began."""
        expected = self._expected.get(site)
        if not expected:
            return
        for key in range(begun, self._count):
            name = self.name(key)
            unit = expected.pop((name.device, name.metric), NO_UNIT)
            if unit != NO_UNIT:
                self._unit[key] = unit

    def names_of(self, keys: Keys) -> Names:
        """Who these are, as columns."""
        device = self._device[keys]
        offsets = np.zeros(len(keys) + 1, np.int64)
        np.cumsum(self._ends[device + 1] - self._ends[device], out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        gather(self._names, self._ends, device, data, offsets)
        return Names(
            keys,
            _coded(self._device_site[device], self._sites.words),
            Texts(data, offsets),
            _coded(self._metric[keys], self._metrics.words),
            _coded(self._unit[keys], self._units.words),
        )

    def restore(self, names: Names) -> None:
        """Take over what `names_of` once said; blocks come in the order in which they were stored.

        Raises:
            StateError: there are more channels than there may ever be.
        """
        known = names.channel < self._count
        for row in np.flatnonzero(known).tolist():
            self._unit[names.channel[row]] = self._units.add(names.unit[row])
        rows = np.flatnonzero(~known).astype(np.int32)
        runs = (
            np.flatnonzero(np.diff(names.site.codes[rows])) + 1
        )  # keys are dense, so their order is the order of first sight
        for run in np.split(rows, runs):
            if len(run):
                self._restore_run(names.site[int(run[0])], names, run)
        if len(names) and self._count <= int(names.channel.max()):
            raise StateError(
                f"There are more channels than the {self.most:,} that there may be.",
                "Set BRAIN_TELEMETRY_CHANNELS higher.",
            )

    def _restore_run(self, site: str, names: Names, rows: Keys) -> None:
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(names.device.offsets[rows + 1] - names.device.offsets[rows], out=offsets[1:])
        data = np.empty(int(offsets[-1]), np.uint8)
        gather(names.device.data, names.device.offsets, rows, data, offsets)
        metric = Coded(names.metric.codes[rows], names.metric.names)
        unit = Coded(names.unit.codes[rows], names.unit.names)
        self.resolve(site, Texts(data, offsets), metric, unit, np.ones(len(rows), np.bool_), len(rows))

    # --- everyone's side

    def name(self, key: int) -> ChannelName:
        if not 0 <= key < self._count:
            raise UnknownIdError(f"There is no channel {key}.")
        device = int(self._device[key])
        return ChannelName(
            key,
            self._sites.words[self._device_site[device]],
            self.device_name(device),
            self._metrics.words[self._metric[key]],
            self._units.words[self._unit[key]],
        )

    def of_device(self, site: str, device: str) -> list[ChannelName]:
        number = self.device_number(site, device)
        return [] if number < 0 else [self.name(key) for key in self.keys_of(number)]

    def key(self, site: str, device: str, metric: str) -> int:
        """The channel's key, or -1."""
        number = self.device_number(site, device)
        wanted = self._metrics.number(metric)
        return next((key for key in self.keys_of(number) if self._metric[key] == wanted), -1) if number >= 0 else -1

    def sites(self) -> Sequence[str]:
        """Sites that ever sent or declared anything."""
        return tuple(self._sites.words)

    def device_number(self, site: str, device: str) -> int:
        """Devices are numbered from 0 in order of first sight; -1 for one that was never seen."""
        site_number = self._sites.number(site)
        if site_number < 0:
            return -1
        data = np.frombuffer(device.encode(), np.uint8)
        return find_device(
            data, site_number, self._seed, self._device_slots, self._names, self._ends, self._device_site
        )

    def device_count(self, site: str) -> int:
        """How many devices a site has."""
        number = self._sites.number(site)
        return 0 if number < 0 else self._devices_of_site[number]

    def device_id(self, number: int) -> DeviceId:
        """The device of that number."""
        return DeviceId(self._sites.words[self._device_site[number]], self.device_name(number))

    def device_sites(self, count: int) -> Keys:
        """Of the first `count` devices, the places of their sites in `sites`."""
        return self._device_site[:count]

    def device_texts(self, count: int) -> Texts:
        """The names of the first `count` devices."""
        return Texts(self._names, self._ends[: count + 1])

    def device_name(self, number: int) -> str:
        return bytes(self._names[self._ends[number] : self._ends[number + 1]]).decode()

    def devices_of(self, site: str, after: int = -1, limit: int = 100) -> list[tuple[int, str]]:
        """The first devices of a site behind a number, with their numbers."""
        site_number = self._sites.number(site)
        these = np.flatnonzero(self._device_site[after + 1 : self._device_count] == site_number)[:limit] + after + 1
        return [(number, self.device_name(number)) for number in these.tolist()]

    def keys_of(self, device: int) -> list[int]:
        """Keys of a device's channels, in order of first sight."""
        found, key = [], int(self._first[device])
        while key >= 0:
            found.append(key)
            key = int(self._next[key])
        return found[::-1]

    def device_of(self, keys: Keys) -> Keys:
        """Numbers of the channels' devices."""
        return self._device[keys]

    # --- room

    def _metric_numbers(self, metric: Coded, wanted: Flags, room: int) -> Keys:
        """Numbers of the metrics' names; those of wanted rows get one while there is room for a channel each, in order."""
        found = np.array([self._metrics.number(name) for name in metric.names], np.int32)
        if room > 0 and len(found) and found.min() < 0:
            codes, first = np.unique(metric.codes[wanted], return_index=True)
            for code in codes[np.argsort(first)].tolist():
                if found[code] < 0 < room:
                    found[code], room = self._metrics.add(metric.names[code]), room - 1
        return found

    def _reserve(self, new: int, more_bytes: int) -> None:
        used = int(self._ends[self._device_count])
        if used + more_bytes > len(self._names):
            grown = np.zeros(max(2 * len(self._names), used + more_bytes), np.uint8)
            grown[:used] = self._names[:used]
            self._names = grown
        if 2 * (self._device_count + new) > len(self._device_slots):
            slots = _slots_for(self._device_count + new)
            refill_devices(slots, self._device_count, self._seed, self._names, self._ends, self._device_site)
            self._device_slots = slots
        if 2 * (self._count + new) > len(self._channel_slots):
            slots = _slots_for(self._count + new)
            refill_channels(slots, self._count, self._seed, self._device, self._metric)
            self._channel_slots = slots


def _slots_for(count: int) -> npt.NDArray[np.int32]:
    return np.full(1 << (2 * count).bit_length(), -1, np.int32)


def _coded(numbers: Keys, words: Sequence[str]) -> Coded:
    """A column that names only the words that it uses."""
    used, codes = np.unique(numbers, return_inverse=True)
    return Coded(codes.astype(np.int32), tuple(words[number] for number in used.tolist()))
