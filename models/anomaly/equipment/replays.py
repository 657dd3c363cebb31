"""What a detector does after training: it is fitted on the first part of a normal run, and scores what came after.

Held-out rows between training rows know both sides. In use a machine drifts on, and the future is farther off than that: only
a replay shows how many alarms it brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.detector import FEWEST_ROWS, EquipmentDetector
from models.anomaly.equipment.faults import with_fault

_MOST = 8  # replays of one machine
_FAULTS = 4  # in each replay
_MOST_FALSE = 0.2  # share of normal rows with an alarm that no level may bring in replays


@dataclass(frozen=True, slots=True)
class Replay:
    """Surprises of one replay.

    Attributes:
        normal: of the normal rows after training.
        faulty: shape (faults, rows): of the same rows with a simulated fault in their second half.
    """

    normal: Floats
    faulty: Floats


def replay_lengths(rows: Sequence[int]) -> tuple[int, int]:
    """Rows that each replay is fitted on, and rows that it scores, where machines have so many normal rows each.

    As many as a machine usually has, and twice as many; no more than the longest run has room for. (0, 0) if it has none.
    """
    longest = max(rows, default=0)
    if longest < 3 * FEWEST_ROWS:
        return 0, 0
    fitted = max(min(int(np.median(rows)), longest // 3), FEWEST_ROWS)
    return fitted, 2 * fitted


def replays_of(run: Floats, lengths: tuple[int, int], seed: int) -> list[Replay]:
    """Replays of one normal run, one after the other, none for a run that is too short."""
    fitted, used = lengths
    count = min(len(run) // (fitted + used), _MOST) if fitted else 0
    found = []
    for number in range(count):
        begin = number * (len(run) // count)
        known, after = run[begin : begin + fitted], run[begin + fitted : begin + fitted + used]
        if np.isnan(known).all(axis=0).any():
            continue
        detector = EquipmentDetector.fit([known], seed)
        state = detector.warmed(known)
        rng = np.random.default_rng((seed, number))
        half = len(after) // 2
        broken = [with_fault(after, half, detector.scaling.spread, rng)[0] for _ in range(_FAULTS)]
        normal, *faulty = (detector.score(state, rows)[0].surprise for rows in (after, *broken))
        found.append(Replay(normal, np.array(faulty)))
    return found


def alarm_level(replays: Sequence[Replay]) -> float:
    """The surprise from which on alarms tell simulated faults from normal rows best: hit rate less false-alarm rate (Youden
    1950), where false alarms are not in the way of work."""
    score, label = pooled(replays)
    order = np.argsort(-score, kind="stable")
    hits, false = np.cumsum(label[order]) / label.sum(), np.cumsum(~label[order]) / (~label).sum()
    return float(score[order][int(np.argmax(np.where(false <= _MOST_FALSE, hits - false, -1.0)))])


def pooled(replays: Sequence[Replay]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Surprises of all normal rows, and of all that have a simulated fault; and which do."""
    normal = np.concatenate([replay.normal for replay in replays])
    faulty = np.concatenate([r.faulty[:, r.faulty.shape[1] // 2 :].ravel() for r in replays])
    return np.concatenate((normal, faulty)), np.repeat([False, True], [len(normal), len(faulty)])
