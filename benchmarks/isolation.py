"""Measuring a method: it runs alone in a fresh process with one thread, after a warm-up, and its CPU time is counted.

A fresh interpreter (not a fork) starts every method from the same memory and lets the numeric libraries see the
one-thread setting before they load. CPU time is user plus system time of that process and of any process it starts.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.methods import Answer, Method
from industrial_brain.domain.errors import BrainError, UnavailableError
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import Progress

A = TypeVar("A")
T = TypeVar("T")

#: series that a method forecasts before the clock starts, so that nothing is compiled on it
WARM_UP_SERIES = 4

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Task:
    """One fit and one forecast of every series of a panel."""

    panel: Panel
    horizon: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a method answered, and what that cost.

    Attributes:
        answers: one a task.
        cpu_seconds: one a task, warm-up excluded.
        peak_mb: largest resident memory of the process, in MB of 10^6 bytes, libraries included.
    """

    answers: tuple[Answer, ...]
    cpu_seconds: tuple[float, ...]
    peak_mb: float


def measure(name: str, method: Method, tasks: Sequence[Task], progress: Progress) -> Measurement:
    """Run the tasks one after the other in a process of their own.

    `progress` counts series over all tasks. A `BrainError` in the process is raised here; a process that ends otherwise
    raises `UnavailableError`, its own traceback having gone to standard error.
    """
    total = sum(len(task.panel) for task in tasks)
    return _in_a_process(name, _run, (method, tuple(tasks)), lambda receiver: _receive(receiver, progress, total))


def run_alone(name: str, work: Callable[..., T], *arguments: object) -> T:
    """What a function of a module returns in a process of its own.

    A `BrainError` in the process is raised here; a process that ends otherwise raises `UnavailableError`.
    """
    found: T | BrainError = _in_a_process(name, _answer, (work, arguments), Connection.recv)
    if isinstance(found, BrainError):
        raise found
    return found


def _in_a_process(
    name: str, target: Callable[..., None], arguments: tuple[object, ...], receive: Callable[[Connection], A]
) -> A:
    """What is received from a fresh process of one thread, whose target gets the other end of the pipe and the arguments."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(sender, *arguments), name=f"benchmark-{name}", daemon=False)
    with one_thread():
        process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        return receive(receiver)
    except EOFError:
        process.join()
        raise UnavailableError(
            f"The process that measured {name} ended with exit code {process.exitcode} and no result.",
            "Read its message above; -9 means that the system killed it, most often for memory.",
        ) from None
    except BaseException:  # Ctrl-C too leaves no process behind
        process.terminate()
        raise
    finally:
        process.join()
        receiver.close()


def _answer(sender: Connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """The whole life of such a process."""
    try:
        sender.send(work(*arguments))
    except BrainError as error:
        sender.send(error)
    finally:
        sender.close()


def _receive(receiver: Connection, progress: Progress, total: int) -> Measurement:
    while True:
        message = receiver.recv()
        if isinstance(message, Measurement):
            return message
        if isinstance(message, BrainError):
            raise message
        progress(message, total)


def _run(sender: Connection, method: Method, tasks: tuple[Task, ...]) -> None:
    """The whole life of the measured process."""
    try:
        for task in warm_ups(tasks):
            method(task.panel, task.horizon, lambda done, total: None)
        answers, seconds = [], []
        before = 0
        for task in tasks:
            report = _Reporter(sender, before)
            start = _cpu_seconds()
            answers.append(method(task.panel, task.horizon, report))
            seconds.append(_cpu_seconds() - start)
            before += len(task.panel)
            sender.send(before)
        sender.send(Measurement(tuple(answers), tuple(seconds), peak_mb()))
    except BrainError as error:
        sender.send(error)
    finally:
        sender.close()


@dataclass(slots=True)
class _Reporter:
    """Progress of one task as messages, at most a hundred so that telling costs next to nothing."""

    sender: Connection
    before: int
    told: int = 0

    def __call__(self, done: int, total: int | None) -> None:
        if done - self.told >= max(1, (total or done) // 100):
            self.told = done
            self.sender.send(self.before + done)


def warm_ups(tasks: Sequence[Task]) -> list[Task]:
    """A few series, short and long, of each kind of panel."""
    kinds: dict[tuple[str, int, int], Task] = {}
    for task in tasks:
        kinds.setdefault((task.panel.freq, task.panel.season, task.horizon), task)
    chosen = []
    for task in kinds.values():
        by_length = np.argsort(task.panel.lengths, kind="stable")
        spread = np.linspace(0, len(by_length) - 1, min(WARM_UP_SERIES, len(by_length))).astype(np.int64)
        chosen.append(Task(task.panel.take(by_length[spread]), task.horizon))
    return chosen


def _cpu_seconds() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; ru_maxrss would start at the peak of the parent, which is carried over an exec
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # macOS counts bytes, others KiB


@contextmanager
def one_thread() -> Iterator[None]:
    """The environment that a process started now inherits."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
