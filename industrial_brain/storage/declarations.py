"""Declarations of devices in SQL. A device's own has the empty metric, which no reading can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from industrial_brain.domain.devices import DeviceId
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Declaration
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.statements import batches, contains
from industrial_brain.storage.tables import declaration

_KEY = ("site", "device", "metric")
_FACTS = ("unit", "low", "high", "counter", "wraps_at", "seconds", "watch", "equipment", "parent")
_OWN = ""


class SqlDeclarationStore:
    """`DeclarationStore` on SQLite or PostgreSQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, declarations: Iterable[Declaration]) -> None:
        last = {(one.site, one.device, one.metric or _OWN): one for one in declarations}
        if not last:
            return
        with writing(self._engine) as connection:  # writers take turns, so a revision is never given twice
            revision = _revision(connection) + 1
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            statement = insert(declaration)
            facts = {name: statement.excluded[name] for name in (*_FACTS, "search", "revision")}
            rows = [_row(one, revision) for one in last.values()]
            connection.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=facts), rows)

    def of_device(self, device: DeviceId) -> list[Declaration]:
        return self.of_devices([device]).get(device, [])

    def of_devices(self, devices: Sequence[DeviceId]) -> dict[DeviceId, list[Declaration]]:
        wanted = set(devices)
        found: dict[DeviceId, list[Declaration]] = {}
        with reading(self._engine) as connection:
            for site in sorted({device.site for device in wanted}):
                for names in batches([device.device for device in wanted if device.site == site]):
                    these = (declaration.c.site == site, declaration.c.device.in_(names))
                    for row in connection.execute(_all().where(*these).order_by(declaration.c.metric)):
                        found.setdefault(DeviceId(row.site, row.device), []).append(_declaration(row))
        return found

    def list_devices(
        self,
        *,
        site: str | None = None,
        equipment: str | None = None,
        search: str | None = None,
        after: DeviceId | None = None,
        limit: int = 100,
    ) -> Page[DeviceId]:
        table = declaration.c
        those = [] if site is None else [table.site == site]
        those += [] if equipment is None else [table.metric == _OWN, table.equipment == equipment]
        those += [] if search is None else [contains(table.search, search)]
        devices = sa.select(table.site, table.device).where(*those).distinct()
        behind = []
        if after is not None:
            behind = [(table.site > after.site) | ((table.site == after.site) & (table.device > after.device))]
        page = devices.where(*behind).order_by(table.site, table.device).limit(limit + 1)
        with reading(self._engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(devices.subquery())) or 0
            rows = connection.execute(page).all()
        items = tuple(DeviceId(row.site, row.device) for row in rows[:limit])
        return Page(items, items[-1].device if len(rows) > limit else None, total)

    def revision(self) -> int:
        with reading(self._engine) as connection:
            return _revision(connection)

    def changed_since(self, revision: int) -> list[Declaration]:
        order = (declaration.c.revision, *(declaration.c[name] for name in _KEY))
        with reading(self._engine) as connection:
            rows = connection.execute(_all().where(declaration.c.revision > revision).order_by(*order))
            return [_declaration(row) for row in rows]


def _revision(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(declaration.c.revision))) or 0


def _all() -> sa.Select[Any]:
    return sa.select(*(declaration.c[name] for name in (*_KEY, *_FACTS)))


def _row(one: Declaration, revision: int) -> dict[str, Any]:
    facts = {name: getattr(one, name) for name in ("site", "device", *_FACTS)}
    return {**facts, "metric": one.metric or _OWN, "search": one.device.casefold(), "revision": revision}


def _declaration(row: sa.Row[Any]) -> Declaration:
    facts = {name: getattr(row, name) for name in (*_KEY, *_FACTS)}
    return Declaration(**(facts | {"metric": row.metric or None}))
