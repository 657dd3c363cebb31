"""Dynamic regression: calendar, season and covariates by least squares, and errors that follow the series.

The linear gas-demand models of the load-forecasting literature (Taylor and Buizza 2003; Hong 2010) in batch: degree days whose
thresholds the data choose, thermal inertia, kinds of day, a moving festival, harmonics of the year, a trend; with
autoregressive errors for days (Pankratz 1991), and with a damped level and trend for longer periods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from features.expectations import Bases
from features.powers import powered, unpowered
from features.regressors import FORGET, WEEKDAYS, covariate_columns, remembered
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from models.forecasting.damped_trend import DampedTrend
from models.forecasting.evidence import PER_YEAR, Evidence, mean_by_row, years_since
from models.forecasting.gls import PENALTIES, explained, fit_gls
from models.forecasting.state import Array, ArrayState, no_rows

#: lags of the errors' autoregression
_LAGS: Mapping[Frequency, tuple[int, ...]] = {Frequency.DAILY: (1, 2, 3, 7, 14)}
_SHORT_LAGS = (1, 2)

#: years after which evidence counts half
_HALF_LIFE = {Frequency.DAILY: 2.0, Frequency.WEEKLY: 5.0}
_LONG_HALF_LIFE = 10.0

#: powers of Box and Cox (1964) that a series is tried in: 0 stands for the logarithm
_POWERS = (1.0, 0.5, 0.0)

#: periods of its own that a series needs, in years and in days or weeks
_YEARS, _DAYS = 3, 70

_INNER = "level."


@dataclass(frozen=True, slots=True)
class DynamicRegression(ArrayState):
    """A regression on what is known of periods and of covariates, with errors that follow the series.

    Days, weeks, months and quarters of panels with a calendar; other panels, and series of fewer than three years of months and
    quarters or of 70 days or weeks, are not answered (NaN). Effects of the year need two years. Of the powers 1, 1/2 and 0,
    each series takes the one with the smallest one-step errors in its own unit.

    A covariate is expected as `features.expectations` says, unless `forecast` is given its `future`. Periods in which a
    covariate or the series itself was not measured are not learnt from. Not for series whose response to a covariate changes
    with another covariate.

    Attributes:
        beta: float64 (n, columns): intercept, trend, season and calendar, covariates.
        phi: float64 (n, lags), the errors' autoregression; used for days.
        power, unit: float64 (n,), of Box and Cox, and the divisor before it.
        sigma: float64 (n,), standard deviation of the one-step error, after the power.
        newest: float64 (n, longest lag), the last errors, oldest first.
        path: float64 (n, periods), season and calendar behind the last period (for days with intercept and trend).
        holidays: float64 (n, periods), what of `path` is the calendar's: holidays, festivals, working days.
        expected: float64 (n, periods, k), covariates behind the last period; `known`, int64 (n, k), how many of them are known;
            `basis`, int8 (n, k), what the others rest on.
        memory: float64 (n, 3 or 0, k), what is remembered of the covariates at the last period.
        knots: float64 (n, k, knots); `centre`, `spread`: float64 (n, k), by which covariates are standardised.
        year: float64 (n, periods, 3), day off, and sine and cosine of the year, behind the last period; only with covariates.
        level: the forecaster of the errors of longer periods.
    """

    name: ClassVar[str] = "regression"

    beta: Floats = field(default_factory=no_rows)
    phi: Floats = field(default_factory=no_rows)
    power: Floats = field(default_factory=no_rows)
    unit: Floats = field(default_factory=no_rows)
    sigma: Floats = field(default_factory=no_rows)
    newest: Floats = field(default_factory=no_rows)
    path: Floats = field(default_factory=no_rows)
    holidays: Floats = field(default_factory=no_rows)
    expected: Floats = field(default_factory=no_rows)
    known: Ordinals = field(default_factory=lambda: np.empty(0, np.int64))
    basis: Bases = field(default_factory=lambda: np.empty(0, np.int8))
    memory: Floats = field(default_factory=no_rows)
    knots: Floats = field(default_factory=no_rows)
    centre: Floats = field(default_factory=no_rows)
    spread: Floats = field(default_factory=no_rows)
    year: Floats = field(default_factory=no_rows)
    level: DampedTrend = field(default_factory=DampedTrend)

    def arrays(self) -> dict[str, Array]:
        own: dict[str, Array] = {name: getattr(self, name) for name in _OWN}
        return own | {_INNER + name: array for name, array in self.level.arrays().items()}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        inner = {name.removeprefix(_INNER): array for name, array in arrays.items() if name.startswith(_INNER)}
        return replace(self, level=self.level.with_arrays(inner), **{name: arrays[name] for name in _OWN})

    def fit(self, panel: Panel, covariates: Covariates | None = None, seed: int = 0) -> Self:
        n = len(panel)
        if panel.calendar is None or panel.freq not in PER_YEAR:
            return self._unanswered(panel)
        evidence = Evidence.of(panel)
        usable = _usable(panel, evidence)
        lags = np.array(_LAGS.get(panel.freq, _SHORT_LAGS), dtype=np.int64)
        half_life = _HALF_LIFE.get(panel.freq, _LONG_HALF_LIFE) * PER_YEAR[panel.freq]
        unit = _units(evidence.values, panel)
        owner = np.repeat(np.arange(n), panel.lengths)
        scaled = evidence.values / unit[owner]
        best = np.full(n, np.inf)
        beta, phi = np.full((n, evidence.design.shape[1]), np.nan), np.full((n, len(lags)), np.nan)
        power, sigma = np.ones(n), np.full(n, np.nan)
        lowest = _lowest(scaled, panel)
        for candidate in _POWERS:
            tried = usable * ((lowest > 0.0) | (candidate == 1.0))[:, None]
            z = powered(scaled, np.full(len(scaled), candidate))
            b, a, error = fit_gls(
                evidence.design, z, evidence.weights, panel.indptr, tried, lags, half_life, np.array(PENALTIES)
            )
            # what an error after the power is worth in the series' own unit
            own = np.abs(scaled - unpowered(z - error, np.full(len(z), candidate)))
            cost, spread = mean_by_row(own, evidence.weights, panel), mean_by_row(error**2, evidence.weights, panel)
            better = np.flatnonzero(np.isfinite(cost) & (cost < best))
            best[better], beta[better], phi[better] = cost[better], b[better], a[better]
            power[better], sigma[better] = candidate, np.sqrt(spread[better])
        state = replace(
            self,
            beta=beta,
            phi=phi,
            power=power,
            unit=unit,
            sigma=sigma,
            knots=evidence.knots,
            centre=evidence.centre,
            spread=evidence.spread,
        )
        return state._moved_to(panel, evidence, refit=True)

    def update(self, panel: Panel) -> Self:
        if self.beta.shape[1] == 0:
            return self
        evidence = Evidence.of(panel, self.knots, self.centre, self.spread)
        return self._moved_to(panel, evidence, refit=False)

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        """`future`: covariate to float64 (n, horizon), NaN where it stays as expected; by position, `"0"`, `"1"`, ..."""
        n = len(self.beta)
        if self.beta.shape[1] == 0:
            return Distribution(np.full((n, horizon), np.nan), np.full((n, horizon), np.nan))
        z = _carried(self.path, horizon) + self._covariate_effect(horizon, future)
        if self.newest.shape[1]:
            errors, growth = self._autoregressive(horizon)
            z, scale = z + errors, self.sigma[:, None] * growth
        else:
            level = self.level.forecast(horizon)
            z, scale = z + level.mean, level.scale
        power = np.broadcast_to(self.power[:, None], z.shape)
        mean = unpowered(z, power)
        slope = np.where(power == 0.0, mean, np.where(power == 0.5, np.sqrt(np.maximum(mean, 0.0)), 1.0))
        # a level that has run to zero has no slope left there; a tenth of the usual one remains
        slope = np.maximum(slope, np.where(power == 1.0, 1.0, 0.1))
        return Distribution(mean=mean * self.unit[:, None], scale=scale * slope * self.unit[:, None])

    def decompose(self, horizon: int) -> dict[str, Floats]:
        """`calendar`, what holidays, festivals and working days add, and `covariates`, all that those add, in the series' own
        unit: the forecast less what it would be without. The rest of the path is left to be split."""
        if self.beta.shape[1] == 0:
            return {}
        mean = self.forecast(horizon).mean
        parts = {"calendar": mean - replace(self, path=self.path - self.holidays).forecast(horizon).mean}
        if self.expected.shape[2]:
            parts["covariates"] = mean - replace(self, basis=np.zeros_like(self.basis)).forecast(horizon).mean
        return parts

    def expectation(self, rows: Ordinals, horizon: int) -> Floats:
        """Covariates as they are expected for these rows: float64 (rows, horizon, k)."""
        return np.stack([_carried(self.expected[rows, :, j], horizon) for j in range(self.expected.shape[2])], axis=2)

    def _unanswered(self, panel: Panel) -> Self:
        n = len(panel)
        empty: dict[str, Array] = {name: np.empty((n, *(0 for _ in range(_DIMENSIONS.get(name, 1))))) for name in _OWN}
        empty |= {name: np.full(n, np.nan) for name in ("power", "unit", "sigma")}
        whole: dict[str, Array] = {"known": np.empty((n, 0), np.int64), "basis": np.empty((n, 0), np.int8)}
        level = {_INNER + name: array for name, array in _no_level(n).items()}
        return self.with_arrays({**empty, **whole, **level})

    def _moved_to(self, panel: Panel, evidence: Evidence, *, refit: bool) -> Self:
        """The state after this panel's last period, coefficients as they are."""
        n = len(panel)
        owner = np.repeat(np.arange(n), panel.lengths)
        z = powered(evidence.values / self.unit[owner], self.power[owner])
        terms = evidence.design * np.nan_to_num(self.beta)[owner]
        answered = np.isfinite(self.beta[:, 0])
        daily = panel.freq is Frequency.DAILY
        left = z - terms[:, 0 if daily else 2 :].sum(axis=1)
        left = np.where(answered[owner], left, np.nan)
        seasonal = np.ascontiguousarray(np.nan_to_num(self.beta[:, 2 : 2 + evidence.future.shape[1]]))
        behind = panel.last + 1 - evidence.first
        path = explained(evidence.future, seasonal, behind, evidence.periods)
        column = np.arange(seasonal.shape[1])
        of_calendar = (column >= evidence.waves) & (column < len(column) - (WEEKDAYS if daily else 0))
        holidays = explained(evidence.future, np.where(of_calendar, seasonal, 0.0), behind, evidence.periods)
        level = _no_level(n)
        newest = np.empty((n, 0))
        if daily:
            ahead = panel.last[:, None] + 1 + np.arange(evidence.periods)[None, :]
            trend = years_since(panel.freq, ahead)
            path = path + self.beta[:, 0, None] + self.beta[:, 1, None] * trend
            reach = max(_LAGS[panel.freq])
            newest = np.full((n, reach), np.nan)
            for i in np.flatnonzero(answered):
                newest[i] = left[panel.indptr[i + 1] - reach : panel.indptr[i + 1]]
        else:
            remainder = replace(panel, values=left)
            level = (self.level.fit(remainder) if refit else self.level.update(remainder)).arrays()
        path = np.where(answered[:, None], path, np.nan)
        return replace(
            self,
            newest=newest,
            path=path,
            holidays=holidays,
            expected=evidence.expected,
            known=evidence.known,
            basis=evidence.basis,
            memory=evidence.memory,
            year=evidence.year,
            level=self.level.with_arrays(level),
        )

    def _autoregressive(self, horizon: int) -> tuple[Floats, Floats]:
        """Errors ahead (n, horizon), and how much larger their standard deviation is than one step ahead."""
        n, reach = self.newest.shape
        lags = _LAGS[Frequency.DAILY]
        errors = np.concatenate([self.newest, np.empty((n, horizon))], axis=1)
        shock = np.zeros((n, reach + horizon))
        shock[:, reach] = 1.0
        for t in range(reach, reach + horizon):
            errors[:, t] = sum(self.phi[:, k] * errors[:, t - lag] for k, lag in enumerate(lags))
            if t > reach:
                shock[:, t] = sum(self.phi[:, k] * shock[:, t - lag] for k, lag in enumerate(lags))
        return errors[:, reach:], np.sqrt(np.cumsum(shock[:, reach:] ** 2, axis=1))

    def _covariate_effect(self, horizon: int, future: Covariates | None) -> Floats:
        n, k = len(self.beta), self.expected.shape[2]
        total = np.zeros((n, horizon))
        if k == 0:
            return total
        offset = self.beta.shape[1]
        year = np.stack([_carried(self.year[:, :, c], horizon) for c in range(self.year.shape[2])], axis=2)
        for j in reversed(range(k)):
            x = _carried(self.expected[:, :, j], horizon)
            given = (future or {}).get(str(j))
            if given is not None:
                x = np.where(np.isfinite(given), given, x)
            x = (x - self.centre[:, j, None]) / self.spread[:, j, None]
            indptr = np.arange(n + 1, dtype=np.int64) * horizon
            memory = np.empty((n * horizon, 0))
            if self.memory.shape[1]:
                memory = remembered(x.ravel(), indptr, np.ascontiguousarray(self.memory[:, :, j]), np.array(FORGET))
            knots = np.repeat(self.knots[:, j], horizon, axis=0)
            flat = year.reshape(n * horizon, -1)
            columns = covariate_columns(x.ravel(), memory, knots, flat[:, 0], flat[:, 1:])
            offset -= columns.shape[1]
            coefficients = np.repeat(self.beta[:, offset : offset + columns.shape[1]], horizon, axis=0)
            effect = (columns * coefficients).sum(axis=1).reshape(n, horizon)
            total += np.where((self.basis[:, j] > 0)[:, None], effect, 0.0)
        return total


_OWN = (
    "beta", "phi", "power", "unit", "sigma", "newest", "path", "holidays", "expected", "known", "basis", "memory", "knots",
    "centre", "spread", "year",
)  # fmt: skip
_DIMENSIONS = {"expected": 2, "memory": 2, "knots": 2, "year": 2}


def _usable(panel: Panel, evidence: Evidence) -> Floats:
    """Which columns each series is long enough for: float64 (n, columns), 0 or 1; all 0 for series that are too short."""
    usable = np.ones((len(panel), evidence.design.shape[1]))
    years = panel.lengths / PER_YEAR[panel.freq]
    usable[years < 2.0, 2 : 2 + evidence.waves] = 0.0
    daily_or_weekly = panel.freq in (Frequency.DAILY, Frequency.WEEKLY)
    enough = panel.lengths >= _DAYS if daily_or_weekly else years >= _YEARS
    usable[~enough] = 0.0
    return usable


def _units(values: Floats, panel: Panel) -> Floats:
    """Mean absolute value of each series, 1 where that is none: float64 (n,)."""
    size = mean_by_row(np.abs(values), np.isfinite(values).astype(np.float64), panel)
    return np.where(np.isfinite(size) & (size > 0.0), size, 1.0)


def _lowest(values: Floats, panel: Panel) -> Floats:
    lowest = np.full(len(panel), np.nan)
    for i in np.flatnonzero(panel.lengths > 0):
        lowest[i] = values[panel.indptr[i] : panel.indptr[i + 1]].min()
    return lowest


def _carried(path: Floats, horizon: int) -> Floats:
    """The first `horizon` columns; beyond the last column, the last one stays."""
    return path[:, np.minimum(np.arange(horizon), path.shape[1] - 1)]


def _no_level(n: int) -> dict[str, Array]:
    return {
        "parameters": np.full((n, 3), np.nan),
        "initial": np.full((n, 2), np.nan),
        "state": np.full((n, 2), np.nan),
        "sigma": np.full(n, np.nan),
    }
