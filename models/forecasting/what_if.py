"""What a scenario does to a fitted panel: which series it moves, by how much, and what it assumes.

The regression's forecast under the scenario less its forecast under what is expected, added in full to what the ensemble says:
the other members know no covariates, and their forecasts are of the expected ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from features.expectations import KNOWN, LAST_VALUE, NORMAL
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Ordinals
from industrial_brain.domain.protocols import Covariates, Distribution
from industrial_brain.domain.scenarios import Assumption, Scenario
from models.forecasting.combination import Combination, combine
from models.forecasting.dynamic_regression import DynamicRegression
from models.forecasting.fitted_panel import FittedPanel
from models.forecasting.hierarchy import Tree
from models.forecasting.reconciliation import ErrorCovariance, reconcile
from models.forecasting.state import Rows

_BASES = {KNOWN: "known", NORMAL: "normal", LAST_VALUE: "last value"}

_MEMBER = "regression"

#: how far beyond all that was seen a straight line is drawn: the width of that, or this share of the largest of it
_REACH = 0.5

#: variance of the effect on a series that a scenario does not tell of, over that on one of which it does
_UNTOLD = 1e6


@dataclass(frozen=True, slots=True)
class Effect:
    """What a scenario does to all series of a panel.

    Attributes:
        moved: the panel as it is under the scenario: what it predicts adds up, too.
        expected, assumed: covariate to float64 (n, periods).
        known: covariate to int64 (n,), how many of the periods ahead are known.
        basis: covariate to (n,) words: what the others rest on.
        refusals: row to why the scenario says nothing of that series.
        notes: row to what a reader should know.
    """

    moved: FittedPanel
    expected: Mapping[str, Floats]
    assumed: Mapping[str, Floats]
    known: Mapping[str, Ordinals]
    basis: Mapping[str, list[str]]
    refusals: Mapping[int, str]
    notes: Mapping[int, tuple[str, ...]]

    def assumptions(self, row: int, horizon: int) -> dict[str, Assumption]:
        return {
            name: Assumption(
                _BASES[KNOWN] if self.known[name][row] >= horizon else self.basis[name][row],
                min(int(self.known[name][row]), horizon),
                tuple(self.expected[name][row, :horizon].tolist()),
                tuple(self.assumed[name][row, :horizon].tolist()),
            )
            for name in self.assumed
        }


@dataclass(frozen=True, slots=True)
class Moved(Combination):
    """A combination whose means are moved by what a scenario adds: `added`, float64 (n, periods), nothing beyond them."""

    added: Floats

    def forecast(self, horizon: int, future: Covariates | None = None) -> Distribution:
        own = combine([m.forecast(horizon, future) for m in self.members.values()], self.weights)
        mean, shown = own.mean.copy(), min(horizon, self.added.shape[1])
        mean[:, :shown] += self.added[:, :shown]
        return replace(own, mean=mean)

    def take(self, rows: Rows) -> Self:
        return replace(
            self,
            members={name: m.take(rows) for name, m in self.members.items()},
            weights=self.weights[rows],
            added=self.added[rows],
        )


def scenario_effect(fitted: FittedPanel, scenario: Scenario, rows: Rows, horizon: int) -> Effect:
    """The effect on every series of the panel; refusals and notes for `rows` alone.

    A series that does not depend on one of the covariates is refused, never answered as if nothing had been asked; so is one
    that the regression can't answer, one whose covariate has never moved, and one whose covariate the scenario takes further
    than any history tells of.

    Raises:
        InputError: values that are not one a period of the horizon.
    """
    panel, model = fitted.panel, fitted.model
    names = () if panel.covariates is None else panel.covariates.names
    for name, change in scenario.items():
        if change.values is not None and len(change.values) != horizon:
            raise InputError(
                f"The scenario gives {len(change.values)} values of {name}, and the horizon is {horizon}.",
                "Give one value for each period that is forecast.",
                pointer=f"/scenario/{name}/values",
            )
    n = len(panel)
    every = fitted.lags(np.arange(n))
    lag = int(np.where(np.isfinite(every), every, 0.0).max(initial=0.0))
    periods = max(horizon, panel.freq.default_horizon) + 2 * lag  # as far as any is forecast so that all add up
    member = model.members.get(_MEMBER)
    refusals = {int(row): _why_not(panel, scenario, int(row)) for row in rows}
    refusals = {row: why for row, why in refusals.items() if why}
    asked = {name: change for name, change in scenario.items() if name in names}
    if not isinstance(member, DynamicRegression) or not asked:
        return Effect(fitted, {}, {}, {}, {}, refusals, {})
    everything = member.expectation(np.arange(n), periods)
    expected, assumed, known, basis, future = {}, {}, {}, {}, {}
    for name, change in asked.items():
        at = names.index(name)
        before = everything[:, :, at]
        after = before * change.multiply + change.add
        if change.values is not None:
            after = before.copy()
            after[:, :horizon] = np.asarray(change.values)
        future[str(at)] = after
        expected[name], assumed[name] = before, after
        known[name] = member.known[:, at]
        basis[name] = [_BASES.get(int(code), "") for code in member.basis[:, at]]
    moved, still = member.forecast(periods, future).mean, member.forecast(periods).mean
    added = np.where(np.isfinite(moved) & np.isfinite(still), moved - still, 0.0)
    told = np.isfinite(moved[:, 0]) & np.isfinite(still[:, 0])
    _carry(added, told & _reads_any(panel, asked), fitted)
    under = replace(fitted, model=Moved(model.members, model.weights, added))
    weights = model.weights[:, list(model.members).index(_MEMBER)]
    notes: dict[int, tuple[str, ...]] = {}
    for row in map(int, rows):
        if row in refusals:
            continue
        if not np.isfinite(moved[row, :horizon]).all():
            refusals[row] = "No regression on its covariates could be fitted, so a scenario can't be answered."
            continue
        lines, why = _beyond(panel, assumed, names, row, horizon)
        if why:
            refusals[row] = why
            continue
        if not weights[row] > 0.0:
            lines.append("the regression that tells the scenario's effect has no weight in the forecast itself")
        notes[row] = tuple(lines)
    return Effect(under, expected, assumed, known, basis, refusals, notes)


def _reads_any(panel: Panel, names: Collection[str]) -> npt.NDArray[np.bool_]:
    """Which series depend on one of these covariates."""
    linked = panel.covariates
    if linked is None:
        return np.zeros(len(panel), dtype=np.bool_)
    return np.asarray((linked.reads[:, [name in names for name in linked.names]] >= 0).any(axis=1))


def _carry(added: Floats, told: npt.NDArray[np.bool_], fitted: FittedPanel) -> None:
    """Carry what a scenario adds to the series it is told for over to those that they add up with, in place.

    A whole that depends on no covariate itself moves by what its parts do, and parts by what is left of their whole: were they
    left where they are, adding up would take back a part of the effect. Those that are told are the only evidence.
    """
    last = fitted.panel.last
    for number in np.unique(fitted.structure.tree[told]):
        if number < 0:
            continue
        tree = Tree.of(fitted.structure, int(number))
        members = tree.members
        if told[members].all():
            continue
        lag = last[members].max() - last[members]
        at = lag[:, None] + np.arange(added.shape[1] - int(lag.max()))[None, :]
        variance = np.where(told[members], 1.0, _UNTOLD)
        together = reconcile(np.take_along_axis(added[members], at, axis=1), ErrorCovariance.diagonal(variance), tree)
        whole = added[members]
        np.put_along_axis(whole, at, together, axis=1)
        added[members] = whole


def _why_not(panel: Panel, scenario: Scenario, row: int) -> str:
    linked = panel.covariates
    has = [] if linked is None else [name for j, name in enumerate(linked.names) if linked.reads[row, j] >= 0]
    lacking = [name for name in scenario if name not in has]
    if not lacking:
        return ""
    known = f"it depends on {', '.join(has)}" if has else "it depends on no covariate"
    return f"The scenario changes {', '.join(lacking)}, on which this series does not depend: {known}."


def _beyond(
    panel: Panel, assumed: Mapping[str, Floats], names: tuple[str, ...], row: int, horizon: int
) -> tuple[list[str], str]:
    """A line for each covariate that the scenario takes where it has never been; or why it goes too far."""
    linked = panel.covariates
    lines: list[str] = []
    if linked is None:
        return lines, ""
    for name, values in assumed.items():
        seen = linked.source(int(linked.reads[row, names.index(name)]))
        low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
        if not high > low:
            return lines, f"{name} has never been anything but {low:.4g}: what another value would do can't be known."
        asked = values[row, :horizon]
        reach = max(high - low, _REACH * max(abs(low), abs(high)))
        if asked.min() < low - reach or asked.max() > high + reach:
            furthest = asked.min() if low - asked.min() > asked.max() - high else asked.max()
            return lines, (
                f"The scenario takes {name} to {furthest:.4g}, and it was only ever between {low:.4g} and {high:.4g}: "
                "no history tells of anything so far away."
            )
        outside = int(np.count_nonzero((asked < low) | (asked > high)))
        if outside:
            lines.append(
                f"in {outside} of {horizon} periods the scenario takes {name} beyond the {low:.4g} to {high:.4g} that were "
                "ever seen: its effect is extrapolated"
            )
    return lines, ""
