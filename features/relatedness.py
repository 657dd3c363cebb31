"""What is near to what a region already does (Hidalgo, Klinger, Barabasi and Hausmann 2007)."""

from __future__ import annotations

import numpy as np

from features.specialisation import Flags, ubiquity
from industrial_brain.domain.panel import Floats


def proximity(present: Flags) -> Floats:
    """How often two activities are found in the same region, (activities, activities), symmetric, 0 to 1.

    The smaller of the two conditional probabilities: regions with both over regions with the more common one. The diagonal
    is 0: an activity is no evidence for itself. An activity that is nowhere is near to nothing.

    >>> proximity(np.array([[True, True], [True, False]])).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    places = present.astype(np.float64)
    both = places.T @ places
    common = ubiquity(present)
    larger = np.maximum(common[:, None], common[None, :])
    near: Floats = np.divide(both, larger, out=np.zeros_like(both), where=larger > 0.0)
    np.fill_diagonal(near, 0.0)
    return near


def density(present: Flags, near: Floats) -> Floats:
    """Relatedness density, (regions, activities), 0 to 1: of all proximity to an activity, the part that lies in activities
    that the region has. 0 for an activity that is near to nothing.

    Beware: it is high for every activity in a diverse region. On its own it ranks regions more than activities.
    """
    whole = near.sum(axis=0)
    there = present.astype(np.float64) @ near
    return np.asarray(np.divide(there, whole, out=np.zeros_like(there), where=whole > 0.0))


def outlook(present: Flags, near: Floats, complexity: Floats) -> Floats:
    """Complexity outlook of each region, (regions,): how complex the activities are that it lacks, each weighted by its density
    (Hausmann, Hidalgo et al., Atlas of Economic Complexity, 2014). Activities without a known complexity (NaN) count as 0."""
    return np.asarray((density(present, near) * ~present * np.nan_to_num(complexity)).sum(axis=1))


def outlook_gain(present: Flags, near: Floats, complexity: Floats) -> Floats:
    """Opportunity outlook gain, (regions, activities): what a region's outlook gains if it takes up an activity, less what
    it loses because that activity is no longer an opportunity (Atlas, 2014). NaN where the region has the activity already.

    Args:
        complexity: (activities,) PCI; NaN counts as 0.
    """
    pci = np.nan_to_num(complexity)
    whole = near.sum(axis=0)
    opens = np.divide(near, whole, out=np.zeros_like(near), where=whole > 0.0)  # [new, opened]
    lacking = ~present * pci
    gain = lacking @ opens.T - density(present, near) * pci
    return np.asarray(np.where(present, np.nan, gain))
