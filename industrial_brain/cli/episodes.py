"""The anomalies that a running server has found at simulated sites, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from industrial_brain.simulation.labels import WHOLE_SITE, Episode, Truth, read_moment, written

if TYPE_CHECKING:
    from serving.sending import TelemetryServer

_PAGE_SIZE = "500"


def episodes_of(server: TelemetryServer, truth: Truth) -> Iterator[Episode]:
    """The anomalies at the truth's sites that stand for themselves and touch its span; one that is open lasts until its last
    reading so far. Raises as `TelemetryServer.get`."""
    for site in truth.sites:
        asked = {"site": site, "start": written(truth.start), "page_size": _PAGE_SIZE}
        page = server.get("/v1/anomalies", **asked)
        while True:
            for one in page["items"]:
                start, end = read_moment(one["start"]), read_moment(one["end"] or one["last_point"])
                yield Episode(one["site"], one["device"] or WHOLE_SITE, start, end, one["cause"])
            if page["next_page_token"] is None:
                break
            page = server.get("/v1/anomalies", **asked, page_token=page["next_page_token"])
