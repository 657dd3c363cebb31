"""`kill -9` under load, again and again: nothing acknowledged is lost, nothing is doubled, and the live state is the same."""

from __future__ import annotations

import datetime as dt
import os
import random
import re
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from industrial_brain.composition import Brain
from industrial_brain.domain.ingest import Entry, Rows
from industrial_brain.domain.telemetry import Batch
from industrial_brain.settings import Settings
from industrial_brain.storage.database import open_database
from industrial_brain.storage.inbox import SqlInbox
from industrial_brain.storage.lake import DeltaLake
from industrial_brain.storage.lake_places import place_at
from industrial_brain.storage.snapshots import FolderSnapshots
from streaming.channels import ChannelIndex
from streaming.declarations import Declarations
from tests.e2e.conftest import Installation
from tests.e2e.telemetry import SITE, Killable, Sender, running, send_together

#: how often the server is killed; more of it: BRAIN_TEST_KILLS=100 pytest tests/e2e/test_telemetry_loss.py
KILLS = int(os.environ.get("BRAIN_TEST_KILLS", "3"))


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    """A database without a city, and nothing trained: telemetry needs neither."""
    installation = Installation(tmp_path / "home", "")
    installation.run("init")
    return installation


def batches_of(rows: Rows) -> list[Batch]:
    """Rows by sequence, as the batches that they were."""
    found = []
    for seq in np.unique(rows.seq).tolist():
        one = rows.take(rows.seq == seq)
        found.append(Batch(seq, int(one.received_at[0]), one.channel, one.ts, one.value, one.quality, one.late))
    return found


def test_killed_at_any_moment_it_loses_nothing_and_doubles_nothing(home: Installation, tmp_path: Path) -> None:
    server = Killable(home, tmp_path, BRAIN_TELEMETRY_LAKE_SECONDS="0.3", BRAIN_TELEMETRY_SNAPSHOT_SECONDS="1")
    start = (int(time.time()) - 7200) * 1_000_000
    senders = [Sender(f"press-{i}", start) for i in range(4)]
    rng = random.Random(7)
    for _ in range(KILLS):
        server.start()
        before = sum(len(sender.acknowledged) for sender in senders)
        threads = send_together(server, senders, lambda: False)
        try:
            while sum(len(sender.acknowledged) for sender in senders) < before + 2_000 and any(
                thread.is_alive() for thread in threads
            ):
                time.sleep(0.01)
            time.sleep(rng.random() * 0.5)  # not a measurement: any moment will do
        finally:
            server.kill()
        for thread in threads:
            thread.join()
    with running(server):
        goal = [len(sender.sent) + 40 for sender in senders]  # what was not answered is sent again, and one more
        threads = send_together(
            server, senders, lambda: all(len(s.acknowledged) >= n for s, n in zip(senders, goal, strict=True))
        )
        for thread in threads:
            thread.join()
        with server.client() as client:
            answer = client.get(f"/v1/devices/press-1/readings?site={SITE}&points=2").json()
            assert answer["stored"] == len(senders[1].sent)
        server.stop()

    lake = home.home / "lake" / "shard-0"
    table = DeltaTable(lake).to_pyarrow_table(columns=["channel", "ts", "value"])
    ts = table.column("ts").cast("int64").to_pylist()
    stored = Counter(zip(ts, table.column("value").to_pylist(), strict=True))
    acknowledged = Counter((ts, value) for sender in senders for _, ts, value in sender.acknowledged)
    assert sum(acknowledged.values()) >= KILLS * 2_000
    assert stored == acknowledged

    assert_state_is_that_of_a_replay(home)


def assert_state_is_that_of_a_replay(home: Installation) -> None:
    """The last snapshot equals, to the byte, what the whole sequence gives from the first entry on."""
    brain = Brain(Settings(home=home.home), lambda: dt.datetime.now(dt.UTC))
    inbox = SqlInbox(open_database(brain.settings.telemetry_database))
    inbox.open()
    lake = DeltaLake(place_at(brain.settings.lake, "shard-0"), "shard-0")
    lake.open()
    entries: dict[int, Entry] = {entry.seq: entry for entry in inbox.entries(0)}
    for rows in lake.replay(0, lake.stored_until()):
        entries |= {batch.seq: batch for batch in batches_of(rows)}
    assert sorted(entries) == list(range(1, inbox.last_seq() + 1))
    index = ChannelIndex(1_000, 0)
    for block in inbox.names():
        index.restore(block)
    scorer = brain.live_state(index, Declarations(index))
    for _, entry in sorted(entries.items()):
        scorer.take(entry)
    found = FolderSnapshots(brain.settings.snapshots / "shard-0").newest()
    assert found is not None
    assert found[0] == inbox.last_seq()
    for name, array in scorer.save().items():
        assert array.tobytes() == np.ascontiguousarray(found[1][name]).tobytes(), name
    inbox.close()


_SYNCED = re.compile(r"f(?:data)?sync\(\d+<[^>]*telemetry\.db-wal>\)\s+= 0|<\.\.\. f(?:data)?sync resumed>\)\s+= 0")
_BEGUN = re.compile(r"f(?:data)?sync\(\d+<(?P<file>[^>]*)> <unfinished")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (Debian: apt-get install strace)")
def test_an_fsync_of_the_inbox_comes_before_each_acknowledgement(home: Installation, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg"
    server = Killable(home, tmp_path, ["strace", "-f", "-y", "-s", "32", "-e", calls, "-o", str(trace)])
    requests = 8
    with running(server), server.client() as client:
        for i in range(requests):
            now = int(time.time() * 1000)
            body = [{"device": "press-1", "metric": "t", "ts": now + j, "value": 1.0} for j in range(3)]
            answer = client.post("/v1/telemetry", params={"site": SITE}, json=body)
            assert answer.json()["accepted"] == 3, (i, answer.text)
        server.stop()
    synced, acknowledged, begun = False, 0, dict[str, str]()
    for line in trace.read_text(errors="replace").splitlines():
        thread = line.split(" ", 1)[0]
        if unfinished := _BEGUN.search(line):
            begun[thread] = unfinished["file"]
        elif _SYNCED.search(line):
            resumed = "resumed" in line
            synced = synced or not resumed or begun.get(thread, "").endswith("telemetry.db-wal")
        elif '"HTTP/1.1 200 OK' in line:
            assert synced, f"answered before anything was synchronised: {line}"
            acknowledged += 1
            synced = False
    assert acknowledged == requests
