"""Which series are sums of others: read off the city's structure, and kept where the data agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.indicators import Aggregation, SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from models.forecasting.hierarchy import Structure

#: newest periods on which an identity is tried, in seasons, and at least so many periods
_SEASONS, _PERIODS = 3, 12

#: periods in which whole and parts must all be known
_NEEDED = 3

#: relative difference up to which a sum counts as equal, beside what the rounding of published figures explains
_EQUAL = 1e-6

#: decimals that figures are looked at for; finer ones are not rounded
_DECIMALS = 6

#: share of the periods in which it must be: a typing error must not hide an identity
_HOLDS = 0.9


def find_structure(
    panel: Panel,
    infos: Mapping[str, SeriesInfo],
    parents: Mapping[str, str | None],
    usable: npt.NDArray[np.bool_],
) -> Structure:
    """The identities of indicators that add up: a region is the sum of the regions below it, and of its clusters.

    Only where all parts that are published did add up to the whole lately: a place that publishes for some of its towns alone
    is no sum of them.

    Args:
        parents: region -> the region that contains it.
        usable: bool (n,); identities with another series can't be kept in a forecast, and are left out.
    """
    rows = {name: row for row, name in enumerate(panel.ids)}
    below: dict[tuple[str, str, str | None], list[int]] = {}
    for name, row in rows.items():
        info = infos[name]
        if info.aggregation is not Aggregation.SUM or info.indicator is None or info.region is None:
            continue
        parent = parents.get(info.region)
        if parent is not None:
            below.setdefault((info.indicator, parent, info.cluster), []).append(row)
        if info.cluster is not None:
            below.setdefault((info.indicator, info.region, None), [])
    identities: list[tuple[int, list[int]]] = []
    clusters = _by_cluster(rows, infos)
    for key in below:
        whole = rows.get(":".join(part for part in key if part))
        if whole is None:
            continue
        splits = [below[key], clusters.get(key[:2], []) if key[2] is None else []]
        identities.extend(
            (whole, parts)
            for parts in splits
            if parts and usable[[whole, *parts]].all() and _adds_up(panel, whole, parts)
        )
    return Structure.of(identities, len(panel))


def _by_cluster(rows: Mapping[str, int], infos: Mapping[str, SeriesInfo]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for name, row in rows.items():
        info = infos[name]
        if info.aggregation is Aggregation.SUM and info.indicator and info.region and info.cluster:
            found.setdefault((info.indicator, info.region), []).append(row)
    return found


def _adds_up(panel: Panel, whole: int, parts: list[int]) -> bool:
    last = int(panel.last[[whole, *parts]].min())
    periods = max(_SEASONS * panel.season, _PERIODS)
    total = _window(panel, whole, last, periods)
    added = [_window(panel, part, last, periods) for part in parts]
    summed = np.sum(added, axis=0)
    known = np.isfinite(total) & np.isfinite(summed)
    if known.sum() < _NEEDED:
        return False
    unit = _rounded_to(np.concatenate([window[np.isfinite(window)] for window in (total, *added)]))
    rounding = 0.5 * unit * (len(parts) + 1)  # each figure may be half a unit off
    equal = np.abs(total - summed) <= rounding + _EQUAL * np.abs(total)
    return bool(equal[known].mean() >= _HOLDS)


def _rounded_to(values: Floats) -> float:
    """The decimal unit that figures are rounded to, such as 0.1; 0 where they don't seem to be."""
    for decimals in range(_DECIMALS + 1):
        if np.abs(values - np.round(values, decimals)).max(initial=0.0) <= 1e-9 * max(
            1.0, np.abs(values).max(initial=0.0)
        ):
            return float(10.0**-decimals)
    return 0.0


def _window(panel: Panel, row: int, last: int, periods: int) -> Floats:
    """A series' values in the `periods` periods up to `last`; NaN before its start."""
    values = panel.values[panel.indptr[row] : panel.indptr[row + 1]]
    end = last - int(panel.start[row]) + 1
    window = np.full(periods, np.nan)
    taken = values[max(0, end - periods) : max(0, end)]
    window[periods - len(taken) :] = taken
    return window
