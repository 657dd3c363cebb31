"""Rolling-origin backtest of an ensemble's members (Tashman 2000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.gaps import gap_counts
from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from models.forecasting.state import SHORTEST_HISTORY, ArrayForecaster


@dataclass(frozen=True, slots=True)
class Backtest:
    """Errors of every member at every origin, oldest origin first. NaN where an origin could not be used.

    Attributes:
        origins: int64 (n, origins), ordinal of the last period known.
        mean: float64 (n, origins, members, horizon), forecasts, in the series' unit.
        scale: float64, like `mean`: the standard deviation that the member claimed.
        actual: float64 (n, origins, horizon).
    """

    origins: Ordinals
    mean: Floats
    scale: Floats
    actual: Floats

    @property
    def error(self) -> Floats:
        """Actual less forecast: float64, like `mean`."""
        return np.asarray(self.actual[:, :, None, :] - self.mean)

    @property
    def mae(self) -> Floats:
        """Mean absolute error over the horizon's actuals: float64 (n, origins, members)."""
        return mean_of_present(np.abs(self.error))


def run_backtest(
    panel: Panel,
    members: Mapping[str, ArrayForecaster],
    *,
    horizon: int,
    origins: int,
    seed: int,
    worth: npt.NDArray[np.bool_] | None = None,
) -> Backtest:
    """Fit the members at each origin on the periods up to it, and score them on the `horizon` periods after it.

    The panel is of one vintage, so an origin sees its past as it was revised later; for what was truly known then, train
    on the vintage of then. An origin is used that has a full season, one period, and `SHORTEST_HISTORY` observations.

    Args:
        worth: bool (n, members), which members are fitted to which series; all of them where it is None.
    """
    n = len(panel)
    shape = (n, origins, len(members), horizon)
    mean, scale = np.full(shape, np.nan), np.full(shape, np.nan)
    actual = np.full((n, origins, horizon), np.nan)
    known_until = panel.last[:, None] - horizon * np.arange(origins, 0, -1)[None, :]
    for k in range(origins):
        cut = horizon * (origins - k)
        earlier = panel.without_last(cut)
        observed = earlier.lengths - gap_counts(earlier)
        usable = np.flatnonzero((observed >= SHORTEST_HISTORY) & (earlier.lengths > panel.season))
        if len(usable) == 0:
            continue
        known = earlier.take(usable)
        actual[usable, k] = _periods_after(panel.take(usable), cut, horizon)
        for m, member in enumerate(members.values()):
            fitted_to = known if worth is None else known.only(worth[usable, m])
            answer = member.fit(fitted_to, None, seed).forecast(horizon)
            mean[usable, k, m] = answer.mean
            scale[usable, k, m] = answer.scale
    return Backtest(known_until, mean, scale, actual)


def _periods_after(panel: Panel, cut: int, horizon: int) -> Floats:
    """The `horizon` values that follow the origin `cut` periods before the end: float64 (n, horizon)."""
    first = panel.indptr[1:] - cut
    after: Floats = panel.values[first[:, None] + np.arange(horizon)[None, :]]
    return after
