"""Jobs behind the HTTP door: handed in, run, asked for, cancelled. The work is real; the process is not."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.jobs import Advance, JobKind
from serving.app import create_app
from serving.jobs.folders import new_folder
from serving.jobs.launch import Ended
from serving.jobs.runner import LEASE, MOST_ATTEMPTS, JobRunner
from tests.fakes.city import SmallCity
from tests.fakes.stores import FakeCatalogue

YEARS = {"freq": "Y", "sizes": [8, 0, 3], "y": [1, 2, 3, 5, 4, 6, 7, 8, 5, 6, 7], "horizon": 2}


@pytest.fixture
def client(city: SmallCity) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    app = create_app(city.services())
    app.state.live.poll()
    yield TestClient(app, headers=headers)  # not entered: jobs wait until `run` runs them


@pytest.fixture
def runner(city: SmallCity) -> JobRunner:
    return city.runner()


def _add(client: TestClient, body: Any, path: str = "/v1/forecast-jobs", **headers: str) -> httpx.Response:
    answer: httpx.Response = client.post(path, json=body, headers=headers)
    return answer


def _get(client: TestClient, path: str) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_job_is_accepted_with_its_address_and_answered_when_it_has_run(client: TestClient, runner: JobRunner) -> None:
    accepted = _add(client, YEARS)
    assert accepted.status_code == 202
    assert accepted.headers["Retry-After"] == "2"
    address = accepted.headers["Location"]
    assert address == f"/v1/forecast-jobs/{accepted.json()['id']}"
    assert _get(client, address)["state"] == "queued"
    assert client.get(f"{address}/forecasts").status_code == 409
    assert runner.step()
    job = _get(client, address)
    assert (job["state"], job["progress"]["done"], job["progress"]["total"]) == ("done", 3, 3)
    assert job["counts"] == {"forecast": 1, "fallback": 1, "failed": 1}
    found = _get(client, f"{address}/forecasts")
    assert [one["series"] for one in found["forecasts"]] == ["0", "2"]
    assert [one["series"] for one in found["failed"]] == ["1"]
    assert (found["total"], found["next_page_token"]) == (3, None)
    assert found["forecasts"][0]["start"] == "8"


def test_its_numbers_are_those_of_an_ad_hoc_request(client: TestClient, runner: JobRunner) -> None:
    adhoc = client.post("/v1/forecasts:adhoc", json=YEARS).json()
    address = _add(client, YEARS).headers["Location"]
    runner.step()
    found = _get(client, f"{address}/forecasts")
    assert (found["forecasts"], found["failed"]) == (adhoc["forecasts"], adhoc["failed"])


def test_results_come_in_pages_and_as_files(client: TestClient, runner: JobRunner) -> None:
    many = {"freq": "Y", "sizes": [7] * 5, "y": [float(i % 7 + i // 9) for i in range(35)], "horizon": 2}
    address = _add(client, many).headers["Location"] + "/forecasts"
    runner.step()
    names, token = [], ""
    while True:
        page = _get(client, f"{address}?page_size=2{token}")
        names += [one["series"] for one in page["forecasts"]]
        if page["next_page_token"] is None:
            break
        token = f"&page_token={page['next_page_token']}"
    assert names == ["0", "1", "2", "3", "4"]
    table = list(csv.DictReader(io.StringIO(client.get(f"{address}?format=csv").text)))
    assert [(row["unique_id"], row["ds"]) for row in table[:3]] == [("0", "7"), ("0", "8"), ("1", "7")]
    parquet = pq.read_table(pa.BufferReader(client.get(f"{address}?format=parquet").content))
    assert parquet.column_names == list(table[0])
    assert parquet["mean"].to_pylist() == pytest.approx([float(row["mean"]) for row in table])


def test_files_of_a_job_in_which_every_series_failed_name_their_columns(client: TestClient, runner: JobRunner) -> None:
    address = _add(client, {"freq": "Y", "sizes": [0], "y": []}).headers["Location"] + "/forecasts"
    runner.step()
    assert [one["series"] for one in _get(client, address)["failed"]] == ["0"]
    assert client.get(f"{address}?format=csv").text.splitlines() == ["unique_id,ds,mean"]
    table = pq.read_table(pa.BufferReader(client.get(f"{address}?format=parquet").content))
    assert (table.column_names, table.num_rows) == (["unique_id", "ds", "mean"], 0)


def test_a_parquet_file_is_written_once_and_whole(client: TestClient, runner: JobRunner, city: SmallCity) -> None:
    address = _add(client, YEARS).headers["Location"] + "/forecasts?format=parquet"
    runner.step()
    first, again = client.get(address), client.get(address)
    assert first.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert first.content == again.content
    assert sorted(file.name for file in city.launch.launched[0].iterdir()) == [
        "forecasts-000000.jsonl",
        "forecasts.parquet",
    ]


def test_a_job_for_stored_series_is_answered_by_the_version(client: TestClient, runner: JobRunner) -> None:
    address = _add(client, {"filter": {"indicator": "output"}, "horizon": 60}).headers["Location"]
    runner.step()
    found = _get(client, f"{address}/forecasts")
    assert [one["series"] for one in found["forecasts"]] == ["output:500000", "output:500103", "output:500103:C01"]
    assert found["forecasts"][0]["model"] == {"name": "ib-forecasting", "version": 1}
    assert len(found["forecasts"][0]["mean"]) == 60


def test_a_job_for_totals_is_answered_as_a_request_is(client: TestClient, runner: JobRunner) -> None:
    question = {"series": ["us/retail", "output:500103", "output:500000"], "horizon": 3, "aggregate": "Q"}
    asked = client.post("/v1/forecasts", json=question).json()
    address = _add(client, question).headers["Location"]
    runner.step()
    found = _get(client, f"{address}/forecasts")
    assert [(one["freq"], len(one["mean"])) for one in found["forecasts"]] == [("Q", 1)] * 2
    assert (found["forecasts"], found["failed"]) == (asked["forecasts"], asked["failed"])


def test_a_job_for_totals_of_what_never_adds_up_fails_with_the_reason(client: TestClient, runner: JobRunner) -> None:
    address = _add(client, {"series": ["us/retail"], "aggregate": "Y"}).headers["Location"]
    runner.step()
    job = _get(client, address)
    assert (job["state"], "not said to add up" in job["reason"]) == ("failed", True)


def test_a_job_under_a_scenario_never_answers_as_if_nothing_had_been_asked(
    client: TestClient, runner: JobRunner
) -> None:
    question = {"series": ["output:500103"], "scenario": {"temperature": {"add": 2}}}
    address = _add(client, question).headers["Location"]
    runner.step()
    found = _get(client, f"{address}/forecasts")
    assert found["forecasts"] == []
    assert "no covariate" in found["failed"][0]["reason"]


def test_a_job_has_no_sample_paths_and_says_who_has(client: TestClient) -> None:
    answer = _add(client, {"series": ["output:500103"], "paths": 8})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "/paths")
    assert "POST /v1/forecasts" in error["detail"]


def test_what_is_wrong_is_told_at_once_where_the_body_is_short(client: TestClient) -> None:
    answer = _add(client, {**YEARS, "sizes": [1]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/sizes")
    assert _add(client, {"freq": "Y"}).status_code == 422
    assert _add(client, {**YEARS, "horizon": 11}).status_code == 422
    assert (
        client.post("/v1/forecast-jobs", content=b"[", headers={"Content-Type": "application/json"}).status_code == 400
    )
    assert client.post("/v1/forecast-jobs", content=b"{}").status_code == 415
    assert _get(client, "/v1/forecast-jobs")["total"] == 0


def test_series_that_are_unknown_are_refused_at_once_each_by_its_place(client: TestClient) -> None:
    answer = _add(client, {"series": ["nope", "output:500103", "neither"]})
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":unknown-id")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/series/0", "/series/2"]
    assert _get(client, "/v1/forecast-jobs")["total"] == 0


def test_series_that_are_unknown_in_a_long_body_are_told_by_the_job(
    client: TestClient, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.routers.jobs._CHECKED", 10)
    address = _add(client, {"series": ["output:500103", "nope"]}).headers["Location"]
    runner.step()
    job = _get(client, address)
    assert (job["state"], [error["pointer"] for error in job["errors"]]) == ("failed", ["/series/1"])


def test_a_backtest_of_series_that_have_gone_meanwhile_fails_and_does_not_blame_its_origins(
    client: TestClient, runner: JobRunner, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _add(client, {"filter": {"indicator": "output"}}, "/v1/backtests").headers["Location"]
    monkeypatch.setattr(city, "catalogue", FakeCatalogue())
    runner.step()
    job = _get(client, address)
    assert (job["state"], "No series is like that." in job["reason"]) == ("failed", True)


def test_what_is_wrong_with_a_long_body_is_told_by_the_job(
    client: TestClient, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.routers.jobs._CHECKED", 10)
    address = _add(client, {"freq": "M", "unique_id": ["a"], "ds": ["2020-13"], "y": [1]}).headers["Location"]
    runner.step()
    job = _get(client, address)
    assert (job["state"], "name no month" in job["reason"]) == ("failed", True)
    assert [error["pointer"] for error in job["errors"]] == ["/ds/0"]
    assert client.get(f"{address}/forecasts").status_code == 409


def test_a_repeated_request_gets_the_same_job(client: TestClient) -> None:
    first, again = (_add(client, YEARS, **{"Idempotency-Key": "k-1"}) for _ in range(2))
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert _add(client, {**YEARS, "horizon": 1}, **{"Idempotency-Key": "k-1"}).status_code == 422
    assert _get(client, "/v1/forecast-jobs")["total"] == 1


def test_a_key_has_few_jobs_at_once_and_is_told_when_to_come_back(client: TestClient) -> None:
    for _ in range(4):
        assert _add(client, YEARS).status_code == 202
    refused = _add(client, YEARS)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")


def test_a_cancelled_job_never_runs_and_one_at_work_is_stopped(
    client: TestClient, runner: JobRunner, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = _add(client, YEARS).headers["Location"]
    assert client.post(f"{waiting}:cancel").json()["state"] == "cancelled"
    assert not runner.step()
    at_work = _add(client, YEARS).headers["Location"]
    city.launch.script = [[None, Advance(1, 3), None]]
    original = city.jobs.advance

    def cancelled_meanwhile(*args: Any) -> bool:
        client.post(f"{at_work}:cancel")
        return original(*args)

    monkeypatch.setattr(city.jobs, "advance", cancelled_meanwhile)
    runner.step()
    assert len(city.launch.killed) == 1
    assert _get(client, at_work)["state"] == "cancelled"


def test_jobs_of_others_do_not_exist_but_for_an_administrator(client: TestClient, city: SmallCity) -> None:
    address = _add(client, YEARS).headers["Location"]
    for role, status, total in ((Role.SCIENTIST, 404, 0), (Role.ADMIN, 200, 1)):
        client.headers["Authorization"] = f"Bearer {city.secrets[role]}"
        assert client.get(address).status_code == status
        assert client.post(f"{address}:cancel").status_code == status
        assert _get(client, "/v1/forecast-jobs")["total"] == total
    assert client.get("/v1/backtests/" + address.rsplit("/", 1)[1]).status_code == 404  # it is no backtest


def test_a_lost_process_is_begun_again_and_at_last_given_up(
    client: TestClient, runner: JobRunner, city: SmallCity
) -> None:
    address = _add(client, YEARS).headers["Location"]
    city.launch.script = [[Advance(1, 3), Ended(None)] for _ in range(MOST_ATTEMPTS)]
    for attempt in range(MOST_ATTEMPTS):
        assert runner.step()
        job = _get(client, address)
        assert (job["state"], job["attempts"]) == ("queued", attempt + 1)
    assert not runner.step()
    job = _get(client, address)
    assert (job["state"], "lost 3 times" in job["reason"]) == ("failed", True)


def test_a_job_of_a_lost_server_is_found_silent_and_goes_on(
    client: TestClient, runner: JobRunner, city: SmallCity
) -> None:
    address = _add(client, YEARS).headers["Location"]
    now = city.now
    assert (
        city.jobs.claim(now, silent_since=now - LEASE, most_attempts=3, expires_at=now) is not None
    )  # and then: nothing
    assert not runner.step()
    city.now += 2 * LEASE
    assert runner.step()
    job = _get(client, address)
    assert (job["state"], job["attempts"]) == ("done", 2)


def test_a_server_that_was_silent_too_long_leaves_the_job_to_the_one_that_took_it(
    client: TestClient, runner: JobRunner, city: SmallCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = _add(client, YEARS).headers["Location"]
    city.launch.script = [[Advance(1, 3), Ended("")]]
    original = city.jobs.advance

    def taken_meanwhile(*args: Any) -> bool:
        late = city.now + 2 * LEASE
        city.jobs.claim(late, silent_since=late - LEASE, most_attempts=3, expires_at=late)
        return original(*args)

    monkeypatch.setattr(city.jobs, "advance", taken_meanwhile)
    runner.step()
    assert len(city.launch.killed) == 1
    job = _get(client, address)
    assert (job["state"], job["attempts"], job["progress"]["done"]) == ("running", 2, 0)


def test_partitions_that_an_earlier_attempt_had_fitted_are_not_fitted_again(
    client: TestClient, runner: JobRunner, city: SmallCity
) -> None:
    address = _add(client, YEARS).headers["Location"]
    runner.step()
    other = _add(client, YEARS).headers["Location"]
    city.launch(JobKind.FORECAST, city.folder / "jobs" / other.rsplit("/", 1)[1])  # worked, and was lost before its end
    runner.step()
    found = [_get(client, f"{one}/forecasts")["forecasts"] for one in (address, other)]
    assert found[0] == found[1]
    resumed = [city.jobs.get(one.rsplit("/", 1)[1]) for one in (address, other)]
    assert [job.resumed for job in resumed if job is not None] == [0, 3]


def test_a_finished_job_expires_with_its_files(client: TestClient, runner: JobRunner, city: SmallCity) -> None:
    address = _add(client, YEARS).headers["Location"]
    runner.step()
    (folder,) = city.launch.launched
    assert folder.exists()
    city.now += dt.timedelta(days=8)
    runner.step()
    assert client.get(address).status_code == 404
    assert not folder.exists()


@pytest.mark.parametrize("body", [YEARS, {**YEARS, "freq": "M", "unique_id": []}])
def test_what_only_the_work_needed_is_deleted_when_a_job_has_ended_and_its_results_stay(
    client: TestClient, runner: JobRunner, city: SmallCity, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    monkeypatch.setattr("serving.routers.jobs._CHECKED", 10)
    address = _add(client, body).headers["Location"]
    (folder,) = (city.folder / "jobs").iterdir()
    assert (folder / "request.json").exists()
    runner.step()
    job = _get(client, address)
    assert [file.name for file in folder.iterdir()] == [
        "forecasts-000000.jsonl" if job["state"] == "done" else "errors.json"
    ]
    assert bool(job["errors"]) == (job["state"] == "failed")


def test_a_job_that_waits_again_keeps_what_it_needs(client: TestClient, runner: JobRunner, city: SmallCity) -> None:
    _add(client, YEARS)
    city.launch.script = [[Advance(1, 3), Ended(None)]]
    runner.step()
    (folder,) = (city.folder / "jobs").iterdir()
    assert (folder / "request.json").exists()


def test_a_job_that_is_cancelled_keeps_no_request(client: TestClient, city: SmallCity) -> None:
    address = _add(client, YEARS).headers["Location"]
    client.post(f"{address}:cancel")
    (folder,) = (city.folder / "jobs").iterdir()
    assert list(folder.iterdir()) == []


def test_a_folder_that_a_killed_server_left_is_deleted_after_a_day_and_nothing_else_is(
    client: TestClient, runner: JobRunner, city: SmallCity
) -> None:
    jobs = city.folder / "jobs"
    stray = new_folder(jobs, city.now)
    (stray / "request.json").write_bytes(b'{"freq": ')
    other = jobs / "notes"
    other.mkdir()
    for _ in range(2):
        _add(client, YEARS)
    runner.step()
    city.now += dt.timedelta(hours=23)
    runner.step()
    assert stray.exists()
    city.now += dt.timedelta(hours=2)
    coming = new_folder(jobs, city.now)
    runner.step()
    assert not stray.exists()
    assert set(jobs.iterdir()) == {*city.launch.launched, other, coming}


def test_a_body_that_breaks_off_leaves_nothing(city: SmallCity, client: TestClient) -> None:
    def broken() -> Iterator[bytes]:
        yield b'{"freq": "Y", '
        yield b"x" * 200_000  # over the small city's limit

    answer = client.post("/v1/forecast-jobs", content=broken(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert list((city.folder / "jobs").glob("*")) == []


def test_a_backtest_is_a_job_whose_figures_come_in_slices_series_and_remarks(
    client: TestClient, runner: JobRunner
) -> None:
    body = {"as_of": ["2026-02-25T00:00:00Z"], "series": ["output:500103"], "by_series": True}
    accepted = _add(client, body, "/v1/backtests")
    assert accepted.status_code == 202, accepted.text
    address = accepted.headers["Location"]
    assert _get(client, address)["scores"] is None
    runner.step()
    found = _get(client, address)
    assert found["state"] == "done", found
    assert found["counts"] == {"forecast": 0, "fallback": 1, "failed": 0}
    everything = next(one for one in found["scores"] if one["slice"] == "")
    assert (everything["series"], everything["scored"]) == (1, 0)
    (series,) = _get(client, f"{address}/series")["items"]
    assert (series["series"], series["as_of"], series["mase"]) == ("output:500103", "2026-02-25T00:00:00Z", None)
    (remark,) = _get(client, f"{address}/remarks")["items"]
    assert (remark["outcome"], "too few" in remark["reason"]) == ("fallback", True)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"as_of": ["2030-01-01T00:00:00Z"]}, "/as_of/0"),
        ({"origins": 0}, "/origins"),
        ({"series": ["a"], "filter": {}}, ""),
        ({"evry": 3}, "/evry"),
        ({"series": ["output:500103", "nope"]}, "/series/1"),
        ({"filter": {"indicator": "jobs"}}, "/filter"),
    ],
)
def test_a_backtest_that_makes_no_sense_is_refused(client: TestClient, body: dict[str, Any], pointer: str) -> None:
    answer = _add(client, body, "/v1/backtests")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_server_that_stops_puts_its_job_back_and_the_next_one_does_it(city: SmallCity, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    with TestClient(create_app(city.services(poll_seconds=0.01)), headers=headers) as client:
        address = _add(client, YEARS).headers["Location"]
        for _ in range(2000):
            if _get(client, address)["state"] == "done":
                break
        assert _get(client, address)["state"] == "done"
