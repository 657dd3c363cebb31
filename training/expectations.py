"""What is expected of a member by anyone, before anything has been learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.seasonality import seems_seasonal
from industrial_brain.domain.panel import Floats, Panel
from models.catalogue import FALLBACK, NAIVE


def rule_of_thumb(members: Sequence[str], panel: Panel) -> Floats:
    """Logarithms of relative errors: float64 (n, members); infinite for the fallback, which is never weighed, zero for most.

    Of a series that seems seasonal but is too short for a seasonal shape, members that adjust for the season can't: twice
    the usual error is expected of them.
    """
    usual = np.array([np.inf if name == FALLBACK else 0.0 for name in members])
    handicapped = np.array([name != NAIVE for name in members])
    return usual[None, :] + np.where(seems_seasonal(panel)[:, None] & handicapped[None, :], np.log(2.0), 0.0)
