"""Judgement: forecasts that follow planners' overrides, with everything that adds up still adding up.

A series is held at its override's values; the series that it adds up with move as little as possible, in units of their own
error variances (`models.forecasting.holding`). Intervals move with the mean and keep their width: an override says where, not
how surely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from industrial_brain.domain.forecasts import Failed, Forecast, Judgement
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency
from models.forecasting.fitted_panel import FittedPanel
from models.forecasting.hierarchy import Tree
from models.forecasting.holding import hold
from models.forecasting.reconciliation import ErrorCovariance, reconcile
from models.forecasting.state import Rows

#: share of a tree's largest error variance that a series is given at least, so that one without an error can be moved
_LEAST = 1e-8

#: size, relative to the largest of a tree, below which a shift is rounding
_ROUNDING = 1e-14


@dataclass(slots=True)
class Shifts:
    """What overrides move: by row, by ordinal of the period, how much and because of whom.

    Attributes:
        moved: row -> ordinal -> (what is added to the mean, the override that holds this row or None, those that moved it).
        refused: override -> the ones before it that it contradicts.
    """

    moved: dict[int, dict[int, tuple[float, Override | None, tuple[Override, ...]]]] = field(default_factory=dict)
    refused: dict[str, tuple[Override, ...]] = field(default_factory=dict)


def apply_overrides(
    panels: Mapping[Frequency, FittedPanel],
    places: Mapping[str, tuple[Frequency, int]],
    answers: Sequence[Forecast | Failed],
    overrides: Sequence[Override],
    shifts: Mapping[Frequency, Shifts],
) -> list[Forecast | Failed]:
    """The answers as overrides move them; the same answers where none does.

    Of overrides that contradict each other, the older ones are followed; a note of its series says which one is not.
    Overrides of series that the version does not hold, or can't forecast, move nothing.

    Args:
        places: where each series is.
        overrides: those in force; at most one holds a series in a period.
        shifts: what `all_shifts` found for these overrides.
    """
    out: list[Forecast | Failed] = []
    for answer in answers:
        if isinstance(answer, Failed):
            out.append(answer)
            continue
        freq, row = places[answer.series]
        own = [one for one in overrides if one.series == answer.series]
        out.append(_judged(answer, shifts[freq], row, own, floor=bool(panels[freq].nonnegative[row])))
    return out


def all_shifts(
    panels: Mapping[Frequency, FittedPanel],
    places: Mapping[str, tuple[Frequency, int]],
    overrides: Sequence[Override],
) -> dict[Frequency, Shifts]:
    """What these overrides move, by frequency."""
    return {freq: find_shifts(panels[freq], _ours(panels[freq], freq, places, overrides)) for freq in panels}


def find_shifts(fitted: FittedPanel, overrides: Sequence[tuple[int, Override]]) -> Shifts:
    """What these overrides, each with the row that it holds, move in a panel."""
    shifts = Shifts()
    by_tree: dict[int, list[tuple[int, Override]]] = {}
    for row, override in overrides:
        by_tree.setdefault(int(fitted.structure.tree[row]), []).append((row, override))
    for tree, held in by_tree.items():
        if tree < 0:
            for row, override in held:
                _hold_alone(fitted, row, override, shifts, override.last)
        else:
            _hold_together(fitted, tree, sorted(held, key=lambda one: one[1].created_at), shifts)
    return shifts


def _ours(
    fitted: FittedPanel, freq: Frequency, places: Mapping[str, tuple[Frequency, int]], overrides: Sequence[Override]
) -> list[tuple[int, Override]]:
    found = []
    for override in overrides:
        place = places.get(override.series)
        if place is not None and place[0] is freq and not fitted.failure[place[1]]:
            found.append((place[1], override))
    return found


def _hold_alone(fitted: FittedPanel, row: int, override: Override, shifts: Shifts, until: int) -> None:
    """A series that adds up with none, or not yet: it alone moves, up to the period `until`."""
    last = int(fitted.panel.last[row])
    steps = min(override.last, until, last + fitted.panel.freq.longest_horizon) - last
    if steps < 1:
        return
    mean = fitted.predict(np.array([row]), steps, ())[0][0]
    for ordinal in range(max(override.start, last + 1), last + steps + 1):
        value = override.values[ordinal - override.start]
        shifts.moved.setdefault(row, {})[ordinal] = (value - float(mean[ordinal - last - 1]), override, ())


def _hold_together(fitted: FittedPanel, tree: int, held: list[tuple[int, Override]], shifts: Shifts) -> None:
    """A tree: what is held moves the others, in every period that comes after the last value of any of them."""
    members = fitted.structure.members(tree)
    last = fitted.panel.last[members]
    newest = int(last.max())
    for row, override in held:
        _hold_alone(fitted, row, override, shifts, newest)
    furthest = newest + fitted.panel.freq.longest_horizon
    ordinals = sorted({o for _, one in held for o in range(max(one.start, newest + 1), min(one.last, furthest) + 1)})
    if not ordinals:
        return
    lag = newest - last
    ahead = ordinals[-1] - newest
    whole = fitted.predict(members, ahead + int(lag.max()), ())[0]
    columns = _Columns(fitted, Tree.of(fitted.structure, tree))
    place = {int(row): i for i, row in enumerate(members)}
    for ordinal in ordinals:
        mean = whole[np.arange(len(members)), lag + ordinal - newest - 1]
        ours = [(place[row], one) for row, one in held if one.start <= ordinal <= one.last]
        rows = np.array([position for position, _ in ours], dtype=np.int64)
        asked = np.array([one.values[ordinal - one.start] for _, one in ours])
        floor = fitted.nonnegative[members].copy()
        floor[rows[asked < 0.0]] = False  # only never seen below zero: an indicator that can't be is not asked to
        found = hold(mean, columns, rows, asked, floor)
        for refused, against in found.refused.items():
            named = tuple(ours[other][1] for other in against if other != refused)
            shifts.refused.setdefault(ours[refused][1].id, named)
        followed = [one for position, one in enumerate(ours) if position not in found.refused]
        holding = dict(followed)
        shift = found.values - mean
        size = np.abs(mean).max(initial=0.0)
        for position in np.flatnonzero(np.abs(shift) > _ROUNDING * size).tolist():
            holder = holding.get(position)
            others = () if holder is not None else tuple(holding.values())
            shifts.moved.setdefault(int(members[position]), {})[ordinal] = (float(shift[position]), holder, others)
        for own, one in followed:  # also where the forecast said the same already
            shifts.moved.setdefault(int(members[own]), {}).setdefault(ordinal, (0.0, one, ()))


class _Columns:
    """Columns of the covariance of a tree's coherent forecasts, computed when first asked for."""

    def __init__(self, fitted: FittedPanel, tree: Tree) -> None:
        scale = fitted.model.take(tree.members).forecast(fitted.panel.freq.default_horizon).scale
        variance = (scale**2).mean(axis=1)
        self._variance = np.maximum(variance, _LEAST * variance.max(initial=0.0))
        if not (self._variance > 0.0).all():  # nothing errs: all move alike
            self._variance = np.ones(len(tree.members))
        self._tree = tree
        self._known: dict[int, Floats] = {}

    def __call__(self, rows: Rows) -> Floats:
        new = [row for row in rows.tolist() if row not in self._known]
        if new:
            deviation = np.sqrt(self._variance[new])
            own = np.zeros((len(self._variance), len(new)))
            own[new, np.arange(len(new))] = deviation  # W's column, over the row's own deviation
            found = reconcile(own, ErrorCovariance.diagonal(self._variance), self._tree)
            self._known |= {row: found[:, i] for i, row in enumerate(new)}
        return np.stack([self._known[row] for row in rows.tolist()], axis=1)


def _judged(answer: Forecast, shifts: Shifts, row: int, own: Sequence[Override], *, floor: bool) -> Forecast:
    refused = [(one, shifts.refused[one.id]) for one in own if one.id in shifts.refused]
    notes = [
        f"override {one.id} is not followed in every period: it contradicts "
        + (" and ".join(f"{other.id} of {other.series}" for other in against) or "what can't be below zero")
        for one, against in refused
    ]
    moved = shifts.moved.get(row, {})
    first = answer.freq.ordinal_of_label(answer.start)
    steps = [moved.get(first + h, (0.0, None, ())) for h in range(len(answer.mean))]
    if not any(holder is not None or others for _, holder, others in steps):
        return replace(answer, notes=(*answer.notes, *notes)) if notes else answer
    shift = np.array([delta for delta, _, _ in steps])
    mean = np.array(answer.mean) + shift
    for h, (_, holder, _) in enumerate(steps):
        if holder is not None:  # to the last digit
            mean[h] = holder.values[first + h - holder.start]
    quantiles = {key: np.array(values) + shift for key, values in answer.quantiles.items()}
    if floor:  # but not above a mean that a planner wants below zero
        quantiles = {key: np.maximum(values, np.minimum(mean, 0.0)) for key, values in quantiles.items()}
    held_by = {one.id: one for _, one, _ in steps if one is not None}
    moved_by = {one.id: one for _, _, others in steps for one in others if one.id not in held_by}
    return replace(
        answer,
        mean=tuple(mean.tolist()),
        quantiles={key: tuple(values.tolist()) for key, values in quantiles.items()},
        notes=(*answer.notes, *notes),
        judgement=Judgement(
            statistical_mean=answer.mean,
            held_by=tuple(one.applied() for one in held_by.values()),
            moved_by=tuple(one.applied() for one in moved_by.values()),
        ),
    )
