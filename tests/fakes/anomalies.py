"""`EpisodeStore` in memory, and the ports that merging stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from industrial_brain.domain.anomalies import (
    Change,
    Episode,
    EpisodeChange,
    EpisodeFilter,
    EpisodeState,
    EpisodeWord,
    Kind,
    Sensor,
    Severity,
    episode_id,
)
from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Cause, ChannelName


class FakeEpisodeStore:
    """Passes the same contract suite as the SQL adapter."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._kept: dict[str, Episode] = {}
        self._sensors: dict[str, dict[int, Sensor]] = {}
        self._words: dict[str, list[EpisodeWord]] = {}
        self._requests: dict[str, str] = {}

    def taken(self, shard: str) -> int:
        return self._taken.get(shard, 0)

    def open_episodes(self, shard: str) -> list[EpisodeChange]:
        return [
            EpisodeChange(one, tuple(self._sensors[one.id][channel] for channel in sorted(self._sensors[one.id])))
            for one in sorted(self._kept.values(), key=lambda one: one.id)
            if one.state is EpisodeState.OPEN and one.shard == shard
        ]

    def keep(self, shard: str, seq: int, changes: Sequence[EpisodeChange]) -> int:
        if seq <= self.taken(shard):
            return self.revision()
        after = dict(self._kept)
        for step, one in enumerate(changes, 1):
            new, before = one.episode, after.get(one.episode.id, one.episode)
            rivals = [
                other
                for other in after.values()
                if other.state is EpisodeState.OPEN
                and (other.site, other.device, other.kind) == (new.site, new.device, new.kind)
                and other.id != new.id
            ]
            if rivals and new.state is EpisodeState.OPEN:
                raise StateError("Another episode of the same device and kind is open already.")
            after[new.id] = replace(
                new,
                acknowledged_by=before.acknowledged_by,
                acknowledged_at=before.acknowledged_at,
                label=before.label,
                labelled_by=before.labelled_by,
                labelled_at=before.labelled_at,
                revision=self.revision() + step,
            )
        for one in changes:
            kept = self._sensors.setdefault(one.episode.id, {})
            kept.update({sensor.channel: sensor for sensor in one.sensors})
        self._kept = after
        self._taken[shard] = seq
        return self.revision()

    def get(self, episode_id: str, sites: Sequence[str] | None = None) -> Episode:
        found = self._kept.get(episode_id)
        if found is None or (sites is not None and found.site not in sites):
            raise UnknownIdError(f"There is no anomaly '{episode_id}'.")
        return found

    def sensors(self, episode_id: str, limit: int = 1000) -> list[Sensor]:
        found = self._sensors.get(episode_id, {}).values()
        share = {one.channel: one.share if one.share == one.share else 0.0 for one in found}
        return sorted(found, key=lambda one: (-share[one.channel], one.p, one.channel))[:limit]

    def list_episodes(self, chosen: EpisodeFilter, *, after: str | None = None, limit: int = 100) -> Page[Episode]:
        matching = [one for one in self._kept.values() if _matches(one, chosen)]
        matching.sort(key=lambda one: one.id, reverse=True)
        left = [one for one in matching if after is None or one.id < after]
        items = tuple(left[:limit])
        return Page(items, items[-1].id if len(left) > limit else None, len(matching))

    def changed_since(self, revision: int, sites: Sequence[str] | None = None, limit: int = 1000) -> list[Episode]:
        found = [one for one in self._kept.values() if one.revision > revision and (sites is None or one.site in sites)]
        return sorted(found, key=lambda one: one.revision)[:limit]

    def revision(self) -> int:
        return max((one.revision for one in self._kept.values()), default=0)

    def say(
        self,
        episode_id: str,
        word: EpisodeWord,
        *,
        sites: Sequence[str] | None = None,
        request: RepeatableRequest | None = None,
    ) -> Episode:
        found = self.get(episode_id, sites)
        if request is not None and request.key in self._requests:
            if self._requests[request.key] != request.digest:
                raise InputError("The Idempotency-Key was used for another request.")
            return found
        if request is not None:
            self._requests[request.key] = request.digest
        self._words.setdefault(episode_id, []).append(word)
        if word.label is None:
            said = replace(found, acknowledged_by=word.author, acknowledged_at=word.at, change=Change.ACKNOWLEDGED)
        else:
            said = replace(
                found, label=word.label, labelled_by=word.author, labelled_at=word.at, change=Change.LABELLED
            )
        self._kept[episode_id] = replace(said, revision=self.revision() + 1)
        return self._kept[episode_id]

    def words(self, episode_id: str) -> list[EpisodeWord]:
        return list(self._words.get(episode_id, []))

    def labelled(self, sites: Sequence[str] | None = None, since: int = 0) -> list[Episode]:
        found = [
            one
            for one in self._kept.values()
            if one.labelled_at is not None and one.labelled_at >= since and (sites is None or one.site in sites)
        ]
        return sorted(found, key=lambda one: (one.labelled_at or 0, one.id))


def _matches(one: Episode, chosen: EpisodeFilter) -> bool:
    wanted = {name: getattr(chosen, name) for name in ("site", "device", "cause", "severity", "state", "label")}
    return (
        one.parent == chosen.parent
        and (chosen.sites is None or one.site in chosen.sites)
        and all(value is None or getattr(one, name) == value for name, value in wanted.items())
        and (chosen.start is None or one.end >= chosen.start or one.state is EpisodeState.OPEN)
        and (chosen.end is None or one.start < chosen.end)
    )


class FakeChannels:
    """`Channels` of texts such as `plant/pump 7/pressure bar`, whose place is their key."""

    def __init__(self, *texts: str) -> None:
        self._names = []
        for key, text in enumerate(texts):
            site, device, rest = text.split("/", 2)
            metric, _, unit = rest.partition(" ")
            self._names.append(ChannelName(key, site, device, metric, unit))

    def __len__(self) -> int:
        return len(self._names)

    def name(self, key: int) -> ChannelName:
        return self._names[key]

    def of_device(self, site: str, device: str) -> list[ChannelName]:
        return [one for one in self._names if (one.site, one.device) == (site, device)]


class FakePlaces:
    """`Places` of declared parents by device, alike on every site, and of numbers of devices."""

    def __init__(self, parents: Mapping[str, str] | None = None, devices: int = 0) -> None:
        self._parents = dict(parents or {})
        self._devices = devices

    def parent(self, site: str, device: str) -> str | None:
        return self._parents.get(device)

    def children(self, site: str, device: str) -> int:
        return sum(parent == device for parent in self._parents.values())

    def devices(self, site: str) -> int:
        return self._devices


def an_episode(site: str, device: str = "pump 7", minute: int = 0, seq: int = 1, **facts: Any) -> Episode:
    """Opened in that minute of a day in November 2023, at its peak, still open."""
    start = 1_700_000_000_000_000 + minute * 60_000_000
    plain = Episode(
        id=episode_id(site, device, facts.get("kind", Kind.VALUE), start, seq),
        shard="main",
        site=site,
        device=device,
        kind=Kind.VALUE,
        cause=Cause.LEVEL,
        severity=Severity.ORANGE,
        state=EpisodeState.OPEN,
        metric="压力",
        unit="bar",
        at=start,
        p=3.25e-9,
        value=8.2,
        expected=0.1 + 0.2,
        detector="fleet 1",
        start=start,
        end=start + 60_000_000,
        opened_at=start,
        last_at=start + 60_000_000,
        points=2,
        sensor_count=1,
        device_count=1,
        level=1e-6,
        lax=1e-3,
        calm=0,
        first_seq=seq,
        last_seq=seq,
    )
    return replace(plain, **facts)
