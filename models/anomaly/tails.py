"""From scores to p-values: pooled laws of what channels do when nothing is wrong.

A channel knows its own *edge*, the score that one reading in twenty exceeds, and its mean excess over it. Measured in these
two, channels look alike, and their readings are pooled: the pool counts scores in bins, and is read where it has
counts. Beyond the last fifty a generalised Pareto law goes on (peaks over a threshold: Pickands 1975; Siffer et al. 2017
for streams). As the counts are of scores *before* they were learnt from, what channels don't know of their own edge is in
the law too. The smallest of the detectors' p-values has a law of its own, the joint one, whose tail is exponential.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.anomaly.kernel import AGES, BINS, BODY, JOINT_BINS, KINDS, OVER_EDGE, PER_BIT, PER_OCTAVE
from models.anomaly.state import DETECTORS

Floats = npt.NDArray[np.float64]

#: readings that a pool begins with, as if seen: of a Student's t with four degrees of freedom
SEEDS = 2_000.0
#: counts below which a tail is a law, not a count; a law is fitted to the outermost FITTED of them
FEWEST, FITTED = 50.0, 2_000.0
#: the memory of a pool, in readings; the joint law forgets sooner, as it was counted by laws that have changed since
REMEMBERED, REMEMBERED_JOINT = 4e7, 2e6

#: share of a fitted tail of which only the number counts
OUTERMOST = 0.01

SHAPES = np.round(np.linspace(-0.5, 1.0, 16), 9)
SCALES = np.geomspace(1 / 4, 4.0, 29)

EXCESSES: Floats = 2.0 ** (np.arange(BINS - BODY + 1) / PER_OCTAVE) - 1.0
#: shapes of the laws that pools begin with, by kind of tail
SHAPES_AT_FIRST = (0.0, 0.15, 0.25, 0.4)


class Pools:
    """Counts of scores and the laws read off them.

    Attributes:
        counts: of scores, (AGES * KINDS * DETECTORS, BINS); joint_counts: of the smallest p, (AGES * KINDS, JOINT_BINS).
        tails, joint_tails: logarithms of the share of scores beyond each edge of a bin; one column more.
    """

    def __init__(self) -> None:
        body = np.linspace(1.0, OVER_EDGE, BODY + 1)
        laws = [np.append(body, OVER_EDGE * _pareto(EXCESSES[1:], shape, 1.0 - shape)) for shape in SHAPES_AT_FIRST]
        self.counts = np.tile(np.repeat(SEEDS * -np.diff(laws), DETECTORS, axis=0), (AGES, 1))
        chance = np.minimum(1.0, 2.5 * 2.0 ** (-np.arange(JOINT_BINS + 1) / PER_BIT))
        self.joint_counts = np.tile(SEEDS * -np.diff(chance), (AGES * KINDS, 1))
        self.tails = np.zeros((AGES * KINDS * DETECTORS, BINS + 1))
        self.joint_tails = np.zeros((AGES * KINDS, JOINT_BINS + 1))
        self.refit()

    def refit(self) -> None:
        """Read the laws off the counts."""
        for pool, counts in enumerate(self.counts):
            if counts.sum() > REMEMBERED:
                counts *= 0.5
            self.tails[pool] = _tail(counts)
        for pool, counts in enumerate(self.joint_counts):
            if counts.sum() > REMEMBERED_JOINT:
                counts *= 0.5
            self.joint_tails[pool] = _joint_tail(counts)


def _pareto(excess: Floats, shape: float, scale: float) -> Floats:
    """Share beyond an excess."""
    if shape == 0.0:
        law: Floats = np.exp(-excess / scale)
        return law
    beyond: Floats = np.maximum(1.0 + shape * excess / scale, 1e-12) ** (-1.0 / shape)
    return beyond


def _beyond(counts: Floats) -> Floats:
    """Counts from each edge of a bin on."""
    sums: Floats = np.append(np.cumsum(counts[::-1])[::-1], 0.0)
    return sums


def _tail(counts: Floats) -> Floats:
    """Logarithm of the share beyond each edge: counted as far as there are counts, then a Pareto law."""
    beyond = _beyond(counts)
    total = beyond[0]
    last = max(int(np.flatnonzero(beyond >= FEWEST)[-1]), BODY)
    start = min(max(int(np.flatnonzero(beyond >= FITTED)[-1]), BODY), last) if beyond[BODY] >= FITTED else BODY
    out = np.log(np.maximum(beyond, 1e-300) / total)
    excess = EXCESSES[start - BODY :] - EXCESSES[start - BODY]
    shape, scale = _fit(counts[start:], excess)
    law = np.log(np.maximum(_pareto(excess, shape, scale), 1e-300))
    at = last - start
    out[last:] = out[last] + law[at:] - law[at]
    # a law with an end would make what lies beyond it impossible: it goes on as steeply as the line before
    floor = out[last] - 40.0
    falling: Floats = np.maximum(out, np.minimum(floor, floor - 0.5 * (np.arange(len(out)) - last)))
    return falling


def _fit(counts: Floats, edges: Floats) -> tuple[float, float]:
    """Shape and scale of the Pareto law of greatest likelihood for counts in bins from 0.

    The outermost hundredth counts as beyond its edge and no more: there the anomalies are, and how far out they lie is
    nothing that a law of normal readings should know.
    """
    beyond = _beyond(counts)
    inner = max(int(np.flatnonzero(beyond > OUTERMOST * beyond[0])[-1]), 1)
    mean = float(np.sum(counts[:inner] * 0.5 * (edges[:inner] + edges[1 : inner + 1])) / np.sum(counts[:inner]))
    shape, scale = SHAPES[:, None, None], (SCALES * mean)[None, :, None]
    within = np.maximum(1.0 + shape * edges[: inner + 1] / scale, 1e-12)
    safe = np.where(shape == 0.0, 1.0, shape)
    law = np.where(shape == 0.0, np.exp(-edges[: inner + 1] / scale), within ** (-1.0 / safe))
    chance = np.concatenate([law[..., :-1] - law[..., 1:], law[..., -1:]], axis=-1)
    likelihood = np.log(np.maximum(chance, 1e-300)) @ np.append(counts[:inner], beyond[inner])
    best = np.unravel_index(int(np.argmax(likelihood)), likelihood.shape)
    return float(SHAPES[best[0]]), float(SCALES[best[1]] * mean)


def _joint_tail(counts: Floats) -> Floats:
    """The same for the smallest p: beyond the last counts its logarithm falls on a line."""
    beyond = _beyond(counts)
    last = int(np.flatnonzero(beyond >= FEWEST)[-1])
    start = min(int(np.flatnonzero(beyond >= FITTED)[-1]), last)
    out = np.log(np.maximum(beyond, 1e-300) / beyond[0])
    middles = (np.arange(len(counts) - start) + 0.5) / PER_BIT * np.log(2.0)
    steepness = 1.0 / float(np.sum(counts[start:] * middles) / np.sum(counts[start:]))
    steepness = min(max(steepness, 0.5), 1.5)
    out[last:] = out[last] - steepness * np.arange(len(out) - last) / PER_BIT * np.log(2.0)
    falling: Floats = np.minimum(out, 0.0)
    return falling
