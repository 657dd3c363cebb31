"""The gate between a challenger and the champion of equipment's detectors. Pure: two bundles in, a verdict out.

Versions are judged on the rows that the challenger's trial held out: as they are, with simulated faults in them, and where
operators labelled a fault. The challenger's own marks are those of detectors that had not seen these rows; the champion scores
them as it is. An older champion has not seen them either; one that was trained on them has an advantage, and keeps its place.
"""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.bundle import AnomalyBundle, TrainedClass
from models.anomaly.equipment.trial import ALARM, Marks, mark
from training.gates import Check, Verdict

#: alarms on normal rows may be so many times what their p-value promises, as they come in clusters; of few cases, so many
BOUND, BOUND_OF_FEW = 5.0, 15.0

#: how much less of the faults' rows a challenger may find, significantly or not
TOO_MUCH = 0.10

#: share of the rows with simulated faults that detectors find at least
LEAST_FOUND = 0.2

#: one-sided 5% point of the standard normal
_SIGNIFICANT = 1.645

#: cases below which a comparison decides nothing
FEW = 5


def judge_anomalies(challenger: AnomalyBundle, champion: AnomalyBundle | None) -> Verdict:
    """Compare class by class, for the classes that the challenger trained anew."""
    checks = [_answers(challenger)]
    for name, one in challenger.classes.items():
        if one.vintage != challenger.vintage:
            continue  # carried over from the champion
        checks += [_rate(name, one), _finds(name, one)]
    if champion is not None:
        checks += [_is_newer(challenger, champion), _keeps(challenger, champion)]
        for name, one in challenger.classes.items():
            before = champion.classes.get(name)
            if one.vintage == challenger.vintage and before is not None:
                checks.append(_no_worse(name, one, before))
    return Verdict(tuple(checks))


def shortcomings(name: str, one: TrainedClass) -> str:
    """Why a class is not fit for use, whatever a version has else; empty if it is."""
    return Verdict((_rate(name, one), _finds(name, one))).reason


def _answers(challenger: AnomalyBundle) -> Check:
    machines = sum(len(one.equipment.detectors) for one in challenger.classes.values())
    total = machines + len({one.series for one in challenger.failed})
    passed = machines > 0
    return Check("answers", passed, f"It has detectors for {machines} of {total} machines.")


def _rate(name: str, one: TrainedClass) -> Check:
    if one.trial is None or not len(one.trial.marks.false):
        return Check(f"{name}: alarms", True, "There were too few rows to hold normal ones out.")
    rate = float(one.trial.marks.false.mean())
    bound = ALARM * (BOUND if len(one.trial.marks.false) >= FEW else BOUND_OF_FEW)
    words = f"On normal rows that were held out {rate:.1%} are alarms at p {ALARM:g}, and {bound:.0%} are allowed."
    return Check(f"{name}: alarms", rate <= bound, words)


def _finds(name: str, one: TrainedClass) -> Check:
    if one.trial is None or not len(one.trial.marks.false):
        return Check(f"{name}: faults", True, "There were too few rows to put simulated faults into.")
    false, found = float(one.trial.marks.false.mean()), float(one.trial.marks.found.mean())
    words = f"It marks {found:.0%} of rows with simulated faults and {false:.1%} of those without, in rows that were held out."
    return Check(f"{name}: faults", found > max(LEAST_FOUND, 2.0 * false), words)


def _is_newer(challenger: AnomalyBundle, champion: AnomalyBundle) -> Check:
    passed = challenger.vintage >= champion.vintage
    words = "is not older than" if passed else "is older than"
    return Check("vintage", passed, f"Its vintage {challenger.vintage:%Y-%m-%d} {words} the champion's.")


def _keeps(challenger: AnomalyBundle, champion: AnomalyBundle) -> Check:
    lost = sorted(champion.classes.keys() - challenger.classes.keys())
    names = f": {', '.join(lost[:3])}" if lost else ""
    return Check(
        "classes kept", not lost, f"It loses {len(lost)} of the champion's {len(champion.classes)} classes{names}."
    )


def _no_worse(name: str, one: TrainedClass, before: TrainedClass) -> Check:
    """Paired, case by case: faults found, less false alarms."""
    title = f"{name}: beside the champion"
    if one.trial is None or len(one.trial.cases) < FEW:
        return Check(title, True, "There are too few held-out cases to compare with the champion.")
    if one.equipment.sensors != before.equipment.sensors or one.step != before.step:
        return Check(title, True, "The champion looks at other sensors, or another grid: they can't be compared.")
    ours, theirs = _worth(one.trial.marks), _worth(mark(before.equipment, one.trial.cases, one.trial.seed))
    gain = ours - theirs
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain))
    worse = gain.mean() + _SIGNIFICANT * error < 0.0 or gain.mean() < -TOO_MUCH
    words = (
        f"Found rows less false ones: {ours.mean():.2f}, the champion's {theirs.mean():.2f} "
        f"(difference {gain.mean():+.2f} ± {_SIGNIFICANT * error:.2f}, {len(gain)} cases)."
    )
    return Check(title, not worse, words)


def _worth(marks: Marks) -> Floats:
    """Of each case: the share of fault's rows found, less that of normal rows taken for one."""
    worth: Floats = np.concatenate((marks.found.mean(axis=1) - marks.false, marks.labelled))
    return worth
