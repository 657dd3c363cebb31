"""Machines and their history, read beside a running server: from the inbox's database and the lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from industrial_brain.domain.equipment import History, Machine
from industrial_brain.domain.ingest import Names, Rows
from industrial_brain.domain.telemetry import Declaration, Keys, Quality
from industrial_brain.storage.database import reading
from industrial_brain.storage.inbox import SqlInbox, read_batch, read_names
from industrial_brain.storage.lake import DeltaLake
from industrial_brain.storage.telemetry_tables import batch, names


class SqlEquipmentStore:
    """`EquipmentStore` of one shard. It takes no lock: one server writes, any number of trainings read.

    Args:
        engine: of the inbox's database.
        number: of the shard.
    """

    def __init__(self, engine: sa.Engine, lake: DeltaLake, number: int = 0) -> None:
        self._engine, self._lake, self._number = engine, lake, number

    def machines(self, equipment: str | None = None) -> list[Machine]:
        if not sa.inspect(self._engine).has_table(names.name):
            return []
        channels: dict[tuple[str, str], dict[str, int]] = {}
        for block in self._names():
            for row, key in enumerate(block.channel.tolist()):
                channels.setdefault((block.site[row], block.device[row]), {})[block.metric[row]] = key
        said = self._declarations()
        found = []
        for (site, device), keys in channels.items():
            own = said.get((site, device, None))
            if own is None or own.equipment is None or equipment not in (None, own.equipment):
                continue
            of_metric = {metric: said.get((site, device, metric)) for metric in keys}
            kept = {metric: keys[metric] for metric, one in sorted(of_metric.items()) if one is None or not one.counter}
            if kept:
                found.append(Machine(site, device, own.equipment, kept, own.seconds))
        return sorted(found, key=lambda one: one.name)

    def history(self, channels: Sequence[int], start: int, end: int) -> History:
        wanted = np.unique(np.array(channels, dtype=np.int32))
        waiting = list(self._waiting(wanted))  # before the lake: what leaves the inbox meanwhile is there
        if self._lake.look():
            waiting.append(self._lake.read(wanted, start, end))
        rows = Rows.join(waiting)
        rows = rows.take((rows.ts >= start) & (rows.ts < end)).by_moment().newest_received()
        rows = rows.take((rows.quality != Quality.BAD) & np.isfinite(rows.value))
        return History(rows.channel, rows.ts, rows.value)

    def _names(self) -> Iterator[Names]:
        for body in self._column(names.c.body, names.c.block):
            yield read_names(body)

    def _declarations(self) -> dict[tuple[str, str, str | None], Declaration]:
        """What is in force of each device (metric None) and metric: a later declaration replaces the earlier one."""
        inbox = SqlInbox(self._engine, self._number)
        entries = inbox.declared(inbox.last_seq())
        return {(one.site, one.device, one.metric): one for entry in entries for one in entry.declarations}

    def _waiting(self, wanted: Keys) -> Iterator[Rows]:
        """Rows of these channels that are still in the inbox, batch by batch."""
        for seq in self._column(batch.c.seq, batch.c.seq):
            with reading(self._engine) as connection:
                mine = (batch.c.shard == self._number) & (batch.c.seq == seq)
                row = connection.execute(sa.select(batch).where(mine)).one_or_none()
            if row is not None:  # else it has gone to the lake
                rows = Rows.of(read_batch(row))
                yield rows.take(np.isin(rows.channel, wanted))

    def _column(self, column: sa.Column[Any], order: sa.Column[Any]) -> list[Any]:
        chosen = sa.select(column).where(column.table.c.shard == self._number).order_by(order)
        with reading(self._engine) as connection:
            return list(connection.scalars(chosen))
