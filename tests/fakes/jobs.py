"""Jobs in memory, and work without a process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from industrial_brain.domain.errors import BrainError, InputError, TooManyError, UnavailableError, UnknownIdError
from industrial_brain.domain.jobs import UNFINISHED, Advance, Job, JobKind, JobState
from industrial_brain.domain.protocols import Page
from serving.jobs.launch import Ended, Running
from serving.jobs.work import Tools, perform


@dataclass
class _Kept:
    job: Job
    digest: str
    key: str | None
    alive_at: dt.datetime | None = None


class FakeJobStore:
    """`JobStore` over a dictionary."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Kept] = {}

    def add(
        self, job: Job, *, digest: str, idempotency_key: str | None, most_of_owner: int, most_of_all: int
    ) -> tuple[Job, bool]:
        for kept in self._jobs.values():
            same = (kept.job.owner, kept.job.kind, kept.key) == (job.owner, job.kind, idempotency_key)
            if idempotency_key and same:
                if kept.digest != digest:
                    raise InputError("The Idempotency-Key was used for another request already.", "Use another.")
                return kept.job, False
        unfinished = [kept.job for kept in self._jobs.values() if kept.job.state in UNFINISHED]
        if sum(one.owner == job.owner for one in unfinished) >= most_of_owner:
            raise TooManyError("This key has as many unfinished jobs as it may have.", "Wait.")
        if len(unfinished) >= most_of_all:
            raise UnavailableError("As many jobs are waiting as the service holds.", "Wait.")
        self._jobs[job.id] = _Kept(job, digest, idempotency_key)
        return job, True

    def get(self, job_id: str) -> Job | None:
        return self._jobs[job_id].job if job_id in self._jobs else None

    def list_jobs(
        self, kind: JobKind, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Page[Job]:
        found = [
            kept.job
            for _, kept in sorted(self._jobs.items(), reverse=True)
            if kept.job.kind is kind and owner in (None, kept.job.owner)
        ]
        left = [job for job in found if after is None or job.id < after]
        return Page(tuple(left[:limit]), left[limit - 1].id if len(left) > limit else None, len(found))

    def claim(
        self, now: dt.datetime, *, silent_since: dt.datetime, most_attempts: int, expires_at: dt.datetime
    ) -> Job | None:
        for _, kept in sorted(self._jobs.items()):
            job = kept.job
            lost = job.state is JobState.RUNNING and kept.alive_at is not None and kept.alive_at < silent_since
            if job.state is not JobState.QUEUED and not lost:
                continue
            if job.attempts >= most_attempts:
                reason = f"The process at work was lost {job.attempts} times."
                kept.job = replace(job, state=JobState.FAILED, ended_at=now, expires_at=expires_at, reason=reason)
                continue
            reason = "The server was lost; begun again." if lost else job.reason
            kept.alive_at = now
            kept.job = replace(job, state=JobState.RUNNING, started_at=now, attempts=job.attempts + 1, reason=reason)
            return kept.job
        return None

    def put_back(self, job_id: str, attempt: int, reason: str, *, attempted: bool = True) -> None:
        kept = self._jobs[job_id]
        if _runs(kept.job, attempt):
            attempts = kept.job.attempts - (not attempted)
            kept.job = replace(kept.job, state=JobState.QUEUED, reason=reason, attempts=attempts)

    def advance(self, job_id: str, attempt: int, now: dt.datetime, advance: Advance | None = None) -> bool:
        kept = self._jobs.get(job_id)
        if kept is None or not _runs(kept.job, attempt):
            return False
        kept.alive_at = now
        if advance is not None:
            kept.job = replace(
                kept.job,
                done=advance.done,
                total=advance.total,
                resumed=advance.resumed,
                counts=dict(advance.counts),
            )
        return True

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
        kept = self._jobs.get(job_id)
        if kept is None:
            raise UnknownIdError(f"There is no job '{job_id}'.")
        if kept.job.state in UNFINISHED if attempt is None else _runs(kept.job, attempt):
            kept.job = replace(kept.job, state=state, ended_at=now, expires_at=expires_at, reason=reason)
        return kept.job

    def expire(self, now: dt.datetime) -> list[str]:
        gone = sorted(name for name, kept in self._jobs.items() if kept.job.expires_at and kept.job.expires_at <= now)
        for name in gone:
            del self._jobs[name]
        return gone


def _runs(job: Job, attempt: int) -> bool:
    return job.state is JobState.RUNNING and job.attempts == attempt


class InlineLaunch:
    """Work that is done where it is launched, and told afterwards; or, with a script, words without work.

    Attributes:
        script: what each launch says, one list a launch; without one, the work is done.
        launched, killed: folders of what was.
    """

    def __init__(self, tools: Callable[[], Tools], script: list[list[Advance | Ended | None]] | None = None) -> None:
        self._tools = tools
        self.script = script
        self.launched: list[Path] = []
        self.killed: list[Path] = []

    def __call__(self, kind: JobKind, folder: Path) -> Running:
        self.launched.append(folder)
        if self.script is not None:
            return _Said(self.script.pop(0), folder, self.killed)
        words: list[Advance | Ended | None] = []
        try:
            perform(kind, folder, self._tools(), words.append)
            words.append(Ended(""))
        except BrainError as error:
            words.append(Ended(str(error)))
        return _Said(words, folder, self.killed)


class _Said:
    def __init__(self, words: list[Advance | Ended | None], folder: Path, killed: list[Path]) -> None:
        self._words, self._folder, self._killed = words, folder, killed

    def next(self, seconds: float) -> Advance | Ended | None:
        return self._words.pop(0) if self._words else Ended(None)

    def kill(self) -> None:
        self._killed.append(self._folder)
