"""Updating: the states of a fitted panel after newer observations, with nothing estimated anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from features.gaps import gap_counts
from features.magnitudes import without_extremes
from features.outliers import without_absurd
from industrial_brain.domain.covariates import PanelCovariates
from industrial_brain.domain.panel import Panel
from models.forecasting.combination import Combination
from models.forecasting.fitted_panel import FittedPanel
from models.forecasting.state import Array, Rows, is_shared


def updated_panel(fitted: FittedPanel, newer: Panel) -> FittedPanel:
    """The fitted panel after it has seen `newer`; itself, where that holds nothing new.

    Parameters, weights, calibration, sums and what is said of a series stay; each member's `update` runs over the series
    whose values differ, and over those that depend on such a one (`panel.covariates`). Series that could not be fitted stay
    so. What lies before a series' first fitted period waits for the next training, and so do series that were not fitted at
    all. A series whose members have no finite answer after its newer values keeps the states that it had, and a note says so.

    Args:
        newer: series of the same frequency as they are known now, whole histories, any order; ids that the panel does not hold
            are passed over, and series that it lacks keep their values.
    """
    rows, pieces = _with_dependents(fitted.panel, *_changed(fitted.panel, newer))
    if len(rows) == 0:
        return fitted
    panel = _relinked(_with_histories(fitted.panel, rows, pieces))
    believed, slips = without_absurd(panel.take(rows))
    believed, extreme = without_extremes(believed)
    before = fitted.model.take(rows)
    after = before.update(believed)
    answers = _finite(after, panel.freq.longest_horizon) & ~extreme
    kept = ~answers & (fitted.failure[rows] == "")
    taken = np.flatnonzero(answers)
    model = fitted.model
    if len(taken):
        arrays = after.take(taken).arrays()
        model = model.with_arrays(_placed(model.arrays(), rows[taken], arrays) | {"weights": model.weights})
    # who keeps its states keeps its end as well: forecasts begin where the states stand
    if kept.any():
        old = [fitted.panel.values[fitted.panel.indptr[r] : fitted.panel.indptr[r + 1]] for r in rows[kept]]
        panel = _with_histories(panel, rows[kept], old)
    seen_below_zero = np.array([bool((y < 0.0).any()) for y in pieces]) & ~_below_zero(fitted.panel, rows) & ~kept
    nonnegative = fitted.nonnegative.copy()
    nonnegative[rows] &= ~seen_below_zero
    notes = fitted.notes.astype(object)
    earlier = without_absurd(fitted.panel.take(rows))[1]
    gaps = gap_counts(panel.take(rows)) - gap_counts(fitted.panel.take(rows))
    for row, slipped, missing, stays in zip(rows, slips > earlier, gaps, kept, strict=True):
        lines = [str(notes[row])] if notes[row] else []
        if stays:
            lines.append("newer values can't be computed with, and were not learnt from; correct them at their source")
        elif slipped:
            lines.append(
                "a newer value is absurdly far from the neighbours, and taken for a gap; correct it at its source"
            )
        if missing > 0:
            lines.append(f"{missing} more period(s) without a value since the training; they were bridged")
        notes[row] = "\n".join(lines)
    return replace(
        fitted, panel=panel, model=model, nonnegative=nonnegative, notes=np.array(notes.tolist(), dtype=np.str_)
    )


def _changed(panel: Panel, newer: Panel) -> tuple[Rows, list[Array]]:
    """The rows whose values differ, and their values from the first fitted period on."""
    place = {name: at for at, name in enumerate(newer.ids)}
    rows, pieces = [], []
    for row, (name, old) in enumerate(zip(panel.ids, panel, strict=True)):
        at = place.get(name)
        if at is None:
            continue
        values = newer.values[newer.indptr[at] : newer.indptr[at + 1]]
        shift = int(panel.start[row] - newer.start[at])
        values = values[shift:] if shift >= 0 else np.concatenate([np.full(-shift, np.nan), values])
        if len(values) < len(old):
            values = np.concatenate([values, np.full(len(old) - len(values), np.nan)])
        if len(old) and not np.array_equal(values, old, equal_nan=True):
            rows.append(row)
            pieces.append(values)
    return np.array(rows, dtype=np.int64), pieces


def _with_dependents(panel: Panel, rows: Rows, pieces: list[Array]) -> tuple[Rows, list[Array]]:
    """The changed rows and those that read a covariate from one of them, ascending, with their values."""
    linked = panel.covariates
    if linked is None or len(rows) == 0:
        return rows, pieces
    changed = {panel.ids[row] for row in rows}
    moved = np.append([name in changed for name in linked.sources], False)  # the appended one is read by -1
    values = dict(zip(rows.tolist(), pieces, strict=True))
    for row in np.flatnonzero(moved[linked.reads].any(axis=1)).tolist():
        values.setdefault(row, panel.values[panel.indptr[row] : panel.indptr[row + 1]])
    ordered = sorted(values)
    return np.array(ordered, dtype=np.int64), [values[row] for row in ordered]


def _relinked(panel: Panel) -> Panel:
    """The panel with its covariates read anew from its own series; sources that it does not hold stay as they were."""
    linked = panel.covariates
    if linked is None:
        return panel
    place = {name: row for row, name in enumerate(panel.ids)}
    own = [place[name] for name in linked.sources if name in place]
    believed = dict(zip(own, without_absurd(replace(panel, covariates=None).take(own))[0], strict=True))
    histories, start = [], []
    for number, name in enumerate(linked.sources):
        row = place.get(name)
        histories.append(linked.source(number) if row is None else believed[row])
        start.append(int(linked.start[number] if row is None else panel.start[row]))
    sources = Panel.of(histories, freq=panel.freq, ids=linked.sources, start=start)
    fresh = PanelCovariates.of(panel, linked.names, linked.knowledge, sources, linked.reads)
    return replace(panel, covariates=fresh)


def _with_histories(panel: Panel, rows: Rows, pieces: Sequence[Array]) -> Panel:
    histories = list(panel)
    for row, values in zip(rows.tolist(), pieces, strict=True):
        histories[row] = values
    longer = Panel.of(histories, freq=panel.freq, ids=panel.ids, start=panel.start.tolist(), season=panel.season)
    return replace(longer, calendar=panel.calendar, covariates=panel.covariates)


def _below_zero(panel: Panel, rows: Rows) -> npt.NDArray[np.bool_]:
    return np.array([bool((y < 0.0).any()) for y in panel.take(rows)], dtype=np.bool_)


def _finite(model: Combination, horizon: int) -> npt.NDArray[np.bool_]:
    ahead = model.forecast(horizon)
    return np.asarray(np.isfinite(ahead.mean).all(axis=1) & np.isfinite(ahead.scale).all(axis=1), dtype=np.bool_)


def _placed(whole: dict[str, Array], rows: Rows, parts: dict[str, Array]) -> dict[str, Array]:
    """The arrays of all series, with those of some rows in their place; what they share stays as it is."""
    placed = dict(whole)
    for name, part in parts.items():
        if not is_shared(name):
            placed[name] = whole[name].copy()
            placed[name][rows] = part
    return placed
