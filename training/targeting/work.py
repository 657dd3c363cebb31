"""The pieces of a training run: one window of the past that is tried, or one resample of the regions. Ray maps over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BrainError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.targeting import LeadOutcome
from models.targeting.cube import ActivityCube
from models.targeting.pairs import History, Window
from models.targeting.ranker import TargetRanker
from models.targeting.record import OURS, Figure, WindowRecord, head_of
from training.targeting.baselines import baseline_scores
from training.targeting.scores import Interval, in_words, score_methods

#: what scores are called in a record
_METRICS = {"precision": "precision_at_50", "roc_auc": "roc_auc", "pr_auc": "pr_auc"}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one worker is asked.

    Attributes:
        window: the window of the past to try; or None, and then a fit on the whole cube is asked for ...
        weights: ... with these weights of the regions (None: all alike).
        outcomes: closed leads, which are labels too.
    """

    cube: ActivityCube
    horizon: int
    seed: int
    window: Window | None = None
    weights: Floats | None = None
    outcomes: tuple[LeadOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit on the whole cube: probabilities to stand above, and growth, for each horizon, (horizons, regions, activities)."""

    ranker: TargetRanker
    above: Floats
    growth: Floats


def plan_windows(years: Sequence[int], horizon: int) -> list[Window]:
    """Windows of `horizon` years that can be tried: with a window of at least a year before them to learn from."""
    return [Window(one, one + horizon) for one in years[1:] if one + horizon in years]


def plan_draws(
    cube: ActivityCube, horizon: int, draws: int, seed: int, outcomes: tuple[LeadOutcome, ...]
) -> list[Piece]:
    """Resamples of whole regions: each region's weight is how often it was drawn."""
    rng = np.random.default_rng(seed)
    count = len(cube.regions)
    return [
        Piece(
            cube,
            horizon,
            seed + number,
            weights=rng.multinomial(count, np.full(count, 1.0 / count)).astype(np.float64),
            outcomes=outcomes,
        )
        for number in range(draws)
    ]


def do(piece: Piece) -> WindowRecord | Fitted | str:
    """A window's record, or a fit. A window that can't be tried says why."""
    if piece.window is None:
        return fit(piece)
    try:
        return try_window(piece.cube, piece.window, piece.seed)
    except BrainError as error:
        return str(error)


def fit(piece: Piece) -> Fitted:
    """Fit on the whole cube, and predict each horizon."""
    history = History(piece.cube)
    ranker = TargetRanker(piece.horizon).fit(
        piece.cube, piece.seed, weights=piece.weights, history=history, outcomes=piece.outcomes
    )
    above, growth = [], []
    for horizon in range(1, piece.horizon + 1):
        found = replace(ranker, horizon=horizon).predict(piece.cube, history)
        above.append(np.where(np.isfinite(found.entry), found.entry, 1.0 - found.exit))
        growth.append(np.where(piece.cube.values[-1] > 0.0, found.growth, np.nan))  # what is nothing has no growth
    return Fitted(ranker, np.stack(above), np.stack(growth))


def try_window(cube: ActivityCube, window: Window, seed: int) -> WindowRecord:
    """Fit on what was known at the window's start, rank, and score on its end, with every baseline."""
    known = cube.until(window.start)
    history = History(known)
    ranker = TargetRanker(window.years).fit(known, seed, history=history)
    before, after = history.quotients[-1], cube.quotients[cube.years.index(window.end)]
    asked = (before < 1.0) & np.isfinite(after)
    answers = {OURS: ranker.predict(known, history).entry, **baseline_scores(history, window.years, seed)}
    scores = {name: table[asked] for name, table in answers.items() if np.isfinite(table[asked]).all()}
    hit = after[asked] >= 1.0
    pairs, entered, expected = int(asked.sum()), int(hit.sum()), float(answers[OURS][asked].sum())
    if not 0 < entered < pairs:
        words = f"{entered} of {pairs} pairs entered: nothing to score."
        return WindowRecord(window.start, window.end, pairs, entered, expected, {}, {}, words)
    top = head_of(pairs)
    scored = score_methods(hit, scores, np.nonzero(asked)[0], OURS, seed, top)
    figures = {name: {m: _figure(one.figures[full]) for m, full in _METRICS.items()} for name, one in scored.items()}
    gain = {
        name: {m: _figure(one.gain[full]) for m, full in _METRICS.items()} for name, one in scored.items() if one.gain
    }
    words = in_words(scored, OURS, entered, pairs)
    return WindowRecord(window.start, window.end, pairs, entered, expected, figures, gain, words, top)


def half(table: Floats) -> npt.NDArray[np.float16]:
    """A table as it is kept of each resample: three digits."""
    return table.astype(np.float16)


def _figure(one: Interval) -> Figure:
    finite = np.isfinite(one.low) and np.isfinite(one.high)
    return Figure(one.value, one.low if finite else None, one.high if finite else None)
