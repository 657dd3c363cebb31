"""What trees are reconciled with: correlations from the past, and the covariance that served best in the backtest."""

from __future__ import annotations

import numpy as np

from features.present import mean_of_present
from industrial_brain.domain.panel import Floats, Panel
from models.forecasting.coherence import Coherence, Scaling, covariance
from models.forecasting.hierarchy import Structure, Tree
from models.forecasting.reconciliation import ErrorCovariance, reconcile
from models.forecasting.state import Rows
from training.fit import FittedPartition

#: newest periods that correlations are read from
PERIODS = 60

#: periods without which no correlation is read
FEWEST = 10

#: how much better than the models' own variances another way must have been
_CLEARLY = 0.01


def reconciled_errors(panel: Panel, fitted: FittedPartition, structure: Structure) -> tuple[Floats, Coherence]:
    """The backtest's errors as they are after reconciliation, float64 (n, origins, horizon), and how each tree is reconciled.

    Actuals add up, so errors are reconciled like forecasts. A tree whose series do not share their origins, or are not all
    there at one, keeps the errors that it had at that origin. The models' own variances are taken, unless shrunk correlations
    (from periods before the first origin, where there are enough) or mere counts of leaves were better by a hundredth.
    """
    out = fitted.own_error.copy()
    coherence = Coherence.none(len(panel))
    if structure.trees == 0:
        return out, coherence
    loadings = np.zeros((len(panel), PERIODS), dtype=np.float32)
    shrinkage, scaling = np.ones(structure.trees), np.full(structure.trees, str(Scaling.VARIANCE), dtype="<U10")
    for number in range(structure.trees):
        tree = Tree.of(structure, number)
        members = tree.members
        dependence = _dependence(panel, members, 0)
        loadings[members, : dependence.loadings.shape[1]] = dependence.loadings
        shrinkage[number] = dependence.shrinkage
        origins = [k for k in range(out.shape[1]) if _shared(fitted, members, k)]
        if not origins:
            continue
        before = _dependence(panel, members, out.shape[2] * (out.shape[1] - origins[0]))
        ways = [Scaling.VARIANCE, Scaling.STRUCTURAL] + [Scaling.SHRUNK] * bool(before.loadings.shape[1])
        found = {way: _reconciled(fitted, tree, origins, way, before) for way in ways}
        size = {way: _size(error, fitted.mase_scale[members][:, origins]) for way, error in found.items()}
        best = min(ways, key=lambda way: size[way] * (1.0 if way is Scaling.VARIANCE else 1.0 + _CLEARLY))
        scaling[number] = str(best)
        out[members[:, None], origins] = found[best]
    return out, Coherence(scaling, shrinkage, loadings, coherence.own_law, coherence.laws)


def innovations(panel: Panel, members: Rows, without: int) -> Floats:
    """What was new in each period, float64 (members, periods up to `PERIODS`): the newest periods that all members have.

    The difference of seasonal differences. It overdoes differencing where a series is steady, and leaves how series go
    together as it is, which is all that is asked of it. A member that ends earlier, or has a gap there, is NaN.
    """
    season = panel.season if panel.season > 1 else 0
    last = int(panel.last[members].max()) - without
    out = np.full((len(members), PERIODS), np.nan)
    for i, row in enumerate(members.tolist()):
        y = panel.values[panel.indptr[row] : panel.indptr[row + 1]]
        y = y[: max(0, last + 1 - int(panel.start[row]))]
        if int(panel.start[row]) + len(y) - 1 != last:
            continue
        change = np.diff(y[season:] - y[:-season] if season else y)[-PERIODS:]
        out[i, PERIODS - len(change) :] = change
    ended = ~np.isfinite(out[:, -1])
    return out[:, np.isfinite(out[~ended]).all(axis=0)] if (~ended).any() else out[:, :0]


def _dependence(panel: Panel, members: Rows, without: int) -> ErrorCovariance:
    past = innovations(panel, members, without)
    if past.shape[1] < FEWEST:
        return ErrorCovariance.diagonal(np.ones(len(members)))
    return ErrorCovariance.shrunk(np.ones(len(members)), past)


def _shared(fitted: FittedPartition, members: Rows, k: int) -> bool:
    origins = fitted.origins[members, k]
    there = np.isfinite(fitted.own_error[members, k]).all() and np.isfinite(fitted.own_scale[members, k]).all()
    return bool((origins == origins[0]).all() and there)


def _reconciled(
    fitted: FittedPartition, tree: Tree, origins: list[int], way: Scaling, dependence: ErrorCovariance
) -> Floats:
    out = fitted.own_error[tree.members[:, None], origins]
    for place, k in enumerate(origins):
        variance = (fitted.own_scale[tree.members, k] ** 2).mean(axis=1)
        out[:, place] = reconcile(out[:, place], covariance(way, dependence, tree, variance), tree)
    return out


def _size(error: Floats, scale: Floats) -> float:
    scaled = mean_of_present(np.abs(error)) / np.where(scale > 0.0, scale, np.nan)
    return float(mean_of_present(scaled.ravel()))
