"""The lake: exactly once, by day, merged, read by channel."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import ROW_COLUMNS, Rows
from industrial_brain.domain.telemetry import Batch
from industrial_brain.storage import lake as lake_module
from industrial_brain.storage.lake import DeltaLake

DAY = 86_400_000_000
START = 20_000 * DAY


def batch(seq: int, rows: int = 100, start: int = START, channels: int = 20) -> Batch:
    rng = np.random.default_rng(seq)
    return Batch(
        seq,
        start + seq,
        rng.integers(0, channels, rows).astype(np.int32),
        start + np.sort(rng.permutation(DAY // 1_000_000)[:rows]).astype(np.int64) * 1_000_000 + seq,
        rng.normal(size=rows),
        rng.integers(0, 3, rows).astype(np.uint8),
        rng.random(rows) < 0.1,
    )


def columns(rows: Rows) -> list[tuple[object, ...]]:
    ordered = rows.by_sequence()
    return list(zip(*(getattr(ordered, name).tolist() for name in ROW_COLUMNS), strict=True))


def all_rows(lake: DeltaLake) -> Rows:
    return lake.read(np.arange(1000, dtype=np.int32), 0, 2**62)


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    lake = DeltaLake(tmp_path / "lake", "shard-0")
    lake.open()
    return lake


def test_rows_come_back_as_they_were(lake: DeltaLake) -> None:
    batches = [batch(1), batch(2, rows=0), batch(3)]
    lake.append(batches)
    assert columns(all_rows(lake)) == columns(Rows.join([Rows.of(one) for one in batches]))
    assert lake.stored_until() == 3


def test_batches_that_are_appended_again_are_there_once(lake: DeltaLake, tmp_path: Path) -> None:
    lake.append([batch(1), batch(2)])
    again = DeltaLake(tmp_path / "lake", "shard-0")  # the process was killed before it could say so
    again.open()
    again.append([batch(1), batch(2), batch(3)])
    assert columns(all_rows(again)) == columns(Rows.join([Rows.of(batch(seq)) for seq in (1, 2, 3)]))


def test_days_are_folders_that_any_reader_of_delta_understands(lake: DeltaLake, tmp_path: Path) -> None:
    lake.append([batch(1), batch(2, start=START + 3 * DAY)])
    table = DeltaTable(tmp_path / "lake").to_pyarrow_table()
    assert sorted({str(day) for day in table.column("day").to_pylist()}) == ["2024-10-04", "2024-10-07"]
    assert table.num_rows == 200
    assert DeltaTable(tmp_path / "lake").get_add_actions(flatten=True).num_rows == 2


def test_a_read_finds_a_channel_in_its_range_and_nothing_else(lake: DeltaLake) -> None:
    batches = [batch(seq, rows=2000) for seq in range(1, 5)]
    lake.append(batches[:2])
    lake.append(batches[2:])
    stored = Rows.join([Rows.of(one) for one in batches])
    low, high = START + DAY // 4, START + DAY // 2
    wanted = stored.take(np.isin(stored.channel, [3, 7]) & (stored.ts >= low) & (stored.ts < high))
    assert len(wanted) > 0
    assert columns(lake.read(np.array([7, 3], np.int32), low, high)) == columns(wanted)
    assert len(lake.read(np.array([500], np.int32), 0, 2**62)) == 0


def test_eight_files_become_one_and_say_the_same(lake: DeltaLake) -> None:
    batches = [batch(seq) for seq in range(1, 9)]
    for one in batches:
        assert lake.compact(START) == 0
        lake.append([one])
    assert lake.compact(START) == 1
    assert lake.files == 1
    assert columns(all_rows(lake)) == columns(Rows.join([Rows.of(one) for one in batches]))
    lake.append([batch(9)])
    assert lake.stored_until() == 9


def test_large_merges_are_cut_into_files_that_share_no_channel(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "FILE_ROWS", 70_000)
    batches = [batch(seq, rows=40_000, channels=50) for seq in range(1, 9)]
    for one in batches:
        lake.append([one])
    lake.compact(START)
    assert lake.files > 2
    ranges = sorted(file.channels for file in lake._files)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ranges))
    assert columns(all_rows(lake)) == columns(Rows.join([Rows.of(one) for one in batches]))


def test_merging_drops_equal_readings_of_a_moment_and_keeps_what_superseded(lake: DeltaLake) -> None:
    values = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    for seq, value in enumerate(values, 1):
        one = batch(seq, rows=1)
        lake.append(
            [Batch(seq, START, np.zeros(1, np.int32), np.array([START]), np.array([value]), one.quality * 0, one.late)]
        )
    lake.compact(START)
    kept = all_rows(lake).by_moment()
    assert list(zip(kept.value, kept.seq, strict=True)) == [(1.0, 1), (2.0, 3), (1.0, 5)]
    assert kept.newest_received().value.tolist() == [1.0]


def test_a_day_that_is_over_becomes_one_run(lake: DeltaLake) -> None:
    for seq in range(1, 4):
        lake.append([batch(seq)])
    assert lake.compact(START + DAY) == 0
    assert lake.compact(START + 3 * DAY) == 1
    assert lake.files == 1
    assert lake.compact(START + 3 * DAY) == 0


def test_replay_gives_the_order_of_storing_whatever_was_merged(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_module, "_REPLAY_ROWS", 150)
    batches = [batch(seq, start=START + (seq % 3) * DAY) for seq in range(1, 26)]
    for one in batches:
        lake.append([one])
        lake.compact(START)
    portions = list(lake.replay(5, 22))
    assert len(portions) > 3
    stored = Rows.join([Rows.of(one) for one in batches if 5 < one.seq <= 22])
    replayed = Rows.join(portions)
    assert (replayed.seq.tolist(), replayed.row.tolist()) == (stored.seq.tolist(), stored.row.tolist())
    assert replayed.value.tolist() == stored.value.tolist()


def test_old_days_leave_the_lake(lake: DeltaLake) -> None:
    lake.append([batch(1), batch(2, start=START + 5 * DAY)])
    lake.expire(START + 2 * DAY)
    assert set(all_rows(lake).seq.tolist()) == {2}
    assert lake.stored_until() == 2


def test_a_commit_that_a_power_cut_left_empty_is_put_aside_and_made_again(lake: DeltaLake, tmp_path: Path) -> None:
    lake.append([batch(1)])
    lake.append([batch(2)])
    newest = max((tmp_path / "lake" / "_delta_log").glob("*.json"))
    newest.write_bytes(b"")
    again = DeltaLake(tmp_path / "lake", "shard-0")
    again.open()
    assert again.stored_until() == 1
    again.append([batch(2)])
    assert columns(all_rows(again)) == columns(Rows.join([Rows.of(batch(seq)) for seq in (1, 2)]))


def test_a_lake_that_cannot_be_written_says_so_and_loses_nothing(lake: DeltaLake, tmp_path: Path) -> None:
    (tmp_path / "lake" / "day=2024-10-04").write_text("in the way")
    with pytest.raises(UnavailableError, match="lake"):
        lake.append([batch(1)])
    (tmp_path / "lake" / "day=2024-10-04").unlink()
    lake.append([batch(1)])
    assert len(all_rows(lake)) == 100


@pytest.mark.parametrize("spread", [1, 2**45])
def test_rows_of_a_moment_keep_their_order_when_sorted(spread: int) -> None:
    rng = np.random.default_rng(1)
    rows = Rows.of(batch(1, rows=500))
    rows = Rows(
        rng.integers(0, 2**24, 5)[rng.integers(0, 5, 500)].astype(np.int32),
        START + rng.integers(0, 9, 500) * spread,
        *(getattr(rows, name) for name in ROW_COLUMNS[2:]),
    )
    assert columns(rows.by_moment_stably()) == columns(rows.by_moment())
    assert rows.by_moment_stably().row.tolist() == rows.by_moment().row.tolist()
