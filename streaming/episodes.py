"""The judge of a shard: merges what is decided into episodes, and makes them durable with their place in the sequence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from industrial_brain.domain.anomalies import EpisodeChange, EpisodeStore
from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Decided
from models.anomaly.episodes import Merger

Arrays = dict[str, npt.NDArray[np.generic]]


class EpisodeJudge:
    """`Judge`. An episode that opens, closes or gets worse is stored at once; other news wait.

    What is stored is the state of the merging at one seq, all of it, so a crash costs nothing: the sequence is taken again
    from a snapshot on, and what is durable already is passed over. Who keeps snapshots calls `flush` before each.

    Args:
        merger: of this shard, nothing taken yet; it is given the open episodes of the store.
        seconds: how long news that don't hurry may wait, by the receive times of batches.
    """

    def __init__(self, shard: str, store: EpisodeStore, merger: Merger, seconds: float = 30.0) -> None:
        self._shard, self._store, self._merger = shard, store, merger
        self._wait = int(seconds * MICROS_PER_SECOND)
        self._durable = self._seq = store.taken(shard)
        self._at = self._stored_at = 0
        merger.restore(store.open_episodes(shard))

    def taken(self) -> int:
        return self._durable

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        if seq <= self._durable:
            return
        if seq > self._seq:  # else it is merged already, and only the store did not answer
            self._merger.take(seq, at, decided)
            self._seq, self._at = seq, at
        if self._merger.urgent or (self._merger.has_news and at - self._stored_at >= self._wait):
            self.flush()

    def flush(self) -> None:
        if self._seq == self._durable:
            return
        self._store.keep(self._shard, self._seq, self._merger.pending())
        self._merger.kept()
        self._durable, self._stored_at = self._seq, self._at

    def save(self) -> Arrays:
        return saved_episodes(self._merger)


class ReplayJudge:
    """`Judge` that keeps nothing but in memory: `found` is each episode as it stood last, with its sensors.

    Args:
        merger: nothing taken yet.
        arrays: what a judge saved, to go on from.
    """

    def __init__(self, merger: Merger, arrays: Mapping[str, npt.NDArray[np.generic]] | None = None) -> None:
        self._merger, self._seq = merger, 0
        self.found: dict[str, EpisodeChange] = {}
        if arrays is not None:
            kept = _read(arrays)
            merger.restore(kept)
            self.found = {one.episode.id: one for one in kept}

    def taken(self) -> int:
        return self._seq

    def take(self, seq: int, at: int, decided: Sequence[Decided]) -> None:
        self._merger.take(seq, at, decided)
        self._seq = seq
        if not self._merger.has_news:
            return
        for change in self._merger.pending():
            before = self.found.get(change.episode.id)
            sensors = {} if before is None else {sensor.channel: sensor for sensor in before.sensors}
            sensors.update({sensor.channel: sensor for sensor in change.sensors})
            self.found[change.episode.id] = EpisodeChange(change.episode, tuple(sensors.values()))
        self._merger.kept()

    def flush(self) -> None:
        """There is nothing to keep."""

    def save(self) -> Arrays:
        return saved_episodes(self._merger)


def saved_episodes(merger: Merger) -> Arrays:
    """The open episodes as JSON that knows NaN, in an array."""
    text = json.dumps(msgspec.to_builtins(merger.open_episodes()))
    return {"open": np.frombuffer(text.encode(), np.uint8)}


def _read(arrays: Mapping[str, npt.NDArray[np.generic]]) -> list[EpisodeChange]:
    try:
        return msgspec.convert(json.loads(arrays["open"].tobytes()), list[EpisodeChange])
    except (LookupError, ValueError) as error:
        raise BundleError("The snapshot holds no open episodes that this version can read.") from error
