"""Totals: months as quarters or years, whose means are sums and whose intervals are read from paths.

The quantiles of a sum are not the sums of quantiles: how far good and bad months cancel is what paths know. A running quarter's
total begins with the months that are observed already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.forecasts import Failed, Forecast, Judgement, quantile_key
from industrial_brain.domain.indicators import Aggregation, SeriesInfo
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Frequency, Ordinals

#: how many periods of one frequency make one of another, where they always do
_MAKE = {
    (Frequency.MONTHLY, Frequency.QUARTERLY): 3,
    (Frequency.MONTHLY, Frequency.YEARLY): 12,
    (Frequency.QUARTERLY, Frequency.YEARLY): 4,
}


def parts_of(freq: Frequency, total: Frequency) -> int | None:
    """How many periods of `freq` make one of `total`: 3 months a quarter; None where they don't, as weeks a month.

    >>> parts_of(Frequency.MONTHLY, Frequency.YEARLY), parts_of(Frequency.WEEKLY, Frequency.MONTHLY)
    (12, None)
    """
    return _MAKE.get((freq, total))


#: what to ask for in the place of a total that has no meaning
_INSTEAD = {
    Aggregation.RATIO: "a ratio: ask for its numerator and its denominator",
    Aggregation.WEIGHTED_MEAN: "a weighted mean: ask for what it is a mean of",
}


def why_not_summed(info: SeriesInfo, freq: Frequency) -> str | None:
    """Why the periods of a series may not be summed to `freq`; None if they may, or are as long already.

    Only what adds up over places is added up over time: a rate's months make no quarter's.
    """
    if info.aggregation is Aggregation.SUM or info.frequency is freq:
        return None
    what = _INSTEAD.get(info.aggregation, "not said to add up")
    return f"The {info.frequency.noun}s of {info.id} can't be summed: it is {what}."


def total_of(
    answer: Forecast,
    paths: Floats,
    observed: Floats,
    freq: Frequency,
    probabilities: Sequence[float],
    shown: int | None,
) -> Forecast | Failed:
    """A series' forecast in longer periods: those that its own forecast completes.

    Args:
        paths: float64 (horizon, count), the series' sample paths.
        observed: the values before the first period forecast, the newest last; NaN where there is none.
        shown: how many of the paths to show, the first ones, or None.
    """
    count = parts_of(answer.freq, freq)
    if count is None:
        return Failed(answer.series, f"A {freq.noun} is no whole number of {answer.freq.noun}s.")
    first = answer.freq.ordinal_of_label(answer.start)
    known = first % count  # periods of the running total that are observed
    before = observed[len(observed) - known :] if known else np.empty(0)
    begins = not known or (len(before) == known and bool(np.isfinite(before).all()))
    past, skipped = (before, 0) if begins else (np.empty(0), count - known)
    whole = (len(past) + len(answer.mean) - skipped) // count
    if whole < 1:
        noun = f"{answer.freq.noun} ahead completes" if len(answer.mean) == 1 else f"{answer.freq.noun}s ahead complete"
        return Failed(answer.series, f"{len(answer.mean)} {noun} no {freq.noun}: ask for more.")

    def summed(values: npt.ArrayLike, earlier: Floats) -> Floats:
        """(horizon, ...) to (totals, ...)."""
        ahead = np.asarray(values, dtype=np.float64)
        lead = np.broadcast_to(earlier.reshape(-1, *[1] * (ahead.ndim - 1)), (len(earlier), *ahead.shape[1:]))
        joined = np.concatenate([lead, ahead[skipped:]])[: whole * count]
        added: Floats = joined.reshape(whole, count, *ahead.shape[1:]).sum(axis=1)
        return added

    totals = summed(paths, past)
    quantiles = np.quantile(totals, list(probabilities), axis=1)
    ordinal = (first + skipped - len(past)) // count
    notes = [f"totals of {count} {answer.freq.noun}s, with intervals read from {paths.shape[1]} sample paths"]
    if len(past):
        notes.append(f"the first total holds {len(past)} {answer.freq.noun}(s) that are observed")
    delta, judgement = answer.reconciliation_delta, answer.judgement
    return replace(
        answer,
        freq=freq,
        start=freq.label(ordinal),
        mean=_tuple(summed(answer.mean, past)),
        quantiles={quantile_key(p): _tuple(row) for p, row in zip(probabilities, quantiles, strict=True)},
        notes=(*answer.notes, *notes),
        reconciliation_delta=None if delta is None else _tuple(summed(delta, np.zeros(len(past)))),
        judgement=None
        if judgement is None
        else Judgement(_tuple(summed(judgement.statistical_mean, past)), judgement.held_by, judgement.moved_by),
        coverage={},  # of the parts, not of totals
        paths=None if shown is None else tuple(_tuple(path) for path in totals.T[:shown]),
    )


def newest(values: Floats, indptr: Ordinals, row: int, count: int) -> Floats:
    """A panel row's last values, up to `count`."""
    found: Floats = values[max(indptr[row], indptr[row + 1] - count) : indptr[row + 1]]
    return found


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())
