"""How wrong a version's forecasts of a series were at the backtest's origins, and which series behave alike."""

from __future__ import annotations

import numpy as np

from features.present import mean_of_present
from features.seasonality import MULTIPLICATIVE, NO_SEASON, seasonal_shapes
from industrial_brain.domain.explanations import SimilarSeries, StepErrors
from industrial_brain.domain.panel import Floats
from models.forecasting.fitted_panel import BacktestRecord, FittedPanel
from models.forecasting.state import Rows

#: similar series that are shown
SHOWN = 5


def own_errors(record: BacktestRecord, rows: Rows) -> Floats:
    """Actual less forecast, each origin forecast with the weights that older origins had given.

    Float64 (rows, origins, horizon), before reconciliation. NaN where an origin was not used, or no actual came.
    """
    error = record.error[rows].astype(np.float64)
    used = np.nan_to_num(record.weights[rows, : error.shape[1]])[:, :, :, None]
    total = (used * np.where(used == 0.0, 0.0, error)).sum(axis=2)
    return np.where((used > 0.0).any(axis=2), total, np.nan)


def step_errors(fitted: FittedPanel, row: int, only: int | None = None) -> tuple[StepErrors, ...]:
    """One entry for each horizon that the backtest has an error of; for the one nearest to `only` alone, with it."""
    record, freq = fitted.backtest, fitted.panel.freq
    errors = own_errors(record, np.array([row]))[0]
    steps = np.flatnonzero(np.isfinite(errors).any(axis=0))
    if only is not None and len(steps):
        steps = steps[[np.argmin(np.abs(steps + 1 - only))]]
    found = []
    for h in steps.tolist():
        known = np.isfinite(errors[:, h])
        error, period = errors[known, h], record.origins[row, known] + 1 + h
        relative = error / np.abs(_actuals(fitted, row, period))
        shares = relative if np.isfinite(relative).all() else None
        worst = int(np.argmax(np.abs(error)))
        found.append(
            StepErrors(
                horizon=h + 1,
                count=len(error),
                typical=float(np.median(np.abs(error))),
                bias=float(error.mean()),
                worst=float(error[worst]),
                worst_period=freq.label(int(period[worst])),
                relative_typical=None if shares is None else float(np.median(np.abs(shares))),
                relative_bias=None if shares is None else float(shares.mean()),
                relative_worst=None if shares is None else float(shares[worst]),
            )
        )
    return tuple(found)


def similar_series(fitted: FittedPanel, row: int, candidates: Rows, horizon: int) -> tuple[SimilarSeries, ...]:
    """The `SHOWN` candidates that behave most like a row, nearest first, with how wrong their forecasts were.

    Nearness is the Euclidean distance between four facts, each in units of its own spread over the candidates: how much
    the series varies relative to its size, how far it strayed from the seasonal naive in the backtest, how strong its season
    is, and how long it is. Only candidates with a backtest are compared.
    """
    rows = np.concatenate([[row], candidates[candidates != row]]).astype(np.int64)
    facts = _facts(fitted, rows)
    errors = own_errors(fitted.backtest, rows)
    mase = mean_of_present(mean_of_present(np.abs(errors)) / fitted.backtest.mase_scale[rows])
    usable = np.isfinite(facts).all(axis=1) & np.isfinite(mase)
    if not usable[0] or usable.sum() < 2:
        return ()
    kept = np.flatnonzero(usable)
    spread = facts[kept].std(axis=0)
    distance = np.sqrt((((facts[kept] - facts[0]) / np.where(spread > 0.0, spread, 1.0)) ** 2).sum(axis=1))
    nearest = kept[1:][np.argsort(distance[1:], kind="stable")[:SHOWN]]
    by_row = dict(zip(kept.tolist(), distance.tolist(), strict=True))
    found = []
    for place in nearest:
        (step,) = step_errors(fitted, int(rows[place]), only=horizon)
        found.append(
            SimilarSeries(
                series=fitted.panel.ids[rows[place]],
                distance=by_row[int(place)],
                mase=float(mase[place]),
                horizon=step.horizon,
                relative_typical=step.relative_typical,
                relative_worst=step.relative_worst,
            )
        )
    return tuple(found)


def _actuals(fitted: FittedPanel, row: int, period: Rows) -> Floats:
    """Values of a row at these periods; NaN for a zero, which nothing is relative to."""
    actual: Floats = fitted.panel.values[fitted.panel.indptr[row] + period - fitted.panel.start[row]]
    return np.where(actual == 0.0, np.nan, actual)


@np.errstate(
    all="ignore"
)  # constants, zeros and values near the largest have facts that are not finite, and are left out
def _facts(fitted: FittedPanel, rows: Rows) -> Floats:
    """What series are compared by: float64 (rows, 4)."""
    panel, record = fitted.panel.take(rows), fitted.backtest
    total = np.add.reduceat(np.append(np.nan_to_num(np.abs(panel.values)), 0.0), panel.indptr[:-1])
    size = np.where(panel.lengths > 0, total, np.nan) / np.maximum(panel.lengths, 1)
    scale = record.mase_scale[rows][:, -1]
    kinds, factors = seasonal_shapes(panel)
    amplitude = factors.std(axis=1) / np.where(kinds == MULTIPLICATIVE, 1.0, size)
    strayed = mean_of_present(mean_of_present(np.abs(own_errors(record, rows))) / record.mase_scale[rows])
    return np.stack(
        [np.log(scale / size), np.log(strayed), np.where(kinds == NO_SEASON, 0.0, amplitude), np.log(panel.lengths)],
        axis=1,
    )
