"""How grave an episode is: by its evidence beside that of an alarm, by its length, its cause, and how far it reaches."""

from __future__ import annotations

import math

from industrial_brain.domain.anomalies import GRADES, WHOLE_SITE, Severity
from industrial_brain.domain.telemetry import Cause

#: smaller p-values are no different: a float32 ends here
SMALLEST_P = 1e-45

#: an episode is one grade worse at each of these: orders of magnitude of p under the alarm's level, and seconds
ORDERS = (2.0, 5.0)
SECONDS = (900.0, 3_600.0)


def lax_level(level: float) -> float:
    """The p-value up to which an episode goes on: half the evidence that opened it, and 0.01 at most.

    An alarm at 1e-8 goes on up to 1e-4: a channel that is well again comes under that once in ten thousand readings, and one
    that hovers at the alarm's level does not open an episode a minute.

    >>> lax_level(1e-8)
    0.0001
    """
    return min(math.sqrt(max(level, 0.0)), 0.01)


def grade(p: float, level: float, seconds: float, cause: Cause, device: str, device_count: int) -> Severity:
    """The grade of an episode whose smallest p is `p`, and that has lasted for so many seconds.

    A declared limit is a matter of safety: orange at least. Of a silence, p says only how regular the device was: one device
    is yellow, a gateway with what is behind it orange, a site red. A clock that is off harms records, not plants: blue.
    """
    if cause is Cause.SILENT:
        if device == WHOLE_SITE:
            return Severity.RED
        return Severity.ORANGE if device_count > 1 else Severity.YELLOW
    if cause is Cause.CLOCK:
        return Severity.BLUE
    orders = math.log10(max(level, SMALLEST_P)) - math.log10(max(p, SMALLEST_P))
    steps = sum(orders >= bound for bound in ORDERS) + sum(seconds >= bound for bound in SECONDS)
    found = GRADES[min(steps, len(GRADES) - 1)]
    return Severity.ORANGE if cause is Cause.LIMIT and found.rank < Severity.ORANGE.rank else found
