"""Splitting: a path into level, trend and seasons by moving averages, for members that can't say what theirs is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.compiled import compiled
from industrial_brain.domain.panel import Floats


def split_path(history: Floats, path: Floats, seasons: Sequence[int]) -> tuple[float, Floats, dict[int, Floats]]:
    """Level at the end of a history, trend ahead, and seasons ahead, which add up to the path.

    The path goes on from the history. A centred moving average over a season takes that season out (Macaulay 1931); averaging
    over the shortest season first, each longer one is what the next average takes out of the last. What is left is the
    trend, from the level that it has at the end of the history. Over the ends an average is taken as if what lies beyond
    repeated the season before, so ask for a path one season longer than what is shown. A season that the history does not
    span is left in the trend.

    Args:
        history: float64 (periods,), without gaps.
        path: float64 (horizon,).
        seasons: periods of each season, ascending.

    >>> level, trend, parts = split_path(np.tile([9.0, 11.0], 4), np.tile([9.0, 11.0], 4), [2])
    >>> level, trend.tolist(), parts[2].tolist()
    (10.0, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    """
    ahead = len(path)
    rest = np.concatenate([history, path])
    parts: dict[int, Floats] = {}
    for season in seasons:
        if season < 2 or len(history) < season:
            continue
        smooth = _centred(rest, season)
        parts[season] = (rest - smooth)[-ahead:]
        rest = smooth
    level = float(rest[len(history) - 1])
    return level, rest[-ahead:] - level, parts


@compiled
def _centred(y: Floats, season: int) -> Floats:
    """The centred moving average over one season; an even season's ends weigh half."""
    n, half = len(y), season // 2
    longer = np.empty(n + 2 * half)
    longer[half : half + n] = y
    for t in range(half):  # a season back, and a season ahead
        longer[half - 1 - t] = longer[half - 1 - t + season]
        longer[half + n + t] = longer[half + n + t - season]
    running = np.concatenate((np.zeros(1), np.cumsum(longer)))
    out = np.empty(n)
    for t in range(n):
        if season % 2 == 1:
            out[t] = (running[t + season] - running[t]) / season
        else:
            out[t] = (running[t + season] - running[t + 1] + 0.5 * (longer[t] + longer[t + season])) / season
    return out
