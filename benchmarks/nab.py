"""The scorer of the Numenta Anomaly Benchmark (Lavin & Ahmad 2015), its sigmoid and its search for a threshold.

An alarm inside a labelled window is worth up to 1, the more the earlier it comes; only the best one of a window counts. A
window without an alarm costs. An alarm outside costs the more the farther it is behind the last window. A score of 0 is that
of a detector that never speaks, 100 that of one that meets each window in its first row and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats

#: rows of windows, shape (windows, 2): first and last row, both inside; in order of time, without overlap
Windows = npt.NDArray[np.int64]

_PROBATION_SHARE, _PROBATION_ROWS = 0.15, 5000
_FARTHEST = 3.0  # windows' widths behind a window, from where a false alarm costs all it can


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user loses and gains: weights of a window that was met, of one that was missed, and of a false alarm."""

    met: float
    missed: float
    false: float


#: the three profiles of the benchmark, by the name of their metric
PROFILES: Mapping[str, Profile] = {
    "nab_standard": Profile(1.0, 1.0, 0.11),
    "nab_low_fp": Profile(1.0, 1.0, 0.22),
    "nab_low_fn": Profile(1.0, 2.0, 0.11),
}


def probation(rows: int) -> int:
    """How many first rows of a series are for learning: 15%, at most 750. No alarm in them counts."""
    return int(min(np.floor(_PROBATION_SHARE * rows), _PROBATION_SHARE * _PROBATION_ROWS))


@dataclass(frozen=True, slots=True)
class Worth:
    """What an alarm in each row would be worth; see `worth_of`.

    Attributes:
        row: float64, `n`: above 0 inside of windows, below outside.
        window: int64, `n`: number of the row's window, -1 outside.
        windows: how many there are.
        counts: bool, `n`: whether the row is past probation.
    """

    row: Floats
    window: npt.NDArray[np.int64]
    windows: int
    counts: npt.NDArray[np.bool_]


def worth_of(rows: int, windows: Windows, profile: Profile) -> Worth:
    """What an alarm in each of `rows` rows is worth under a profile.

    Raises InputError for windows that overlap, are out of order or out of the series.
    """
    first, last = windows.reshape(-1, 2).T
    if len(first) and not (
        first[0] >= 0 and last[-1] < rows and (first <= last).all() and (first[1:] > last[:-1]).all()
    ):
        raise InputError(
            "Windows overlap, or lie outside of their series.", "Give them in order, as rows of the series."
        )
    row = np.arange(rows)
    entered = np.searchsorted(first, row, side="right") - 1  # the last window that has begun; -1: none yet
    inside = (entered >= 0) & (row <= np.append(last, -1)[entered])
    width = np.append(last - first + 1, 1).astype(np.float64)
    end = np.append(last, 0)

    early = -(end[entered] - row + 1) / width[entered]
    late = (row - end[entered]) / np.maximum(width[entered] - 1.0, 1.0)
    worth = np.where(
        inside,
        profile.met * _sigmoid(early) / _sigmoid(np.float64(-1.0)),
        profile.false * np.where(entered < 0, -1.0, _sigmoid(late)),
    )
    return Worth(worth, np.where(inside, entered, -1), len(first), row >= probation(rows))


def _sigmoid(position: Floats | np.float64) -> Floats:
    """Near 1 a window's width ahead of its end, 0 at its end, -1 far behind."""
    near = np.minimum(position, _FARTHEST)
    value: Floats = np.where(position > _FARTHEST, -1.0, 2.0 / (1.0 + np.exp(5.0 * near)) - 1.0)
    return value


def nab_score(scores: Sequence[Floats], windows: Sequence[Windows], profile: Profile, threshold: float) -> float:
    """The benchmark's score of a whole corpus, 100 at best, where rows with a score of `threshold` or more are alarms.

    Args:
        scores: a series each, one score a row; NaN is never an alarm.
        windows: of the same series.

    Raises InputError where no series has a window: then there is nothing to find.
    """
    thresholds, values = _sweep(scores, windows, profile)
    reached = np.flatnonzero(thresholds >= threshold)
    return float(values[reached[-1]]) if len(reached) else 0.0


def best_threshold(scores: Sequence[Floats], windows: Sequence[Windows], profile: Profile) -> tuple[float, float]:
    """The benchmark's own optimiser: the one threshold for the whole corpus that scores best, and that score.

    All distinct scores are tried. Of equals the highest is taken; infinity (no alarm at all) where nothing beats silence.
    It looks at the labels, as the published scores did: it says what a detector could do, not what an operator gets.
    """
    thresholds, values = _sweep(scores, windows, profile)
    best = int(np.argmax(values))
    if values[best] <= 0.0:
        return float("inf"), 0.0
    return float(thresholds[best]), float(values[best])


def _sweep(scores: Sequence[Floats], windows: Sequence[Windows], profile: Profile) -> tuple[Floats, Floats]:
    """Every distinct score from the highest down, and the corpus' score where it is the threshold."""
    worths = [worth_of(len(s), w, profile) for s, w in zip(scores, windows, strict=True)]
    total = sum(one.windows for one in worths)
    if not total:
        raise InputError("No series has a labelled window.", "Score a set that has anomalies.")
    gains, seen = [], []
    for score, worth in zip(scores, worths, strict=True):
        rows = np.flatnonzero(worth.counts & ~np.isnan(score))
        rows = rows[np.argsort(-score[rows], kind="stable")]
        gains.append(_gains(worth, rows, profile))
        seen.append(score[rows])
    score, gain = np.concatenate(seen), np.concatenate(gains)
    order = np.argsort(-score, kind="stable")
    score, gain = score[order], gain[order]
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], len(score) > 0))
    silent = -profile.missed * total
    raw = silent + np.cumsum(gain)[ends]
    return score[ends], 100.0 * (raw - silent) / (profile.met * total - silent)


def _gains(worth: Worth, rows: npt.NDArray[np.int64], profile: Profile) -> Floats:
    """By how much each row raises the sum when it becomes an alarm after those before it: inside of a window only what
    it is worth more than the best one so far."""
    gain = worth.row[rows].copy()
    inside = np.flatnonzero(worth.window[rows] >= 0)
    by_window = inside[np.argsort(worth.window[rows][inside], kind="stable")]
    for part in np.split(by_window, np.flatnonzero(np.diff(worth.window[rows][by_window])) + 1):
        best = np.maximum.accumulate(np.append(-profile.missed, worth.row[rows[part]]))
        gain[part] = np.diff(best)
    return gain
