"""Data flags: what is odd about a history, found by stated rules and said in words. Pure; nothing is corrected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.breaks import STEP, level_shifts, powers_of_ten
from features.outliers import OUTLYING, outlying
from features.runs import equal_stretches, runs
from industrial_brain.domain.explanations import DataFlag
from industrial_brain.domain.observations import Observation
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency

#: flags of one kind that are told: the newest ones
TOLD = 5

#: equal values in a row that are a stretch, at least; a whole season where that is longer
_STRETCH = 6


def data_flags(
    values: Floats, adjusted: Floats, start: int, freq: Frequency, season: int, newest: int | None = None
) -> list[DataFlag]:
    """The flags of one series, the newest first.

    Args:
        values: float64 (periods,), as published; NaN for gaps.
        adjusted: the same without the season: breaks and outliers are looked for here.
        start: ordinal of the first period.
        newest: ordinal of the newest period of the series' peers, to tell whether it has stopped; None to leave that out.
    """
    found = _breaks(adjusted, start, freq)
    jumps = {flag.period for flag in found}
    found += [flag for flag in _outliers(adjusted, start, freq) if flag.period not in jumps]
    for first, length in zip(*runs(np.isnan(values)), strict=True):
        what = f"the {freq.noun} has" if length == 1 else f"{length} {freq.noun}s have"
        found.append(
            DataFlag("gap", freq.label(start + int(first)), int(length), float(length), f"{what} no value here")
        )
    for first, length in zip(*equal_stretches(values, max(season, _STRETCH)), strict=True):
        words = f"{length} {freq.noun}s in a row have the same value, {values[first]:.6g}: were they copied?"
        found.append(DataFlag("constant", freq.label(start + int(first)), int(length), float(length), words))
    last = start + len(values) - 1
    if newest is not None and newest > last:
        late = newest - last
        words = (
            f"the series ends {late} {freq.noun if late == 1 else freq.noun + 's'} before others like it "
            f"({freq.label(newest)})"
        )
        found.append(DataFlag("stale", freq.label(last), 1, float(late), words))
    return _told(found, freq)


def revision_flags(vintages: Sequence[Observation], freq: Frequency) -> list[DataFlag]:
    """One flag for each period whose value was revised, the newest first.

    Args:
        vintages: every value that was published of each period, ordered by period and by the moment it became known.
    """
    history: dict[str, list[Observation]] = {}
    for one in vintages:
        history.setdefault(one.period, []).append(one)
    found = []
    for period, told in history.items():
        if len(told) < 2:
            continue
        first, now = told[0].value, told[-1].value
        relative = f" ({(now - first) / abs(first):+.1%})" if first else ""
        times = "once" if len(told) == 2 else f"{len(told) - 1} times"
        words = f"revised {times}, from {first:.6g} to {now:.6g}{relative}, last on {told[-1].known_at:%Y-%m-%d}"
        found.append(DataFlag("revision", period, 1, now - first, words))
    return _told(found, freq)


def _breaks(adjusted: Floats, start: int, freq: Frequency) -> list[DataFlag]:
    places, sizes, ratios = level_shifts(adjusted)
    found = []
    for place, size, ratio, power in zip(places, sizes, ratios, powers_of_ten(ratios), strict=True):
        period = freq.label(start + int(place))
        if power:
            words = f"the level changes by a factor of {ratio:.4g}, close to 10^{power}: was the unit changed?"
            found.append(DataFlag("unit", period, 1, float(ratio), words))
        else:
            relative = f" ({ratio - 1.0:+.1%})" if np.isfinite(ratio) else ""
            words = f"the level shifts by {size:+.6g}{relative}: a step of over {STEP:g} standard deviations that stays"
            found.append(DataFlag("break", period, 1, float(size), words))
    return found


def _outliers(adjusted: Floats, start: int, freq: Frequency) -> list[DataFlag]:
    return [
        DataFlag(
            "outlier",
            freq.label(start + int(place)),
            1,
            float(distance),
            f"{distance:+.6g} from its neighbours, the season taken out: over {OUTLYING:g} standard deviations",
        )
        for place, distance in zip(*outlying(adjusted), strict=True)
    ]


def _told(found: list[DataFlag], freq: Frequency) -> list[DataFlag]:
    """Newest first, at most `TOLD` of a kind; the last one told counts those that are not."""
    ordered = sorted(found, key=lambda flag: freq.ordinal_of_label(flag.period), reverse=True)
    told: list[DataFlag] = []
    for kind in dict.fromkeys(flag.kind for flag in ordered):
        ours = [flag for flag in ordered if flag.kind == kind]
        told += ours[: TOLD - 1] if len(ours) > TOLD else ours
        if len(ours) > TOLD:
            one, more = ours[TOLD - 1], len(ours) - TOLD
            words = f"{one.words}; and {more} earlier"
            told.append(DataFlag(one.kind, one.period, one.periods, one.size, words))
    return told
