"""Calibration: from a model's own scale to quantiles that hold what they promise.

A model's variance formula takes its parameters as known and its errors as normal; both flatter it. So the errors of the
rolling-origin backtest, divided by the scale that the model claimed, are pooled over the series of one frequency, and
their empirical quantiles replace the normal ones, in the manner of split conformal prediction with a scaled score (Lei et al.
2018). On top of the pool:

- *Each series moves towards its own errors*, as far as one origin's size of error tells the next one's: the correlation
  between origins, over the pool, is the reliability of one, and Spearman and Brown's formula that of their mean. The pool
  learns what is left when each origin is standardised by the other origins alone: no error narrows its own interval.
- *A pool is as much evidence as it has origins.* Series share their shocks, and origins differ by more than chance: the law is
  mixed over the next origin's size, whose spread is estimated from the origins seen, shrunk to what is usual.
- *The law is symmetric until origins agree otherwise*: the common sign of one origin's errors says which way the last shock
  went, and only a bias that outlasts the origins' spread says something of the next.

What holds is the average over the pool, not each series; the coverage that was measured on the newest origin says how far to
trust it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats
from models.forecasting.state import SHORTEST_HISTORY

#: probabilities at which quantiles are kept; between them they are interpolated
GRID: Floats = np.array([0.005, 0.01, 0.025, 0.05, *np.arange(0.1, 0.91, 0.05), 0.95, 0.975, 0.99, 0.995])

#: pooled errors that a horizon needs for quantiles of its own: ten in each tail of a 99% interval would take 2,000; with
#: fewer, neighbouring horizons are pooled too
ENOUGH = 2_000

#: backtested origins, over all series of a pool, below which it has no shape of its own: the normal one stands, at a size that
#: moves towards the errors
TOO_FEW = 30

#: origins that the usual size counts for in such a pool, and the spread (of logarithms) that a size unknown has: looked at on
#: pools of one series, at hold-outs
_FEW_PRIOR, _FEW_SPREAD = 2.0, 0.5

#: spread (of logarithms) of an origin's size beyond the pool's usual, and the origins that this expectation counts for
_ORIGIN_SPREAD, _ORIGIN_PRIOR = 0.15, 4.0

#: spread of an origin's common bias, in typical errors, and the origins that this expectation counts for
_BIAS_SPREAD, _BIAS_PRIOR = 0.5, 4.0

#: origins that must speak before a bias can be told from a shock
_BIAS_ORIGINS = 3

#: how far a series may leave its pool, as a logarithm: to a third, or to three times
_FARTHEST = float(np.log(3.0))

#: pairs of origins that the reliability's prior, none, counts for
_RELIABILITY_PRIOR = 30.0

#: correlation expected of errors one lead apart, and the trajectories that this expectation counts for
_NEXT_LEAD, _LEAD_PRIOR = 0.5, 10.0

#: points of a law while it is worked on, and of the normal spread that it is mixed over
_POINTS = (np.arange(999) + 0.5) / 999
_MIXED = np.array([NormalDist().inv_cdf((i + 0.5) / 9) for i in range(9)])


@dataclass(frozen=True, slots=True)
class Calibration:
    """Quantiles of the standardised forecast error.

    Attributes:
        quantiles: float64 (horizons, len(GRID)), rising along the second axis; later horizons use the last row.
        errors: how many backtest errors they rest on; 0 means that they are Student's law's.
        leads: float64 (horizon, horizon), correlation of a series' error at one lead with its error at another.
    """

    quantiles: Floats
    errors: int
    leads: Floats

    def at(self, probabilities: npt.ArrayLike, horizon: int) -> Floats:
        """Standardised quantiles of shape (horizon, len(probabilities)). Probabilities beyond the grid are held at its ends."""
        rows = np.minimum(np.arange(horizon), len(self.quantiles) - 1)
        return np.stack([np.interp(np.asarray(probabilities), GRID, self.quantiles[row]) for row in rows])


def untried_calibration() -> Calibration:
    """Student's law: for want of backtest errors.

    Histories that are too short for a backtest leave little to estimate a spread from, so the normal law would promise too
    much. The degrees of freedom are what a level, a slope and a spread leave of the shortest history that is fitted.
    """
    return Calibration(
        quantiles=np.asarray(student.ppf(GRID, SHORTEST_HISTORY - 3))[None, :],
        errors=0,
        leads=_lead_correlation(np.empty((0, 1))),
    )


def calibrate(errors: Floats) -> tuple[Calibration, Floats]:
    """Learn a pool's law, and how wide each of its series is in it.

    Args:
        errors: float64 (n, origins, horizon), standardised by the models' own scale; NaN entries are skipped.

    Returns:
        The law, and float64 (n,): what each series' scale is multiplied with before the law is. A series without errors of its
        own is as wide as a series of unknown width has to be. Fewer than `TOO_FEW` rows with an error give the normal law's
        shape, at a size that moves from the models' own to the errors'.

    >>> law, width = calibrate(np.full((3, 2, 12), np.nan))
    >>> law.errors, width.tolist()
    (0, [1.0, 1.0, 1.0])
    """
    horizon = errors.shape[-1]
    known = np.isfinite(errors)
    seen = int(known.any(axis=2).sum())
    if seen < TOO_FEW:
        return _of_few(errors, int(known.any(axis=(0, 2)).sum())), np.ones(len(errors))
    level = _levels(errors)
    reliability = _reliability(level)
    width = _shrunk(level, reliability)
    others = np.zeros(level.shape)
    for k in range(level.shape[1]):
        others[:, k] = _shrunk(np.where(np.arange(level.shape[1]) == k, np.nan, level), reliability)
    left = errors / np.exp(others)[:, :, None]
    sizes = np.exp(_origin_spread(level) * _MIXED)
    skew = _skew(left)
    rows = []
    for h in range(horizon):
        for reach in range(horizon):
            window = left[:, :, max(0, h - reach) : h + reach + 1]
            pool = window[np.isfinite(window)]
            if len(pool) >= ENOUGH:
                break
        law = (1.0 - skew) * np.quantile(np.concatenate([pool, -pool]), _POINTS) + skew * np.quantile(pool, _POINTS)
        rows.append(np.quantile(np.outer(law, sizes), GRID))
    untried = ~np.isfinite(level).any(axis=1)
    width[untried] = reliability * float(np.var(level[np.isfinite(level)]))  # the root mean square of a lognormal width
    return Calibration(quantiles=np.stack(rows), errors=int(known.sum()), leads=_lead_correlation(left)), np.exp(width)


def _of_few(errors: Floats, origins: int) -> Calibration:
    """A normal law whose size follows the errors, as far as so few origins can be trusted: an origin is one shock."""
    if origins == 0:
        return untried_calibration()
    usual = np.sqrt(2.0 / np.pi)  # mean absolute error of a standard normal
    size = float(mean_of_present(np.abs(errors).ravel())) / usual
    log = np.clip(np.log(max(size, 1e-9)), -2.0 * _FARTHEST, 2.0 * _FARTHEST) * origins / (origins + _FEW_PRIOR)
    normal = np.array([NormalDist().inv_cdf(p) for p in _POINTS])
    quantiles = np.quantile(np.outer(normal, np.exp(log + _FEW_SPREAD * _MIXED)), GRID)
    return Calibration(
        quantiles=quantiles[None, :], errors=int(np.isfinite(errors).sum()), leads=_lead_correlation(errors)
    )


def _levels(errors: Floats) -> Floats:
    """Logarithm of each series' size of error at each origin, relative to the pool's at the same leads; NaN where none."""
    size = np.abs(errors)
    per_lead = mean_of_present(size.reshape(-1, size.shape[2]).T)
    profile = mean_of_present(np.stack([np.roll(per_lead, 1), per_lead, np.roll(per_lead, -1)], axis=1))
    if len(per_lead) > 1:  # the ends have one neighbour
        profile[0], profile[-1] = mean_of_present(np.stack([per_lead[:2], per_lead[-2:]]))
    relative = np.divide(size, profile, out=np.full(size.shape, np.nan), where=profile > 0.0)
    mean = mean_of_present(relative)
    level = np.log(np.maximum(mean, 1e-6))
    if not np.isfinite(level).any():  # all errors are zero
        return np.where(np.isfinite(size).any(axis=2), 0.0, np.nan)
    clipped: Floats = np.clip(level - np.nanmedian(level), -2.0 * _FARTHEST, 2.0 * _FARTHEST)
    return clipped


def _reliability(level: Floats) -> float:
    """How much of one origin's level is the series' own: the correlation between origins, shrunk to none."""
    shared = whole = pairs = 0.0
    for a in range(level.shape[1]):
        for b in range(a + 1, level.shape[1]):
            both = np.isfinite(level[:, a]) & np.isfinite(level[:, b])
            if both.sum() > 1:
                x, y = (level[both, k] - level[both, k].mean() for k in (a, b))
                shared += float(x @ y)
                whole += 0.5 * float(x @ x + y @ y)
                pairs += float(both.sum())
    return max(0.0, shared / whole) * pairs / (pairs + _RELIABILITY_PRIOR) if whole > 0.0 else 0.0


def _shrunk(level: Floats, reliability: float) -> Floats:
    """Each series' own level, as far as its origins can be relied on: float64 (n,); 0 without any."""
    count = np.isfinite(level).sum(axis=1)
    weight = count * reliability / (1.0 + (count - 1) * reliability)
    own = np.where(count > 0, weight * mean_of_present(level), 0.0)
    clipped: Floats = np.clip(own, -_FARTHEST, _FARTHEST)
    return clipped


def _origin_spread(level: Floats) -> float:
    """Spread of the logarithm of an origin's size, over and above its series' own."""
    counted = [column[np.isfinite(column)] for column in level.T]
    sizes = np.array([column.mean() for column in counted if len(column) >= 10])
    about = float(((sizes - sizes.mean()) ** 2).sum()) if len(sizes) else 0.0
    return float(np.sqrt((_ORIGIN_PRIOR * _ORIGIN_SPREAD**2 + about) / (_ORIGIN_PRIOR + max(len(sizes) - 1, 0))))


def _skew(errors: Floats) -> float:
    """How far to follow the errors' own sign: 0 is symmetric, 1 as they were. Shrunk in the manner of James and Stein."""
    middle = [np.median(column[np.isfinite(column)]) for column in errors.swapaxes(0, 1) if np.isfinite(column).any()]
    typical = float(np.median(np.abs(errors[np.isfinite(errors)])))
    if typical <= 0.0 or len(middle) < _BIAS_ORIGINS:
        return 0.0
    bias = np.array(middle) / typical
    about = float(((bias - bias.mean()) ** 2).sum())
    spread = (_BIAS_PRIOR * _BIAS_SPREAD**2 + about) / (_BIAS_PRIOR + len(bias) - 1)
    return float(max(0.0, 1.0 - spread / len(bias) / max(bias.mean() ** 2, 1e-12)))


def _lead_correlation(errors: Floats) -> Floats:
    """Correlations of errors at two leads, about zero: what errors share for a whole horizon is part of how they go on.

    Shrunk to a decay with the distance of the leads, and made a correlation matrix where gaps kept it from being one.
    """
    horizon = errors.shape[-1]
    paths = errors.reshape(-1, horizon)
    known = np.isfinite(paths)
    filled = np.where(known, paths, 0.0)
    size = np.sqrt((filled**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    z = np.divide(filled, size, out=np.zeros(filled.shape), where=size > 0.0)
    z = np.clip(z, -3.0, 3.0)  # a few large errors must not speak for all
    both = known.T.astype(np.float64) @ known.astype(np.float64)
    spread = np.sqrt(np.maximum(np.diag(z.T @ z) / np.maximum(np.diag(both), 1.0), 1e-12))
    seen = z.T @ z / np.maximum(both, 1.0) / np.outer(spread, spread)
    usual = _NEXT_LEAD ** np.abs(np.subtract.outer(np.arange(horizon), np.arange(horizon)))
    blended = (both * seen + _LEAD_PRIOR * usual) / (both + _LEAD_PRIOR)
    values, vectors = np.linalg.eigh(0.5 * (blended + blended.T))
    mended = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    root = np.sqrt(np.diag(mended))
    correlation: Floats = mended / np.outer(root, root)
    return correlation
