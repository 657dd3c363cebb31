"""The dynamic factor model of mixed frequencies, by statsmodels' `DynamicFactorMQ`, from arrays and back to arrays.

Bańbura and Modugno (2014), "Maximum likelihood estimation of factor models on datasets with arbitrary pattern of missing
data", Journal of Applied Econometrics 29(1); quarters as moving averages of months after Mariano and Murasawa (2003).

The model is a function of its layout and its parameters alone: the initial state is the stationary one, never EM's own, so
that a rebuilt model gives the fitted one's numbers. The month grid always reaches beyond the last value, with empty rows, so
every month that is asked for lies inside the sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency

#: relative gain in likelihood at which EM has converged
_TOLERANCE = 1e-6

#: most iterations of EM
ITERATIONS = 200

#: the factor that every series loads on
COMMON = "common"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model looks like, beside its parameters.

    Attributes:
        ids: names of the columns; monthly ones first, as statsmodels wants them.
        monthly: how many are monthly.
        blocks: further factor -> columns that load on it.
        order: autoregressive order of every factor.
    """

    ids: tuple[str, ...]
    monthly: int
    blocks: Mapping[str, tuple[str, ...]]
    order: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Parameters, as statsmodels orders them; `converged` and `iterations` of EM."""

    params: Floats
    converged: bool
    iterations: int


@dataclass(frozen=True, slots=True)
class Smoothed:
    """What all of the data say of every cell: float64 (t, n). An observed cell's mean is its value, its variance 0."""

    mean: Floats
    variance: Floats
    results: Any


def estimate(layout: Layout, z: Floats, start: int, iterations: int = ITERATIONS) -> Estimate:
    """Maximum likelihood by EM on standardised columns (t, n), whose first month is `start`.

    Raises:
        InputError: no likelihood could be computed.
    """
    from statsmodels.tools.sm_exceptions import ModelWarning

    model = _model(layout, z, start)
    try:
        with warnings.catch_warnings(record=True) as told, np.errstate(all="ignore"):
            warnings.simplefilter("always")  # that EM did not converge is said in the estimate
            fit = model.fit(maxiter=iterations, tolerance=_TOLERANCE, disp=False, em_initialization=False)
    except (np.linalg.LinAlgError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"The factor model could not be estimated: {error}.", "Leave out indicators that nearly repeat each other."
        ) from error
    params = np.asarray(fit.params, dtype=np.float64)
    if not np.isfinite(params).all() or not np.isfinite(fit.llf):
        raise InputError(
            "The factor model's likelihood is not finite.", "Leave out indicators that nearly repeat each other."
        )
    early = any(issubclass(one.category, ModelWarning) for one in told)  # out of iterations, or of gains
    return Estimate(params, not early, int(fit.mle_retvals.iter))


def smooth(layout: Layout, params: Floats, z: Floats, start: int) -> Smoothed:
    """Filter and smooth with known parameters."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        results = _model(layout, z, start).smooth(params)
    told = results.smoother_results
    observed = np.isfinite(z)
    variance = np.diagonal(told.smoothed_forecasts_error_cov, axis1=0, axis2=1)
    return Smoothed(
        mean=np.where(observed, z, told.smoothed_forecasts.T),
        variance=np.where(observed, 0.0, np.maximum(variance, 0.0)),
        results=results,
    )


def weights(smoothed: Smoothed, rows: Sequence[int], column: int, cells: Sequence[tuple[int, int]]) -> Floats:
    """How much each observed cell `(row, column)` weighs in the smoothed value of `column` at `rows`: (len(rows), len(cells)).

    The smoothed value is linear in the data, so a revised cell moves it by its weight times the revision; and a new cell
    moves it by its weight *in the enlarged data* times its surprise, because a value that equals its expectation moves
    nothing: the gain of Bańbura and Modugno (2014), eq. 14 to 17.
    """
    from statsmodels.tsa.statespace.tools import compute_smoothed_state_weights

    found = np.zeros((len(rows), len(cells)))
    if not len(rows) or not len(cells):
        return found
    design = smoothed.results.smoother_results.design[column, :, 0]
    at: dict[int, list[int]] = {}
    for k, (row, _) in enumerate(cells):
        at.setdefault(row, []).append(k)
    for run in _runs(sorted(at)):  # statsmodels takes a stretch of rows at once
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            states, _, _ = compute_smoothed_state_weights(
                smoothed.results, compute_t=np.array(rows), compute_j=np.array(run), resmooth=False
            )
        mapped = np.einsum("m,tjmp->tjp", design, states)
        for place, row in enumerate(run):
            for k in at[row]:
                found[:, k] = mapped[:, place, cells[k][1]]
    return np.nan_to_num(found)


def _runs(rows: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _model(layout: Layout, z: Floats, start: int) -> Any:
    import pandas as pd
    from statsmodels.tsa.statespace.dynamic_factor_mq import DynamicFactorMQ

    first = str(Frequency.MONTHLY.starts(np.array([start], dtype=np.int64))[0])[:7]
    index = pd.period_range(first, periods=len(z), freq="M")
    names = [f"y{column}" for column in range(len(layout.ids))]  # short: statsmodels builds many names of them
    factors: Any = 1
    if layout.blocks:
        here = dict(zip(layout.ids, names, strict=True))
        factors = {
            name: [COMMON, *(block for block, ids in layout.blocks.items() if series in ids)]
            for series, name in here.items()
        }
    return DynamicFactorMQ(
        pd.DataFrame(z, index=index, columns=names),
        k_endog_monthly=layout.monthly,
        factors=factors,
        factor_orders=layout.order,
        idiosyncratic_ar1=True,
        standardize=False,
    )
