"""A unit's past, beside pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.windows import age, departure, rolling_mean, rolling_slope, sorted_rows, unit_starts
from industrial_brain.domain.panel import Floats


@pytest.fixture
def values() -> Floats:
    drawn = np.random.default_rng(0).normal(size=(30, 2))
    drawn[4, 0] = np.nan
    return drawn


STARTS = np.array([0, 12, 30], dtype=np.int64)


def test_means_agree_with_pandas_and_never_cross_a_unit(values: Floats) -> None:
    group = np.repeat([0, 1], [12, 18])
    expected = pd.DataFrame(values).groupby(group).rolling(5, min_periods=1).mean().to_numpy()
    np.testing.assert_allclose(rolling_mean(values, STARTS, 5), expected)


def test_slopes_agree_with_a_fitted_line(values: Floats) -> None:
    slope = rolling_slope(values + 1e6, STARTS, 6)
    assert np.isnan(slope[12:14]).all()
    assert slope[20, 1] == pytest.approx(np.polyfit(np.arange(6), values[15:21, 1], 1)[0], rel=1e-6)
    known = [row for row in range(2, 8) if row != 4]
    assert slope[7, 0] == pytest.approx(np.polyfit(known, values[known, 0], 1)[0], rel=1e-6)


def test_a_departure_is_from_the_units_first_rows(values: Floats) -> None:
    gone = departure(values, STARTS, 4)
    assert gone[0, 1] == 0.0 and gone[20, 1] == pytest.approx(values[20, 1] - values[12:16, 1].mean())


def test_rows_are_put_in_order_and_counted() -> None:
    order = sorted_rows(np.array([1, 0, 1, 0]), np.array([2.0, 5.0, 1.0, 4.0]))
    assert order.tolist() == [3, 1, 2, 0]
    assert unit_starts(np.array([0, 0, 1, 1])).tolist() == [0, 2, 4]
    assert age(np.array([0, 2, 4])).tolist() == [1.0, 2.0, 1.0, 2.0]
