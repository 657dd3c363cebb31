"""Alarms merge into episodes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from industrial_brain.domain.anomalies import WHOLE_SITE, Change, Episode, EpisodeState, Kind, Places, Severity
from industrial_brain.domain.telemetry import Cause, Decided
from models.anomaly.episodes import Merger, Patience
from tests.fakes.anomalies import FakeChannels, FakeEpisodeStore, FakePlaces
from tests.unit.models.anomaly.decided_rows import LEVEL, at, concatenated, decided

PRESSURE, FLOW, OTHER = 0, 1, 2
SILENT = Cause.SILENT
CHANNELS = FakeChannels("plant/pump 7/pressure bar", "plant/pump 7/flow l/s", "plant/pump 8/pressure bar")


class Stream:
    """A merger and the store that it is kept in, one batch a minute."""

    def __init__(self, channels: FakeChannels = CHANNELS, places: Places | None = None) -> None:
        self.channels, self.places = channels, places or FakePlaces()
        self.store = FakeEpisodeStore()
        self.merger = Merger("main", channels, self.places)
        self.seq = 0
        self.told: list[Change] = []

    def feed(self, minute: float, *rows: tuple[int, float] | tuple[int, float, Cause]) -> None:
        self.take(minute, decided(self.seq + 1, minute, *rows))

    def take(self, minute: float, *parts: Decided) -> None:
        self.seq += 1
        self.merger.take(self.seq, at(minute), parts)
        changes = self.merger.pending()
        self.told += [one.episode.change for one in changes]
        self.store.keep("main", self.seq, changes)
        self.merger.kept()

    def calm(self, minutes: Iterable[float], *channels: int) -> None:
        for minute in minutes:
            self.feed(minute, *((channel, 0.5) for channel in channels))

    def restart(self) -> None:
        self.merger = Merger("main", self.channels, self.places)
        self.merger.restore(self.store.open_episodes("main"))

    def all(self) -> list[Episode]:
        return sorted(self.store.changed_since(0), key=lambda one: (one.start, one.device, one.kind))

    def only(self) -> Episode:
        (found,) = self.all()
        return found


def test_readings_without_an_alarm_open_nothing() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-5), (FLOW, 0.5), (OTHER, 1e-9, Cause.NONE))
    assert stream.all() == []


def test_points_of_a_device_are_one_episode_with_its_peak() -> None:
    stream = Stream()
    for minute, p in enumerate((1e-7, 1e-12, 1e-9)):
        stream.feed(minute, (PRESSURE, p), (OTHER, 0.4))
    found = stream.only()
    assert (found.site, found.device, found.kind, found.state) == ("plant", "pump 7", Kind.VALUE, EpisodeState.OPEN)
    assert (found.start, found.at, found.end) == (at(0), at(1), at(2))
    assert found.p == float(np.float32(1e-12))
    assert (found.metric, found.unit, found.points, found.first_seq, found.last_seq) == ("pressure", "bar", 3, 1, 3)
    assert stream.told == [Change.OPENED, Change.UPDATED, Change.UPDATED]


def test_an_episode_goes_on_under_the_laxer_level_and_does_not_flap() -> None:
    stream = Stream()
    for minute in range(0, 60, 2):
        stream.feed(minute, (PRESSURE, 1e-7))
        stream.feed(minute + 1, (PRESSURE, 5e-4))
    assert stream.only().points == 60
    assert stream.only().calm == 0


def test_the_laxer_level_opens_nothing_by_itself() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7))
    stream.feed(1, (FLOW, 5e-4))
    stream.feed(2, (OTHER, 5e-4))
    assert stream.only().sensor_count == 1


def test_an_episode_closes_when_it_was_quiet_and_its_channels_calm() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7))
    stream.calm(range(1, 10), PRESSURE)
    assert stream.only().state is EpisodeState.OPEN
    stream.calm([10], PRESSURE)
    found = stream.only()
    assert (found.state, found.end, found.change, found.last_seq) == (EpisodeState.CLOSED, at(0), Change.CLOSED, 11)
    assert len(stream.merger) == 0


def test_a_day_that_arrives_at_once_is_as_many_episodes_as_when_it_came_by_the_minute() -> None:
    rows = [(0, 1e-7), *((minute, 0.5) for minute in range(1, 700)), (700, 1e-8), (701, 1e-3), (702, 0.5)]
    by_minute, at_once = Stream(), Stream()
    for minute, p in rows:
        by_minute.feed(minute, (PRESSURE, p))
    scored = [decided(1, minute, (PRESSURE, p)) for minute, p in rows]
    at_once.take(0, *scored)
    joined = Stream()
    joined.take(0, concatenated(scored))
    for stream in (at_once, joined):
        assert [(one.start, one.end, one.points, one.state) for one in stream.all()] == [
            (one.start, one.end, one.points, one.state) for one in by_minute.all()
        ]
    assert [one.start for one in joined.all()] == [at(0), at(700)]


def test_quiet_counts_from_the_last_point() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7))
    stream.calm(range(1, 9), PRESSURE)
    stream.feed(9, (PRESSURE, 1e-4))
    stream.calm(range(10, 19), PRESSURE)
    assert stream.only().state is EpisodeState.OPEN
    stream.calm([19], PRESSURE)
    assert (stream.only().state, stream.only().end) == (EpisodeState.CLOSED, at(9))


def test_a_device_that_reports_once_an_hour_is_asked_before_its_episode_closes() -> None:
    stream = Stream()
    for hour in range(5):
        stream.feed(60 * hour, (PRESSURE, 1e-9))
        stream.take(60 * hour + 30)
    assert stream.only().points == 5
    stream.calm([300, 360], PRESSURE)
    assert stream.only().state is EpisodeState.OPEN
    stream.calm([420], PRESSURE)
    assert stream.only().state is EpisodeState.CLOSED


def test_an_episode_of_a_device_that_sends_nothing_more_ends_after_a_day() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7))
    stream.take(1439)
    assert stream.only().state is EpisodeState.OPEN
    stream.take(1440)
    assert stream.only().state is EpisodeState.CLOSED


def test_a_later_alarm_is_another_episode() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7))
    stream.calm(range(1, 12), PRESSURE)
    stream.feed(12, (PRESSURE, 1e-7))
    assert [(one.start, one.state) for one in stream.all()] == [
        (at(0), EpisodeState.CLOSED),
        (at(12), EpisodeState.OPEN),
    ]


def test_channels_of_a_device_join_into_one_episode() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7), (OTHER, 1e-8))
    stream.feed(1, (FLOW, 1e-9))
    one, other = stream.all()
    assert (one.device, one.sensor_count, one.metric) == ("pump 7", 2, "flow")
    assert other.device == "pump 8"
    assert [sensor.metric for sensor in stream.store.sensors(one.id)] == ["flow", "pressure"]


def test_a_spike_that_shows_as_rate_then_level_is_one_episode_and_a_stuck_sensor_another() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-7, Cause.RATE))
    stream.feed(1, (PRESSURE, 1e-9, Cause.LEVEL))
    stream.feed(2, (PRESSURE, 1e-8, Cause.STUCK))
    one, other = stream.all()
    assert (one.kind, one.cause, one.points) == (Kind.VALUE, Cause.LEVEL, 2)
    assert (other.kind, other.points) == (Kind.STUCK, 1)


def test_a_model_of_several_sensors_counts_a_judgement_once_and_names_who_contributes() -> None:
    stream = Stream()
    for minute in range(2):
        stream.take(
            minute,
            decided(
                minute + 1, minute, (PRESSURE, 1e-8, Cause.PATTERN), (FLOW, 1e-8, Cause.PATTERN), shares=(0.2, 0.8)
            ),
        )
    found = stream.only()
    assert (found.points, found.sensor_count, found.cause) == (2, 2, Cause.PATTERN)
    assert [(one.metric, round(one.share, 6)) for one in stream.store.sensors(found.id)] == [
        ("flow", 0.8),
        ("pressure", 0.2),
    ]


def test_severity_follows_the_evidence_and_the_length_and_does_not_fall() -> None:
    stream = Stream()
    seen = []
    for minute, p in ((0, 1e-7), (1, 1e-9), (2, 1e-12), (3, 1e-7), (16, 1e-7)):
        stream.feed(minute, (PRESSURE, p))
        seen.append(stream.only().severity)
    assert seen == [Severity.BLUE, Severity.YELLOW, Severity.ORANGE, Severity.ORANGE, Severity.RED]


def test_a_limit_is_orange_at_once() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, LEVEL, Cause.LIMIT))
    assert stream.only().severity is Severity.ORANGE


def test_silence_lasts_until_the_device_speaks() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-9, SILENT))
    stream.take(3000)
    found = stream.only()
    assert (found.state, found.severity, found.kind) == (EpisodeState.OPEN, Severity.YELLOW, Kind.SILENT)
    stream.feed(3001, (PRESSURE, 1.0, Cause.NONE))
    assert stream.only().end == at(3001)
    stream.take(3010)
    assert stream.only().state is EpisodeState.OPEN
    stream.take(3011)
    assert stream.only().state is EpisodeState.CLOSED


def test_a_device_that_is_silent_again_at_once_is_still_the_same_episode() -> None:
    stream = Stream()
    stream.feed(0, (PRESSURE, 1e-9, SILENT))
    stream.feed(5, (PRESSURE, 0.5))
    stream.feed(9, (PRESSURE, 1e-9, SILENT))
    stream.take(40)
    assert stream.only().state is EpisodeState.OPEN
    stream.feed(41, (PRESSURE, 0.5))
    stream.take(52)
    assert stream.only().state is EpisodeState.CLOSED


CITY = FakeChannels(*(f"plant/{device}/t" for device in ["gateway", *"abcdefghij"]))
BEHIND = FakePlaces(dict.fromkeys("abcdef", "gateway"), devices=11)


def _silent(*channels: int) -> list[tuple[int, float, Cause]]:
    return [(channel, 1e-9, SILENT) for channel in channels]


def test_a_dead_gateway_is_one_episode_with_its_children() -> None:
    stream = Stream(CITY, BEHIND)
    stream.feed(0, *_silent(3, 0, 1, 2))
    stream.feed(5, *_silent(4, 5, 6))
    found = stream.only()
    assert (found.device, found.device_count, found.severity) == ("gateway", 7, Severity.ORANGE)
    assert {one.device for one in stream.store.sensors(found.id)} == {"gateway", *"abcdef"}


def test_children_that_were_first_are_taken_in_by_their_gateway() -> None:
    stream = Stream(CITY, BEHIND)
    stream.feed(0, *_silent(1, 2))
    assert [one.device for one in stream.all()] == ["a", "b"]
    stream.feed(1, *_silent(0, 3))
    standing = [one for one in stream.all() if one.parent is None]
    assert [(one.device, one.device_count, one.start) for one in standing] == [("gateway", 4, at(0))]
    taken_in = [one for one in stream.all() if one.parent == standing[0].id]
    assert [(one.device, one.state) for one in taken_in] == [("a", EpisodeState.CLOSED), ("b", EpisodeState.CLOSED)]


def test_a_gateway_that_sends_nothing_itself_is_found_out_by_half_of_its_children() -> None:
    stream = Stream(CITY, BEHIND)
    stream.feed(0, *_silent(1, 2, 3))
    assert (stream.only().device, stream.only().device_count) == ("gateway", 3)


def test_a_site_that_falls_silent_is_one_episode() -> None:
    stream = Stream(CITY, FakePlaces(devices=11))
    stream.feed(0, *_silent(1, 2))
    stream.feed(1, *_silent(3, 4, 5, 6, 7))
    stream.feed(20, *_silent(8))
    standing = [one for one in stream.all() if one.parent is None]
    assert [(one.device, one.device_count, one.severity) for one in standing] == [(WHOLE_SITE, 8, Severity.RED)]


def test_a_gateway_counts_once_towards_an_outage_of_the_site() -> None:
    stream = Stream(CITY, FakePlaces(dict.fromkeys("abcdef", "gateway"), devices=40))
    stream.feed(0, *_silent(0, 1, 2, 3, 4, 5, 6, 7))
    assert [(one.device, one.device_count) for one in stream.all()] == [("g", 1), ("gateway", 7)]


def test_silences_far_apart_share_no_cause() -> None:
    stream = Stream(CITY, FakePlaces(devices=11))
    for minute in range(0, 20, 2):
        stream.feed(minute, *_silent(minute // 2 + 1))
    assert {one.device for one in stream.all()} == set("abcdefghij")


def test_a_few_of_many_devices_are_no_outage_of_the_site() -> None:
    stream = Stream(CITY, FakePlaces(devices=10_000))
    stream.feed(0, *_silent(1, 2, 3, 4, 5, 6))
    assert len(stream.all()) == 6


def test_what_stays_silent_when_the_site_is_back_stands_for_itself() -> None:
    stream = Stream(CITY, FakePlaces(devices=11))
    stream.feed(0, *_silent(*range(1, 11)))
    stream.feed(30, *((channel, 0.5) for channel in range(1, 9)))
    stream.take(39)
    assert stream.only().state is EpisodeState.OPEN
    stream.take(40)
    outage, *alone = sorted(stream.all(), key=lambda one: one.device)
    assert (outage.device, outage.state) == (WHOLE_SITE, EpisodeState.CLOSED)
    assert [(one.device, one.state, one.start, one.severity) for one in alone] == [
        ("i", EpisodeState.OPEN, at(0), Severity.YELLOW),
        ("j", EpisodeState.OPEN, at(0), Severity.YELLOW),
    ]
    stream.feed(50, (9, 0.5), (10, 0.5))
    stream.take(61)
    assert {one.state for one in stream.all()} == {EpisodeState.CLOSED}


def test_parents_in_a_circle_are_survived() -> None:
    stream = Stream(CITY, FakePlaces({"a": "b", "b": "a"}, devices=11))
    stream.feed(0, *_silent(1, 2))
    assert (stream.only().device, stream.only().device_count) == ("a", 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_merger_that_is_restored_anywhere_goes_on_as_if_nothing_had_happened(seed: int) -> None:
    rng = np.random.default_rng(seed)
    through, restarted = (Stream(CITY, BEHIND) for _ in range(2))
    for minute in range(300):
        rows = [
            (int(channel), float(10.0 ** -rng.uniform(0, 9)), Cause(int(rng.choice([0, 1, 2, 3, 5, 6]))))
            for channel in rng.choice(11, rng.integers(0, 4), replace=False)
        ]
        through.feed(minute, *rows)
        restarted.feed(minute, *rows)
        restarted.restart()
    assert len(through.all()) > 20
    assert repr(through.all()) == repr(restarted.all())
    for one in through.all():
        assert repr(through.store.sensors(one.id)) == repr(restarted.store.sensors(one.id))


def test_impatience_closes_at_once() -> None:
    merger = Merger("main", CHANNELS, FakePlaces(), Patience(quiet=0, calm=0))
    merger.take(1, at(0), [decided(1, 0, (PRESSURE, 1e-9))])
    (change,) = merger.pending()
    assert change.episode.state is EpisodeState.CLOSED
