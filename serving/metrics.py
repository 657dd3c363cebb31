"""Figures for Prometheus, in a registry of their own so that two apps in one process don't mix."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from industrial_brain.domain.errors import UnavailableError
from serving.live import ForecastModel, LiveModels
from streaming.runtime import Progress, Telemetry

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Requests by route template and status, which champion answers, and how far the telemetry is."""

    def __init__(self, live: LiveModels[ForecastModel], telemetry: Telemetry) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "brain_http_requests",
            "Requests answered. Route '' is none of ours; status 0 is a caller who left.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "brain_http_request_seconds",
            "From the request's first byte to the answer's last.",
            ["method", "route"],
            registry=self._registry,
        )
        self._gauge("brain_champion_version", "Version that answers; 0 before one is loaded.").set_function(
            lambda: live.champion.version.version if live.champion else 0
        )
        self._gauge("brain_champion_swaps", "Champions loaded since the start.").set_function(lambda: live.swaps)
        self._gauge("brain_champion_load_failing", "1 while the newest champion can't be loaded.").set_function(
            lambda: live.failure is not None
        )

        for name, documentation, figure in (
            ("channels", "Channels that are followed.", lambda now: now.channels),
            ("unscored_entries", "Entries of the ingest sequence that are durable and not scored.", _unscored),
            ("rows_waiting", "Readings that are durable, and not yet both scored and in the lake.", _waiting),
        ):
            self._gauge(f"brain_telemetry_{name}", documentation).set_function(_of(telemetry, figure))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request. Methods outside HTTP's own count as OTHER, so that callers can't grow the table."""
        method = method if method in _METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, registry=self._registry)


def _unscored(now: Progress) -> int:
    return now.durable - now.scored


def _waiting(now: Progress) -> int:
    return now.rows_waiting


def _of(telemetry: Telemetry, figure: Callable[[Progress], int]) -> Callable[[], float]:
    def read() -> float:
        try:
            return figure(telemetry.progress())
        except UnavailableError:  # it is starting, or has ended
            return 0

    return read
