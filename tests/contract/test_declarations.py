"""The contract of `DeclarationStore`."""

from __future__ import annotations

import pytest

from industrial_brain.domain.devices import DeclarationStore, DeviceId
from industrial_brain.domain.telemetry import Declaration
from industrial_brain.storage.declarations import SqlDeclarationStore
from tests.contract.conftest import SQL, empty
from tests.fakes.declarations import FakeDeclarationStore

PUMP = Declaration("F1", "pump-1", seconds=60.0, equipment="pump", parent="gateway-1")
PRESSURE = Declaration("F1", "pump-1", "pressure", "bar", 0.1, 16.0, watch=True)
STARTS = Declaration("F1", "pump-1", "starts", counter=True, wraps_at=65536.0)
FAN = Declaration("F1", "风机 100%", equipment="fan")
OTHER = Declaration("F2", "pump-1", "speed", "1/min", high=3000.0)


@pytest.fixture(params=["fake", *SQL])
def store(request: pytest.FixtureRequest) -> DeclarationStore:
    if request.param == "fake":
        return FakeDeclarationStore()
    engine = request.getfixturevalue(f"{request.param}_engine")
    empty(engine)
    return SqlDeclarationStore(engine)


@pytest.fixture
def filled(store: DeclarationStore) -> DeclarationStore:
    store.put([STARTS, PRESSURE, PUMP, FAN, OTHER])
    return store


def devices(store: DeclarationStore, **asked: str) -> list[tuple[str, str]]:
    return [(device.site, device.device) for device in store.list_devices(**asked).items]  # type: ignore[arg-type]


def test_nothing_was_ever_said(store: DeclarationStore) -> None:
    assert store.of_device(DeviceId("F1", "pump-1")) == []
    assert (store.revision(), store.changed_since(0), store.list_devices().total) == (0, [], 0)
    store.put([])
    assert store.revision() == 0


def test_what_is_said_reads_back_the_devices_own_first(filled: DeclarationStore) -> None:
    assert filled.of_device(DeviceId("F1", "pump-1")) == [PUMP, PRESSURE, STARTS]
    assert filled.of_device(DeviceId("F2", "pump-1")) == [OTHER]
    assert filled.of_device(DeviceId("F1", "Pump-1")) == []


def test_a_new_word_replaces_the_old_one_whole(filled: DeclarationStore) -> None:
    said = Declaration("F1", "pump-1", "pressure", high=10.0)
    filled.put([PRESSURE, said])
    assert filled.of_device(DeviceId("F1", "pump-1")) == [PUMP, said, STARTS]


def test_words_of_many_devices_are_found_together(filled: DeclarationStore) -> None:
    asked = [DeviceId("F1", "pump-1"), DeviceId("F2", "pump-1"), DeviceId("F1", "风机 100%"), DeviceId("F9", "x")]
    assert filled.of_devices(asked) == {asked[0]: [PUMP, PRESSURE, STARTS], asked[1]: [OTHER], asked[2]: [FAN]}
    assert filled.of_devices([]) == {}


def test_devices_are_listed_once_by_site_and_id(filled: DeclarationStore) -> None:
    assert devices(filled) == [("F1", "pump-1"), ("F1", "风机 100%"), ("F2", "pump-1")]
    assert devices(filled, site="F2") == [("F2", "pump-1")]
    assert devices(filled, equipment="pump") == [("F1", "pump-1")]
    assert devices(filled, search="PUMP") == [("F1", "pump-1"), ("F2", "pump-1")]
    assert devices(filled, search="100%") == [("F1", "风机 100%")]
    assert devices(filled, search="%") == [("F1", "风机 100%")]


def test_pages_follow_each_other(filled: DeclarationStore) -> None:
    seen: list[DeviceId] = []
    after = None
    while True:
        page = filled.list_devices(after=after, limit=1)
        assert page.total == 3
        seen += page.items
        after = page.items[-1]
        if page.next_after is None:
            break
    assert seen == list(filled.list_devices().items)


def test_changes_are_told_since_a_revision(filled: DeclarationStore) -> None:
    first = filled.revision()
    assert first > 0
    assert filled.changed_since(0) == [PUMP, PRESSURE, STARTS, FAN, OTHER]
    filled.put([OTHER])
    assert filled.revision() > first
    assert filled.changed_since(first) == [OTHER]
    assert filled.changed_since(filled.revision()) == []
