"""Our own detectors, as they ship, behind the benchmark's question."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.anomaly_methods import Answer, Method
from benchmarks.anomaly_sets import AnomalySeries, AnomalySet
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Fleet, Quality
from models.anomaly.equipment.classes import EquipmentClass, common_detector, fit_machine, pieces_of

_SEED = 0


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


def live(fleet_of: Callable[[int], Fleet], alarm_at: float) -> Method:
    """A fleet that sees each series as a channel, reading by reading: one pass, in order, no look ahead.

    Args:
        fleet_of: makes a fleet for a number of channels.
        alarm_at: readings whose p-value is not above it are alarms.
    """

    def method(one: AnomalySet) -> Answer:
        fleet = fleet_of(len(one.series))
        lengths = np.array([len(series.values) for series in one.series])
        scores = [np.full(n, np.nan) for n in lengths]
        alarms = [np.zeros(n, dtype=bool) for n in lengths]
        seconds = 0.0
        for row in range(int(lengths.max())):
            batch = _batch(one.series, row)
            begun = time.perf_counter()
            scored = fleet.score(batch)
            seconds += time.perf_counter() - begun
            for k, key in enumerate(batch.channel):
                if one.series[key].asked[row]:
                    scores[key][row], alarms[key][row] = scored.score[k], scored.p[k] <= alarm_at
        return Answer(tuple(scores), tuple(alarms), seconds)

    return method


def _batch(series: Sequence[AnomalySeries], row: int) -> Batch:
    values = np.array([one.values[row, 0] if row < len(one.values) else np.nan for one in series])
    keys = np.flatnonzero(~np.isnan(values)).astype(np.int32)
    moments = [series[int(k)].micros for k in keys]
    times = [row * MICROS_PER_SECOND if micros is None else int(micros[row]) for micros in moments]
    return Batch(
        seq=row + 1,
        received_at=max(times, default=0),
        channel=keys,
        ts=np.array(times, dtype=np.int64),
        value=values[keys],
        quality=np.full(len(keys), Quality.GOOD, dtype=np.uint8),
        late=np.zeros(len(keys), dtype=np.bool_),
    )


#: the method called `brain`, for sets of each protocol that has one
METHODS: Mapping[str, Method] = {"train_test": trained}
