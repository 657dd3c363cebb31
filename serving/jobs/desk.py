"""Where jobs are handed in, asked for and cancelled: between the routes, the store and the files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.errors import StateError, UnknownIdError
from industrial_brain.domain.jobs import UNFINISHED, Job, JobKind, JobState, JobStore
from industrial_brain.domain.protocols import Page
from serving.jobs.folders import clear, new_folder
from serving.jobs.results import Records
from serving.jobs.runner import JobRunner
from serving.jobs.work import ERRORS, REQUEST, SUMMARY

#: bytes that are gathered before they go to the disk
_GATHERED = 1 << 20


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body on the disk. `digest` is its SHA-256."""

    folder: Path
    size: int
    digest: str

    @property
    def file(self) -> Path:
        return self.folder / REQUEST

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class JobDesk:
    """Takes jobs in and gives their results out. Jobs of others do not exist, unless the key is an administrator's.

    Args:
        folder: of the jobs' files.
        most_of_owner, most_of_all: unfinished jobs at once.
        kept: how long a cancelled job is kept.
    """

    def __init__(
        self,
        store: JobStore,
        runner: JobRunner,
        folder: Path,
        clock: Callable[[], dt.datetime],
        *,
        most_of_owner: int,
        most_of_all: int,
        kept: dt.timedelta,
    ) -> None:
        self._store, self._runner, self._folder, self._clock = store, runner, folder, clock
        self._most_of_owner, self._most_of_all, self._kept = most_of_owner, most_of_all, kept

    async def receive(self, chunks: AsyncIterator[bytes]) -> Body:
        """Put a body on the disk as it comes. The folder's name will be the job's id."""
        body = Body(await anyio.to_thread.run_sync(self._new_folder), 0, "")
        digest, size = hashlib.sha256(), 0
        try:
            async with await anyio.open_file(body.file, "wb") as file:
                gathered = bytearray()
                async for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    gathered += chunk
                    if len(gathered) >= _GATHERED:
                        await file.write(bytes(gathered))
                        gathered.clear()
                await file.write(bytes(gathered))
        except ClientDisconnect as error:
            body.discard()
            raise HTTPException(400) from error
        except BaseException:
            body.discard()
            raise
        return Body(body.folder, size, digest.hexdigest())

    def put(self, content: bytes) -> Body:
        """Put a body on the disk that is there already."""
        body = Body(self._new_folder(), len(content), hashlib.sha256(content).hexdigest())
        body.file.write_bytes(content)
        return body

    def add(self, kind: JobKind, key: ApiKey, body: Body, idempotency_key: str | None) -> Job:
        """Make a job of a body, or find the one that it made before under its Idempotency-Key. Raises as `JobStore.add`."""
        job = Job(body.folder.name, kind, key.id, JobState.QUEUED, self._clock())
        try:
            job, new = self._store.add(
                job,
                digest=body.digest,
                idempotency_key=idempotency_key,
                most_of_owner=self._most_of_owner,
                most_of_all=self._most_of_all,
            )
        except BaseException:
            body.discard()
            raise
        if new:
            self._runner.wake()
        else:
            body.discard()
        return job

    def get(self, kind: JobKind, key: ApiKey, job_id: str) -> Job:
        """Raises UnknownIdError: there is none of this id that the key may see."""
        job = self._store.get(job_id)
        if job is None or job.kind is not kind or (job.owner != key.id and key.role is not Role.ADMIN):
            raise UnknownIdError(f"There is no job '{job_id}'.", "It may have expired; list yours.")
        return job

    def page(self, kind: JobKind, key: ApiKey, after: str | None, limit: int) -> Page[Job]:
        """Newest first; an administrator's page has everyone's."""
        owner = None if key.role is Role.ADMIN else key.id
        return self._store.list_jobs(kind, owner=owner, after=after, limit=limit)

    def cancel(self, kind: JobKind, key: ApiKey, job_id: str) -> Job:
        """Cancel a job that has not ended; one that has stays as it is."""
        before = self.get(kind, key, job_id)
        now = self._clock()
        job = self._store.end(job_id, now, JobState.CANCELLED, expires_at=now + self._kept)
        if before.state is JobState.QUEUED:  # else the runner clears up, when the process has stopped
            clear(self._folder / job_id)
        return job

    def done(self, kind: JobKind, key: ApiKey, job_id: str) -> Job:
        """The job, if it has results. Raises UnknownIdError, and StateError before they are there, or if they never will be."""
        job = self.get(kind, key, job_id)
        if job.state in UNFINISHED:
            raise StateError(f"The job is {job.state}: it has no results yet.", "Ask for the job until it is done.")
        if job.state is not JobState.DONE:
            raise StateError(f"The job has {_ENDED[job.state]}: it has no results.", "Send the request again, mended.")
        return job

    def records(self, job: Job, name: str) -> Records:
        return Records(self._folder / job.id, name)

    def errors(self, job: Job) -> Any:
        """What was wrong with its request, as `FaultOut` has it."""
        return self._json(job, ERRORS) if job.state is JobState.FAILED else []

    def summary(self, job: Job) -> Any:
        return self._json(job, SUMMARY)

    def _new_folder(self) -> Path:
        return new_folder(self._folder, self._clock())

    def _json(self, job: Job, name: str) -> Any:
        try:
            return json.loads((self._folder / job.id / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []


_ENDED = {JobState.FAILED: "failed", JobState.CANCELLED: "been cancelled"}


async def _jobs(request: Request) -> JobDesk:
    desk: JobDesk = request.app.state.jobs
    return desk


JobsDep = Annotated[JobDesk, Depends(_jobs)]
