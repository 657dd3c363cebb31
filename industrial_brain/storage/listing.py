"""Walking a whole listing, page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from industrial_brain.domain.city import Cluster, Region
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.protocols import Catalogue, Page
from industrial_brain.domain.targeting import Lead, LeadStore

T = TypeVar("T")

_PAGE = 1000


def all_regions(catalogue: Catalogue) -> dict[str, Region]:
    """Every region by code."""
    return {one.code: one for one in _every(lambda after: catalogue.list_regions(after=after, limit=_PAGE))}


def all_clusters(catalogue: Catalogue) -> dict[str, Cluster]:
    """Every cluster by code."""
    return {one.code: one for one in _every(lambda after: catalogue.list_clusters(after=after, limit=_PAGE))}


def all_leads(leads: LeadStore) -> list[Lead]:
    """Every lead, in the order in which they were proposed."""
    return list(_every(lambda after: leads.list_leads(after=after, limit=_PAGE)))


def peers_of(catalogue: Catalogue, series: SeriesInfo) -> list[str] | None:
    """Ids that a planner would compare a series with: of its sector, tier and frequency, itself among them. At most a page.

    None for a series outside the city, of which nothing is known to compare it by.
    """
    if series.sector is None:
        return None
    return catalogue.series_like(series, _PAGE)


def _every(listing: Callable[[str | None], Page[T]]) -> Iterator[T]:
    page = listing(None)
    yield from page.items
    while page.next_after is not None:
        page = listing(page.next_after)
        yield from page.items
