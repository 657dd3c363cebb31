"""A trained detector of one machine: members, calibrated and combined into one p-value, with the sensors that brought it about.

Each member's figure becomes a surprise, minus the logarithm of its p-value among held-out normal rows. A fault shows in a few
of the members: the mean of the two largest surprises is the detector's own statistic (the rank truncated product of Dudbridge
& Koeleman 2003). Members are alike, so its law is learnt from held-out rows as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from models.anomaly.equipment.conformal import Calibration
from models.anomaly.equipment.hotelling import Hotelling
from models.anomaly.equipment.members import Members
from models.anomaly.equipment.runs import REACH, Scaling, held

#: rows that training needs; what is held out in turn is a quarter of them
FEWEST_ROWS = 200

_FOLDS = 4
_VOICES = 2  # members that are heard
_DRIFT_ROWS = 500  # in which the centre follows a drift; only rows that look normal move it
_LOOKS_NORMAL = 0.99


@dataclass(frozen=True, slots=True)
class RunState:
    """What a detector remembers of a machine's run.

    Attributes:
        rows: standardised rows, the last one at the end; as many as scores can depend on.
        drift: shape (sensors,): by how much the centre has moved since training, in units of the spread.
    """

    rows: Floats
    drift: Floats


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of `n` rows.

    Attributes:
        surprise: float64, `n`: minus the natural logarithm of the p-value.
        expected: shape (n, sensors): where each sensor should be by the one-step forecast, in its own unit.
    """

    surprise: Floats
    expected: Floats

    @property
    def p(self) -> Floats:
        found: Floats = np.exp(-self.surprise)
        return found


@dataclass(frozen=True, slots=True)
class EquipmentDetector:
    """See the module. Immutable; scoring takes a state and returns the next.

    Attributes:
        scaling: of each sensor on the normal rows.
        members: fitted on all normal rows.
        gate: T-squared of rows, and its 99th percentile on normal rows: what is below it may move the centre.
        calibrations: of each member, on held-out rows.
        combined: of the mean of the largest surprises, on held-out rows.
    """

    scaling: Scaling
    members: Members
    gate: tuple[Hotelling, float]
    calibrations: Mapping[str, Calibration]
    combined: Calibration

    @classmethod
    def fit(cls, runs: Sequence[Floats], seed: int = 0) -> Self:
        """Learn from normal runs of one machine, (rows, sensors) each, on an even grid; NaN is a gap.

        Raises:
            InputError: too few rows, or a sensor without a value.
        """
        if sum(map(len, runs)) < FEWEST_ROWS:
            raise InputError(
                f"{sum(map(len, runs))} normal rows are too few to learn from.", f"Give at least {FEWEST_ROWS}."
            )
        rows = np.concatenate(runs)
        silent = np.isnan(rows).all(axis=0)
        if silent.any():
            raise InputError(
                f"Sensor {int(np.flatnonzero(silent)[0])} has no value in the normal rows.", "Leave it out."
            )
        scaling = Scaling.of(rows)
        ready = [held(scaling.apply(run)) for run in runs if len(run)]
        held_out = _held_out(ready, seed)
        calibrations = {name: Calibration.fit(figures) for name, figures in held_out.items()}
        combined = Calibration.fit(_largest(calibrations, held_out))
        hotelling = Hotelling.fit(np.concatenate(ready))
        limit = float(np.quantile(hotelling.statistic(np.concatenate(ready)), _LOOKS_NORMAL))
        return cls(scaling, Members.fit(ready, seed), (hotelling, limit), calibrations, combined)

    def begin(self) -> RunState:
        """The state before a run's first row."""
        sensors = len(self.scaling.centre)
        return RunState(np.empty((0, sensors)), np.zeros(sensors))

    def warmed(self, rows: Floats) -> RunState:
        """The state after normal rows that the detector was fitted on: remembered, without a drift."""
        _, state = self._continued(self.begin(), rows)
        return RunState(state.rows, np.zeros_like(state.drift))

    def score(self, state: RunState, rows: Floats) -> tuple[Judgement, RunState]:
        """Judge the next rows of a run, shape (n, sensors), oldest first. NaN is a gap: its sensor holds its last value.

        The same rows in one call or in many give the same judgements and the same state.
        """
        run, state = self._continued(state, rows)
        first = len(run) - len(rows)
        figures = {name: found[first:] for name, found in self.members.statistics(run).items()}
        surprise = self.combined.surprise(_largest(self.calibrations, figures))
        forecast = run[first:] - self.members.one_step.missed(run)[first:]
        expected = (forecast + state.drift) * self.scaling.spread + self.scaling.centre
        return Judgement(surprise, expected), state

    def explain(self, state: RunState, rows: Floats) -> Floats:
        """Shares of each sensor in the surprise of the same rows, shape (n, sensors); each row's add up to 1.

        Members split their figures by sensor; a member counts by its surprise. What makes a row less odd counts nothing.
        """
        run, _ = self._continued(state, rows)
        wanted = slice(len(run) - len(rows), len(run))
        figures = {name: found[wanted] for name, found in self.members.statistics(run).items()}
        total = np.zeros_like(rows)
        for name, parts in self.members.contributions(run, wanted).items():
            parts = np.maximum(parts, 0.0)
            whole = parts.sum(axis=1, keepdims=True)
            share = np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0)
            total += share * self.calibrations[name].surprise(figures[name])[:, None]
        whole = total.sum(axis=1, keepdims=True)
        even = np.full_like(total, 1.0 / total.shape[1])
        shares: Floats = np.divide(total, whole, out=even, where=whole > 0)
        return shares

    def _continued(self, state: RunState, rows: Floats) -> tuple[Floats, RunState]:
        """The remembered rows and the new ones, standardised, without gaps and drift; and the state after them."""
        scaled = self.scaling.apply(rows)
        before = state.rows[-1:] if len(state.rows) else np.empty((0, rows.shape[1]))
        hotelling, limit = self.gate
        steady, drift = _follow(
            np.ascontiguousarray(scaled),
            before[0] if len(before) else np.zeros(rows.shape[1]),
            state.drift,
            hotelling.mean,
            hotelling.whitener,
            limit,
            1.0 / _DRIFT_ROWS,
        )
        run = np.concatenate((state.rows, steady))
        return run, RunState(run[-(REACH - 1 + self.members.one_step.order) :].copy(), drift)

    def arrays(self) -> dict[str, Any]:
        hotelling, limit = self.gate
        arrays: dict[str, Any] = {
            "scaling/centre": self.scaling.centre,
            "scaling/spread": self.scaling.spread,
            "gate/limit": np.array(limit),
            **{f"gate/{key}": value for key, value in hotelling.arrays().items()},
            **{f"combined/{key}": value for key, value in self.combined.arrays().items()},
            **{f"members/{key}": value for key, value in self.members.arrays().items()},
        }
        for name, calibration in self.calibrations.items():
            arrays |= {f"calibrations/{name}/{key}": value for key, value in calibration.arrays().items()}
        return arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Rebuild from `arrays`. Raises KeyError for missing ones."""

        def group(prefix: str) -> dict[str, Any]:
            return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

        names = dict.fromkeys(key.split("/")[1] for key in arrays if key.startswith("calibrations/"))
        centre = arrays["scaling/centre"]
        return cls(
            Scaling(centre, arrays["scaling/spread"]),
            Members.of_arrays(len(centre), group("members/")),
            (Hotelling.of_arrays(group("gate/")), float(arrays["gate/limit"])),
            {name: Calibration.of_arrays(group(f"calibrations/{name}/")) for name in names},
            Calibration.of_arrays(group("combined/")),
        )


def _largest(calibrations: Mapping[str, Calibration], figures: Mapping[str, Floats]) -> Floats:
    """Mean of the largest surprises of each row."""
    surprises = np.array([calibrations[name].surprise(figures[name]) for name in calibrations])
    found: Floats = np.sort(surprises, axis=0)[-_VOICES:].mean(axis=0)
    return found


def _held_out(runs: Sequence[Floats], seed: int) -> dict[str, Floats]:
    """Every member's figures on normal rows that it was not fitted on: each quarter in turn, in one piece."""
    total = sum(map(len, runs))
    bounds = np.linspace(0, total, _FOLDS + 1).astype(int)
    found: dict[str, list[Floats]] = {}
    for low, high in pairwise(bounds):
        kept: list[Floats] = []
        out: list[Floats] = []
        at = 0
        for run in runs:
            first, last = (int(np.clip(edge - at, 0, len(run))) for edge in (low, high))
            out += [run[first:last]] if last > first else []
            kept += [part for part in (run[:first], run[last:]) if len(part) > _SHORTEST]
            at += len(run)
        members = Members.fit(kept, seed)
        for part in out:
            for name, figures in members.statistics(part).items():
                found.setdefault(name, []).append(figures)
    return {name: np.concatenate(parts) for name, parts in found.items()}


_SHORTEST = 40  # rows of a piece that is worth learning from: longer than any window


@compiled
def _follow(
    rows: Floats, before: Floats, drift: Floats, mean: Floats, whitener: Floats, limit: float, weight: float
) -> tuple[Floats, Floats]:
    """Rows less the drift of the centre, gaps held; and the drift after them. Rows beyond the limit don't move it."""
    n, k = rows.shape
    found, moved = np.empty((n, k)), drift.copy()
    last = before.copy()
    for i in range(n):
        for j in range(k):
            found[i, j] = last[j] if np.isnan(rows[i, j]) else rows[i, j] - moved[j]
        square = 0.0
        for a in range(k):
            white = 0.0
            for b in range(k):
                white += (found[i, b] - mean[b]) * whitener[b, a]
            square += white * white
        if square / k <= limit:
            for j in range(k):
                if not np.isnan(rows[i, j]):
                    moved[j] += weight * found[i, j]
        last = found[i]
    return found, moved
