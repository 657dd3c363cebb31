"""One small city for all tests of the simulator, written once and read back as a user would read it."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from industrial_brain.simulation import SMALL, write_city
from industrial_brain.simulation.city import City, plan_city

SEED = 7
LAST_MONTH = "2025-11"  # not a quarter's end: the newest quarter and year are incomplete

Row = dict[str, str]


@dataclass(frozen=True)
class Folder:
    """A profile folder, read with nothing but the csv module."""

    path: Path

    def table(self, name: str) -> list[Row]:
        with (self.path / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def rows(self) -> list[Row]:
        return [row for file in sorted(self.path.glob("observations*.csv")) for row in self.table(file.name)]

    def newest(self) -> dict[str, dict[str, Decimal]]:
        """Series to period to the value known last, as the decimals in the file."""
        values: dict[str, dict[str, Decimal]] = defaultdict(dict)
        for row in sorted(self.rows(), key=lambda row: row["known_at"]):
            values[row["unique_id"]][row["ds"]] = Decimal(row["y"])
        return dict(values)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    path = tmp_path_factory.mktemp("simulated") / "city"
    write_city(path, seed=SEED, last_month=LAST_MONTH, size=SMALL)
    return Folder(path)


@pytest.fixture(scope="session")
def newest(folder: Folder) -> dict[str, dict[str, Decimal]]:
    return folder.newest()


@pytest.fixture(scope="session")
def city() -> City:
    """The plan of the city in `folder`."""
    return plan_city(seed=SEED, last_month=LAST_MONTH, size=SMALL)
