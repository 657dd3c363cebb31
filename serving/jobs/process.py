"""The process that a job runs in: of its own, of low priority, and ended with the server or by `kill`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from industrial_brain.domain.errors import BrainError
from industrial_brain.domain.jobs import Advance, JobKind
from serving.jobs.launch import Ended
from serving.jobs.work import Tools, perform
from serving.worker import end_with_parent

#: how much lower a job's priority is than the server's
_NICENESS = 10


class SpawnedJob:
    """A job in a process of its own.

    Args:
        tools: builds, in that process, what the work needs; a function of a module or a partial of one.
    """

    def __init__(self, kind: JobKind, folder: Path, tools: Callable[[], Tools]) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(theirs, kind, folder, tools), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process ends what we read

    def next(self, seconds: float) -> Advance | Ended | None:
        try:
            if not self._ours.poll(seconds):
                return None
            message: Advance | Ended = self._ours.recv()
        except (EOFError, OSError):
            message = Ended(None)
        if isinstance(message, Ended):
            self._process.join()
            self._ours.close()
        return message

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()


def _work(told: Connection, kind: JobKind, folder: Path, tools: Callable[[], Tools]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server to act on
    end_with_parent()
    os.nice(_NICENESS)
    ended = Ended("")
    try:
        perform(kind, folder, tools(), told.send)
    except BrainError as error:
        ended = Ended(str(error))
    except Exception as error:  # noqa: BLE001  # whatever broke must be said to those who wait
        ended = Ended(f"This is a bug: {type(error).__name__}.", traceback.format_exc())
    with suppress(OSError):  # nobody listens any more
        told.send(ended)
