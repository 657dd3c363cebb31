"""Declarations on their way into the ingest sequence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.telemetry import Declaration
from streaming.declaring import DeclarationFollower
from tests.fakes.declarations import FakeDeclarationStore

PUMP = Declaration("F1", "pump", seconds=60.0, equipment="pump", parent="gateway")
PRESSURE = Declaration("F1", "pump", "pressure", "bar", 0.0, 16.0)


class FakeStream:
    """Remembers what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Declaration] = []
        self.failing = False

    @property
    def declarations(self) -> FakeStream:
        return self

    def of_device(self, site: str, device: str) -> list[Declaration]:
        return [one for one in self.told if (one.site, one.device) == (site, device)]

    def takes(self, site: str) -> bool:
        return site != "another shard's"

    def declare(self, declarations: Sequence[Declaration]) -> None:
        if self.failing:
            raise UnavailableError("The service is stopping.")
        self.told += declarations


@pytest.fixture
def store() -> FakeDeclarationStore:
    return FakeDeclarationStore()


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def follower(store: FakeDeclarationStore, stream: FakeStream) -> DeclarationFollower:
    return DeclarationFollower(store, stream, poll_seconds=3600.0)


def test_what_is_said_is_told_once(
    store: FakeDeclarationStore, stream: FakeStream, follower: DeclarationFollower
) -> None:
    follower.poll()
    assert stream.told == []
    store.put([PRESSURE])
    follower.poll()
    store.put([PUMP])
    follower.poll()
    follower.poll()
    assert stream.told == [PRESSURE, PUMP]


def test_sites_of_other_shards_do_not_hold_up_our_own(
    store: FakeDeclarationStore, stream: FakeStream, follower: DeclarationFollower
) -> None:
    store.put([Declaration("another shard's", "pump", seconds=60.0), PRESSURE])
    follower.poll()
    assert stream.told == [PRESSURE]


def test_after_a_restart_only_what_the_stream_does_not_know_is_told(
    store: FakeDeclarationStore, stream: FakeStream
) -> None:
    store.put([PUMP, PRESSURE])
    stream.told = [PUMP]
    DeclarationFollower(store, stream, poll_seconds=3600.0).poll()
    assert stream.told == [PUMP, PRESSURE]


def test_a_look_that_failed_is_repeated_whole(
    store: FakeDeclarationStore, stream: FakeStream, follower: DeclarationFollower
) -> None:
    store.put([PRESSURE])
    stream.failing = True
    with pytest.raises(UnavailableError):
        follower.poll()
    stream.failing = False
    follower.poll()
    assert stream.told == [PRESSURE]


def test_it_follows_while_it_runs_and_stops(
    store: FakeDeclarationStore, stream: FakeStream, follower: DeclarationFollower
) -> None:
    store.put([PRESSURE])
    follower.start()
    while not stream.told:
        pass
    follower.stop()
    assert stream.told == [PRESSURE]
