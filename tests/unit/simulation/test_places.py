from __future__ import annotations

import re
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from industrial_brain.domain.city import ClusterClass
from industrial_brain.simulation.calendar import History
from industrial_brain.simulation.places import apportion, build_places
from industrial_brain.simulation.process import build_world


def test_districts_carry_their_current_codes_and_names() -> None:
    districts = {
        region.code: region.name for region in build_places(1, districts=38, towns=1000, clusters=30).districts
    }
    assert len(districts) == 38
    assert districts["500154"] == "开州区"
    assert districts["500155"] == "梁平区"
    assert districts["500156"] == "武隆区"
    assert not {"500228", "500232", "500234"} & set(districts)
    # codes under 500200 are districts, the others counties
    assert all(name.endswith("区") == (code < "500200") for code, name in districts.items())


def test_made_up_towns_take_numbers_that_no_real_town_has() -> None:
    places = build_places(1, districts=38, towns=1000, clusters=30)
    assert len({town.code for town in places.towns}) == 1000
    assert all(re.fullmatch(r"500\d{3}9\d\d", town.code) and town.code[:6] == town.parent for town in places.towns)


def test_clusters_are_the_33618_system_in_order() -> None:
    clusters = build_places(1, districts=38, towns=1000, clusters=30).clusters
    assert [cluster.code for cluster in clusters] == [f"C{number:02d}" for number in range(1, 31)]
    assert Counter(cluster.cluster_class for cluster in clusters) == {
        ClusterClass.LEADING: 3,
        ClusterClass.PILLAR: 3,
        ClusterClass.SPECIALTY: 6,
        ClusterClass.RISING: 18,
    }


def test_masses_are_shares_and_towns_share_their_districts() -> None:
    places = build_places(3, districts=5, towns=40, clusters=4)
    assert np.isclose(places.mass.sum(), 1) and np.isclose(places.pair_mass.sum(), 1)
    for district, mass in zip(places.districts, places.mass, strict=True):
        inside = [town.parent == district.code for town in places.towns]
        assert np.isclose(places.town_mass[inside].sum(), mass)
        assert places.piped[inside].any()


@given(
    shares=st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    extra=st.integers(0, 500),
)
def test_apportioned_seats_sum_to_the_house(shares: list[float], extra: int) -> None:
    total = len(shares) + extra
    seats = apportion(total, np.array(shares))
    assert seats.sum() == total
    assert seats.min() >= 1


def test_the_spring_festival_moves_between_january_and_february() -> None:
    history = History.ending("2025-12")
    weight = dict(zip(history.days.astype(str), history.festival(), strict=True))
    assert weight["2023-01-22"] == weight["2024-02-10"] == 1
    assert weight["2023-02-10"] == weight["2024-01-22"] == 0
    assert weight["2024-07-01"] == 0


def test_summers_are_hot_and_winters_mild() -> None:
    history = History.ending("2025-12")
    temperature = build_world(1, history, clusters=1).temperature
    assert 5 < temperature[history.months == 0].mean() < 11
    assert 26 < temperature[history.months == 6].mean() < 32
