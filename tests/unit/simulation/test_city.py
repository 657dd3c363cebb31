from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from industrial_brain.domain.city import Sector, Tier
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.indicators import Aggregation
from industrial_brain.domain.periods import Frequency
from industrial_brain.simulation import FULL, SMALL, write_city
from industrial_brain.simulation.city import City, plan_city
from industrial_brain.simulation.indicators import CATALOGUE
from industrial_brain.simulation.process import PROFILES
from industrial_brain.simulation.sites import build_enterprises, build_sites

if TYPE_CHECKING:
    from .conftest import Folder


@pytest.fixture(scope="module")
def full() -> City:
    return plan_city(seed=1, last_month="2026-06", size=FULL)


def _bytes(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_the_same_seed_writes_the_same_bytes(folder: Folder, tmp_path: Path) -> None:
    write_city(tmp_path / "again", seed=7, last_month="2025-11", size=SMALL)
    assert _bytes(tmp_path / "again") == _bytes(folder.path)


def test_another_seed_writes_another_city(folder: Folder, tmp_path: Path) -> None:
    write_city(tmp_path / "other", seed=8, last_month="2025-11", size=SMALL)
    name = "observations-monthly.csv"
    assert (tmp_path / "other" / name).read_bytes() != (folder.path / name).read_bytes()


def test_every_row_and_the_source_are_marked_as_simulated(folder: Folder) -> None:
    profile = tomllib.loads((folder.path / "profile.toml").read_text(encoding="utf-8"))
    assert profile["source"]["simulated"] is True
    assert {row["simulated"] for row in folder.rows()} == {"true"}
    for table in ("enterprises.csv", "sites.csv"):
        assert all(row["simulated"] == "true" and "模拟" in row["name"] for row in folder.table(table))


def test_made_up_towns_are_named_so_and_real_districts_are_not(folder: Folder) -> None:
    for region in folder.table("regions.csv"):
        made_up = region["tier"] == Tier.TOWN
        assert (region["simulated"] == "true") is made_up
        assert ("模拟" in region["name"]) is made_up


def test_no_value_is_negative_or_known_after_the_city_was_published(folder: Folder) -> None:
    for row in folder.rows():
        assert float(row["y"]) >= 0
        assert row["ds"] < row["known_at"] <= "2025-12-25T12:00:00Z"


def test_the_newest_period_of_a_slow_indicator_is_not_known_yet(newest: dict[str, dict[str, object]]) -> None:
    assert max(newest["output:500000"]) == "2025-11-01"
    assert max(newest["civil_cases:500000"]) == "2025-10-01"
    assert max(newest["gdp_year:500000"]) == "2024-01-01"


def test_every_series_names_codes_that_the_profile_knows(folder: Folder) -> None:
    indicators = {row["code"] for row in folder.table("indicators.csv")}
    regions = {row["code"] for row in folder.table("regions.csv")}
    clusters = {row["code"] for row in folder.table("clusters.csv")}
    for name in {row["unique_id"] for row in folder.rows()}:
        indicator, region, *cluster = name.split(":")
        assert indicator in indicators
        assert region in regions
        assert set(cluster) <= clusters


def test_preliminary_values_are_revised_a_month_later(folder: Folder) -> None:
    seen: Counter[tuple[str, str]] = Counter((row["unique_id"], row["ds"]) for row in folder.rows())
    revised = {name.partition(":")[0] for (name, _), times in seen.items() if times > 1}
    assert {"gdp", "output", "investment"} <= revised


def test_the_full_city_has_the_size_of_chongqing(full: City) -> None:
    tiers = Counter(region.tier for region in full.places.regions)
    assert tiers == {Tier.MUNICIPALITY: 1, Tier.DISTRICT: 38, Tier.TOWN: 1000}
    assert len(full.places.clusters) == 30
    enterprises = build_enterprises(1, full.places, FULL.enterprises)
    sites = build_sites(1, full.places, enterprises, factories=300, stations=72, points=1364)
    assert len(enterprises) == 2000
    assert Counter(site.kind for site in sites) == {"factory": 300, "gas_station": 72, "gas_service_point": 1364}


def test_service_points_lie_in_the_district_of_their_station(full: City) -> None:
    sites = build_sites(1, full.places, build_enterprises(1, full.places, 300), factories=0, stations=72, points=1364)
    home = {site.id: site.region for site in sites}
    points = [site for site in sites if site.parent is not None]
    assert len(points) == 1364
    assert all(point.region.startswith(home[str(point.parent)]) for point in points)


def test_the_full_catalogue_has_thousands_of_series_in_all_sectors_most_in_the_economy(full: City) -> None:
    series: Counter[Sector] = Counter()
    for spec in CATALOGUE:
        series[spec.indicator.sector] += len(full.grids[spec.grain].published)
    assert 3500 <= sum(series.values()) <= 4900
    assert set(series) == set(Sector)
    assert series[Sector.ECONOMY] > sum(series.values()) / 2
    frequencies = {spec.indicator.frequency for spec in CATALOGUE}
    assert frequencies == set("YQMWD")


def test_definitions_are_complete_and_in_an_order_that_can_be_computed() -> None:
    before: set[str] = set()
    for spec in CATALOGUE:
        definition = spec.indicator
        assert definition.code not in before
        part_of = spec.process.part_of if spec.process else None
        needs = {definition.weight, definition.numerator, definition.denominator, spec.split_of, spec.total_of, part_of}
        assert needs - {None} <= before
        assert spec.process is None or spec.process.profile in PROFILES
        derived = definition.aggregation is Aggregation.RATIO or spec.split_of or spec.total_of or spec.weather
        assert (spec.process is None) is bool(derived)
        before.add(definition.code)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not an empty folder"):
        write_city(tmp_path, seed=1, last_month="2025-12", size=SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="can't be written"):
        write_city(tmp_path / "file" / "city", seed=1, last_month="2025-12", size=SMALL)


def test_what_a_killed_run_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".city.partial").mkdir()
    (tmp_path / ".city.partial" / "half.csv").write_text("unique_id")
    write_city(tmp_path / "city", seed=1, last_month="2025-12", size=SMALL)
    assert not (tmp_path / ".city.partial").exists()
    assert not (tmp_path / "city" / "half.csv").exists()


@pytest.mark.parametrize("month", ["2025-13", "2025", "2012-05", "2040-01", "December"])
def test_a_month_that_cannot_be_simulated_is_a_named_error(tmp_path: Path, month: str) -> None:
    with pytest.raises(InputError) as caught:
        write_city(tmp_path / "city", seed=1, last_month=month, size=SMALL)
    assert caught.value.next_step


def test_a_negative_seed_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed"):
        write_city(tmp_path / "city", seed=-1, last_month="2025-12", size=SMALL)


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    write_city(
        tmp_path / "city",
        seed=1,
        last_month="2025-12",
        size=SMALL,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (len(CATALOGUE), len(CATALOGUE))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_yearly_values_cover_ten_years_when_the_history_ends_in_december() -> None:
    city = plan_city(seed=1, last_month="2025-12", size=SMALL)
    assert {frequency: len(city.timelines[frequency]) for frequency in (Frequency.YEARLY, Frequency.QUARTERLY)} == {
        Frequency.YEARLY: 10,
        Frequency.QUARTERLY: 40,
    }
