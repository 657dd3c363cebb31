"""Deciding on an override: what a planner asks, against the forecast that stands. Pure; both doors decide by this."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.overrides import Override, StatisticalForecast
from industrial_brain.domain.periods import Frequency, Ordinals

#: ordinals of texts, and whether each names a period of the frequency
PeriodReader = Callable[[Frequency, Sequence[str]], tuple[Ordinals, npt.NDArray[np.bool_]]]

#: central interval of the statistical forecast that is kept with an override, in percent, and its ends
KEPT_LEVEL = 80.0
_LOW, _HIGH = "0.1", "0.9"

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class OverrideRequest:
    """What a planner asks. One of `values`, `add` and `multiply`.

    Attributes:
        start: ordinal of the first period.
        values: what the series shall be, one value a period.
        add, multiply: what the forecast shall be changed by, over so many `periods`.
        expires_at: when forecasts stop following it.
    """

    series: str
    start: int
    values: tuple[float, ...] | None
    add: float | None
    multiply: float | None
    periods: int
    reason: str
    expires_at: dt.datetime

    def digest(self) -> str:
        """The same for two requests that ask the same."""
        asked = [
            self.series,
            self.start,
            self.values,
            self.add,
            self.multiply,
            self.periods,
            self.reason,
            self.expires_at.isoformat(),
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def decide_override(
    asked: OverrideRequest,
    forecast: Forecast,
    info: SeriesInfo,
    *,
    version: int,
    published: Collection[int],
    author: str,
    override_id: str,
    now: dt.datetime,
) -> Override:
    """The override that the request makes.

    Args:
        forecast: the statistical one, as far as any may be asked, with the ends of the `KEPT_LEVEL` interval.
        published: ordinals of the asked periods that have an actual.

    Raises:
        InputError: with a pointer to the field at fault. Two fields never refuse together: the first one does.
    """
    freq = forecast.freq
    reason = asked.reason.strip()
    if not reason:
        raise InputError(
            "An override needs a reason.", "Say in a sentence what the forecast does not know.", pointer="/reason"
        )
    if asked.expires_at <= now:
        raise InputError(
            f"{asked.expires_at:%Y-%m-%d %H:%M}Z has passed.", "Let the override expire later.", pointer="/expires"
        )
    first = freq.ordinal_of_label(forecast.start)
    count = asked.periods if asked.values is None else len(asked.values)
    last = first + len(forecast.mean) - 1
    if asked.start < first or any(asked.start <= period < asked.start + count for period in published):
        newest = max([first - 1, *published])
        raise InputError(
            f"{freq.label(asked.start)} is in the past: {asked.series} has values up to {freq.label(newest)}.",
            f"Begin at {freq.label(newest + 1)} or later.",
            pointer="/start",
        )
    if asked.start + count - 1 > last:
        raise InputError(
            f"{freq.label(asked.start + count - 1)} is further ahead than anything is forecast.",
            f"End at {freq.label(last)} or earlier.",
            pointer="/start" if asked.start > last else "/values" if asked.values is not None else "/periods",
        )
    steps = slice(asked.start - first, asked.start - first + count)
    mean = forecast.mean[steps]
    values, change = _values(asked, mean)
    for place, value in enumerate(values):
        pointer = f"/values/{place}" if asked.values is not None else "/change"
        if not math.isfinite(value):
            raise InputError(f"{value} is not a number that can be forecast.", "Give a finite one.", pointer=pointer)
        if value < 0.0 and info.nonnegative:
            raise InputError(
                f"{asked.series} can't be below zero, and {value:g} is.", "Give zero or more.", pointer=pointer
            )
    return Override(
        id=override_id,
        series=asked.series,
        freq=freq,
        start=asked.start,
        values=values,
        change=change,
        author=author,
        reason=reason,
        created_at=now,
        expires_at=asked.expires_at,
        statistical=StatisticalForecast(
            mean=mean,
            low=forecast.quantiles[_LOW][steps],
            high=forecast.quantiles[_HIGH][steps],
            version=version,
            vintage=forecast.vintage,
        ),
    )


def new_override_id(now: dt.datetime, entropy: str) -> str:
    """An id that sorts by time: the moment in microseconds as hexadecimal digits, and what tells two of one moment apart."""
    microseconds = (now - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return f"{microseconds:014x}{entropy}"


def read_expiry(text: str, freq: Frequency, read_periods: PeriodReader) -> dt.datetime:
    """The moment that a text names: RFC 3339 with an offset, or a period of this frequency, at whose end it is (UTC).

    Raises:
        InputError: neither, or a step of a series that has no calendar.
    """
    if "T" in text.upper():
        try:
            moment = dt.datetime.fromisoformat(text.upper())
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(dt.UTC)
    elif freq is not Frequency.ORDINAL:
        ordinals, good = read_periods(freq, [text])
        if good[0]:
            return dt.datetime.fromisoformat(freq.label(int(ordinals[0]) + 1)).replace(tzinfo=dt.UTC)
    raise InputError(
        f"'{text}' is no moment, and no {freq.noun} with an end.",
        "Write 2026-06-30T00:00:00Z, or the period at whose end the override expires, such as 2026-06.",
        pointer="/expires",
    )


def _values(asked: OverrideRequest, mean: Sequence[float]) -> tuple[tuple[float, ...], str]:
    if asked.values is not None:
        return asked.values, "set"
    if asked.add is not None:
        return tuple(value + asked.add for value in mean), f"add {asked.add:g}"
    assert asked.multiply is not None  # the doors let through one of the three
    return tuple(value * asked.multiply for value in mean), f"multiply {asked.multiply:g}"
