"""What a message came to: readings, and what of it could not be read, with the reason."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

from industrial_brain.domain.episode_words import micros_of
from industrial_brain.domain.telemetry import Quality

#: text that reads as a number
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class UndecodableError(Exception):
    """A message, or a part of one, that holds no reading.

    Args:
        reason: stable kebab-case name.
        detail: one sentence.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class Rows:
    """Readings of one site, column by column. `message`: number of the message, in the batch, that each came with."""

    device: list[str] = field(default_factory=list)
    metric: list[str] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    unit: list[str] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ts)

    def add(self, device: str, metric: str, ts: int, value: float, unit: str = "", quality: int = Quality.GOOD) -> None:
        self.device.append(device)
        self.metric.append(metric)
        self.ts.append(ts)
        self.value.append(value)
        self.unit.append(unit)
        self.quality.append(quality)

    def belong_to(self, message: int) -> None:
        """The rows that were added since the last call came with this message."""
        self.message.extend([message] * (len(self.ts) - len(self.message)))

    def cut(self, length: int) -> None:
        """Forget the rows behind this length."""
        for column in (self.device, self.metric, self.ts, self.value, self.unit, self.quality):
            del column[length:]


#: name of the metric that tells whether a device is connected, 1 or 0
ONLINE = "mqtt.online"


@dataclass(slots=True)
class Refusals:
    """Parts of one message that hold no reading: reason -> (how many, the first one's words)."""

    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, reason: str, detail: str) -> None:
        count, first = self.found.get(reason, (0, detail))
        self.found[reason] = (count + 1, first)


def number_of(value: object) -> float | None:
    """The number that a value is: numbers, booleans (1 and 0), and texts that read as numbers; None for anything else.

    >>> number_of(True), number_of("12.5"), number_of("on")
    (1.0, 12.5, None)
    """
    if isinstance(value, (bool, int, float)):
        try:
            return float(value)
        except OverflowError:
            return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return None


def moment_of(value: object) -> int:
    """Microseconds since 1970 of milliseconds, or of RFC 3339 text with a zone. Raises UndecodableError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
        return round(value * 1000)
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return micros_of(moment)
        except (ValueError, OverflowError):
            pass
    raise UndecodableError(
        "bad-time", "A time is milliseconds since 1970, or RFC 3339 with a zone, such as 2026-01-31T08:00:00Z."
    )
