"""A closer watch on few channels: has this shape ever been here?

The live fleet knows what comes next and how far off a reading is; it does not know which shapes a channel makes. For
channels that an operator marks as important the last `WINDOW` values are kept, and each new reading, pair and four in a row
is compared with all of them: the distance to the nearest one tells how new it is (a left discord; Lu et al. 2022).
Distances become p-values as the fleet's scores do, by the channel's own edge, excess and weight of the tail, beyond
them by a Student's law with four degrees of freedom: there is no pool of watched channels. The three lengths are merged by
their geometric mean, which times e is a p-value, whatever their dependence (Vovk and Wang 2020).

A reading is as rare as the novelty says, or as a hundred times what the fleet says (a weighted Bonferroni bound): what was
badly predicted and has been seen often is no alarm, unless it was very badly predicted.

Costs 67 kB a channel and about 15 microseconds a reading: for some hundred channels, not for a fleet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled
from industrial_brain.domain.telemetry import Bytes, Cause

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

AT_LEVEL, AT_RATE, AT_SHIFT = int(Cause.LEVEL), int(Cause.RATE), int(Cause.SHIFT)
#: values beyond are taken as this one; their squares are still numbers
LARGEST = 1e100
#: score is 1 from this p on
FULL_SCORE = -math.log(1e-12)

#: values remembered
WINDOW = 4_096
#: readings before novelty is judged
WARM_UP = 200
#: lengths of the shapes: a value, two, four in a row
LENGTHS = 3
OVER_EDGE = 0.05
#: surprise (minus log p) from which on a tail's weight learns no more: an anomaly counts, and does not rule
MOST = 30.0
#: share of the false alarms that the fleet's own judgement may cause
FLEETS_SHARE = 0.01
#: readings of one episode: of their scores only a new highest is kept
EPISODE = 100
#: what is nearer to something seen than this share of a usual step is not new
NEAR = 0.1

WATCHED = np.dtype(
    [
        ("history", "f8", (2 * WINDOW,)),  # the last values end at `filled`
        ("filled", "i8"),
        ("seen", "i8"),
        ("step", "f8"),  # mean absolute difference of neighbours, clipped
        ("edge", "f8", (LENGTHS,)),
        ("excess", "f8", (LENGTHS,)),
        ("weight", "f8", (LENGTHS,)),
        ("over", "i8", (LENGTHS,)),
        ("recent", "f8", (EPISODE,)),  # surprises, the newest at seen % EPISODE
    ]
)


@compiled
def _nearest(history: Floats, begin: int, end: int, distances: Floats) -> None:
    """Root mean squared distance of the last one, two and four values before `end` to the nearest ones before them."""
    a, b, c, d = history[end - 1], history[end - 2], history[end - 3], history[end - 4]
    best_1 = best_2 = best_4 = np.inf
    for at in range(begin + 3, end - 1):
        one = (a - history[at]) ** 2
        two = one + (b - history[at - 1]) ** 2
        four = two + (c - history[at - 2]) ** 2 + (d - history[at - 3]) ** 2
        best_1, best_2, best_4 = min(best_1, one), min(best_2, two), min(best_4, four)
    distances[0], distances[1], distances[2] = math.sqrt(best_1), math.sqrt(best_2 / 2.0), math.sqrt(best_4 / 4.0)


@compiled
def surprise(w: Any, x: float, distances: Floats) -> float:
    """Minus the logarithm of the p-value of how new `x` is after what came before it; then learn it."""
    if w.filled == 2 * WINDOW:
        for at in range(WINDOW):
            w.history[at] = w.history[at + WINDOW]
        w.filled = WINDOW
    w.history[w.filled] = x
    w.filled += 1
    w.seen += 1
    if w.seen > 1:
        step = abs(x - w.history[w.filled - 2])
        if w.step > 0.0 and w.seen > 20:
            step = min(step, 5.0 * w.step)
        w.step += max(1.0 / w.seen, 1e-3) * (step - w.step)
    if w.seen <= WARM_UP:
        return 0.0
    _nearest(w.history, max(0, w.filled - WINDOW), w.filled, distances)
    age = float(w.seen - WARM_UP)
    total = 0.0
    for k in range(LENGTHS):
        z = distances[k]
        if age == 1.0:
            w.edge[k], w.excess[k], w.weight[k] = z + 1e-300, 0.5 * z, 1.0
        edge = max(w.edge[k], NEAR * w.step) + 1e-300
        if z >= edge:
            rare = 4.0 * math.log1p((z - edge) / (3.0 * max(w.excess[k], 0.5 * NEAR * w.step) + 1e-300))
            total += rare / max(w.weight[k], 0.5) - math.log(OVER_EDGE)
            w.weight[k] += max(1.0 / (w.over[k] + 50.0), 0.01) * (min(rare, MOST) - w.weight[k])
        else:
            total -= math.log(1.0 - (1.0 - OVER_EDGE) * z / edge)
        pace = max(8.0 / (age + 16.0), 0.005)
        if z >= w.edge[k]:
            w.over[k] += 1
            w.excess[k] += max(1.0 / (w.over[k] + 8.0), 0.01) * (min(z - w.edge[k], 6.0 * w.excess[k]) - w.excess[k])
            w.edge[k] = w.edge[k] * (1.0 + pace * (1.0 - OVER_EDGE)) + 1e-12 * w.step
        else:
            w.edge[k] *= 1.0 - pace * OVER_EDGE
    return total / LENGTHS


@compiled
def watch(
    watched: npt.NDArray[np.void],
    slot: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    value: Floats,
    p: Singles,
    cause: Bytes,
    score: Singles,
) -> None:
    """Judge rows of watched channels: `slot[k]` is the channel of `row[k]`. What the fleet said of them is written over."""
    distances = np.zeros(LENGTHS)
    for k in range(len(row)):
        w = watched[slot[k]]
        at = row[k]
        fleets = -math.log(max(p[at], 1e-38)) + math.log(FLEETS_SHARE)
        new = surprise(w, min(max(value[at], -LARGEST), LARGEST), distances)
        if new > fleets and not (AT_LEVEL <= cause[at] <= AT_RATE or cause[at] == AT_SHIFT) and w.seen > WARM_UP:
            cause[at] = AT_LEVEL
        log_p = max(new - 1.0 + math.log(1.0 - FLEETS_SHARE), fleets)
        highest = 0.0
        for i in range(EPISODE):
            highest = max(highest, w.recent[i])
        both = max(new, fleets)
        w.recent[w.seen % EPISODE] = both
        p[at] = math.exp(-min(max(log_p, 0.0), 85.0))
        score[at] = min(both / FULL_SCORE, 1.0) if both > highest else 0.0
