"""How good anomaly scores and alarms are. Arrays have a row a reading time; labels are true inside of an anomaly.

Nothing here adjusts points: an alarm in one row of an anomaly is one hit row, not a hit anomaly full of hits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats

Flags = npt.NDArray[np.bool_]
Events = npt.NDArray[np.int64]

BUFFER, THRESHOLDS = 100, 250


def events_of(label: Flags) -> Events:
    """First and last row of each stretch of labelled rows, shape (events, 2)."""
    edges = np.diff(np.concatenate(([False], label, [False])).astype(np.int8))
    return np.column_stack((np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1)).astype(np.int64)


def vus_pr(score: Floats, label: Flags, buffer: int = BUFFER, thresholds: int = THRESHOLDS) -> float:
    """Volume under the surface of range precision and recall (Paparrizos et al. 2022), 0 to 1; NaN without an anomaly.

    The area under the precision-recall curve, averaged over buffers of 0 to `buffer` rows around each anomaly. Inside of
    a buffer the label falls with the square root of the distance; recall counts how many anomalies were met at all.
    A score that can't be told apart from others (ties) is above the threshold together with them. Missing scores rank lowest.
    """
    events = events_of(label)
    if not len(events) or label.all():
        return float("nan")
    score = np.where(np.isnan(score), -np.inf, score)
    order = np.argsort(-score, kind="stable")
    levels = score[order][np.linspace(0, len(score) - 1, thresholds).astype(np.int64)]
    above = np.searchsorted(-score[order], -levels, side="right")  # rows at or above each threshold
    areas = [_range_pr(score, order, levels, above, label, events, width) for width in range(buffer + 1)]
    return float(np.mean(areas))


def _range_pr(
    score: Floats,
    order: npt.NDArray[np.int64],
    levels: Floats,
    above: npt.NDArray[np.int64],
    label: Flags,
    events: Events,
    width: int,
) -> float:
    """Area under the range precision-recall curve for one width of the buffer."""
    half, rows = width // 2, len(score)
    soft = label.astype(np.float64)
    for first, last in events:
        after = np.arange(last + 1, min(last + half + 1, rows))
        before = np.arange(max(first - half, 0), first)
        soft[after] += np.sqrt(1.0 - (after - last) / max(width, 1))
        soft[before] += np.sqrt(1.0 - (first - before) / max(width, 1))
    soft = np.minimum(soft, 1.0)
    hit = np.cumsum(soft[order])[above - 1]
    buffered = np.cumsum(np.where(label, 0.0, soft)[order])[above - 1]
    size = label.sum() + buffered / 2.0  # half of the buffer that was hit counts as anomalous
    reach = np.array([score[first : last + 1].max() for first, last in _merged(events, half, rows)])
    met = (reach[:, None] >= levels).mean(axis=0)
    recall = np.minimum(hit / size, 1.0) * met
    precision = hit / above
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _merged(events: Events, half: int, rows: int) -> Events:
    """Events with their buffers; those whose buffers touch are one."""
    grown = np.column_stack((np.maximum(events[:, 0] - half, 0), np.minimum(events[:, 1] + half, rows - 1)))
    apart = events[:-1, 1] + half < events[1:, 0] - half
    starts = np.concatenate(([True], apart))
    ends = np.concatenate((apart, [True]))
    return np.column_stack((grown[starts, 0], grown[ends, 1]))


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows and events of one series, or of several added together."""

    hit: int  # rows with alarm and label
    false: int  # with alarm alone
    missed: int  # with label alone
    quiet: int  # with neither
    events: int
    met: int  # events with an alarm

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.hit + other.hit,
            self.false + other.false,
            self.missed + other.missed,
            self.quiet + other.quiet,
            self.events + other.events,
            self.met + other.met,
        )


def count(alarm: Flags, label: Flags) -> Counts:
    """Compare alarms with labels, row by row and event by event."""
    events = events_of(label)
    raised = np.concatenate(([0], np.cumsum(alarm)))
    met = raised[events[:, 1] + 1] > raised[events[:, 0]]
    return Counts(
        int((alarm & label).sum()),
        int((alarm & ~label).sum()),
        int((~alarm & label).sum()),
        int((~alarm & ~label).sum()),
        len(events),
        int(met.sum()),
    )


def point_f1(counts: Counts) -> float:
    """Harmonic mean of precision and recall over rows."""
    return _ratio(2.0 * counts.hit, 2.0 * counts.hit + counts.false + counts.missed)


def event_f1(counts: Counts) -> float:
    """Harmonic mean of event recall and point precision: the composite F-score of Garg et al. (2021)."""
    recall, precision = _ratio(counts.met, counts.events), _ratio(counts.hit, counts.hit + counts.false)
    if not counts.hit:
        return 0.0 if counts.events else float("nan")
    return 2.0 * recall * precision / (recall + precision)


def far(counts: Counts) -> float:
    """False-alarm rate: percent of normal rows with an alarm."""
    return 100.0 * _ratio(counts.false, counts.false + counts.quiet)


def mar(counts: Counts) -> float:
    """Missed-alarm rate: percent of anomalous rows without one."""
    return 100.0 * _ratio(counts.missed, counts.missed + counts.hit)


def detection_rate(counts: Counts) -> float:
    """Share of the rows of a fault that have an alarm, 0 to 1."""
    return _ratio(counts.hit, counts.hit + counts.missed)


def delay(alarm: Flags, label: Flags) -> float:
    """Rows from the start of the first event to its first alarm; infinity where there is none, NaN without an event.

    The first alarm may be a false one that happens to come then: at 1% false alarms every hundredth row has one.
    """
    events = events_of(label)
    if not len(events):
        return float("nan")
    first, last = events[0]
    raised = np.flatnonzero(alarm[first : last + 1])
    return float(raised[0]) if len(raised) else float("inf")


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
