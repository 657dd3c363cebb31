"""The way in: requests wait, a writer takes all that wait, judges them, makes them durable at once, and only then answers."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from industrial_brain.domain.errors import BrainError, UnavailableError
from industrial_brain.domain.ingest import Declared, Entry, Group, Inbox
from industrial_brain.domain.telemetry import (
    MICROS_PER_SECOND,
    BackPressureError,
    Batch,
    Declaration,
    Receipt,
    Submission,
)
from streaming.assessing import Assessed, Assessor, Newest, digest_of
from streaming.backlog import Backlog

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: for how long a whole request that is sent again is recognised without looking at its rows
DIGEST_MICROS = 24 * 3600 * MICROS_PER_SECOND

_GONE = UnavailableError("The service is stopping.", "Send the request again in a moment.")


@dataclass(frozen=True, slots=True)
class Flow:
    """How much is on its way at once.

    Attributes:
        most_waiting: rows that may wait for the disk.
        most_behind: rows that may be durable, and not yet scored or in the lake.
        group_rows: rows of one transaction, about.
        tick_seconds: how often an entry without rows marks that time has passed.
    """

    most_waiting: int = 500_000
    most_behind: int = 12_000_000
    group_rows: int = 250_000
    tick_seconds: float = 60.0


class _Waiting:
    """A request whose sender waits."""

    __slots__ = ("future", "loop", "submission")

    def __init__(self, submission: Submission, loop: asyncio.AbstractEventLoop) -> None:
        self.submission, self.loop = submission, loop
        self.future: asyncio.Future[Receipt] = loop.create_future()

    def settle(self, answer: Receipt | BrainError) -> None:
        """On the loop's thread."""
        if self.future.done():  # the client has gone
            return
        if isinstance(answer, Receipt):
            self.future.set_result(answer)
        else:
            self.future.set_exception(answer)


class Writer:
    """`Intake`: the one writer of a shard's inbox, in a thread of its own.

    Args:
        clock: microseconds since 1970.
        free: bytes that the disk has left, and the least that has to be; asked before anything is taken.
    """

    def __init__(
        self,
        inbox: Inbox,
        assessor: Assessor,
        backlog: Backlog,
        clock: Callable[[], int],
        flow: Flow,
        free: Callable[[], tuple[int, int]],
    ) -> None:
        self._inbox, self._assessor, self._backlog = inbox, assessor, backlog
        self._clock, self._flow, self._free = clock, flow, free
        self._seq = inbox.last_seq()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_rows = 0
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._next_tick = self._tick_after(clock())
        self._doubt: tuple[Group, Assessed | None] | None = None
        self.forget = 0  # batches up to here are in the lake and in a snapshot
        self._thread = threading.Thread(target=self._run, name="telemetry-writer", daemon=True)

    @property
    def seq(self) -> int:
        """The last seq that is durable."""
        return self._seq

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    async def submit(self, submission: Submission) -> Receipt:
        free, floor = self._free()
        if free < floor:
            raise BackPressureError(
                f"The disk has {free / 1e6:,.0f} MB left, and {floor / 1e6:,.0f} MB stay free.",
                "Send the readings again later; the operator has to make room.",
                60,
                full=True,
            )
        if self._backlog.rows > self._flow.most_behind:
            raise BackPressureError(
                f"{self._backlog.rows:,} readings are durable and not yet worked on.",
                "Send the readings again later.",
                10,
            )
        waiting = _Waiting(submission, asyncio.get_running_loop())
        with self._wake:
            if self._stopping:
                raise _GONE
            if self._waiting and self._waiting_rows + len(submission) > self._flow.most_waiting:
                raise BackPressureError(
                    f"{self._waiting_rows:,} readings wait for the disk.", "Send the readings again in a moment.", 1
                )
            self._waiting.append(waiting)
            self._waiting_rows += len(submission)
            self._wake.notify()
        return await waiting.future

    def between_groups(self, call: Callable[[], T]) -> Future[T]:
        """Run something in the writer's thread, while no group is under way."""
        future: Future[T] = Future()
        with self._wake:
            if self._stopping:
                raise _GONE
            self._calls.append((call, future))
            self._wake.notify()
        return future

    def declare(self, declarations: Sequence[Declaration]) -> None:
        """Put declarations into the ingest sequence. To be called between groups."""
        if self._doubt is not None:  # the seq that comes next is not known before
            self._settle_doubt()
        entry = Declared(self._seq + 1, self._clock(), tuple(declarations))
        self._commit(Group((entry,), self._assessor.unstated()))

    def newest(self) -> Newest:
        """A copy of the newest readings, as they are on the disk. To be called between groups, or after the end."""
        if self._doubt is not None:
            raise UnavailableError("The inbox has not said whether a group was stored.")
        newest, count = self._assessor.newest, self._assessor.channels
        return Newest(newest.ts[:count].copy(), newest.value[:count].copy(), newest.quality[:count].copy())

    def _run(self) -> None:
        while True:
            with self._wake:
                if not (self._waiting or self._calls or self._stopping):
                    self._wake.wait(max(0.0, min(1.0, (self._next_tick - self._clock()) / MICROS_PER_SECOND)))
                calls, group = list(self._calls), self._next_group()
                self._calls.clear()
                stopping = self._stopping and not self._waiting
            for call, future in calls:
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - told to who asked
                    future.set_exception(error)
            self._take(group)
            if stopping:
                return

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        rows = 0
        while self._waiting and (not group or rows + len(self._waiting[0].submission) <= self._flow.group_rows):
            group.append(self._waiting.popleft())
            rows += len(group[-1].submission)
        self._waiting_rows -= rows
        return group

    def _take(self, group: list[_Waiting]) -> None:
        """Judge, store, answer."""
        now = self._clock()
        ticks = now >= self._next_tick
        if not group and not ticks:
            return
        answers: Sequence[Receipt | BrainError]
        try:
            answers = self._store([waiting.submission for waiting in group], now, ticks)
        except BrainError as error:
            answers = [_refusal(error)] * len(group)
        except Exception as error:  # a defect: the senders are told, and the thread lives on
            defect = BrainError("The service met an error that it did not expect.")
            log.exception("telemetry_group_failed", requests=len(group), error=str(error))
            answers = [defect] * len(group)
        for loop in {waiting.loop for waiting in group}:
            told = [(waiting, answer) for waiting, answer in zip(group, answers, strict=True) if waiting.loop is loop]
            try:
                loop.call_soon_threadsafe(_settle, told)
            except RuntimeError:  # the loop has ended: nobody waits there any more
                continue

    def _store(self, submissions: list[Submission], now: int, ticks: bool) -> Sequence[Receipt | BrainError]:
        if self._doubt is not None:
            self._settle_doubt()
        digests = [digest_of(submission) for submission in submissions]
        known = self._inbox.known(digests, now - DIGEST_MICROS) if digests else set()
        assessed = self._assessor.assess(submissions, known, now)
        entries: list[Entry] = []
        if ticks:
            entries.append(Batch.tick(self._seq + 1, now))
        if len(assessed.channel):
            columns = (assessed.channel, assessed.ts, assessed.value, assessed.quality, assessed.late)
            entries.append(Batch(self._seq + 1 + len(entries), now, *columns))
        names = self._assessor.unstated()
        if entries or names or assessed.digests:
            self._commit(Group(tuple(entries), names, tuple(assessed.digests), self.forget), assessed)
        if ticks:
            self._next_tick = self._tick_after(now)
        return assessed.answers

    def _commit(self, group: Group, assessed: Assessed | None = None) -> None:
        try:
            self._inbox.commit(group)
        except BaseException:
            self._doubt = (group, assessed)
            if not self._settle_doubt():
                raise
            return
        self._committed(group)

    def _settle_doubt(self) -> bool:
        """Whether a group whose commit failed was stored after all: a commit's answer can be lost on its way.

        Raises UnavailableError while the inbox does not say; nothing else may be stored until it does.
        """
        assert self._doubt is not None
        group, assessed = self._doubt
        stored = bool(group.entries) and self._inbox.last_seq() >= group.entries[-1].seq
        self._doubt = None
        if stored:
            self._committed(group)
        elif assessed is not None:
            self._assessor.take_back(assessed)
        return stored

    def _committed(self, group: Group) -> None:
        self._assessor.stated()
        if group.entries:
            self._seq = group.entries[-1].seq
            self._backlog.add(group.entries)

    def _tick_after(self, now: int) -> int:
        every = int(self._flow.tick_seconds * MICROS_PER_SECOND)
        return (now // every + 1) * every


def _refusal(error: BrainError) -> BrainError:
    """What a sender is told of an inbox that does not take anything."""
    if isinstance(error, UnavailableError):
        return BackPressureError(
            error.message, "Nothing of the request was stored: send it again later.", 10, full=True
        )
    return error


def _settle(told: Sequence[tuple[_Waiting, Receipt | BrainError]]) -> None:
    for waiting, answer in told:
        waiting.settle(answer)
