"""What is expected of a member by anyone, before anything has been learnt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.seasonality import seems_seasonal
from industrial_brain.domain.panel import Floats, Panel
from models.catalogue import FALLBACK, NAIVE, READERS

#: by what factor the error of a member is larger that can't know what matters, and that of one smaller that alone does
ADVANTAGE = 2.0


def rule_of_thumb(members: Sequence[str], panel: Panel) -> Floats:
    """Logarithms of relative errors: float64 (n, members); infinite for the fallback, which is never weighed, zero for most.

    Of a series that seems seasonal but is too short for a seasonal shape, members that adjust for the season can't: twice
    the usual error is expected of them.
    """
    usual = np.array([np.inf if name == FALLBACK else 0.0 for name in members])
    handicapped = np.array([name != NAIVE for name in members])
    return usual[None, :] + np.where(seems_seasonal(panel)[:, None] & handicapped[None, :], np.log(ADVANTAGE), 0.0)


def told_ahead(members: Sequence[str], panel: Panel, horizon: int) -> Floats:
    """What to take off the rule of thumb where covariates speak: logarithms, float64 (n, members), zero for most.

    Where a covariate is known over the whole horizon, half the usual error is expected of members that read it. This is for
    weighing members that have answered, not for choosing which to fit: whether a reader can answer is not known before.
    """
    informed = _known_ahead(panel, horizon)[:, None] & np.array([name in READERS for name in members])[None, :]
    return np.where(informed, np.log(ADVANTAGE), 0.0)


def _known_ahead(panel: Panel, horizon: int) -> npt.NDArray[np.bool_]:
    """Which series read a covariate whose values reach `horizon` periods beyond their own: bool (n,)."""
    linked = panel.covariates
    if linked is None or len(linked.start) == 0:
        return np.zeros(len(panel), dtype=np.bool_)
    end = (linked.start + np.diff(linked.indptr) - 1)[linked.reads]
    until = np.minimum(linked.known_until(panel.last), end)
    return np.asarray(((linked.reads >= 0) & (until >= panel.last[:, None] + horizon)).any(axis=1), dtype=np.bool_)
