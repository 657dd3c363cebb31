"""A process beside the server for work that would hold its event loop, and everyone who waits on it, still."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import ParamSpec, Protocol, TypeVar

import structlog

from industrial_brain.domain.errors import UnavailableError

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)

#: a new process that is not there by then is not coming
_START_SECONDS = 60.0

_LATER = "Send the request again later."


class Worker(Protocol):
    """Runs one function after the other, somewhere else."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises. Raises UnavailableError when it can't be run, or not in time."""
        ...

    def stop(self) -> None:
        """End it, and what it is at. A later `run` starts it again."""
        ...


class SpawnedWorker:
    """One process, started by the first `run`, and anew after it died. Safe to call from several threads.

    Functions, arguments, answers and errors travel pickled, between this code and itself: functions belong to a module.

    Args:
        seconds: what runs longer is killed. A caller waits as long again, at most, for those who came before.
        line: callers at once, the one who is served included; the next is turned away.
    """

    def __init__(self, *, seconds: float = 60.0, line: int = 8) -> None:
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(line)
        self._turn = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._pid: int | None = None

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._places.acquire(blocking=False):
            raise UnavailableError("Too many requests of this kind are waiting already.", _LATER)
        try:
            if not self._turn.acquire(timeout=self._seconds):
                raise UnavailableError("The requests before this one take too long.", _LATER)
            try:
                return self._run(function, *args, **kwargs)
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def stop(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):  # it died by itself
                os.kill(self._pid, signal.SIGKILL)
        if self._pool is not None:
            came = self._pid is not None  # what never came can't be waited for
            self._pool.shutdown(wait=came, cancel_futures=True)
        self._pool, self._pid = None, None

    def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _behave)
                self._pid = self._pool.submit(os.getpid).result(_START_SECONDS)
            return self._pool.submit(function, *args, **kwargs).result(self._seconds)
        except TimeoutError as error:
            self.stop()
            raise UnavailableError(
                "The work took too long, and was given up.", "Ask for less at once, or again later."
            ) from error
        except BrokenProcessPool as error:  # killed: by the system, for its memory, or by `stop`
            log.warning("worker_died", pid=self._pid)
            self.stop()
            raise UnavailableError("The process that was at work has ended.", _LATER) from error


def _behave() -> None:
    """In the new process: Ctrl-C is for the server to act on, and without a server there is nothing to live for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def end_with_parent() -> None:
    """Have this process end when the one that spawned it does."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
