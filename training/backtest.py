"""Rolling-origin backtest of all candidates, and the choice between them (Tashman 2000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from models.forecasting.combination import Combination, combine
from models.forecasting.state import ArrayForecaster

#: periods that an origin must know before it is used, beside one full season
SHORTEST_HISTORY = 6

#: how many standard errors a candidate must be ahead of the default one to be chosen instead
CLEARLY_BETTER = 1.0


@dataclass(frozen=True, slots=True)
class Backtest:
    """Errors of every candidate at every origin, oldest origin first. NaN where an origin could not be used.

    Attributes:
        origins: int64 (n, origins), ordinal of the last period known.
        error: float64 (n, origins, candidates, horizon), actual less forecast, in the series' unit.
        scale: float64, like `error`: the standard deviation that the candidate claimed.
        actual: float64 (n, origins, horizon).
    """

    origins: Ordinals
    error: Floats
    scale: Floats
    actual: Floats

    @property
    def mae(self) -> Floats:
        """Mean absolute error over the horizon's actuals: float64 (n, origins, candidates)."""
        return mean_of_present(np.abs(self.error))


def weight_matrix(candidates: Mapping[str, Mapping[str, float]], members: Mapping[str, ArrayForecaster]) -> Floats:
    """Candidates as rows of weights over the members: float64 (candidates, members)."""
    return np.array([[weights.get(name, 0.0) for name in members] for weights in candidates.values()])


def run_backtest(
    panel: Panel,
    members: Mapping[str, ArrayForecaster],
    candidates: Mapping[str, Mapping[str, float]],
    *,
    horizon: int,
    origins: int,
    seed: int,
) -> Backtest:
    """Fit the members at each origin on what was known then, and score all candidates on the `horizon` periods after it."""
    n, weights = len(panel), weight_matrix(candidates, members)
    shape = (n, origins, len(candidates), horizon)
    error, scale = np.full(shape, np.nan), np.full(shape, np.nan)
    actual = np.full((n, origins, horizon), np.nan)
    known_until = panel.last[:, None] - horizon * np.arange(origins, 0, -1)[None, :]
    for k in range(origins):
        cut = horizon * (origins - k)
        usable = np.flatnonzero(panel.lengths - cut >= max(SHORTEST_HISTORY, panel.season + 1))
        if len(usable) == 0:
            continue
        known = panel.take(usable).without_last(cut)
        fitted = Combination(members, np.empty((0, 0))).fit(known, None, seed)
        distributions = [member.forecast(horizon) for member in fitted.members.values()]
        actual[usable, k] = _periods_after(panel.take(usable), cut, horizon)
        for c, row in enumerate(weights):
            combined = combine(distributions, np.broadcast_to(row, (len(usable), len(row))))
            error[usable, k, c] = actual[usable, k] - combined.mean
            scale[usable, k, c] = combined.scale
    return Backtest(known_until, error, scale, actual)


def choose(mae: Floats, default: int) -> Ordinals:
    """The candidate of each series, from its errors at past origins: int64 (n,), -1 where no candidate could be scored.

    Few origins make a noisy judge, and the best of several noisy scores flatters: so the default stands unless another
    candidate's mean error is lower by more than `CLEARLY_BETTER` standard errors of their paired difference.

    Args:
        mae: float64 (n, origins, candidates); NaN where an origin was not used.
        default: the candidate that needs no evidence.
    """
    used = np.isfinite(mae[:, :, default])
    count = used.sum(axis=1)
    chosen = np.where(count > 0, default, -1)
    if mae.shape[1] == 0:
        return np.full(len(mae), -1, dtype=np.int64)
    gain = np.where(used[:, :, None], mae[:, :, [default]] - mae, 0.0)
    n = np.maximum(count, 1)[:, None]
    mean = gain.sum(axis=1) / n
    spread = np.where(used[:, :, None], (gain - mean[:, None, :]) ** 2, 0.0).sum(axis=1)
    error = np.sqrt(spread / np.maximum(n - 1, 1) / n)
    clear = np.where(np.isfinite(mean) & (count[:, None] > 1), mean - CLEARLY_BETTER * error, 0.0)
    best = clear.argmax(axis=1)
    return np.where((count > 0) & (clear.max(axis=1) > 0.0), best, chosen).astype(np.int64)


def _periods_after(panel: Panel, cut: int, horizon: int) -> Floats:
    """The `horizon` values that follow the origin `cut` periods before the end: float64 (n, horizon)."""
    first = panel.indptr[1:] - cut
    after: Floats = panel.values[first[:, None] + np.arange(horizon)[None, :]]
    return after
