"""The durable inbox in SQL: a transaction a group, on the disk when it returns."""

from __future__ import annotations

import dataclasses
import fcntl
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from industrial_brain.domain.errors import NotInitialisedError, StateError
from industrial_brain.domain.ingest import Declared, Entry, Group, Names
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Coded, Declaration, Texts
from industrial_brain.storage.database import advisory_lock, appending, reading, release_lock
from industrial_brain.storage.telemetry_tables import LAYOUT, batch, event, names, request, shard, telemetry

#: requests are remembered this long, and deleted this many at a time
_REMEMBERED = 24 * 3600 * MICROS_PER_SECOND
#: batches that one transaction deletes at most: what a sender waits for stays short
_FORGOTTEN_AT_ONCE = 32
#: how many entries are read at a time
_READ_AT_ONCE = 16
#: PostgreSQL's advisory locks of the shards (the bytes of "inbo", then the shard)
_SHARDS_LOCK = 0x696E626F


class SqlInbox:
    """`Inbox` on SQLite or PostgreSQL.

    Args:
        number: of the shard, of so many; several shards may share a PostgreSQL database.
    """

    def __init__(self, engine: sa.Engine, number: int = 0, count: int = 1) -> None:
        self._engine, self._number, self._count = engine, number, count
        self._lock: IO[str] | sa.Connection | None = None
        self._stored_until = 0
        self._next_block: int | None = None  # None: the table has to be asked
        self._swept_at = 0

    def open(self) -> None:
        self._lock = self._locked()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if isinstance(self._lock, sa.Connection):
            release_lock(self._lock, _SHARDS_LOCK, self._number)
        elif self._lock is not None:
            self._lock.close()
        self._lock = None
        self._engine.dispose()

    def last_seq(self) -> int:
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(shard.c.last_seq).where(shard.c.shard == self._number)) or 0

    def names(self) -> Iterator[Names]:
        with reading(self._engine) as connection:
            mine = sa.select(names.c.block).where(names.c.shard == self._number)
            blocks = list(connection.scalars(mine.order_by(names.c.block)))
        for block in blocks:
            with reading(self._engine) as connection:
                this = sa.select(names.c.body).where(names.c.shard == self._number, names.c.block == block)
                body = connection.execute(this).scalar_one()
            yield read_names(body)

    def entries(self, after: int) -> Iterator[Entry]:
        until = self.last_seq()
        while after < until:
            found: list[Entry] = []
            through = until  # what was forgotten is stepped over, however long it is
            with reading(self._engine) as connection:
                for table, read in ((batch, read_batch), (event, read_event)):
                    these = (table.c.shard == self._number, table.c.seq > after, table.c.seq <= until)
                    rows = sa.select(table).where(*these).order_by(table.c.seq).limit(_READ_AT_ONCE)
                    some = [read(row) for row in connection.execute(rows)]
                    if len(some) == _READ_AT_ONCE:
                        through = min(through, some[-1].seq)
                    found += some
            yield from sorted((entry for entry in found if entry.seq <= through), key=lambda entry: entry.seq)
            after = through

    def declared(self, until: int) -> Iterator[Declared]:
        said = sa.select(event).where(event.c.shard == self._number, event.c.seq <= until, event.c.body.is_not(None))
        with reading(self._engine) as connection:
            rows = connection.execute(said.order_by(event.c.seq)).all()
        for row in rows:
            entry = read_event(row)
            if isinstance(entry, Declared):
                yield entry

    def known(self, digests: Sequence[bytes], since: int) -> set[bytes]:
        these = sa.select(request.c.digest).where(
            request.c.shard == self._number, request.c.digest.in_(digests), request.c.received_at >= since
        )
        with reading(self._engine) as connection:
            return {bytes(digest) for digest in connection.scalars(these)}

    def commit(self, group: Group) -> None:
        try:
            self._commit(group)
        except BaseException:
            self._next_block = None  # it may have been stored all the same
            raise
        if self._next_block is not None:
            self._next_block += group.names is not None

    def _commit(self, group: Group) -> None:
        own = {"shard": self._number}
        at = group.entries[-1].received_at if group.entries else self._swept_at
        with appending(self._engine) as connection:
            for entry in group.entries:
                place = {**own, "seq": entry.seq, "received_at": entry.received_at}
                if isinstance(entry, Batch) and len(entry):
                    connection.execute(sa.insert(batch), {**place, "body": _batch_body(entry)})
                else:
                    connection.execute(sa.insert(event), {**place, "body": _event_body(entry)})
            if group.names is not None:
                if self._next_block is None:
                    self._next_block = self._blocks(connection)
                block = {**own, "block": self._next_block, "body": _names_body(group.names)}
                connection.execute(sa.insert(names), block)
            if group.digests:
                rows = [{**own, "digest": digest, "received_at": at} for digest in group.digests]
                connection.execute(self._upsert(), rows)
            if group.entries:
                mine = shard.c.shard == self._number
                connection.execute(sa.update(shard).where(mine).values(last_seq=group.entries[-1].seq))
            self._tidy(connection, group.forget, at)

    def _upsert(self) -> sa.Insert:
        dialect: Any = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(request)
        newer = {"received_at": statement.excluded.received_at}
        found: sa.Insert = statement.on_conflict_do_update(index_elements=["shard", "digest"], set_=newer)
        return found

    def _tidy(self, connection: sa.Connection, forget: int, now: int) -> None:
        mine = batch.c.shard == self._number
        done = sa.select(batch.c.seq).where(mine, batch.c.seq <= forget).order_by(batch.c.seq).limit(_FORGOTTEN_AT_ONCE)
        if forget:
            connection.execute(sa.delete(batch).where(mine, batch.c.seq.in_(done.scalar_subquery())))
        if now - self._swept_at > 60 * MICROS_PER_SECOND:
            old = (request.c.shard == self._number) & (request.c.received_at < now - _REMEMBERED)
            connection.execute(sa.delete(request).where(old))
            self._swept_at = now

    def _locked(self) -> IO[str] | sa.Connection:
        taken = StateError(
            f"Another server has the telemetry of shard {self._number}.",
            "Stop it first: one process takes the readings of a shard.",
        )
        if self._engine.dialect.name == "sqlite":
            file = Path(f"{self._engine.url.database}.{self._number}.lock").open("w")  # noqa: SIM115 - held until closed
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise taken from error
            return file
        connection = advisory_lock(self._engine, _SHARDS_LOCK, self._number)
        if connection is None:
            raise taken
        return connection

    def _prepare(self) -> None:
        with appending(self._engine) as connection:
            telemetry.create_all(connection)
            mine = shard.c.shard == self._number
            found = connection.execute(sa.select(shard).where(mine)).one_or_none()
            layout = None if found is None else found.layout
            if found is None:
                this = {"shard": self._number, "layout": LAYOUT, "shards": self._count, "last_seq": 0}
                connection.execute(sa.insert(shard), this)
            elif layout != LAYOUT:
                raise NotInitialisedError(
                    f"Another release of this program wrote the telemetry inbox (layout {layout}).",
                    "Upgrade the program.",
                )
            elif found.shards != self._count:
                raise StateError(
                    f"The telemetry was begun with {found.shards} shards, not with {self._count}: sites would move.",
                    f"Start each server with BRAIN_SHARD=NUMBER/{found.shards}.",
                )
            self._next_block = self._blocks(connection)

    def _blocks(self, connection: sa.Connection) -> int:
        """How many blocks of names there are."""
        last = connection.scalar(sa.select(sa.func.max(names.c.block)).where(names.c.shard == self._number))
        return 0 if last is None else last + 1


def _batch_body(entry: Batch) -> bytes:
    return _stream(
        {
            "channel": pa.array(entry.channel),
            "ts": pa.array(entry.ts),
            "value": pa.array(entry.value),
            "quality": pa.array(entry.quality),
            "late": pa.array(entry.late.view(np.uint8)),
        }
    )


def read_batch(row: Any) -> Batch:
    """A batch from its row."""
    columns = _columns(row.body)
    late = _numbers(columns["late"]).view(np.bool_)
    channel, ts, value, quality = (_numbers(columns[name]) for name in ("channel", "ts", "value", "quality"))
    return Batch(row.seq, row.received_at, channel, ts, value, quality, late)


def _event_body(entry: Entry) -> bytes | None:
    if isinstance(entry, Batch):
        return None
    said = [dataclasses.asdict(declaration) for declaration in entry.declarations]
    return json.dumps(said).encode()


def read_event(row: Any) -> Entry:
    """A minute that passed, or what operators declared, from its row."""
    if row.body is None:
        return Batch.tick(row.seq, row.received_at)
    return Declared(row.seq, row.received_at, tuple(Declaration(**one) for one in json.loads(row.body)))


def _names_body(block: Names) -> bytes:
    device = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(block), [None, pa.py_buffer(block.device.offsets), pa.py_buffer(block.device.data)]
    )
    coded = {
        name: pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.names, pa.large_utf8()))
        for name, column in (("site", block.site), ("metric", block.metric), ("unit", block.unit))
    }
    return _stream({"channel": pa.array(block.channel), "device": device, **coded})


def read_names(body: bytes) -> Names:
    """A block of names from its Arrow stream."""
    columns = _columns(body)
    device = columns["device"]
    _, offsets, data = device.buffers()
    texts = Texts(np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8), np.frombuffer(offsets, np.int64))
    site, metric, unit = (
        Coded(_numbers(columns[name].indices), tuple(columns[name].dictionary.to_pylist()))
        for name in ("site", "metric", "unit")
    )
    return Names(_numbers(columns["channel"]), site, texts, metric, unit)


def _stream(columns: dict[str, Any]) -> bytes:
    table = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return bytes(sink.getvalue())


def _columns(body: bytes) -> dict[str, Any]:
    with pa.ipc.open_stream(body) as reader:
        table = reader.read_next_batch()
    return dict(zip(table.schema.names, table.columns, strict=True))


def _numbers(column: Any) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=True)
    return found
