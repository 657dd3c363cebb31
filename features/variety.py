"""Variety of a region's activities, within related groups and between them (Frenken, Van Oort and Verburg 2007)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats


def entropy(values: Floats) -> Floats:
    """Shannon entropy, in bits, of the shares along the last axis; 0 log 0 is 0; NaN where there is nothing.

    >>> entropy(np.array([1.0, 1.0, 2.0])).tolist()
    1.5
    """
    total = np.nansum(values, axis=-1, keepdims=True)
    shares = np.divide(np.nan_to_num(values), total, out=np.zeros(values.shape), where=total > 0.0)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0.0)
    return np.asarray(np.where(total[..., 0] > 0.0, -(shares * logs).sum(axis=-1) + 0.0, np.nan))


def variety(values: Floats, group: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Unrelated and related variety, in bits, (regions,) each; they add up to the entropy of all activities.

    Unrelated variety is the entropy between groups, related variety the mean entropy within them, weighted by the groups'
    shares.

    Args:
        values: (regions, activities).
        group: (activities,) numbers from 0 of the groups that activities belong to; fixed by the analyst, and decisive.
    """
    sums = np.stack([np.nansum(values[:, group == one], axis=1) for one in range(int(group.max()) + 1)], axis=1)
    unrelated = entropy(sums)
    return unrelated, np.maximum(entropy(values) - unrelated, 0.0)
