"""The contract of `EpisodeStore`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from industrial_brain.domain.anomalies import (
    Change,
    Episode,
    EpisodeChange,
    EpisodeFilter,
    EpisodeState,
    EpisodeStore,
    EpisodeWord,
    Kind,
    Label,
    Sensor,
    Severity,
)
from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.telemetry import Cause
from industrial_brain.storage.anomalies import SqlEpisodeStore
from industrial_brain.storage.tables import anomaly
from tests.contract.conftest import SQL, empty
from tests.fakes.anomalies import FakeEpisodeStore, an_episode

MAIN = "main"


def episode(minute: int, device: str = "pump 7", site: str = "plant", seq: int = 1, **facts: Any) -> Episode:
    """Opened in that minute, at the peak since."""
    return an_episode(site, device, minute, seq, **facts)


def sensor(channel: int, **facts: Any) -> Sensor:
    return replace(Sensor(channel, "pump 7", "压力", "bar", Cause.LEVEL, 5, 1e-9, 8.2, 4.1, share=0.5), **facts)


def keep(store: EpisodeStore, seq: int, *episodes: Episode) -> int:
    return store.keep(MAIN, seq, [EpisodeChange(one, (sensor(1),)) for one in episodes])


@pytest.fixture(params=["fake", *SQL])
def store(request: pytest.FixtureRequest) -> EpisodeStore:
    if request.param == "fake":
        return FakeEpisodeStore()
    engine: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    empty(engine)
    return SqlEpisodeStore(engine)


def test_what_is_kept_reads_back_to_the_last_digit(store: EpisodeStore) -> None:
    made = episode(0)
    assert store.keep(MAIN, 7, [EpisodeChange(made, (sensor(3), sensor(1, share=0.7)))]) == 1
    assert store.get(made.id) == replace(made, revision=1)
    assert store.open_episodes(MAIN) == [EpisodeChange(replace(made, revision=1), (sensor(1, share=0.7), sensor(3)))]
    assert store.sensors(made.id) == [sensor(1, share=0.7), sensor(3)]
    assert store.sensors(made.id, limit=1) == [sensor(1, share=0.7)]
    assert store.taken(MAIN) == 7


def test_what_means_nothing_stays_not_a_number(store: EpisodeStore) -> None:
    made = episode(0, value=math.nan, expected=math.nan)
    store.keep(MAIN, 1, [EpisodeChange(made, (sensor(1, value=math.nan, expected=math.nan, share=math.nan),))])
    read = store.get(made.id)
    assert math.isnan(read.value)
    assert math.isnan(read.expected)
    assert repr(store.sensors(made.id)[0]) == repr(sensor(1, value=math.nan, expected=math.nan, share=math.nan))


def test_a_new_store_has_taken_nothing(store: EpisodeStore) -> None:
    assert (store.taken(MAIN), store.revision(), store.open_episodes(MAIN)) == (0, 0, [])


def test_a_seq_that_was_taken_changes_nothing(store: EpisodeStore) -> None:
    keep(store, 7, episode(0))
    assert keep(store, 7, episode(0, points=99), episode(1, "pump 8")) == 1
    assert keep(store, 6, episode(0, points=99)) == 1
    assert store.get(episode(0).id).points == 2
    assert store.list_episodes(EpisodeFilter()).total == 1


def test_shards_are_taken_apart(store: EpisodeStore) -> None:
    keep(store, 7, episode(0))
    store.keep("other", 3, [EpisodeChange(episode(1, "pump 8", shard="other"), ())])
    assert (store.taken(MAIN), store.taken("other")) == (7, 3)
    assert [one.episode.device for one in store.open_episodes("other")] == ["pump 8"]


def test_a_second_open_episode_of_a_device_and_kind_is_refused_whoever_brings_it(store: EpisodeStore) -> None:
    keep(store, 1, episode(0))
    with pytest.raises(StateError):
        store.keep("other", 1, [EpisodeChange(episode(5, seq=2, shard="other"), ())])
    with pytest.raises(StateError):
        keep(store, 2, episode(5, seq=2))
    assert store.taken(MAIN) == 1
    assert store.list_episodes(EpisodeFilter()).total == 1
    keep(store, 2, episode(0, kind=Kind.STUCK, cause=Cause.STUCK))
    keep(store, 3, episode(0, state=EpisodeState.CLOSED), episode(5, seq=3))
    assert store.list_episodes(EpisodeFilter(state=EpisodeState.OPEN)).total == 2


@pytest.mark.parametrize("kind", SQL)
def test_the_database_itself_refuses_a_second_open_episode(request: pytest.FixtureRequest, kind: str) -> None:
    engine: sa.Engine = request.getfixturevalue(f"{kind}_engine")
    empty(engine)
    keep(SqlEpisodeStore(engine), 1, episode(0))
    with engine.connect() as connection:
        row = dict(connection.execute(sa.select(anomaly)).one()._mapping)
        row |= {"id": "another", "revision": 99}
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.insert(anomaly), row)


def test_an_episode_goes_on_and_keeps_what_people_said(store: EpisodeStore) -> None:
    made = episode(0)
    keep(store, 1, made)
    store.say(made.id, EpisodeWord(None, "Looking.", "ann", 10))
    store.say(made.id, EpisodeWord(Label.TRUE, "It leaks.", "ann", 11))
    keep(store, 2, replace(made, points=9, state=EpisodeState.CLOSED, change=Change.CLOSED))
    read = store.get(made.id)
    assert (read.points, read.state, read.change) == (9, EpisodeState.CLOSED, Change.CLOSED)
    assert (read.acknowledged_by, read.acknowledged_at, read.label, read.labelled_at) == ("ann", 10, Label.TRUE, 11)


def test_labels_replace_each_other_and_their_history_stays(store: EpisodeStore) -> None:
    made = episode(0)
    keep(store, 1, made)
    words = [
        EpisodeWord(Label.TRUE, "It leaks.", "ann", 10),
        EpisodeWord(None, "", "bob", 11),
        EpisodeWord(Label.MAINTENANCE, "他们换了密封圈。", "bob", 12),
    ]
    for word in words:
        store.say(made.id, word)
    assert store.words(made.id) == words
    assert store.get(made.id).label is Label.MAINTENANCE
    assert store.get(made.id).labelled_by == "bob"


def test_a_word_that_comes_again_is_said_once(store: EpisodeStore) -> None:
    made = episode(0)
    keep(store, 1, made)
    request = RepeatableRequest("key", "d" * 64)
    first = store.say(made.id, EpisodeWord(Label.TRUE, "", "ann", 10), request=request)
    assert store.say(made.id, EpisodeWord(Label.TRUE, "", "ann", 12), request=request) == first
    assert len(store.words(made.id)) == 1
    with pytest.raises(InputError, match="another request"):
        store.say(made.id, EpisodeWord(Label.FALSE, "", "ann", 13), request=RepeatableRequest("key", "e" * 64))


def test_an_episode_of_another_site_is_unknown(store: EpisodeStore) -> None:
    made = episode(0)
    keep(store, 1, made)
    assert store.get(made.id, ["plant"]).id == made.id
    word = EpisodeWord(None, "", "eve", 1)
    for name, sites in ((made.id, ["mill"]), ("nothing", None)):
        with pytest.raises(UnknownIdError):
            store.get(name, sites)
        with pytest.raises(UnknownIdError):
            store.say(name, word, sites=sites)
    assert store.words(made.id) == []


def test_a_listing_is_newest_first_and_goes_on_where_it_stopped(store: EpisodeStore) -> None:
    made = [episode(minute, f"pump {minute}") for minute in (3, 1, 2, 0)]
    keep(store, 1, *made)
    page = store.list_episodes(EpisodeFilter(), limit=3)
    assert [one.device for one in page.items] == ["pump 3", "pump 2", "pump 1"]
    assert page.total == 4
    rest = store.list_episodes(EpisodeFilter(), after=page.next_after, limit=3)
    assert [one.device for one in rest.items] == ["pump 0"]
    assert rest.next_after is None


@pytest.mark.parametrize(
    ("chosen", "devices"),
    [
        (EpisodeFilter(), "dcba"),
        (EpisodeFilter(sites=("mill", "plant")), "dcba"),
        (EpisodeFilter(sites=("mill",)), "d"),
        (EpisodeFilter(sites=()), ""),
        (EpisodeFilter(site="plant"), "cba"),
        (EpisodeFilter(device="b"), "b"),
        (EpisodeFilter(cause=Cause.STUCK), "b"),
        (EpisodeFilter(severity=Severity.RED), "c"),
        (EpisodeFilter(state=EpisodeState.CLOSED), "a"),
        (EpisodeFilter(label=Label.FALSE), "c"),
        (EpisodeFilter(label=Label.TRUE), ""),
        (EpisodeFilter(parent=episode(1, "b", kind=Kind.STUCK).id), "e"),
        (EpisodeFilter(start=episode(1).end + 1), "dcb"),  # a has ended, the others are open
        (EpisodeFilter(start=episode(0).end), "dcba"),
        (EpisodeFilter(end=episode(2).start), "ba"),
    ],
)
def test_filters_choose(store: EpisodeStore, chosen: EpisodeFilter, devices: str) -> None:
    stuck = episode(1, "b", kind=Kind.STUCK, cause=Cause.STUCK)
    keep(
        store,
        1,
        episode(0, "a", state=EpisodeState.CLOSED),
        stuck,
        episode(2, "c", severity=Severity.RED),
        episode(3, "d", site="mill"),
        episode(4, "e", parent=stuck.id),
    )
    store.say(episode(2, "c").id, EpisodeWord(Label.FALSE, "", "ann", 1))
    page = store.list_episodes(chosen)
    assert "".join(one.device for one in page.items) == devices
    assert page.total == len(devices)


def test_who_follows_the_store_sees_each_changed_episode_once_as_it_is_now(store: EpisodeStore) -> None:
    one, two, other = episode(0, "a"), episode(1, "b"), episode(2, "c", site="mill")
    keep(store, 1, one, two, other)
    keep(store, 2, replace(one, points=5))
    store.say(two.id, EpisodeWord(None, "", "ann", 9))
    changed = store.changed_since(0)
    assert [(one.device, one.revision) for one in changed] == [("c", 3), ("a", 4), ("b", 5)]
    assert changed[1].points == 5
    assert changed[2].change is Change.ACKNOWLEDGED
    assert [one.device for one in store.changed_since(3)] == ["a", "b"]
    assert [one.device for one in store.changed_since(0, limit=1)] == ["c"]
    assert [one.device for one in store.changed_since(0, ["mill"])] == ["c"]
    assert store.revision() == 5
    assert store.changed_since(5) == []


def test_retraining_reads_what_was_labelled(store: EpisodeStore) -> None:
    made = [episode(0, "a"), episode(1, "b"), episode(2, "c", site="mill")]
    keep(store, 1, *made)
    for at, one in zip((30, 10, 20), made, strict=True):
        store.say(one.id, EpisodeWord(Label.TRUE, "", "ann", at))
    assert [one.device for one in store.labelled()] == ["b", "c", "a"]
    assert [one.device for one in store.labelled(since=20)] == ["c", "a"]
    assert [one.device for one in store.labelled(["plant"])] == ["b", "a"]
