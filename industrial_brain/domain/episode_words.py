"""An episode in a sentence, as a person would say it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from industrial_brain.domain.anomalies import WHOLE_SITE, Episode, EpisodeState, Sensor
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Cause

#: UCUM's spelling of units that people write otherwise
_UNITS = {"Cel": "°C", "1": "", "m3": "m³", "m3/h": "m³/h", "kW.h": "kWh", "K": "K", "[degF]": "°F", "Ohm": "Ω"}

#: sensors that a sentence names at most
_NAMED = 3


def tell(episode: Episode, sensors: Sequence[Sensor] = ()) -> str:
    """Why this is an anomaly: what came, when, what was expected, how unlikely that is, and for how long it has lasted.

    Args:
        sensors: those of the episode that contribute most, for episodes of several.
    """
    lasted = duration((episode.end - episode.start) / MICROS_PER_SECOND)
    when = clock(episode.at)
    name, came = _metric(episode.metric), quantity(episode.value, episode.unit)
    expected, p = quantity(episode.expected, ""), f"p = {probability(episode.p)}"
    match episode.cause:
        case Cause.SILENT:
            return _silence(episode)
        case Cause.STUCK:
            return f"{name} has not moved from {came} by {when}; {p}; {lasted}"
        case Cause.RATE:
            return f"{name} jumped to {came} at {when}, expected {expected}; {p}; {lasted}"
        case Cause.LIMIT:
            return f"{name} {came} at {when}, outside its declared limits; expected {expected}; {p}; {lasted}"
        case Cause.SHIFT:
            return f"{name} has moved to {came} by {when}, from {expected}; {p}; {lasted}"
        case Cause.CLOCK:
            return f"The clock of {episode.device} was off at {when}; {p}; {lasted}"
        case Cause.PATTERN:
            return f"{_contributions(episode, sensors)} no longer fit together at {when}; {p}; {lasted}"
        case Cause.LEVEL | Cause.NONE:
            return f"{name} {came} at {when}, expected {expected}; {p}; {lasted}"


def duration(seconds: float) -> str:
    """`40 seconds`, `14 minutes`, `3 hours`, `2 days`: the largest unit that leaves two or more, rounded down."""
    if seconds <= 0:
        return "one moment"
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {noun}s"
    if seconds >= 60:
        return "1 minute"
    return f"{seconds:.0f} second{'' if round(seconds) == 1 else 's'}"


def probability(p: float) -> str:
    """A p-value in one digit.

    >>> probability(3.2e-9)
    '3e-9'
    """
    digit, _, exponent = f"{p:.0e}".partition("e")
    return f"{p:.1g}" if p >= 0.001 else f"{digit}e-{int(exponent[1:])}"


def quantity(value: float, unit: str) -> str:
    """A number with its unit, in four digits; `?` where there is none."""
    if math.isnan(value):
        return "?"
    shown = f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.4g}"
    written = _UNITS.get(unit, unit.strip("{}"))
    return f"{shown} {written}".strip()


def clock(micros: int) -> str:
    """Hours and minutes of a moment, in UTC."""
    return f"{moment_of(micros):%H:%M} UTC"


def moment_of(micros: int) -> dt.datetime:
    """The moment, aware."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)


def micros_of(moment: dt.datetime) -> int:
    """Microseconds since 1970, exact."""
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _metric(name: str) -> str:
    """Names in small letters begin the sentence with a large one; all others stay as their device writes them."""
    return name[:1].upper() + name[1:] if name.islower() else name


def _silence(episode: Episode) -> str:
    if episode.device == WHOLE_SITE:
        subject, verb = f"{episode.device_count} devices of {episode.site}", "fell"
    elif episode.device_count > 1:
        subject, verb = f"{episode.device} and {episode.device_count - 1} devices behind it", "fell"
    else:
        subject, verb = episode.device, "fell"
    if episode.state is EpisodeState.CLOSED:
        lasted = duration((episode.end - episode.start) / MICROS_PER_SECOND)
        return f"{subject} {verb} silent, noticed at {clock(episode.start)}; back after {lasted}"
    return f"{subject} {verb} silent, noticed at {clock(episode.start)}; p = {probability(episode.p)}"


def _contributions(episode: Episode, sensors: Sequence[Sensor]) -> str:
    named = [one for one in sensors if one.cause is Cause.PATTERN][:_NAMED]
    if not named:
        return f"Sensors of {episode.device}"
    told = [
        _metric(one.metric) if math.isnan(one.share) else f"{_metric(one.metric)} ({one.share:.0%})" for one in named
    ]
    others = episode.sensor_count - len(named)
    if others > 0:
        told.append(f"{others} more")
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
