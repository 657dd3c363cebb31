"""What is remembered of a channel: one record of 256 bytes, four cache lines, the same for every channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: detectors whose score is continuous, and is read off a tail: one step ahead, level, run of small deviations
STEP, LEVEL, RUN = 0, 1, 2
DETECTORS = 3

#: bits of `flags`
IS_COUNTER, HAS_LIMITS, IS_SILENT, HAS_RHYTHM, HAS_VALUE = 1, 2, 4, 8, 16

#: The first line is all that a look for silence reads. Spreads are mean absolute deviations, clipped.
CHANNEL = np.dtype(
    [
        ("last_ts", "i8"),  # event time of the newest reading, microseconds; 0 before the first
        ("last_value", "f8"),  # as it was sent
        ("level", "f8"),  # where the channel is, without its profile
        ("learnt", "u4"),  # readings learnt from; set back by a shift
        ("interval", "f4"),  # seconds between two readings, usually (or declared)
        ("gap", "f4"),  # longest pause so far, seconds; forgotten slowly
        ("delay", "f4"),  # receive time minus event time, seconds, usually ...
        ("delay_spread", "f4"),  # ... and its spread
        ("flags", "u1"),
        ("days", "u1"),  # distinct days seen, up to 255
        ("streak", "u2"),  # readings in a row that were suspect
        ("run", "u2"),  # equal values in a row, now ...
        ("longest", "u2"),  # ... at the longest so far ...
        ("runs", "u2"),  # ... of so many runs
        (
            "behind",
            "u1",
        ),  # readings in a row that came later than usual, up to 255, each received at another moment ...
        ("heard", "u1"),  # ... told by the last bits of the newest one's receive time, milliseconds
        ("spread", "f4"),  # of value - level - profile
        ("noise", "f4"),  # of the one-step prediction
        ("memory", "f4"),  # autocorrelation of value - level - profile at `interval`
        ("residual", "f4"),  # value - level - profile of the newest reading
        ("push", "f4"),  # running mean of clipped prediction errors
        ("moved", "f4"),  # mean residual of the streak
        ("edge", "f4", (DETECTORS,)),  # score that one reading in twenty exceeds
        ("excess", "f4", (DETECTORS,)),  # mean excess over it
        ("record", "f4", (DETECTORS,)),  # largest excess so far, in mean excesses; forgotten slowly
        ("error_with", "f4"),  # mean absolute error with the profile ...
        ("error_without", "f4"),  # ... and without
        ("low", "f4"),  # declared limits, rounded outwards
        ("high", "f4"),
        ("hours", "f4", (24,)),  # profile: middles of the hours of the day, UTC
        ("weekdays", "f4", (7,)),  # profile: days of the week, from Thursday
    ]
)

Channels = npt.NDArray[np.void]

BYTES_A_CHANNEL = CHANNEL.itemsize
