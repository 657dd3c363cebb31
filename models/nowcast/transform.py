"""From levels to stationary columns of mean 0 and variance 1, and back.

Season: growth (or differences) of each calendar month lose their mean, where months differ significantly. Deterministic
dummies keep the adjustment linear and one-sided: no later value moves an earlier one, so it makes no news of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from industrial_brain.domain.nowcasts import Transformation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals
from models.nowcast.table import MonthTable

#: units of shares and rates: their changes are compared as differences, not as growth
_SHARES = ("%", "1")

#: transformed values that a column needs to be of use
FEWEST_MONTHS, FEWEST_QUARTERS = 24, 8

#: interquartile ranges from the median beyond which an indicator's value is taken for an error: FRED-MD's rule
_ABSURD = 10.0

#: years of values, and significance, that a season needs
_SEASON_YEARS, _SEASON_LEVEL = 3, 0.01

#: what `News.measure` calls a transformed value
MEASURES = {
    Transformation.LEVEL: "level",
    Transformation.DIFFERENCE: "difference",
    Transformation.SECOND_DIFFERENCE: "second difference",
    Transformation.LOG: "log",
    Transformation.GROWTH: "growth",
    Transformation.GROWTH_CHANGE: "change of growth",
    Transformation.RATE_CHANGE: "change of rate",
}

LOGS = (Transformation.LOG, Transformation.GROWTH, Transformation.GROWTH_CHANGE)

#: what a target may be transformed by; a quarter's mean is a moving average of months for growth and differences only
#: (Mariano and Murasawa 2003)
OF_QUARTERLY = (Transformation.DIFFERENCE, Transformation.GROWTH)
OF_MONTHLY_TARGET = (Transformation.LEVEL, Transformation.DIFFERENCE, Transformation.LOG, Transformation.GROWTH)


def default_transformation(values: Floats, unit: str) -> Transformation:
    """Growth of logs for what is positive throughout and no share; first differences for everything else."""
    seen = values[np.isfinite(values)]
    positive = len(seen) > 0 and bool((seen > 0.0).all())
    return Transformation.GROWTH if positive and unit not in _SHARES else Transformation.DIFFERENCE


def transformed(table: MonthTable, codes: npt.NDArray[np.int64]) -> Floats:
    """Columns after their transformations, float64 (t, n); NaN where a value or one that it needs is missing.

    Logs of what is not positive are missing too. A quarterly column's step is a quarter.
    """
    out = np.empty_like(table.values)
    for column, code in enumerate(codes.tolist()):
        out[:, column] = _one(table.values[:, column], Transformation(code), 3 if table.quarterly[column] else 1)
    return out


@dataclass(frozen=True, slots=True)
class Scaling:
    """What standardising takes away, estimated on a training window; rows are series.

    Attributes:
        codes: int64 (n,), see `Transformation`.
        seasonal: float64 (n, 12): mean of each calendar month; zeros where there is no season.
        mean, deviation: float64 (n,), of what is left. A deviation of 0: the column holds too little, or a constant.
        low, high: float64 (n,), values outside of which are errors, before standardising and after the season.
    """

    codes: npt.NDArray[np.int64]
    seasonal: Floats
    mean: Floats
    deviation: Floats
    low: Floats
    high: Floats

    def standardise(self, table: MonthTable) -> Floats:
        """Standardised columns (t, n); errors are NaN."""
        season = self.seasonal[:, np.arange(table.start, table.end) % 12].T
        left = transformed(table, self.codes) - season
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where((left >= self.low) & (left <= self.high), left, np.nan)
            return np.where(self.deviation > 0.0, (left - self.mean) / self.deviation, np.nan)

    def restore(self, column: int, month: Ordinals | int, standardised: Floats | float) -> Floats:
        """Standardised values as the transformation left them, with their season: growth, a difference, ..."""
        season = self.seasonal[column, np.asarray(month) % 12]
        return np.asarray(standardised * self.deviation[column] + self.mean[column] + season, dtype=np.float64)


def fit_scaling(table: MonthTable, codes: npt.NDArray[np.int64], exempt: int) -> Scaling:
    """Estimate on this table. The values of column `exempt`, the target, are never taken for errors."""
    left = transformed(table, codes)
    months = np.arange(table.start, table.end) % 12
    n = left.shape[1]
    seasonal, mean, deviation = np.zeros((n, 12)), np.zeros(n), np.zeros(n)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    for column in range(n):
        quarterly = bool(table.quarterly[column])
        y = left[:, column]
        if np.isfinite(y).sum() < (FEWEST_QUARTERS if quarterly else FEWEST_MONTHS):
            continue
        # medians first: an error must not make the season that it is judged by
        rough = _by_month(y, months, np.median) if _is_seasonal(y, months, quarterly) else np.zeros(12)
        bounds = _bounds(y - rough[months]) if column != exempt else (-np.inf, np.inf)
        kept = np.where((y - rough[months] >= bounds[0]) & (y - rough[months] <= bounds[1]), y, np.nan)
        if _is_seasonal(kept, months, quarterly):
            seasonal[column] = _by_month(kept, months, np.mean)
        rest = kept - seasonal[column, months]
        mean[column] = np.nanmean(rest)
        spread = float(np.nanstd(rest))
        deviation[column] = spread if spread > 1e-10 * max(abs(mean[column]), 1e-3) else 0.0
        low[column], high[column] = bounds
    return Scaling(codes, seasonal, mean, deviation, low, high)


def _one(x: Floats, code: Transformation, step: int) -> Floats:
    if code in LOGS:
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(x > 0.0, np.log(x), np.nan)
    match code:
        case Transformation.LEVEL | Transformation.LOG:
            return x
        case Transformation.DIFFERENCE | Transformation.GROWTH:
            return _difference(x, step)
        case Transformation.SECOND_DIFFERENCE | Transformation.GROWTH_CHANGE:
            return _difference(_difference(x, step), step)
        case Transformation.RATE_CHANGE:
            before = np.concatenate([np.full(step, np.nan), x[:-step]]) if len(x) > step else np.full(len(x), np.nan)
            with np.errstate(divide="ignore", invalid="ignore"):
                rate = np.where(before != 0.0, x / before - 1.0, np.nan)
            return _difference(rate, step)


def _difference(x: Floats, step: int) -> Floats:
    out = np.full(len(x), np.nan)
    out[step:] = x[step:] - x[:-step]
    return out


def _by_month(y: Floats, months: Ordinals, centre: object) -> Floats:
    """The centre of each calendar month, less their mean over all values: the season alone."""
    found = np.zeros(12)
    for month in range(12):
        here = y[(months == month) & np.isfinite(y)]
        found[month] = centre(here) if len(here) else 0.0  # type: ignore[operator]  # np.mean or np.median
    weights = np.bincount(months[np.isfinite(y)], minlength=12)
    return found - np.average(found, weights=weights)


def _is_seasonal(y: Floats, months: Ordinals, quarterly: bool) -> bool:
    """One-way analysis of variance by calendar month: an F test at 1%."""
    seen = np.isfinite(y)
    values, where = y[seen], months[seen]
    groups = 4 if quarterly else 12
    if len(values) < _SEASON_YEARS * groups or len(np.unique(where)) < groups:
        return False
    counts = np.bincount(where, minlength=12)
    means = np.bincount(where, weights=values, minlength=12) / np.maximum(counts, 1)
    between = float((counts * (means - values.mean()) ** 2).sum()) / (groups - 1)
    within = float(((values - means[where]) ** 2).sum()) / (len(values) - groups)
    if within <= 0.0:
        return between > 0.0
    return float(f_distribution.sf(between / within, groups - 1, len(values) - groups)) < _SEASON_LEVEL


def _bounds(y: Floats) -> tuple[float, float]:
    seen = y[np.isfinite(y)]
    lower, middle, upper = np.percentile(seen, [25, 50, 75])
    reach = _ABSURD * (upper - lower)
    return (middle - reach, middle + reach) if reach > 0.0 else (-np.inf, np.inf)
