"""The telemetry inbox, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from industrial_brain.domain.errors import StateError, UnavailableError
from industrial_brain.domain.ingest import Declared, Group, Inbox, Names
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Batch, Coded, Declaration, Texts
from industrial_brain.storage.database import open_database
from industrial_brain.storage.inbox import SqlInbox
from tests.contract.conftest import SQL
from tests.fakes.inbox import FakeInbox

DAY = 24 * 3600 * MICROS_PER_SECOND


@pytest.fixture(params=SQL)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return _new_database(request.param, request, tmp_path)


def _new_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database for the inbox alone."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'telemetry.db'}"
    server = open_database(request.getfixturevalue("postgresql_url"))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS telemetry")
        connection.exec_driver_sql("CREATE DATABASE telemetry")
    server.dispose()
    return server.url.set(database="telemetry").render_as_string(hide_password=False)


@pytest.fixture(params=["fake", *SQL])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inbox]:
    found: Inbox = FakeInbox()
    if request.param != "fake":
        found = SqlInbox(open_database(_new_database(request.param, request, tmp_path)))
    found.open()
    yield found
    found.close()


def batch(seq: int, rows: int = 3, at: int = DAY) -> Batch:
    rng = np.random.default_rng(seq)
    return Batch(
        seq,
        at,
        rng.integers(0, 9, rows).astype(np.int32),
        rng.integers(0, DAY, rows),
        rng.normal(size=rows),
        np.full(rows, 1, np.uint8),
        rng.random(rows) < 0.5,
    )


def same(left: Batch, right: Batch) -> bool:
    columns = ("channel", "ts", "value", "quality", "late")
    told = (left.seq, left.received_at) == (right.seq, right.received_at)
    return told and all(np.array_equal(getattr(left, name), getattr(right, name)) for name in columns)


NAMES = Names(
    np.array([0, 1], np.int32),
    Coded(np.array([0, 1], np.int32), ("works", "mill")),
    Texts.of(["泵-1", "b"]),
    Coded(np.array([0, 0], np.int32), ("t",)),
    Coded(np.array([1, 0], np.int32), ("", "Cel")),
)


def test_the_sequence_comes_back_in_order_and_to_the_bit(inbox: Inbox) -> None:
    said = Declared(3, DAY + 2, (Declaration("works", "a", low=-1.5), Declaration("works", "b", "t", unit="K")))
    inbox.commit(Group((batch(1), batch(2, rows=0))))
    inbox.commit(Group((said,)))
    inbox.commit(Group((batch(4, rows=1000),)))
    found = list(inbox.entries(0))
    assert [entry.seq for entry in found] == [1, 2, 3, 4]
    assert found[2] == said
    assert (list(inbox.declared(2)), list(inbox.declared(3))) == ([], [said])
    for entry, rows in ((found[0], 3), (found[1], 0), (found[3], 1000)):
        assert isinstance(entry, Batch)
        assert same(entry, batch(entry.seq, rows))
    assert [entry.seq for entry in inbox.entries(2)] == [3, 4]
    assert inbox.last_seq() == 4


def test_names_come_back_block_by_block(inbox: Inbox) -> None:
    inbox.commit(Group((batch(1),), NAMES))
    inbox.commit(Group((), NAMES))
    first, second = inbox.names()
    for block in (first, second):
        assert block.channel.tolist() == [0, 1]
        assert [(block.site[i], block.device[i], block.metric[i], block.unit[i]) for i in range(2)] == [
            ("works", "泵-1", "t", "Cel"),
            ("mill", "b", "t", ""),
        ]


def test_requests_are_known_for_as_long_as_is_asked(inbox: Inbox) -> None:
    inbox.commit(Group((batch(1, at=100),), digests=(b"a" * 16, b"b" * 16)))
    inbox.commit(Group((batch(2, at=200),), digests=(b"b" * 16,)))
    assert inbox.known([b"a" * 16, b"b" * 16, b"c" * 16], since=100) == {b"a" * 16, b"b" * 16}
    assert inbox.known([b"a" * 16, b"b" * 16], since=150) == {b"b" * 16}


def test_what_is_forgotten_is_gone_and_its_numbers_are_not_given_again(inbox: Inbox) -> None:
    for seq in range(1, 4):
        inbox.commit(Group((batch(seq),)))
    inbox.commit(Group((batch(4, rows=0),), forget=3))
    assert [entry.seq for entry in inbox.entries(0)] == [4]
    assert inbox.last_seq() == 4


def test_a_reopened_inbox_goes_on_where_it_was(url: str) -> None:
    inbox = SqlInbox(open_database(url))
    inbox.open()
    inbox.commit(Group((batch(1),), NAMES))
    inbox.commit(Group((), None, forget=1))
    inbox.close()
    again = SqlInbox(open_database(url))
    again.open()
    assert again.last_seq() == 1
    again.commit(Group((batch(2),), NAMES))
    assert len(list(again.names())) == 2
    again.close()


class _LosingAnswers(SqlInbox):
    """Stores, and never hears of it."""

    def _commit(self, group: Group) -> None:
        super()._commit(group)
        raise UnavailableError("The connection was lost.")


def test_names_can_be_stored_after_a_commit_whose_answer_was_lost(url: str) -> None:
    inbox = SqlInbox(open_database(url))
    inbox.open()
    inbox.commit(Group((batch(1),), NAMES))
    inbox.__class__ = _LosingAnswers
    with pytest.raises(UnavailableError):
        inbox.commit(Group((batch(2),), NAMES))
    inbox.__class__ = SqlInbox
    assert inbox.last_seq() == 2
    inbox.commit(Group((batch(3),), NAMES))
    assert len(list(inbox.names())) == 3
    inbox.close()


def test_a_long_sequence_of_which_little_is_left_is_read_in_order(inbox: Inbox) -> None:
    for seq in range(1, 60):
        inbox.commit(Group((batch(seq, rows=seq % 3),)))
    inbox.commit(Group((batch(60),), forget=20))
    left = [seq for seq in range(1, 61) if seq > 20 or seq % 3 == 0]
    assert [entry.seq for entry in inbox.entries(0)] == left
    assert [entry.seq for entry in inbox.entries(30)] == list(range(31, 61))


def test_a_second_process_of_the_same_shard_is_refused_and_another_shard_is_not(url: str) -> None:
    first, second, other = (SqlInbox(open_database(url), number, 2) for number in (0, 0, 1))
    first.open()
    with pytest.raises(StateError, match="Another server"):
        second.open()
    other.open()
    other.commit(Group((batch(1),)))
    assert (first.last_seq(), other.last_seq()) == (0, 1)
    other.close()
    first.close()
    second.open()
    second.close()


def test_another_number_of_shards_is_refused_because_sites_would_move(url: str) -> None:
    first = SqlInbox(open_database(url), 0, 2)
    first.open()
    first.close()
    with pytest.raises(StateError, match="2 shards"):
        SqlInbox(open_database(url), 0, 3).open()


def test_a_transaction_that_fails_stores_nothing_of_it(url: str) -> None:
    inbox = SqlInbox(open_database(url))
    inbox.open()
    inbox.commit(Group((batch(1),)))
    with pytest.raises(sa.exc.IntegrityError):
        inbox.commit(Group((batch(2), batch(1)), NAMES, (b"a" * 16,)))
    assert inbox.last_seq() == 1
    assert list(inbox.names()) == []
    assert inbox.known([b"a" * 16], 0) == set()
    inbox.close()


def test_a_full_disk_is_said_to_be_full_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'telemetry.db'}")
    inbox = SqlInbox(engine)
    inbox.open()
    inbox.commit(Group((batch(1),)))
    with engine.connect() as connection:  # the pool keeps this connection, and its limit
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(UnavailableError, match="full"):
        inbox.commit(Group((batch(2, rows=100_000),), NAMES, (b"a" * 16,)))
    assert (inbox.last_seq(), list(inbox.names()), inbox.known([b"a" * 16], 0)) == (1, [], set())
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    inbox.commit(Group((batch(2, rows=100_000),), NAMES))
    assert [len(entry) for entry in inbox.entries(0) if isinstance(entry, Batch)] == [3, 100_000]
    inbox.close()


def test_the_inbox_synchronises_every_transaction(tmp_path: Path) -> None:
    """`FULL` is what makes SQLite call fsync before a commit returns; where strace is, another test sees it."""
    engine = open_database(f"sqlite:///{tmp_path / 'telemetry.db'}")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
