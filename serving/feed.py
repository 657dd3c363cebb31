"""Changes of anomalies as they happen: one reader of the store for all who listen, and a bounded queue for each of them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio.to_thread
import structlog

from industrial_brain.domain.anomalies import Episode, EpisodeStore
from industrial_brain.domain.errors import BrainError, TooManyError, UnavailableError
from serving.anomalies import shown

log = structlog.get_logger(__name__)

#: whether a listener may go on listening
Welcome = Callable[[], Awaitable[object]]

#: changes that may wait for one listener; who has more waiting is cut
MOST_WAITING = 1_000

#: changes that are read from the store at once
_PAGE = 500

#: milliseconds after which a browser that lost its stream asks for another
_RETRY = 3_000


@dataclass(eq=False, slots=True)
class _Listener:
    """Who listens: the sites that he may see, what waits for him, and why he hears no more, once that is so."""

    sites: frozenset[str] | None
    waiting: asyncio.Queue[Episode | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING + 1))
    end: str | None = None

    def finish(self, reason: str) -> None:
        """Let him hear what waits, and then the reason."""
        if self.end is None:
            self.end = reason
            self.waiting.put_nowait(None)  # there is always room for this one


class AnomalyFeed:
    """Follows the revisions of the store, and tells listeners of each changed episode, as it is then.

    The store is asked again and again rather than told by the shard's thread: so a server also tells of what other
    processes on the same database find. It is not asked while nobody listens.

    Args:
        poll_seconds: how soon a change is noticed.
        heartbeat_seconds: how often it is asked whether a listener may go on; after so long without a change it is also
            sent a comment, so that it, and what lies between, knows that the line is alive.
        most: listeners at once.
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        store: EpisodeStore,
        *,
        poll_seconds: float = 0.5,
        heartbeat_seconds: float = 15.0,
        most: int = 256,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._poll, self._beat, self._most = store, poll_seconds, heartbeat_seconds, most
        self._monotonic = monotonic
        self._listeners: set[_Listener] = set()
        self._revision = 0
        self._reader: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """Listeners."""
        return len(self._listeners)

    async def listen(
        self,
        sites: frozenset[str] | None,
        after: int | None,
        *,
        seconds: float,
        welcome: Welcome,
    ) -> AsyncIterator[str]:
        """Server-sent events: those after a revision (from now on, without one), then each change, until an `end`.

        Args:
            after: revision of the last event that the listener saw, before it lost its stream.
            seconds: how long a stream may last.
            welcome: raises what ends the stream; asked every `heartbeat_seconds`, however much there is to tell.

        Raises:
            TooManyError: as many listen already as may.
        """
        if len(self._listeners) >= self._most:
            raise TooManyError(f"{self._most} streams are open already.", "Close one, or read GET /v1/anomalies.")
        newest = await anyio.to_thread.run_sync(self._store.revision)
        seen = newest if after is None else min(after, newest)
        listener = _Listener(sites)
        self._listeners.add(listener)
        if self._closed:
            listener.finish(_STOPPING)
        elif self._reader is None or self._reader.done():
            self._revision = newest
            self._reader = asyncio.create_task(self._read())
        return self._tell(listener, seen, self._monotonic() + seconds, welcome)

    def close(self) -> None:
        """Say goodbye to all: the server stops. Only from the loop's own thread."""
        self._closed = True
        for listener in self._listeners:
            listener.finish(_STOPPING)
        if self._reader is not None:
            self._reader.cancel()

    async def _tell(self, listener: _Listener, seen: int, until: float, welcome: Welcome) -> AsyncIterator[str]:
        asked = self._monotonic()
        try:
            yield f"retry: {_RETRY}\nid: {seen}\nevent: ready\ndata: {json.dumps({'revision': seen})}\n\n"
            while listener.end is None:  # what was missed, until the queue goes on from there
                try:
                    missed = await anyio.to_thread.run_sync(self._missed, listener, seen)
                except BrainError as error:
                    yield _goodbye(f"{error.message} Reconnect later.")
                    return
                for episode in missed:
                    seen = episode.revision
                    yield _event(episode)
                if len(missed) < _PAGE:
                    break
            while (left := until - (now := self._monotonic())) > 0:
                if now - asked >= self._beat:
                    refusal, asked = await _refusal(welcome), now
                    if refusal is not None:
                        yield _goodbye(refusal)
                        return
                try:
                    async with asyncio.timeout(min(asked + self._beat - now, left)):
                        episode_or_end = await listener.waiting.get()
                except TimeoutError:
                    yield ": alive\n\n"
                    continue
                if episode_or_end is None:
                    break
                if episode_or_end.revision > seen:
                    seen = episode_or_end.revision
                    yield _event(episode_or_end)
            yield _goodbye(listener.end or _LONG_ENOUGH)
        finally:
            self._listeners.discard(listener)

    def _missed(self, listener: _Listener, after: int) -> list[Episode]:
        sites = None if listener.sites is None else sorted(listener.sites)
        return self._store.changed_since(after, sites, _PAGE)

    async def _read(self) -> None:
        """Hand changes to listeners until there are none of them."""
        while self._listeners:
            await asyncio.sleep(self._poll)
            try:
                changed = await anyio.to_thread.run_sync(self._store.changed_since, self._revision, None, _PAGE)
            except BrainError as error:
                log.warning("anomaly_feed_failed", reason=error.message)
                for listener in self._listeners:
                    listener.finish(f"{error.message} Reconnect later.")
                return
            for episode in changed:
                self._revision = episode.revision
                for listener in self._listeners:
                    _offer(listener, episode)


_STOPPING = "The server stops. Reconnect: what you miss is told then."
_LONG_ENOUGH = "A stream lasts no longer. Reconnect: what you miss is told then."
_TOO_SLOW = f"{MOST_WAITING:,} changes waited for you to read them. Reconnect: what you missed is told then."


def _offer(listener: _Listener, episode: Episode) -> None:
    if listener.end is not None or (listener.sites is not None and episode.site not in listener.sites):
        return
    if listener.waiting.qsize() >= MOST_WAITING:
        log.warning("slow_listener_cut", waiting=MOST_WAITING)
        listener.finish(_TOO_SLOW)
        return
    listener.waiting.put_nowait(episode)


async def _refusal(welcome: Welcome) -> str | None:
    """Why a listener may not listen any more. A database that is away revokes no key."""
    try:
        await welcome()
    except UnavailableError:
        return None
    except BrainError as error:
        return error.message
    return None


def _event(episode: Episode) -> str:
    return f"id: {episode.revision}\nevent: {episode.change}\ndata: {shown(episode).model_dump_json()}\n\n"


def _goodbye(reason: str) -> str:
    return f"event: end\ndata: {json.dumps({'reason': reason}, ensure_ascii=False)}\n\n"
