"""Telemetry: what devices send, as columns; what happened to each reading; and the ports that it passes through.

One request becomes a `Submission` (decoded, not judged). What is accepted of it becomes a `Batch` (judged, numbered,
durable). A batch is scored into `Scored`, row by row, in the order of its sequence number. Times are int64 microseconds
since 1970, UTC.

A *channel* is one metric of one device of one site; it has a small number, its key, dense from 0, given at first sight
and never reused. A site is the tenant: a factory's key writes only to its own sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import TooManyError

#: microseconds since 1970-01-01T00:00:00Z
Micros = npt.NDArray[np.int64]
#: keys of channels, or codes into a tuple of names
Keys = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

MICROS_PER_SECOND = 1_000_000


class Quality(IntEnum):
    """What a device thinks of its own reading. A bad one is stored, and neither scored nor learnt from."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of UTF-8 texts as Arrow lays it out: text `i` is `data[offsets[i]:offsets[i + 1]]`.

    Attributes:
        data: uint8, all texts one after the other.
        offsets: int64, `n + 1`.
    """

    data: Bytes
    offsets: Micros

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        return bytes(self.data[self.offsets[row] : self.offsets[row + 1]]).decode()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The column of these texts."""
        parts = [text.encode() for text in texts]
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of few distinct texts: row `i` is `names[codes[i]]`."""

    codes: Keys
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.names[int(self.codes[row])]


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a request was not taken.

    Attributes:
        index: position of the item in the request, from 0 (a row; a line of line protocol).
        code: stable kebab-case name, such as `not-a-number`.
        detail: one sentence: what is wrong and what to do.
    """

    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Submission:
    """Readings of one site as one request brought them: `n` rows in the sender's order, decoded and not judged.

    Attributes:
        site: the tenant that they belong to.
        device: ids of devices, unique within the site.
        metric: what was measured.
        ts: event times.
        value: float64; may still hold what is refused later (NaN, infinity).
        unit: UCUM; the empty text where the sender named none.
        quality: uint8, see `Quality`.
        index: int64, position of each row in the request: several rows may come from one item.
        errors: items that could not be decoded, and so have no row: the first `MOST_ERRORS` of them.
        unnamed: how many more could not be decoded. Whoever decoded them adds them to the receipt's `rejected`.
        digest: 16 bytes that tell this body from any other, for recognising a request that is sent again. Where the sender
            left the times to us, the moment of receiving belongs to what is digested: the same body later is new readings.
    """

    site: str
    device: Texts
    metric: Coded
    ts: Micros
    value: npt.NDArray[np.float64]
    unit: Coded
    quality: Bytes
    index: Micros
    digest: bytes
    errors: tuple[ItemError, ...] = ()
    unnamed: int = 0

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request. Every row is accepted, duplicate or rejected; items that could not be decoded are rejected.

    Attributes:
        accepted: durable now; `late` of them are not newer than the newest reading of their channel: stored where they
            belong, read like any other, and not scored by what watches the stream.
        duplicate: equal to a reading that was accepted before.
        errors: reasons of rejected items, the first `MOST_ERRORS` of them.
    """

    accepted: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    errors: tuple[ItemError, ...] = ()


MOST_ERRORS = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that were accepted together. A batch without rows marks that time has passed.

    Attributes:
        seq: place in the ingest sequence of its shard: rises by one, never reused. Batches are scored in this order.
        received_at: when the service took it in.
        channel: keys of channels, `n`.
        ts: event times, `n`.
        value: float64, `n`, finite.
        quality: uint8, `n`.
        late: bool, `n`: not newer than the newest reading of its channel at that moment; not for the live state.
    """

    seq: int
    received_at: int
    channel: Keys
    ts: Micros
    value: npt.NDArray[np.float64]
    quality: Bytes
    late: Flags

    def __len__(self) -> int:
        return len(self.channel)

    @classmethod
    def tick(cls, seq: int, received_at: int) -> Batch:
        """A batch without rows."""
        columns = (np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.float64), np.zeros(0, np.uint8))
        return cls(seq, received_at, *columns, np.zeros(0, np.bool_))


class Cause(IntEnum):
    """What a detector saw. `NONE` marks a reading that was not judged: late, bad, or of a channel that is still new."""

    NONE = 0
    LEVEL = 1  # far from where it should be at this hour
    RATE = 2  # changed faster than it does
    STUCK = 3  # the same value for longer than it ever was
    LIMIT = 4  # outside its declared physical limits
    SILENT = 5  # no reading for longer than its rhythm allows
    CLOCK = 6  # its clock is off
    PATTERN = 7  # several sensors of a device no longer fit together (a trained model)
    SHIFT = 8  # its level has moved for good


@dataclass(frozen=True, slots=True)
class Scored:
    """Judgements of one batch, or of one look at the fleet (silence has no reading).

    Attributes:
        seq: of the batch. Equal inputs in equal order give equal bytes.
        channel: keys, `n`.
        ts: event times; for silence the moment of the look.
        p: float32, calibrated p-value: small is anomalous. A channel that behaves as before has p uniform, or larger.
        cause: uint8, see `Cause`: the detector that gave the smallest p.
        value, expected: float32, what came and what was expected, in the channel's unit; NaN where that means nothing.
        score: float32 in 0 to 1, high is anomalous; for ranking and for pictures.
    """

    seq: int
    channel: Keys
    ts: Micros
    p: npt.NDArray[np.float32]
    cause: Bytes
    value: npt.NDArray[np.float32]
    expected: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.channel)


@dataclass(frozen=True, slots=True)
class ChannelName:
    """Who a channel is. `unit` is the one of its first reading, or the declared one; empty if none was ever named."""

    key: int
    site: str
    device: str
    metric: str
    unit: str


@dataclass(frozen=True, slots=True)
class Point:
    """A stored reading, or one that stands for several (`count`) in a downsampled answer."""

    ts: int
    value: float
    quality: Quality
    received_at: int


class BackPressureError(TooManyError):
    """The service can't take more just now, and says so before it loses anything: retry after `seconds`.

    Args:
        full: whether storage is full (503), not just busy or a quota reached (429).
    """

    slug = "back-pressure"

    def __init__(self, message: str, next_step: str, seconds: float, *, full: bool = False) -> None:
        super().__init__(message, next_step)
        self.seconds, self.full = seconds, full
        self.args = (message, next_step, seconds)


class Intake(Protocol):
    """Where decoded requests are handed in."""

    async def submit(self, submission: Submission) -> Receipt:
        """Judge the rows, make the accepted ones durable, then answer. Raises BackPressureError, UnavailableError."""
        ...


class Channels(Protocol):
    """Who is behind a key, and the other way round."""

    def __len__(self) -> int: ...

    def name(self, key: int) -> ChannelName:
        """Raises UnknownIdError."""
        ...

    def of_device(self, site: str, device: str) -> list[ChannelName]:
        """The channels of one device, in order of first sight; empty for a device that was never seen."""
        ...


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an operator says of a channel before or after its first reading. Every part may be left open.

    Attributes:
        low, high: physical limits, in `unit`; a reading outside is an anomaly of cause `LIMIT`, whatever came before.
        counter: whether the metric only ever rises, and wraps at `wraps_at` (None: it restarts at 0).
        seconds: between two readings, where that is known.
        equipment: class of equipment of the device, such as `pump`; trained models are of one class.
        parent: device whose failure explains this one's silence, such as a gateway.
        watch: look at this channel more closely: shapes that it never made are anomalies, too. For some hundred important ones.
    """

    site: str
    device: str
    metric: str | None = None  # None: of the device
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    counter: bool = False
    wraps_at: float | None = None
    seconds: float | None = None
    equipment: str | None = None
    parent: str | None = None
    watch: bool = False


class Fleet(Protocol):
    """The live state of every channel: constant memory each, updated by every reading."""

    def score(self, batch: Batch) -> Scored:
        """Judge a batch, then learn from it. One judgement a row, in order."""
        ...

    def look(self, seq: int, now: int) -> Scored:
        """Channels that have been silent for too long at `now` (microseconds): only those, each once until it speaks again."""
        ...

    def declare(self, keys: Sequence[int], declarations: Sequence[Declaration]) -> None:
        """Take over what operators said of these channels."""
        ...

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as arrays, by name: valid until the next batch, and to be copied or written before it."""
        ...

    def load(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state."""
        ...


@dataclass(frozen=True, slots=True)
class Decided:
    """Judgements with the decision on each: which of them are worth a person's time.

    Attributes:
        alarm: bool, `n`: rows at which an episode may begin.
        level: the p-value at or below which a row of ordinary evidence is an alarm just now. An episode goes on above it,
            under a laxer one that follows from it.
        detector: what judged, with its version: `fleet 1`, `ib-anomaly-pump 3`.
        share: float32, `n`: how much of its device's deviation each row's channel contributes, where a model says so; a row
            of cause `PATTERN` is one channel of the device, and all rows of one judgement have its p and its ts.
    """

    scored: Scored
    alarm: Flags
    level: float
    detector: str
    share: npt.NDArray[np.float32] | None = None


class Decider(Protocol):
    """Picks alarms from judgements, by a budget of alarms or a false-discovery rate."""

    def decide(self, scored: Scored, at: int) -> Decided:
        """The decision on each row, in order of seq. `at` is the receive time of the batch, or the moment of the look."""
        ...

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as arrays, by name."""
        ...

    def load(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state."""
        ...


class Judge(Protocol):
    """What makes episodes of alarms. Told of every seq in order, also of those without rows: time passes in them, too."""

    def taken(self) -> int:
        """The last seq that is durable here; 0 before the first."""
        ...

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        """Merge what was decided on one batch: its rows, the look at the fleet, models of equipment classes.

        A seq that is durable already changes nothing, so that after a crash the same ones may be handed over again from the
        last snapshot on.

        Args:
            at: when the batch was received, in microseconds; no other clock is looked at.
        """
        ...

    def flush(self) -> None:
        """Make durable all that was taken. To be called before a snapshot of the same seq counts: what came before a
        snapshot never comes again."""
        ...

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        """The open episodes as arrays, by name: what a replay goes on from. A restart finds them where they are durable."""
        ...
