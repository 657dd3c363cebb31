"""One frequency's series, fitted: what a version knows of them, and how it answers for them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from features.magnitudes import resolutions
from features.outliers import without_absurd
from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Distribution
from models.forecasting.adaptation import Adaptation
from models.forecasting.calibration import GRID, Calibration
from models.forecasting.coherence import Coherence
from models.forecasting.combination import Combination
from models.forecasting.coverage import Coverage
from models.forecasting.hierarchy import Structure, Tree
from models.forecasting.memo import Memo
from models.forecasting.paths import Margins, draw_steps, free_paths, interpolate, tree_paths
from models.forecasting.reconciliation import ErrorCovariance, reconcile

#: a one-step error below this share of the mean is rounding: the model fits without an error
EXACT = 1e-9

#: more than what single precision leaves of a number
_SINGLE = 1e-6

#: place of the median in `GRID`
_MEDIAN = int(np.argmin(np.abs(GRID - 0.5)))

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
        comparable: float64 (n, members), as it would weigh at last without the errors of its oldest origin: as many origins
            as a newer version has before its newest one. More evidence is no merit of the older version.
    """

    members: tuple[str, ...]
    origins: Ordinals
    error: npt.NDArray[np.float32]
    mase_scale: Floats
    weights: Floats
    comparable: Floats

    def mase(self, weights: Floats) -> Floats:
        """Mean absolute scaled error at each origin, had these weights (n, origins, members) been used; NaN where not."""
        used = np.nan_to_num(weights)[:, :, :, None]
        error = (used * np.where(used == 0.0, 0.0, self.error)).sum(axis=2)
        error = np.where(used.any(axis=2), error, np.nan)
        return mean_of_present(np.abs(error)) / self.mase_scale


def _drawing() -> Memo:
    return Memo(one_at_a_time=True)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """One frequency's series, fitted. All arrays have a row a series, in the panel's order.

    Attributes:
        panel: what the models had seen.
        model: the fitted combination.
        structure: which series are sums of others. coherence: how their errors go together.
        real, simulated_law: standardised quantiles learnt from the frequency's real series, and from its simulated ones: what
            a simulator gets wrong says nothing of real data.
        width: float64 (n,), what a series' scale is multiplied with before its law is, by its own errors.
        adaptation: what laws are widened with about their median, by what intervals missed since they were learnt.
        coverage: what intervals held in the backtest.
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
    coherence: Coherence
    adaptation: Adaptation
    coverage: Coverage
    _memo: Memo = field(default_factory=Memo, init=False, repr=False, compare=False)
    _drawn: Memo = field(default_factory=_drawing, init=False, repr=False, compare=False)

    def predict(
        self, rows: npt.NDArray[np.int64], horizon: int, probabilities: npt.ArrayLike
    ) -> tuple[Floats, Floats, Floats]:
        """Reconciled means (rows, horizon), quantiles (rows, horizon, probabilities), and what reconciliation added to the
        means (rows, horizon), of these rows, in the series' units."""
        own = self.model.take(rows).forecast(horizon)
        mean = own.mean.copy()
        for number in np.unique(self.structure.tree[rows]):
            if number >= 0:
                self._put_together(int(number), rows, mean)
        floor = np.where(self.nonnegative[rows], 0.0, -np.inf)
        mean = np.maximum(mean, floor[:, None])
        scale = self._no_finer_than_the_values(rows, own) * self.width[rows, None]
        laws = interpolate(self._laws(rows, horizon), np.asarray(probabilities, dtype=np.float64))
        quantiles = mean[:, :, None] + scale[:, :, None] * laws
        # laws are kept in single precision: what stopped at zero in a path stops there again
        rounding = _SINGLE * (np.abs(mean) + scale)[:, :, None]
        stops = self.nonnegative[rows, None, None] & (quantiles < rounding)
        return mean, np.where(stops, 0.0, quantiles), mean - own.mean

    def paths(self, rows: npt.NDArray[np.int64], horizon: int, count: int, seed: int) -> Floats:
        """Joint sample paths, float64 (rows, horizon, count), each of which adds up, in the series' units.

        A series' paths depend on `seed`, `count`, and for series of a tree on `horizon`, and not on what else is asked. Paths
        of series that are in no common tree are independent.
        """
        out = np.empty((len(rows), horizon, count))
        for number in np.unique(self.structure.tree[rows]):
            places = np.flatnonzero(self.structure.tree[rows] == number)
            if number >= 0:
                key = ("paths", int(number), horizon, count, seed)
                drawn = self._drawn.get(key, partial(self.draw_tree, int(number), horizon, count, seed))
                out[places] = drawn[np.searchsorted(self.structure.members(int(number)), rows[places])]
                continue
            _, margins, _ = self.predict(rows[places], horizon, GRID)
            for place, margin in zip(places.tolist(), margins, strict=True):
                row = int(rows[place])
                rng = self._dice(row, seed)
                alone = ErrorCovariance.diagonal(np.ones(1))
                draws = draw_steps(alone, self._leads(row), np.zeros(1, dtype=np.int64), horizon, count, rng)
                out[place] = free_paths(draws, Margins(margin[None]), rng)[0]
        return out

    def drawn_together(self, rows: npt.NDArray[np.int64]) -> int:
        """Series that are drawn at once for the paths of these rows, at most: those of the largest tree, or one."""
        trees = self.structure.tree[rows]
        sizes = np.bincount(self.structure.tree[self.structure.tree >= 0], minlength=1)
        return int(sizes[trees[trees >= 0]].max(initial=1))

    def draw_tree(self, number: int, horizon: int, count: int, seed: int, *, midway: bool = False) -> Floats:
        """Paths of all members of a tree, float64 (members, horizon, count), from each one's own next period on.

        Series of a tree may end at different periods: what adds up are the periods after the last value of any of them.

        Args:
            midway: take the middle of each stratum of a law, not a random place in it: for reading quantiles off.
        """
        tree = Tree.of(self.structure, number)
        members = tree.members
        lags = self.panel.last[members].max() - self.panel.last[members]
        longest = int(lags.max())
        rng = self._dice(int(members[0]), seed)
        _, margins, _ = self.predict(members, horizon + longest, GRID)
        together = np.take_along_axis(margins, (lags[:, None] + np.arange(horizon)[None, :])[:, :, None], axis=1)
        dependence = self.coherence.dependence(number, tree)
        draws = draw_steps(dependence, self._leads(int(members[0])), lags, horizon, count, rng)
        dice = None if midway else rng
        spread = together[:, :, -3] - together[:, :, 2]
        out = tree_paths(draws[:, longest:], Margins(together), spread, tree, self.nonnegative[members], dice)
        for lag in np.unique(lags[lags > 0]).tolist():
            late = np.flatnonzero(lags == lag)
            alone = free_paths(draws[late, longest - lag : longest], Margins(margins[late, :lag]), dice)
            out[late] = np.concatenate([alone, out[late]], axis=1)[:, :horizon]
        return out

    def standardised(self, rows: npt.NDArray[np.int64], paths: Floats) -> Floats:
        """Quantiles at `GRID` of these rows' paths, (rows, horizon, count), less the mean, over scale and width: a law as
        `Coherence` keeps it. Where there is no width, the pool's."""
        horizon = paths.shape[1]
        mean, _, _ = self.predict(rows, horizon, (0.5,))
        own = self.model.take(rows).forecast(horizon)
        scale = (self._no_finer_than_the_values(rows, own) * self.width[rows, None])[:, :, None]
        found = np.quantile(paths, GRID, axis=2).transpose(1, 2, 0) - mean[:, :, None]
        return np.divide(found, scale, out=self._laws(rows, horizon), where=scale > 0.0)

    def _laws(self, rows: npt.NDArray[np.int64], horizon: int) -> Floats:
        """Standardised quantiles at `GRID`, float64 (rows, horizon, len(GRID)): the pool's, or what paths left of them, as wide
        as what was missed since has made them."""
        steps = np.arange(horizon)
        pools = [law.quantiles[np.minimum(steps, len(law.quantiles) - 1)] for law in (self.real, self.simulated_law)]
        out = np.stack(pools)[self.simulated[rows].astype(np.int64)]
        laws, own = self.coherence.laws, self.coherence.own_law[rows]
        out[own >= 0] = laws[own[own >= 0]][:, np.minimum(steps, laws.shape[1] - 1)]
        median = out[:, :, [_MEDIAN]]
        widened: Floats = median + self.adaptation.widths(self.simulated[rows], horizon)[:, :, None] * (out - median)
        return widened

    def _leads(self, row: int) -> Floats:
        return self.simulated_law.leads if self.simulated[row] else self.real.leads

    def _dice(self, row: int, seed: int) -> np.random.Generator:
        return np.random.default_rng([seed, zlib.crc32(self.panel.ids[row].encode())])

    def once(self, what: Hashable, work_out: Callable[[], Floats]) -> Floats:
        """An array that is worked out of this panel once, and kept while there is room."""
        return self._memo.get(what, work_out)

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

    def _put_together(self, number: int, rows: npt.NDArray[np.int64], mean: Floats) -> None:
        """Make the means of the rows of this tree add up, in place, from each row's lag on."""
        horizon = mean.shape[1]
        together = self._memo.get(("mean", number, horizon), lambda: self._reconciled(number, horizon))
        members = self.structure.members(number)
        places = np.flatnonzero(self.structure.tree[rows] == number)
        found = np.searchsorted(members, rows[places])
        lags = self.panel.last[members].max() - self.panel.last[rows[places]]
        for place, member, lag in zip(places.tolist(), found.tolist(), lags.tolist(), strict=True):
            if lag < horizon:
                mean[place, lag:] = together[member, : horizon - lag]

    def _reconciled(self, number: int, horizon: int) -> Floats:
        """Means that add up, float64 (members, horizon).

        Series of a tree may end at different periods: those that end earlier are forecast further, and what is reconciled
        are the periods after the last value of any of them.
        """
        tree = Tree.of(self.structure, number)
        members = tree.members
        lag = self.panel.last[members].max() - self.panel.last[members]
        # the variances' horizon, so that an answer does not depend on how many periods are asked
        usual = self.panel.freq.default_horizon
        whole = self.model.take(members).forecast(max(horizon, usual) + int(lag.max()))
        values = np.take_along_axis(whole.mean, lag[:, None] + np.arange(horizon)[None, :], axis=1)
        variance = (whole.scale[:, :usual] ** 2).mean(axis=1)
        covariance = self.coherence.covariance(number, tree, variance)
        return reconcile(values, covariance, tree, self.nonnegative[members])
