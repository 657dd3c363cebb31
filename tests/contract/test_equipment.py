"""Machines and their history, read from an inbox and a lake that a server writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sqlalchemy as sa

from industrial_brain.domain.ingest import Declared, Group, Names
from industrial_brain.domain.telemetry import Batch, Coded, Declaration, Quality, Texts
from industrial_brain.storage.database import open_database
from industrial_brain.storage.equipment import SqlEquipmentStore
from industrial_brain.storage.inbox import SqlInbox
from industrial_brain.storage.lake import DeltaLake
from industrial_brain.storage.lake_places import Folder

MINUTE = 60_000_000
START = 1_700_000_000_000_000


def names() -> Names:
    site = Coded(np.zeros(4, np.int32), ("plant",))
    device = Texts.of(["p1", "p1", "p1", "m1"])
    metric = Coded(np.arange(4, dtype=np.int32), ("flow", "pressure", "energy", "power"))
    return Names(np.arange(4, dtype=np.int32), site, device, metric, Coded(np.zeros(4, np.int32), ("",)))


def batch(seq: int, minute: int, value: float, *, quality: Quality = Quality.GOOD) -> Batch:
    channel = np.array([0, 1, 2], np.int32)
    ts = np.full(3, START + minute * MINUTE, np.int64)
    return Batch(seq, START, channel, ts, np.full(3, value), np.full(3, quality, np.uint8), np.zeros(3, np.bool_))


def said(seq: int) -> Declared:
    pump, counter = (
        Declaration("plant", "p1", equipment="pump", seconds=60.0),
        Declaration("plant", "p1", "energy", counter=True),
    )
    return Declared(seq, START, (pump, counter))


def test_machines_are_declared_devices_without_their_counters(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'inbox.db'}")
    store = SqlEquipmentStore(engine, DeltaLake(Folder(tmp_path / "lake"), "shard-0"))
    assert store.machines() == []  # no server has ever run
    inbox = SqlInbox(engine)
    inbox.open()
    inbox.commit(Group((batch(1, 0, 1.0), said(2)), names()))
    (pump,) = store.machines()
    assert (pump.name, pump.equipment, pump.seconds) == ("plant/p1", "pump", 60.0)
    assert pump.channels == {"flow": 0, "pressure": 1}
    assert store.machines("pump") == [pump]
    assert store.machines("fan") == []
    inbox.close()


def test_history_joins_the_lake_with_what_still_waits_and_counts_nothing_twice(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'inbox.db'}")
    store = SqlEquipmentStore(engine, DeltaLake(Folder(tmp_path / "lake"), "shard-0"))
    inbox, lake = SqlInbox(engine), DeltaLake(Folder(tmp_path / "lake"), "shard-0")
    inbox.open()
    first = [batch(1, 0, 1.0), batch(2, 1, 2.0), batch(3, 2, 9.0, quality=Quality.BAD)]
    inbox.commit(Group(tuple(first), names()))
    assert store.history([0], START, START + 5 * MINUTE).value.tolist() == [1.0, 2.0]
    lake.open()
    lake.append(first)
    inbox.commit(Group((batch(4, 1, 5.0), batch(5, 3, 4.0)), forget=1))
    found = store.history([0, 1], START, START + 3 * MINUTE)
    assert found.channel.tolist() == [0, 0, 1, 1]
    assert found.value.tolist() == [1.0, 5.0, 1.0, 5.0]  # corrected later
    assert found.ts.tolist() == [START, START + MINUTE] * 2
    inbox.close()


def test_reading_takes_no_lock(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'inbox.db'}")
    inbox = SqlInbox(engine)
    inbox.open()
    inbox.commit(Group((batch(1, 0, 1.0),), names()))
    other = sa.create_engine(engine.url)
    assert (
        len(SqlEquipmentStore(other, DeltaLake(Folder(tmp_path / "lake"), "s")).history([1], 0, START + MINUTE).ts) == 1
    )
    other.dispose()
    inbox.close()
