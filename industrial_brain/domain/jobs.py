"""Jobs: questions that take longer than a request may, kept until they are answered and for a while after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from industrial_brain.domain.protocols import Page


class JobKind(StrEnum):
    FORECAST = "forecast"
    BACKTEST = "backtest"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: states in which a job may still change
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Its request and its results are files in a folder of its own.

    Attributes:
        id: a random name that can't be guessed; ids of later jobs sort later.
        owner: id of the API key that asked.
        started_at: of the attempt under way, or of the last one.
        expires_at: when it and its results are deleted; None while it is unfinished.
        attempts: how often it was begun; more than once where a process was lost.
        done, total: units of work (series; for a backtest, series times origins); `total` is None until it is known.
        resumed: how many of `done` an earlier attempt had left.
        counts: what became of the series: `forecast`, `fallback`, `failed`.
        reason: why it failed or was begun again; empty for neither.
    """

    id: str
    kind: JobKind
    owner: str
    state: JobState
    created_at: dt.datetime
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    attempts: int = 0
    done: int = 0
    total: int | None = None
    resumed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a job is. Fields as in `Job`."""

    done: int
    total: int | None
    resumed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


class JobStore(Protocol):
    """Jobs, by id. Several processes may share one store: each job is claimed by one of them, which must show signs of life."""

    def add(
        self, job: Job, *, digest: str, idempotency_key: str | None, most_of_owner: int, most_of_all: int
    ) -> tuple[Job, bool]:
        """Keep a queued job, and True; or the job that this owner had asked for under the same key, and False.

        Raises:
            InputError: the key was used for another request (another `digest`).
            TooManyError: the owner has `most_of_owner` unfinished jobs.
            UnavailableError: there are `most_of_all` unfinished jobs.
        """
        ...

    def get(self, job_id: str) -> Job | None: ...

    def list_jobs(
        self, kind: JobKind, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Page[Job]:
        """Newest first: from the job behind id `after` on."""
        ...

    def claim(
        self, now: dt.datetime, *, silent_since: dt.datetime, most_attempts: int, expires_at: dt.datetime
    ) -> Job | None:
        """Begin the oldest queued job, or one whose process has shown no life since `silent_since`; None for neither.

        A job that was begun `most_attempts` times fails instead, with the reason, and is kept until `expires_at`.
        """
        ...

    # Who was silent for too long has lost the job to the next attempt, and must change nothing of it any more: the number of
    # its attempt (`Job.attempts`, as claimed) says who speaks.

    def put_back(self, job_id: str, attempt: int, reason: str, *, attempted: bool = True) -> None:
        """Let a job that this attempt runs wait again; `attempted` says whether it counts as begun."""
        ...

    def advance(self, job_id: str, attempt: int, now: dt.datetime, advance: Advance | None = None) -> bool:
        """A sign of life, and how far it is; False if this attempt no longer runs (it was cancelled, or begun anew)."""
        ...

    def end(
        self,
        job_id: str,
        now: dt.datetime,
        state: JobState,
        *,
        expires_at: dt.datetime,
        reason: str = "",
        attempt: int | None = None,
    ) -> Job:
        """Finish an unfinished job; a finished one stays as it was. Raises UnknownIdError.

        Args:
            attempt: only if this attempt runs it; None, if whoever runs it.
        """
        ...

    def expire(self, now: dt.datetime) -> list[str]:
        """Delete the finished jobs whose time has come; their ids."""
        ...
