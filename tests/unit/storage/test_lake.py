"""The lake, in a folder and in a bucket: exactly once, by day, merged, read by channel."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from industrial_brain.domain.errors import InputError, UnavailableError
from industrial_brain.domain.ingest import ROW_COLUMNS, Rows
from industrial_brain.domain.telemetry import Batch
from industrial_brain.storage import lake as lake_module
from industrial_brain.storage.lake import DeltaLake
from industrial_brain.storage.lake_places import Bucket, Folder, Place, place_at
from tests.s3 import BUCKET, access, s3_server

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


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def store(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an object store, which the environment gives access to, and to no other."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in access(s3).items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return place_at(str(tmp_path), "lake")
    request.getfixturevalue("store")
    return place_at(f"s3://{BUCKET}/of-tests/{tmp_path.name}", "lake")


@pytest.fixture
def lake(place: Place) -> DeltaLake:
    return opened(place)


@pytest.fixture
def lake_in_folder(tmp_path: Path) -> DeltaLake:
    return opened(Folder(tmp_path / "lake"))


def opened(place: Place, app: str = "shard-0") -> DeltaLake:
    lake = DeltaLake(place, app)
    lake.open()
    return lake


def table_of(place: Place) -> DeltaTable:
    """As any other reader sees it."""
    return DeltaTable(place.uri, storage_options=place.options)


def test_rows_come_back_as_they_were(lake: DeltaLake) -> None:
    batches = [batch(1), batch(2, rows=0), batch(3)]
    lake.append(batches)
    assert columns(all_rows(lake)) == columns(Rows.join([Rows.of(one) for one in batches]))
    assert lake.stored_until() == 3


def test_batches_that_are_appended_again_are_there_once(lake: DeltaLake, place: Place) -> None:
    lake.append([batch(1), batch(2)])
    again = opened(place)  # the process was killed before it could say so
    again.append([batch(1), batch(2), batch(3)])
    assert columns(all_rows(again)) == columns(Rows.join([Rows.of(batch(seq)) for seq in (1, 2, 3)]))


def test_days_are_folders_that_any_reader_of_delta_understands(lake: DeltaLake, place: Place) -> None:
    lake.append([batch(1), batch(2, start=START + 3 * DAY)])
    table = table_of(place).to_pyarrow_table()
    assert sorted({str(day) for day in table.column("day").to_pylist()}) == ["2024-10-04", "2024-10-07"]
    assert table.num_rows == 200
    assert table_of(place).get_add_actions(flatten=True).num_rows == 2


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


def test_a_commit_that_a_power_cut_left_empty_is_put_aside_and_made_again(
    lake_in_folder: DeltaLake, tmp_path: Path
) -> None:
    lake_in_folder.append([batch(1)])
    lake_in_folder.append([batch(2)])
    newest = max((tmp_path / "lake" / "_delta_log").glob("*.json"))
    newest.write_bytes(b"")
    again = opened(Folder(tmp_path / "lake"))
    assert again.stored_until() == 1
    again.append([batch(2)])
    assert columns(all_rows(again)) == columns(Rows.join([Rows.of(batch(seq)) for seq in (1, 2)]))


def test_a_lake_that_cannot_be_written_says_so_and_loses_nothing(lake_in_folder: DeltaLake, tmp_path: Path) -> None:
    (tmp_path / "lake" / "day=2024-10-04").write_text("in the way")
    with pytest.raises(UnavailableError, match="lake"):
        lake_in_folder.append([batch(1)])
    (tmp_path / "lake" / "day=2024-10-04").unlink()
    lake_in_folder.append([batch(1)])
    assert len(all_rows(lake_in_folder)) == 100


def test_files_that_were_merged_or_expired_are_deleted_once_nobody_reads_them(
    lake: DeltaLake, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seq in range(1, 9):
        lake.append([batch(seq)])
    merged = [file.path for file in lake._files]
    monkeypatch.setattr(lake_module, "_LINGER_HOURS", 0)
    lake.compact(START)
    old = [file.path for file in lake._files]
    lake.append([batch(9, start=START + 5 * DAY)])
    lake.expire(START + 2 * DAY)
    for path in [*merged, *old]:
        with pytest.raises(FileNotFoundError):
            place.parquet(path)
    assert set(all_rows(lake).seq.tolist()) == {9}


def test_a_commit_that_another_writer_made_first_is_not_overwritten(lake: DeltaLake, place: Place) -> None:
    other = opened(place, "shard-1")  # looked at the table before the first one wrote
    lake.append([batch(1)])
    rows = Rows.of(batch(2)).by_moment_stably()
    other._commit([other._write(START // DAY, 0, 2, 0, rows)], [], 2)
    assert lake.look()
    assert set(all_rows(lake).seq.tolist()) == {1, 2}
    assert opened(place).stored_until() == 1
    assert opened(place, "shard-1").stored_until() == 2


def test_a_commit_whose_answer_was_lost_and_that_is_made_again_is_there_once(lake: DeltaLake, place: Place) -> None:
    again = opened(place)
    lake.append([batch(1)])
    rows = Rows.of(batch(1)).by_moment_stably()
    with pytest.raises(DeltaError):  # another commit has this seq of this shard
        again._commit([again._write(START // DAY, 0, 1, 0, rows)], [], 1)
    assert columns(all_rows(opened(place))) == columns(Rows.of(batch(1)))


def test_who_only_reads_waits_for_a_table_and_then_sees_each_commit(place: Place) -> None:
    reader = DeltaLake(place, "shard-0")
    assert not reader.look()
    writer = opened(place)
    for seq in (1, 2):
        writer.append([batch(seq)])
        assert reader.look()
        assert reader.rows == seq * 100


def test_a_file_of_many_parts_comes_back_from_a_bucket(store: str, tmp_path: Path) -> None:
    place = place_at(f"s3://{BUCKET}", tmp_path.name)
    lake = opened(place)
    batches = [batch(seq, rows=80_000) for seq in range(1, 15)]
    lake.append(batches)
    assert lake._files[0].size > 10_000_000  # S3 clients send what is larger in parts
    stored = Rows.join([Rows.of(one) for one in batches])
    assert columns(lake.read(np.array([3], np.int32), 0, 2**62)) == columns(stored.take(stored.channel == 3))


@pytest.mark.parametrize(
    ("changed", "uri", "says", "remedy"),
    [
        ({}, "s3://no-such-bucket/lake", "no such bucket", "BRAIN_LAKE_URI"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, f"s3://{BUCKET}/a", "can't be reached", "AWS_ENDPOINT_URL"),
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            f"s3://{BUCKET}/a",
            "no credentials",
            "AWS_ACCESS",
        ),
    ],
)
def test_a_bucket_that_cannot_be_used_says_why_and_what_to_do_without_secrets(
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str | None],
    uri: str,
    says: str,
    remedy: str,
) -> None:
    for name, value in changed.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    place = place_at(uri, "shard-0")
    for use in (DeltaLake(place, "shard-0").open, DeltaLake(place, "shard-0").look):
        with pytest.raises(UnavailableError, match=says) as raised:
            use()
        assert remedy in str(raised.value.next_step)
        assert "simulated" not in f"{raised.value}{raised.value.next_step}"


def test_a_store_that_goes_away_loses_nothing(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"s3://{BUCKET}/{tmp_path.name}"
    lake = opened(place_at(uri, "lake"))
    lake.append([batch(1)])
    gone = Bucket(BUCKET, f"{tmp_path.name}/lake", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    monkeypatch.setattr(lake, "_place", gone)
    with pytest.raises(UnavailableError, match="can't be reached"):
        lake.append([batch(2)])
    monkeypatch.undo()
    for name, value in access(store).items():
        monkeypatch.setenv(name, value)
    lake.append([batch(2)])
    assert set(all_rows(lake).seq.tolist()) == {1, 2}


@pytest.mark.parametrize("kind", ["odd", "<Code>SignatureDoesNotMatch</Code>"])
def test_secrets_in_what_a_client_says_are_left_out_and_of_its_traceback(kind: str) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "hidden", "AWS_ACCESS_KEY_ID": "known", "AWS_SESSION_TOKEN": "passing"}
    with pytest.raises(UnavailableError) as raised:
        try:
            raise OSError(f"{kind}: hidden, known and passing")
        except OSError as error:
            Bucket(BUCKET, "lake", secrets).fail(error)
    assert kind.removeprefix("<Code>").removesuffix("</Code>") in raised.value.message
    told = "".join(traceback.format_exception(raised.value))
    assert not any(secret in told for secret in secrets.values())


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://KEY:SECRET@lake/a", "gs://lake/a", "s3://lake/a?versionId=1", "s3://lake//a"]
)
def test_an_address_that_is_neither_a_folder_nor_a_bucket_is_refused_and_not_shown(uri: str) -> None:
    with pytest.raises(InputError, match="neither") as raised:
        place_at(uri, "shard-0")
    assert "SECRET" not in str(raised.value)


def test_an_address_is_a_folder_or_a_bucket_with_a_prefix(tmp_path: Path) -> None:
    assert place_at(str(tmp_path), "shard-0").uri == str(tmp_path / "shard-0")
    assert place_at("s3://lake", "shard-0").uri == "s3://lake/shard-0"
    assert place_at("s3://lake/of/city/", "shard-0").uri == "s3://lake/of/city/shard-0"


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
