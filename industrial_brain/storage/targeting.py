"""The production chain and the leads in SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.targeting import ChainLink, Lead, LeadEvent, LeadStatus, require_same, require_step
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.moments import from_microseconds, to_microseconds
from industrial_brain.storage.tables import chain_link, cluster, lead, lead_event, region


class SqlChainStore:
    """`ChainStore` on SQLite or PostgreSQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put_links(self, links: Sequence[ChainLink], *, replace: bool = False) -> None:
        unique = {(one.supplier, one.customer): one for one in links}
        named = {code for pair in unique for code in pair}
        with writing(self._engine) as connection:
            known = set(connection.execute(sa.select(cluster.c.code)).scalars())
            unknown = sorted(named - known)
            if unknown:
                raise UnknownIdError(f"There is no cluster '{unknown[0]}'.", "Load the city's clusters first.")
            if replace:
                connection.execute(sa.delete(chain_link))
            for (supplier, customer), one in unique.items():
                connection.execute(
                    sa.delete(chain_link).where(chain_link.c.supplier == supplier, chain_link.c.customer == customer)
                )
                facts = {"weight": one.weight, "source": one.source, "simulated": one.simulated}
                connection.execute(sa.insert(chain_link), {"supplier": supplier, "customer": customer, **facts})

    def links(self) -> list[ChainLink]:
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(chain_link).order_by(chain_link.c.supplier, chain_link.c.customer))
            return [ChainLink(r.supplier, r.customer, r.weight, r.source, r.simulated) for r in rows]


class SqlLeadStore:
    """`LeadStore` on SQLite or PostgreSQL. Ids are counted, so that their order is that of the proposals."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], dt.datetime]) -> None:
        self._engine, self._clock = engine, clock

    def propose(
        self, region: str, cluster: str, author: str, note: str = "", request: RepeatableRequest | None = None
    ) -> Lead:
        with writing(self._engine) as connection:
            if request is not None:
                before = _repeated(connection, request)
                if before is not None:
                    return before
            _require(connection, region, cluster)
            count = connection.execute(sa.select(sa.func.count()).select_from(lead)).scalar_one()
            name = f"L{count + 1:06d}"  # writers take turns, and no lead is ever deleted
            row = {"id": name, "region": region, "cluster": cluster, "status": LeadStatus.PROPOSED.value}
            if request is not None:
                row |= {"request_key": request.key, "request_digest": request.digest}
            connection.execute(sa.insert(lead), row)
            self._append(connection, name, 0, LeadStatus.PROPOSED, author, note)
            return _one(connection, name)

    def advance(self, lead_id: str, status: LeadStatus, author: str, note: str = "") -> Lead:
        with writing(self._engine) as connection:
            found = _one(connection, lead_id)
            require_step(found, status)
            self._append(connection, lead_id, len(found.history), status, author, note)
            connection.execute(sa.update(lead).where(lead.c.id == lead_id).values(status=status.value))
            return _one(connection, lead_id)

    def get(self, lead_id: str) -> Lead:
        with reading(self._engine) as connection:
            return _one(connection, lead_id)

    def list_leads(
        self,
        *,
        status: LeadStatus | None = None,
        region: str | None = None,
        cluster: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Lead]:
        wanted = [lead.c.status == status.value] if status is not None else []
        wanted += [lead.c.region == region] if region is not None else []
        wanted += [lead.c.cluster == cluster] if cluster is not None else []
        with reading(self._engine) as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(lead).where(*wanted)).scalar_one()
            later = [lead.c.id > after] if after is not None else []
            query = sa.select(lead.c.id).where(*wanted, *later).order_by(lead.c.id).limit(limit + 1)
            names = list(connection.execute(query).scalars())
            items = _many(connection, names[:limit])
        return Page(tuple(items), names[limit - 1] if len(names) > limit else None, total)

    def _append(
        self, connection: sa.Connection, name: str, place: int, status: LeadStatus, author: str, note: str
    ) -> None:
        row = {"lead": name, "place": place, "status": status.value, "author": author, "note": note}
        connection.execute(sa.insert(lead_event), {**row, "at": to_microseconds(self._clock())})


def _repeated(connection: sa.Connection, request: RepeatableRequest) -> Lead | None:
    query = sa.select(lead.c.id, lead.c.request_digest).where(lead.c.request_key == request.key)
    before = connection.execute(query).one_or_none()
    if before is None:
        return None
    require_same(request, before.request_digest)
    return _one(connection, before.id)


def _require(connection: sa.Connection, region_code: str, cluster_code: str) -> None:
    for table, code, noun in ((region, region_code, "region"), (cluster, cluster_code, "cluster")):
        if connection.execute(sa.select(table.c.code).where(table.c.code == code)).first() is None:
            raise UnknownIdError(f"There is no {noun} '{code}'.", "A target is region:cluster, such as 500103:C01.")


def _one(connection: sa.Connection, name: str) -> Lead:
    found = _many(connection, [name])
    if not found:
        raise UnknownIdError(f"There is no lead '{name}'.", "List them with `brain leads list`.")
    return found[0]


def _many(connection: sa.Connection, names: Sequence[str]) -> list[Lead]:
    leads = connection.execute(sa.select(lead).where(lead.c.id.in_(names)).order_by(lead.c.id)).all()
    events: dict[str, list[LeadEvent]] = {}
    query = sa.select(lead_event).where(lead_event.c.lead.in_(names)).order_by(lead_event.c.lead, lead_event.c.place)
    for row in connection.execute(query):
        events.setdefault(row.lead, []).append(_event(row))
    return [Lead(row.id, row.region, row.cluster, tuple(events[row.id])) for row in leads]


def _event(row: sa.Row[Any]) -> LeadEvent:
    return LeadEvent(LeadStatus(row.status), row.author, from_microseconds(row.at), row.note)
