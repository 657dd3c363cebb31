"""Jobs in SQL. Who claims a job does so in a transaction of its own, so no two processes run the same."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from industrial_brain.domain.errors import InputError, TooManyError, UnavailableError, UnknownIdError
from industrial_brain.domain.jobs import UNFINISHED, Advance, Job, JobKind, JobState
from industrial_brain.domain.protocols import Page
from industrial_brain.storage.database import reading, writing
from industrial_brain.storage.moments import from_microseconds, to_microseconds
from industrial_brain.storage.tables import job

_MOMENTS = ("created_at", "started_at", "ended_at", "expires_at")
_PLAIN = ("id", "owner", "attempts", "done", "total", "resumed", "counts", "reason")
_UNFINISHED = job.c.state.in_([state.value for state in UNFINISHED])


class SqlJobStore:
    """`JobStore` on SQLite or PostgreSQL."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self, new: Job, *, digest: str, idempotency_key: str | None, most_of_owner: int, most_of_all: int
    ) -> tuple[Job, bool]:
        same = (job.c.owner == new.owner) & (job.c.kind == new.kind.value) & (job.c.idempotency_key == idempotency_key)
        row = {
            **{name: getattr(new, name) for name in _PLAIN},
            "kind": new.kind.value,
            "state": new.state.value,
            "created_at": to_microseconds(new.created_at),
            "counts": dict(new.counts),
            "digest": digest,
            "idempotency_key": idempotency_key,
        }
        with writing(self._engine) as connection:
            before = connection.execute(sa.select(job).where(same)).one_or_none() if idempotency_key else None
            if before is not None:
                if before.digest != digest:
                    raise InputError(
                        "The Idempotency-Key was used for another request already.",
                        "Send each request with a key of its own, and a repetition with the same body.",
                    )
                return _job(before), False
            if _count(connection, _UNFINISHED & (job.c.owner == new.owner)) >= most_of_owner:
                raise TooManyError(
                    f"This key has {most_of_owner} unfinished jobs, which is as many as it may have.",
                    "Wait until one has ended, or cancel one.",
                )
            if _count(connection, _UNFINISHED) >= most_of_all:
                raise UnavailableError(
                    "As many jobs are waiting as the service holds.", "Send the request again later."
                )
            connection.execute(sa.insert(job), row)
        return new, True

    def get(self, job_id: str) -> Job | None:
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(job).where(job.c.id == job_id)).one_or_none()
        return None if row is None else _job(row)

    def list_jobs(
        self, kind: JobKind, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Page[Job]:
        found = [job.c.kind == kind.value] + ([] if owner is None else [job.c.owner == owner])
        behind = [] if after is None else [job.c.id < after]
        with reading(self._engine) as connection:
            total = _count(connection, sa.and_(*found))
            page = sa.select(job).where(*found, *behind).order_by(job.c.id.desc()).limit(limit + 1)
            rows = connection.execute(page).all()
        items = tuple(_job(row) for row in rows[:limit])
        return Page(items, items[-1].id if len(rows) > limit else None, total)

    def claim(
        self, now: dt.datetime, *, silent_since: dt.datetime, most_attempts: int, expires_at: dt.datetime
    ) -> Job | None:
        lost = (job.c.state == JobState.RUNNING.value) & (job.c.alive_at < to_microseconds(silent_since))
        waiting = (job.c.state == JobState.QUEUED.value) | lost
        with reading(self._engine) as connection:  # the usual answer, which needs no turn among the writers
            if connection.execute(sa.select(job.c.id).where(waiting).limit(1)).first() is None:
                return None
        moment = to_microseconds(now)
        with writing(self._engine) as connection:
            for row in connection.execute(sa.select(job).where(waiting).order_by(job.c.id)).all():
                this = sa.update(job).where(job.c.id == row.id)
                if row.attempts >= most_attempts:
                    given_up = {
                        "state": JobState.FAILED.value,
                        "ended_at": moment,
                        "expires_at": to_microseconds(expires_at),
                        "reason": f"The process at work was lost {row.attempts} times; it may need more memory than there is.",
                    }
                    connection.execute(this.values(**given_up))
                    continue
                reason = row.reason if row.state == JobState.QUEUED.value else "The server was lost; begun again."
                begun = {"started_at": moment, "alive_at": moment, "attempts": row.attempts + 1, "reason": reason}
                connection.execute(this.values(state=JobState.RUNNING.value, **begun))
                return _job(connection.execute(sa.select(job).where(job.c.id == row.id)).one())
        return None

    def put_back(self, job_id: str, attempt: int, reason: str, *, attempted: bool = True) -> None:
        facts = {"state": JobState.QUEUED.value, "reason": reason, "attempts": job.c.attempts - int(not attempted)}
        with writing(self._engine) as connection:
            connection.execute(sa.update(job).where(*_run_by(job_id, attempt)).values(**facts))

    def advance(self, job_id: str, attempt: int, now: dt.datetime, advance: Advance | None = None) -> bool:
        facts: dict[str, Any] = {"alive_at": to_microseconds(now)}
        if advance is not None:
            facts |= {
                "done": advance.done,
                "total": advance.total,
                "resumed": advance.resumed,
                "counts": dict(advance.counts),
            }
        with writing(self._engine) as connection:
            this = sa.update(job).where(*_run_by(job_id, attempt))
            return connection.execute(this.values(**facts)).rowcount == 1

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
        facts = {
            "state": state.value,
            "ended_at": to_microseconds(now),
            "expires_at": to_microseconds(expires_at),
            "reason": reason,
        }
        with writing(self._engine) as connection:
            these = (job.c.id == job_id, _UNFINISHED) if attempt is None else _run_by(job_id, attempt)
            connection.execute(sa.update(job).where(*these).values(**facts))
            row = connection.execute(sa.select(job).where(job.c.id == job_id)).one_or_none()
        if row is None:
            raise UnknownIdError(f"There is no job '{job_id}'.", "It may have expired.")
        return _job(row)

    def expire(self, now: dt.datetime) -> list[str]:
        over = (job.c.expires_at <= to_microseconds(now)) & ~_UNFINISHED
        with reading(self._engine) as connection:
            ids = list(connection.scalars(sa.select(job.c.id).where(over).order_by(job.c.id)))
        if ids:
            with writing(self._engine) as connection:
                connection.execute(sa.delete(job).where(over))
        return ids


def _run_by(job_id: str, attempt: int) -> tuple[sa.ColumnElement[bool], ...]:
    return job.c.id == job_id, job.c.state == JobState.RUNNING.value, job.c.attempts == attempt


def _count(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(job).where(condition)) or 0


def _job(row: sa.Row[Any]) -> Job:
    moments = {name: None if getattr(row, name) is None else from_microseconds(getattr(row, name)) for name in _MOMENTS}
    return Job(
        **{name: getattr(row, name) for name in _PLAIN},
        kind=JobKind(row.kind),
        state=JobState(row.state),
        **moments,  # type: ignore[arg-type]  # created_at is never NULL
    )
