"""Anomalies as people read them: episodes, what was said of them, and the store that keeps them.

An *episode* is what one device does wrong from its first alarm until it has been quiet for a while: one line in a list, not
a thousand points. Moments are microseconds since 1970, UTC, as in `telemetry`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Cause

#: what stands for the device of an episode that is a whole site's
WHOLE_SITE = ""


class Kind(StrEnum):
    """Causes that one event shows itself by, in turn: a spike is first a rate, then a level. They are one episode."""

    VALUE = "value"
    STUCK = "stuck"
    SILENT = "silent"
    CLOCK = "clock"


KINDS = {
    Cause.LEVEL: Kind.VALUE,
    Cause.RATE: Kind.VALUE,
    Cause.LIMIT: Kind.VALUE,
    Cause.PATTERN: Kind.VALUE,
    Cause.SHIFT: Kind.VALUE,
    Cause.STUCK: Kind.STUCK,
    Cause.SILENT: Kind.SILENT,
    Cause.CLOCK: Kind.CLOCK,
}


class Severity(StrEnum):
    """Grades of the city's warnings, red worst."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def rank(self) -> int:
        """0 for blue to 3 for red."""
        return _RANKS[self]


_RANKS = {Severity.BLUE: 0, Severity.YELLOW: 1, Severity.ORANGE: 2, Severity.RED: 3}
GRADES = tuple(sorted(Severity, key=_RANKS.__getitem__))


class EpisodeState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Label(StrEnum):
    """What a person found an episode to be. Retraining leaves out `true`, and learns from `false` and `maintenance`'s ends."""

    TRUE = "true"
    FALSE = "false"
    MAINTENANCE = "maintenance"


class Change(StrEnum):
    """What last happened to an episode."""

    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"
    ACKNOWLEDGED = "acknowledged"
    LABELLED = "labelled"


@dataclass(frozen=True, slots=True)
class Sensor:
    """One channel's part in an episode.

    Attributes:
        channel: its key.
        at: when it deviated most. p, value, expected: then, see `Scored`; NaN where a value means nothing.
        share: of the device's deviation, 0 to 1, where a model says so; else NaN.
        points: readings that belong to the episode.
        active: still silent, in an episode of silence.
    """

    channel: int
    device: str
    metric: str
    unit: str
    cause: Cause
    at: int
    p: float
    value: float
    expected: float
    share: float = float("nan")
    points: int = 1
    active: bool = True


@dataclass(frozen=True, slots=True)
class Episode:
    """One event at one device, or a gateway with what is behind it, or a whole site.

    Attributes:
        id: made of its beginning, so that ids sort by time, and of nothing that a replay would not find again.
        device: `WHOLE_SITE` for an outage of the site.
        cause, metric, unit, at, p, value, expected, detector: at the peak, where p was smallest.
        start, end: event times of the first and the last point so far; of silence, the moments of its look and its end.
        opened_at: receive time of the first point; last_at: of the last one.
        points, sensor_count, device_count: readings, channels and devices that it is made of.
        level: p-value of an alarm when it opened; lax: under this one it goes on.
        calm: readings of its channels since its last point that were as expected.
        first_seq, last_seq: places in the ingest sequence of `shard` that it began at, and that last changed it.
        parent: the episode that took this one in.
        label and who gave it: the last word; `EpisodeStore.words` has all of them.
        revision: rises with every change of any episode in the store. 0: not stored yet.
    """

    id: str
    shard: str
    site: str
    device: str
    kind: Kind
    cause: Cause
    severity: Severity
    state: EpisodeState
    metric: str
    unit: str
    at: int
    p: float
    value: float
    expected: float
    detector: str
    start: int
    end: int
    opened_at: int
    last_at: int
    points: int
    sensor_count: int
    device_count: int
    level: float
    lax: float
    calm: int
    first_seq: int
    last_seq: int
    parent: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    label: Label | None = None
    labelled_by: str | None = None
    labelled_at: int | None = None
    revision: int = 0
    change: Change = Change.OPENED


def episode_id(site: str, device: str, kind: Kind, start: int, seq: int) -> str:
    """An id that sorts by the beginning, and that a replay of the same sequence makes again.

    >>> episode_id("plant", "pump 7", Kind.VALUE, 1_700_000_000_000_000, 42)
    '060a24181e4000-4f36118e9f'
    """
    told = "\x00".join([site, device, kind, str(seq)]).encode()
    return f"{max(start, 0):014x}-{hashlib.blake2b(told, digest_size=5).hexdigest()}"


@dataclass(frozen=True, slots=True)
class EpisodeChange:
    """An episode as it is now, and those of its sensors that changed."""

    episode: Episode
    sensors: tuple[Sensor, ...]


@dataclass(frozen=True, slots=True)
class EpisodeWord:
    """What a person said of an episode: an acknowledgement (`label` is None) or a label."""

    label: Label | None
    note: str
    author: str
    at: int


@dataclass(frozen=True, slots=True)
class EpisodeFilter:
    """Which episodes are meant. None: any.

    Attributes:
        sites: those that the asker may see. device: `WHOLE_SITE` means outages of sites.
        start, end: microseconds; episodes that touch this time, its end not included.
        parent: those that this episode took in; without one, those that stand for themselves.
    """

    sites: tuple[str, ...] | None = None
    site: str | None = None
    device: str | None = None
    cause: Cause | None = None
    severity: Severity | None = None
    state: EpisodeState | None = None
    label: Label | None = None
    start: int | None = None
    end: int | None = None
    parent: str | None = None


class EpisodeStore(Protocol):
    """Keeps episodes. One open episode a device and kind, by a unique key of the database."""

    def taken(self, shard: str) -> int:
        """The last seq of a shard that is durable here; 0 before the first."""
        ...

    def open_episodes(self, shard: str) -> list[EpisodeChange]:
        """The shard's open episodes with all their sensors, by id."""
        ...

    def keep(self, shard: str, seq: int, changes: Sequence[EpisodeChange]) -> int:
        """Store the changes, and that everything up to `seq` is taken, in one transaction; the revision after it.

        What people said of an episode stays. A seq that is not above the one taken changes nothing.

        Raises:
            StateError: another episode of the device and kind is open.
        """
        ...

    def get(self, episode_id: str, sites: Sequence[str] | None = None) -> Episode:
        """One episode. Unknown ids, and those of other sites, raise `UnknownIdError`."""
        ...

    def sensors(self, episode_id: str, limit: int = 1000) -> list[Sensor]:
        """The sensors of an episode: the largest share first, then the smallest p."""
        ...

    def list_episodes(self, chosen: EpisodeFilter, *, after: str | None = None, limit: int = 100) -> Page[Episode]:
        """Newest beginning first."""
        ...

    def changed_since(self, revision: int, sites: Sequence[str] | None = None, limit: int = 1000) -> list[Episode]:
        """Episodes that changed after a revision, as they are now, in the order of their last change."""
        ...

    def revision(self) -> int:
        """That of the last change; 0 before the first."""
        ...

    def say(
        self,
        episode_id: str,
        word: EpisodeWord,
        *,
        sites: Sequence[str] | None = None,
        request: RepeatableRequest | None = None,
    ) -> Episode:
        """Keep a person's word; the episode after it. A request that came before changes nothing.

        Raises:
            UnknownIdError: as `get`.
            InputError: the request's key came with another digest.
        """
        ...

    def words(self, episode_id: str) -> list[EpisodeWord]:
        """All that was said of an episode, oldest first."""
        ...

    def labelled(self, sites: Sequence[str] | None = None, since: int = 0) -> list[Episode]:
        """Episodes whose label was given at or after a moment, oldest label first; what retraining reads."""
        ...


class Places(Protocol):
    """How devices depend on each other."""

    def parent(self, site: str, device: str) -> str | None:
        """The declared device whose failure explains this one's silence."""
        ...

    def children(self, site: str, device: str) -> int:
        """How many devices name this one as their parent."""
        ...

    def devices(self, site: str) -> int:
        """How many devices the site has."""
        ...
