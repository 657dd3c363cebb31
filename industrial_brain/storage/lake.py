"""The lake: a Delta table a shard, partitioned by the day of the event time.

Files are written and synchronised by us, then committed by delta-rs in one transaction with the last seq that they hold
(`txn` of the Delta protocol): a batch is there once, however often it is appended. Files are merged by size: eight *runs* of a
level become one of the next. A run of a higher level is several files that share no channel, so a channel's
readings lie in one file a run, and a merge holds no more than one file's rows at a time.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import itertools
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.ingest import Rows
from industrial_brain.domain.telemetry import Batch, Keys
from industrial_brain.storage.lake_files import SCHEMA, FileReader, write_rows
from industrial_brain.storage.lake_places import Place

_DAY = 86_400_000_000
#: runs of a level that become one of the next
_FAN_IN = 8
#: rows of a file, about; what a merge holds in memory
FILE_ROWS = 4_000_000
#: portions of a replay
_REPLAY_ROWS = 1_000_000
#: files that no commit names any more stay this long for those who read an older state of the table
_LINGER_HOURS = 1

_NAME = re.compile(r"day=(?P<day>[^/]+)/L(?P<level>\d+)-(?P<run>\d+)-\d+\.parquet")
_TABLE = pa.schema([*SCHEMA, pa.field("day", pa.date32(), nullable=False)])


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is part of the table."""

    path: str
    day: int  # days since 1970
    level: int
    run: int
    size: int
    rows: int
    channels: tuple[int, int]
    ts: tuple[int, int]
    seqs: tuple[int, int]


class DeltaLake:
    """`Lake` in a folder or a bucket.

    Args:
        place: of the table.
        app: who writes: the shard's name.
    """

    def __init__(self, place: Place, app: str) -> None:
        self._place, self._app = place, app
        self._table: DeltaTable | None = None
        self._files: tuple[_File, ...] = ()
        self._reader = FileReader(place)
        self._lock = Lock()

    def open(self) -> None:
        with _translated(self._place):
            self._place.prepare()
            uri, options = self._place.uri, self._place.options
            if DeltaTable.is_deltatable(uri, options):
                self._table = DeltaTable(uri, storage_options=options)
            else:
                self._table = DeltaTable.create(uri, _TABLE, partition_by=["day"], storage_options=options)
            self._refresh()
            self._place.keep_log()

    def look(self) -> bool:
        """Open to read alone, beside whoever writes; whether there is a table yet. Looks again at every call."""
        with _translated(self._place):
            if self._table is None:
                uri, options = self._place.uri, self._place.options
                if not DeltaTable.is_deltatable(uri, options):
                    return False
                self._table = DeltaTable(uri, storage_options=options)
            self._refresh()
        return True

    def stored_until(self) -> int:
        return self._opened.transaction_version(self._app) or 0

    def append(self, batches: Sequence[Batch]) -> None:
        with _translated(self._place):
            self._refresh()
            done = self.stored_until()
            fresh = [batch for batch in batches if batch.seq > done]
            if not any(len(batch) for batch in fresh):
                return
            last = fresh[-1].seq
            rows = Rows.join([Rows.of(batch) for batch in fresh]).by_moment_stably()
            days = rows.ts // _DAY
            added = [
                self._write(int(day), 0, last, 0, rows.take(days == day) if days.min() != days.max() else rows)
                for day in np.unique(days)
            ]
            self._commit(added, [], last)
        _give_memory_back()

    def compact(self, today: int) -> int:
        with _translated(self._place):
            for runs in self._merges(today // _DAY):
                self._merge(runs)
                return 1
        return 0

    def expire(self, before: int) -> None:
        with _translated(self._place):
            old = [file for file in self._files if file.day < before // _DAY]
            if old:
                self._commit([], old, None)
                self._opened.vacuum(_LINGER_HOURS, dry_run=False, enforce_retention_duration=False)

    def read(self, channel: Keys, start: int, end: int) -> Rows:
        wanted = np.unique(channel)
        if not len(wanted) or start >= end:
            return Rows.join([])
        low, high = int(wanted[0]), int(wanted[-1])
        with _translated(self._place):
            return Rows.join(
                [
                    self._reader.read(file.path, wanted, start, end)
                    for file in self._files
                    if file.channels[0] <= high and file.channels[1] >= low and file.ts[0] < end and file.ts[1] >= start
                ]
            )

    def replay(self, after: int, until: int) -> Iterator[Rows]:
        files = [file for file in self._files if file.seqs[0] <= until and file.seqs[1] > after]
        overlap = [min(file.seqs[1], until) - max(file.seqs[0], after + 1) + 1 for file in files]
        total = sum(f.rows * seqs / (f.seqs[1] - f.seqs[0] + 1) for f, seqs in zip(files, overlap, strict=True))
        portions = min(int(total // _REPLAY_ROWS) + 1, max(until - after, 1))
        for bound in np.linspace(after, until, portions + 1).astype(np.int64).tolist()[1:]:
            parts = []
            for file in files:
                if file.seqs[0] <= bound and file.seqs[1] > after:
                    with _translated(self._place):
                        rows = self._reader.between(file.path, file.channels[0], file.channels[1] + 1)
                    parts.append(rows.take((rows.seq > after) & (rows.seq <= bound)))
            after = bound
            rows = Rows.join(parts).by_sequence()
            if len(rows):
                yield rows

    @property
    def rows(self) -> int:
        """Readings in the lake."""
        return sum(file.rows for file in self._files)

    @property
    def files(self) -> int:
        """Files of the lake."""
        return len(self._files)

    @property
    def _opened(self) -> DeltaTable:
        if self._table is None:
            raise UnavailableError("The lake is not open.")
        return self._table

    def _merges(self, today: int) -> Iterator[list[_File]]:
        """Files to merge: runs of one day and level, if there are enough of them; of days that are over, all that are small."""
        by_day: dict[int, dict[tuple[int, int], list[_File]]] = defaultdict(lambda: defaultdict(list))
        for file in self._files:
            by_day[file.day][file.level, file.run].append(file)
        for day, runs in sorted(by_day.items()):
            levels: dict[int, list[list[_File]]] = defaultdict(list)
            for (level, _), files in sorted(runs.items()):
                levels[level].append(files)
            for same in levels.values():
                if len(same) >= _FAN_IN:
                    yield [file for files in same for file in files]
            if day < today - 1 and len(runs) > 1:  # most late readings have come by then
                yield [file for files in runs.values() for file in files]

    def _merge(self, files: list[_File]) -> None:
        files = sorted(
            files, key=lambda file: file.seqs
        )  # of different runs these share none: so rows are in their order
        level, run = max(file.level for file in files) + 1, max(file.seqs[1] for file in files)
        added = []
        for part, (first, behind) in enumerate(self._ranges(files)):
            pieces = [self._reader.between(file.path, first, behind) for file in files]
            rows = Rows.join(pieces).by_moment_stably().without_repeats()
            if len(rows):
                added.append(self._write(files[0].day, level, run, part, rows))
        self._commit(added, files, None)
        self._opened.vacuum(_LINGER_HOURS, dry_run=False, enforce_retention_duration=False)
        _give_memory_back()

    def _ranges(self, files: list[_File]) -> list[tuple[int, int]]:
        """Ranges of channels that have about `FILE_ROWS` rows each."""
        channel, counts = (
            np.concatenate(parts) for parts in zip(*(self._reader.channels(file.path) for file in files), strict=True)
        )
        order = np.argsort(channel, kind="stable")
        portions = np.cumsum(counts[order]) // FILE_ROWS
        cuts = channel[order][1:][np.diff(portions) > 0]
        bounds = [int(channel.min()), *np.unique(cuts[cuts > channel.min()]).tolist(), int(np.iinfo(np.int32).max)]
        return list(itertools.pairwise(bounds))

    def _write(self, day: int, level: int, run: int, part: int, rows: Rows) -> _File:
        name = f"day={_date(day)}/L{level}-{run}-{part}.parquet"
        size = write_rows(self._place, name, rows)
        low, high = (int(rows.channel[0]), int(rows.channel[-1]))
        ts, seqs = (int(rows.ts.min()), int(rows.ts.max())), (int(rows.seq.min()), int(rows.seq.max()))
        return _File(name, day, level, run, size, len(rows), (low, high), ts, seqs)

    def _commit(self, added: Sequence[_File], removed: Sequence[_File], last: int | None) -> None:
        """One transaction of the table. Files are durable before, the log after."""
        self._place.keep_names(file.path for file in added)
        now = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [_add(file, now, last is not None) for file in added]
        actions += [RemoveAction(file.path, False, now, file.size, {"day": _date(file.day)}) for file in removed]
        apps = None if last is None else [Transaction(self._app, last)]
        self._opened.create_write_transaction(
            actions, "append", _TABLE, ["day"], commit_properties=CommitProperties(app_transactions=apps)
        )
        self._refresh()
        self._place.keep_log()
        self._reader.forget({file.path for file in removed})

    def _refresh(self) -> None:
        """Look what is in the table."""
        with self._lock:
            table = self._opened
            table.update_incremental()
            found = pa.table(table.get_add_actions(flatten=True)).to_pylist()
            self._files = tuple(_file(action) for action in found)


def _add(file: _File, now: int, change: bool) -> AddAction:
    stats = {
        "numRecords": file.rows,
        "minValues": {"channel": file.channels[0], "ts": _moment(file.ts[0]), "seq": file.seqs[0]},
        "maxValues": {"channel": file.channels[1], "ts": _moment(file.ts[1]), "seq": file.seqs[1]},
        "nullCount": {"channel": 0, "ts": 0, "seq": 0},
    }
    return AddAction(file.path, file.size, {"day": _date(file.day)}, now, change, json.dumps(stats))


def _file(action: dict[str, object]) -> _File:
    """What an add action of the table says."""
    path = str(action["path"])
    name = _NAME.fullmatch(path)
    if name is None:
        raise UnavailableError(f"The lake holds a file that is not ours: {path}.", "Move it out of the lake's folder.")

    def pair(column: str) -> tuple[int, int]:
        low, high = action[f"min.{column}"], action[f"max.{column}"]
        if isinstance(low, dt.datetime) and isinstance(high, dt.datetime):
            return _micros(low), _micros(high)
        return int(str(low)), int(str(high))

    day = (dt.date.fromisoformat(name["day"]) - dt.date(1970, 1, 1)).days
    counts = int(str(action["size_bytes"])), int(str(action["num_records"]))
    return _File(path, day, int(name["level"]), int(name["run"]), *counts, pair("channel"), pair("ts"), pair("seq"))


@contextmanager
def _translated(place: Place) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        place.fail(error)


def _give_memory_back() -> None:
    """What a move or a merge needed for a moment is not kept until the next one: allocators would hold it."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # not every Linux has glibc
            ctypes.CDLL("libc.so.6").malloc_trim(0)


def _date(day: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def _moment(micros: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _micros(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
