"""A fitted nowcast: arrays that give a target's number on any data that its indicators show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import quantile_key
from industrial_brain.domain.nowcasts import NowcastPeriod, Tense, Transformation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency
from models.nowcast.factor_model import Estimate, Layout, Smoothed, smooth
from models.nowcast.table import MonthTable
from models.nowcast.transform import LOGS, Scaling

#: periods behind its newest value from which a target is not nowcast: it has stopped
FURTHEST = {Frequency.QUARTERLY: 4, Frequency.MONTHLY: 12}

#: months without a value after which an indicator is said to have stopped
STOPPED = 6

#: steps behind the newest value that intervals are calibrated for: the first period without a value, the second, ...
STEPS = 3


@dataclass(frozen=True, slots=True)
class Record:
    """The pseudo-real-time backtest: `n` nowcasts of the past, each on what was known then.

    Attributes:
        month: int64 (n,): the month at whose end it was made.
        period: int64 (n,): month ordinal of the period's last month.
        step: int64 (n,): periods after the newest value known then; 1 is the first without one.
        actual, mean, random_walk, autoregression: float64 (n,), logs where the target is taken in logs, else its unit.
        scale: float64 (n,), the model's own standard deviation.
        real: bool (n,): made on a vintage of the store; else on today's values, as late as they come.
    """

    month: Floats
    period: Floats
    step: Floats
    actual: Floats
    mean: Floats
    scale: Floats
    random_walk: Floats
    autoregression: Floats
    real: Floats

    def error(self, method: str) -> Floats:
        """Errors of `mean`, `random_walk` or `autoregression`."""
        made: Floats = getattr(self, method)
        return made - self.actual


@dataclass(frozen=True, slots=True)
class FittedNowcast:
    """One target of a version. Immutable.

    Attributes:
        freq: quarterly or monthly.
        layout, scaling, estimate: the model; rows of `scaling` are the columns of `layout`.
        table: the data that it was fitted on, columns as in `layout`; its first month is every later grid's.
        month: the vintage's month.
        spread: float64 (STEPS,): what the model's own standard deviations are stretched by.
        record: what `spread` and the gate come from.
        notes: treatments that a reader should know of.
    """

    target: str
    freq: Frequency
    unit: str
    simulated: bool
    layout: Layout
    scaling: Scaling
    estimate: Estimate
    table: MonthTable
    month: int
    spread: Floats
    record: Record
    notes: tuple[str, ...]

    @property
    def column(self) -> int:
        return self.layout.ids.index(self.target)

    @property
    def step(self) -> int:
        """Months in a period of the target."""
        return 3 if self.freq is Frequency.QUARTERLY else 1

    @property
    def in_logs(self) -> bool:
        return Transformation(int(self.scaling.codes[self.column])) in LOGS

    def period_of(self, month: int) -> int:
        """Last month of the target's period that holds a month."""
        return month // self.step * self.step + self.step - 1

    def label(self, period: int) -> str:
        """The period's start as text."""
        return self.freq.label(period // self.step)

    def period_of_label(self, label: str) -> int:
        """The inverse of `label`. Raises ValueError."""
        return self.freq.ordinal_of_label(label) * self.step + self.step - 1

    def view(self, table: MonthTable, month: int) -> View:
        """The model on data as it was known in a month; the table may hold more series than the model's.

        Raises:
            InputError: the target has no value, or has stopped.
        """
        end = self.period_of(month) + self.step + 1
        mine = table.take(self.layout.ids)
        shown = mine.over(self.table.start, max(end, mine.end))
        z = self.scaling.standardise(shown)
        return View(self, shown, month, z, smooth(self.layout, self.estimate.params, z, shown.start))


@dataclass(frozen=True, slots=True)
class View:
    """A model on data as of a month.

    Attributes:
        z: standardised columns (t, n).
    """

    fitted: FittedNowcast
    table: MonthTable
    month: int
    z: Floats
    smoothed: Smoothed

    @property
    def levels(self) -> Floats:
        """The target's known values (t,), in logs where it is taken in logs."""
        values = self.table.values[:, self.fitted.column]
        if not self.fitted.in_logs:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0.0, np.log(values), np.nan)

    @property
    def last(self) -> int:
        """Last month of the newest period that has a value. Raises InputError where none has."""
        seen = np.flatnonzero(np.isfinite(self.levels))
        if not len(seen):
            raise InputError(f"'{self.fitted.target}' had no value yet.", "Ask as of a later moment.")
        return self.table.start + int(seen[-1])

    def row(self, period: int) -> int:
        return period - self.table.start

    def rows_to(self, period: int, base: int) -> list[int]:
        """Rows of the periods behind `base` up to `period`."""
        return [self.row(p) for p in range(base + self.fitted.step, period + 1, self.fitted.step)]

    def differenced(self) -> bool:
        code = Transformation(int(self.fitted.scaling.codes[self.fitted.column]))
        return code in (Transformation.DIFFERENCE, Transformation.GROWTH)

    def level(self, period: int) -> tuple[float, float]:
        """Mean and standard deviation (the model's own) of a period, in logs where the target is taken in logs.

        The deviation of a sum of growth rates takes their errors as independent; calibration makes up for it.
        """
        known = self.levels[self.row(period)]
        if np.isfinite(known):
            return float(known), 0.0
        fitted, column = self.fitted, self.fitted.column
        rows = self.rows_to(period, self.last) if self.differenced() else [self.row(period)]
        means = [self._restored(row) for row in rows]
        variance = float(self.smoothed.variance[rows, column].sum())
        base = float(self.levels[self.row(self.last)]) if self.differenced() else 0.0
        return base + sum(means), float(np.sqrt(variance) * fitted.scaling.deviation[column])

    def periods(self) -> list[int]:
        """From the first period without a value to the one behind the running one.

        Raises:
            InputError: the target has stopped.
        """
        fitted = self.fitted
        running = fitted.period_of(self.month)
        behind = (running - self.last) // fitted.step
        if behind > FURTHEST[fitted.freq]:
            raise InputError(
                f"'{fitted.target}' has had no value since {fitted.label(self.last)}: it can't be nowcast any more.",
                "Import its newer values, or declare another target.",
            )
        return list(range(self.last + fitted.step, running + fitted.step + 1, fitted.step))

    def answer(self, period: int, probabilities: Sequence[float]) -> NowcastPeriod:
        """One period's number, in the target's unit."""
        mean, scale = self.level(period)
        step = min(max((period - self.last) // self.fitted.step, 1), STEPS)
        stretched = scale * float(self.fitted.spread[step - 1])
        points = {quantile_key(p): self.unlogged(mean + float(ndtri(p)) * stretched) for p in probabilities}
        return NowcastPeriod(self.fitted.label(period), self.tense(period), self.unlogged(mean), points)

    def tense(self, period: int) -> Tense:
        running = self.fitted.period_of(self.month)
        return Tense.BACK if period < running else Tense.NOW if period == running else Tense.NEXT

    def unlogged(self, level: float) -> float:
        return float(np.exp(level)) if self.fitted.in_logs else level

    def stopped(self) -> list[str]:
        """Notes on indicators that have had no value for long."""
        quiet = self.month - self.table.last() >= STOPPED
        return [
            f"{name} has had no value since {Frequency.MONTHLY.label(int(last))[:7]}: it tells nothing of today."
            for name, silent, last in zip(self.table.ids, quiet, self.table.last(), strict=True)
            if silent and name != self.fitted.target
        ]

    def _restored(self, row: int) -> float:
        column = self.fitted.column
        month = self.table.start + row
        return float(self.fitted.scaling.restore(column, month, float(self.smoothed.mean[row, column])))
