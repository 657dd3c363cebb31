"""A file's way into real databases."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from industrial_brain.domain.indicators import Source
from industrial_brain.storage.indicator_files import import_indicators
from tests.contract.conftest import Stores

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_a_file_of_several_chunks_is_stored_once_and_read_back(stores: Stores, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(150, 400))
    path = tmp_path / "long.csv"
    months = np.arange("1990-01", "2023-05", dtype="datetime64[M]")
    assert values.size > 50_000  # more than a chunk
    with path.open("w") as file:
        file.write("unique_id,ds,y\n")
        file.writelines(
            f"s{i:03d},{month},{value!r}\n"
            for i, row in enumerate(values.tolist())
            for month, value in zip(months.tolist(), row, strict=True)
        )

    def load(known_at: dt.datetime) -> tuple[int, int]:
        report = import_indicators(
            path,
            catalogue=stores.catalogue,
            observations=stores.observations,
            source=Source("a test", "CC0-1.0"),
            known_at=known_at,
            now=NOW,
        )
        return report.accepted, report.duplicate

    assert load(NOW - dt.timedelta(days=1)) == (60_000, 0)
    assert load(NOW) == (0, 60_000)
    (panel,) = stores.observations.read_panels(NOW)
    np.testing.assert_array_equal(panel.values.reshape(150, 400), values)
