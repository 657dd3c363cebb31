"""An episode is found again, from snapshots, lake and inbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from industrial_brain.domain.anomalies import Episode, EpisodeFilter
from industrial_brain.domain.errors import BundleError, StateError
from industrial_brain.domain.telemetry import Declaration
from models.anomaly.decisions import LiveDecider, Policy
from models.anomaly.episodes import Merger
from models.anomaly.fleet import LiveFleet
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from streaming.episodes import EpisodeJudge
from streaming.replaying import Replayed, replay
from streaming.runtime import Stores
from streaming.scorer import Scorer, Watcher
from streaming.watch import Watch
from tests.fakes.anomalies import FakeEpisodeStore
from tests.unit.streaming.conftest import NOW, SECOND, Stream


def watchers(alarms: float = 10.0) -> Callable[[], dict[str, Watcher]]:
    return lambda: {"watch": Watch(LiveFleet(), LiveDecider(Policy(alarms_a_day=alarms)))}


@pytest.fixture
def episodes(stream: Stream) -> FakeEpisodeStore:
    """Where a day's episodes are: simulated temperatures, a spike, a restart, another one, another restart, a third."""
    store = FakeEpisodeStore()

    def make(index: ChannelIndex, declarations: Declarations) -> Scorer:
        judge = EpisodeJudge("shard-0", store, Merger("shard-0", index, declarations))
        return Scorer(watchers()(), judge, declarations)

    stream.scorer = make
    stream.restart()
    rng = np.random.default_rng(7)
    for minute in range(420):
        stream.now = NOW + minute * 60 * SECOND
        values = rng.normal(20.0, 1.0, 2)
        if minute in (250, 251, 330, 410):
            values[0] = 90.0
        stream.send(*((f"d{n}", "t", stream.now - SECOND, float(value)) for n, value in enumerate(values)))
        if minute in (240, 320):
            stream.restart()  # a snapshot
        if minute == 300:
            stream.telemetry.declare([Declaration("works", "d1", low=-100.0)])
    assert stream.telemetry.progress().durable > 420
    stream.telemetry.stop()
    stream.telemetry.start()
    return store


def again(stream: Stream, store: FakeEpisodeStore, episode: Episode, alarms: float = 10.0) -> Replayed:
    stores = Stores(stream.inbox, stream.lake, stream.snapshots)
    index = stream.telemetry.channels
    return replay(episode, store.sensors(episode.id), stores, index, watchers(alarms), most_readings=2_000)


def test_every_episode_is_found_again_to_the_byte(stream: Stream, episodes: FakeEpisodeStore) -> None:
    found = episodes.list_episodes(EpisodeFilter()).items
    assert len(found) >= 3
    for one in found:
        told = again(stream, episodes, one)
        assert told.differences == ()
        assert (told.after < one.first_seq, told.until) == (True, one.last_seq)
    assert len({again(stream, episodes, one).after for one in found}) >= 2


def test_what_differs_is_named(stream: Stream, episodes: FakeEpisodeStore) -> None:
    one = episodes.list_episodes(EpisodeFilter()).items[0]
    (difference,) = again(stream, episodes, replace(one, value=91.0)).differences
    assert (difference.field, difference.stored, difference.found) == ("value", "91.0", "90.0")
    assert [one.field for one in again(stream, episodes, one, alarms=5.0).differences][:1] != []
    (missing,) = again(stream, episodes, replace(one, id="nothing")).differences
    assert (missing.field, missing.found) == ("id", "")


def test_too_long_a_replay_and_a_snapshot_of_another_release_are_refused(
    stream: Stream, episodes: FakeEpisodeStore
) -> None:
    one = episodes.list_episodes(EpisodeFilter()).items[0]
    stores = Stores(stream.inbox, stream.lake, stream.snapshots)
    with pytest.raises(StateError, match="More than 3 readings"):
        replay(one, (), stores, stream.telemetry.channels, watchers(), most_readings=3)
    for arrays in stream.snapshots.kept.values():
        arrays.pop("judge/open")
    with pytest.raises(BundleError):
        replay(one, (), stores, stream.telemetry.channels, watchers())
