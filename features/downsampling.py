"""Fewer points of a series of readings, chosen so that a picture of them looks the same. Kernels: rows in, rows out.

LTTB: Steinarsson, "Downsampling Time Series for Visual Representation" (2013). Extremes: smallest and largest of each stretch
of time, as plotting tools need them to draw the same pixels (Jugel et al., "M4", 2014, without first and last).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.compiled import compiled

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]


def largest_triangles(ts: Int64s, value: Float64s, points: int) -> Int64s:
    """Rows of the `points` that keep the shape best (LTTB): the first, the last, and of each bucket of equally many rows
    the one that makes the largest triangle with the point before and the mean of the bucket behind.

    Args:
        ts: rising; value: finite; equal lengths.
        points: at least 2.

    Not for finding extremes: a spike inside a bucket of taller ones is dropped; use `extremes`.

    >>> largest_triangles(np.arange(6), np.array([0.0, 0.0, 9.0, 0.0, 0.0, 0.0]), 3).tolist()
    [0, 2, 5]
    """
    if len(ts) <= points:
        return np.arange(len(ts), dtype=np.int64)
    return _largest_triangles((ts - ts[0]).astype(np.float64), value, points)


def extremes(ts: Int64s, value: Float64s, points: int) -> Int64s:
    """Rows of the smallest and the largest value of each of `points // 2` equally long stretches of time, in order.

    Args:
        ts: rising; value: finite; equal lengths.
        points: at least 2; fewer come back where stretches are empty or flat.

    >>> extremes(np.arange(6), np.array([0.0, 5.0, 1.0, 2.0, -3.0, 2.0]), 4).tolist()
    [0, 1, 4, 5]
    """
    if len(ts) <= points:
        return np.arange(len(ts), dtype=np.int64)
    return _extremes(ts, value, points // 2)


@compiled
def _largest_triangles(x: Float64s, y: Float64s, points: int) -> Int64s:
    n = len(x)
    chosen = np.empty(points, np.int64)
    chosen[0], chosen[points - 1] = 0, n - 1
    width = (n - 2) / (points - 2) if points > 2 else 0.0
    at = 0
    for bucket in range(points - 2):
        start, end = 1 + int(bucket * width), 1 + int((bucket + 1) * width)
        behind = min(n, max(end + 1, 1 + int((bucket + 2) * width)))
        mean_x, mean_y = x[end:behind].mean(), y[end:behind].mean()
        largest, best = -1.0, start
        for row in range(start, end):
            area = abs((x[at] - mean_x) * (y[row] - y[at]) - (x[at] - x[row]) * (mean_y - y[at]))
            if area > largest:
                largest, best = area, row
        chosen[bucket + 1] = best
        at = best
    return chosen


@compiled
def _extremes(ts: Int64s, value: Float64s, stretches: int) -> Int64s:
    n = len(ts)
    chosen = np.empty(2 * stretches, np.int64)
    count = 0
    span = ts[n - 1] - ts[0] + 1
    row = 0
    while row < n:
        stretch = int((ts[row] - ts[0]) / span * stretches)
        low = high = row
        while row < n and int((ts[row] - ts[0]) / span * stretches) == stretch:
            if value[row] < value[low]:
                low = row
            if value[row] > value[high]:
                high = row
            row += 1
        chosen[count] = min(low, high)
        count += 1
        if low != high:
            chosen[count] = max(low, high)
            count += 1
    return chosen[:count]
