"""Investment targets: the production chain between clusters, and what becomes of a target once somebody acts on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One cluster supplies another. `weight` is positive, in any unit that is the same for all links of a city.

    Attributes:
        source: where the link comes from.
        simulated: whether it was made up.
    """

    supplier: str
    customer: str
    weight: float
    source: str
    simulated: bool = False


class LeadStatus(StrEnum):
    """How far a target has come."""

    PROPOSED = "proposed"
    CONTACTED = "contacted"
    SIGNED = "signed"
    BUILT = "built"
    DROPPED = "dropped"


#: what may follow; what was built or dropped is closed
NEXT_STATUS = {
    LeadStatus.PROPOSED: (LeadStatus.CONTACTED, LeadStatus.DROPPED),
    LeadStatus.CONTACTED: (LeadStatus.SIGNED, LeadStatus.DROPPED),
    LeadStatus.SIGNED: (LeadStatus.BUILT, LeadStatus.DROPPED),
    LeadStatus.BUILT: (),
    LeadStatus.DROPPED: (),
}


@dataclass(frozen=True, slots=True)
class LeadEvent:
    """One step: the status that it led to, by whom, when (UTC), and in whose words."""

    status: LeadStatus
    author: str
    at: dt.datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """A target that is followed. Its history only grows; the first event proposed it."""

    id: str
    region: str
    cluster: str
    history: tuple[LeadEvent, ...]

    @property
    def target(self) -> str:
        return f"{self.region}:{self.cluster}"

    @property
    def status(self) -> LeadStatus:
        return self.history[-1].status

    @property
    def author(self) -> str:
        return self.history[0].author

    @property
    def created_at(self) -> dt.datetime:
        return self.history[0].at

    @property
    def changed_at(self) -> dt.datetime:
        return self.history[-1].at


@dataclass(frozen=True, slots=True)
class LeadOutcome:
    """What a closed lead teaches: proposed in one year, and built (or not) in another."""

    region: str
    cluster: str
    start: int
    end: int
    built: bool


def require_step(lead: Lead, status: LeadStatus) -> None:
    """Raise InputError unless the status may follow the lead's."""
    allowed = NEXT_STATUS[lead.status]
    if status not in allowed:
        raise InputError(
            f"A lead that is {lead.status} can't become {status}.",
            f"It may become {' or '.join(allowed)}." if allowed else "It is closed; propose the target anew.",
            pointer="/status",
        )


def require_same(request: RepeatableRequest, digest: str) -> None:
    """Raise InputError where a key comes again with another request."""
    if digest != request.digest:
        raise InputError("The Idempotency-Key was used for another request.", "Send a new key with a new request.")


def outcomes_of(leads: Iterable[Lead]) -> list[LeadOutcome]:
    """The closed leads as labels. A lead's years are those in which it was proposed and closed."""
    return [
        LeadOutcome(one.region, one.cluster, one.created_at.year, one.changed_at.year, one.status is LeadStatus.BUILT)
        for one in leads
        if not NEXT_STATUS[one.status]
    ]


def parse_target(text: str) -> tuple[str, str]:
    """Region and cluster of a target's id.

    >>> parse_target("500103:C01")
    ('500103', 'C01')

    Raises:
        InputError: it is none.
    """
    region, _, cluster = text.partition(":")
    if not region or not cluster or ":" in cluster:
        raise InputError(f"'{text}' does not name a target.", "Targets are written region:cluster, such as 500103:C01.")
    return region, cluster


class ChainStore(Protocol):
    """The production chain. Links name clusters that the catalogue knows."""

    def put_links(self, links: Sequence[ChainLink], *, replace: bool = False) -> None:
        """Store links, in place of all others if `replace` says so. An unknown cluster raises `UnknownIdError`, and nothing is
        stored."""
        ...

    def links(self) -> list[ChainLink]:
        """All of them, in order of supplier and customer."""
        ...


class LeadStore(Protocol):
    """Leads with their histories."""

    def propose(
        self, region: str, cluster: str, author: str, note: str = "", request: RepeatableRequest | None = None
    ) -> Lead:
        """A new lead; a request that came before gets what it got then.

        Raises:
            UnknownIdError: the catalogue does not know the region or the cluster.
            InputError: the request's key came with another digest.
        """
        ...

    def advance(self, lead: str, status: LeadStatus, author: str, note: str = "") -> Lead:
        """The lead with one more step. Raises `UnknownIdError`, and `InputError` for a status that may not follow."""
        ...

    def get(self, lead: str) -> Lead:
        """One lead. Raises `UnknownIdError`."""
        ...

    def list_leads(
        self,
        *,
        status: LeadStatus | None = None,
        region: str | None = None,
        cluster: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Lead]:
        """In the order in which they were proposed, which is the order of their ids."""
        ...
