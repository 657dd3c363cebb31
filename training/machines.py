"""From a class' readings to the rows that its detectors are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.equipment import EquipmentStore, History, Labels, Machine, Span
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.telemetry import Micros
from models.anomaly.equipment.detector import FEWEST_ROWS
from models.anomaly.equipment.grid import runs_of, slot_of, step_of, typical_seconds
from models.anomaly.equipment.trial import CONTEXT

#: share of a class' machines that must have a sensor for it to be one of the class
_COMMON_SENSOR = 0.5

#: rows of a machine that are learnt from, at most: the newest
MOST_ROWS = 20_000

#: rows of a labelled fault that are judged, at most
_MOST_FAULT = 500


@dataclass(frozen=True, slots=True)
class ClassRows:
    """A class of equipment on its grid.

    Attributes:
        sensors: names, in the order of the columns.
        step: in microseconds.
        machines: normal runs of each, oldest first, (rows, sensors).
        labelled: of each machine, rows of faults that operators labelled, behind the `CONTEXT` rows before them.
        failed: machines that can't be trained, and why.
    """

    name: str
    sensors: tuple[str, ...]
    step: int
    machines: Mapping[str, list[Floats]]
    labelled: Mapping[str, list[Floats]]
    failed: Mapping[str, str]


def class_rows(
    name: str, machines: Sequence[Machine], store: EquipmentStore, labels: Labels, start: int, end: int
) -> ClassRows:
    """Read and align a class' machines. What operators called a fault or maintenance is left out."""
    counts = Counter(metric for machine in machines for metric in machine.channels)
    sensors = tuple(sorted(m for m, count in counts.items() if count >= _COMMON_SENSOR * len(machines)))
    keys = [machine.channels[m] for machine in machines for m in sensors if m in machine.channels]
    history = store.history(keys, start, end)
    parts = {machine.name: [_of(history, machine.channels.get(m)) for m in sensors] for machine in machines}
    declared = [machine.seconds for machine in machines if machine.seconds is not None]
    step = step_of(declared or _typical(parts))
    rows: dict[str, list[Floats]] = {}
    labelled: dict[str, list[Floats]] = {}
    failed: dict[str, str] = {}
    for machine, found in parts.items():
        mute = [metric for metric, (ts, _) in zip(sensors, found, strict=True) if not len(ts)]
        if mute:
            failed[machine] = f"It has no reading of {', '.join(mute)}, which the others of its class have."
            continue
        slots, values = [slot_of(ts, step) for ts, _ in found], [value for _, value in found]
        faults = _slots(labels.true, machine, step)
        runs, _ = runs_of(slots, values, np.concatenate((faults, _slots(labels.maintenance, machine, step))))
        kept = _newest(runs)
        if sum(map(len, kept)) < FEWEST_ROWS:
            count = sum(map(len, kept))
            failed[machine] = f"It has {count} normal rows of {step // 1_000_000} s, and {FEWEST_ROWS} are needed."
            continue
        rows[machine] = kept
        whole, firsts = runs_of(slots, values, np.empty((0, 2), np.int64))
        labelled[machine] = [part for span in faults for part in _fault(whole, firsts, span)]
    return ClassRows(name, sensors, step, rows, labelled, failed)


def _typical(parts: Mapping[str, Sequence[tuple[Micros, Floats]]]) -> list[float]:
    """Median over machines of the time between readings, of each sensor."""
    found = []
    for sensor in zip(*parts.values(), strict=True):
        seconds = [s for ts, _ in sensor if (s := typical_seconds(ts)) is not None]
        if seconds:
            found.append(float(np.median(seconds)))
    return found


def _of(history: History, key: int | None) -> tuple[Micros, Floats]:
    """Times and values of one channel."""
    if key is None:
        return np.empty(0, np.int64), np.empty(0)
    first, last = np.searchsorted(history.channel, [key, key + 1])
    return history.ts[first:last], history.value[first:last]


def _slots(spans: Sequence[Span], machine: str, step: int) -> Micros:
    found = [[span.start // step, span.end // step] for span in spans if span.machine == machine]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _newest(runs: Sequence[Floats]) -> list[Floats]:
    """The newest rows, at most `MOST_ROWS` in all."""
    kept: list[Floats] = []
    left = MOST_ROWS
    for run in reversed(runs):
        if left <= 0:
            break
        kept.insert(0, run[-left:])
        left -= len(kept[0])
    return kept


def _fault(runs: Sequence[Floats], firsts: Sequence[int], span: Micros) -> list[Floats]:
    """Rows of a labelled fault with those before it; none where the run begins too late for them."""
    for run, first in zip(runs, firsts, strict=True):
        begin, end = int(span[0]) - first, int(span[1]) - first + 1
        if CONTEXT <= begin < len(run) and end > begin:
            return [run[begin - CONTEXT : min(end, begin + _MOST_FAULT, len(run))]]
    return []
