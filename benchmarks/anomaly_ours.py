"""Our own detectors, as they ship, behind the benchmark's question."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.anomaly_methods import Answer, Method
from benchmarks.anomaly_sets import AnomalySeries, AnomalySet
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Fleet, Micros, Quality
from models.anomaly.decisions import LiveDecider
from models.anomaly.equipment.classes import EquipmentClass, common_detector, fit_machine, pieces_of
from models.anomaly.fleet import LiveFleet

_SEED = 0
_BATCH = 1_000  # readings


def trained(one: AnomalySet) -> Answer:
    """The detectors of equipment classes: what `brain train anomaly` fits, here in this process.

    Series of several channels are machines of one class. A series of one channel shares nothing with the others but the
    file's format: each is a class of its own.
    """
    scores: list[Floats] = [np.full(len(series.values), np.nan) for series in one.series]
    alarms = [np.zeros(len(series.values), dtype=bool) for series in one.series]
    seconds = 0.0
    normal = {k: series.values[~series.asked] for k, series in enumerate(one.series) if (~series.asked).any()}
    together = len(one.channels) > 1
    groups = [normal] if together else [{k: run} for k, run in normal.items()]
    for group in groups:
        fitted = _fitted(one, group)
        for k, series in enumerate(one.series):
            if not series.asked.any() or not (together or k in group):
                continue
            begun = time.perf_counter()
            found = _judged(fitted, series)
            seconds += time.perf_counter() - begun
            scores[k][series.asked] = found / (found + fitted.level)
            alarms[k][series.asked] = found >= fitted.level
    return Answer(tuple(scores), tuple(alarms), seconds)


def _fitted(one: AnomalySet, group: Mapping[int, Floats]) -> EquipmentClass:
    machines = {one.series[k].name: [run] for k, run in group.items()}
    parts = [fit_machine(piece) for piece in pieces_of(machines, _SEED)]
    return EquipmentClass.assemble(one.channels, parts, common_detector(machines, _SEED))


def _judged(fitted: EquipmentClass, series: AnomalySeries) -> Floats:
    """Surprises of the rows that were asked about, by the machine's own detector or the common one."""
    detector = fitted.of(series.name)
    known = series.values[~series.asked]
    state = detector.warmed(known) if len(known) else detector.begin()
    return detector.score(state, series.values[series.asked])[0].surprise


def closely_watched() -> Fleet:
    """The live detector of a channel that an operator declared important."""
    return LiveFleet(watch_all=True)


def live(one: AnomalySet, fleet_of: Callable[[], Fleet] = closely_watched) -> Answer:
    """The live detector: each series is the one channel of a fleet, reading by reading: one pass, in order, no look ahead.

    Alarms are those of the budget that the server starts with. The clock is stopped over a second pass in batches, as the
    server scores them: one reading at a time would measure the call.
    """
    scores, alarms, seconds = [], [], 0.0
    for series in one.series:
        rows, ts = _readings(series)
        score, alarm = np.full(len(series.values), np.nan), np.zeros(len(series.values), dtype=bool)
        fleet, decider = fleet_of(), LiveDecider()
        for seq, row in enumerate(rows, start=1):
            at = int(ts[row])
            scored = fleet.score(_batch(seq, at, series, np.array([row]), ts))
            decided = decider.decide(scored, at)
            if series.asked[row]:
                score[row], alarm[row] = scored.score[0], decided.alarm[0]
        scores.append(score)
        alarms.append(alarm)
        fleet = fleet_of()
        for seq, part in enumerate(np.array_split(rows, -(-len(rows) // _BATCH) or 1), start=1):
            if len(part):
                batch = _batch(seq, int(ts[part[-1]]), series, part, ts)
                begun = time.perf_counter()
                fleet.score(batch)
                seconds += (time.perf_counter() - begun) * series.asked[part].mean()
    return Answer(tuple(scores), tuple(alarms), seconds)


def _readings(series: AnomalySeries) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Micros]:
    """Rows that have a value, and event times; steps are seconds."""
    steps = np.arange(len(series.values), dtype=np.int64) * MICROS_PER_SECOND
    return np.flatnonzero(~np.isnan(series.values[:, 0])), steps if series.micros is None else series.micros


def _batch(seq: int, at: int, series: AnomalySeries, rows: npt.NDArray[np.intp], ts: Micros) -> Batch:
    n = len(rows)
    return Batch(
        seq=seq,
        received_at=at,
        channel=np.zeros(n, dtype=np.int32),
        ts=ts[rows],
        value=series.values[rows, 0],
        quality=np.full(n, Quality.GOOD, dtype=np.uint8),
        late=np.zeros(n, dtype=np.bool_),
    )


#: the method called `brain`, for sets of each protocol
METHODS: Mapping[str, Method] = {"train_test": trained, "stream": live}
