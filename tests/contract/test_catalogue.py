"""The contract of `Catalogue`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from industrial_brain.domain.city import ClusterClass, Region, Sector, Tier
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue
from tests.contract.city import CLUSTERS, ENTERPRISES, INDICATORS, REGIONS, SERIES, SITES, put_city
from tests.contract.conftest import Stores


@pytest.fixture
def catalogue(stores: Stores) -> Catalogue:
    put_city(stores.catalogue)
    return stores.catalogue


def test_what_was_put_is_listed_whole_and_in_order(catalogue: Catalogue) -> None:
    assert catalogue.list_regions().items == tuple(sorted(REGIONS, key=lambda one: one.code))
    assert catalogue.list_clusters().items == tuple(CLUSTERS)
    assert catalogue.list_series().items == tuple(SERIES)
    assert catalogue.indicators() == {one.code: one for one in INDICATORS}
    assert catalogue.enterprises() == {one.id: one for one in ENTERPRISES}
    assert catalogue.sites() == {one.id: one for one in SITES}
    assert catalogue.series() == {one.id: one for one in SERIES}


def test_declared_nowcasts_come_back_whole_and_are_replaced_by_their_series(catalogue: Catalogue) -> None:
    full = NowcastTarget(
        "output:500103:C01",
        ("readers:500112", "free_1%"),
        most_related=1,
        transformations={"readers:500112": Transformation.DIFFERENCE},
        blocks={"people": ("readers:500112",)},
        factor_order=2,
    )
    plain = NowcastTarget("a:500103", ("b:500103",))
    catalogue.put_nowcasts([full, plain])
    assert catalogue.nowcasts() == {"a:500103": plain, "output:500103:C01": full}
    assert list(catalogue.nowcasts()) == ["a:500103", "output:500103:C01"]
    changed = replace(plain, indicators=("c:500103",))
    catalogue.put_nowcasts([changed])
    assert catalogue.nowcasts()["a:500103"] == changed and len(catalogue.nowcasts()) == 2


def test_putting_the_same_again_changes_nothing(catalogue: Catalogue) -> None:
    before = catalogue.counts()
    put_city(catalogue)
    assert catalogue.counts() == before
    assert before == {
        "regions": 4,
        "clusters": 2,
        "indicators": 4,
        "series": 3,
        "enterprises": 2,
        "sites": 3,
        "observations": 0,
    }


def test_a_second_put_replaces_the_facts(catalogue: Catalogue) -> None:
    catalogue.put_regions([replace(REGIONS[1], name_en="Mountain City")])
    assert catalogue.list_regions(search="mountain").items[0].code == "500000"
    assert catalogue.list_regions(search="chongqing").total == 0


def test_a_dangling_reference_is_refused_and_nothing_is_stored(catalogue: Catalogue) -> None:
    orphan = Region("500999", "无", "Nowhere", Tier.DISTRICT, "999999")
    with pytest.raises(UnknownIdError):
        catalogue.put_regions([replace(REGIONS[1], name="改名"), orphan])
    assert catalogue.list_regions(search="Nowhere").total == 0
    assert catalogue.list_regions(tier=Tier.MUNICIPALITY).items == (REGIONS[1],)


def test_series_of_unknown_places_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownIdError):
        catalogue.put_series([replace(SERIES[1], id="output:1", region="1")])


def test_a_series_keeps_its_frequency(catalogue: Catalogue) -> None:
    with pytest.raises(InputError):
        catalogue.put_series([replace(SERIES[0], frequency=Frequency.DAILY)])
    assert catalogue.series(["free_1%"])["free_1%"].frequency is Frequency.QUARTERLY


def test_pages_follow_each_other_without_a_gap(catalogue: Catalogue) -> None:
    first = catalogue.list_regions(limit=3)
    assert [one.code for one in first.items] == ["500000", "500103", "500103001"]
    assert (first.next_after, first.total) == ("500103001", 4)
    rest = catalogue.list_regions(limit=3, after=first.next_after)
    assert [one.code for one in rest.items] == ["500112"]
    assert (rest.next_after, rest.total) == (None, 4)


def test_a_full_last_page_says_that_it_is_the_last(catalogue: Catalogue) -> None:
    assert catalogue.list_regions(limit=4).next_after is None


def test_regions_are_filtered_by_tier_and_parent(catalogue: Catalogue) -> None:
    assert [one.code for one in catalogue.list_regions(tier=Tier.DISTRICT).items] == ["500103", "500112"]
    assert [one.code for one in catalogue.list_regions(parent="500103").items] == ["500103001"]


def test_clusters_are_filtered_by_class(catalogue: Catalogue) -> None:
    assert [one.code for one in catalogue.list_clusters(cluster_class=ClusterClass.PILLAR).items] == ["C04"]


@pytest.mark.parametrize(
    ("search", "codes"),
    [("YUBEI", ["500112"]), ("渝", ["500103", "500112"]), ("500103", ["500103", "500103001"]), ("_", []), ("%", [])],
)
def test_search_finds_substrings_whatever_their_case(catalogue: Catalogue, search: str, codes: list[str]) -> None:
    assert [one.code for one in catalogue.list_regions(search=search).items] == codes


def test_a_percent_sign_in_a_search_means_itself(catalogue: Catalogue) -> None:
    assert [one.code for one in catalogue.list_clusters(search="100%").items] == ["C04"]
    assert [one.id for one in catalogue.list_series(search="_1%").items] == ["free_1%"]


@pytest.mark.parametrize("search", ["Yuzhong", "vehicles", "OUTPUT", "产值"])
def test_series_are_found_by_the_names_of_their_parts(catalogue: Catalogue, search: str) -> None:
    assert [one.id for one in catalogue.list_series(search=search).items] == ["output:500103:C01"]


@pytest.mark.parametrize(
    ("facts", "ids"),
    [
        ({"indicator": "output"}, ["output:500103:C01"]),
        ({"region": "500112"}, ["readers:500112"]),
        ({"tier": Tier.DISTRICT}, ["output:500103:C01", "readers:500112"]),
        ({"cluster": "C01"}, ["output:500103:C01"]),
        ({"sector": Sector.CULTURE}, ["readers:500112"]),
        ({"frequency": Frequency.QUARTERLY}, ["free_1%"]),
        ({"simulated": True}, ["readers:500112"]),
        ({"simulated": False}, ["free_1%", "output:500103:C01"]),
        ({"simulated": False, "tier": Tier.DISTRICT}, ["output:500103:C01"]),
    ],
)
def test_series_are_filtered_by_each_fact(catalogue: Catalogue, facts: dict[str, object], ids: list[str]) -> None:
    assert [one.id for one in catalogue.list_series(**facts).items] == ids  # type: ignore[arg-type]  # facts by name


def test_series_like_one_share_its_sector_tier_and_frequency_and_are_real_or_simulated_as_it_is(
    catalogue: Catalogue,
) -> None:
    (output,) = [one for one in SERIES if one.id == "output:500103:C01"]
    others = [replace(output, id=f"other:{k}") for k in range(3)]
    catalogue.put_series([*others, replace(output, id="other:simulated", simulated=True)])
    assert catalogue.series_like(output, limit=3) == ["other:0", "other:1", "other:2"]
    assert catalogue.series_like(output, limit=9) == ["other:0", "other:1", "other:2", "output:500103:C01"]
    (free,) = [one for one in SERIES if one.id == "free_1%"]
    assert catalogue.series_like(free, limit=9) == ["free_1%"]


def test_series_that_do_not_exist_are_left_out(catalogue: Catalogue) -> None:
    assert list(catalogue.series(["readers:500112", "nobody"])) == ["readers:500112"]
    assert catalogue.series([]) == {}


def test_more_names_than_a_statement_can_hold_are_looked_up(catalogue: Catalogue) -> None:
    names = [f"nobody-{i}" for i in range(40_000)]
    assert list(catalogue.series([*names, "free_1%"])) == ["free_1%"]
