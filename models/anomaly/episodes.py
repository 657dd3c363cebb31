"""From alarms to episodes: a function of the ingest sequence, and of what operators declared; no clock, no chance.

An episode opens at an alarm. It goes on while its channels' p stays under a laxer level, and closes when they have been
quiet for a while and have spoken as expected in it. Alarms of other channels of the device join it. Silence goes on until
the device speaks, and is put down to a gateway or the whole site where many share it (`silence`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.anomalies import (
    KINDS,
    WHOLE_SITE,
    Change,
    Episode,
    EpisodeChange,
    EpisodeState,
    Kind,
    Places,
    Sensor,
    episode_id,
)
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Cause, Channels, Decided
from models.anomaly.severity import SMALLEST_P, grade, lax_level
from models.anomaly.silence import FEWEST_OF_SITE, common_causes


@dataclass(frozen=True, slots=True)
class Patience:
    """How long episodes wait.

    Attributes:
        quiet: seconds after its last point until an episode closes.
        calm: readings as expected that it must have seen since; devices that report once an hour are asked, too.
        give_up: seconds without any reading after which it closes all the same: silence is an episode of its own.
        together: seconds between silences that may share a cause.
    """

    quiet: float = 600.0
    calm: int = 3
    give_up: float = 86_400.0
    together: float = 60.0


@dataclass(slots=True)
class _Course:
    """An open episode at work; `news` are the channels whose part changed since it was last handed out."""

    episode: Episode
    sensors: dict[int, Sensor]
    new: bool
    active: int = 0  # channels that are still silent
    counted: int = -1  # event time of the judgement counted last, which several rows of a model may share
    news: set[int] = field(default_factory=set)


class Merger:
    """The open episodes of one shard. Equal sequences give equal episodes, wherever it was restored between.

    Args:
        shard: whose ingest sequence it reads.
        channels: who is behind a key.
        places: what depends on what.
    """

    def __init__(self, shard: str, channels: Channels, places: Places, patience: Patience | None = None) -> None:
        self._shard, self._channels, self._places = shard, channels, places
        chosen = patience or Patience()
        self._quiet, self._give_up, self._together = (
            int(seconds * MICROS_PER_SECOND) for seconds in (chosen.quiet, chosen.give_up, chosen.together)
        )
        self._calm = chosen.calm
        self._names: dict[int, tuple[str, str, str, str]] = {}
        self._open: dict[tuple[str, str], dict[Kind, _Course]] = {}
        self._dumb: dict[str, dict[str, _Course]] = {}  # episodes of silence, by site and device
        self._silent: dict[int, _Course] = {}  # the same, by channel that is still silent
        self._watchers: npt.NDArray[np.uint16] = np.zeros(0, np.uint16)  # by channel: open episodes that it is part of
        self._changed: dict[str, _Course] = {}
        self._due: float = np.inf
        self.urgent = False

    def restore(self, kept: Iterable[EpisodeChange]) -> None:
        """Go on with these open episodes, all of their sensors with them."""
        for one in kept:
            course = _Course(one.episode, {}, new=False)
            self._list(course)
            for sensor in one.sensors:
                self._put(course, sensor)
            course.news.clear()
        self._changed.clear()
        self._due = min(map(self._deadline, self._courses()), default=np.inf)

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        """Go on by one batch; see `Judge.take`."""
        for one in decided:
            rows = self._rows_of_interest(one)
            if len(rows):
                silent = one.scored.cause[rows] == Cause.SILENT
                self._read(seq, at, one, rows[~silent].tolist())
                self._fall_silent(seq, at, one, rows[silent].tolist())
        if at >= self._due:
            self._close(seq, at)

    @property
    def has_news(self) -> bool:
        """Whether anything is `pending`."""
        return bool(self._changed)

    def pending(self) -> list[EpisodeChange]:
        """What changed and has not been `kept`: closed episodes first, so that others may open in their place."""
        found = []
        for course in self._changed.values():
            closed = course.episode.state is EpisodeState.CLOSED
            change = Change.CLOSED if closed else Change.OPENED if course.new else Change.UPDATED
            sensors = tuple(course.sensors[channel] for channel in sorted(course.news))
            found.append(EpisodeChange(replace(course.episode, change=change), sensors))
        return sorted(found, key=lambda one: (one.episode.state is EpisodeState.OPEN, one.episode.id))

    def kept(self) -> None:
        """What is `pending` is durable."""
        for course in self._changed.values():
            course.news.clear()
            course.new = False
        self._changed.clear()
        self.urgent = False

    def open_episodes(self) -> list[EpisodeChange]:
        """All that are open, with all of their sensors, by id; what `restore` takes."""
        return [
            EpisodeChange(course.episode, tuple(course.sensors[channel] for channel in sorted(course.sensors)))
            for course in sorted(self._courses(), key=lambda one: one.episode.id)
        ]

    def __len__(self) -> int:
        """Open episodes."""
        return sum(map(len, self._open.values()))

    # rows

    def _rows_of_interest(self, one: Decided) -> npt.NDArray[np.int64]:
        channel = one.scored.channel
        if not len(channel):
            return np.zeros(0, np.int64)
        self._grow(int(channel.max()))
        watched = self._watchers[channel] > 0
        if one.alarm.any():  # what follows an alarm counts in the same batch, too
            watched |= np.isin(channel, channel[one.alarm])
        return np.flatnonzero(watched)

    def _read(self, seq: int, at: int, one: Decided, rows: list[int]) -> None:
        """Readings that are alarms, or of channels of open episodes, in order."""
        scored = one.scored
        for row in rows:
            channel, p, ts = int(scored.channel[row]), float(scored.p[row]), int(scored.ts[row])
            cause = Cause(int(scored.cause[row]))
            site, device, _, _ = self._name(channel)
            if channel in self._silent:
                self._speak(seq, at, channel, ts)
            if cause is Cause.NONE:
                continue
            there = self._open.get((site, device), {})
            kind = KINDS[cause]
            course = there.get(kind)
            belongs = bool(one.alarm[row])
            if course is not None and channel in course.sensors:
                belongs = belongs or p <= course.episode.lax
            if belongs:
                if course is None:
                    course = self._begin(seq, at, site, device, kind, ts, one, row)
                self._point(course, seq, at, one, row)
            for other in list(there.values()):
                if (
                    other.episode.kind is not Kind.SILENT
                    and channel in other.sensors
                    and not (belongs and other is course)
                ):
                    other.episode = replace(other.episode, calm=other.episode.calm + 1, last_seq=seq)
                    self._changed[other.episode.id] = other
                    if other.episode.calm >= self._calm and ts >= other.episode.end + self._quiet:
                        self._end(seq, other)  # by event time: a day of the past may arrive within a second

    def _point(self, course: _Course, seq: int, at: int, one: Decided, row: int) -> None:
        """One more row of an episode: of its course, its peak, its sensors."""
        scored, episode = one.scored, course.episode
        fresh = self._sensor(one, row)
        before = course.sensors.get(fresh.channel)
        if before is None:
            self._put(course, fresh)
        else:
            peak = fresh if _is_worse(fresh, before) else before
            self._put(course, replace(peak, points=before.points + 1, active=fresh.active))
        again = fresh.cause is Cause.PATTERN and course.counted == fresh.at and episode.points > 0
        course.counted = fresh.at
        if episode.points == 0 or _is_worse(fresh, episode):
            episode = replace(
                episode,
                cause=fresh.cause,
                metric=fresh.metric,
                unit=fresh.unit,
                at=fresh.at,
                p=fresh.p,
                value=fresh.value,
                expected=fresh.expected,
                detector=one.detector,
            )
        course.episode = replace(
            episode,
            end=max(episode.end, int(scored.ts[row])),
            last_at=at,
            points=episode.points + (not again),
            sensor_count=len(course.sensors),
            calm=0,
            last_seq=seq,
        )
        self._grade(course)
        self._changed[episode.id] = course

    def _begin(
        self, seq: int, at: int, site: str, device: str, kind: Kind, start: int, one: Decided, row: int
    ) -> _Course:
        """A new episode, without any point yet."""
        sensor = self._sensor(one, row)
        episode = Episode(
            id=episode_id(site, device, kind, start, seq),
            shard=self._shard,
            site=site,
            device=device,
            kind=kind,
            cause=sensor.cause,
            severity=grade(sensor.p, one.level, 0.0, sensor.cause, device, 1),
            state=EpisodeState.OPEN,
            metric=sensor.metric,
            unit=sensor.unit,
            at=sensor.at,
            p=sensor.p,
            value=sensor.value,
            expected=sensor.expected,
            detector=one.detector,
            start=start,
            end=start,
            opened_at=at,
            last_at=at,
            points=0,
            sensor_count=0,
            device_count=1,
            level=one.level,
            lax=lax_level(one.level),
            calm=0,
            first_seq=seq,
            last_seq=seq,
        )
        return self._enter(_Course(episode, {}, new=True))

    def _enter(self, course: _Course) -> _Course:
        episode = course.episode
        self._list(course)
        self._changed[episode.id] = course
        self._due = min(self._due, self._deadline(course))
        self.urgent = True
        return course

    def _list(self, course: _Course) -> None:
        episode = course.episode
        self._open.setdefault((episode.site, episode.device), {})[episode.kind] = course
        if episode.kind is Kind.SILENT:
            self._dumb.setdefault(episode.site, {})[episode.device] = course

    def _grade(self, course: _Course) -> None:
        """A severity rises at once and never falls while the episode is open: it is that of the worst so far."""
        episode = course.episode
        seconds = (episode.end - episode.start) / MICROS_PER_SECOND
        worst = grade(episode.p, episode.level, seconds, episode.cause, episode.device, episode.device_count)
        if worst.rank > episode.severity.rank:
            course.episode = replace(episode, severity=worst)
            self.urgent = True

    # silence

    def _fall_silent(self, seq: int, at: int, one: Decided, rows: list[int]) -> None:
        """Channels that a look found silent, and that are alarms."""
        by_site: dict[str, dict[str, list[int]]] = {}
        for row in rows:
            channel = int(one.scored.channel[row])
            if one.alarm[row] and channel not in self._silent:
                site, device, _, _ = self._name(channel)
                by_site.setdefault(site, {}).setdefault(device, []).append(row)
        for site, devices in by_site.items():
            self._attribute(seq, at, site, devices, one)

    def _attribute(self, seq: int, at: int, site: str, devices: dict[str, list[int]], one: Decided) -> None:
        if self._silence_of(site, WHOLE_SITE) is not None:
            causes = dict.fromkeys(devices, WHOLE_SITE)
            recent: dict[str, _Course] = {}
        else:
            down = self._dumb.get(site, {})
            recent = {
                device: course
                for device, course in sorted(down.items())
                if at - course.episode.opened_at <= self._together and course.active
            }
            fresh = list(dict.fromkeys((*recent, *devices)))
            causes = common_causes(site, fresh, down.keys() - recent.keys(), self._places)
        for device, rows in devices.items():
            blamed = causes.get(device, device)
            course = self._silence_of(site, blamed)
            for row in rows:
                if course is None:
                    course = self._begin(seq, at, site, blamed, Kind.SILENT, int(one.scored.ts[row]), one, row)
                self._point(course, seq, at, one, row)
        for device, course in recent.items():
            above = self._silence_of(site, causes.get(device, device))
            if above is not None and above is not course:
                self._absorb(seq, above, course)
        for blamed in {causes.get(device, device) for device in devices}:
            self._count_devices(self._silence_of(site, blamed))

    def _absorb(self, seq: int, above: _Course, below: _Course) -> None:
        """An episode that opened a moment ago turns out to be part of another."""
        for sensor in below.sensors.values():
            self._unwatch(below, sensor)
            if sensor.channel not in above.sensors:
                self._put(above, sensor)
        episode = below.episode
        above.episode = replace(
            above.episode,
            start=min(above.episode.start, episode.start),
            points=above.episode.points + episode.points,
            sensor_count=len(above.sensors),
            last_seq=seq,
        )
        self._changed[above.episode.id] = above
        self._end(seq, below, parent=above.episode.id)
        self._count_devices(above)

    def _count_devices(self, course: _Course | None) -> None:
        if course is not None:
            count = len({sensor.device for sensor in course.sensors.values()} or {""})
            course.episode = replace(course.episode, device_count=count)
            self._grade(course)

    def _speak(self, seq: int, at: int, channel: int, ts: int) -> None:
        """A channel of an episode of silence has sent something."""
        course = self._silent[channel]
        sensor = course.sensors[channel]
        self._put(course, replace(sensor, active=False))
        episode = course.episode
        course.episode = replace(episode, end=max(episode.end, ts), last_at=at, calm=episode.calm + 1, last_seq=seq)
        self._grade(course)
        self._changed[episode.id] = course
        self._due = min(self._due, self._deadline(course))

    def _silence_of(self, site: str, device: str) -> _Course | None:
        return self._open.get((site, device), {}).get(Kind.SILENT)

    # ends

    def _close(self, seq: int, at: int) -> None:
        for course in sorted(self._courses(), key=lambda one: one.episode.id):
            episode = course.episode
            if at < self._deadline(course):
                continue
            if episode.kind is Kind.SILENT:
                if course.active == 0:
                    self._end(seq, course)
                else:
                    self._release(seq, at, course)
            elif episode.calm >= self._calm or at >= episode.last_at + self._give_up:
                self._end(seq, course)
        self._due = min(map(self._deadline, self._courses()), default=np.inf)

    def _release(self, seq: int, at: int, course: _Course) -> None:
        """Of a gateway or site that is back, the few devices that are not stand for themselves from now on."""
        left: dict[str, list[Sensor]] = {}
        for sensor in course.sensors.values():
            if sensor.active:
                left.setdefault(sensor.device, []).append(sensor)
        whole = course.episode
        if whole.device in left or len(left) >= FEWEST_OF_SITE:
            return
        for sensors in left.values():
            for sensor in sensors:
                self._put(course, replace(sensor, active=False))
        self._end(seq, course)
        for device, sensors in left.items():
            first = min(sensors, key=lambda one: (one.p, one.channel))
            episode = replace(
                whole,
                id=episode_id(whole.site, device, Kind.SILENT, whole.start, seq),
                device=device,
                severity=grade(first.p, whole.level, 0.0, Cause.SILENT, device, 1),
                metric=first.metric,
                unit=first.unit,
                at=first.at,
                p=first.p,
                value=first.value,
                expected=first.expected,
                end=whole.start,
                opened_at=at,
                last_at=at,
                points=len(sensors),
                sensor_count=len(sensors),
                device_count=1,
                calm=0,
                first_seq=seq,
                last_seq=seq,
                acknowledged_by=None,
                acknowledged_at=None,
                label=None,
                labelled_by=None,
                labelled_at=None,
            )
            alone = _Course(episode, {}, new=True)
            for sensor in sensors:
                self._put(alone, sensor)
            self._enter(alone)

    def _end(self, seq: int, course: _Course, parent: str | None = None) -> None:
        for sensor in course.sensors.values():
            if parent is None:
                self._unwatch(course, sensor)
        episode = course.episode = replace(course.episode, state=EpisodeState.CLOSED, last_seq=seq, parent=parent)
        kinds = self._open[episode.site, episode.device]
        del kinds[episode.kind]
        if episode.kind is Kind.SILENT:
            del self._dumb[episode.site][episode.device]
        if not kinds:
            del self._open[episode.site, episode.device]
        self._changed[episode.id] = course
        self.urgent = True

    def _deadline(self, course: _Course) -> float:
        if course.episode.kind is Kind.SILENT and course.active == len(course.sensors):
            return np.inf
        return course.episode.last_at + self._quiet

    # sensors

    def _sensor(self, one: Decided, row: int) -> Sensor:
        scored = one.scored
        channel = int(scored.channel[row])
        _, device, metric, unit = self._name(channel)
        return Sensor(
            channel=channel,
            device=device,
            metric=metric,
            unit=unit,
            cause=Cause(int(scored.cause[row])),
            at=int(scored.ts[row]),
            p=max(float(scored.p[row]), SMALLEST_P),
            value=float(scored.value[row]),
            expected=float(scored.expected[row]),
            share=float("nan") if one.share is None else float(one.share[row]),
        )

    def _put(self, course: _Course, sensor: Sensor) -> None:
        """Make a sensor part of a course, or change it, and keep the books."""
        before = course.sensors.get(sensor.channel)
        if before is not None:
            self._unwatch(course, before)
        course.sensors[sensor.channel] = sensor
        course.news.add(sensor.channel)
        silence = course.episode.kind is Kind.SILENT
        if silence and sensor.active:
            course.active += 1
            self._silent[sensor.channel] = course
        if not silence or sensor.active:
            self._grow(sensor.channel)
            self._watchers[sensor.channel] += 1

    def _unwatch(self, course: _Course, sensor: Sensor) -> None:
        silence = course.episode.kind is Kind.SILENT
        if silence and sensor.active:
            course.active -= 1
            del self._silent[sensor.channel]
        if not silence or sensor.active:
            self._watchers[sensor.channel] -= 1

    def _grow(self, channel: int) -> None:
        if channel >= len(self._watchers):
            grown = np.zeros(max(channel + 1, 2 * len(self._watchers)), np.uint16)
            grown[: len(self._watchers)] = self._watchers
            self._watchers = grown

    def _name(self, channel: int) -> tuple[str, str, str, str]:
        found = self._names.get(channel)
        if found is None:
            name = self._channels.name(channel)
            found = self._names[channel] = (name.site, name.device, name.metric, name.unit)
        return found

    def _courses(self) -> Iterable[_Course]:
        return (course for kinds in self._open.values() for course in kinds.values())


def _is_worse(one: Sensor, other: Sensor | Episode) -> bool:
    """Whether a smaller p, or at the same p a larger share, makes this one the peak."""
    if one.p != other.p or not isinstance(other, Sensor):
        return one.p < other.p
    return one.share > other.share
