"""POST /v1/telemetry and InfluxDB's /api/v2/write over HTTP."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.errors import UnavailableError
from industrial_brain.domain.telemetry import BackPressureError
from serving.app import create_app
from serving.telemetry.reception import Reception
from tests.fakes.city import SITES, SmallCity
from tests.fakes.intake import FakeIntake

READING = {"device": "d", "metric": "m", "ts": 1_000, "value": 1.5}
LINE = "m,device=d f=1.5 1000000000"
(SITE,) = SITES[Role.FACTORY]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def intake() -> FakeIntake:
    """What is behind the doors."""
    return FakeIntake()


@pytest.fixture
def anonymous(anonymous: TestClient, intake: FakeIntake) -> TestClient:
    return _before(anonymous, intake)


def _before(client: TestClient, intake: FakeIntake, most: int = 1_000_000, held: int = 8_000_000) -> TestClient:
    """The client, its app handing in to `intake`."""
    client.app.state.reception = Reception(intake, most, held)  # type: ignore[attr-defined]  # typed as any ASGI app
    return client


@pytest.fixture
def factory(anonymous: TestClient, city: SmallCity) -> TestClient:
    """A client with the key of a factory of one site."""
    anonymous.headers["Authorization"] = f"Bearer {city.secrets[Role.FACTORY]}"
    return anonymous


def two_sites(city: SmallCity) -> dict[str, str]:
    return {"Authorization": f"Bearer {city.keys.create('both', Role.FACTORY, ['F1', 'F2'])[1]}"}


def test_the_answer_counts_what_became_of_each_reading(factory: TestClient, intake: FakeIntake) -> None:
    answer = factory.post("/v1/telemetry", json=[READING, READING, {"device": "d"}, READING | {"ts": 0}])
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 2,
        "duplicate": 1,
        "late": 1,
        "rejected": 1,
        "errors": [{"index": 2, "code": "missing-field", "detail": "Object missing required field `metric`."}],
    }
    assert intake.readings[(SITE, "d", "m", 1_000_000)] == 1.5


def test_items_without_any_reading_are_answered_alike_and_hand_nothing_in(
    factory: TestClient, intake: FakeIntake
) -> None:
    answer = factory.post("/v1/telemetry", json=[{"device": "d"}] * 1_500).json()
    assert (answer["accepted"], answer["rejected"], len(answer["errors"])) == (0, 1_500, 1_000)
    assert intake.submissions == []


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bodies_may_be_packed(factory: TestClient, intake: FakeIntake, encoding: str) -> None:
    plain = b'[{"device": "d", "metric": "m", "ts": 5, "value": 2}]'
    body = gzip.compress(plain) if encoding == "gzip" else pa.compress(plain, "zstd", asbytes=True)
    answer = factory.post("/v1/telemetry", content=body, headers=JSON | {"Content-Encoding": encoding})
    assert answer.json()["accepted"] == 1
    cut = factory.post("/v1/telemetry", content=body[:-4], headers=JSON | {"Content-Encoding": encoding})
    assert (cut.status_code, cut.json()["type"]) == (400, "urn:industrial-brain:problem:malformed-body")
    assert len(intake.submissions) == 1


def test_arrow_is_taken(factory: TestClient, intake: FakeIntake) -> None:
    out = pa.BufferOutputStream()
    columns = pa.table({"device": ["d"], "metric": ["m"], "ts": [7], "value": [1.0]})
    with pa.ipc.new_stream(out, columns.schema) as writer:
        writer.write_table(columns)
    headers = {"Content-Type": "application/vnd.apache.arrow.stream"}
    assert factory.post("/v1/telemetry", content=out.getvalue().to_pybytes(), headers=headers).json()["accepted"] == 1
    assert intake.readings == {(SITE, "d", "m", 7_000): 1.0}


@pytest.mark.parametrize(
    ("headers", "slug"),
    [
        ({}, "unsupported-media-type"),
        ({"Content-Type": "text/plain"}, "unsupported-media-type"),
        ({"Content-Type": "application/json; charset=gbk"}, "unsupported-media-type"),
        (JSON | {"Content-Encoding": "br"}, "unsupported-encoding"),
    ],
)
def test_a_format_that_is_not_spoken_is_refused_with_415(
    factory: TestClient, headers: dict[str, str], slug: str
) -> None:
    answer = factory.post("/v1/telemetry", content=b"[]", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, f"urn:industrial-brain:problem:{slug}")


@pytest.mark.parametrize(("path", "body"), [("/v1/telemetry?site=F2", "[]"), ("/api/v2/write?bucket=F2", LINE)])
def test_a_factory_writes_to_its_own_sites_alone(factory: TestClient, intake: FakeIntake, path: str, body: str) -> None:
    answer = factory.post(path, content=body, headers=JSON)
    assert answer.status_code == 403
    assert intake.submissions == []


def test_who_speaks_for_several_sites_must_name_one(anonymous: TestClient, city: SmallCity, intake: FakeIntake) -> None:
    admin = {"Authorization": f"Bearer {city.secrets[Role.ADMIN]}"}
    for headers in (two_sites(city), admin):
        unnamed = anonymous.post("/v1/telemetry", json=[READING], headers=headers)
        assert (unnamed.status_code, unnamed.json()["errors"][0]["pointer"]) == (422, "/site")
        assert anonymous.post("/api/v2/write", content=LINE, headers=headers).status_code == 422
        assert anonymous.post("/v1/telemetry?site=F2", json=[READING], headers=headers).status_code == 200
    assert anonymous.post("/v1/telemetry?site=anywhere", json=[READING], headers=admin).status_code == 200
    assert {submission.site for submission in intake.submissions} == {"F2", "anywhere"}


@pytest.mark.parametrize("query", ["?sites=F1", "?site=F1&site=F1", "?site=", "?site=a%0Ab"])
def test_a_misspelt_or_repeated_parameter_is_refused(factory: TestClient, query: str) -> None:
    assert factory.post("/v1/telemetry" + query, json=[READING]).status_code in (403, 422)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "token"])
def test_influx_keys_come_as_a_token_or_a_bearer(
    anonymous: TestClient, city: SmallCity, intake: FakeIntake, scheme: str
) -> None:
    headers = {"Authorization": f"{scheme} {city.secrets[Role.FACTORY]}"}
    answer = anonymous.post("/api/v2/write?org=o&bucket=plant&precision=s", content="m,device=d f=2 5", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert intake.readings == {(SITE, "d", "m.f", 5_000_000): 2.0}
    assert anonymous.post("/v1/telemetry", json=[], headers={"Authorization": "Token x"}).status_code == 401


def test_a_partial_write_names_the_lines_and_writes_the_others(factory: TestClient, intake: FakeIntake) -> None:
    answer = factory.post("/api/v2/write", content=f"{LINE}\nnonsense\n{LINE.replace('d f', 'e f')}\n")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json()["code"] == "invalid"
    assert answer.json()["message"].startswith("partial write: 2 readings written, 1 dropped: line 2: bad-line: ")
    assert len(intake.readings) == 2


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("", {"Authorization": ""}, 401, "unauthorized"),
        ("", {"Authorization": "Token wrong"}, 401, "unauthorized"),
        ("?bucket=F9", {}, 403, "forbidden"),
        ("?precision=h", {}, 422, "unprocessable entity"),
        ("", {"Content-Encoding": "gzip"}, 400, "invalid"),
        ("", {"Content-Encoding": "br"}, 415, "invalid"),
    ],
)
def test_refusals_are_in_influx_own_shape(
    factory: TestClient, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = factory.post("/api/v2/write" + query, content=LINE, headers=headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == code


def test_a_wrong_precision_is_told_with_those_that_there_are(factory: TestClient) -> None:
    message = factory.post("/api/v2/write?precision=m", content=LINE).json()["message"]
    assert "precision: Input should be 'ns', 'us', 'ms' or 's'." in message
    assert "`errors`" not in message


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/ping", 204), ("HEAD", "/ping", 204), ("GET", "/health", 200), ("GET", "/ready", 200)],
)
def test_what_influx_clients_ask_first_is_answered_to_anyone(
    anonymous: TestClient, method: str, path: str, status: int
) -> None:
    assert anonymous.request(method, path).status_code == status


@pytest.mark.parametrize(
    ("failing", "status", "seconds"),
    [
        (BackPressureError("Full.", "Wait.", 2.2), 429, "3"),
        (BackPressureError("The disk is full.", "Wait.", 30.0, full=True), 503, "30"),
        (UnavailableError("The database is away.", "Wait."), 503, "5"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/telemetry", "/api/v2/write"])
def test_back_pressure_says_when_to_come_again(
    factory: TestClient, intake: FakeIntake, path: str, failing: Exception, status: int, seconds: str
) -> None:
    intake.failing = failing
    answer = factory.post(
        path, content='[{"device":"d","metric":"m","ts":0,"value":1}]' if "v1" in path else LINE, headers=JSON
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, seconds)


def test_bodies_have_a_limit_of_their_own_packed_or_not(tmp_path: Path) -> None:
    city = SmallCity(tmp_path)
    headers = {"Authorization": f"Bearer {city.secrets[Role.FACTORY]}"}
    limits = {"max_telemetry_body_bytes": 50_000, "max_body_bytes": 100}
    with TestClient(create_app(city.services(**limits)), headers=headers) as client:
        _before(client, FakeIntake(), most=50_000)
        fits, long = f"{LINE}\n" * 1_000, f"{LINE}\n" * 3_000
        assert client.post("/api/v2/write", content=fits).status_code == 204
        answers = [
            client.post("/api/v2/write", content=long),
            client.post("/api/v2/write", content=gzip.compress(long.encode()), headers={"Content-Encoding": "gzip"}),
            client.post("/v1/telemetry", content=" " * 50_001, headers=JSON),
        ]
        assert [answer.status_code for answer in answers] == [413, 413, 413]


def test_more_bodies_at_once_than_fit_are_told_to_come_again(factory: TestClient, intake: FakeIntake) -> None:
    _before(factory, intake, held=100)
    for _ in range(2):  # what was refused is not counted any longer
        refused = factory.post("/api/v2/write", content=f"{LINE}\n" * 10)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert factory.post("/api/v2/write", content=LINE).status_code == 204
    assert len(intake.submissions) == 1
