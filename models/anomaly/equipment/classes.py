"""All machines of one class: a detector each, one for those that have no history, and what the class says of alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.conformal import Calibration
from models.anomaly.equipment.detector import FEWEST_ROWS, EquipmentDetector
from models.anomaly.equipment.replays import Replay, alarm_level, replay_lengths, replays_of

#: p-value of the level of a class whose replays are too few to choose one by simulated faults
_RARE = 0.01
_FEWEST_REPLAYS = 4

_MOST_COMMON = 20_000  # rows that the common detector learns from


@dataclass(frozen=True, slots=True)
class MachinePiece:
    """Work of one machine, for an executor.

    Attributes:
        runs: normal runs, (rows, sensors) each.
        lengths: of its replays; see `replay_lengths`.
    """

    name: str
    runs: tuple[Floats, ...]
    lengths: tuple[int, int]
    seed: int


@dataclass(frozen=True, slots=True)
class FittedMachine:
    """What became of a piece: a detector with its replays, or the reason why there is none."""

    name: str
    detector: EquipmentDetector | None
    replays: tuple[Replay, ...] = ()
    reason: str | None = None


def pieces_of(machines: Mapping[str, Sequence[Floats]], seed: int) -> list[MachinePiece]:
    """One piece a machine."""
    lengths = replay_lengths([sum(map(len, runs)) for runs in machines.values()])
    return [MachinePiece(name, tuple(runs), lengths, seed) for name, runs in machines.items()]


def fit_machine(piece: MachinePiece) -> FittedMachine:
    """Fit one machine's detector and replay its runs. Never raises for its data: see `FittedMachine.reason`."""
    try:
        detector = EquipmentDetector.fit(piece.runs, piece.seed)
        replays = [replay for run in piece.runs for replay in replays_of(run, piece.lengths, piece.seed)]
    except InputError as error:
        return FittedMachine(piece.name, None, reason=str(error))
    return FittedMachine(piece.name, detector, tuple(replays))


@dataclass(frozen=True, slots=True)
class EquipmentClass:
    """Immutable, and safe to share between threads.

    Attributes:
        sensors: names of the columns, in order.
        detectors: of the machines that were trained on.
        common: fitted on all of them together, for a machine without a detector of its own.
        in_use: calibration of surprises on replays; None where no machine had enough rows for one.
        level: surprise of a detector from which on a row is an alarm, where nobody sets a budget.
    """

    sensors: tuple[str, ...]
    detectors: Mapping[str, EquipmentDetector]
    common: EquipmentDetector
    in_use: Calibration | None
    level: float

    @classmethod
    def assemble(cls, sensors: Sequence[str], fitted: Sequence[FittedMachine], common: EquipmentDetector) -> Self:
        """The class out of its machines' parts."""
        replays = [replay for one in fitted for replay in one.replays]
        detectors = {one.name: one.detector for one in fitted if one.detector is not None}
        if not replays:
            return cls(tuple(sensors), detectors, common, None, float(-np.log(_RARE)))
        in_use = Calibration.fit(np.concatenate([replay.normal for replay in replays]))
        level = alarm_level(replays) if len(replays) >= _FEWEST_REPLAYS else in_use.exceeded(_RARE)
        return cls(tuple(sensors), detectors, common, in_use, level)

    def of(self, machine: str) -> EquipmentDetector:
        """The machine's own detector, or the common one."""
        return self.detectors.get(machine, self.common)

    def p_values(self, surprise: Floats) -> Floats:
        """p-values of a detector's surprises, as they are in use."""
        found: Floats = np.exp(-(surprise if self.in_use is None else self.in_use.surprise(surprise)))
        return found

    def arrays(self) -> dict[str, Any]:
        """Everything but the names; detectors are numbered in order."""
        arrays: dict[str, Any] = {"level": np.array(self.level)}
        if self.in_use is not None:
            arrays |= {f"in_use/{key}": value for key, value in self.in_use.arrays().items()}
        numbered = {str(number): detector for number, detector in enumerate(self.detectors.values())}
        for name, detector in {"common": self.common, **numbered}.items():
            arrays |= {f"{name}:{key}": value for key, value in detector.arrays().items()}
        return arrays

    @classmethod
    def of_arrays(cls, sensors: Sequence[str], machines: Sequence[str], arrays: Mapping[str, Any]) -> Self:
        """Rebuild from `arrays` and the names. Raises KeyError for missing ones."""

        def group(prefix: str) -> dict[str, Any]:
            return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

        in_use = group("in_use/")
        return cls(
            tuple(sensors),
            {name: EquipmentDetector.of_arrays(group(f"{number}:")) for number, name in enumerate(machines)},
            EquipmentDetector.of_arrays(group("common:")),
            Calibration.of_arrays(in_use) if in_use else None,
            float(arrays["level"]),
        )


def common_runs(machines: Mapping[str, Sequence[Floats]]) -> list[Floats]:
    """What the common detector learns from: of each machine, the newest rows of its last run."""
    most = max(_MOST_COMMON // max(len(machines), 1), FEWEST_ROWS)
    return [run[-most:] for runs in machines.values() for run in runs[-1:]]


def common_detector(machines: Mapping[str, Sequence[Floats]], seed: int) -> EquipmentDetector:
    """Fitted on all machines together. Raises InputError for too few rows."""
    return EquipmentDetector.fit(common_runs(machines), seed)
