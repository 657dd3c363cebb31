"""One series' values as they were known at a moment, page by page."""

from __future__ import annotations

import datetime as dt

from industrial_brain.domain.errors import PageTokenError, UnknownIdError
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.protocols import Catalogue
from serving.deps import Services
from serving.pages import issue_token, read_token, whole_number
from serving.schemas import ObservationOut, ObservationsOut, ObservationsQuery


def series_info(catalogue: Catalogue, series: str) -> SeriesInfo:
    """The facts about one series.

    Raises:
        UnknownIdError: there is none of this id.
    """
    info = catalogue.series([series]).get(series)
    if info is None:
        raise UnknownIdError(f"There is no series '{series}'.", "GET /v1/indicators lists and searches the series.")
    return info


def observations(services: Services, series: str, query: ObservationsQuery) -> ObservationsOut:
    """A page of values, oldest first. All pages of one listing show what was known at one moment: the token holds it.

    Raises:
        UnknownIdError: there is no such series.
        PageTokenError: the token continues something else.
    """
    info = series_info(services.catalogue, series)
    listing = f"observations of {series}"
    if query.page_token is None:
        as_of, after = query.as_of or services.clock().astimezone(dt.UTC), None
    else:
        as_of, after = _position(read_token(query.page_token, listing, query))
    found = services.observations.read_one(series, as_of, after=after, limit=query.page_size + 1)
    items = found[: query.page_size]
    more = len(found) > len(items)
    position = f"{info.frequency.ordinal_of_label(items[-1].period)} {as_of.isoformat()}" if more else ""
    return ObservationsOut(
        series=series,
        unit=info.unit,
        frequency=info.frequency,
        as_of=as_of,
        items=[ObservationOut.model_validate(item) for item in items],
        next_page_token=issue_token(listing, query, position) if more else None,
    )


def _position(text: str) -> tuple[dt.datetime, int]:
    ordinal, _, as_of = text.partition(" ")
    try:
        return dt.datetime.fromisoformat(as_of).astimezone(dt.UTC), whole_number(ordinal)
    except ValueError as error:
        raise PageTokenError("The page token can't be read.", "Leave it out to begin again.") from error
