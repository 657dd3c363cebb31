"""Bitemporal observations in SQL: rows are added, never changed.

Arrays come in and go out; what lies between is one statement a step, whatever the number of rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.observations import Observation, ObservationBatch, Verdict
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency, Ordinals
from industrial_brain.storage import tables
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.moments import from_microseconds, to_microseconds
from industrial_brain.storage.statements import batches
from industrial_brain.storage.verdicts import History, judge

_STAGED = sa.Table(
    "staged",
    sa.MetaData(),
    sa.Column("series", sa.Integer),
    sa.Column("period", sa.BigInteger),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)


class SqlObservationStore:
    """`ObservationStore` on SQLite or PostgreSQL.

    Unknown series raise `UnknownIdError` in reads as in writes. Not for telemetry: at a reading a second, a row a
    reading is the wrong shape.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def append(self, batch: ObservationBatch, source: Source) -> npt.NDArray[np.int8]:
        """Store what is new, in one transaction, and say of each row what became of it.

        A batch is judged as a set, in the order in which its rows became known. Of two different values for one
        period and one moment, the one in the earlier row counts.

        Raises:
            UnknownIdError: a series does not exist. Nothing is stored.
            InputError: a value is not finite. Nothing is stored.
        """
        if len(batch) == 0:
            return np.empty(0, dtype=np.int8)
        if not np.isfinite(batch.values).all():
            raise InputError("An observation is not a finite number.", "Leave out what is missing.")
        with writing(self._engine) as connection:
            offered = History(
                series=_keys(connection, batch.series),
                period=batch.periods.astype(np.int64),
                known_at=batch.known_at.astype("datetime64[us]").astype(np.int64),
                value=batch.values.astype(np.float64),
            )
            verdicts = judge(_stored(connection, offered), offered)
            new = (verdicts == Verdict.ACCEPTED) | (verdicts == Verdict.REVISED)
            if new.any():
                rows = offered.take(np.flatnonzero(new))
                _insert(connection, rows, _source_key(connection, source, int(rows.known_at.max())))
                _mark_changed(connection, np.unique(rows.series))
        return verdicts

    def read_panels(self, as_of: dt.datetime, series: Sequence[str] | None = None) -> list[Panel]:
        with reading(self._engine) as connection:
            names = _named(connection, series)
            visible = _visible(connection, as_of, None if series is None else [key for key, _, _ in names])
        return _panels(names, visible)

    def read_one(
        self, series: str, as_of: dt.datetime, *, after: int | None = None, limit: int | None = None
    ) -> list[Observation]:
        rows, other = tables.observation, tables.observation.alias()
        known = to_microseconds(as_of)
        with reading(self._engine) as connection:
            ((key, _, frequency),) = _named(connection, [series])
            same_period = (other.c.series == rows.c.series) & (other.c.period == rows.c.period)
            visible = same_period & (other.c.known_at <= known)
            newest = sa.select(sa.func.max(other.c.known_at)).where(visible).scalar_subquery()
            revised = sa.exists().where(visible, other.c.value != rows.c.value)
            found = (
                sa.select(
                    rows.c.period,
                    rows.c.value,
                    rows.c.known_at,
                    tables.source.c.name,
                    tables.source.c.simulated,
                    revised.label("revised"),
                )
                .join(tables.source)
                .where(rows.c.series == key, rows.c.known_at == newest)
                .order_by(rows.c.period)
                .limit(limit)
            )
            if after is not None:
                found = found.where(rows.c.period > after)
            return [
                Observation(
                    period=frequency.label(row.period),
                    value=row.value,
                    known_at=from_microseconds(row.known_at),
                    source=row.name,
                    simulated=row.simulated,
                    revised=bool(row.revised),
                )
                for row in connection.execute(found)
            ]

    def read_vintages(self, series: str, as_of: dt.datetime, *, since: int | None = None) -> list[Observation]:
        rows = tables.observation
        with reading(self._engine) as connection:
            ((key, _, frequency),) = _named(connection, [series])
            found = (
                sa.select(rows.c.period, rows.c.value, rows.c.known_at, tables.source.c.name, tables.source.c.simulated)
                .join(tables.source)
                .where(rows.c.series == key, rows.c.known_at <= to_microseconds(as_of))
                .order_by(rows.c.period, rows.c.known_at)
            )
            if since is not None:
                found = found.where(rows.c.period >= since)
            published = connection.execute(found).all()
        first = {row.period: row.known_at for row in reversed(published)}
        return [
            Observation(
                period=frequency.label(row.period),
                value=row.value,
                known_at=from_microseconds(row.known_at),
                source=row.name,
                simulated=row.simulated,
                revised=row.known_at > first[row.period],
            )
            for row in published
        ]

    def revision(self) -> int:
        with reading(self._engine) as connection:
            return _revision(connection)

    def changed_since(self, revision: int) -> list[str]:
        table = tables.series
        with reading(self._engine) as connection:
            changed = sa.select(table.c.id).where(table.c.revision > revision).order_by(table.c.id)
            return list(connection.scalars(changed))

    def newest_knowledge(self) -> dt.datetime | None:
        with reading(self._engine) as connection:
            newest = connection.scalar(sa.select(sa.func.max(tables.source.c.newest_known_at)))
        return None if newest is None else from_microseconds(newest)


def _keys(connection: sa.Connection, ids: npt.NDArray[np.object_]) -> Ordinals:
    """The surrogate keys of these series."""
    places: dict[str, int] = {}
    codes = np.fromiter((places.setdefault(name, len(places)) for name in ids), dtype=np.int64, count=len(ids))
    key_of = {name: key for key, name, _ in _named(connection, list(places))}
    return np.array([key_of[name] for name in places], dtype=np.int64)[codes]


def _named(connection: sa.Connection, ids: Sequence[str] | None) -> list[tuple[int, str, Frequency]]:
    """Key, id and frequency of these series (all, without ids), ordered by id."""
    table = tables.series
    facts = sa.select(table.c.key, table.c.id, table.c.frequency).order_by(table.c.id)
    wanted = None if ids is None else sorted(set(ids))
    chosen = [facts] if wanted is None else [facts.where(table.c.id.in_(some)) for some in batches(wanted)]
    found = [
        (row.key, row.id, Frequency(row.frequency)) for statement in chosen for row in connection.execute(statement)
    ]
    if wanted is not None and len(found) < len(wanted):
        known = {name for _, name, _ in found}
        unknown = next(name for name in wanted if name not in known)
        raise UnknownIdError(f"No series is called '{unknown}'.", "Look series up with `GET /v1/indicators`.")
    return found


def _stored(connection: sa.Connection, offered: History) -> History:
    """All vintages of the periods that are offered."""
    cells = np.unique(np.column_stack([offered.series, offered.period]), axis=0)
    _STAGED.create(connection)
    _load(connection, _STAGED, cells.T.tolist())
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ANALYZE staged")  # without it the planner takes a new table for a tiny one
    # SQLite keeps the order of a CROSS JOIN: each staged cell is looked up, the history is never scanned
    found = sa.text(
        "SELECT o.series, o.period, o.known_at, o.value FROM staged s CROSS JOIN observation o"
        " WHERE o.series = s.series AND o.period = s.period"
    )
    history = _fetch(connection, found)
    _STAGED.drop(connection)
    return history


def _insert(connection: sa.Connection, rows: History, source: int) -> None:
    order = np.lexsort((rows.known_at, rows.period, rows.series))  # neighbours land on the same page
    sorted_rows = rows.take(order)
    _load(
        connection,
        tables.observation,
        [
            sorted_rows.series.tolist(),
            sorted_rows.period.tolist(),
            sorted_rows.known_at.tolist(),
            sorted_rows.value.tolist(),
            [source] * len(order),
        ],
    )


def _load(connection: sa.Connection, table: sa.Table, columns: Sequence[Sequence[object]]) -> None:
    """Insert columns by each database's fast lane, past SQLAlchemy's work for each row."""
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in zip(*columns, strict=True):
                copy.write_row(row)
        cursor.close()
    else:
        marks = ", ".join("?" * len(table.columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(zip(*columns, strict=True))
        )


def _revision(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.max(tables.series.c.revision))) or 0


def _mark_changed(connection: sa.Connection, keys: Ordinals) -> None:
    """Give these series the next revision. Writers take turns, so no two appends share one."""
    table, following = tables.series, _revision(connection) + 1
    for some in batches(keys.tolist()):
        connection.execute(sa.update(table).where(table.c.key.in_(some)).values(revision=following))


def _source_key(connection: sa.Connection, source: Source, newest: int) -> int:
    """The source's key; the source is added at its first use. Notes the newest knowledge that it brought."""
    table = tables.source
    same = (
        (table.c.name == source.name)
        & (table.c.licence == source.licence)
        & (table.c.url == source.url)
        & (table.c.simulated == source.simulated)
    )
    row = connection.execute(sa.select(table.c.key, table.c.newest_known_at).where(same)).one_or_none()
    if row is None:
        facts = {"name": source.name, "licence": source.licence, "url": source.url, "simulated": source.simulated}
        added = connection.execute(sa.insert(table).values(**facts, newest_known_at=newest))
        assert added.inserted_primary_key is not None  # both databases return it
        return int(added.inserted_primary_key[0])
    if row.newest_known_at < newest:
        connection.execute(sa.update(table).where(table.c.key == row.key).values(newest_known_at=newest))
    return int(row.key)


def _visible(connection: sa.Connection, as_of: dt.datetime, keys: Sequence[int] | None) -> History:
    """The newest value of each period known at a moment, ordered by series and period."""
    rows = tables.observation
    known = (
        sa.select(rows.c.series, rows.c.period, rows.c.known_at, rows.c.value)
        .where(rows.c.known_at <= to_microseconds(as_of))
        .order_by(rows.c.series, rows.c.period, rows.c.known_at)
    )
    chosen = [known] if keys is None else [known.where(rows.c.series.in_(some)) for some in batches(sorted(keys))]
    parts = [_fetch(connection, statement) for statement in chosen]
    vintages = History.joined(parts)
    same_cell_follows = (vintages.series[1:] == vintages.series[:-1]) & (vintages.period[1:] == vintages.period[:-1])
    newest = np.flatnonzero(np.append(~same_cell_follows, True)[: len(vintages)])
    return vintages.take(newest)


_ROW = np.dtype([("series", "i8"), ("period", "i8"), ("known_at", "i8"), ("value", "f8")])


def _fetch(connection: sa.Connection, statement: sa.Executable) -> History:
    cursor = connection.execute(statement).cursor
    assert cursor is not None  # a SELECT has one
    # straight from the driver's tuples into one array: no row objects, no list of all rows
    rows = np.fromiter(_drained(cursor), dtype=_ROW)
    return History(*(np.ascontiguousarray(rows[name]) for name in _ROW.names or ()))


def _drained(cursor: sa.engine.interfaces.DBAPICursor) -> Iterator[tuple[int, int, int, float]]:
    while rows := cursor.fetchmany(50_000):
        yield from rows


def _panels(names: Sequence[tuple[int, str, Frequency]], visible: History) -> list[Panel]:
    if len(visible) == 0:
        return []
    keys, first = np.unique(visible.series, return_index=True)
    start = visible.period[first]
    rows = np.diff(np.append(first, len(visible)))
    last = visible.period[first + rows - 1]
    place = {int(key): i for i, key in enumerate(keys)}
    panels = []
    for frequency in Frequency:
        chosen = [(name, place[key]) for key, name, one in names if one is frequency and key in place]
        if not chosen:
            continue
        at = np.array([i for _, i in chosen], dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum(last[at] - start[at] + 1)]).astype(np.int64)
        values = np.full(int(indptr[-1]), np.nan)
        # rows of each chosen series in `visible`, and where each goes: its series' offset plus periods since the start
        taken = np.arange(int(rows[at].sum())) + np.repeat(first[at] - (np.cumsum(rows[at]) - rows[at]), rows[at])
        values[np.repeat(indptr[:-1] - start[at], rows[at]) + visible.period[taken]] = visible.value[taken]
        panels.append(Panel(tuple(name for name, _ in chosen), frequency, values, indptr, start[at], frequency.season))
    return panels
