"""Why a risk is what it is: what each feature adds to the log odds (SHAP, Lundberg and Lee 2017), in words."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Reason
from models.risk.engine import RiskEngine
from models.risk.recipe import Features, Matrix
from models.risk.stacking import BOUND

#: points that a value's place among the known cases is read off
POINTS = 101


def place_grid(features: Matrix) -> Floats:
    """(p, POINTS) percentiles of each feature over the known cases; NaN where it has no value."""
    grid = np.full((features.shape[1], POINTS), np.nan)
    for at, column in enumerate(features.T):
        known = column[np.isfinite(column)]
        if len(known):
            grid[at] = np.quantile(known, np.linspace(0.0, 1.0, POINTS), method="nearest")
    return grid


def contributions(engine: RiskEngine, features: Matrix) -> Floats:
    """(n, p + 1) what each feature adds to the log odds before calibration; the last is where all start. They add up to
    `engine.log_odds` where no member's log odds were bounded."""
    total = np.zeros((len(features), features.shape[1] + 1))
    for (_, fits), weight in zip(engine.fits.items(), engine.weights[:-1], strict=True):
        if weight > 0.0:
            total += weight * np.mean([fit.contributions(features) for fit in fits], axis=0)
    total[:, -1] += engine.weights[-1]
    return np.clip(total, -BOUND * 10.0, BOUND * 10.0)


def reasons_for(features: Features, added: Floats, grid: Floats, count: int) -> list[tuple[Reason, ...]]:
    """Of each row the `count` features that move its odds furthest, the furthest first.

    Args:
        added: (n, p) contributions.
        grid: of the known cases.
    """
    found = []
    for row in range(len(added)):
        order = np.argsort(-np.abs(added[row]), kind="stable")[:count]
        found.append(
            tuple(_reason(features, row, int(at), float(added[row, at]), grid[at]) for at in order if added[row, at])
        )
    return found


def _reason(features: Features, row: int, at: int, added: float, grid: Floats) -> Reason:
    value = float(features.values[row, at])
    name, sources = features.names[at], features.sources[at]
    odds = np.exp(abs(added))
    effect = f"{'raises' if added > 0 else 'lowers'} the odds by a factor of {odds:.2g}"
    if not np.isfinite(value):
        return Reason(name, sources, None, None, added, f"{name} is missing, which {effect}.")
    share = float(np.searchsorted(grid, value, "left") / POINTS)
    if _is_flag(grid):
        return Reason(name, sources, value, share, added, f"{name}: {'yes' if value > 0.5 else 'no'}, which {effect}.")
    rank = (
        f"higher than in {share:.0%} of the known cases"
        if share >= 0.5
        else f"lower than in {1 - share:.0%} of the known cases"
    )
    return Reason(name, sources, value, share, added, f"{name} is {value:,.4g}, {rank}, which {effect}.")


def _is_flag(grid: Floats) -> bool:
    return bool(np.isin(grid[np.isfinite(grid)], (0.0, 1.0)).all())
