"""A trial: how a class' detectors do on rows that they have not seen, as they are and with simulated faults in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.classes import EquipmentClass
from models.anomaly.equipment.faults import with_fault
from models.anomaly.equipment.runs import REACH

#: p-value of the alarms that are counted
ALARM = 0.01

_FAULTS = 6  # a case

#: rows ahead of the ones judged that a detector is warmed with
CONTEXT = REACH


@dataclass(frozen=True, slots=True)
class Case:
    """Rows of one machine that are judged, behind `CONTEXT` rows that they follow on.

    Attributes:
        rows: shape (n, sensors), the context included.
        labelled: whether an operator said that they are a fault; else they are normal.
    """

    machine: str
    rows: Floats
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What came of cases.

    Attributes:
        false: share of rows with an alarm, of each normal case.
        found: shape (normal cases, faults): share of the rows of each simulated fault with an alarm.
        labelled: share of rows with an alarm, of each labelled case.
    """

    false: Floats
    found: Floats
    labelled: Floats


def mark(one: EquipmentClass, cases: Sequence[Case], seed: int) -> Marks:
    """Score all cases. The same seed puts the same faults into the same rows, whichever version is judged."""
    false, found, labelled = [], [], []
    for number, case in enumerate(cases):
        rows = case.rows[CONTEXT:]
        if case.labelled:
            labelled.append(_alarms(one, case, rows))
            continue
        false.append(_alarms(one, case, rows))
        rng = np.random.default_rng((seed, number))
        spread = np.nanstd(case.rows, axis=0)
        found.append([_alarms(one, case, with_fault(rows, 0, spread, rng)[0]) for _ in range(_FAULTS)])
    return Marks(np.array(false), np.array(found).reshape(-1, _FAULTS), np.array(labelled))


def _alarms(one: EquipmentClass, case: Case, rows: Floats) -> float:
    """Share of rows with an alarm, after the case's context."""
    detector = one.of(case.machine)
    _, state = detector.score(detector.begin(), case.rows[:CONTEXT])
    judged, _ = detector.score(state, rows)
    return float((one.p_values(judged.surprise) <= ALARM).mean())
