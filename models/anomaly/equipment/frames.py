"""Scoring readings in a data frame: what the logged model answers, without a server and without a state."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.bundle import AnomalyBundle, TrainedClass
from models.anomaly.equipment.grid import runs_of, slot_of

_COLUMNS = ("device", "equipment", "ts", "metric", "value")


class FrameScorer:
    """Scores the readings of a frame as if nothing had come before them."""

    def __init__(self, bundle: AnomalyBundle) -> None:
        self._bundle = bundle

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises BundleError."""
        return cls(AnomalyBundle.read(folder))

    def score_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """One row a device, row of the grid and sensor: `device, ts, metric, value, expected, p, score, alarm, share`.

        Args:
            frame: `device` (`site/device`; one that was not trained on is scored by its class' common detector), `equipment`
                (the class), `ts` (microseconds), `metric`, `value`.

        `p`, `score` (0 to 1) and `alarm` are the device's at that moment, the same for its sensors; `share` is the sensor's
        part in it. `ts` is the end of the grid's row.

        Raises:
            InputError: a column is missing, or a class or one of its sensors is not known.
        """
        missing = [name for name in _COLUMNS if name not in frame.columns]
        if missing:
            raise InputError(
                f"The frame has no column {', '.join(missing)}.", f"Its columns are {', '.join(_COLUMNS)}."
            )
        groups = frame.groupby(["equipment", "device"], sort=False)
        parts = [self._device(str(equipment), str(device), rows) for (equipment, device), rows in groups]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["device", "ts", "metric", "p"])

    def _device(self, equipment: str, device: str, rows: pd.DataFrame) -> pd.DataFrame:
        trained = self._bundle.classes.get(equipment)
        if trained is None:
            known = ", ".join(self._bundle.classes)
            raise InputError(f"There is no class '{equipment}'.", f"This version has {known}.")
        sensors = trained.equipment.sensors
        rows = rows.sort_values("ts", kind="stable")
        each = [rows[rows["metric"] == name] for name in sensors]
        slots = [slot_of(one["ts"].to_numpy(np.int64), trained.step) for one in each]
        values = [one["value"].to_numpy(np.float64) for one in each]
        runs, firsts = runs_of(slots, values, np.empty((0, 2), np.int64))
        if not runs:
            raise InputError(f"{device} has no reading of {', '.join(sensors)}.", "Send the sensors of its class.")
        return pd.concat([_scored(trained, device, run, at) for run, at in zip(runs, firsts, strict=True)])


def _scored(trained: TrainedClass, device: str, run: Floats, first: int) -> pd.DataFrame:
    one, sensors = trained.equipment, trained.equipment.sensors
    detector = one.of(device)
    judged, _ = detector.score(detector.begin(), run)
    shares = detector.explain(detector.begin(), run)
    n, k = run.shape
    return pd.DataFrame(
        {
            "device": device,
            "ts": np.repeat((first + 1 + np.arange(n)) * trained.step, k),
            "metric": np.tile(np.array(sensors, dtype=object), n),
            "value": run.ravel(),
            "expected": judged.expected.ravel(),
            "p": np.repeat(one.p_values(judged.surprise), k),
            "score": np.repeat(judged.surprise / (judged.surprise + one.level), k),
            "alarm": np.repeat(judged.surprise >= one.level, k),
            "share": shares.ravel(),
        }
    )
