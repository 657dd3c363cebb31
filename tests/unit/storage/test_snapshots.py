"""Snapshots of a shard's state, in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from industrial_brain.storage.snapshots import FolderSnapshots

DAY = 86_400_000_000
START = 20_000 * DAY


def save(snapshots: FolderSnapshots, seq: int, at: int = START) -> None:
    snapshots.save(seq, at, {"watch/fleet/level": np.full(3, seq, np.float32), "newest.ts": np.arange(seq)})


def test_the_newest_state_that_is_not_too_new_comes_back(tmp_path: Path) -> None:
    snapshots = FolderSnapshots(tmp_path / "s")
    assert snapshots.newest() is None
    for seq in (3, 20, 100):
        save(snapshots, seq)
    found = snapshots.newest(50)
    assert found is not None
    seq, arrays = found
    assert seq == 20
    assert sorted(arrays) == ["newest.ts", "watch/fleet/level"]
    assert arrays["watch/fleet/level"].tolist() == [20.0] * 3
    assert snapshots.newest(2) is None


def test_the_newest_two_and_the_first_of_each_day_stay_for_some_days(tmp_path: Path) -> None:
    snapshots = FolderSnapshots(tmp_path, days=2)
    for seq in range(1, 13):
        save(snapshots, seq, START + seq * DAY // 3)  # three a day
    kept = [seq for seq in range(1, 13) if (found := snapshots.newest(seq)) is not None and found[0] == seq]
    assert kept == [9, 11, 12]


def test_a_snapshot_that_was_cut_off_is_not_read(tmp_path: Path) -> None:
    snapshots = FolderSnapshots(tmp_path)
    save(snapshots, 1)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "newest.ts.npy").write_bytes(b"half")
    found = snapshots.newest()
    assert found is not None
    assert found[0] == 1
    save(snapshots, 2)
    assert not (tmp_path / "unfinished").exists()
