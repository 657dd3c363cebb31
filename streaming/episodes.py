"""The judge of a shard: merges what is decided into episodes, and makes them durable with their place in the sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from industrial_brain.domain.anomalies import EpisodeStore
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Decided
from models.anomaly.episodes import Merger


class EpisodeJudge:
    """`Judge`. An episode that opens, closes or gets worse is stored at once; other news wait for a few seconds.

    What is stored is the state of the merging at one seq, all of it, so a crash costs nothing: the sequence is taken again
    from a snapshot on, and what is durable already is passed over. Who keeps snapshots calls `flush` before each.

    Args:
        merger: of this shard, nothing taken yet; it is given the open episodes of the store.
        told: called after each transaction that changed an episode.
        seconds: how long news that don't hurry may wait, by the receive times of batches.
    """

    def __init__(
        self,
        shard: str,
        store: EpisodeStore,
        merger: Merger,
        told: Callable[[], None] = lambda: None,
        seconds: float = 5.0,
    ) -> None:
        self._shard, self._store, self._merger, self._told = shard, store, merger, told
        self._wait = int(seconds * MICROS_PER_SECOND)
        self._durable = self._seq = store.taken(shard)
        self._at = self._stored_at = 0
        merger.restore(store.open_episodes(shard))

    def taken(self) -> int:
        return self._durable

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        if seq <= self._seq:
            return
        self._merger.take(seq, at, decided)
        self._seq, self._at = seq, at
        if self._merger.urgent or (self._merger.has_news and at - self._stored_at >= self._wait):
            self.flush()

    def flush(self) -> None:
        if self._seq == self._durable:
            return
        changes = self._merger.pending()
        self._store.keep(self._shard, self._seq, changes)
        self._merger.kept()
        self._durable, self._stored_at = self._seq, self._at
        if changes:
            self._told()
