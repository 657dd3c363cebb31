"""One frequency's series, fitted: what a version knows of them, and how it answers for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.magnitudes import resolutions
from features.outliers import without_absurd
from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Distribution
from models.forecasting.calibration import Calibration
from models.forecasting.combination import Combination
from models.forecasting.hierarchy import Structure, reconcile

#: a one-step error below this share of the mean is rounding: the model fits without an error
EXACT = 1e-9

Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class BacktestRecord:
    """What the gate needs to replay another version's weights on this version's backtest.

    Attributes:
        members: names, in the order of the arrays' members axis.
        origins: int64 (n, origins), ordinal of the last period known at each origin, oldest first.
        error: float32 (n, origins, members, horizon), actual less forecast; NaN where an origin had too little history,
            or a period no actual, or a member no answer.
        mase_scale: float64 (n, origins), the divisor that makes these scaled errors: the mean absolute seasonal difference up
            to the origin (Hyndman and Koehler 2006); NaN where there is none.
        weights: float64 (n, origins + 1, members), as this version had weighed with what it knew before each origin, and
            as it weighs at last; rows of zeros or NaN where it had no answer.
    """

    members: tuple[str, ...]
    origins: Ordinals
    error: npt.NDArray[np.float32]
    mase_scale: Floats
    weights: Floats

    def mase(self, weights: Floats) -> Floats:
        """Mean absolute scaled error at each origin, had these weights (n, origins, members) been used; NaN where not."""
        used = np.nan_to_num(weights)[:, :, :, None]
        error = (used * np.where(used == 0.0, 0.0, self.error)).sum(axis=2)
        error = np.where(used.any(axis=2), error, np.nan)
        return mean_of_present(np.abs(error)) / self.mase_scale


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """One frequency's series, fitted. All arrays have a row a series, in the panel's order.

    Attributes:
        panel: what the models had seen.
        model: the fitted combination.
        structure: which series are sums of others.
        real, simulated_law: standardised quantiles learnt from the frequency's real series, and from its simulated ones: what
            a simulator gets wrong says nothing of real data.
        width: float64 (n,), what a series' scale is multiplied with before its law is, by its own errors.
        method, fallback, notes, failure: what is said of each series; empty text for none, notes one a line.
        unit: UCUM. nonnegative: a value below zero is impossible or has never been seen. simulated: from a simulator.
        backtest: for the gate.
    """

    panel: Panel
    model: Combination
    structure: Structure
    real: Calibration
    simulated_law: Calibration
    width: Floats
    method: Texts
    fallback: Texts
    notes: Texts
    failure: Texts
    unit: Texts
    nonnegative: npt.NDArray[np.bool_]
    simulated: npt.NDArray[np.bool_]
    backtest: BacktestRecord

    def predict(
        self, rows: npt.NDArray[np.int64], horizon: int, probabilities: Sequence[float]
    ) -> tuple[Floats, Floats, Floats]:
        """Reconciled means (rows, horizon), quantiles (rows, horizon, probabilities), and what reconciliation added to the
        means (rows, horizon), of these rows, in the series' units."""
        own = self.model.take(rows).forecast(horizon)
        mean = own.mean.copy()
        for tree in np.unique(self.structure.tree[rows]):
            if tree >= 0:
                self._reconcile(int(tree), rows, mean)
        floor = np.where(self.nonnegative[rows], 0.0, -np.inf)
        mean = np.maximum(mean, floor[:, None])
        laws = np.stack([law.at(probabilities, horizon) for law in (self.real, self.simulated_law)])
        scale = self._no_finer_than_the_values(rows, own) * self.width[rows, None]
        quantiles = mean[:, :, None] + scale[:, :, None] * laws[self.simulated[rows].astype(np.int64)]
        return mean, np.maximum(quantiles, floor[:, None, None]), mean - own.mean

    def _no_finer_than_the_values(self, rows: npt.NDArray[np.int64], own: Distribution) -> Floats:
        """The scale, where a model fitted a history without an error, no less than what rounding alone leaves unknown."""
        exact = np.flatnonzero(own.scale[:, 0] <= EXACT * np.abs(own.mean[:, 0]))
        if len(exact) == 0:
            return own.scale
        scale = own.scale.copy()
        believed, _ = without_absurd(self.panel.take(rows[exact]))
        least = resolutions(believed) / np.sqrt(12.0)
        scale[exact] = np.maximum(scale[exact], least[:, None])
        return scale

    def lags(self, rows: npt.NDArray[np.int64]) -> Floats:
        """Periods by which each row ends before the newest series that it adds up with; infinite where it is no part of a
        sum: float64 (rows,)."""
        tree, last = self.structure.tree, self.panel.last
        newest = np.full(int(tree.max(initial=-1)) + 2, np.iinfo(np.int64).min)  # its last place is for rows of no tree
        np.maximum.at(newest, tree, last)
        return np.where(tree[rows] >= 0, newest[tree[rows]] - last[rows], np.inf)

    def _reconcile(self, tree: int, rows: npt.NDArray[np.int64], mean: Floats) -> None:
        """Make the means of the rows of this tree add up, in place.

        Series of a tree may end at different periods: those that end earlier are forecast further, and what is reconciled
        are the periods after the last value of any of them.
        """
        horizon = mean.shape[1]
        members = self.structure.members(tree)
        lag = self.panel.last[members].max() - self.panel.last[members]
        usual = (
            self.panel.freq.default_horizon
        )  # the variances' horizon, so that an answer does not depend on how many are asked
        whole = self.model.take(members).forecast(max(horizon, usual) + int(lag.max()))
        values = np.take_along_axis(whole.mean, lag[:, None] + np.arange(horizon)[None, :], axis=1)
        variance = (whole.scale[:, :usual] ** 2).mean(axis=1)
        together = reconcile(values, variance, self.structure.constraints(members), self.nonnegative[members])
        place = {int(row): i for i, row in enumerate(members)}
        for i, row in enumerate(rows):
            member = place.get(int(row))
            if member is not None and lag[member] < horizon:
                mean[i, lag[member] :] = together[member, : horizon - lag[member]]
