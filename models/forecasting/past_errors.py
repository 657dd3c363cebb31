"""How wrong a version's forecasts of a series were at the backtest's origins, and which series behave alike."""

from __future__ import annotations

from functools import partial

import numpy as np

from features.present import mean_of_present, median_of_present
from features.seasonality import MULTIPLICATIVE, NO_SEASON, seasonal_shapes
from industrial_brain.domain.explanations import SimilarSeries, StepErrors
from industrial_brain.domain.panel import Floats
from models.forecasting.fitted_panel import BacktestRecord, FittedPanel
from models.forecasting.state import Rows

#: similar series that are shown
SHOWN = 5

#: neighbours whose facts are worked out together
_BLOCK = 512


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
    error = errors.T[steps]  # (steps, origins)
    period = record.origins[row][None, :] + 1 + steps[:, None]
    known = np.isfinite(error)
    relative = np.full(error.shape, np.nan)
    relative[known] = error[known] / np.abs(_actuals(fitted, row, period[known]))
    comparable = (np.isfinite(relative) == known).all(axis=1)
    worst = np.argmax(np.where(known, np.abs(error), -1.0), axis=1)[:, None]

    def told(errors: Floats) -> list[tuple[float, float, float]]:
        """Typical size, bias and the worst one, of each step."""
        size, bias = median_of_present(np.abs(errors)), mean_of_present(errors)
        return list(
            zip(*(one.tolist() for one in (size, bias, np.take_along_axis(errors, worst, 1)[:, 0])), strict=True)
        )

    return tuple(
        StepErrors(
            horizon=h + 1,
            count=count,
            typical=own[0],
            bias=own[1],
            worst=own[2],
            worst_period=freq.label(when),
            relative_typical=shares[0] if shared else None,
            relative_bias=shares[1] if shared else None,
            relative_worst=shares[2] if shared else None,
        )
        for h, count, own, when, shared, shares in zip(
            steps.tolist(),
            known.sum(axis=1).tolist(),
            told(error),
            np.take_along_axis(period, worst, 1)[:, 0].tolist(),
            comparable.tolist(),
            told(relative),
            strict=True,
        )
    )


def similar_series(fitted: FittedPanel, row: int, candidates: Rows, horizon: int) -> tuple[SimilarSeries, ...]:
    """The `SHOWN` candidates that behave most like a row, nearest first, with how wrong their forecasts were.

    Nearness is the Euclidean distance between four facts, each in units of its own spread over the candidates: how much
    the series varies relative to its size, how far it strayed from the seasonal naive in the backtest, how strong its season
    is, and how long it is. Only candidates with a backtest are compared.
    """
    rows = np.concatenate([[row], candidates[candidates != row]]).astype(np.int64)
    table = _kept_facts(fitted, rows)
    facts, mase = table[:, :-1], table[:, -1]
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


def _kept_facts(fitted: FittedPanel, rows: Rows) -> Floats:
    """Facts of these rows; worked out for a block of neighbours at a time, once."""
    found = np.empty((len(rows), 5))
    blocks = rows // _BLOCK
    for block in np.unique(blocks).tolist():
        first = block * _BLOCK
        neighbours = np.arange(first, min(first + _BLOCK, len(fitted.panel)))
        facts = fitted.once(("facts", block), partial(_facts, fitted, neighbours))
        found[blocks == block] = facts[rows[blocks == block] - first]
    return found


@np.errstate(
    all="ignore"
)  # constants, zeros and values near the largest have facts that are not finite, and are left out
def _facts(fitted: FittedPanel, rows: Rows) -> Floats:
    """What series are compared by, and the mean MASE of their forecasts at the origins: float64 (rows, 5)."""
    panel, record = fitted.panel.take(rows), fitted.backtest
    total = np.add.reduceat(np.append(np.nan_to_num(np.abs(panel.values)), 0.0), panel.indptr[:-1])
    size = np.where(panel.lengths > 0, total, np.nan) / np.maximum(panel.lengths, 1)
    scale = record.mase_scale[rows, -1]
    kinds, factors = seasonal_shapes(panel)
    amplitude = factors.std(axis=1) / np.where(kinds == MULTIPLICATIVE, 1.0, size)
    mase = mean_of_present(mean_of_present(np.abs(own_errors(record, rows))) / record.mase_scale[rows])
    seasonality = np.where(kinds == NO_SEASON, 0.0, amplitude)
    return np.stack([np.log(scale / size), np.log(mase), seasonality, np.log(panel.lengths), mase], axis=1)
