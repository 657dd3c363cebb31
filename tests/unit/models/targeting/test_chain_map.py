"""Gaps and single threads of a chain that was drawn by hand."""

from __future__ import annotations

from industrial_brain.domain.city import Cluster, ClusterClass, Enterprise
from industrial_brain.domain.targeting import ChainLink
from models.targeting.chain_map import Stand, chain_map

CLUSTERS = {code: Cluster(code, code, code, ClusterClass.RISING) for code in "ABCD"}
#: A supplies B and C, B supplies C, D supplies nobody
LINKS = [ChainLink("A", "B", 3.0, "s"), ChainLink("A", "C", 1.0, "s"), ChainLink("B", "C", 1.0, "s")]


def _firm(name: str, cluster: str, employees: int) -> Enterprise:
    return Enterprise(name, name, "500103", cluster, employees)


def test_what_lacks_between_what_is_there_is_a_gap() -> None:
    found = chain_map(LINKS, CLUSTERS, [_firm("1", "A", 10)], {"C": Stand(value=5.0)}, {})
    assert found.gaps == ("B",)
    by_code = {node.cluster.code: node for node in found.nodes}
    assert [by_code[code].present for code in "ABCD"] == [True, False, True, False]
    assert by_code["C"].suppliers == 0.5 and by_code["C"].customers is None
    assert by_code["D"].suppliers is None and not by_code["D"].gap


def test_one_enterprise_that_others_depend_on_is_a_single_point_of_failure() -> None:
    firms = [_firm("1", "A", 90), _firm("2", "A", 10), _firm("3", "B", 50), _firm("4", "C", 50)]
    (point,) = chain_map(LINKS, CLUSTERS, firms, {}, {}).single_points[:1]
    assert (point.cluster, point.reason, point.holder) == ("A", "one enterprise", "1")
    assert point.dependents == ("B", "C")
    shared = [_firm("1", "A", 50), _firm("2", "A", 50), *firms[2:]]
    assert "A" not in [one.cluster for one in chain_map(LINKS, CLUSTERS, shared, {}, {}).single_points]


def test_one_region_that_all_supplies_come_from_is_one_too() -> None:
    firms = [_firm("1", "A", 50), _firm("2", "A", 50), _firm("3", "B", 50), _firm("4", "B", 50)]
    found = chain_map(LINKS, CLUSTERS, firms, {}, {"A": ["500103"], "B": ["500103", "500104"]})
    assert [(one.cluster, one.reason, one.holder) for one in found.single_points] == [("A", "one region", "500103")]


def test_without_links_nothing_is_a_gap() -> None:
    found = chain_map([], CLUSTERS, [], {}, {})
    assert found.gaps == () and found.single_points == ()
