"""Growth of regional activities, split in three (Dunn 1960)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.panel import Floats


@dataclass(frozen=True, slots=True)
class ShiftShare:
    """Amounts (regions, activities) in the unit of the values; the three add up to the change exactly.

    Attributes:
        national: what growth at the rate of everything would have brought.
        mix: what the activity's own rate, beyond that, brought.
        competitive: the rest, which is the region's own.
    """

    national: Floats
    mix: Floats
    competitive: Floats


def shift_share(before: Floats, after: Floats) -> ShiftShare:
    """Split the change between two tables (regions, activities).

    An activity that was nowhere before has no rate of growth; what it brings is the region's own. Without any activity before,
    all change is. The classical form: the mix and the competitive part aren't independent of how activities are cut.
    """
    total, by_activity = before.sum(), before.sum(axis=0)
    rate = after.sum() / total - 1.0 if total > 0.0 else 0.0
    own = (
        np.divide(after.sum(axis=0), by_activity, out=np.full(by_activity.shape, 1.0 + rate), where=by_activity > 0.0)
        - 1.0
    )
    national = before * rate
    mix = before * (own - rate)
    return ShiftShare(national, mix, after - before - national - mix)
