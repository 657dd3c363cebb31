"""What a day of a gas meter's pulses says of a leak: gas that flows when nobody uses any.

A household's use comes in bursts with quiet between them; a leak is a small flow that does not stop, so that pulses come
one by one, at nearly even distances, day and night. The features measure that: how long nothing came, the least that flowed
in a stretch, and how even the quiet pulses' distances are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.profiles import longest_run
from industrial_brain.domain.panel import Floats

#: minutes of a day
MINUTES = 1440

NAMES = (
    "pulses.total",
    "pulses.active_minutes",
    "pulses.longest_quiet",
    "pulses.longest_busy",
    "pulses.single_share",
    "pulses.gap_median",
    "pulses.gap_90",
    "pulses.gap_evenness",
    "pulses.least_3h",
    "pulses.least_6h",
    "pulses.night",
    "pulses.night_share",
    "pulses.night_longest_quiet",
    "pulses.night_gap_evenness",
    "pulses.base_share",
    "pulses.most_minute",
)

_NIGHT = 360  # midnight to six


def pulse_features(day: Floats) -> dict[str, Floats]:
    """Features of days, (days,) each, by name.

    Args:
        day: (days, 1440) pulses of each minute, 0 or more.

    Minutes count from midnight, local time. `gap_evenness` is the coefficient of variation of the minutes between pulses (0:
    like a clock, 1: by chance alone), NaN with fewer than three gaps. Not for meters whose pulse stands for so much gas
    that a leak gives less than a few a day.
    """
    active = day > 0.0
    night = day[:, :_NIGHT]
    total, count = day.sum(axis=1), active.sum(axis=1)
    gaps = np.array([_gap_figures(row) for row in active]).reshape(len(day), 3)
    least3, least6 = _least(day, 180), _least(day, 360)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = (
            total,
            count.astype(np.float64),
            longest_run(~active),
            longest_run(active),
            (day == 1.0).sum(axis=1) / count,
            gaps[:, 0],
            gaps[:, 1],
            gaps[:, 2],
            least3,
            least6,
            night.sum(axis=1),
            night.sum(axis=1) / total,
            longest_run(~active[:, :_NIGHT]),
            np.array([_gap_figures(row)[2] for row in active[:, :_NIGHT]]),
            least3 * 8.0 / total,
            day.max(axis=1),
        )
    return dict(zip(NAMES, columns, strict=True))


def _gap_figures(active: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Of the minutes from each active minute to the next: median, 90% point, coefficient of variation."""
    gaps = np.diff(np.flatnonzero(active))
    if not len(gaps):
        return (np.nan, np.nan, np.nan)
    evenness = float(gaps.std() / gaps.mean()) if len(gaps) > 2 else np.nan
    return (float(np.median(gaps)), float(np.quantile(gaps, 0.9)), evenness)


def _least(day: Floats, width: int) -> Floats:
    """(days,) the least sum of any `width` minutes in a row."""
    total = np.cumsum(np.pad(day, ((0, 0), (1, 0))), axis=1)
    return np.asarray((total[:, width:] - total[:, :-width]).min(axis=1))
