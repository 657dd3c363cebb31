"""Devices that nobody declared."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.telemetry import MOST_ERRORS, Declaration
from serving.app import create_app
from serving.telemetry.columnar import decode_json
from serving.telemetry.strangers import without_strangers
from tests.fakes.city import SITES, SmallCity
from tests.fakes.declarations import FakeDeclarationStore

(OWN,) = SITES[Role.FACTORY]


class Seen:
    def __init__(self, *devices: str) -> None:
        self._devices = devices

    def device_number(self, site: str, device: str) -> int:
        return self._devices.index(device) if device in self._devices else -1


def test_only_devices_that_sent_before_or_were_declared_are_taken() -> None:
    store = FakeDeclarationStore()
    store.put([Declaration("F1", "declared", "m", "bar"), Declaration("F2", "elsewhere")])
    devices = b'["seen", "declared", "stranger", "elsewhere", "seen", ""]'
    body = b'{"device": %s, "metric": "m", "ts": [1,2,3,4,5,6], "value": [1,2,3,4,5,6]}' % devices
    found = without_strangers(decode_json(body, "F1"), Seen("seen"), store)
    assert found.index.tolist() == [0, 1, 4]
    assert [found.device[row] for row in range(3)] == ["seen", "declared", "seen"]
    assert found.value.tolist() == [1.0, 2.0, 5.0]
    wanted = [(2, "unknown-device"), (3, "unknown-device"), (5, "empty-name")]
    assert [(error.index, error.code) for error in found.errors] == wanted


def test_nothing_changes_where_all_are_known() -> None:
    submission = decode_json(b'[{"device": "seen", "metric": "m", "ts": 1, "value": 1}]', "F1")
    assert without_strangers(submission, Seen("seen"), FakeDeclarationStore()) is submission


def test_many_strangers_are_counted() -> None:
    count = MOST_ERRORS + 50
    rows = ",".join(f'{{"device": "d{k}", "metric": "m", "ts": 1, "value": 1}}' for k in range(count))
    found = without_strangers(decode_json(f"[{rows}]".encode(), "F1"), Seen(), FakeDeclarationStore())
    assert (len(found), len(found.errors), found.unnamed) == (0, MOST_ERRORS, 50)


@pytest.mark.parametrize(("refused", "accepted"), [(False, 2), (True, 1)])
def test_the_operator_chooses(tmp_path: Path, refused: bool, accepted: int) -> None:
    city = SmallCity(tmp_path)
    city.declarations.put([Declaration(OWN, "declared")])
    headers = {"Authorization": f"Bearer {city.secrets[Role.FACTORY]}"}
    ts = round(city.now.timestamp() * 1000)
    rows = [{"device": device, "metric": "m", "ts": ts, "value": 1} for device in ("declared", "stranger")]
    with TestClient(create_app(city.services(refuse_unknown_devices=refused)), headers=headers) as client:
        answer = client.post("/v1/telemetry", json=rows).json()
        assert (answer["accepted"], answer["rejected"]) == (accepted, 2 - accepted)
        assert [error["code"] for error in answer["errors"]] == ["unknown-device"] * (2 - accepted)
