"""The news between two moments: what moved a nowcast, by how much, and why.

The way from the number of then to the number of now has four stretches, walked in this order:

1. values that were withdrawn, and
2. values that were revised, on the cells known then, with the parameters of then: *revisions*;
3. values of periods that had none, with the parameters of then: *releases*;
4. the parameters of now in the place of those of then, on the data of now: *re-estimation*.

Each stretch is linear in the data (Bańbura and Modugno 2014), so it splits over cells without a remainder. A target in logs
is decomposed in logs, and each part is multiplied by the logarithmic mean of both numbers, which keeps the sum exact in the
target's unit (Ang 2004, "Decomposition analysis for policymaking in energy", the LMDI).

Two traps of a quarter's end are dealt with here. A quarter's figure lives in its last month: impacts are asked for there, and
for every quarter between the newest published one and it, because a level is built from all of them. And the target's own
release ends the smoothing for its quarter: it counts for itself, with weight 1, and for later quarters through its growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.nowcasts import News, NewsKind, Transformation
from industrial_brain.domain.panel import Floats
from models.nowcast.factor_model import Smoothed, smooth, weights
from models.nowcast.fitted import FittedNowcast, View
from models.nowcast.table import MonthTable
from models.nowcast.transform import MEASURES

#: changes of a standardised value that are none
_SAME = 1e-12

Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A nowcast then and now, in the target's unit, and what lies between; the impacts add up to `after - before`."""

    before: float
    after: float
    news: tuple[News, ...]


def explain(
    then: FittedNowcast, now: FittedNowcast, known_then: MonthTable, known_now: MonthTable, month: int, period: int
) -> Change:
    """The news of one period.

    Args:
        then, now: the versions that answered, or answer.
        known_then, known_now: data as known at each moment; they may hold more series than the models.
        month: the month of now; both sides are put on its grid.
        period: last month of the period asked about.
    """
    end = max(known_then.end, known_now.end)
    known_then, known_now = known_then.over(known_then.start, end), known_now.over(known_now.start, end)
    before, after = then.view(known_then, month), then.view(known_now, month)
    start, middle = before.level(period)[0], after.level(period)[0]
    last = middle if now is then else _in_terms_of(then, now.view(known_now, month), period)
    parts = _of_data(before, after, period)
    missed = (middle - start) - sum(part.impact for part in parts)
    parts = _with_remainder(parts, missed, after)
    if now is not then:
        parts = [*parts, News(NewsKind.REESTIMATION, last - middle)]
    scale = _logarithmic_mean(before.unlogged(start), before.unlogged(last)) if then.in_logs else 1.0
    return Change(before.unlogged(start), before.unlogged(last), tuple(_scaled(part, scale) for part in parts))


def _in_terms_of(then: FittedNowcast, view: View, period: int) -> float:
    """The number of another version: in logs if `then` is."""
    level = view.level(period)[0]
    if view.fitted.in_logs == then.in_logs:
        return level
    return float(np.log(view.unlogged(level))) if then.in_logs else view.unlogged(level)


def _of_data(before: View, after: View, period: int) -> list[News]:
    """Revisions and releases, in logs where the target is taken in logs."""
    fitted = before.fitted
    base = min(before.last, after.last)
    if before.differenced() and base < period:
        rows = before.rows_to(period, base)
    else:  # a level stands for itself; a published one moves by its own revision alone
        rows = [before.row(period)] if base < period else []
    parts = _own_levels(before, after, min(base, period)) if before.differenced() or base >= period else []
    old, new = before.z, after.z
    withdrawn = _cells(np.isfinite(old) & ~np.isfinite(new))
    revised = _cells(np.isfinite(old) & np.isfinite(new) & (np.abs(new - old) > _SAME))
    released = _cells(~np.isfinite(old) & np.isfinite(new))
    deviation = float(fitted.scaling.deviation[fitted.column])

    kept = np.where(np.isfinite(new), old, np.nan)
    smoothed = before.smoothed
    if withdrawn:  # the news of going from the values without them to those with them, taken back
        without = smooth(fitted.layout, fitted.estimate.params, kept, before.table.start)
        impact = -_impacts(smoothed, old, without.mean, rows, fitted.column, withdrawn) * deviation
        parts += [
            _news(after, cell, NewsKind.REVISION, float(old[cell]), None, float(moved))
            for cell, moved in zip(withdrawn, impact, strict=True)
        ]
        smoothed = without
    if revised:
        weighed = weights(
            smoothed, [r for r in rows if not np.isfinite(kept[r, fitted.column])], fitted.column, revised
        )
        change = np.array([new[cell] - old[cell] for cell in revised])
        impact = weighed.sum(axis=0) * change * deviation
        parts += [
            _news(after, cell, NewsKind.REVISION, float(old[cell]), float(new[cell]), float(moved))
            for cell, moved in zip(revised, impact, strict=True)
        ]
        kept = np.where(np.isfinite(kept), new, np.nan)
        smoothed = smooth(fitted.layout, fitted.estimate.params, kept, before.table.start)
    if released:
        impact = _impacts(after.smoothed, new, smoothed.mean, rows, fitted.column, released) * deviation
        parts += [
            _news(after, cell, NewsKind.RELEASE, float(smoothed.mean[cell]), float(new[cell]), float(moved))
            for cell, moved in zip(released, impact, strict=True)
        ]
    return _merged(parts)


def _impacts(
    enlarged: Smoothed, values: Floats, expected: Floats, rows: Sequence[int], column: int, cells: Sequence[Cell]
) -> Floats:
    """What each new cell moves the sum of the target's `rows` by, in standard deviations.

    A row that is itself among the cells is known now: its own surprise moves it, and nothing else does.
    """
    surprise = np.array([values[cell] - expected[cell] for cell in cells])
    own = {row for row, place in cells if place == column}
    waiting = [row for row in rows if row not in own]
    weighed = weights(enlarged, waiting, column, cells).sum(axis=0)
    itself = np.array([float(place == column and row in rows) for row, place in cells])
    found: Floats = (weighed + itself) * surprise
    return found


def _own_levels(before: View, after: View, base: int) -> list[News]:
    """The revision of the published value that the nowcast is built on."""
    row = before.row(base)
    moved = float(after.levels[row] - before.levels[row])
    if not abs(moved) > _SAME:
        return []
    column = before.fitted.column
    if np.isfinite(before.z[row, column]) and np.isfinite(after.z[row, column]):
        old, new = float(before.z[row, column]), float(after.z[row, column])
        return [_news(after, (row, column), NewsKind.REVISION, old, new, moved)]
    return [replace(_news(after, (row, column), NewsKind.REVISION, 0.0, None, moved), expected=None)]


def _news(view: View, cell: Cell, kind: NewsKind, expected: float, actual: float | None, impact: float) -> News:
    """A part with its values as the transformation left them."""
    row, column = cell
    fitted, month = view.fitted, view.table.start + row
    thought = float(fitted.scaling.restore(column, month, expected))
    came = None if actual is None else float(fitted.scaling.restore(column, month, actual))
    surprise = None if came is None else came - thought
    step = 3 if view.table.quarterly[column] else 1
    return News(
        kind=kind,
        impact=impact,
        series=view.table.ids[column],
        period=_label(month, step),
        measure=MEASURES[Transformation(int(fitted.scaling.codes[column]))],
        expected=thought,
        actual=came,
        weight=impact / surprise if surprise else None,
    )


def _label(month: int, step: int) -> str:
    first = np.datetime64(month - step + 1, "M")
    return f"{first}-01"


def _merged(parts: Sequence[News]) -> list[News]:
    """One part a cell and kind: a revised level also moves what it is the base of."""
    found: dict[tuple[NewsKind, str | None, str | None], News] = {}
    for part in parts:
        key = part.kind, part.series, part.period
        before = found.get(key)
        if before is None:
            found[key] = part
        else:
            impact = before.impact + part.impact
            surprise = None if part.actual is None or part.expected is None else part.actual - part.expected
            found[key] = replace(part, impact=impact, weight=impact / surprise if surprise else None)
    return list(found.values())


def _with_remainder(parts: list[News], missed: float, view: View) -> list[News]:
    """What no cell accounts for: a target's value behind a gap gives a level and no growth; it is its own release."""
    if abs(missed) <= 1e-10:
        return parts
    period = _label(view.last, view.fitted.step)
    own = News(NewsKind.RELEASE, missed, view.fitted.target, period, "level")
    return (
        _merged([*parts, own])
        if not any(p.series == own.series and p.period == period for p in parts)
        else [
            replace(p, impact=p.impact + missed, weight=None) if p.series == own.series and p.period == period else p
            for p in parts
        ]
    )


def _cells(mask: npt.NDArray[np.bool_]) -> list[Cell]:
    return [(int(row), int(column)) for row, column in np.argwhere(mask)]


def _logarithmic_mean(a: float, b: float) -> float:
    apart = np.log(b) - np.log(a)
    return float((b - a) / apart) if abs(apart) > 1e-9 else float(np.sqrt(a * b))


def _scaled(part: News, scale: float) -> News:
    weight = None if part.weight is None else part.weight * scale
    return replace(part, impact=part.impact * scale, weight=weight)
