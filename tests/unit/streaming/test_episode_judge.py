"""The judge keeps episodes with their place in the sequence: a crash neither doubles nor loses one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from industrial_brain.domain.anomalies import EpisodeChange, EpisodeFilter
from industrial_brain.domain.errors import BundleError, UnavailableError
from industrial_brain.domain.telemetry import Decided
from models.anomaly.episodes import Merger
from streaming.episodes import EpisodeJudge, ReplayJudge
from tests.fakes.anomalies import FakeChannels, FakeEpisodeStore, FakePlaces
from tests.unit.models.anomaly.decided_rows import at, decided

CHANNELS = FakeChannels(*(f"plant/pump {n}/pressure bar" for n in range(3)))

Entry = tuple[int, int, Sequence[Decided]]


class CountingStore(FakeEpisodeStore):
    """Counts its transactions; the next ones may be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self.failures = 0, 0

    def keep(self, shard: str, seq: int, changes: Sequence[EpisodeChange]) -> int:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("The disk is full.")
        self.kept += 1
        return super().keep(shard, seq, changes)


def a_judge(store: FakeEpisodeStore) -> EpisodeJudge:
    return EpisodeJudge("main", store, Merger("main", CHANNELS, FakePlaces()))


def sequence(minutes: int = 60) -> list[Entry]:
    """Pump 0 fails from minute 3 to 20, pump 1 at minute 40; the others are well. A batch a minute."""
    found: list[Entry] = []
    for minute in range(minutes):
        ps = [1e-8 if 3 <= minute < 20 else 0.5, 1e-9 if minute == 40 else 0.4, 0.7]
        found.append((minute + 1, at(minute), [decided(minute + 1, minute, *enumerate(ps))]))
    return found


def contents(store: FakeEpisodeStore) -> list[str]:
    """Everything but revisions, which count transactions."""
    found = store.list_episodes(EpisodeFilter()).items
    return [repr((one.id, one.state, one.start, one.end, one.p, one.points, one.calm, one.last_seq)) for one in found]


def test_a_crash_after_any_seq_and_a_replay_from_any_snapshot_before_it_change_nothing() -> None:
    entries = sequence()
    through = FakeEpisodeStore()
    judge = a_judge(through)
    for entry in entries:
        judge.take(*entry)
    judge.flush()
    assert len(contents(through)) == 2
    for crash in range(1, len(entries), 7):
        for snapshot in range(0, crash, 9):
            store = FakeEpisodeStore()
            judge = a_judge(store)
            for entry in entries[:crash]:
                judge.take(*entry)
                if entry[0] == snapshot:
                    judge.flush()
            judge = a_judge(store)  # what was in memory is gone
            for entry in entries[snapshot:]:
                judge.take(*entry)
            judge.flush()
            assert contents(store) == contents(through)


def test_what_opens_or_closes_is_stored_at_once_and_other_news_wait_a_little() -> None:
    store = CountingStore()
    judge = a_judge(store)
    for second in range(60):
        p = 1e-8 if 10 <= second < 40 else 0.5
        judge.take(second + 1, at(second / 60), [decided(second + 1, second / 60, (0, p))])
        assert store.list_episodes(EpisodeFilter()).total == (second >= 10)
    assert store.kept <= 1 + 50 / 30 + 1


def test_batches_without_news_cost_no_transaction_until_a_snapshot() -> None:
    store = CountingStore()
    judge = a_judge(store)
    for minute in range(30):
        judge.take(minute + 1, at(minute), [decided(minute + 1, minute, (0, 0.5))])
    assert (store.kept, judge.taken()) == (0, 0)
    judge.flush()
    judge.flush()
    assert (store.kept, judge.taken()) == (1, 30)


def test_a_store_that_fails_loses_nothing_of_what_was_taken() -> None:
    store = CountingStore()
    judge = a_judge(store)
    store.failures = 1
    with pytest.raises(UnavailableError):
        judge.take(1, at(0), [decided(1, 0, (0, 1e-8))])
    assert store.list_episodes(EpisodeFilter()).total == 0
    judge.take(1, at(0), [decided(1, 0, (0, 1e-8))])
    assert judge.taken() == 1
    judge.take(2, at(1), [decided(2, 1, (0, 1e-9))])
    (found,) = store.list_episodes(EpisodeFilter()).items
    assert (found.points, judge.taken()) == (2, 2)


def test_a_replay_from_any_snapshot_finds_the_same_episodes() -> None:
    entries = sequence()
    store = FakeEpisodeStore()
    judge = a_judge(store)
    snapshots = []
    for entry in entries:
        snapshots.append(judge.save())
        judge.take(*entry)
    judge.flush()
    for stored in store.list_episodes(EpisodeFilter()).items:
        for start in (0, stored.first_seq - 1, stored.first_seq + 3):
            replay = ReplayJudge(Merger("main", CHANNELS, FakePlaces()), snapshots[start])
            for entry in entries[start : stored.last_seq]:
                replay.take(*entry)
            found = replay.found[stored.id]
            same = replace(found.episode, revision=stored.revision, change=stored.change)
            assert repr(same) == repr(stored)
            assert repr(list(found.sensors)) == repr(store.sensors(stored.id))


def test_a_snapshot_of_another_release_is_refused() -> None:
    with pytest.raises(BundleError):
        ReplayJudge(Merger("main", CHANNELS, FakePlaces()), {})
