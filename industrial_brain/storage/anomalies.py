"""Episodes in SQL: one row each, changed by the shard that owns it and by what people say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from industrial_brain.domain.anomalies import (
    GRADES,
    Change,
    Episode,
    EpisodeChange,
    EpisodeFilter,
    EpisodeState,
    EpisodeWord,
    Kind,
    Label,
    Sensor,
)
from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.overrides import RepeatableRequest
from industrial_brain.domain.protocols import Page
from industrial_brain.domain.telemetry import Cause
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.tables import anomaly, anomaly_sensor, anomaly_taken, anomaly_word

#: what people say of an episode: no shard writes it
_SAID = {"acknowledged_by", "acknowledged_at", "label", "labelled_by", "labelled_at"}
_EPISODE = tuple(one.name for one in fields(Episode))
_SENSOR = tuple(one.name for one in fields(Sensor))
_NUMBERS = ("value", "expected", "share")


class SqlEpisodeStore:
    """`EpisodeStore` on SQLite or PostgreSQL.

    Revisions are given within transactions that take turns (`writing`), so whoever has seen one has seen all below it.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def taken(self, shard: str) -> int:
        with reading(self._engine) as connection:
            return _taken(connection, shard)

    def open_episodes(self, shard: str) -> list[EpisodeChange]:
        table = anomaly
        chosen = sa.select(table).where(table.c.state == EpisodeState.OPEN.value, table.c.shard == shard)
        parts = (
            sa.select(anomaly_sensor)
            .join(table, table.c.id == anomaly_sensor.c.episode)
            .where(table.c.state == EpisodeState.OPEN.value, table.c.shard == shard)
            .order_by(anomaly_sensor.c.episode, anomaly_sensor.c.channel)
        )
        sensors: dict[str, list[Sensor]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(parts):
                sensors.setdefault(row.episode, []).append(_sensor(row))
            rows = connection.execute(chosen.order_by(table.c.id)).all()
        return [EpisodeChange(_episode(row), tuple(sensors.get(row.id, ()))) for row in rows]

    def keep(self, shard: str, seq: int, changes: Sequence[EpisodeChange]) -> int:
        with writing(self._engine) as connection:
            newest = _revision(connection)
            if seq <= _taken(connection, shard):
                return newest
            rows = [_row(one.episode, newest + step) for step, one in enumerate(changes, 1)]
            try:
                _upsert(connection, anomaly, rows, ("id",), _SAID)
            except sa.exc.IntegrityError as error:
                raise StateError(
                    "Another episode of the same device and kind is open already.",
                    "Only one process may work on a shard, and a site belongs to one shard: check BRAIN_SHARD.",
                ) from error
            sensors = [_sensor_row(one.episode.id, sensor) for one in changes for sensor in one.sensors]
            _upsert(connection, anomaly_sensor, sensors, ("episode", "channel"))
            _upsert(connection, anomaly_taken, [{"shard": shard, "seq": seq}], ("shard",))
            return newest + len(rows)

    def get(self, episode_id: str, sites: Sequence[str] | None = None) -> Episode:
        with reading(self._engine) as connection:
            return _one(connection, episode_id, sites)

    def sensors(self, episode_id: str, limit: int = 1000) -> list[Sensor]:
        table = anomaly_sensor
        share = sa.func.coalesce(table.c.share, 0.0)
        chosen = sa.select(table).where(table.c.episode == episode_id)
        with reading(self._engine) as connection:
            rows = connection.execute(chosen.order_by(share.desc(), table.c.p, table.c.channel).limit(limit))
            return [_sensor(row) for row in rows]

    def list_episodes(self, chosen: EpisodeFilter, *, after: str | None = None, limit: int = 100) -> Page[Episode]:
        matching = sa.select(anomaly).where(*_conditions(chosen))
        page = matching.order_by(anomaly.c.id.desc()).limit(limit + 1)
        if after is not None:
            page = page.where(anomaly.c.id < after)
        with reading(self._engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(matching.subquery())) or 0
            rows = connection.execute(page).all()
        items = tuple(_episode(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None, total)

    def changed_since(self, revision: int, sites: Sequence[str] | None = None, limit: int = 1000) -> list[Episode]:
        chosen = sa.select(anomaly).where(anomaly.c.revision > revision)
        if sites is not None:
            chosen = chosen.where(anomaly.c.site.in_(sites))
        with reading(self._engine) as connection:
            rows = connection.execute(chosen.order_by(anomaly.c.revision).limit(limit))
            return [_episode(row) for row in rows]

    def revision(self) -> int:
        with reading(self._engine) as connection:
            return _revision(connection)

    def say(
        self,
        episode_id: str,
        word: EpisodeWord,
        *,
        sites: Sequence[str] | None = None,
        request: RepeatableRequest | None = None,
    ) -> Episode:
        row = {
            "episode": episode_id,
            "label": None if word.label is None else word.label.value,
            "note": word.note,
            "author": word.author,
            "at": word.at,
            "request_key": None if request is None else request.key,
            "request_digest": None if request is None else request.digest,
        }
        with writing(self._engine) as connection:
            found = _one(connection, episode_id, sites)
            if request is not None and _repeated(connection, request):
                return found
            connection.execute(sa.insert(anomaly_word), row)
            if word.label is None:
                said = {"acknowledged_by": word.author, "acknowledged_at": word.at, "change": Change.ACKNOWLEDGED.value}
            else:
                said = {
                    "label": word.label.value,
                    "labelled_by": word.author,
                    "labelled_at": word.at,
                    "change": Change.LABELLED.value,
                }
            revised = sa.update(anomaly).where(anomaly.c.id == episode_id)
            connection.execute(revised.values(revision=_revision(connection) + 1, **said))
            return _one(connection, episode_id, sites)

    def words(self, episode_id: str) -> list[EpisodeWord]:
        chosen = sa.select(anomaly_word).where(anomaly_word.c.episode == episode_id).order_by(anomaly_word.c.key)
        with reading(self._engine) as connection:
            return [
                EpisodeWord(None if row.label is None else Label(row.label), row.note, row.author, row.at)
                for row in connection.execute(chosen)
            ]

    def labelled(self, sites: Sequence[str] | None = None, since: int = 0) -> list[Episode]:
        chosen = sa.select(anomaly).where(anomaly.c.labelled_at >= since)
        if sites is not None:
            chosen = chosen.where(anomaly.c.site.in_(sites))
        with reading(self._engine) as connection:
            rows = connection.execute(chosen.order_by(anomaly.c.labelled_at, anomaly.c.id))
            return [_episode(row) for row in rows]


def _taken(connection: sa.Connection, shard: str) -> int:
    return connection.scalar(sa.select(anomaly_taken.c.seq).where(anomaly_taken.c.shard == shard)) or 0


def _revision(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(anomaly.c.revision))) or 0


def _one(connection: sa.Connection, episode_id: str, sites: Sequence[str] | None) -> Episode:
    row = connection.execute(sa.select(anomaly).where(anomaly.c.id == episode_id)).one_or_none()
    if row is None or (sites is not None and row.site not in sites):
        raise UnknownIdError(f"There is no anomaly '{episode_id}'.", "GET /v1/anomalies lists them.")
    return _episode(row)


def _repeated(connection: sa.Connection, request: RepeatableRequest) -> bool:
    known = sa.select(anomaly_word.c.request_digest).where(anomaly_word.c.request_key == request.key)
    before = connection.execute(known).one_or_none()
    if before is not None and before.request_digest != request.digest:
        raise InputError("The Idempotency-Key was used for another request.", "Send a new key with a new request.")
    return before is not None


def _conditions(chosen: EpisodeFilter) -> list[sa.ColumnElement[bool]]:
    table = anomaly
    found: list[sa.ColumnElement[bool]] = [
        table.c.parent.is_(None) if chosen.parent is None else table.c.parent == chosen.parent
    ]
    if chosen.sites is not None:
        found.append(table.c.site.in_(chosen.sites))
    for name in ("site", "device", "state", "label"):  # the enumerations among them are texts, too
        if (text := getattr(chosen, name)) is not None:
            found += [table.c[name] == str(text)]
    if chosen.cause is not None:
        found.append(table.c.cause == int(chosen.cause))
    if chosen.severity is not None:
        found.append(table.c.severity == chosen.severity.rank)
    if chosen.start is not None:  # an open episode has not ended
        found.append((table.c.end >= chosen.start) | (table.c.state == EpisodeState.OPEN.value))
    if chosen.end is not None:
        found.append(table.c.start < chosen.end)
    return found


def _upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    key: tuple[str, ...],
    kept: set[str] | None = None,
) -> None:
    """Insert rows; where one with the same key stands, give it the new facts but for the `kept` ones."""
    if not rows:
        return
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    facts = {name: insert.excluded[name] for name in rows[0] if name not in key and name not in (kept or ())}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=facts), list(rows))


def _row(episode: Episode, revision: int) -> dict[str, Any]:
    found = {name: getattr(episode, name) for name in _EPISODE}
    return _without_nan(found) | {
        "kind": episode.kind.value,
        "cause": int(episode.cause),
        "severity": episode.severity.rank,
        "state": episode.state.value,
        "label": None if episode.label is None else episode.label.value,
        "change": episode.change.value,
        "revision": revision,
    }


def _episode(row: sa.Row[Any]) -> Episode:
    facts = _with_nan({name: getattr(row, name) for name in _EPISODE})
    facts |= {
        "kind": Kind(row.kind),
        "cause": Cause(row.cause),
        "severity": GRADES[row.severity],
        "state": EpisodeState(row.state),
        "label": None if row.label is None else Label(row.label),
        "change": Change(row.change),
    }
    return Episode(**facts)


def _sensor_row(episode_id: str, sensor: Sensor) -> dict[str, Any]:
    found = {name: getattr(sensor, name) for name in _SENSOR}
    return _without_nan(found) | {"episode": episode_id, "cause": int(sensor.cause)}


def _sensor(row: sa.Row[Any]) -> Sensor:
    return Sensor(**(_with_nan({name: getattr(row, name) for name in _SENSOR}) | {"cause": Cause(row.cause)}))


def _without_nan(facts: dict[str, Any]) -> dict[str, Any]:
    """SQLite keeps no NaN: it stands as NULL."""
    for name in _NUMBERS:
        if name in facts and math.isnan(facts[name]):
            facts[name] = None
    return facts


def _with_nan(facts: dict[str, Any]) -> dict[str, Any]:
    for name in _NUMBERS:
        if name in facts and facts[name] is None:
            facts[name] = math.nan
    return facts
