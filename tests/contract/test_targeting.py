"""The contracts of `ChainStore` and `LeadStore`: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from industrial_brain.domain.city import Cluster, ClusterClass, Region, Tier
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Catalogue
from industrial_brain.domain.targeting import ChainLink, ChainStore, LeadStatus, LeadStore, outcomes_of
from industrial_brain.storage.catalogue import SqlCatalogue
from industrial_brain.storage.targeting import SqlChainStore, SqlLeadStore
from tests.contract.conftest import SQL, Clock, empty
from tests.fakes.stores import FakeCatalogue
from tests.fakes.targeting import FakeChainStore, FakeLeadStore


@dataclass(frozen=True)
class Ports:
    chain: ChainStore
    leads: LeadStore


@pytest.fixture(params=["fake", *SQL])
def ports(request: pytest.FixtureRequest, clock: Clock) -> Ports:
    catalogue: Catalogue
    if request.param == "fake":
        catalogue = FakeCatalogue()
        made = Ports(FakeChainStore(catalogue), FakeLeadStore(catalogue, clock))
    else:
        engine: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
        empty(engine)
        catalogue = SqlCatalogue(engine)
        made = Ports(SqlChainStore(engine), SqlLeadStore(engine, clock))
    catalogue.put_regions(
        [Region("500000", "市", "City", Tier.MUNICIPALITY), Region("500103", "区", "D", Tier.DISTRICT, "500000")]
    )
    catalogue.put_clusters([Cluster(code, code, code, ClusterClass.RISING) for code in ("C01", "C02", "C03")])
    return made


def test_links_are_kept_in_order_and_replaced(ports: Ports) -> None:
    ports.chain.put_links(
        [ChainLink("C02", "C03", 2.0, "survey"), ChainLink("C01", "C02", 1.0, "made up", simulated=True)]
    )
    ports.chain.put_links([ChainLink("C02", "C03", 5.0, "survey 2")])
    assert ports.chain.links() == [
        ChainLink("C01", "C02", 1.0, "made up", simulated=True),
        ChainLink("C02", "C03", 5.0, "survey 2"),
    ]


def test_a_chain_is_replaced_as_a_whole(ports: Ports) -> None:
    ports.chain.put_links([ChainLink("C01", "C02", 1.0, "old")])
    ports.chain.put_links([ChainLink("C02", "C03", 1.0, "new")], replace=True)
    assert [one.source for one in ports.chain.links()] == ["new"]


def test_a_link_to_an_unknown_cluster_stores_nothing(ports: Ports) -> None:
    with pytest.raises(UnknownIdError, match="C99"):
        ports.chain.put_links([ChainLink("C01", "C02", 1.0, "s"), ChainLink("C01", "C99", 1.0, "s")])
    assert ports.chain.links() == []


def test_a_lead_goes_from_proposed_to_built_and_remembers_who_and_when(ports: Ports, clock: Clock) -> None:
    lead = ports.leads.propose("500103", "C01", "planner", "first in the ranking")
    assert (lead.status, lead.author, lead.target, lead.created_at) == (
        LeadStatus.PROPOSED,
        "planner",
        "500103:C01",
        clock.now,
    )
    for status in (LeadStatus.CONTACTED, LeadStatus.SIGNED, LeadStatus.BUILT):
        clock.now += dt.timedelta(days=400)
        lead = ports.leads.advance(lead.id, status, "bureau", f"now {status}")
    assert [event.status for event in lead.history] == ["proposed", "contacted", "signed", "built"]
    assert lead.history[-1].author == "bureau" and lead.changed_at == clock.now
    assert ports.leads.get(lead.id) == lead
    (outcome,) = outcomes_of([lead])
    assert (outcome.start, outcome.end, outcome.built) == (2026, 2029, True)


@pytest.mark.parametrize("status", [LeadStatus.SIGNED, LeadStatus.BUILT, LeadStatus.PROPOSED])
def test_no_step_is_skipped(ports: Ports, status: LeadStatus) -> None:
    lead = ports.leads.propose("500103", "C01", "planner")
    with pytest.raises(InputError, match="can't become"):
        ports.leads.advance(lead.id, status, "planner")
    assert ports.leads.get(lead.id) == lead


def test_what_was_dropped_stays_dropped_and_is_a_label(ports: Ports) -> None:
    lead = ports.leads.propose("500103", "C02", "planner")
    dropped = ports.leads.advance(lead.id, LeadStatus.DROPPED, "planner", "no land")
    with pytest.raises(InputError, match="closed"):
        ports.leads.advance(lead.id, LeadStatus.CONTACTED, "planner")
    assert [one.built for one in outcomes_of([dropped])] == [False]


def test_leads_are_listed_page_by_page_and_filtered(ports: Ports) -> None:
    made = [ports.leads.propose("500103", code, "planner") for code in ("C01", "C02", "C01")]
    ports.leads.advance(made[1].id, LeadStatus.DROPPED, "planner")
    first = ports.leads.list_leads(limit=2)
    assert [one.id for one in first.items] == [made[0].id, made[1].id] and first.total == 3
    rest = ports.leads.list_leads(limit=2, after=first.next_after)
    assert [one.id for one in rest.items] == [made[2].id] and rest.next_after is None
    assert [one.cluster for one in ports.leads.list_leads(status=LeadStatus.DROPPED).items] == ["C02"]
    assert ports.leads.list_leads(cluster="C01").total == 2
    assert ports.leads.list_leads(region="500000").total == 0


def test_unknown_ids_are_refused(ports: Ports) -> None:
    for region, cluster in (("500103", "C99"), ("999999", "C01")):
        with pytest.raises(UnknownIdError):
            ports.leads.propose(region, cluster, "planner")
    with pytest.raises(UnknownIdError):
        ports.leads.get("L000009")
    with pytest.raises(UnknownIdError):
        ports.leads.advance("L000009", LeadStatus.CONTACTED, "planner")


def test_a_proposal_that_comes_again_makes_no_second_lead(ports: Ports) -> None:
    request = RepeatableRequest("key", "one")
    first = ports.leads.propose("500103", "C01", "planner", request=request)
    assert ports.leads.propose("500103", "C01", "planner", request=request) == first
    assert ports.leads.list_leads().total == 1
    with pytest.raises(InputError, match="another request"):
        ports.leads.propose("500103", "C02", "planner", request=RepeatableRequest("key", "two"))
