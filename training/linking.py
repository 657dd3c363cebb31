"""Linking: which stored series another one depends on, as its indicator declares. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from features.outliers import without_absurd
from industrial_brain.domain.covariates import Knowledge, PanelCovariates
from industrial_brain.domain.indicators import Indicator, SeriesInfo, SeriesKey
from industrial_brain.domain.panel import Panel


def link_covariates(
    panels: Sequence[Panel],
    infos: Mapping[str, SeriesInfo],
    indicators: Mapping[str, Indicator],
    parents: Mapping[str, str | None],
) -> list[Panel]:
    """The panels with what their series depend on.

    A covariate is read from the series of its indicator in the same region, or else in the nearest region around it that has
    one: a town without a thermometer has its district's weather. Where no region has one, the series goes without. Absurd
    values of a source (slips of the decimal point) are taken for gaps.

    Args:
        parents: region -> the region that contains it.
    """
    return [_linked(panel, infos, indicators, parents) for panel in panels]


def sources_of(
    infos: Mapping[str, SeriesInfo], indicators: Mapping[str, Indicator], parents: Mapping[str, str | None]
) -> set[str]:
    """Every series that these may read a covariate from, if it exists."""
    return {
        source
        for info in infos.values()
        if info.indicator is not None and info.indicator in indicators and info.region is not None
        for use in indicators[info.indicator].covariates
        for source in _candidates(use.indicator, info.region, parents)
    }


def _linked(
    panel: Panel,
    infos: Mapping[str, SeriesInfo],
    indicators: Mapping[str, Indicator],
    parents: Mapping[str, str | None],
) -> Panel:
    rows = {name: row for row, name in enumerate(panel.ids)}
    found: dict[str, dict[int, int]] = {}  # covariate -> row of a series -> row of its source
    knowledge: dict[str, Knowledge] = {}
    for row, name in enumerate(panel.ids):
        info = infos.get(name)
        declared = indicators.get(info.indicator) if info is not None and info.indicator is not None else None
        if info is None or info.region is None or declared is None:
            continue
        for use in declared.covariates:
            source = next((rows[s] for s in _candidates(use.indicator, info.region, parents) if s in rows), None)
            if source is not None and source != row:
                found.setdefault(use.name, {})[row] = source
                if knowledge.get(use.name) is not Knowledge.PAST_ONLY:  # of two claims, the more cautious one holds
                    knowledge[use.name] = use.knowledge
    if not found:
        return panel
    names = sorted(found)
    used = sorted({source for links in found.values() for source in links.values()})
    place = {row: number for number, row in enumerate(used)}
    reads = np.full((len(panel), len(names)), -1, dtype=np.int64)
    for j, name in enumerate(names):
        for row, source in found[name].items():
            reads[row, j] = place[source]
    plain = replace(panel, covariates=None)
    sources, _ = without_absurd(plain.take(used))
    linked = PanelCovariates.of(plain, names, [knowledge[name] for name in names], sources, reads)
    return replace(panel, covariates=linked)


def _candidates(indicator: str, region: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    here: str | None = region
    while here is not None:
        yield str(SeriesKey(indicator, here))
        here = parents.get(here)
