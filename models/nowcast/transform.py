"""From levels to stationary columns of mean 0 and variance 1, and back.

Season: growth (or differences) of each calendar month lose their mean, where months differ significantly. Before it, monthly
columns lose what the Spring Festival does to them, which moves between January and February: by regression on the three windows
of `features.spring_festival`, as X-13ARIMA-SEATS does, where these tell significantly more than the calendar months.
Deterministic columns keep the adjustment linear and one-sided: no later value moves an earlier one, so it makes no news.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from features.spring_festival import WINDOWS, festival_shares
from industrial_brain.domain.nowcasts import Transformation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals
from models.nowcast.table import MonthTable

#: units of shares and rates: their changes are compared as differences, not as growth
_SHARES = ("%", "1")

#: transformed values that a column needs to be of use
FEWEST_MONTHS, FEWEST_QUARTERS = 24, 8

#: interquartile ranges from the median beyond which an indicator's value is taken for an error: FRED-MD's rule
_ABSURD = 10.0

#: years of values, and significance, that a season needs
_SEASON_YEARS, _SEASON_LEVEL = 3, 0.01

#: how often a transformation takes differences
_DIFFERENCED = {
    Transformation.LEVEL: 0,
    Transformation.DIFFERENCE: 1,
    Transformation.SECOND_DIFFERENCE: 2,
    Transformation.LOG: 0,
    Transformation.GROWTH: 1,
    Transformation.GROWTH_CHANGE: 2,
    Transformation.RATE_CHANGE: 2,
}

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
        festivals: int64, first days of the lunar years, since 1970-01-01; none where the country does not keep them.
        moving: float64 (n, windows): what a whole window of the festival adds to the series before it is differenced; zeros
            where there is no effect.
        seasonal: float64 (n, 12): mean of each calendar month; zeros where there is no season.
        mean, deviation: float64 (n,), of what is left. A deviation of 0: the column holds too little, or a constant.
        low, high: float64 (n,), values outside of which are errors, before standardising and after the season.
    """

    codes: npt.NDArray[np.int64]
    festivals: Ordinals
    moving: Floats
    seasonal: Floats
    mean: Floats
    deviation: Floats
    low: Floats
    high: Floats

    def standardise(self, table: MonthTable) -> Floats:
        """Standardised columns (t, n); errors are NaN."""
        season = self.seasonal[:, np.arange(table.start, table.end) % 12].T
        months = np.arange(table.start, table.end)
        left = transformed(table, self.codes) - season
        left -= np.column_stack([self._moved(column, months) for column in range(len(self.codes))])
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where((left >= self.low) & (left <= self.high), left, np.nan)
            return np.where(self.deviation > 0.0, (left - self.mean) / self.deviation, np.nan)

    def restore(self, column: int, month: Ordinals | int, standardised: Floats | float) -> Floats:
        """Standardised values as the transformation left them, with their season: growth, a difference, ..."""
        months = np.asarray(month)
        season = self.seasonal[column, months % 12] + self._moved(column, np.atleast_1d(months)).reshape(months.shape)
        return np.asarray(standardised * self.deviation[column] + self.mean[column] + season, dtype=np.float64)

    def _moved(self, column: int, months: Ordinals) -> Floats:
        """What the festival adds to a transformed column in these months."""
        if not self.moving[column].any():
            return np.zeros(len(months))
        columns = festival_columns(self.festivals, Transformation(int(self.codes[column])), months)
        return np.asarray(columns @ self.moving[column])


def festival_columns(festivals: Ordinals, code: Transformation, months: Ordinals) -> Floats:
    """The festival's windows after a monthly series' transformation, float64 (len(months), windows)."""
    order = _DIFFERENCED[code]
    shares = festival_shares(festivals, Frequency.MONTHLY, months)
    if order >= 1:
        shares = shares - festival_shares(festivals, Frequency.MONTHLY, months - 1)
    if order == 2:
        before = [festival_shares(festivals, Frequency.MONTHLY, months - back) for back in (1, 2)]
        shares = shares - (before[0] - before[1])
    return shares


def fit_scaling(
    table: MonthTable, codes: npt.NDArray[np.int64], exempt: int, festivals: Ordinals | None = None
) -> Scaling:
    """Estimate on this table. The values of column `exempt`, the target, are never taken for errors.

    Args:
        festivals: first days of the lunar years where they are kept.
    """
    festivals = np.empty(0, dtype=np.int64) if festivals is None else festivals
    left = transformed(table, codes)
    months = np.arange(table.start, table.end) % 12
    n = left.shape[1]
    moving, seasonal, mean, deviation = np.zeros((n, len(WINDOWS))), np.zeros((n, 12)), np.zeros(n), np.zeros(n)
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
        if not quarterly and len(festivals):  # a quarter has the whole festival, every year
            columns = festival_columns(festivals, Transformation(int(codes[column])), np.arange(table.start, table.end))
            moving[column] = _festival_effect(kept, months, columns)
            kept = kept - columns @ moving[column]
        if _is_seasonal(kept, months, quarterly):
            seasonal[column] = _by_month(kept, months, np.mean)
        rest = kept - seasonal[column, months]
        mean[column] = np.nanmean(rest)
        spread = float(np.nanstd(rest))
        deviation[column] = spread if spread > 1e-10 * max(abs(mean[column]), 1e-3) else 0.0
        low[column], high[column] = bounds
    return Scaling(codes, festivals, moving, seasonal, mean, deviation, low, high)


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


def _festival_effect(y: Floats, months: Ordinals, columns: Floats) -> Floats:
    """Least squares beside the calendar months; zeros where an F test at 1% does not see that the festival moves anything."""
    seen = np.isfinite(y)
    nothing = np.zeros(columns.shape[1])
    calendar = (months[seen, None] == np.arange(12)[None, :]).astype(np.float64)
    both = np.column_stack([calendar, columns[seen]])
    rank, rank_without = np.linalg.matrix_rank(both), np.linalg.matrix_rank(calendar)
    free = int(seen.sum()) - int(rank)
    if seen.sum() < _SEASON_YEARS * 12 or rank == rank_without or free <= 0:
        return nothing
    effect = np.linalg.lstsq(both, y[seen], rcond=None)[0]
    left = y[seen] - both @ effect
    left_without = y[seen] - calendar @ np.linalg.lstsq(calendar, y[seen], rcond=None)[0]
    within = float(left @ left) / free
    between = float(left_without @ left_without - left @ left) / (int(rank) - int(rank_without))
    if within <= 0.0:
        significant = between > 0.0
    else:
        significant = float(f_distribution.sf(between / within, rank - rank_without, free)) < _SEASON_LEVEL
    return np.asarray(effect[12:]) if significant else nothing


def _bounds(y: Floats) -> tuple[float, float]:
    seen = y[np.isfinite(y)]
    lower, middle, upper = np.percentile(seen, [25, 50, 75])
    reach = _ABSURD * (upper - lower)
    return (middle - reach, middle + reach) if reach > 0.0 else (-np.inf, np.inf)
