"""What a ranker must beat: simple scores of pairs below the threshold, each an established way to draw such maps."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats
from models.targeting.measures import COLUMN, Table
from models.targeting.pairs import History, windows_of

#: by name, in the order in which they are printed
BASELINES = ("persistence", "density", "region_diversity", "activity_ubiquity", "logistic")

_MEASURES = {name: COLUMN[name] for name in ("density", "region_diversity", "activity_ubiquity")}


def baseline_scores(history: History, horizon: int, seed: int = 0) -> dict[str, Floats]:
    """Scores (regions, activities) of the history's last year, 0 to 1, high where entry is expected; NaN where the location
    quotient is unknown, and for the logistic regression where there is no earlier window with entries to learn from.

    Persistence is the location quotient itself, cut at 1. The logistic regression sees it and the three others, and learns
    from the windows that our ranker learns from, with the same weights.
    """
    year = history.cube.years[-1]
    quotient = history.quotients[-1]
    columns = history.measures(year).columns
    found = {"persistence": np.minimum(quotient, 1.0)}
    for name, place in _MEASURES.items():
        found[name] = np.where(np.isfinite(quotient), columns[..., place].astype(np.float64), np.nan)
    found["logistic"] = _logistic(history, horizon, seed, columns)
    return found


def _logistic(history: History, horizon: int, seed: int, now: Table) -> Floats:
    from sklearn.linear_model import LogisticRegression

    shape = now.shape[:2]
    windows = windows_of(history.cube.years, horizon)
    if not windows:
        return np.full(shape, np.nan)
    pairs = history.pairs(windows, horizon, seed)
    below = pairs.take(pairs.start < 0.0)
    entered = below.end >= 0.0
    if not 0 < np.count_nonzero(entered) < len(below):
        return np.full(shape, np.nan)
    table, asked = _four(below.measures), _four(now.reshape(-1, now.shape[-1]))
    centre, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    model = LogisticRegression(max_iter=500).fit((table - centre) / spread, entered, sample_weight=below.weight)
    known = np.isfinite(asked).all(axis=1)
    found = np.full(len(asked), np.nan)
    found[known] = model.predict_proba((asked[known] - centre) / spread)[:, 1]
    return found.reshape(shape)


def _four(measures: Table) -> Floats:
    quotient = np.minimum(np.exp(measures[:, COLUMN["log_rca"]].astype(np.float64)), 1.0)
    return np.column_stack([quotient, *(measures[:, place].astype(np.float64) for place in _MEASURES.values())])
