"""The stream of anomalies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from industrial_brain.domain.access import Role
from industrial_brain.domain.anomalies import EpisodeChange, EpisodeState, EpisodeWord
from industrial_brain.domain.errors import AuthenticationError, TooManyError, UnavailableError
from serving.event_stream import EventStream
from serving.feed import MOST_WAITING, AnomalyFeed
from tests.fakes.anomalies import FakeEpisodeStore, an_episode
from tests.fakes.city import SmallCity

FOREVER = 1e9


async def nobody_minds() -> None:
    """Every listener may go on."""


def keep(store: FakeEpisodeStore, device: str, site: str = "plant", **facts: Any) -> None:
    store.keep("main", store.taken("main") + 1, [EpisodeChange(an_episode(site, device, **facts), ())])


def a_feed(store: FakeEpisodeStore, **limits: Any) -> AnomalyFeed:
    return AnomalyFeed(store, poll_seconds=0.0, **{"heartbeat_seconds": FOREVER, **limits})


def read(event: str) -> tuple[str, str, Any]:
    """Id, name and data of an event."""
    fields = dict(line.split(": ", 1) for line in event.strip().splitlines())
    return fields.get("id", ""), fields.get("event", ""), json.loads(fields.get("data", "null"))


async def following(events: AsyncIterator[str], count: int) -> list[tuple[str, str, str]]:
    """Id, name and device of the next events."""
    found = []
    for _ in range(count):
        name, event, data = read(await anext(events))
        found.append((name, event, data.get("device", "")))
    return found


async def listen(
    feed: AnomalyFeed, after: int | None = None, sites: frozenset[str] | None = None
) -> AsyncIterator[str]:
    return await feed.listen(sites, after, seconds=FOREVER, welcome=nobody_minds)


def test_changes_are_told_as_they_happen() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        keep(store, "before")
        events = await listen(a_feed(store))
        assert read(await anext(events)) == ("1", "ready", {"revision": 1})
        keep(store, "a")
        assert await following(events, 1) == [("2", "opened", "a")]
        store.say(an_episode("plant", "a").id, EpisodeWord(None, "", "ann", 1))
        assert await following(events, 1) == [("3", "acknowledged", "a")]

    asyncio.run(run())


def test_who_reconnects_is_told_what_it_missed_once_and_then_what_follows() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        for device in "abc":
            keep(store, device)
        keep(store, "a", state=EpisodeState.CLOSED)
        events = await listen(a_feed(store), after=1)
        assert await following(events, 4) == [
            ("1", "ready", ""),
            ("2", "opened", "b"),
            ("3", "opened", "c"),
            ("4", "opened", "a"),
        ]
        keep(store, "d")
        assert await following(events, 1) == [("5", "opened", "d")]

    asyncio.run(run())


def test_more_is_missed_than_is_read_at_once() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        changes = [EpisodeChange(an_episode("plant", f"{n}"), ()) for n in range(1_200)]
        store.keep("main", 1, changes)
        told = await following(await listen(a_feed(store), after=0), 1_201)
        assert [name for name, _, _ in told] == [str(n) for n in range(1_201)]

    asyncio.run(run())


def test_an_id_of_another_life_of_the_database_begins_now() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        keep(store, "a")
        events = await listen(a_feed(store), after=999)
        assert (await following(events, 1))[0][0] == "1"
        keep(store, "b")
        assert await following(events, 1) == [("2", "opened", "b")]

    asyncio.run(run())


def test_each_listener_hears_of_its_own_sites() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        feed = a_feed(store)
        mine = await listen(feed, sites=frozenset({"plant"}))
        late = await listen(feed, after=0, sites=frozenset({"plant"}))
        nothing = await listen(feed, after=0, sites=frozenset())
        await following(mine, 1)
        keep(store, "theirs", "mill")
        keep(store, "ours", "plant")
        assert await following(mine, 1) == [("2", "opened", "ours")]
        assert (await following(late, 2))[1] == ("2", "opened", "ours")
        await following(nothing, 1)
        feed.close()
        assert (await following(nothing, 1))[0][1] == "end"

    asyncio.run(run())


def test_a_slow_listener_is_cut_and_told_so_and_the_others_go_on() -> None:
    async def run() -> None:
        store = FakeEpisodeStore()
        feed = a_feed(store)
        slow, quick = await listen(feed), await listen(feed)
        await following(slow, 1)
        await following(quick, 1)
        for n in range(MOST_WAITING + 3):
            keep(store, f"{n}")
            assert (await following(quick, 1))[0][2] == f"{n}"
        told = [read(event) async for event in slow]
        assert len(told) == MOST_WAITING + 1
        assert told[-1][1] == "end"
        assert "1,000 changes waited" in told[-1][2]["reason"]
        assert len(feed) == 1

    asyncio.run(run())


def test_a_quiet_line_is_kept_alive_until_the_key_is_revoked() -> None:
    async def run() -> None:
        answers = iter((None, UnavailableError("The database is away."), AuthenticationError("The key was revoked.")))

        async def welcome() -> None:
            answer = next(answers)
            if answer is not None:
                raise answer

        feed = a_feed(FakeEpisodeStore(), heartbeat_seconds=0.0)
        events = await feed.listen(None, None, seconds=FOREVER, welcome=welcome)
        told = [event async for event in events]
        assert told[1:3] == [": alive\n\n"] * 2
        assert read(told[3]) == ("", "end", {"reason": "The key was revoked."})

    asyncio.run(run())


def test_a_busy_stream_ends_soon_after_its_key_is_revoked() -> None:
    async def run() -> None:
        now, asked = 0.0, list[float]()

        async def welcome() -> None:
            asked.append(now)
            if now > 20:
                raise AuthenticationError("The key was revoked.")

        store = FakeEpisodeStore()
        feed = a_feed(store, heartbeat_seconds=15.0, monotonic=lambda: now)
        events = await feed.listen(None, None, seconds=FOREVER, welcome=welcome)
        told = [read(await anext(events))[1]]
        while told[-1] != "end" and now < 100:
            keep(store, f"{now}")
            told.append(read(await anext(events))[1])
            now += 4.0
        assert told == ["ready", *["opened"] * 8, "end"]
        assert asked == [16.0, 32.0]

    asyncio.run(run())


def test_a_store_that_fails_ends_the_stream_with_the_reason() -> None:
    class Failing(FakeEpisodeStore):
        def changed_since(self, *_: object, **__: object) -> Any:
            raise UnavailableError("The database can't be used.")

    async def run() -> None:
        store = Failing()
        events = await listen(a_feed(store))
        await following(events, 1)
        assert read(await anext(events))[2] == {"reason": "The database can't be used. Reconnect later."}
        assert [event async for event in events] == []

    asyncio.run(run())


def test_there_are_only_so_many_listeners_and_who_leaves_makes_room() -> None:
    async def run() -> None:
        feed = a_feed(FakeEpisodeStore(), most=1)
        events = await listen(feed)
        await anext(events)
        with pytest.raises(TooManyError):
            await listen(feed)
        await events.aclose()  # type: ignore[attr-defined]  # a generator
        await listen(feed)

    asyncio.run(run())


class Reader:
    """An ASGI client that takes so many parts and then no more, or leaves."""

    def __init__(self, takes: int, leaves: bool = False) -> None:
        self._takes, self._leaves = takes, leaves
        self._left = asyncio.Event()
        self.messages: list[Message] = []

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.messages) > self._takes:
            if not self._leaves:
                await asyncio.sleep(FOREVER)
            self._left.set()
        self.messages.append(message)
        await asyncio.sleep(0)


async def endless() -> AsyncIterator[str]:
    while True:
        yield ": x\n\n"


@pytest.mark.parametrize("leaves", [False, True])
def test_a_reader_that_stops_or_leaves_does_not_hold_the_stream(leaves: bool) -> None:
    async def run() -> None:
        reader = Reader(3, leaves)
        await EventStream(endless(), 0.01)({"type": "http"}, reader.receive, reader.send)
        assert reader.messages[0]["status"] == 200
        headers = dict(reader.messages[0]["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert b"content-length" not in headers

    asyncio.run(run())


def test_the_route_streams_uncompressed_and_ends_when_its_time_is_over(planner: TestClient, city: SmallCity) -> None:
    city.find_anomaly("a", "plant")
    answer = planner.get("/v1/anomalies:stream", headers={"Last-Event-ID": "0", "Accept-Encoding": "gzip"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    ready, opened, end = answer.text.strip().split("\n\n")
    assert "event: ready" in ready
    assert json.loads(opened.split("data: ")[1])["id"] == "a"
    assert "lasts no longer" in end


def test_a_factory_streams_its_own_sites(anonymous: TestClient, city: SmallCity) -> None:
    anonymous.headers["Authorization"] = f"Bearer {city.secrets[Role.FACTORY]}"
    city.find_anomaly("mine", "plant")
    city.find_anomaly("theirs", "mill")

    def told(query: str) -> list[str]:
        text = anonymous.get(f"/v1/anomalies:stream{query}", headers={"Last-Event-ID": "0"}).text
        return [name for name in ("mine", "theirs") if f'"id":"{name}"' in text]

    assert (told(""), told("?site=plant"), told("?site=mill")) == (["mine"], ["mine"], [])


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 16])
def test_an_id_that_is_none_of_ours_is_refused(planner: TestClient, given: str) -> None:
    assert planner.get("/v1/anomalies:stream", headers={"Last-Event-ID": given}).status_code == 422
