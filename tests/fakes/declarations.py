"""Declarations of devices in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from industrial_brain.domain.devices import DeviceId
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Declaration


class FakeDeclarationStore:
    """`DeclarationStore`."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str, str], tuple[int, Declaration]] = {}

    def put(self, declarations: Iterable[Declaration]) -> None:
        revision = self.revision() + 1
        for one in declarations:
            self._said[one.site, one.device, one.metric or ""] = revision, one

    def of_device(self, device: DeviceId) -> list[Declaration]:
        return [one for key, (_, one) in sorted(self._said.items()) if key[:2] == (device.site, device.device)]

    def of_devices(self, devices: Sequence[DeviceId]) -> dict[DeviceId, list[Declaration]]:
        return {device: said for device in devices if (said := self.of_device(device))}

    def list_devices(
        self,
        *,
        site: str | None = None,
        equipment: str | None = None,
        search: str | None = None,
        after: DeviceId | None = None,
        limit: int = 100,
    ) -> Page[DeviceId]:
        found = sorted(
            {
                DeviceId(one.site, one.device)
                for _, one in self._said.values()
                if (site is None or one.site == site)
                and (equipment is None or (one.metric is None and one.equipment == equipment))
                and (search is None or search.casefold() in one.device.casefold())
            }
        )
        rest = [device for device in found if after is None or device > after]
        return Page(tuple(rest[:limit]), rest[limit - 1].device if len(rest) > limit else None, len(found))

    def revision(self) -> int:
        return max((revision for revision, _ in self._said.values()), default=0)

    def changed_since(self, revision: int) -> list[Declaration]:
        changed = sorted((then, key) for key, (then, _) in self._said.items() if then > revision)
        return [self._said[key][1] for _, key in changed]
