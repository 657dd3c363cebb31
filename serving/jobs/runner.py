"""Running jobs, one after the other, from a thread of the server."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from industrial_brain.domain.jobs import UNFINISHED, Advance, Job, JobState, JobStore
from serving.jobs.folders import clear, sweep
from serving.jobs.launch import Ended, Launch, Running

log = structlog.get_logger(__name__)

#: a process that has shown no life for so long is lost, and its job is begun again
LEASE = dt.timedelta(seconds=6)

#: how often a job is begun before it counts as one that can't be done here
MOST_ATTEMPTS = 3

#: how often a job at work shows life, and how soon a cancelled one is stopped
_BEAT_SECONDS = 1.0

#: how often the jobs' folder is looked through for what was left lying
_SWEEP = dt.timedelta(hours=1)


class JobRunner:
    """Claims jobs and has them done. One at a time: they are long, and the machine is the server's.

    A job whose process is lost is begun again, where its files let it go on; after `MOST_ATTEMPTS` it fails, and says so. So
    does one whose server is lost: the next server finds it silent. Nobody waits for a job that is no longer at work.

    Args:
        folder: of the jobs' files, a folder a job.
        launch: begins to work on a job.
        kept: how long a finished job and its results are kept.
        poll_seconds: pause between two looks at the store.
    """

    def __init__(
        self,
        store: JobStore,
        folder: Path,
        launch: Launch,
        clock: Callable[[], dt.datetime],
        *,
        kept: dt.timedelta,
        poll_seconds: float,
    ) -> None:
        self._store, self._folder, self._launch, self._clock = store, folder, launch, clock
        self._kept = kept
        self._poll_seconds = poll_seconds
        self._swept: dt.datetime | None = None
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._follow, name="job-runner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after putting back the job at work, which goes on when a server runs again."""
        self._stop.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """There is a new job."""
        self._news.set()

    def step(self) -> bool:
        """Delete what has expired or was left lying, and run one job to its end, if one waits; whether one did."""
        for gone in self._store.expire(self._clock()):
            shutil.rmtree(self._folder / gone, ignore_errors=True)
        self._sweep(self._clock())
        now = self._clock()
        job = self._store.claim(now, silent_since=now - LEASE, most_attempts=MOST_ATTEMPTS, expires_at=now + self._kept)
        if job is None:
            return False
        self._run(job)
        return True

    def _sweep(self, now: dt.datetime) -> None:
        if self._swept is None or now - self._swept >= _SWEEP:
            sweep(self._folder, now, self._store.get)
            self._swept = now

    def _run(self, job: Job) -> None:
        self._attempt(job)
        after = self._store.get(job.id)
        if after is not None and after.state not in UNFINISHED:
            clear(self._folder / job.id)

    def _attempt(self, job: Job) -> None:
        log.info("job_begun", job=job.id, kind=job.kind, attempt=job.attempts)
        running = self._launch(job.kind, self._folder / job.id)
        try:
            ended = self._watch(job, running)
        except BaseException:
            running.kill()
            raise
        if ended is None:
            return
        if ended.failure is None:
            log.warning("job_lost", job=job.id, attempt=job.attempts)
            self._store.put_back(job.id, job.attempts, "The process at work was lost; begun again.")
            return
        if ended.details:
            log.error("job_broke", job=job.id, details=ended.details)
        state = JobState.FAILED if ended.failure else JobState.DONE
        now = self._clock()
        self._store.end(job.id, now, state, expires_at=now + self._kept, reason=ended.failure, attempt=job.attempts)
        log.info("job_ended", job=job.id, state=state)

    def _watch(self, job: Job, running: Running) -> Ended | None:
        """How the process ended; None where it was stopped from here."""
        while True:
            message = running.next(_BEAT_SECONDS)
            if isinstance(message, Ended):
                return message
            if self._stop.is_set():
                running.kill()
                self._store.put_back(job.id, job.attempts, "The server was stopped; begun again.", attempted=False)
                return None
            advance = message if isinstance(message, Advance) else None
            if not self._store.advance(job.id, job.attempts, self._clock(), advance):
                running.kill()  # cancelled, or begun anew by another server that found it silent
                return None

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            try:
                worked = self.step()
            except Exception:  # a database that is away for a while must not end the runner
                log.exception("job_runner_hindered")
                worked = False
            if not worked:
                self._news.wait(self._poll_seconds)
