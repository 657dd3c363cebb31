"""Overrides in SQL: rows are added; the only change that one ever sees is its withdrawal, which keeps its moment."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from industrial_brain.domain.errors import InputError, StateError, UnknownIdError
from industrial_brain.domain.overrides import Override, OverrideState, RepeatableRequest, StatisticalForecast
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Page
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.moments import from_microseconds, to_microseconds
from industrial_brain.storage.tables import forecast_override, observation, series


class SqlOverrideStore:
    """`OverrideStore` on SQLite or PostgreSQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, override: Override, request: RepeatableRequest | None = None) -> Override:
        table = forecast_override
        with writing(self._engine) as connection:
            if request is not None:
                before = _repeated(connection, request, to_microseconds(override.created_at))
                if before is not None:
                    return before
            key = connection.scalar(sa.select(series.c.key).where(series.c.id == override.series))
            if key is None:
                raise UnknownIdError(
                    f"There is no series '{override.series}'.", "Look series up with `GET /v1/indicators`."
                )
            now = to_microseconds(override.created_at)
            overlapping = connection.scalars(
                sa.select(table.c.id)
                .where(
                    table.c.series == key,
                    table.c.withdrawn_at.is_(None),
                    table.c.expires_at > now,
                    table.c.start <= override.last,
                    table.c.last >= override.start,
                )
                .order_by(table.c.id)
            ).all()
            if overlapping:
                raise overlap(override, list(overlapping))
            connection.execute(sa.insert(table), _row(override, key, request))
        return override

    def repeated(self, request: RepeatableRequest, as_of: dt.datetime) -> Override | None:
        with reading(self._engine) as connection:
            return _repeated(connection, request, to_microseconds(as_of))

    def withdraw(self, override_id: str, by: str, at: dt.datetime) -> Override:
        table = forecast_override
        with writing(self._engine) as connection:
            standing = sa.update(table).where(table.c.id == override_id, table.c.withdrawn_at.is_(None))
            connection.execute(standing.values(withdrawn_at=to_microseconds(at), withdrawn_by=by))
            return _one(connection, override_id, to_microseconds(at))

    def get(self, override_id: str, as_of: dt.datetime) -> Override:
        with reading(self._engine) as connection:
            return _one(connection, override_id, to_microseconds(as_of))

    def in_force(self, as_of: dt.datetime) -> list[Override]:
        known = to_microseconds(as_of)
        with reading(self._engine) as connection:
            found = connection.execute(_select(known).where(_in_force(known)).order_by(forecast_override.c.id))
            return [_override(row, known) for row in found]

    def list_overrides(
        self,
        as_of: dt.datetime,
        *,
        series: str | None = None,
        author: str | None = None,
        state: OverrideState | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[Override]:
        known = to_microseconds(as_of)
        chosen = _select(known)
        if series is not None:
            chosen = chosen.where(_SERIES.c.id == series)
        if author is not None:
            chosen = chosen.where(forecast_override.c.author == author)
        if state is not None:
            chosen = chosen.where(_stands(state, known))
        page = chosen.order_by(forecast_override.c.id.desc()).limit(limit + 1)
        if after is not None:
            page = page.where(forecast_override.c.id < after)
        with reading(self._engine) as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(chosen.subquery())) or 0
            rows = connection.execute(page).all()
        items = tuple(_override(row, known) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None, total)


def overlap(override: Override, ids: list[str]) -> StateError:
    """The refusal of an override for periods that others hold already."""
    named = " and ".join(ids)
    return StateError(
        f"{named} already hold{'s' if len(ids) == 1 else ''} {override.series} in some of these periods.",
        f"Withdraw {'it' if len(ids) == 1 else 'them'} first, or leave those periods out.",
    )


_SERIES = series
_NEVER = sa.literal(None, sa.BigInteger)


def _actual_at(known: int) -> sa.ColumnElement[int]:
    """When the first actual of an override's last period became known, if it was known by then."""
    return (
        sa.select(sa.func.min(observation.c.known_at))
        .where(
            observation.c.series == forecast_override.c.series,
            observation.c.period == forecast_override.c.last,
            observation.c.known_at <= known,
        )
        .correlate(forecast_override)
        .scalar_subquery()
    )


def _select(known: int) -> sa.Select[Any]:
    return (
        sa.select(
            forecast_override,
            _SERIES.c.id.label("series_id"),
            _SERIES.c.frequency,
            _actual_at(known).label("actual_at"),
        )
        .join(_SERIES, _SERIES.c.key == forecast_override.c.series)
        .where(forecast_override.c.created_at <= known)
    )


def _withdrawn(known: int) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(forecast_override.c.withdrawn_at, known + 1) <= known


def _in_force(known: int) -> sa.ColumnElement[bool]:
    return (forecast_override.c.expires_at > known) & ~_withdrawn(known)


def _stands(state: OverrideState, known: int) -> sa.ColumnElement[bool]:
    scored = _actual_at(known).is_not(None)
    match state:
        case OverrideState.WITHDRAWN:
            return _withdrawn(known)
        case OverrideState.SCORED:
            return ~_withdrawn(known) & scored
        case OverrideState.ACTIVE:
            return _in_force(known) & ~scored
        case OverrideState.EXPIRED:
            return ~_withdrawn(known) & (forecast_override.c.expires_at <= known) & ~scored


def _repeated(connection: sa.Connection, request: RepeatableRequest, known: int) -> Override | None:
    table = forecast_override
    before = connection.execute(
        sa.select(table.c.id, table.c.request_digest).where(table.c.request_key == request.key)
    ).one_or_none()
    if before is None:
        return None
    if before.request_digest != request.digest:
        raise InputError("The Idempotency-Key was used for another request.", "Send a new key with a new request.")
    return _one(connection, before.id, known)


def _one(connection: sa.Connection, override_id: str, known: int) -> Override:
    row = connection.execute(_select(known).where(forecast_override.c.id == override_id)).one_or_none()
    if row is None:
        raise UnknownIdError(f"There is no override '{override_id}'.", "GET /v1/overrides lists them.")
    return _override(row, known)


def _row(override: Override, key: int, request: RepeatableRequest | None) -> dict[str, Any]:
    return {
        "id": override.id,
        "series": key,
        "start": override.start,
        "last": override.last,
        "held": list(override.values),
        "change": override.change,
        "author": override.author,
        "reason": override.reason,
        "created_at": to_microseconds(override.created_at),
        "expires_at": to_microseconds(override.expires_at),
        "mean": list(override.statistical.mean),
        "low": list(override.statistical.low),
        "high": list(override.statistical.high),
        "version": override.statistical.version,
        "vintage": to_microseconds(override.statistical.vintage),
        "request_key": None if request is None else request.key,
        "request_digest": None if request is None else request.digest,
    }


def _override(row: sa.Row[Any], known: int) -> Override:
    withdrawn = row.withdrawn_at is not None and row.withdrawn_at <= known
    return Override(
        id=row.id,
        series=row.series_id,
        freq=Frequency(row.frequency),
        start=row.start,
        values=tuple(map(float, row.held)),
        change=row.change,
        author=row.author,
        reason=row.reason,
        created_at=from_microseconds(row.created_at),
        expires_at=from_microseconds(row.expires_at),
        statistical=StatisticalForecast(
            mean=tuple(map(float, row.mean)),
            low=tuple(map(float, row.low)),
            high=tuple(map(float, row.high)),
            version=row.version,
            vintage=from_microseconds(row.vintage),
        ),
        withdrawn_at=from_microseconds(row.withdrawn_at) if withdrawn else None,
        withdrawn_by=row.withdrawn_by if withdrawn else None,
        actual_at=None if row.actual_at is None else from_microseconds(row.actual_at),
    )
