"""Planned events: what was done to which series, and when. They are the ground truth that `truth/events.csv` tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import cycle, islice

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency
from industrial_brain.simulation.calendar import Timeline
from industrial_brain.simulation.indicators import Grain, Spec
from industrial_brain.simulation.places import Places
from industrial_brain.simulation.streams import stream

#: what is left of a shock after each month
SHOCK_DECAY = 0.6
_SHOCK_MONTHS = 6
#: an event's typical size in multiples of the indicator's noise, until it is a log point
_SURPRISE = 15.0


class Kind(StrEnum):
    SHOCK = "shock"  # size: log points in the first month, then SHOCK_DECAY of it a month
    LEVEL_BREAK = "level_break"  # size: log points, from the first period on
    TREND_BREAK = "trend_break"  # size: log points a year, from the first period on
    OUTLIER = "outlier"  # size: log points in one period; genuine, so parents have it too
    MISSING = "missing"  # the rows do not exist; parents are published
    LATE = "late"  # size: days after the usual publication of the last period
    REVISED_ERROR = "revised_error"  # size: factor of the first publication, corrected later


_REAL = (Kind.LEVEL_BREAK, Kind.TREND_BREAK, Kind.OUTLIER)
_PUBLISHED = (Kind.MISSING, Kind.LATE, Kind.REVISED_ERROR)


@dataclass(frozen=True, slots=True)
class Event:
    """One planned event.

    Attributes:
        target: a bottom series' id, or a pattern with `*` that bottom series match; parents follow by adding up.
        first, last: positions on the timeline of `frequency`, both affected.
        size: what it means depends on the kind; 0 for `missing`.
        known_at: when late values, or the wrong value of a revised error, became known (UTC).
        corrected_at: when the right value became known.
    """

    id: str
    kind: Kind
    target: str
    frequency: Frequency
    first: int
    last: int
    size: float = 0.0
    known_at: np.datetime64 | None = None
    corrected_at: np.datetime64 | None = None


def plan_shocks(seed: int, places: Places, timeline: Timeline) -> list[Event]:
    """Shocks that many series share: one to all industry, some to a cluster, one to shops and tourism."""
    rng = stream(seed, "shocks")
    hit = rng.choice(len(places.clusters), max(1, len(places.clusters) // 6), replace=False)
    groups = [("*:*", -0.28), *((f"*:{places.clusters[i].code}", float(rng.uniform(-0.4, 0.35))) for i in sorted(hit))]
    targets = [("retail_sales:*", -0.2), ("tourists:*", -0.9), ("tourism_revenue:*", -0.95)]
    for group, size in groups:
        targets += [(f"output:{group}", size), (f"electricity:{group}", 0.7 * size)]
    events = []
    when: dict[str, int] = {}
    for number, (target, size) in enumerate(targets, 1):
        # output and electricity of a group fall together, and so do tourists and what they spend
        cause = target.partition(":")[2]
        first = when.setdefault(cause, _position(rng, timeline))
        last = min(first + _SHOCK_MONTHS, len(timeline)) - 1
        events.append(Event(f"shock-{number:02d}", Kind.SHOCK, target, timeline.frequency, first, last, round(size, 4)))
    return events


def plan_events(seed: int, spec: Spec, ids: Sequence[str], timeline: Timeline) -> list[Event]:
    """Events of single series of one indicator: at most one a series, and at most a third of the series."""
    if timeline.frequency is Frequency.YEARLY:
        return []
    rng = stream(seed, f"events of {spec.code}")
    real = spec.process is not None and spec.process.part_of is None
    kinds = (*_REAL, *_PUBLISHED) if real else _PUBLISHED
    # the city's own series of a place indicator comes last: leave it whole, as the thread through the gaps
    candidates = ids[:-1] if spec.grain is Grain.PLACE else ids
    many = min(len(kinds) * (1 + len(candidates) // 200), max(1, len(candidates) // 3))
    chosen = sorted(int(i) for i in rng.choice(len(candidates), many, replace=False))
    turn = int(rng.integers(len(kinds)))
    return [
        _single(rng, f"{spec.code}-{number:02d}", kind, candidates[row], spec, timeline)
        for number, (row, kind) in enumerate(zip(chosen, islice(cycle(kinds), turn, None), strict=False), 1)
    ]


def effects(events: Iterable[Event], ids: Sequence[str], timeline: Timeline) -> Floats:
    """Log effects (series, periods) of the events that change the values themselves."""
    out = np.zeros((len(ids), len(timeline)))
    for event in events:
        if event.kind not in (Kind.SHOCK, *_REAL) or event.frequency is not timeline.frequency:
            continue
        elapsed = np.arange(event.last - event.first + 1, dtype=np.float64)
        match event.kind:
            case Kind.SHOCK:
                shape = SHOCK_DECAY**elapsed
            case Kind.TREND_BREAK:
                shape = (elapsed + 1.0) / timeline.periods_per_year
            case _:
                shape = np.ones_like(elapsed)
        out[targeted(event, ids), event.first : event.last + 1] += event.size * shape
    return out


def targeted(event: Event, ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Positions of the series that an event is about."""
    return np.array([i for i, name in enumerate(ids) if fnmatchcase(name, event.target)], dtype=np.int64)


def _single(rng: np.random.Generator, name: str, kind: Kind, series: str, spec: Spec, timeline: Timeline) -> Event:
    first = _position(rng, timeline)
    # a steady indicator is surprised by less: a tenth more party members is an event, a tenth more tourists is not
    scale = 1.0 if spec.process is None else float(np.clip(_SURPRISE * spec.process.noise, 0.05, 1.0))
    end = len(timeline) - 1
    sign = scale * float(rng.choice([-1.0, 1.0]))
    usual = timeline.known(spec.lag)
    match kind:
        case Kind.LEVEL_BREAK:
            return Event(name, kind, series, timeline.frequency, first, end, round(sign * rng.uniform(0.25, 0.5), 4))
        case Kind.TREND_BREAK:
            return Event(name, kind, series, timeline.frequency, first, end, round(sign * rng.uniform(0.06, 0.15), 4))
        case Kind.OUTLIER:
            return Event(name, kind, series, timeline.frequency, first, first, round(sign * rng.uniform(0.5, 1.0), 4))
        case Kind.MISSING:
            return Event(name, kind, series, timeline.frequency, first, first + int(rng.integers(4)))
        case Kind.LATE:
            last = first + int(rng.integers(3))
            delay = int(rng.integers(40, 150))
            known = usual[last] + np.timedelta64(delay, "D")
            return Event(name, kind, series, timeline.frequency, first, last, delay, known_at=known)
        case Kind.REVISED_ERROR:
            factor = float(rng.choice([10.0, 100.0]))
            corrected = usual[first] + np.timedelta64(int(rng.integers(14, 60)), "D")
            return Event(name, kind, series, timeline.frequency, first, first, factor, usual[first], corrected)
        case Kind.SHOCK:
            raise ValueError("shocks are planned for groups")


def _position(rng: np.random.Generator, timeline: Timeline) -> int:
    """A period with enough history before it to know what is normal, and enough after it to be corrected in."""
    return int(rng.integers(len(timeline) // 5, len(timeline) * 17 // 20))
