from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.downsampling import extremes, largest_triangles


def triangles_by_the_book(x: np.ndarray, y: np.ndarray, points: int) -> list[int]:
    """LTTB as its thesis tells it, bucket by bucket."""
    edges = [1 + int(i * (len(x) - 2) / (points - 2)) for i in range(points - 1)]
    chosen = [0]
    for bucket, (start, end) in enumerate(itertools.pairwise(edges)):
        behind = slice(end, edges[bucket + 2]) if bucket + 2 < len(edges) else slice(len(x) - 1, None)
        a, c = (x[chosen[-1]], y[chosen[-1]]), (x[behind].mean(), y[behind].mean())
        areas = [
            abs(np.linalg.det(np.array([[*a, 1.0], [x[row], y[row], 1.0], [*c, 1.0]]))) for row in range(start, end)
        ]
        chosen.append(start + int(np.argmax(areas)))
    return [*chosen, len(x) - 1]


def test_triangles_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    ts = np.sort(rng.choice(10_000, 400, replace=False)).astype(np.int64)
    value = rng.normal(size=400).cumsum()
    expected = triangles_by_the_book((ts - ts[0]).astype(float), value, 40)
    assert largest_triangles(ts, value, 40).tolist() == expected


def test_extremes_hold_the_smallest_and_largest_of_every_stretch() -> None:
    rng = np.random.default_rng(4)
    ts, value = np.arange(1000, dtype=np.int64), rng.normal(size=1000)
    rows = extremes(ts, value, 20)
    for stretch in value.reshape(10, 100):
        assert {stretch.min(), stretch.max()} <= set(value[rows])


@pytest.mark.parametrize("method", [largest_triangles, extremes])
@given(
    steps=st.lists(st.integers(1, 10**13), max_size=80),
    points=st.integers(2, 30),
    seed=st.integers(0, 99),
)
def test_rows_rise_and_are_no_more_than_asked(method: object, steps: list[int], points: int, seed: int) -> None:
    ts = np.cumsum(np.array(steps, np.int64)) if steps else np.zeros(0, np.int64)
    value = np.random.default_rng(seed).choice([-1e300, 0.0, 1.0, 2.5], len(ts))
    rows = method(ts, value, points)  # type: ignore[operator]
    assert len(rows) <= points
    assert (np.diff(rows) > 0).all()
    assert len(ts) == 0 or rows[0] >= 0
    assert len(ts) > points or rows.tolist() == list(range(len(ts)))
