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

from models.anomaly.kernel import AGES, BINS, BODY, JOINT_BINS, OVER_EDGE, PER_BIT, PER_OCTAVE
from models.anomaly.state import DETECTORS

Floats = npt.NDArray[np.float64]

#: readings that a pool begins with, as if seen: of a Student's t with four degrees of freedom
SEEDS = 2_000.0
#: counts below which a tail is a law, not a count; a law is fitted to the outermost FITTED of them
FEWEST, FITTED = 50.0, 2_000.0
#: the memory of a pool, in readings
REMEMBERED = 1e8

SHAPES = np.linspace(-0.5, 1.0, 31)
SCALES = np.geomspace(1 / 8, 8.0, 61)

EXCESSES: Floats = 2.0 ** (np.arange(BINS - BODY + 1) / PER_OCTAVE) - 1.0
#: shape of the law that a pool begins with, by detector: a run of clipped errors has a light tail
SHAPES_AT_FIRST = (0.25, 0.25, 0.0)


class Pools:
    """Counts of scores and the laws read off them.

    Attributes:
        counts: of scores, (AGES * DETECTORS, BINS); joint_counts: of the smallest p, (AGES, JOINT_BINS).
        tails, joint_tails: logarithms of the share of scores beyond each edge of a bin; one column more.
    """

    def __init__(self) -> None:
        body = np.linspace(1.0, OVER_EDGE, BODY + 1)
        laws = [np.append(body, OVER_EDGE * _pareto(EXCESSES[1:], shape, 1.0 - shape)) for shape in SHAPES_AT_FIRST]
        self.counts = np.tile(SEEDS * -np.diff(laws), (AGES, 1))
        chance = np.minimum(1.0, 2.5 * 2.0 ** (-np.arange(JOINT_BINS + 1) / PER_BIT))
        self.joint_counts = np.tile(SEEDS * -np.diff(chance), (AGES, 1))
        self.tails = np.zeros((AGES * DETECTORS, BINS + 1))
        self.joint_tails = np.zeros((AGES, JOINT_BINS + 1))
        self.refit()

    def refit(self) -> None:
        """Read the laws off the counts."""
        for pool, counts in enumerate(self.counts):
            if counts.sum() > REMEMBERED:
                counts *= 0.5
            self.tails[pool] = _tail(counts)
        for pool, counts in enumerate(self.joint_counts):
            if counts.sum() > REMEMBERED:
                counts *= 0.5
            self.joint_tails[pool] = _joint_tail(counts)


def _pareto(excess: Floats, shape: float, scale: float) -> Floats:
    """Share beyond an excess."""
    if abs(shape) < 1e-9:
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
    """Shape and scale of the Pareto law of greatest likelihood for counts in bins from 0, the last one open."""
    seen = counts > 0
    mean = float(np.sum(counts * 0.5 * (edges[:-1] + edges[1:])) / np.sum(counts))
    shape, scale = SHAPES[:, None, None], (SCALES * mean)[None, :, None]
    upto = 1 + int(np.flatnonzero(seen)[-1])
    inside = np.maximum(1.0 + shape * edges[None, None, : upto + 1] / scale, 1e-12)
    with np.errstate(divide="ignore"):
        law = np.where(
            np.abs(shape) < 1e-9,
            np.exp(-edges[: upto + 1] / scale),
            inside ** (-1.0 / np.where(shape == 0, 1.0, shape)),
        )
    chance = np.maximum(law[..., :-1] - law[..., 1:], 1e-300)
    likelihood = np.log(chance) @ counts[:upto]
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
