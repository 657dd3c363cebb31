"""Equipment: machines of one class with sensors that belong together, and where their history comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.telemetry import Keys, Micros


@dataclass(frozen=True, slots=True)
class Machine:
    """A device that was declared to be of a class of equipment.

    Attributes:
        equipment: the class, such as `pump`.
        channels: key of each metric that says how the machine is; counters are left out.
        seconds: between two readings, where that was declared.
    """

    site: str
    device: str
    equipment: str
    channels: Mapping[str, int]
    seconds: float | None = None

    @property
    def name(self) -> str:
        """Unique over all sites."""
        return machine_name(self.site, self.device)


def machine_name(site: str, device: str) -> str:
    """What bundles call a machine."""
    return f"{site}/{device}"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time of one machine, both ends included, that somebody has said something of."""

    machine: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Labels:
    """What operators said of episodes.

    Attributes:
        true: faults. They are not learnt from, and a version should find them.
        maintenance: not learnt from, and not judged.
        false: nothing was wrong: learnt from like any other rows, and no version should alarm.
    """

    true: tuple[Span, ...] = ()
    maintenance: tuple[Span, ...] = ()
    false: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Good readings of some channels, by channel and then by time; one a channel and moment."""

    channel: Keys
    ts: Micros
    value: npt.NDArray[np.float64]


class EquipmentStore(Protocol):
    """What training asks of the telemetry."""

    def machines(self, equipment: str | None = None) -> list[Machine]:
        """Declared machines that have sent something, of one class or of all; by name."""
        ...

    def history(self, channels: Sequence[int], start: int, end: int) -> History:
        """What is stored of these channels at `start <= ts < end`."""
        ...
