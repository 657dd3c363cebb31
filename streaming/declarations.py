"""What operators declared, as a function of the ingest sequence: also of channels that begin later, and how devices depend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from industrial_brain.domain.ingest import Declared
from industrial_brain.domain.telemetry import Declaration
from streaming.channels import ChannelIndex


class Declarations:
    """The declarations in force, by device; implements `Places`. One thread changes them; any thread may look.

    A later declaration of the same device, or of the same metric of it, replaces the earlier one.
    """

    def __init__(self, index: ChannelIndex) -> None:
        self._index = index
        self._of: dict[tuple[str, str], dict[str | None, Declaration]] = defaultdict(dict)
        self._children: Counter[tuple[str, str]] = Counter()

    def take(self, entry: Declared) -> None:
        """Take over what an entry says."""
        for one in entry.declarations:
            self._relate(one.site, one.device, -1)
            self._of[one.site, one.device][one.metric] = one
            self._relate(one.site, one.device, +1)

    def of_device(self, site: str, device: str) -> list[Declaration]:
        """What is declared of a device (metric None) and of its metrics."""
        return list(self._of.get((site, device), {}).values())

    def of_site(self, site: str) -> Iterator[Declaration]:
        """All that is declared at a site, in order of declaration of its devices."""
        for (of_site, _), said in list(self._of.items()):
            if of_site == site:
                yield from list(said.values())

    def of_channels(self, keys: Iterable[int]) -> tuple[list[int], list[Declaration]]:
        """Declarations of channels: of the device first, then of the metric, each with the channel's key."""
        found: list[tuple[int, Declaration]] = []
        for key in keys if self._of else ():
            name = self._index.name(key)
            said = self._of.get((name.site, name.device), {})
            found += [(key, said[metric]) for metric in (None, name.metric) if metric in said]
        return [key for key, _ in found], [one for _, one in found]

    def keys(self, entry: Declared, below: int) -> list[int]:
        """Keys, of those below, of channels that an entry is about."""
        found: dict[int, None] = {}
        for one in entry.declarations:
            number = self._index.device_number(one.site, one.device)
            for key in self._index.keys_of(number) if number >= 0 else ():
                if key < below and one.metric in (None, self._index.name(key).metric):
                    found[key] = None
        return list(found)

    def parent(self, site: str, device: str) -> str | None:
        parents = [one.parent for one in self._of.get((site, device), {}).values() if one.parent]
        return parents[-1] if parents else None

    def children(self, site: str, device: str) -> int:
        return self._children[site, device]

    def devices(self, site: str) -> int:
        return self._index.device_count(site)

    def _relate(self, site: str, device: str, sign: int) -> None:
        parent = self.parent(site, device)
        if parent is not None:
            self._children[site, parent] += sign
