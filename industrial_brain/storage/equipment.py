"""Machines and their history, read beside a running server: from the inbox's database and the lake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from industrial_brain.domain.equipment import History, Machine
from industrial_brain.domain.ingest import Declared, Names, Rows
from industrial_brain.domain.telemetry import Declaration, Keys, Quality
from industrial_brain.storage.database import reading
from industrial_brain.storage.inbox import read_batch, read_event, read_names
from industrial_brain.storage.lake import DeltaLake
from industrial_brain.storage.telemetry_tables import batch, event, names


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
        who: dict[int, tuple[str, str]] = {}
        for block in self._names():
            for row, key in enumerate(block.channel.tolist()):
                device = block.site[row], block.device[row]
                channels.setdefault(device, {})[block.metric[row]] = key
                who[key] = device
        classes: dict[tuple[str, str], str] = {}
        seconds: dict[tuple[str, str], float] = {}
        counters: set[int] = set()
        for key, said in self._declared():
            if key not in who:
                continue
            device = who[key]
            if said.equipment is not None:
                classes[device] = said.equipment
            if said.seconds is not None:
                seconds[device] = said.seconds
            (counters.add if said.counter else counters.discard)(key)
        found = [
            Machine(
                *device,
                of,
                {metric: key for metric, key in sorted(channels[device].items()) if key not in counters},
                seconds.get(device),
            )
            for device, of in classes.items()
            if equipment is None or of == equipment
        ]
        return sorted((one for one in found if one.channels), key=lambda one: one.name)

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

    def _declared(self) -> Iterator[tuple[int, Declaration]]:
        """What was said of each channel, in the order in which it was."""
        chosen = sa.select(event).where(event.c.shard == self._number, event.c.body.is_not(None)).order_by(event.c.seq)
        with reading(self._engine) as connection:
            found = [read_event(row) for row in connection.execute(chosen)]
        for entry in found:
            if isinstance(entry, Declared):
                yield from zip(entry.channel, entry.declarations, strict=True)

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
