"""What to expect of covariates where they are not known: in their gaps, and behind their last known value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.calendar import WITH_CALENDAR, year_fraction
from industrial_brain.domain.covariates import PanelCovariates
from industrial_brain.domain.panel import Floats, Panel
from industrial_brain.domain.periods import Frequency, Ordinals

Bases = npt.NDArray[np.int8]

#: what an expected value rests on
ABSENT, KNOWN, NORMAL, LAST_VALUE = 0, 1, 2, 3

#: share of a source's variance that the time of the year explains where its normal is believed
SEASONAL = 0.5

#: pairs of sines and cosines of the year in a normal
_PAIRS = 3

#: years that a source must span for a normal
_YEARS = 2


@dataclass(frozen=True, slots=True)
class Expected:
    """Covariates of `n` series, without a gap where there is a source; NaN where a series does not depend on one.

    Attributes:
        past: float64 (len(panel.values), k), beside the panel's values.
        measured: bool, like `past`: False where the source had a gap, which is filled with what was to be expected.
        ahead: float64 (n, horizon, k), behind the panel's last period.
        known: int64 (n, k), how many of the periods ahead are known.
        basis: int8 (n, k), what the others rest on: `ABSENT`, `KNOWN` (all are known), `NORMAL`, `LAST_VALUE`.
    """

    past: Floats
    measured: npt.NDArray[np.bool_]
    ahead: Floats
    known: Ordinals
    basis: Bases


def expected_covariates(panel: Panel, horizon: int) -> Expected:
    """Read a panel's covariates, each only as far as it was known.

    Beyond that, a covariate that follows the year (over `SEASONAL` of its variance, from two years on) is expected at its
    normal for the time of the year, which it reaches from its last anomaly by the anomalies' own autocorrelation; any other is
    expected to stay as it is. Gaps are filled in the same way, and `measured` says where.
    """
    linked = panel.covariates
    n, size, k = len(panel), len(panel.values), 0 if linked is None else len(linked)
    past, measured = np.full((size, k), np.nan), np.zeros((size, k), dtype=np.bool_)
    ahead, known = np.full((n, horizon, k), np.nan), np.zeros((n, k), dtype=np.int64)
    basis = np.zeros((n, k), dtype=np.int8)
    if linked is None:
        return Expected(past, measured, ahead, known, basis)
    until = linked.known_until(panel.last)
    outlooks: dict[tuple[int, int], _Outlook] = {}
    for j in range(k):
        for i in np.flatnonzero(linked.reads[:, j] >= 0).tolist():
            source = int(linked.reads[i, j])
            end = int(min(until[i, j], linked.start[source] + len(linked.source(source)) - 1))
            if (source, end) not in outlooks:
                reach = int(panel.last.max()) + horizon
                first = min(int(panel.start.min()), int(linked.start[source]))
                outlooks[source, end] = _outlook(linked, source, end, panel.freq, first, reach)
            view = outlooks[source, end]
            begin, stop = int(panel.indptr[i]), int(panel.indptr[i + 1])
            offset, length = int(panel.start[i]) - view.first, stop - begin
            past[begin:stop, j] = view.values[offset : offset + length]
            measured[begin:stop, j] = view.measured[offset : offset + length]
            ahead[i, :, j] = view.values[offset + length : offset + length + horizon]
            there = view.measured[offset + length : offset + length + horizon]
            known[i, j] = horizon if there.all() else int(there.argmin())
            basis[i, j] = KNOWN if known[i, j] == horizon else view.basis
    return Expected(past, measured, ahead, known, basis)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """One source as it was known up to one period, with every gap filled, from period `first` on."""

    first: int
    values: Floats
    measured: npt.NDArray[np.bool_]
    basis: int


def _outlook(linked: PanelCovariates, source: int, end: int, freq: Frequency, first: int, reach: int) -> _Outlook:
    values = np.full(reach - first + 1, np.nan)
    begin = int(linked.start[source]) - first
    given = linked.source(source)[: max(0, end - int(linked.start[source]) + 1)][: max(0, len(values) - begin)]
    values[begin : begin + len(given)] = given
    measured = np.isfinite(values)
    if not measured.any():
        return _Outlook(first, values, measured, ABSENT)
    normal = _normal(values, measured, freq, first)
    places = np.arange(len(values))
    if normal is None:
        filled = np.interp(places, places[measured], values[measured])  # level behind the last one
        return _Outlook(first, filled, measured, LAST_VALUE)
    anomaly = np.where(measured, values - normal, 0.0)
    pairs = measured[1:] & measured[:-1]
    size = float((anomaly[:-1][pairs] ** 2).sum())
    memory = float(np.clip((anomaly[1:] * anomaly[:-1])[pairs].sum() / size, 0.0, 0.99)) if size > 0.0 else 0.0
    newest = np.maximum.accumulate(np.where(measured, places, -1))  # the last measured place up to each one
    carried = np.where(newest >= 0, anomaly[newest] * memory ** (places - newest), 0.0)
    return _Outlook(first, np.where(measured, values, normal + carried), measured, NORMAL)


def _normal(values: Floats, measured: npt.NDArray[np.bool_], freq: Frequency, first: int) -> Floats | None:
    """Mean and harmonics of the year by least squares; None where the year does not rule, or is not known well."""
    if freq not in WITH_CALENDAR or freq is Frequency.YEARLY:
        return None
    ordinals = first + np.arange(len(values))
    seen = ordinals[measured]
    days = (freq.starts(seen[[0, -1]]).astype("datetime64[D]")).astype(np.int64)
    if days[1] - days[0] < _YEARS * 365 - 31 or len(seen) < 8:
        return None
    fraction = year_fraction(freq, ordinals)
    pairs = 1 if freq is Frequency.QUARTERLY else _PAIRS
    waves = [wave(2.0 * np.pi * k * fraction) for k in range(1, pairs + 1) for wave in (np.sin, np.cos)]
    design = np.column_stack([np.ones(len(values)), *waves])
    coefficients = np.linalg.lstsq(design[measured], values[measured], rcond=None)[0]
    fitted: Floats = design @ coefficients
    spread = float(np.var(values[measured]))
    left = float(np.var(values[measured] - fitted[measured]))
    return fitted if spread > 0.0 and 1.0 - left / spread > SEASONAL else None
