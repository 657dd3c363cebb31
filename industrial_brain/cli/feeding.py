"""Simulated telemetry on its way to a running server: at which pace, in which format, and what became of it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pyarrow as pa

from industrial_brain.domain.errors import BrainError, InputError
from industrial_brain.domain.protocols import Progress
from industrial_brain.domain.telemetry import Coded, Quality, Receipt, Submission
from industrial_brain.simulation.plant import Plant
from industrial_brain.simulation.telemetry import Readings, blocks
from serving.sending import ARROW, JSON, TelemetryServer, arrow_body, columns_body, patiently, rows_body, table_of
from serving.telemetry.draft import texts_of

CONNECTIONS = 4
_ROWS_PER_REQUEST = 50_000
_MICROS = 1_000_000


class Format(StrEnum):
    """Bodies that the server reads."""

    ARROW = "arrow"
    COLUMNS = "columns"
    ROWS = "rows"


_ENCODERS: dict[Format, tuple[Callable[[pa.Table], bytes], str]] = {
    Format.ARROW: (arrow_body, ARROW),
    Format.COLUMNS: (columns_body, JSON),
    Format.ROWS: (rows_body, JSON),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """When a block may be sent.

    Attributes:
        begun: when sending begins, microseconds since 1970.
        live: minutes at the end of the span that lie in the future then, and are sent as they come.
        speedup: simulated seconds a second, for the whole span; None: as fast as the server takes it.
        rate: readings a second at most.
    """

    begun: int
    live: float = 0.0
    speedup: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.live and self.speedup:
            raise InputError("What is sent as it comes can't be sped up.", "Give --live or --speedup, not both.")
        if (
            self.live < 0
            or (self.speedup is not None and self.speedup <= 0)
            or (self.rate is not None and self.rate <= 0)
        ):
            raise InputError("A pace is positive.", "Correct --live, --speedup or --rate.")

    def start(self, minutes: float) -> int:
        """Begin of the span, so that no reading is sent before its own time and the last one is fresh."""
        ahead = min(self.live, minutes) if self.speedup is None else minutes / self.speedup
        return self.begun + round((ahead - minutes) * 60 * _MICROS)

    def history_until(self, plant: Plant) -> int:
        """What was measured before is sent later than it was measured, or faster."""
        return self.begun if self.live else plant.time_of(plant.steps)

    def due(self, plant: Plant, until: int, sent: int) -> float:
        """Seconds after `begun` before which a block that ends at `until` is not sent."""
        at = (until - self.begun if self.speedup is None else (until - plant.start) / self.speedup) / _MICROS
        return max(at, sent / self.rate if self.rate else 0.0)

    def blocks(self, plant: Plant) -> Iterator[tuple[Readings, ...]]:
        """The readings, cut so finely that the pace can be kept."""
        if self.speedup is not None:
            return blocks(plant, longest=max(int(self.speedup / plant.every), 1))
        if self.rate is not None:
            return blocks(plant, longest=max(int(self.rate / plant.channels), 1))
        live_from = plant.steps - int(self.live * 60 // plant.every)
        return blocks(plant, live_from=max(live_from, 0))


@dataclass(slots=True)
class Tally:
    """What became of the readings so far; `until`: everything before it was sent."""

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    until: int | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, receipt: Receipt, rows: int) -> None:
        self.sent += rows
        self.accepted += receipt.accepted
        self.duplicate += receipt.duplicate
        self.late += receipt.late
        self.rejected += receipt.rejected
        for error in receipt.errors:
            self.reasons.setdefault(error.code, error.detail)


def table_of_readings(plant: Plant, readings: Readings) -> pa.Table:
    """Readings as the columns that the server's formats share."""
    numbers, codes = np.unique(readings.device, return_inverse=True)
    names = [plant.devices[number].name for number in numbers.tolist()]
    return table_of(
        device=pa.DictionaryArray.from_arrays(codes.astype(np.int32), names),
        metric=pa.DictionaryArray.from_arrays(readings.metric, list(plant.metrics)),
        ts=pa.array(readings.ts),
        value=pa.array(readings.value),
        unit=pa.DictionaryArray.from_arrays(readings.unit, list(plant.units)),
    )


def submission_of(plant: Plant, readings: Readings) -> Submission:
    """Readings as a submission, for an intake in this process."""
    numbers, codes = np.unique(readings.device, return_inverse=True)
    names = pa.array([plant.devices[number].name for number in numbers.tolist()], pa.large_string())
    told = hashlib.blake2b(readings.site.encode(), digest_size=16)
    for column in (readings.device, readings.metric, readings.ts, readings.value, readings.unit):
        told.update(column.tobytes())
    return Submission(
        site=readings.site,
        device=texts_of(names.take(pa.array(codes))),
        metric=Coded(readings.metric, plant.metrics),
        ts=readings.ts,
        value=readings.value,
        unit=Coded(readings.unit, plant.units),
        quality=np.full(len(readings), Quality.GOOD, np.uint8),
        index=np.arange(len(readings)),
        digest=told.digest(),
    )


def feed(
    plant: Plant,
    server: TelemetryServer,
    pace: Pace,
    shape: Format,
    *,
    tally: Tally,
    progress: Progress,
    told: Callable[[BrainError, float], None],
) -> None:
    """Post all readings, a block after the other, its sites side by side. Fills `tally` as it goes.

    Raises:
        KeyboardInterrupt: after what was under way has been answered.
        AuthenticationError, PermissionDeniedError, InputError: the server refuses for good.
    """
    encode, media_type = _ENCODERS[shape]
    stopped = threading.Event()
    begun = time.monotonic()

    def post(site: str, readings: pa.Table) -> Receipt | None:
        body = encode(readings)
        return patiently(lambda: server.post(site, body, media_type), stopped.wait, told)

    def post_site(part: Readings) -> list[tuple[Receipt | None, int]]:
        """One request after the other, so that a channel's readings stay in order."""
        whole, answers = table_of_readings(plant, part), []
        for first in range(0, len(part), _ROWS_PER_REQUEST):
            readings = whole.slice(first, _ROWS_PER_REQUEST)
            answers.append((post(part.site, readings), len(readings)))
        return answers

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            for block in pace.blocks(plant):
                if not any(len(part) for part in block):
                    continue
                until = block[0].until
                pause = begun + pace.due(plant, until, tally.sent) - time.monotonic()
                if pause > 0:
                    time.sleep(pause)
                for answers in pool.map(post_site, block):
                    for receipt, rows in answers:
                        if receipt is not None:
                            tally.add(receipt, rows)
                tally.until = until
                progress(tally.sent, round(plant.channels * plant.steps * 0.95))
        except BaseException:
            stopped.set()
            raise
