"""Devices as operators declare them: their limits, their rhythm, their class, their gateway; and the port that keeps it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Declaration

#: bytes of a device's or a metric's name; characters of a site's, a unit's and an equipment class's
LONGEST_NAME, LONGEST_SITE, LONGEST_UNIT, LONGEST_EQUIPMENT = 255, 200, 64, 200


@dataclass(frozen=True, slots=True, order=True)
class DeviceId:
    """A device of a site."""

    site: str
    device: str


class DeclarationStore(Protocol):
    """What operators declared, the newest word of each (site, device, metric). Every change raises the revision."""

    def put(self, declarations: Iterable[Declaration]) -> None:
        """Take these words, all or none; each replaces what was said of the same site, device and metric before."""
        ...

    def of_device(self, device: DeviceId) -> list[Declaration]:
        """The device's own declaration first, then those of its metrics by name; empty for one that was never declared."""
        ...

    def of_devices(self, devices: Sequence[DeviceId]) -> dict[DeviceId, list[Declaration]]:
        """The same for many devices at once; those that were never declared are left out."""
        ...

    def list_devices(
        self,
        *,
        site: str | None = None,
        equipment: str | None = None,
        search: str | None = None,
        after: DeviceId | None = None,
        limit: int = 100,
    ) -> Page[DeviceId]:
        """Declared devices, also those of which only a metric was declared, by site and device.

        Args:
            equipment: of this class alone.
            search: part of the device's id, whatever its case.
        """
        ...

    def revision(self) -> int:
        """A number that rises with every change; 0 before the first."""
        ...

    def changed_since(self, revision: int) -> list[Declaration]:
        """What was declared after that revision, oldest change first."""
        ...


def checked(declaration: Declaration) -> Declaration:
    """The declaration, if it makes sense.

    Raises:
        InputError: it does not; `pointer` names the field.
    """
    for fault, pointer in _faults(declaration):
        raise InputError(fault, "Correct the declaration and send it again.", pointer=f"/{pointer}")
    return declaration


def _faults(one: Declaration) -> Iterable[tuple[str, str]]:
    for name, text, longest in (
        ("site", one.site, LONGEST_SITE),
        ("device", one.device, LONGEST_NAME),
        ("metric", one.metric, LONGEST_NAME),
        ("unit", one.unit, LONGEST_UNIT),
        ("equipment", one.equipment, LONGEST_EQUIPMENT),
        ("parent", one.parent, LONGEST_NAME),
    ):
        if text is None:
            continue
        if not text or len(text.encode(errors="replace")) > longest:
            yield f"`{name}` has from 1 to {longest} bytes.", name
        if any(ord(letter) < 0x20 or ord(letter) == 0x7F or 0xD800 <= ord(letter) < 0xE000 for letter in text):
            yield f"`{name}` may not hold control characters.", name
    for name, number in (("low", one.low), ("high", one.high), ("wraps_at", one.wraps_at), ("seconds", one.seconds)):
        if number is not None and not math.isfinite(number):
            yield f"`{name}` is not finite.", name
    if one.low is not None and one.high is not None and one.low >= one.high:
        yield "`low` is not below `high`.", "low"
    if one.wraps_at is not None and (not one.counter or one.wraps_at <= 0):
        yield "`wraps_at` is of a counter, and positive.", "wraps_at"
    if one.seconds is not None and one.seconds <= 0:
        yield "`seconds` between two readings are more than 0.", "seconds"
    if one.parent == one.device:
        yield "A device is not its own parent.", "parent"
    limits = [name for name in ("unit", "low", "high", "wraps_at") if getattr(one, name) is not None]
    limits += [name for name in ("counter", "watch") if getattr(one, name)]
    if one.metric is None and limits:
        yield "Units, limits, counters and a closer watch are of a metric, not of a device.", limits[0]
    if one.metric is not None and (one.equipment is not None or one.parent is not None):
        yield "`equipment` and `parent` are of a device, not of a metric.", "equipment" if one.equipment else "parent"
