"""Scoring readings that nobody keeps: the live detector, its decisions and their episodes, on a stream of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.anomalies import Episode, Sensor
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import (
    MICROS_PER_SECOND,
    Batch,
    Bytes,
    ChannelName,
    Flags,
    Keys,
    Micros,
)
from models.anomaly.episodes import Merger
from streaming.episodes import ReplayJudge
from streaming.watch import Watch

#: batches that a stream is cut into at most; one a minute up to then
MOST_STEPS = 10_000
_MINUTE = 60 * MICROS_PER_SECOND

#: seconds between batches up to which the live detector takes a silence for one
_AWAKE = 300 * MICROS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one site, `n` rows in the sender's order; names are those of channels."""

    channel: Keys
    ts: Micros
    value: npt.NDArray[np.float64]
    quality: Bytes

    def __len__(self) -> int:
        return len(self.channel)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of the readings, row by row in the sender's order, and the episodes that they would make.

    Attributes:
        p, score, value, expected: float32, see `Scored`. cause: uint8. alarm: bool.
        late: bool; not newer than a reading of its channel that came before: neither judged nor learnt from.
        episodes: each as it stood at the end, oldest first, with its sensors.
        silence: whether gaps were looked for: not where the stream had to be cut into steps of more than five minutes.
    """

    p: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    expected: npt.NDArray[np.float32]
    cause: Bytes
    alarm: Flags
    late: Flags
    level: float
    episodes: tuple[tuple[Episode, tuple[Sensor, ...]], ...]
    silence: bool


class FewChannels:
    """`Channels` and `Places` of a request: these names, no parents."""

    def __init__(self, names: Sequence[ChannelName]) -> None:
        self._names = names
        self._devices = len({name.device for name in names})

    def __len__(self) -> int:
        return len(self._names)

    def name(self, key: int) -> ChannelName:
        return self._names[key]

    def of_device(self, site: str, device: str) -> list[ChannelName]:
        return [name for name in self._names if (name.site, name.device) == (site, device)]

    def parent(self, site: str, device: str) -> str | None:
        return None

    def children(self, site: str, device: str) -> int:
        return 0

    def devices(self, site: str) -> int:
        return self._devices


def score_readings(watch: Watch, names: Sequence[ChannelName], history: Readings, readings: Readings) -> Judged:
    """Score readings as if they had come in the order of their times, each at its time, after the history.

    The detector begins with nothing: a channel's first readings (of the history, if there is one) are learnt from and not
    judged. History is scored, too, but told of only where an episode reaches into the readings.

    Args:
        watch: new.

    Raises:
        InputError: a history that is not over when the readings begin.
    """
    if len(history) and len(readings) and history.ts.max() >= readings.ts.min():
        raise InputError(
            "The history reaches into the readings.", "Send as history what is older than every reading.",
            pointer="/history",
        )  # fmt: skip
    count = len(history) + len(readings)
    channel, ts, value, quality = (
        np.concatenate([getattr(history, name), getattr(readings, name)])
        for name in ("channel", "ts", "value", "quality")
    )
    order = np.lexsort((np.arange(count), ts))
    late = np.zeros(count, np.bool_)
    by_channel = np.lexsort((np.arange(count), ts, channel))
    late[by_channel[1:]] = (np.diff(channel[by_channel]) == 0) & (np.diff(ts[by_channel]) == 0)
    step = _step(ts)
    silence = step <= _AWAKE
    edges = _steps(ts, step, whole=silence)
    starts, ends = (np.searchsorted(ts[order], edges + later) for later in (0, step))
    judge = ReplayJudge(Merger("scratch", few := FewChannels(names), few))
    p, score, expected = (np.full(count, np.nan, np.float32) for _ in range(3))
    cause, alarm, level = np.zeros(count, np.uint8), np.zeros(count, np.bool_), 0.0
    for seq, (edge, first, last) in enumerate(zip(edges.tolist(), starts.tolist(), ends.tolist(), strict=True), 1):
        rows = order[first:last]
        at = edge + step
        decided = watch.take(Batch(seq, at, channel[rows], ts[rows], value[rows], quality[rows], late[rows]))
        scored, level = decided[0].scored, decided[0].level
        p[rows], score[rows], expected[rows] = scored.p, scored.score, scored.expected
        cause[rows], alarm[rows] = scored.cause, decided[0].alarm
        judge.take(seq, at, decided)
    rows_asked = slice(len(history), None)
    began = int(readings.ts.min()) if len(readings) else 0
    return Judged(
        p=p[rows_asked],
        score=score[rows_asked],
        expected=expected[rows_asked],
        cause=cause[rows_asked],
        alarm=alarm[rows_asked],
        late=late[rows_asked],
        level=level,
        episodes=tuple(
            (one.episode, one.sensors)
            for one in sorted(judge.found.values(), key=lambda one: one.episode.id)
            if one.episode.end >= began and one.episode.parent is None
        ),
        silence=silence,
    )


def _step(ts: Micros) -> int:
    """A minute, or the least number of minutes that cuts the time into `MOST_STEPS`."""
    span = int(ts.max() - ts.min()) if len(ts) else 0
    return _MINUTE * max(1, -(-span // (_MINUTE * MOST_STEPS)))


def _steps(ts: Micros, step: int, whole: bool) -> Micros:
    """Beginnings of the steps that hold a reading; of all from the first to the last, if time is to pass in the others, too."""
    steps = np.unique(ts // step)
    if whole and len(steps):
        steps = np.arange(steps[0], steps[-1] + 1)
    return steps * step
