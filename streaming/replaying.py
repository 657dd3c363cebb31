"""Finding an episode again: from a snapshot and the ingest sequence, with the detectors of then, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from heapq import merge
from itertools import takewhile
from operator import attrgetter

import numpy as np

from industrial_brain.domain.anomalies import Episode, Sensor
from industrial_brain.domain.errors import StateError
from industrial_brain.domain.ingest import Entry, Rows
from industrial_brain.domain.telemetry import Batch
from models.anomaly.episodes import Merger
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from streaming.episodes import ReplayJudge
from streaming.runtime import Stores
from streaming.scorer import Scorer, Watcher

#: what people say of an episode, and what the store notes: no part of what was found
_NOT_FOUND = {
    "acknowledged_by",
    "acknowledged_at",
    "label",
    "labelled_by",
    "labelled_at",
    "revision",
    "change",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """What is stored of an episode, and what was found again instead. `stored` or `found` is empty where there is none."""

    field: str
    stored: str
    found: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        after: seq of the snapshot that it began from; 0: from nothing. until: the last seq that it took.
        readings: that it scored.
        differences: none if the episode and all its sensors were found again to the byte.
    """

    episode: str
    after: int
    until: int
    readings: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not self.differences


def replay(
    episode: Episode,
    sensors: Sequence[Sensor],
    stores: Stores,
    index: ChannelIndex,
    watchers: Callable[[], Mapping[str, Watcher]],
    most_readings: int | None = None,
) -> Replayed:
    """Score once more what the episode came from, and compare.

    Args:
        sensors: all that are stored of it.
        stores: open; nothing in them is changed.
        watchers: makes the detectors, new.
        most_readings: that may be scored; None: however many there are.

    Raises:
        StateError: it would take more readings. BundleError: the snapshot is of another release.
    """
    found = stores.snapshots.newest(episode.first_seq - 1)
    after, arrays = (0, None) if found is None else found
    declarations = Declarations(index)
    for said in stores.inbox.declared(after):
        declarations.take(said)
    open_then = None
    if arrays is not None:
        open_then = {name.removeprefix("judge/"): arrays[name] for name in arrays if name.startswith("judge/")}
    judge = ReplayJudge(Merger(episode.shard, index, declarations), open_then)
    scorer = Scorer(watchers(), judge, declarations)
    if arrays is not None:
        scorer.load(arrays)
    readings = 0
    for entry in entries_between(stores, after, episode.last_seq):
        readings += len(entry) if isinstance(entry, Batch) else 0
        if most_readings is not None and readings > most_readings:
            raise StateError(
                f"More than {most_readings:,} readings lie between the snapshot at {after} and the anomaly's last batch.",
                "Run `brain anomalies replay` on the server's machine: it has no such limit.",
            )
        scorer.take(entry)
    again = judge.found.get(episode.id)
    differences: tuple[Difference, ...]
    if again is None:
        differences = (Difference("id", episode.id, ""),)
    else:
        differences = (
            *_compared("", episode, again.episode),
            *_sensors_compared(sensors, again.sensors),
        )
    return Replayed(episode.id, after, episode.last_seq, readings, differences)


def entries_between(stores: Stores, after: int, until: int) -> Iterator[Entry]:
    """The ingest sequence behind `after` and up to `until`, wherever it lies: in the lake, or still in the inbox.

    What is not in the lake is read first, since it may leave the inbox meanwhile. Beside a writing process the lake has to be
    looked at before.
    """
    moved = stores.lake.stored_until()
    rest = list(takewhile(lambda entry: entry.seq <= until, stores.inbox.entries(max(after, moved))))
    last = min(moved, until)
    events = takewhile(lambda entry: entry.seq <= last, stores.inbox.entries(after) if after < last else ())
    rowless = (entry for entry in events if not (isinstance(entry, Batch) and len(entry)))
    yield from merge(rowless, _batches(stores.lake.replay(after, last)), key=attrgetter("seq"))
    yield from rest


def _batches(portions: Iterator[Rows]) -> Iterator[Batch]:
    """Rows in the order in which they were stored, as the batches that they came in."""
    for rows in portions:
        edges = np.flatnonzero(np.diff(rows.seq)) + 1
        for part in np.split(np.arange(len(rows)), edges):
            one = rows.take(part)
            yield Batch(int(one.seq[0]), int(one.received_at[0]), one.channel, one.ts, one.value, one.quality, one.late)


def _compared(prefix: str, stored: Episode | Sensor, found: Episode | Sensor) -> list[Difference]:
    """By field; texts tell floats apart to the last bit, and NaN from nothing else."""
    names = [field.name for field in fields(stored) if field.name not in _NOT_FOUND]
    pairs = [(name, repr(getattr(stored, name)), repr(getattr(found, name))) for name in names]
    return [Difference(prefix + name, one, other) for name, one, other in pairs if one != other]


def _sensors_compared(stored: Sequence[Sensor], found: Sequence[Sensor]) -> list[Difference]:
    before, after = ({sensor.channel: sensor for sensor in sensors} for sensors in (stored, found))
    differences: list[Difference] = []
    for channel in sorted({*before, *after}):
        prefix = f"sensors/{channel}"
        if channel not in after or channel not in before:
            differences.append(Difference(prefix, repr(before.get(channel, "")), repr(after.get(channel, ""))))
        else:
            differences += _compared(f"{prefix}/", before[channel], after[channel])
    return differences
