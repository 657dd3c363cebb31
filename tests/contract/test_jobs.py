"""`JobStore`: in memory, on SQLite, and on PostgreSQL."""

from __future__ import annotations

import datetime as dt

import pytest

from industrial_brain.domain.errors import InputError, TooManyError, UnavailableError, UnknownIdError
from industrial_brain.domain.jobs import Advance, Job, JobKind, JobState, JobStore
from industrial_brain.storage.jobs import SqlJobStore
from tests.contract.conftest import SQL, empty
from tests.fakes.jobs import FakeJobStore

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
DAY = dt.timedelta(days=1)


@pytest.fixture(params=["fake", *SQL])
def store(request: pytest.FixtureRequest) -> JobStore:
    if request.param == "fake":
        return FakeJobStore()
    engine = request.getfixturevalue(f"{request.param}_engine")
    empty(engine)
    return SqlJobStore(engine)


def add(
    store: JobStore,
    name: str,
    *,
    owner: str = "office",
    kind: JobKind = JobKind.FORECAST,
    key: str | None = None,
    digest: str = "d",
    most: int = 9,
) -> tuple[Job, bool]:
    job = Job(name, kind, owner, JobState.QUEUED, NOW)
    return store.add(job, digest=digest, idempotency_key=key, most_of_owner=most, most_of_all=10)


def claim(store: JobStore, at: dt.datetime = NOW, attempts: int = 3) -> Job | None:
    return store.claim(at, silent_since=at - 10 * SECOND, most_attempts=attempts, expires_at=at + DAY)


def test_a_job_is_read_as_it_was_added(store: JobStore) -> None:
    job, new = add(store, "a")
    assert new
    assert store.get("a") == job == Job("a", JobKind.FORECAST, "office", JobState.QUEUED, NOW)
    assert store.get("b") is None


def test_the_oldest_waiting_job_is_claimed_and_no_other_claims_it(store: JobStore) -> None:
    add(store, "a")
    add(store, "b")
    first, second = claim(store), claim(store)
    assert first is not None
    assert (first.id, first.state, first.attempts, first.started_at) == ("a", JobState.RUNNING, 1, NOW)
    assert second is not None
    assert second.id == "b"
    assert claim(store) is None


def test_progress_is_kept_and_a_sign_of_life_alone_changes_none_of_it(store: JobStore) -> None:
    add(store, "a")
    assert not store.advance("a", 1, NOW, Advance(1, 2))  # not at work yet
    claim(store)
    assert store.advance("a", 1, NOW, Advance(5, 9, 2, {"forecast": 4, "failed": 1}))
    assert store.advance("a", 1, NOW + SECOND)
    job = store.get("a")
    assert job is not None
    assert (job.done, job.total, job.resumed, job.counts) == (5, 9, 2, {"forecast": 4, "failed": 1})


def test_a_silent_job_is_begun_again_and_a_living_one_is_not(store: JobStore) -> None:
    add(store, "a")
    claim(store)
    store.advance("a", 1, NOW + 8 * SECOND)
    assert claim(store, NOW + 12 * SECOND) is None
    again = claim(store, NOW + 30 * SECOND)
    assert again is not None
    assert (again.attempts, "begun again" in again.reason) == (2, True)


def test_a_job_that_was_lost_too_often_fails_with_a_reason(store: JobStore) -> None:
    add(store, "a")
    for turn in range(3):
        assert claim(store, NOW + turn * 60 * SECOND) is not None
    late = NOW + 999 * SECOND
    assert claim(store, late) is None
    job = store.get("a")
    assert job is not None
    assert (job.state, job.ended_at, job.expires_at) == (JobState.FAILED, late, late + DAY)
    assert "lost 3 times" in job.reason


def test_a_job_that_is_put_back_waits_again_and_counts_as_begun_only_if_it_was(store: JobStore) -> None:
    add(store, "a")
    claim(store)
    store.put_back("a", 1, "The server was stopped.", attempted=False)
    again = claim(store)
    assert again is not None
    assert (again.attempts, again.reason) == (1, "The server was stopped.")
    store.put_back("a", 1, "Lost.")
    third = claim(store)
    assert third is not None
    assert third.attempts == 2


def test_who_lost_a_job_to_a_later_attempt_changes_nothing_of_it_any_more(store: JobStore) -> None:
    add(store, "a")
    slow = claim(store)
    quick = claim(store, NOW + 60 * SECOND)
    assert slow is not None
    assert quick is not None
    assert (slow.attempts, quick.attempts) == (1, 2)
    assert not store.advance("a", slow.attempts, NOW + 61 * SECOND, Advance(1, 2))
    store.put_back("a", slow.attempts, "Stopped.", attempted=False)
    left = store.end("a", NOW, JobState.FAILED, expires_at=NOW, reason="why", attempt=slow.attempts)
    assert left == store.get("a") == quick
    assert claim(store, NOW + 71 * SECOND) is not None  # what the slow one said was no sign of life
    assert store.advance("a", 3, NOW + 72 * SECOND, Advance(2, 2))
    ended = store.end("a", NOW + 73 * SECOND, JobState.DONE, expires_at=NOW + DAY, attempt=3)
    assert (ended.state, ended.done) == (JobState.DONE, 2)


def test_a_job_is_cancelled_whoever_runs_it(store: JobStore) -> None:
    add(store, "a")
    assert claim(store) is not None
    assert claim(store, NOW + 60 * SECOND) is not None
    assert store.end("a", NOW, JobState.CANCELLED, expires_at=NOW + DAY).state is JobState.CANCELLED
    assert not store.advance("a", 2, NOW)


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_a_job_ends_once(store: JobStore, state: JobState) -> None:
    add(store, "a")
    claim(store)
    ended = store.end("a", NOW, state, expires_at=NOW + DAY, reason="why")
    assert (ended.state, ended.ended_at, ended.expires_at, ended.reason) == (state, NOW, NOW + DAY, "why")
    assert store.end("a", NOW + DAY, JobState.CANCELLED, expires_at=NOW) == ended
    assert not store.advance("a", 1, NOW)
    store.put_back("a", 1, "no")
    assert store.get("a") == ended
    with pytest.raises(UnknownIdError):
        store.end("nope", NOW, state, expires_at=NOW)


def test_an_idempotency_key_gets_the_same_job_and_only_for_the_same_request(store: JobStore) -> None:
    first, _ = add(store, "a", key="k")
    assert add(store, "b", key="k") == (first, False)
    assert store.get("b") is None
    with pytest.raises(InputError, match="another request"):
        add(store, "c", key="k", digest="other")
    assert add(store, "d", key="k", owner="other")[1]
    assert add(store, "e", key="k", kind=JobKind.BACKTEST)[1]
    assert add(store, "f")[1]
    assert add(store, "g")[1]


def test_an_owner_has_few_unfinished_jobs_and_so_has_the_service(store: JobStore) -> None:
    add(store, "a", most=2)
    add(store, "b", most=2)
    with pytest.raises(TooManyError):
        add(store, "c", most=2)
    store.end("a", NOW, JobState.DONE, expires_at=NOW + DAY)
    add(store, "d", most=2)
    for number in range(8):
        add(store, f"x{number}", owner=f"x{number}")
    with pytest.raises(UnavailableError):
        add(store, "y", owner="y")


def test_jobs_are_listed_newest_first_by_kind_and_owner_in_pages(store: JobStore) -> None:
    for name, owner in (("a", "office"), ("b", "other"), ("c", "office"), ("d", "office")):
        add(store, name, owner=owner)
    add(store, "e", kind=JobKind.BACKTEST)
    page = store.list_jobs(JobKind.FORECAST, owner="office", limit=2)
    assert ([job.id for job in page.items], page.next_after, page.total) == (["d", "c"], "c", 3)
    rest = store.list_jobs(JobKind.FORECAST, owner="office", after="c", limit=2)
    assert ([job.id for job in rest.items], rest.next_after) == (["a"], None)
    assert [job.id for job in store.list_jobs(JobKind.FORECAST).items] == ["d", "c", "b", "a"]


def test_finished_jobs_expire_and_others_never(store: JobStore) -> None:
    for name in "abc":
        add(store, name)
    store.end("a", NOW, JobState.DONE, expires_at=NOW + DAY)
    store.end("b", NOW, JobState.FAILED, expires_at=NOW + 9 * DAY)
    assert store.expire(NOW) == []
    assert store.expire(NOW + DAY) == ["a"]
    assert store.get("a") is None
    assert store.get("c") is not None
