"""A small city in memory, and a way to import a file into it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from industrial_brain.domain.indicators import Source
from industrial_brain.storage.files.report import ImportReport
from industrial_brain.storage.indicator_files import import_indicators
from tests.contract.city import CLUSTERS, INDICATORS, REGIONS
from tests.fakes.stores import FakeCatalogue, FakeObservationStore

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SOURCE = Source("statistics office", "CC-BY-4.0")


@dataclass(frozen=True)
class Bench:
    """The stores, and files beside them."""

    folder: Path
    catalogue: FakeCatalogue
    observations: FakeObservationStore

    def write(self, content: str | bytes, name: str = "data.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self, content: str | bytes | Path, **options: Any) -> ImportReport:
        """Import a file, or text as one."""
        facts: dict[str, Any] = {"source": SOURCE, "known_at": NOW, "now": NOW} | options
        path = content if isinstance(content, Path) else self.write(content)
        return import_indicators(path, catalogue=self.catalogue, observations=self.observations, **facts)

    def values(self, series: str) -> dict[str, float]:
        return {one.period: one.value for one in self.observations.read_one(series, NOW)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    catalogue = FakeCatalogue()
    catalogue.put_regions(REGIONS)
    catalogue.put_clusters(CLUSTERS)
    catalogue.put_indicators(INDICATORS)
    return Bench(tmp_path, catalogue, FakeObservationStore(catalogue))
