"""How specialised places are, from a table of regions and activities. Tables are float64 (regions, activities), not
negative."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats

Flags = npt.NDArray[np.bool_]


def location_quotient(values: Floats) -> Floats:
    """Location quotient: an activity's share in a region over its share in all regions together, shape of `values`.

    With exports for values it is Balassa's (1965) revealed comparative advantage, RCA. 1 is the average. NaN where a region or
    an activity sums to zero: 0/0 says nothing. Missing values (NaN) count as nothing in the sums and stay NaN. Small regions
    have wild quotients; don't rank by it alone.

    >>> location_quotient(np.array([[3.0, 1.0], [1.0, 3.0]])).tolist()
    [[1.5, 0.5], [0.5, 1.5]]
    """
    region = np.nansum(values, axis=-1, keepdims=True)
    activity = np.nansum(values, axis=-2, keepdims=True)
    total = np.nansum(region, axis=-2, keepdims=True)
    expected = np.divide(region, total, out=np.zeros_like(region), where=total > 0.0) * activity
    # the product of two positive numbers can vanish below the smallest float
    found: Floats = np.divide(values, expected, out=np.full(values.shape, np.nan), where=expected > 0.0)
    return found


def specialised(quotient: Floats, cut: float = 1.0) -> Flags:
    """Where the quotient reaches the cut; unknown (NaN) is no."""
    return np.asarray(np.nan_to_num(quotient, nan=-np.inf) >= cut)


def diversity(present: Flags) -> Floats:
    """In how many activities each region is specialised, (regions,) (Hidalgo and Hausmann 2009: k_c,0)."""
    return np.asarray(present.sum(axis=1), dtype=np.float64)


def ubiquity(present: Flags) -> Floats:
    """How many regions are specialised in each activity, (activities,) (Hidalgo and Hausmann 2009: k_p,0)."""
    return np.asarray(present.sum(axis=0), dtype=np.float64)


def herfindahl(values: Floats, axis: int = -1) -> Floats:
    """Concentration, the sum of squared shares along an axis: 1/n when all are alike, 1 when one has all; NaN without any.

    >>> herfindahl(np.array([2.0, 1.0, 1.0])).tolist()
    0.375
    """
    total = np.nansum(values, axis=axis, keepdims=True)
    shares = np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0.0)
    squares = np.nansum(shares**2, axis=axis)
    return np.asarray(np.where(np.squeeze(total, axis=axis) > 0.0, squares, np.nan))
