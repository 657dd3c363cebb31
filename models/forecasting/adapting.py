"""Adapting: a fitted panel's widths after the actuals of what it has forecast, and what a new version takes over of them."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from industrial_brain.domain.panel import Floats, Panel
from models.forecasting.adaptation import LEVELS, Adaptation
from models.forecasting.fitted_panel import FittedPanel
from models.forecasting.state import Rows
from models.forecasting.updating import updated_panel

#: newest origins that are replayed, at most: each takes a run of all states over their histories
_REPLAYED = 24

#: series that speak for a pool, at most: these tell the share missed to within two points
_SERIES = 500

_TAILS = [(1.0 - level / 100.0) / 2.0 for level in LEVELS]


def adapted(trained: FittedPanel, updated: FittedPanel) -> FittedPanel:
    """The updated panel with widths that have followed the actuals since the training.

    What was forecast is replayed: at each period since, states have seen what came before it (as it is known now), and their
    intervals are held against what came after; of a large pool, some series speak for all. So widths depend on the version and
    on the store alone, as states do.
    """
    rows = _speaking(trained, np.flatnonzero((updated.panel.last > trained.panel.last) & (trained.failure == "")))
    if len(rows) == 0:
        return replace(updated, adaptation=trained.adaptation)
    horizon = trained.adaptation.log_width.shape[1]
    raw = replace(trained, adaptation=Adaptation.none(horizon))
    # where most series end: one that is told ahead (a tariff), or late, does not decide for the others
    end = int(np.quantile(updated.panel.last[rows], 0.5, method="lower"))
    begin = int(np.quantile(trained.panel.last[rows], 0.1, method="lower"))
    reach = []
    for origin in range(max(begin, end - _REPLAYED), end):
        then = updated_panel(raw, _until(updated.panel, rows, origin))
        there = rows[(then.panel.last[rows] == origin) & (updated.panel.last[rows] > origin)]
        scores = np.full((len(rows), horizon, len(LEVELS)), np.nan)
        if len(there):
            scores[np.searchsorted(rows, there)] = _reach(then, there, _after(updated.panel, there, origin, horizon))
        reach.append(scores)
    if not reach:
        return replace(updated, adaptation=trained.adaptation)
    return replace(updated, adaptation=trained.adaptation.after(np.stack(reach), trained.simulated[rows]))


def continued(champion: FittedPanel, fresh: FittedPanel) -> FittedPanel:
    """A freshly fitted panel whose widths go on from where the champion's have got to.

    The fresh backtest knows the newest errors too: what the champion's widths have learnt of them must not count twice. So the
    size of the champion's intervals now and of the fresh ones are two estimates of the same errors, and are averaged, as
    logarithms, by the periods without overlap that each rests on: those that the widths remember, and the backtest's origins.
    """
    horizon = fresh.adaptation.log_width.shape[1]
    place = {name: row for row, name in enumerate(champion.panel.ids)}
    shared = [
        (place[name], row)
        for row, name in enumerate(fresh.panel.ids)
        if name in place and fresh.failure[row] == champion.failure[place[name]] == ""
    ]
    if not shared or champion.adaptation.log_width.shape[1] != horizon:
        return fresh
    now = adapted(champion, updated_panel(champion, fresh.panel))
    theirs, ours = (np.array(rows, dtype=np.int64) for rows in zip(*shared, strict=True))
    raw = replace(now, adaptation=Adaptation.none(horizon))
    ratio = _log_size(raw, theirs, horizon) - _log_size(fresh, ours, horizon)
    evidence, origins = now.adaptation.evidence(), fresh.backtest.error.shape[1]
    log = np.zeros((2, horizon))
    for kind in (0, 1):
        own = ratio[(fresh.simulated[ours] == bool(kind)) & np.isfinite(ratio).all(axis=1)]
        if len(own):
            weight = evidence[kind] / (evidence[kind] + origins)
            log[kind] = weight * (now.adaptation.log_width[kind] + np.median(own, axis=0))
    return replace(fresh, adaptation=Adaptation(log, now.adaptation.seen))


def _speaking(fitted: FittedPanel, rows: Rows) -> Rows:
    """Of these rows, up to `_SERIES` of each kind, ascending: trees are taken whole, in an order that ids alone decide."""
    taken = []
    for kind in (False, True):
        own = rows[fitted.simulated[rows] == kind]
        tree = fitted.structure.tree[own]
        unit = np.where(tree >= 0, -1 - tree, own)  # a tree, or a series of none
        _, first, size = np.unique(unit, return_index=True, return_counts=True)
        order = np.argsort([zlib.crc32(fitted.panel.ids[row].encode()) for row in own[first]], kind="stable")
        room, chosen = _SERIES, list[int]()
        for at in order.tolist():
            if size[at] <= room or (not chosen and at == order[-1]):
                chosen.append(int(unit[first[at]]))
                room -= int(size[at])
        taken.append(own[np.isin(unit, chosen)])
    return np.sort(np.concatenate(taken))


def _reach(fitted: FittedPanel, rows: Rows, actual: Floats) -> Floats:
    """What half-widths about the median would have to be multiplied with to reach the actuals: (rows, horizon, levels)."""
    probabilities = [*_TAILS, 0.5, *(1.0 - tail for tail in _TAILS)]
    _, quantiles, _ = fitted.predict(rows, actual.shape[1], probabilities)
    levels = len(LEVELS)
    low, middle, high = quantiles[:, :, :levels], quantiles[:, :, [levels]], quantiles[:, :, levels + 1 :]
    off = actual[:, :, None] - middle
    width = np.where(off >= 0.0, high - middle, middle - low)
    reached: Floats = np.divide(np.abs(off), width, out=np.full(width.shape, np.nan), where=width > 0.0)
    return reached


def _log_size(fitted: FittedPanel, rows: Rows, horizon: int) -> Floats:
    """Logarithm of each series' 80% interval, float64 (rows, horizon); NaN where it has no width."""
    _, quantiles, _ = fitted.predict(rows, horizon, (0.1, 0.9))
    size = quantiles[:, :, 1] - quantiles[:, :, 0]
    found: Floats = np.log(size, out=np.full(size.shape, np.nan), where=size > 0.0)
    return found


def _until(panel: Panel, rows: Rows, last: int) -> Panel:
    """These rows' histories up to the period `last`."""
    cut = panel.take(rows)
    kept = np.clip(last - cut.start + 1, 0, cut.lengths)
    histories = [y[:n] for y, n in zip(cut, kept.tolist(), strict=True)]
    shorter = Panel.of(histories, freq=panel.freq, ids=cut.ids, start=cut.start.tolist(), season=panel.season)
    return replace(shorter, calendar=cut.calendar, covariates=cut.covariates)


def _after(panel: Panel, rows: Rows, origin: int, horizon: int) -> Floats:
    """The values after the period `origin`, float64 (rows, horizon); NaN where there is none."""
    out = np.full((len(rows), horizon), np.nan)
    for i, row in enumerate(rows.tolist()):
        y = panel.values[panel.indptr[row] : panel.indptr[row + 1]]
        first = origin + 1 - int(panel.start[row])
        ahead = y[first : first + horizon]
        out[i, : len(ahead)] = ahead
    return out
